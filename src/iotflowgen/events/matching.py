"""Which traffic each event is of, so that all of them together show most and none comes too soon.

Shapes: N events; R pairs of an event and a place in the traffic where it may begin; M places.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["matched_in_order"]

_NONE = -1


def matched_in_order(
    event: NDArray[np.int64], place: NDArray[np.int64], gain: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Pairs (of R) of which no two have an event or a place in common, nor cross each other.

    They are those whose gains have the greatest sum, by dynamic programming as in the alignment of
    sequences (Needleman and Wunsch 1970).

    Args:
        event: Of each pair (R), by numbers in order of time, which rise.
        place: Of each pair (R), by numbers in order of time, which rise for an event.
        gain: Of each pair (R), greater than 0.
    """
    # what has no place in common with what comes before is matched by itself
    reached = np.maximum.accumulate(place)
    is_new = np.diff(event, prepend=_NONE) != 0
    least = np.minimum.accumulate(place[::-1])[::-1]
    cuts = np.flatnonzero(is_new[1:] & (least[1:] > reached[:-1])) + 1
    parts = [
        low + _of_part(event[low:high], place[low:high], gain[low:high])
        for low, high in pairwise([0, *cuts.tolist(), len(event)])
    ]
    return np.concatenate(parts)


def _of_part(
    event: NDArray[np.int64], place: NDArray[np.int64], gain: NDArray[np.float64]
) -> NDArray[np.int64]:
    rank = np.unique(place, return_inverse=True)[1]
    bounds = [*np.flatnonzero(np.diff(event, prepend=_NONE) != 0).tolist(), len(event)]
    total = np.zeros(int(rank.max(initial=_NONE)) + 2)
    """The greatest sum with places below each number (M + 1)."""
    pairs = []
    for low, high in pairwise(bounds):
        after = rank[low:high] + 1
        with_this = np.full(len(total), -np.inf)
        with_this[after] = total[after - 1] + gain[low:high]
        pair = np.zeros(len(total), dtype=np.int64)
        pair[after] = np.arange(low, high)
        best = np.maximum.accumulate(with_this)
        pair = pair[np.maximum.accumulate(np.where(with_this == best, np.arange(len(best)), 0))]
        pairs.append(np.where(best > total, pair, _NONE).astype(np.int32))
        total = np.maximum(total, best)
    found, below = list[int](), len(total) - 1
    for chosen in reversed(pairs):
        if (one := int(chosen[below])) != _NONE:
            found.append(one)
            below = int(rank[one])
    return np.array(found[::-1], dtype=np.int64)
