"""Which bytes of messages recur in several captures: those of shared shingles.

A shingle (Broder 1997) is a string of 8 bytes. Those at the ends of a message reach beyond it, so
that as little as a type with which all messages begin recurs.

Shapes: M messages, those of a capture one after another; B bytes of all messages, back to back.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire.arrays import Bytes, Flags, Integers

__all__ = ["SIZE", "recurring_bytes"]

SIZE: Final = 8
_BLOCK: Final = 2**20
"""Bytes whose shingles are hashed at once."""
_SORTED: Final = 2**22
"""Shingles that are sorted at once, about."""
_BEYOND: Final = 256
"""Stands for what is outside of a message."""
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)


def recurring_bytes(data: Bytes, size: Integers, capture: Integers) -> Flags:
    """Whether each byte is within a shingle that several captures have (B).

    Args:
        data: All messages (B).
        size: Bytes of each (M).
        capture: Which capture each is of, not falling (M).
    """
    if not len(data):
        return np.zeros(0, dtype=bool)
    # each message between as many places as a shingle has, but for one
    around = SIZE - 1
    start = np.cumsum(size + around) - size
    symbols = np.full(int((size + around).sum()) + around, _BEYOND, dtype=np.uint16)
    inside = [*zip(start.tolist(), (start + size).tolist(), strict=True)]
    at = 0
    for first, last in inside:
        symbols[first:last] = data[at : at + last - first]
        at += last - first
    hashes = _hashes(symbols)
    # all shingles that hold a byte of the message
    begins = np.flatnonzero(_spread(symbols != _BEYOND, forwards=False)[: len(hashes)])
    shared = np.zeros(len(symbols), dtype=bool)
    for some in _alike(hashes, begins):
        message = np.searchsorted(start + size, some, side="right")
        shared[some] = _in_several(hashes[some], capture[message])
    covered: Flags = _spread(shared, forwards=True)
    return np.concatenate([covered[first:last] for first, last in inside])


def _alike(hashes: NDArray[np.uint64], begins: Integers) -> Iterator[Integers]:
    """Parts of places, so that equal shingles are in the same one: they need not be sorted whole.

    Args:
        hashes: A number for each shingle.
        begins: Places of those that count, rising.
    """
    parts = 1 + len(begins) // _SORTED
    of = (hashes[begins] >> np.uint64(48)) % np.uint64(parts)
    for part in range(parts):
        yield begins[of == part]


def _hashes(symbols: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """A number for each shingle, by where it begins."""
    count = len(symbols) - SIZE + 1
    hashes = np.zeros(max(count, 0), dtype=np.uint64)
    for low in range(0, len(hashes), _BLOCK):
        high = min(low + _BLOCK, count)
        part = hashes[low:high]
        for step in range(SIZE):
            part *= _FACTOR
            part += symbols[low + step : high + step]
            part ^= part >> np.uint64(29)
    return hashes


def _in_several(hashes: NDArray[np.uint64], capture: Integers) -> Flags:
    """Whether several captures have the shingles of given numbers; captures do not fall."""
    order = np.argsort(hashes, kind="stable")
    rising, of = hashes[order], capture[order]
    begins = np.flatnonzero(np.diff(rising, prepend=~rising[:1]))
    ends = np.append(begins[1:], len(order))
    several = of[begins] != of[ends - 1]
    found = np.empty(len(order), dtype=bool)
    found[order] = np.repeat(several, ends - begins)
    return found


def _spread(where: Flags, *, forwards: bool) -> Flags:
    """Where one of the last, or of the next, 8 places is set."""
    found = where.copy()
    for step in range(1, SIZE):
        if forwards:
            found[step:] |= where[:-step]
        else:
            found[:-step] |= where[step:]
    return found
