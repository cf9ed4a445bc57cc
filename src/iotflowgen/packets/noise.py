"""Random numbers that are a function of what they are for.

What is drawn for a packet depends on its number alone, so packets are the same whatever the size of
the blocks. It is SplitMix64 (Steele, Lea and Flood 2014) over a counter, as in counter-based
generators (Salmon et al. 2011).
"""

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire import Frames, copy_ranges

__all__ = ["Noise", "mixed"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_BLOCK = 2**15  # words that are drawn at once, so that they stay in the cache

Words = NDArray[np.uint64]


def _mixed(word: Words) -> Words:
    word = (word ^ (word >> np.uint64(30))) * _FIRST
    word = (word ^ (word >> np.uint64(27))) * _SECOND
    return word ^ (word >> np.uint64(31))


def mixed(*columns: NDArray[Any]) -> NDArray[np.int64]:
    """Hash several numbers (E each) into one (E); collisions have a chance of one in 2^64."""
    word = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        word = _mixed(word + (column.astype(np.int64).view(np.uint64) + np.uint64(1)) * _GOLDEN)
    return word.view(np.int64)


class Noise:
    """The random numbers of one file."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._key = rng.integers(2**63, size=1).astype(np.uint64)

    def words(self, purpose: str, *of: NDArray[Any]) -> Words:
        """64 random bits (E) for a purpose, the same for the same numbers (E), one or more."""
        purpose_1 = np.array([zlib.crc32(purpose.encode())], dtype=np.uint64)
        word = _mixed(self._key + purpose_1 * _GOLDEN)
        for number in of:
            word = _mixed(word + number.astype(np.int64).view(np.uint64) * _GOLDEN)
        return word

    def below(self, most: NDArray[Any] | int, purpose: str, *of: NDArray[Any]) -> NDArray[np.int64]:
        """Whole numbers (E) from 0 to below `most`, which is less than 2^32; 0 where that is 0."""
        share = self.words(purpose, *of) >> np.uint64(32)
        scaled = share * np.asarray(most).astype(np.uint64) >> np.uint64(32)
        return scaled.astype(np.int64)

    def uniform(self, purpose: str, *of: NDArray[Any]) -> NDArray[np.float64]:
        """Numbers (E) from 0 to below 1."""
        share = (self.words(purpose, *of) >> np.uint64(11)).astype(np.float64)
        return share * 2.0**-53

    def fill(
        self,
        frames: Frames,
        packet: NDArray[np.int64],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        of: NDArray[np.int64],
    ) -> None:
        """Put random bytes into ranges (R) of frames, in place.

        Args:
            frames: P frames.
            packet: Which of them (R).
            first: Where a range begins, from where the frame does (R).
            last: Where it ends (R).
            of: What the bytes are a function of, beside `first` (R).
        """
        size = np.maximum(last - first, 0)
        count = -(-size // 8)
        seed = self.words("fill", of, first)
        ends = np.cumsum(count)
        total = int(ends[-1]) if len(ends) else 0
        word = np.empty(total, dtype=np.uint64)
        for low in range(0, total, _BLOCK):
            high = min(low + _BLOCK, total)
            # ranges that have words in this block
            begin = int(np.searchsorted(ends, low, side="right"))
            end = int(np.searchsorted(ends, high, side="left")) + 1
            inside = np.minimum(ends[begin:end], high)
            start = np.maximum(ends[begin:end] - count[begin:end], low)
            which = np.repeat(np.arange(begin, end), np.maximum(inside - start, 0))
            step = (np.arange(low, high) - (ends - count)[which]).astype(np.uint64)
            word[low:high] = _mixed(seed[which] + step * _GOLDEN)
        begins = 8 * (ends - count)
        copy_ranges(word.view(np.uint8), begins, frames.data, frames.start[packet] + first, size)
