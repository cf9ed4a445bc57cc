"""A long capture as several: it is cut where it is quiet.

Generators learn what a session is from where captures begin and end; a capture of a week is one
session that nobody asks for again. Its days are many.
"""

from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.traffic.trace import Trace

__all__ = ["in_pieces", "quiet_places", "spread_stretches", "within"]

_LONG_NS: Final = 3600 * 10**9
"""Setting up a device takes minutes: what is shorter is a session."""
_DAY_NS: Final = 24 * _LONG_NS
_DAYS: Final = 4
"""So many, and the pieces are days."""
_PACKETS: Final = 200
"""That a piece has, about, where they are not days."""
_MOST: Final = 16
"""Pieces that are not days."""
_USUAL: Final = 128
"""Bytes of a packet: what has longer ones takes more memory and time."""
_NEAR: Final = 0.25
"""Of a piece: as far from where pieces would be equal the longest silence is looked for."""


def in_pieces(trace: Trace) -> list[Trace]:
    """A capture as the pieces that `quiet_places` finds; itself where it is not long."""
    places = quiet_places(trace.time_ns).tolist()
    if not places:
        return [trace]
    bounds = [*pairwise([0, *places, len(trace)])]
    pieces = []
    for number, (first, last) in enumerate(bounds, 1):
        name = f"{trace.name} ({number} of {len(bounds)})"
        next_ns = trace.time_ns[min(last, len(trace) - 1)]
        silence_ns = int(next_ns - trace.time_ns[last - 1])
        pieces.append(replace(trace[first:last], name=name, silence_ns=silence_ns))
    return pieces


def quiet_places(time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first packet of each piece of a capture (P) but the first; none where it is not long.

    Pieces are days where there are four or more, of 200 packets on average; otherwise they have as
    many packets each, 200 or more. They begin after the longest silence near where they would be
    equal.
    """
    packets = len(time_ns)
    length_ns = int(time_ns[-1] - time_ns[0]) if packets else 0
    if length_ns < _LONG_NS:
        return np.zeros(0, dtype=np.int64)
    pieces = round(length_ns / _DAY_NS)
    if pieces >= _DAYS and packets >= _PACKETS * pieces:
        position = pieces * (time_ns - time_ns[0]) / length_ns
    else:
        pieces = min(_MOST, packets // _PACKETS)
        position = pieces * np.arange(packets) / packets
    return _longest_silences(time_ns, position, pieces)


def within(packets: int, size: int, most: int) -> int:
    """How many of so many packets, of `size` bytes together, are `most`, or as large as these."""
    return min(packets, most, most * _USUAL * packets // max(1, size))


def spread_stretches(time_ns: NDArray[np.int64], most: int) -> list[slice]:
    """Stretches of a capture (P) with about so many packets together, spread over all of it.

    They begin after the longest silence near where they would have equally many packets.
    """
    packets = len(time_ns)
    if packets <= most:
        return [slice(0, packets)]
    count = min(_MOST, most)
    pieces = packets * count // most
    places = _longest_silences(time_ns, pieces * np.arange(packets) / packets, pieces)
    ends = np.concatenate([[0], places, [packets]])
    chosen = (np.arange(count) + 0.5) / count * (len(ends) - 1)
    return [slice(int(ends[i]), int(ends[i + 1])) for i in np.unique(chosen.astype(np.int64))]


def _longest_silences(
    time_ns: NDArray[np.int64], position: NDArray[np.float64], pieces: int
) -> NDArray[np.int64]:
    """The packets after the longest silences near where the position (P) is a whole number."""
    packets = len(time_ns)
    silence_ns = np.diff(time_ns, prepend=time_ns[0])
    places = []
    for equal in range(1, pieces):
        first, last = np.searchsorted(position, [equal - _NEAR, equal + _NEAR])
        # where nothing is near, the packet after the silence that covers it
        near = slice(max(first, 1), min(last, packets - 1) + 1)
        places.append(near.start + int(np.argmax(silence_ns[near])))
    return np.unique(np.array(places, dtype=np.int64))
