"""What IP says, in fragments and in packets that are cut off, too (RFC 791, 8200, 4302).

`layers` has what can be written; this has what an observer sees: the first fragment of a datagram
shows its ports, and what is cut off still says how long it was.

Shapes: P packets. Offsets are in bytes from where a frame begins.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire.frames import Frames
from iotflowgen.wire.layers import IP4, IP6

__all__ = ["Datagrams", "find_datagrams"]

_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION = 0, 43, 44, 51, 60
_MOBILITY, _HIP, _SHIM6 = 135, 139, 140
_EXTENSIONS: Final = (
    _HOP_BY_HOP,
    _ROUTING,
    _FRAGMENT,
    _AUTHENTICATION,
    _DESTINATION,
    _MOBILITY,
    _HIP,
    _SHIM6,
)


@dataclass(frozen=True, eq=False)
class Datagrams:
    """Datagrams of IP, or fragments of them (P)."""

    source: NDArray[np.int64]
    """Offset of the address, 4 or 16 bytes; -1 where the frame ends before it."""
    destination: NDArray[np.int64]
    """Offset of the address, as `source`."""
    protocol: NDArray[np.int64]
    """What is carried; -1 in fragments but the first, and where the header is none."""
    start: NDArray[np.int64]
    """Offset of what is carried."""
    end: NDArray[np.int64]
    """Where it ends on the wire, which may be beyond what was captured."""


def find_datagrams(
    frames: Frames,
    length: NDArray[np.int64],
    ethertype: NDArray[np.int64],
    network: NDArray[np.int64],
) -> Datagrams:
    """The datagrams that frames carry; of those of another EtherType everything is -1.

    Args:
        frames: P frames.
        length: (P) bytes of each on the wire.
        ethertype: (P) what they carry.
        network: (P) offset of that.
    """
    found = Datagrams(*(np.full(len(frames), -1, np.int64) for _ in range(5)))
    for kind, find in ((IP4, _ip4), (IP6, _ip6)):
        index = np.flatnonzero(ethertype == kind)
        if len(index):
            find(frames.take(index), length[index], network[index], found, index)
    return found


def _ip4(
    frames: Frames,
    length: NDArray[np.int64],
    at: NDArray[np.int64],
    found: Datagrams,
    index: NDArray[np.int64],
) -> None:
    first, total = frames.number(at, 1), frames.number(at + 2, 2)
    header = (first & 15) * 4
    # the kernel hands over segments that the card is to cut up with a length of 0
    total = np.where(total == 0, length - at, total)
    there = (header >= 20) & (first >> 4 == 4)
    good = there & (total >= header) & (at + header <= frames.size)
    begins = frames.number(at + 6, 2) & 0x1FFF == 0
    found.source[index] = np.where(there & (at + 16 <= frames.size), at + 12, -1)
    found.destination[index] = np.where(there & (at + 20 <= frames.size), at + 16, -1)
    found.protocol[index] = np.where(good & begins, frames.number(at + 9, 1), -1)
    found.start[index] = at + header
    found.end[index] = np.minimum(length, at + total)


def _ip6(
    frames: Frames,
    length: NDArray[np.int64],
    at: NDArray[np.int64],
    found: Datagrams,
    index: NDArray[np.int64],
) -> None:
    good = at + 40 <= frames.size
    found.source[index] = np.where(at + 24 <= frames.size, at + 8, -1)
    found.destination[index] = np.where(good, at + 24, -1)
    said = frames.number(at + 4, 2)
    end = np.where(said == 0, length, np.minimum(length, at + 40 + said))
    protocol, start = np.where(good, frames.number(at + 6, 1), -1), at + 40
    extended = np.flatnonzero(np.isin(protocol, _EXTENSIONS))
    while len(extended):
        some, place, kind = frames.take(extended), start[extended], protocol[extended]
        size = 8 + 8 * some.number(place + 1, 1)
        size = np.where(kind == _FRAGMENT, 8, size)
        size = np.where(kind == _AUTHENTICATION, 8 + 4 * some.number(place + 1, 1), size)
        begins = (kind != _FRAGMENT) | (some.number(place + 2, 2) & 0xFFF8 == 0)
        there = (place + 8 <= some.size) & (place + 8 <= end[extended])
        protocol[extended] = np.where(there & begins, some.number(place, 1), -1)
        start[extended] += size
        extended = extended[np.isin(protocol[extended], _EXTENSIONS)]
    found.protocol[index] = protocol
    found.start[index] = start
    found.end[index] = end
