"""Where the frames of a recording hold identifiers: found once, and written from these columns.

Shapes: M marks, T different texts of these, R regions, B bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.identity.notations import NOTATIONS, OPAQUE
from iotflowgen.wire import Frames
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["Places"]

_NAMES: Final = {
    "mark_packet": np.int32,
    "mark_at": np.int32,
    "mark_text": np.int32,
    "text_size": np.int32,
    "region_packet": np.int32,
    "region_at": np.int32,
    "region_size": np.int32,
    "region_notation": np.int16,
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Places:
    """Identifiers in frames, read as regions have it."""

    mark_packet: Integers
    """(M)"""
    mark_at: Integers
    """(M) from where the frame begins."""
    mark_text: Integers
    """(M) which text: the same for the same bytes."""
    text_size: Integers
    """(T) bytes of each."""
    region_packet: Integers
    """(R)"""
    region_at: Integers
    """(R)"""
    region_size: Integers
    """(R)"""
    region_notation: Integers
    """(R) places in `NOTATIONS`."""

    def columns(self) -> dict[str, NDArray[Any]]:
        """As references of a recording."""
        return {f"identity_{name}": getattr(self, name).astype(of) for name, of in _NAMES.items()}

    @classmethod
    def of(cls, references: Mapping[str, NDArray[Any]], frames: Frames) -> "Places":
        """The inverse of `columns`.

        Raises:
            KeyError: A column is missing.
            ValueError: One does not fit the others, or the frames.
        """
        columns: dict[str, Integers] = {}
        for name, kind in _NAMES.items():
            column = references[f"identity_{name}"]
            if column.dtype != kind or column.ndim != 1:
                raise ValueError(f"{name} is of another kind")
            columns[name] = column.astype(np.int64)
        found = cls(**columns)
        found._check(frames.size)
        return found

    def _check(self, size: Integers) -> None:
        marks = self.mark_packet, self.mark_at, self.mark_text
        regions = self.region_packet, self.region_at, self.region_size, self.region_notation
        if len({*map(len, marks)}) > 1 or len({*map(len, regions)}) > 1:
            raise ValueError("places of identifiers differ in length")
        for column, most in (
            (self.mark_packet, len(size) - 1),
            (self.mark_text, len(self.text_size) - 1),
            (self.region_packet, len(size) - 1),
            (self.region_notation, len(NOTATIONS) - 1),
        ):
            if ((column < 0) | (column > most)).any():
                raise ValueError("a place of an identifier is out of bounds")
        for packet, at, many in (
            (self.mark_packet, self.mark_at, self.text_size[self.mark_text]),
            (self.region_packet, self.region_at, self.region_size),
        ):
            if ((at < 0) | (many <= 0) | (at + many > size[packet])).any():
                raise ValueError("an identifier is not within its frame")

    def notations(self) -> Integers:
        """In which notation each text is (M); -1 of those that stand as they are."""
        found = np.full(len(self.mark_packet), -1)
        rows = np.flatnonzero(np.isin(self.mark_packet, self.region_packet))
        # few packets hide anything
        order = np.argsort(self.region_packet, kind="stable")
        packet = self.region_packet[order]
        first = np.searchsorted(packet, self.mark_packet[rows])
        last = np.searchsorted(packet, self.mark_packet[rows], side="right")
        for row, begin, end in zip(rows.tolist(), first.tolist(), last.tolist(), strict=True):
            for region in order[begin:end].tolist():
                after = self.mark_at[row] - self.region_at[region]
                if 0 <= after < self.region_size[region]:
                    found[row] = self.region_notation[region]
        return found

    def decode(self, frames: Frames) -> None:
        """Make readable what notations hide, in place."""
        for place, notation in zip(
            self._regions(frames), self.region_notation.tolist(), strict=True
        ):
            if notation != OPAQUE:
                frames.data[place] = NOTATIONS[notation].decode(frames.data[place])

    def marked(self, frames: Frames) -> Flags:
        """Which bytes of the frames' data are of identifiers (B)."""
        begin = frames.start[self.mark_packet] + self.mark_at
        end = begin + self.text_size[self.mark_text]
        found = np.zeros(len(frames.data), dtype=bool)
        for first, last in zip(begin.tolist(), end.tolist(), strict=True):
            found[first:last] = True
        return found

    def texts(self, frames: Frames) -> list[bytes]:
        """All texts (T), of frames in which they are readable."""
        start = frames.start[self.mark_packet] + self.mark_at
        first = np.zeros(len(self.text_size), np.int64)
        first[self.mark_text[::-1]] = np.arange(len(self.mark_text))[::-1]
        # of what no mark has nothing is read
        size = np.where(np.bincount(self.mark_text, minlength=len(first)) > 0, self.text_size, 0)
        return Frames(frames.data, np.append(start, 0)[first], size).tolist()

    def _regions(self, frames: Frames) -> list[slice]:
        begin = frames.start[self.region_packet] + self.region_at
        end = begin + self.region_size
        return [slice(a, b) for a, b in zip(begin.tolist(), end.tolist(), strict=True)]
