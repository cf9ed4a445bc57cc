"""IPv4 addresses of host names, from DNS responses (RFC 1035).

Shapes: P captured packets; R records of addresses, by packet; Q queries.
"""

from dataclasses import dataclass

import numpy as np

from iotflowgen.recording import Groups, Packets
from iotflowgen.wire import payload_size, src_port
from iotflowgen.wire.arrays import Columns, Integers
from iotflowgen.wire.dns import A, find_addresses, read_headers

__all__ = ["Answers", "find_answers", "latest"]

_DNS = 53
_RESPONSE = 0x8000
_ANSWER = 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Answers(Columns):
    """Records of addresses in answers."""

    packet: Integers
    """Which packet each is in (R), rising."""
    name: Integers
    """Which name that packet was asked for (R), from 0 on."""
    at: Integers
    """Where the address stands, from where the frame begins (R)."""

    def of(self, packet: Integers) -> tuple[Integers, Integers]:
        """The first record of each packet (Q), and how many it has (Q)."""
        first = np.searchsorted(self.packet, packet)
        return first, np.searchsorted(self.packet, packet, side="right") - first


def find_answers(packets: Packets) -> Answers:
    """All of the captured packets."""
    layers, frames = packets.layers, packets.frames
    is_dns = layers.is_udp & (src_port(frames, layers) == _DNS) & (payload_size(layers) > 0)
    which = np.flatnonzero(is_dns)
    start = frames.start[which] + layers.payload[which]
    end = frames.start[which] + layers.end[which]
    headers = read_headers(frames.data, start, end)
    answers = (headers.flags & _RESPONSE > 0) & (headers.name_end > 0)
    which, start, end = which[answers], start[answers], end[answers]
    found = find_addresses(frames.data, start, end)
    _, name = np.unique(headers.name[answers][found.packet], return_inverse=True)
    packet = which[found.packet]
    records = Answers(
        packet=packet, name=name.astype(np.int64), at=found.address - frames.start[packet]
    )
    return records.take((found.section == _ANSWER) & (found.type == A))


def latest(key: Integers, at: Integers, sought: Integers, before: Integers) -> Integers:
    """Of what has `key` (R) at places `at` (R), the last that is as `sought` (Q) and comes before.

    Returns:
        Its place in `key` (Q); -1 without.
    """
    order = np.argsort(np.concatenate([at, before]), kind="stable")
    found = Groups(np.concatenate([key, sought])[order]).latest(order < len(key))
    by_row = np.empty(len(order), dtype=np.int64)
    by_row[order] = np.where(found >= 0, order[found], -1)
    return by_row[len(key) :]
