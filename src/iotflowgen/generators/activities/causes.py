"""When activities of a kind begin, and why: by a clock or a rate, when it was idle, after another.

- *By itself*: so long after the one before of its kind. What is drawn is a pair of activities that
  followed each other in the captures, after a like pause and at a like time of day. So a clock
  keeps its period and jitter, bouts remain bouts, and nights are as quiet as they are.
- *When idle*: so long after anything that uses the same connection, as keep-alives are. Known by
  its pauses after anything being more alike than those after its own kind.
- *After* another kind of activity, that nearly all of them follow.

Shapes: A activities of the captures, in order of time; K kinds; G of them of one kind.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from iotflowgen.generators.activities.clock import DAY_NS
from iotflowgen.generators.activities.turns import CLOCK, NEAR, cycle_of, pauses_alike
from iotflowgen.generators.redrawn import Spread

__all__ = [
    "After",
    "ByItself",
    "Coming",
    "Uniform",
    "WhenIdle",
    "answers",
    "follows",
]

_CLASSES = 2  # of pauses, a decade
_LONG = 24  # of a cycle, the part from which on pauses end at a time of it
_LIKE = 8  # pairs, at least, of which one is drawn
_FEW = 4  # activities of a kind, below which only their number is learnt
_LONE_LOG = 0.15
_MOST_LOG = 0.5
_SOON_NS = 60 * 10**9
_ANSWER_NS = 10 * 10**9
_LIKE_LAG = 0.3  # lags that differ by less are alike
_USUALLY = 0.5  # of the activities of a kind are answered by another one
_ABOVE_CHANCE = 5  # times as many as by chance
_NEARLY_ALL = 0.8
_CHANCE = 0.3
_LEAST_NS = 10**6  # pause
_TURNS_LEFT = 2.5  # of a clock, from which on it has stopped
_MANY = 12  # pairs after a like pause, to draw from these alone
_ANY = -1  # pause
_CHUNK = 256  # random numbers drawn together


class Uniform:
    """Uniform numbers, drawn many at a time: one at a time takes as long as all else."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng, self._left = rng, list[float]()

    def __call__(self) -> float:
        """The next one."""
        if not self._left:
            self._left = self._rng.random(_CHUNK).tolist()
        return self._left.pop()


