"""Datagrams in fragments (RFC 791, section 3.2; RFC 8200, section 4.5): checksums, as a codec.

A fragment is followed by the one that was captured next, so the whole is put together again. What
UDP says in the first one covers all of them, and addresses that are others now.

Shapes: P captured packets; E packets of a block; F fragments.
"""

import zlib
from collections import defaultdict
from copy import copy
from itertools import pairwise
from typing import Any, ClassVar, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.identity import Disguise
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.recording import Packets, Recording
from iotflowgen.wire import Frames
from iotflowgen.wire.arrays import Integers
from iotflowgen.wire.layers import UDP

__all__ = ["Fragments", "open_datagrams"]

_HEADER4: Final = 20
_HEADER6: Final = 40
_EXTENSION: Final = 8
_FRAGMENT: Final = 44
"""The number of IPv6's extension header for fragments."""
_MOST: Final = 256
"""Fragments that are put together: the largest datagram has no more where links are usual."""
_CHECKSUM: Final = 6
"""Where UDP has it."""


class _Fragment(NamedTuple):
    packet: int
    offset: int
    """Where it belongs in the datagram, bytes."""
    last: bool
    body: tuple[int, int]
    """Where in the frame what it holds begins, and ends."""
    carried: int
    """What the datagram carries."""


class Fragments:
    """UDP's checksums in first fragments."""

    name: ClassVar[str] = "fragments"

    def __init__(self, recording: Recording) -> None:
        """Find datagrams whose checksum is said."""
        whole = (
            (datagram, _bodies(recording.frames, datagram))
            for datagram in _datagrams(recording.packets)
        )
        self._said = [datagram for datagram, bodies in whole if _says_checksum(datagram, bodies)]
        self._sum = np.full(len(recording), -1)
        self._at = np.zeros(len(recording), np.int64)

    def of_file(self, disguise: Disguise) -> Self:
        """The same, with the sums of datagrams as one file shows them, without their addresses."""
        if not self._said:
            return self
        same = copy(self)
        same._sum, same._at = self._sum.copy(), self._at.copy()
        for datagram in self._said:
            first = datagram[0]
            frames = disguise.frames(np.array([each.packet for each in datagram]))
            placed = [each._replace(packet=i) for i, each in enumerate(datagram)]
            data = bytearray(b"".join(_bodies(frames, placed)))
            data[_CHECKSUM : _CHECKSUM + 2] = bytes(2)
            words = np.frombuffer(bytes(data) + bytes(len(data) % 2), ">u2")
            same._sum[first.packet] = int(words.sum(dtype=np.int64)) + UDP + len(data)
            same._at[first.packet] = first.body[0] + _CHECKSUM
        return same

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:  # noqa: ARG004
        """Nothing: fragments say themselves what they are."""
        return {}

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:  # noqa: ARG002
        """Write the checksums in new packets."""
        news = packets.news
        some = news.take(np.flatnonzero(self._sum[news.source] >= 0))
        if not len(some):
            return
        total = self._sum[some.source]
        is_ip4 = some.layers.is_ip4
        for step in range(0, 32, 2):
            at = some.layers.network + np.where(is_ip4, 12, 8) + step
            total = total + np.where(is_ip4 & (step >= 8), 0, some.frames.number(at, 2))
        while (total >> 16).any():
            total = (total & 0xFFFF) + (total >> 16)
        sums = 0xFFFF - total
        # 0 would say that there is none (RFC 768)
        some.frames.put(self._at[some.source], 2, np.where(sums, sums, 0xFFFF))


def open_datagrams(packets: Packets) -> Integers:
    """What is to come of a datagram after each packet of one capture (P), as a number; 0 if all is.

    It is the same only of the same datagram, after the same fragment.
    """
    change = np.zeros(len(packets), dtype=np.int64)
    for datagram in _datagrams(packets):
        bodies = _bodies(packets.frames, datagram)
        said = zlib.crc32(b"".join(bodies))
        order = sorted(datagram)
        for before, after in pairwise(order):
            number = 1 + zlib.crc32(b"%d" % before.offset, said)
            change[before.packet] += number
            change[after.packet] -= number
    return -np.abs(np.cumsum(change))


def _datagrams(packets: Packets) -> list[list[_Fragment]]:
    """Datagrams of which all fragments were captured, each in its order."""
    frames, layers = packets.frames, packets.layers
    network = layers.network
    torn = layers.is_ip4 & (frames.number(network + 6, 2) & 0x3FFF > 0)
    torn &= network + _HEADER4 <= frames.size
    torn6 = layers.is_ip6 & (frames.number(network + 6, 1) == _FRAGMENT)
    torn |= torn6 & (network + _HEADER6 + _EXTENSION <= frames.size)
    found: defaultdict[tuple[Any, ...], list[_Fragment]] = defaultdict(list)
    whole: list[list[_Fragment]] = []
    for packet in np.flatnonzero(torn).tolist():
        at, frame = int(network[packet]), frames[packet]
        end = int(layers.end[packet])
        if layers.is_ip4[packet]:
            first = at + 4 * (frame[at] & 15)
            place = int.from_bytes(frame[at + 6 : at + 8])
            offset, more, carried = (place & 0x1FFF) * 8, place & 0x2000, frame[at + 9]
            key = frame[at + 12 : at + _HEADER4], frame[at + 4 : at + 6], carried
        else:
            head = at + _HEADER6
            first = head + _EXTENSION
            place = int.from_bytes(frame[head + 2 : head + 4])
            offset, more, carried = place & 0xFFF8, place & 1, frame[head]
            key = frame[at + 8 : head], frame[head + 4 : first], carried
        own = found[(int(packets.session[packet]), *key)]
        own.append(_Fragment(packet, offset, not more, (first, end), carried))
        del own[:-_MOST]
        ordered = sorted(own, key=lambda each: each.offset)
        if _is_whole(ordered):
            whole.append(ordered)
            own.clear()
    return whole


def _is_whole(fragments: list[_Fragment]) -> bool:
    """Whether nothing is missing between the first and the last."""
    reached = 0
    for each in fragments:
        if each.offset != reached:
            return False
        reached += each.body[1] - each.body[0]
    return fragments[-1].last


def _bodies(frames: Frames, datagram: list[_Fragment]) -> list[bytes]:
    return [bytes(frames[each.packet][slice(*each.body)]) for each in datagram]


def _says_checksum(datagram: list[_Fragment], bodies: list[bytes]) -> bool:
    data = b"".join(bodies)
    return datagram[0].carried == UDP and len(data) > _EXTENSION and any(data[6:8])
