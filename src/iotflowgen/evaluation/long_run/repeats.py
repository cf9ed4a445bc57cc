"""Does long traffic repeat itself? Whoever watches a replay for long enough has seen it before.

Runs of packets are compared by length and direction, as copies of what was learnt from are. Devices
repeat themselves, so the same figures of as long a capture stand beside those of generated traffic.

Prefix doubling, as a suffix array is built by (Manber and Myers 1993), names every run of 1, 2, 4,
8 ... packets by a number; any run is two of these.

Shapes: P packets, in order of time.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.traffic import Session, Trace

__all__ = ["Repeats", "repeats"]


class Repeats(NamedTuple):
    """What there is twice, at places that do not overlap."""

    longest: int
    """Packets of the longest run that stands twice."""
    hours: float
    """Share of hours with packets, all of whose packets stand elsewhere in a row, 0 to 1."""
    packets: float
    """Of these hours, how many packets a median one has; 0 where there is none."""


def repeats(packets: Trace | Session, *, hour_ns: int = 3600 * 10**9) -> Repeats:
    """Runs of packets (P) that stand twice.

    Args:
        packets: A long capture, or a long session.
        hour_ns: What counts as an hour.
    """
    runs = _Runs(packets.length.astype(np.int64) * 2 + packets.outgoing)
    hour = (packets.time_ns - packets.time_ns[:1]) // hour_ns
    first = np.flatnonzero(np.diff(hour, prepend=-1) != 0)
    size = np.diff(np.append(first, len(hour)))
    again = np.array(
        [runs.stands_elsewhere(*of) for of in zip(first.tolist(), size.tolist(), strict=True)],
        dtype=bool,
    )
    return Repeats(
        longest=runs.longest(),
        hours=float(again.mean()) if len(again) else 0.0,
        packets=float(np.median(size[again])) if again.any() else 0.0,
    )


class _Runs:
    """Numbers of runs: two of a size have the same where they are the same."""

    def __init__(self, kinds: NDArray[np.int64]) -> None:
        """Number all runs whose sizes are powers of two, up to that of which none stands twice."""
        numbers = np.unique(kinds, return_inverse=True)[1]
        self._packets = len(kinds)
        self._of_power = [numbers]
        while len(np.unique(numbers)) < len(numbers):
            half = 2 ** (len(self._of_power) - 1)
            if len(numbers) <= half:
                break
            numbers = _joined(numbers[:-half], numbers[half:])
            self._of_power.append(numbers)

    def of(self, size: int) -> NDArray[np.int64]:
        """The number of the run of so many packets that begins with each (P - size + 1)."""
        power = min(size.bit_length(), len(self._of_power)) - 1
        numbers, reached = self._of_power[power], 2**power
        while reached < size:
            # what is longer than all that were numbered: by overlapping halves, again and again
            further = min(size, 2 * reached)
            numbers = _joined(numbers[: reached - further], numbers[further - reached :])
            reached = further
        return numbers

    def longest(self) -> int:
        """Packets of the longest run that stands twice without overlap."""
        least, most = 0, self._packets // 2
        while least < most:
            size = (least + most + 1) // 2
            if self._stands_twice(size):
                least = size
            else:
                most = size - 1
        return least

    def _stands_twice(self, size: int) -> bool:
        numbers = self.of(size)
        first = np.full(numbers.max() + 1, len(numbers))
        np.minimum.at(first, numbers, np.arange(len(numbers)))
        return bool(np.any(np.arange(len(numbers)) - first[numbers] >= size))

    def stands_elsewhere(self, first: int, size: int) -> bool:
        """Whether a run stands at another place, too, that it does not overlap."""
        numbers = self.of(size)
        places = np.flatnonzero(numbers == numbers[first])
        return bool(np.any(np.abs(places - first) >= size))


def _joined(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each pair of numbers."""
    pair = first * (int(second.max(initial=0)) + 1) + second
    joined: NDArray[np.int64] = np.unique(pair, return_inverse=True)[1]
    return joined
