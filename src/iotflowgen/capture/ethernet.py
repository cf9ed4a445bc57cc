"""What a capture holds as Ethernet frames, whatever link it was taken on."""

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.capture.dissection import find_usable
from iotflowgen.errors import DeviceNotFound, UnreadableCapture
from iotflowgen.traffic import spread_stretches, within
from iotflowgen.wire.frames import Frames
from iotflowgen.wire.links import LINKS, as_ethernet
from iotflowgen.wire.pcap import read_index, read_indexed

__all__ = ["Ethernet", "read_ethernet"]

_OTHER_LINKS: Final = {
    105: "802.11",
    127: "802.11",
    189: "USB",
    195: "802.15.4",
    201: "Bluetooth",
    220: "USB",
    230: "802.15.4",
}
"""Names of some link types that are not read."""


class Ethernet(NamedTuple):
    """Packets (P) of a capture, in its order."""

    frames: Frames
    length: NDArray[np.int64]
    """(P) bytes of each on the wire, as an Ethernet frame."""
    time_ns: NDArray[np.int64]
    in_file: NDArray[np.int64]
    """(P) which packet of the file each is, from 0."""
    link: str
    """Names of the link types that they were captured on."""
    notes: tuple[str, ...]
    """What was done to them."""
    complaint: str
    """What is left out, and why; empty if nothing is."""
    begins: tuple[int, ...]
    """Packets of the file that its stretches begin with, where not all of it is read."""


def read_ethernet(path: Path, most: int | None = None) -> Ethernet:
    """Read one capture.

    Args:
        path: The file.
        most: Packets that are read, about; of a file that has more, or as much in longer ones,
            stretches spread over all of it, which begin after the longest silence near where they
            would be equal.

    Raises:
        UnreadableCapture: No packet can be made out, or none is of a link type that is read.
        DeviceNotFound: None goes from one host to another.
    """
    index = read_index(path)
    in_file, time_ns, complaint = find_usable(index)
    if complaint and not len(in_file):
        raise UnreadableCapture(f"{path}: {complaint}")
    begins = list[int]()
    size = int(index.length[in_file].sum())
    if most is not None and within(len(in_file), size, most) < len(in_file):
        stretches = spread_stretches(time_ns, within(len(in_file), size, most))
        some = np.concatenate([np.arange(each.start, each.stop) for each in stretches])
        begins = [int(in_file[each.start]) for each in stretches]
        in_file, time_ns = in_file[some], time_ns[some]
    link, length, many = index.link[in_file], index.length[in_file], len(index.link)
    frames = read_indexed(path, index, in_file)
    del index
    known = np.isin(link, [*LINKS])
    kinds = np.unique(link[~known]).tolist()
    names = ", ".join(sorted({_OTHER_LINKS.get(kind, str(kind)) for kind in kinds}))
    if kinds and not known.any():
        read = ", ".join(sorted({name for name, _ in LINKS.values()}))
        raise UnreadableCapture(
            f"{path}: link type {names} is not read; capture one of these: {read}, or see whether "
            "--dissector tshark reads it"
        )
    found = as_ethernet(frames, length, link)
    packets = len(in_file)
    if packets and found.local == int(known.sum()):
        raise DeviceNotFound(
            f"{path}: all packets go from a host to itself (127.0.0.1), so none is sent by a "
            "device, or to it; capture on the interface by which the device is reached"
        )
    said = [
        f"{int((~known).sum())} of {packets} packets are of link type {names} and are left out"
        if kinds
        else "",
        f"{found.local} of {packets} packets go from a host to itself and are left out"
        if found.local
        else "",
        f"{found.left_out} of {packets} packets hold no packet of a network and are left out"
        if found.left_out
        else "",
        complaint,
    ]
    kinds = np.unique(link[found.place]).tolist()
    known_as = " and ".join(sorted({LINKS[kind][0] for kind in kinds}))
    notes = [
        f"packets are taken out of tunnels ({name}), and learnt from as if there were none"
        for name in found.tunnels
    ]
    if begins:
        notes.append(
            f"{many:,} packets are many: {packets:,} of them are learnt from, in {len(begins)} "
            "stretches spread over all"
        )
    if not found.has_own_macs:
        notes.append(
            f"{known_as} does not show all MAC addresses, so they are made up by IP addresses"
        )
    return Ethernet(
        found.frames,
        found.length,
        time_ns[found.place],
        in_file[found.place],
        known_as,
        tuple(notes),
        "; ".join(filter(None, said)),
        tuple(begins),
    )
