"""One capture as columns, addresses included: what does not depend on which host is the device.

Shapes: R records of a file; P packets that can be used.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire.arrays import Flags, Integers
from iotflowgen.wire.pcap import Index, Records

__all__ = ["Dissection", "Usable", "find_usable"]

_FAR_NS: Final = 365 * 86400 * 10**9
"""No network is silent for so long within a capture: a clock was wrong, or a time is damaged."""
_LONE: Final = 1
"""So few packets tell nothing of a clock."""


@dataclass(frozen=True, eq=False)
class Dissection:
    """One capture in order of time; every array has an entry a packet (P)."""

    link: str
    """Link types: names of `LINKS`."""
    notes: tuple[str, ...]
    """What was done so that packets can be read."""
    complaint: str
    """Why reading ended early; empty if the capture is whole."""
    addresses: tuple[str, ...]
    """Every IP and MAC address of the capture; the first is "", for none."""
    in_file: NDArray[np.int64]
    """Which packet of the file each is, from 0."""
    time_ns: NDArray[np.int64]
    length: NDArray[np.int32]
    protocols: NDArray[np.uint16]
    src_port: NDArray[np.int32]
    dst_port: NDArray[np.int32]
    tcp_payload: NDArray[np.int32]
    src_ip: NDArray[np.int32]
    """Place in `addresses`, as are the three that follow."""
    dst_ip: NDArray[np.int32]
    src_mac: NDArray[np.int32]
    dst_mac: NDArray[np.int32]
    begins: tuple[int, ...] = ()
    """Packets of the file that its stretches begin with, where not all of it was read."""

    def __len__(self) -> int:
        return len(self.time_ns)


class Usable(NamedTuple):
    """Which packets of a file can be used, and when they came."""

    in_file: Integers
    """Places in the file (P)."""
    time_ns: Integers
    """Nanoseconds since the epoch (P)."""
    complaint: str
    """What is wrong with the others; empty if there are none."""


def find_usable(records: Records | Index) -> Usable:
    """The packets that can be read, and whose times go together.

    Devices without a battery begin in 1970, until NTP sets their clock, and so do captures that are
    taken on them. The packets before that are taken as just before what follows. Of others, those
    that are more than a year from most are left out.
    """
    in_file = np.flatnonzero(records.is_sound)
    time_ns = records.time_ns[in_file]
    near = _largest_cluster(time_ns)
    if near.all():
        return Usable(in_file, time_ns, records.complaint)
    complaints = [records.complaint]
    inside = np.flatnonzero(near)
    first, last = int(inside[0]), int(inside[-1]) + 1
    kept, joined = near.copy(), time_ns.copy()
    for part in (slice(0, first), slice(last, len(near))):
        if part.stop - part.start > _LONE:
            kept[part] = True
            # how long it was between the packets on either side, nobody knows: taken as nothing
            steps = np.diff(time_ns[part])
            since = np.append(0, np.cumsum(np.where(np.abs(steps) > _FAR_NS, 0, steps)))
            joined[part] = since + (
                time_ns[first] - since[-1] if part.start == 0 else time_ns[last - 1]
            )
            at = part.stop if part.start == 0 else part.start
            complaints.append(
                f"the clock is set before packet {in_file[at] + 1}, from {_day(time_ns[at - 1])} "
                f"to {_day(time_ns[at])}; that step is left out"
            )
    if not kept.all():
        complaints.append(
            f"{int((~kept).sum())} of {len(kept)} packets have times that are more than a year "
            f"from the others and are left out: the first is packet {in_file[kept.argmin()] + 1}"
        )
    return Usable(in_file[kept], joined[kept], "; ".join(filter(None, complaints)))


def _largest_cluster(time_ns: Integers) -> Flags:
    """Which packets (P) are of the most that have no longer than `_FAR_NS` between them."""
    order = np.argsort(time_ns, kind="stable")
    steps = np.diff(time_ns[order])
    cluster = np.empty(len(order), np.int64)
    cluster[order] = np.cumsum(np.append(0, steps > _FAR_NS))[: len(order)]
    # of two that are as large, the later one
    sizes = np.bincount(cluster) if len(cluster) else np.zeros(1, np.int64)
    largest: Flags = cluster == len(sizes) - 1 - int(np.argmax(sizes[::-1]))
    return largest


def _day(time_ns: int) -> str:
    return str(np.datetime64(int(time_ns), "ns").astype("datetime64[D]"))
