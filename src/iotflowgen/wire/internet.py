"""What IP says, in fragments and in packets that are cut off, too (RFC 791, 8200, 4302).

`layers` has what can be written; this has what an observer sees: the first fragment of a datagram
shows its ports, and what is cut off still says how long it was.

Shapes: P packets. Offsets are in bytes from where a frame begins.
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire.frames import Frames
from iotflowgen.wire.layers import IP4, IP6

__all__ = ["Datagrams", "find_datagrams", "is_outside"]

_FRAGMENT, _AUTHENTICATION = 44, 51
_EXTENSIONS: Final = (0, 43, _FRAGMENT, _AUTHENTICATION, 60, 140)
"""Headers that say what follows them: RFC 8200, section 4; RFC 4302, section 2; RFC 5533."""

_INSIDE: Final = (
    (0x00000000, 8),
    (0x0A000000, 8),
    (0x7F000000, 8),
    (0xA9FE0000, 16),
    (0xAC100000, 12),
    (0xC0A80000, 16),
    (0xE0000000, 3),
)
"""Networks that no host on the Internet has (RFC 6890), with multicast and broadcast."""


def is_outside(address: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether addresses of IPv4 are of hosts on the Internet."""
    inside = [address >> (32 - size) == network >> (32 - size) for network, size in _INSIDE]
    outside: NDArray[np.bool_] = ~np.logical_or.reduce(inside)
    return outside


@dataclass(frozen=True, eq=False)
class Datagrams:
    """Datagrams of IP, or fragments of them (P)."""

    source: NDArray[np.int64]
    """Offset of the address, 4 or 16 bytes; -1 where the frame ends before it."""
    destination: NDArray[np.int64]
    """Offset of the address, as `source`."""
    protocol: NDArray[np.int64]
    """What is carried; -1 in fragments but the first, and where nothing is."""
    start: NDArray[np.int64]
    """Offset of what is carried."""
    end: NDArray[np.int64]
    """Where it ends on the wire, which may be beyond what was captured."""

    def take(self, index: NDArray[np.int64]) -> "Datagrams":
        """Those at these places."""
        return Datagrams(*(getattr(self, field.name)[index] for field in fields(self)))


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
    # the kernel hands over what the card is to cut into segments with a length of 0
    total = np.where(total == 0, length - at, total)
    good = (first >> 4 == 4) & (header >= 20) & (total >= header)
    found.source[index] = np.where(good & (at + 16 <= frames.size), at + 12, -1)
    found.destination[index] = np.where(good & (at + 20 <= frames.size), at + 16, -1)
    start, end = at + header, np.minimum(length, at + total)
    good &= (start <= frames.size) & (start < end) & (frames.number(at + 6, 2) & 0x1FFF == 0)
    protocol = np.where(good, frames.number(at + 9, 1), -1)
    _set_carried(frames, found, index, (protocol, start, end))


def _ip6(
    frames: Frames,
    length: NDArray[np.int64],
    at: NDArray[np.int64],
    found: Datagrams,
    index: NDArray[np.int64],
) -> None:
    good = frames.number(at, 1) >> 4 == 6
    found.source[index] = np.where(good & (at + 24 <= frames.size), at + 8, -1)
    good &= at + 40 <= frames.size
    found.destination[index] = np.where(good, at + 24, -1)
    end = np.minimum(length, at + 40 + frames.number(at + 4, 2))
    protocol = np.where(good, frames.number(at + 6, 1), -1)
    _set_carried(frames, found, index, (protocol, at + 40, end))


def _set_carried(
    frames: Frames,
    found: Datagrams,
    index: NDArray[np.int64],
    carried: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
) -> None:
    """Set what follows extension headers, from the protocol, start and end of the first of them."""
    protocol, start, end = carried
    extended = np.flatnonzero(np.isin(protocol, _EXTENSIONS))
    while len(extended):
        some, place, kind = frames.take(extended), start[extended], protocol[extended]
        units = some.number(place + 1, 1)
        size = np.select(
            [kind == _FRAGMENT, kind == _AUTHENTICATION], [8, 8 + 4 * units], 8 + 8 * units
        )
        begins = (kind != _FRAGMENT) | (some.number(place + 2, 2) & 0xFFF8 == 0)
        begins &= place + size <= np.minimum(some.size, end[extended])
        protocol[extended] = np.where(begins, some.number(place, 1), -1)
        start[extended] += size
        extended = extended[np.isin(protocol[extended], _EXTENSIONS)]
    found.protocol[index] = protocol
    found.start[index] = start
    found.end[index] = end
