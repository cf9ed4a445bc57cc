"""Number spaces: the counting numbers that the two ends of a connection exchange, and their edges.

What an end sends counts up: its sequence numbers (RFC 9293), and its clock in the timestamps option
(RFC 7323). The other end tells which of these it has received: acknowledgment numbers, and echoed
timestamps. So each direction of a connection has a number space, a *line* of numbers for short, and
a segment mentions two numbers, one of its own line and one of the other's. An *edge* is where the
line begins, and each highest number to which a mention has advanced it. Every number is stored as
how many edges it lies back, and its offset from that edge.

Shapes: P segments, in the order of time; M mentions, two a segment, where there is a second one;
L lines.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from iotflowgen.recording import Groups
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["Edges", "Mentions", "signed", "unwrapped"]


_SPAN = 34  # bits that tell edges of one line from those of the next
_HALF = 1 << (_SPAN - 1)


class Mentions:
    """The numbers that segments mention, with their lines: own ones, then the other end's."""

    def __init__(
        self, flow: Integers, outgoing: Flags, answers: Flags, renews: Flags | None = None
    ) -> None:
        """Assign mentions to lines.

        Args:
            flow: Which connection a segment is of (P).
            outgoing: Which direction (P).
            answers: Whether it mentions a number of the other end (P).
            renews: Whether its own number begins another line (P).
        """
        own = 2 * flow + outgoing
        self.line = np.stack([own, own ^ 1], axis=-1).ravel()
        if renews is not None and renews.any():
            anew = np.stack([renews, np.zeros_like(renews)], axis=-1).ravel().astype(np.int64)
            anew = Groups(self.line).sum(anew)
            self.line = self.line * (int(anew.max()) + 1) + anew
        is_there = np.stack([np.ones_like(answers), answers], axis=-1).ravel()
        self.rows = np.flatnonzero(is_there)
        self.groups = Groups(self.line[self.rows])

    def of(self, own: NDArray, other: NDArray) -> NDArray:  # type: ignore[type-arg]
        """Two columns (P) as one of mentions (M)."""
        return np.stack([own, other], axis=-1).ravel()[self.rows]

    def begun(self, column: Integers) -> Integers:
        """The value of a column (M) where the line of each mention began (M)."""
        return self.groups.sum(np.where(self.groups.is_first, column, 0))

    @cached_property
    def first(self) -> Integers:
        """The first mention of each line (L), in order."""
        return np.flatnonzero(self.groups.is_first)

    def spread(self, of_line: Integers) -> Integers:
        """A column of lines (L, ...), as `first` has them, for their mentions (M, ...)."""
        by_number = np.empty_like(of_line)
        by_number[self.groups.number[self.first]] = of_line
        column: Integers = by_number[self.groups.number]
        return column

    def kept(self, stays: Flags) -> Integers:
        """The mention by which each line is known to later segments (L), the last one used last.

        It is the first whose segment `stays` (P), or else the last.
        """
        number = self.groups.number
        mention = np.empty(len(self.first), dtype=np.int64)
        mention[number] = np.arange(len(number))
        order = np.argsort(mention)
        staying = np.flatnonzero(stays[self.rows // 2])[::-1]
        mention[number[staying]] = staying
        return mention[order]

    def pairs(self, column: NDArray) -> NDArray:  # type: ignore[type-arg]
        """A column of mentions (M) as pairs (P, 2); 0 where a segment mentions one number alone."""
        pairs = np.zeros(len(self.line), dtype=column.dtype)
        pairs[self.rows] = column
        return pairs.reshape(-1, 2)


def unwrapped(number: Integers, groups: Groups) -> Integers:
    """32-bit numbers, relative to the first of their line, without wrap-around."""
    step = number - groups.previous(number, 0)
    step = np.where(groups.is_first, 0, step)
    return groups.sum(signed(step))


def signed(difference: Integers) -> Integers:
    """Signed differences of 32-bit numbers, modulo 2^32 (RFC 9293, section 3.4)."""
    return (difference + 2**31) % 2**32 - 2**31


class Edges:
    """The edges of all lines, and which of them stand so far."""

    def __init__(self, groups: Groups, advances: Flags, reached: Integers) -> None:
        """Take them from what each mention (M) has `reached` where it `advances` its line."""
        lines = int(groups.number.max(initial=-1)) + 1
        after = np.flatnonzero(advances)
        line = np.concatenate([np.arange(lines), groups.number[after]])
        at = np.concatenate([np.zeros(lines, dtype=np.int64), reached[after]])
        order = np.argsort(line, kind="stable")
        self._at = at[order]
        self._key = (line[order] << _SPAN) + self._at + _HALF
        self._first = np.searchsorted(line[order], np.arange(lines))
        self._line = groups.number
        self._highest = self._first[groups.number] + groups.sum(advances.astype(np.int64))
        """The last edge as of each mention (M)."""
        self._last = self._highest - advances
        """The last edge before each mention (M)."""

    def refer(self, mention: Integers, number: Integers) -> tuple[Integers, Integers]:
        """How far back, and off, is the edge nearest to numbers, as `mention` knows edges."""
        line, last = self._line[mention], self._last[mention]
        sought = (line << _SPAN) + np.clip(number, -_HALF, _HALF - 1) + _HALF
        below = np.searchsorted(self._key, sought, side="right") - 1
        below = np.clip(below, self._first[line], last)
        above = np.minimum(below + 1, last)
        nearer = np.abs(number - self._at[above]) < np.abs(number - self._at[below])
        edge = np.where(nearer, above, below)
        return last - edge, number - self._at[edge]

    def at(self, mention: Integers, back: Integers, off: Integers) -> Integers:
        """The inverse of `refer`; where fewer edges stand, the first one counts."""
        edge = np.maximum(self._last[mention] - back, self._first[self._line[mention]])
        numbers: Integers = self._at[edge] + off
        return numbers

    def below(self, mention: Integers, number: Integers) -> tuple[Integers, Integers]:
        """The last edge that is not beyond numbers, as of each `mention`, and the last of all."""
        line, highest = self._line[mention], self._highest[mention]
        sought = (line << _SPAN) + np.clip(number, -_HALF, _HALF - 1) + _HALF
        edge = np.searchsorted(self._key, sought, side="right") - 1
        return np.clip(edge, self._first[line], highest), highest

    def number(self, edge: Integers) -> Integers:
        """Where edges stand."""
        numbers: Integers = self._at[edge]
        return numbers
