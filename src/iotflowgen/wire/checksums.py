"""Internet checksums, for many frames at once (RFC 1071).

RFC 791, 9293, 768, 8200 (section 8.1), 792, 4443, 2236. Shapes: B bytes, P packets.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire.arrays import Bytes, Flags, Integers
from iotflowgen.wire.frames import Frames, copy_ranges
from iotflowgen.wire.layers import ICMP, ICMP6, IGMP, TCP, UDP, Layers

__all__ = ["internet_sums", "set_checksums"]

_ONES: Final = 65535
_SUMMED_AT: Final = {ICMP: 2, IGMP: 2, ICMP6: 2, TCP: 16, UDP: 6}
"""Where the header of each has its checksum."""
_BLOCK: Final = 2**12
"""Packets that are summed before the next, so that what is needed stays in the cache."""
_SPARSE: Final = 4
"""So many times the bytes that are summed may lie where they lie; more are left out first."""


def internet_sums(data: Bytes, start: Integers, end: Integers) -> Integers:
    """The sums that internet checksums are the complement of (RFC 1071).

    Args:
        data: (B) bytes, contiguous.
        start: (P) where each range begins, from which on words of 16 bits count, also if odd.
        end: (P) where it ends; a last byte without another is the high one of its word.

    Returns:
        (P) sums modulo 65535 (in one's complement 65536 is 1), so 0 to 65534; 0 of no bytes.
    """
    sums = np.empty(len(start), np.int64)
    for first in range(0, len(start), _BLOCK):
        part = slice(first, first + _BLOCK)
        sums[part] = _sums(data, start[part], np.maximum(start[part], end[part]))
    return sums


def _sums(data: Bytes, start: Integers, end: Integers) -> Integers:
    size = end - start
    low, high = int(start.min()), int(end.max())
    total = int(size.sum())
    if high - low > _SPARSE * total + _BLOCK:
        packed = np.empty(total, np.uint8)
        first = np.cumsum(size) - size
        copy_ranges(data, start, packed, first, size)
        data, start, end, low, high = packed, first, first + size, 0, total
    # words of 32 bits are as good as of 16 (RFC 1071, section 2 (C)); their order of bytes is
    # turned in the end
    low -= low & 1
    words = np.zeros((high - low) // 4 + 1, "<u4")
    words.view(np.uint8)[: high - low] = data[low:high]
    before = np.zeros(len(words) + 1, np.int64)
    np.cumsum(words, out=before[1:])
    start, end = start - low, end - low
    sums = _until(end, words, before) - _until(start, words, before)
    odd = start & 1
    # in a range that begins at an odd place the words are those of the array, turned
    turned: Integers = (sums << (8 * (1 - odd))) % _ONES
    return turned


def _until(place: Integers, words: NDArray[np.uint32], before: Integers) -> Integers:
    """The sum of all bytes up to each place (P), as they stand in words of 32 bits."""
    last = words[place >> 2] & ((1 << 8 * (place & 3)) - 1)
    total: Integers = before[place >> 2] + last
    return total


def set_checksums(frames: Frames, layers: Layers, which: Flags | None = None) -> None:
    """Compute the checksums of IPv4, TCP, UDP, ICMP, ICMPv6 and IGMP, in place.

    Frames must not overlap in `frames.data`, which has to be writable. A checksum that would lie
    beyond its frame's end is left out, and none is set in fragments but IPv4's.

    Args:
        frames: P frames.
        layers: Theirs.
        which: (P) those to compute them of; all by default.
    """
    index = np.arange(len(frames)) if which is None else np.flatnonzero(which)
    for first in range(0, len(index), _BLOCK):
        block = index[first : first + _BLOCK]
        some, found = frames.take(block), layers.take(block)
        _set_network(some, found)
        _set_transport(some, found)


def _set_network(frames: Frames, layers: Layers) -> None:
    """Set the checksum of IPv4's header."""
    index = np.flatnonzero(layers.is_ip4)
    if not len(index):
        return
    some, network = frames.take(index), layers.network[index]
    some.put(network + 10, 2, 0)
    size = (some.number(network, 1) & 15) * 4
    sums = sum((some.number(network + at, 4) for at in range(0, 20, 4)), np.zeros_like(network))
    other = np.flatnonzero((size != 20) | (network + 20 > some.size))
    if len(other):
        start, end = network[other], np.minimum(network[other] + size[other], some.size[other])
        begin = some.start[other]
        sums[other] = internet_sums(some.data, begin + start, begin + end)
    some.put(network + 10, 2, (_ONES - sums % _ONES) % _ONES)


def _set_transport(frames: Frames, layers: Layers) -> None:
    """Set the checksum of what IP carries."""
    index = np.flatnonzero(np.isin(layers.protocol, [*_SUMMED_AT]))
    if not len(index):
        return
    some, found = frames.take(index), layers.take(index)
    protocol, start, end = found.protocol, found.transport, found.end
    at = start + np.select([protocol == TCP, protocol == UDP], [16, 6], 2)
    some.put(at, 2, 0)
    sums = internet_sums(some.data, some.start + start, some.start + end)
    # of the addresses, the protocol and the length (RFC 9293, section 3.1; RFC 8200, section 8.1)
    besides = protocol + end - start
    for is_it, first, last in ((found.is_ip4, 12, 20), (found.is_ip6, 8, 40)):
        own = np.flatnonzero(is_it & (protocol > IGMP))
        if len(own):
            few, network = some.take(own), found.network[own]
            words = (few.number(network + place, 4) for place in range(first, last, 4))
            besides[own] += sum(words, np.zeros_like(network))
    sums += np.where(protocol > IGMP, besides, 0)
    sums = (_ONES - sums % _ONES) % _ONES
    # 0 says that UDP has no checksum
    sums[(protocol == UDP) & (sums == 0)] = _ONES
    some.put(at, 2, sums)
