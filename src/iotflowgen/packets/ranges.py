"""Ranges of bytes, or places, in the frames of captured packets, kept packet by packet.

Shapes: P captured packets; E packets of a block; R ranges.
"""

from typing import NamedTuple

import numpy as np

from iotflowgen.recording import Packets
from iotflowgen.wire.arrays import Integers

__all__ = ["Shift", "begins_of", "expand"]


def begins_of(packet: Integers, packets: int) -> Integers:
    """Where the rows of each packet begin (P + 1) in a table whose rows (R) are sorted by it."""
    return np.searchsorted(packet, np.arange(packets + 1))


def expand(begin: Integers, source: Integers) -> tuple[Integers, Integers]:
    """The rows of the packets `source` (E): which of these each is for, and which row (R)."""
    count = begin[source + 1] - begin[source]
    which = np.repeat(np.arange(len(source)), count)
    step = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    return which, begin[source][which] + step


class Shift(NamedTuple):
    """How packets of a block lie to those that they repeat, as `gather` has made them."""

    spot: Integers
    """Where bytes were put in, or before which they were left out, in the source (E)."""
    more: Integers
    """How many (E)."""

    @classmethod
    def of(cls, packets: Packets, spot: Integers, size: Integers) -> "Shift":
        """Of packets (E), by the spots and the sizes of the captured frames (P)."""
        return cls(spot[packets.source], packets.frames.size - size[packets.source])

    def firsts(self, which: Integers, first: Integers) -> Integers:
        """Where ranges begin now that began at `first` (R) in the sources of `which` (R)."""
        spot, more = self.spot[which], self.more[which]
        return np.where(first >= spot, first + more, np.minimum(first, spot + np.minimum(more, 0)))

    def lasts(self, which: Integers, last: Integers) -> Integers:
        """Where ranges end now: one that ends at the spot, or beyond it, has all that was put in.

        What was left out of a range of that kind is not in it any more.
        """
        spot, more = self.spot[which], self.more[which]
        cut = np.minimum(last, spot + np.minimum(more, 0))
        return np.where(last >= spot, last + more, cut)
