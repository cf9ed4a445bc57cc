"""What the ends of connections of TCP say, put together by where segments lie in their stream.

What was sent twice, came in another order or was cut in two needs no rule of its own then.

Shapes: P captured packets; S segments, by stream and place in it; B bytes; N pieces.
"""

from dataclasses import dataclass

import numpy as np

from iotflowgen.recording import Groups, Packets
from iotflowgen.wire import copy_ranges, payload_size
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["Joined", "join", "latest_said"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Joined:
    """Segments with payload, put together."""

    packet: Integers
    """Which packet each is (S)."""
    line: Integers
    """Which stream it is of (S): a connection's, in one direction."""
    begin: Integers
    """Where its payload begins in the bytes of all streams (S)."""
    end: Integers
    """Where it ends (S)."""
    base: Integers
    """Where the bytes begin that are known in a row up to it (S)."""
    pieces: Integers
    """Such rows of bytes (N, 4): of which stream, from where in it, and their first and last."""
    data: bytes
    """The bytes of all streams (B)."""


def join(packets: Packets, rows: Integers) -> Joined:
    """Put the segments `rows` together; `packets.position` is where they lie in their streams."""
    size = payload_size(packets.layers)[rows]
    line = Groups(2 * packets.flow[rows] + packets.outgoing[rows]).number
    position = packets.position[rows]
    groups = Groups(line)
    reached = groups.greatest(position + size)
    is_new = groups.is_first | (reached > groups.previous(reached, 0))
    order = np.lexsort((position, line))
    rows, size, line, position = rows[order], size[order], line[order], position[order]
    groups = Groups(line)
    reach = groups.previous(groups.greatest(position + size), -1)
    starts = groups.is_first | (position > reach)
    added = np.where(starts, size, np.maximum(position + size - reach, 0))
    total = np.cumsum(added)
    first = np.flatnonzero(starts)
    piece = np.cumsum(starts) - 1
    base = (total - added)[first][piece]
    begin = base + position - position[first][piece]
    data = np.zeros(int(added.sum()), dtype=np.uint8)
    frames, payload = packets.frames.take(rows), packets.layers.payload[rows]
    # what probes for an answer says nothing: bytes that were sent before are put below others
    for some in (~is_new[order], is_new[order]):
        copy_ranges(frames.data, (frames.start + payload)[some], data, begin[some], size[some])
    ends = np.append(base[first], len(data))[1:]
    pieces = np.stack([line[first], position[first], base[first], ends[: len(first)]], axis=-1)
    return Joined(
        packet=rows,
        line=line,
        begin=begin,
        end=begin + size,
        base=base,
        pieces=pieces,
        data=data.tobytes(),
    )


def latest_said(packets: Packets, joined: Joined, value: Integers) -> tuple[Integers, Integers]:
    """The value (S) of the segment that reached farthest so far, for all packets (P).

    Returns:
        That of the device's segments in the packet's connection, and that of its peer's; 0 where
        there is none.
    """
    order = np.argsort(joined.packet)
    groups = Groups(joined.line[order])
    farthest = joined.end[order] >= groups.greatest(joined.end[order])
    column, tells = np.zeros(len(packets), dtype=np.int64), np.zeros(len(packets), dtype=bool)
    column[joined.packet] = value
    tells[joined.packet[order]] = farthest
    device, peer = (
        _last(packets, column, tells & of) for of in (packets.outgoing, ~packets.outgoing)
    )
    return device, peer


def _last(packets: Packets, column: Integers, tells: Flags) -> Integers:
    row = Groups(packets.flow).latest(tells)
    return np.where((row >= 0) & (packets.flow >= 0), column[row], 0)