class ByItself:
    """Activities of one kind, each after the one before."""

    def __init__(
        self,
        activity: NDArray[np.int64],
        begin_ns: NDArray[np.int64],
        run: NDArray[np.int64],
        span_ns: NDArray[np.int64],
        turns: NDArray[np.int64],
    ) -> None:
        """Learn from those of one kind.

        Args:
            activity: Their numbers (G).
            begin_ns: When they begin (G).
            run: The run of captures that each is of (G).
            span_ns: How long each run lasts.
            turns: How many pauses the one after each is (G), as of `turns.turns_taken`.
        """
        self.activity = activity
        """Those of its kind (G)."""
        self.period: float | None = None
        """Seconds between two, where most are as far apart; else None."""
        self._activity = activity.tolist()
        self._mean_ns = int(span_ns.sum()) / len(activity)
        self._known = len(activity) >= _FEW
        if not self._known:
            return
        goes_on = np.diff(run, append=-1) == 0
        gap_ns = np.diff(begin_ns, append=0) // np.maximum(turns, 1)
        later = np.arange(1, len(activity) + 1)
        alike, usual_ns = pauses_alike(gap_ns[goes_on])
        # as if each run came again and again, and with it those that show none: else the longest
        # pauses would be missing
        last = np.flatnonzero(~goes_on)
        first = np.append(0, last[:-1] + 1)
        own_ns = span_ns[run[last]]
        others_ns = (int(span_ns.sum()) - int(own_ns.sum())) // len(last)
        gap_ns[last] = own_ns - (begin_ns[last] - begin_ns[first]) + others_ns
        later[last] = first
        # a clock goes on where a run is too short for its next turn
        is_clock = alike >= CLOCK
        goes_on[last] = (not is_clock) | (gap_ns[last] > _TURNS_LEFT * usual_ns)
        is_clock &= not goes_on[last].any()
        if is_clock:
            self.period = float(np.median(gap_ns[goes_on])) / 1e9
        own_pause = turns > 0
        own_pause[last] = True
        pair = np.flatnonzero(goes_on & own_pause)
        logs = np.log(np.maximum(gap_ns[pair], _LEAST_NS))
        classes = np.floor(_CLASSES * logs / np.log(10)).astype(np.int64)
        spread = Spread(logs, classes, lone=_LONE_LOG, most=_MOST_LOG)
        self._logs, self._classes = logs.tolist(), classes.tolist()
        self._down, self._up = (each.tolist() for each in spread.interval)
        self._later = [self._activity[at] for at in later[pair].tolist()]
        """The later one of each pair."""
        came = np.full(len(activity), _ANY)
        came[later[pair]] = classes
        came = came[pair]
        # an hour, of what keeps to its minutes; a clock of its own keeps to neither
        self._cycle_ns = DAY_NS if is_clock else cycle_of(begin_ns)
        time_ns = begin_ns[pair] % self._cycle_ns
        self._by = {}
        for each in (_ANY, *np.unique(came).tolist()):
            own = np.arange(len(pair)) if each == _ANY else np.flatnonzero(came == each)
            if each == _ANY or len(own) >= _MANY:
                own = own[np.argsort(time_ns[own], kind="stable")]
                self._by[each] = time_ns[own].tolist(), own.tolist()
        self._returns = bool(span_ns.max() >= 2 * self._cycle_ns)
        is_long = gap_ns[pair] >= self._cycle_ns // _LONG
        self._from = np.where(is_long & self._returns & (not is_clock), time_ns, _ANY).tolist()
        """The time of the cycle that a long pause began at, which says when it ends."""

    def first(self, now_ns: int, of_day_ns: int, draw: Uniform) -> "Coming":
        """The first one after a time, that nothing is known before."""
        if not self._known:
            return self.following(Coming(now_ns, self._activity[0], _ANY), of_day_ns, draw)
        pair = self._pick(_ANY, of_day_ns, draw)
        return self._come(now_ns + int(draw() * math.exp(self._logs[pair])), pair)

    def following(self, last: "Coming", of_day_ns: int, draw: Uniform) -> "Coming":
        """The next one, where the last began at a time of day."""
        if not self._known:
            gap_ns = -math.log(1 - draw()) * self._mean_ns
            which = self._activity[int(draw() * len(self._activity))]
            return Coming(last.time_ns + int(gap_ns), which, _ANY)
        pair = self._pick(last.pause, of_day_ns, draw)
        shift = 2 * draw() - 1
        log = self._logs[pair] + shift * (self._down[pair] if shift < 0 else self._up[pair])
        gap_ns = int(math.exp(log))
        if self._from[pair] != _ANY:
            half_ns = self._cycle_ns // 2
            late_ns = (of_day_ns - self._from[pair] + half_ns) % self._cycle_ns - half_ns
            gap_ns -= min(late_ns, gap_ns)
        return self._come(last.time_ns + max(gap_ns, _LEAST_NS), pair)

    def _come(self, time_ns: int, pair: int) -> "Coming":
        return Coming(time_ns, self._later[pair], self._classes[pair])

    def _pick(self, pause: int, of_day_ns: int, draw: Uniform) -> int:
        """A pair that came after such a pause, at a like time of the day, or of the hour."""
        times, pairs = self._by.get(pause) or self._by[_ANY]
        if not self._returns:
            return pairs[int(draw() * len(pairs))]
        time_ns, near_ns = of_day_ns % self._cycle_ns, self._cycle_ns // NEAR
        low, high = (bisect_left(times, time_ns + near) for near in (-near_ns, near_ns))
        if high - low < _LIKE:
            middle = (low + high) // 2
            low, high = middle - _LIKE // 2, middle + _LIKE // 2
        return pairs[(low + int(draw() * (high - low))) % len(pairs)]


@dataclass(frozen=True, slots=True)
class Coming:
    """An activity to come."""

    time_ns: int
    activity: int
    """Which captured one it is like."""
    pause: int = -1
    """The class of the pause before it."""
    event: int = -1
    """Which event causes it."""


