"""Frames side by side in one array of bytes, and numbers read from and written to all of them.

Shapes: B bytes, P packets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire.arrays import Bytes, Flags, Integers

__all__ = ["Frames", "copy_ranges"]

_WORDS: Final = (32, 8, 1)
"""Bytes that are copied at once: of each range as many as it has."""
_BLOCK: Final = 2**15
"""Words, or bytes, that are copied before the next: their indices stay in the cache."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames of P packets; each lies whole within `data`, which is contiguous."""

    data: Bytes
    """(B) bytes of all frames, which may be shared, lie in any order, and have others between."""
    start: Integers
    """(P) where each begins in `data`."""
    size: Integers
    """(P) bytes of each that are there."""

    @classmethod
    def of(cls, frames: Sequence[bytes | bytearray | memoryview]) -> "Frames":
        """A copy of these frames, one after another; it can be written to."""
        size = np.fromiter(map(len, frames), np.int64, len(frames))
        # an empty bytearray could not be the buffer of an array
        data = np.frombuffer(bytearray().join(frames) or bytearray(1), np.uint8)
        return cls(data[: int(size.sum())], np.cumsum(size) - size, size)

    @classmethod
    def concatenate(cls, parts: Sequence["Frames"]) -> "Frames":
        """A copy of the frames of all parts, in their order, packed."""
        packed = [part.packed() for part in parts]
        size = np.concatenate([np.empty(0, np.int64), *(part.size for part in packed)])
        data = np.concatenate([np.empty(0, np.uint8), *(part.data for part in packed)])
        return cls(data, np.cumsum(size) - size, size)

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, i: int) -> bytes:
        """One frame."""
        start = int(self.start[i])
        return self.data[start : start + int(self.size[i])].tobytes()

    def tolist(self) -> list[bytes]:
        """All frames, each as bytes of its own."""
        view = self.data.data
        ends = (self.start + self.size).tolist()
        return [bytes(view[a:b]) for a, b in zip(self.start.tolist(), ends, strict=True)]

    def take(self, which: NDArray[Any] | slice) -> "Frames":
        """The frames of an array of indices, a mask or a slice; they share `data` with these."""
        return Frames(self.data, self.start[which], self.size[which])

    def packed(self) -> "Frames":
        """A copy in which frames stand one after another, without anything between them."""
        start = np.cumsum(self.size) - self.size
        total = int(self.size.sum())
        offset = int(self.start[0]) if len(self) else 0
        if np.array_equal(self.start, start + offset):
            data = self.data[offset : offset + total].copy()
        else:
            data = np.empty(total, np.uint8)
            copy_ranges(self.data, self.start, data, start, self.size)
        return Frames(data, start, self.size.copy())

    def number(self, at: Integers | int, width: int) -> Integers:
        """Big-endian unsigned numbers of 1 to 8 bytes.

        Args:
            at: (P), or one for all: offset from where a frame begins, in bytes.
            width: Bytes of each number. The first bit of 8 bytes is the sign here: see them as
                `np.uint64` (`.view`) to have them unsigned.

        Returns:
            (P) numbers; 0 where a byte lies outside the frame, also before it.
        """
        inside, place = self._places(at, width)
        if len(self.data) < width:
            return np.zeros(len(self), np.int64)
        if not inside.all():
            return np.where(inside, _read(self.data, np.where(inside, place, 0), width), 0)
        return _read(self.data, place, width)

    def put(
        self, at: Integers | int, width: int, value: NDArray[Any] | int, where: Flags | None = None
    ) -> None:
        """Write big-endian numbers in place: what `number` reads; `data` has to be writable.

        Args:
            at: (P), or one for all: offset from where a frame begins, in bytes. A number of which
                a byte would lie outside its frame is left out.
            width: Bytes of each number, 1 to 8.
            value: (P), or one for all; its last `width` bytes are written.
            where: (P) the packets to write in; all by default.
        """
        inside, place = self._places(at, width)
        if where is not None:
            inside &= where
        number = np.asarray(value)
        if not inside.all():
            place = place[inside]
            number = number[inside] if number.ndim else number
        if len(place):
            _write(self.data, place, width, number)

    def bytes_at(self, at: Integers | int, count: int) -> Bytes:
        """(P, count) bytes from offsets `at`, (P) or one for all, on; 0 outside the frame."""
        offset = np.broadcast_to(np.asarray(at, np.int64), self.start.shape)
        place = offset[:, None] + np.arange(count)
        inside = (place >= 0) & (place < self.size[:, None])
        if not len(self.data):
            return np.zeros(inside.shape, np.uint8)
        found: Bytes = self.data[np.where(inside, self.start[:, None] + place, 0)]
        found[~inside] = 0
        return found

    def _places(self, at: Integers | int, width: int) -> tuple[Flags, Integers]:
        """Whether bytes from offsets on lie in their frames, and where in the data they do (P)."""
        offset = np.asarray(at, np.int64)
        return (offset >= 0) & (offset + width <= self.size), self.start + offset


def _words(data: Bytes, width: int) -> NDArray[Any]:
    """The numbers of `width` bytes, 1, 2, 4 or 8, at every byte of the data: a view of it."""
    return _cells(data, width, f">u{width}")


def _cells(data: Bytes, width: int, kind: str) -> NDArray[Any]:
    return np.ndarray((max(0, len(data) - width + 1),), kind, data.data, strides=(1,))


def _read(data: Bytes, place: Integers, width: int) -> Integers:
    if width in (1, 2, 4, 8):
        return _words(data, width)[place].astype(np.int64)
    last = width & -width
    number: Integers = _read(data, place, width - last) << (8 * last)
    return number | _read(data, place + width - last, last)


def _write(data: Bytes, place: Integers, width: int, number: NDArray[Any]) -> None:
    if width in (1, 2, 4, 8):
        _words(data, width)[place] = number.astype(f"u{width}")
        return
    last = width & -width
    _write(data, place, width - last, number >> (8 * last))
    _write(data, place + width - last, last, number)


def copy_ranges(
    source: Bytes, source_start: Integers, target: Bytes, target_start: Integers, size: Integers
) -> None:
    """Copy ranges (P) of bytes from one array to another.

    Args:
        source: Bytes.
        source_start: (P) where each range begins there.
        target: Other bytes, contiguous and writable, also not the same ones.
        target_start: (P) where each range is to begin in them; the ranges do not overlap there.
        size: (P) bytes of each.
    """
    most = np.inf
    for width in _WORDS:
        index = np.flatnonzero((size >= width) & (size < most))
        most = width
        if not len(index):
            continue
        old, new = _cells(source, width, f"V{width}"), _cells(target, width, f"V{width}")
        last = size[index] - width
        ends = np.cumsum(last // width + 1 + (last % width > 0))
        cuts = np.searchsorted(ends, np.arange(0, int(ends[-1]) + _BLOCK, _BLOCK), side="right")
        for low, high in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
            if low == high:
                continue
            part = slice(low, high)
            some, farthest = index[part], last[part]
            count = np.diff(ends[part], prepend=ends[low - 1] if low else 0)
            first = np.cumsum(count) - count
            step = np.arange(int(count.sum())) - np.repeat(first, count)
            # the last word ends where the range does, and so may overlap the one before it
            at = np.minimum(step * width, np.repeat(farthest, count))
            new[at + np.repeat(target_start[some], count)] = old[
                at + np.repeat(source_start[some], count)
            ]
