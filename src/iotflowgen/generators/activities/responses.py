"""What a device does because of events: which activities, after how long, and how often not.

An activity is taken to be caused by the latest event before it, if it begins soon after, and its
kind mostly begins soon after events, or follows events of that name far more often than by chance.

Shapes: A activities of the captures; E events of the captures.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from iotflowgen.generators.activities.causes import Uniform
from iotflowgen.generators.redrawn import Spread, numbered
from iotflowgen.traffic import Event

__all__ = ["Responses"]

_BEFORE_NS = 10**9
"""A device may be faster than the clock of who writes events down."""
_AFTER_NS = 15 * 10**9
_MOSTLY = 0.5  # of the activities of a kind begin near events
_ABOVE_CHANCE = 5  # times as many
_MORE = 0.3  # share of the events of a name that a kind follows, above chance
_LONE_LOG, _MOST_LOG = 0.15, 0.5


class Responses:
    """By the name of an event, what it caused each time."""

    def __init__(
        self,
        events: Sequence[Event],
        begin_ns: NDArray[np.int64],
        kind: NDArray[np.int64],
        span_ns: int,
    ) -> None:
        """Learn from captures.

        Args:
            events: All that happened, in order of time.
            begin_ns: When activities begin, on the same clock (A).
            kind: Of each (A).
            span_ns: How long captures last together.
        """
        names = sorted({event.name for event in events})
        self.known: Mapping[str, int] = {
            name: sum(event.name == name for event in events) for name in names
        }
        """How many there are of each name."""
        self.caused = np.zeros(len(begin_ns), dtype=bool)
        """Whether an event caused an activity (A)."""
        self._drawn: dict[str, list[list[tuple[int, float, float, float]]]] = {}
        if not events:
            return
        time_ns = np.array([event.time_ns for event in events])
        name = np.array([names.index(event.name) for event in events])
        latest = np.searchsorted(time_ns, begin_ns + _BEFORE_NS, side="right") - 1
        lag_ns = begin_ns - time_ns[np.maximum(latest, 0)]
        near = (latest >= 0) & (lag_ns <= _AFTER_NS)
        self.caused = near & _is_caused(near, latest, kind, name, span_ns)
        own = np.flatnonzero(self.caused)
        since = np.log(np.maximum(lag_ns[own] + 2 * _BEFORE_NS, 1))
        spread = Spread(
            since, numbered([name[latest[own]], kind[own]]), lone=_LONE_LOG, most=_MOST_LOG
        )
        of: dict[int, list[tuple[int, float, float, float]]] = defaultdict(list)
        for event, *drawn in zip(
            latest[own].tolist(),
            *(each.tolist() for each in (own, since, *spread.interval)),
            strict=True,
        ):
            activity, *log = drawn
            of[event].append((activity, *log))
        for at, which in enumerate(name.tolist()):
            self._drawn.setdefault(names[which], []).append(of.get(at, []))

    def draw(self, name: str, draw: Uniform) -> list[tuple[int, int]]:
        """What an event causes: captured activities, and how long after it they begin."""
        times = self._drawn[name]
        caused = []
        for activity, log, down, up in times[int(draw() * len(times))]:
            shift = 2 * draw() - 1
            after_ns = np.exp(log + shift * (down if shift < 0 else up))
            caused.append((activity, int(after_ns) - 2 * _BEFORE_NS))
        return caused

    def table(self) -> list[tuple[str, int, float, float]]:
        """A row for each name: events, the share that caused nothing, activities of the others."""
        rows = []
        for name, times in self._drawn.items():
            some = [len(each) for each in times if each]
            missed = 1 - len(some) / len(times)
            rows.append((name, len(times), missed, sum(some) / max(len(some), 1)))
        return rows


def _is_caused(
    near: NDArray[np.bool_],
    latest: NDArray[np.int64],
    kind: NDArray[np.int64],
    name: NDArray[np.int64],
    span_ns: int,
) -> NDArray[np.bool_]:
    """Whether activities (A) are of a kind that events cause, if they are near one."""
    kinds = int(kind.max(initial=-1)) + 1
    count = np.bincount(kind, minlength=kinds)
    close = np.bincount(kind[near], minlength=kinds)
    covered = min(1.0, len(name) * (_BEFORE_NS + _AFTER_NS) / span_ns)
    mostly = (close >= _MOSTLY * count) & (close >= _ABOVE_CHANCE * covered * count)
    # of each kind and name, the events that it follows
    pairs = np.unique(np.stack([kind[near], latest[near]]), axis=1)
    followed = np.zeros((kinds, int(name.max()) + 1))
    np.add.at(followed, (pairs[0], name[pairs[1]]), 1)
    chance = 1 - np.exp(-(count - close) / span_ns * (_BEFORE_NS + _AFTER_NS))
    often = followed / np.bincount(name) - chance[:, None] >= _MORE
    caused: NDArray[np.bool_] = mostly[kind] | often[kind, name[np.maximum(latest, 0)]]
    return caused