class WhenIdle:
    """Activities that come when connections of a service were idle for long enough."""

    def __init__(self, activity: NDArray[np.int64], pause_ns: NDArray[np.int64]) -> None:
        """Learn from captured ones (G), and how long it was idle before each (G)."""
        self.activity = activity
        """Captured ones (G)."""
        self.usual_ns = float(np.median(pause_ns))
        """How long it is idle, in the middle."""
        logs = np.log(np.maximum(pause_ns, 1000))
        classes = np.floor(_CLASSES * logs / np.log(10)).astype(np.int64)
        down, up = Spread(logs, classes, lone=_LONE_LOG, most=_MOST_LOG).interval
        columns = (activity, logs, down, up)
        self._known = [*zip(*(column.tolist() for column in columns), strict=True)]

    def draw(self, draw: Uniform) -> tuple[int, int]:
        """One of them, and the pause before it."""
        activity, log, down, up = self._known[int(draw() * len(self._known))]
        shift = 2 * draw() - 1
        return activity, int(math.exp(log + shift * (down if shift < 0 else up)))


@dataclass
class After:
    """Activities of one kind that follow another kind."""

    parent: int
    count: int
    """How many of the other kind there are."""
    activity: list[int] = field(default_factory=list)
    lag_ns: list[int] = field(default_factory=list)

    def draw(self, draw: Uniform) -> tuple[int, int] | None:
        """One that follows, and how long after; or none."""
        at = int(draw() * self.count)
        return None if at >= len(self.activity) else (self.activity[at], self.lag_ns[at])


def answers(
    parent: NDArray[np.int64],
    own: NDArray[np.int64],
    begin_ns: NDArray[np.int64],
    run: NDArray[np.int64],
    span_ns: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Activities of a kind that come a certain time after those of another.

    Args:
        parent: Activities of the other kind.
        own: Those of the kind, among which may be many that do not.
        begin_ns: When activities begin (A).
        run: Of which run of captures these are (A).
        span_ns: How long all runs last together.

    Returns:
        Those activities, and how long after the others they begin; none where this is chance.
    """
    nothing = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    if len(own) < _FEW or len(parent) < _FEW:
        return nothing
    after = np.searchsorted(begin_ns[own], begin_ns[parent], side="right")
    has = after < len(own)
    child = own[np.minimum(after, len(own) - 1)]
    lag_ns = begin_ns[child] - begin_ns[parent]
    has &= (run[child] == run[parent]) & (lag_ns <= _ANSWER_NS)
    child, lag_ns = child[has], lag_ns[has]
    order = np.argsort(lag_ns, kind="stable")
    child, lag_ns = child[order], lag_ns[order]
    until = np.searchsorted(lag_ns, lag_ns * (1 + _LIKE_LAG), side="right")
    within = until - np.arange(len(lag_ns))
    if not len(within) or within.max() < _USUALLY * len(parent):
        return nothing
    first = int(within.argmax())
    chance = len(own) / span_ns * lag_ns[first] * _LIKE_LAG
    if within[first] < _ABOVE_CHANCE * chance * len(parent):
        return nothing
    rows = slice(first, first + int(within[first]))
    child, one = np.unique(child[rows], return_index=True)
    return child, lag_ns[rows][one]


def follows(
    kind: NDArray[np.int64],
    begin_ns: NDArray[np.int64],
    run: NDArray[np.int64],
    of: int,
    span_ns: int,
    barred: Sequence[int],
) -> After | None:
    """The kind that nearly all of a kind follow soon, more than by chance; None where none is.

    Args:
        kind: Of each activity (A).
        begin_ns: When it begins (A).
        run: Of which run of captures it is (A).
        of: The kind.
        span_ns: How long all runs last together.
        barred: Kinds that it cannot follow.
    """
    own = np.flatnonzero(kind == of)
    if len(own) < _FEW:
        return None
    best: After | None = None
    for parent in np.unique(kind).tolist():
        if parent == of or parent in barred:
            continue
        others = np.flatnonzero(kind == parent)
        at = np.searchsorted(others, own) - 1  # the latest before
        latest = others[np.maximum(at, 0)]
        lag_ns = begin_ns[own] - begin_ns[latest]
        near = (at >= 0) & (lag_ns <= _SOON_NS) & (run[own] == run[latest])
        chance = 1 - np.exp(-len(others) / span_ns * _SOON_NS)
        # one of each parent
        _, one = np.unique(latest[near], return_index=True)
        rows = own[near][one]
        if (
            len(rows) < _NEARLY_ALL * len(own)
            or chance > _CHANCE
            or len(rows) < _CHANCE * len(others)
        ):
            continue
        if best is None or len(others) < best.count:
            best = After(parent, len(others), rows.tolist(), lag_ns[near][one].tolist())
    return best
