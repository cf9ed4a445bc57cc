"""Which activities come when: what captures show of it, and a timetable without end.

Shapes: A activities of the captures; K kinds; U units; B activities of a stretch of the timetable.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from iotflowgen.generators.activities.bursts import Bursts
from iotflowgen.generators.activities.causes import (
    After,
    ByItself,
    Coming,
    Uniform,
    WhenIdle,
    answers,
    follows,
)
from iotflowgen.generators.activities.clock import DAY_NS
from iotflowgen.generators.activities.responses import Responses
from iotflowgen.generators.activities.turns import (
    by_clocks,
    by_hours,
    by_turns,
    pauses,
    pauses_alike,
    turns_taken,
)
from iotflowgen.traffic import Event

__all__ = ["Learnt", "Schedule", "Timetable"]

_MORE_ALIKE = 0.005  # pauses after anything than those after its own kind, to be a timer of that
_RARE = 0.1  # share of the activities of a service
_ENOUGH = 10  # pauses, to know a timer by
_ALIKE = 0.5  # share of pauses, from which on they are those of a timer


@dataclass(frozen=True, eq=False)
class Learnt:
    """What is told of the activities of captures."""

    bursts: Bursts
    run: NDArray[np.int64]
    """Which run of captures each is of (A)."""
    counts: NDArray[np.bool_]
    """Whether it is one to learn times from (A): not of what a device does to start up."""
    span_ns: NDArray[np.int64]
    """How long each run lasts, start-up left out."""
    idle_ns: NDArray[np.int64]
    """How long its connection was idle before each (A); -1 where it continues none."""
    service: NDArray[np.int64]
    """The service of that connection (A)."""
    touches: list[list[tuple[int, int]]]
    """Services of connections that each uses, and how long after its beginning it does (A)."""


class Schedule:
    """When activities begin, and why."""

    def __init__(self, learnt: Learnt) -> None:
        """Learn from captures."""
        self.learnt = learnt
        bursts = learnt.bursts
        self.kind = bursts.kind.tolist()
        self.after: dict[int, list[After]] = defaultdict(list)
        """By the kind that is followed."""
        self.when_idle: dict[int, WhenIdle] = {}
        """By the service."""
        idle: dict[int, list[NDArray[np.int64]]] = defaultdict(list)
        counts = np.flatnonzero(learnt.counts)
        kind, begin_ns, run = (
            column[counts] for column in (bursts.kind, bursts.begin_ns, learnt.run)
        )
        self.parents: dict[int, int] = {}
        """The kind that another follows."""
        parents = self.parents
        total_ns = int(learnt.span_ns.sum())
        self.cause: dict[int, str] = {}
        alone = list[NDArray[np.int64]]()
        for each in np.unique(kind).tolist():
            barred = [child for child in parents if _descends(child, each, parents)]
            found = follows(kind, begin_ns, run, each, total_ns, barred)
            if found:
                parents[each] = found.parent
                found.activity = counts[found.activity].tolist()
                self.after[found.parent].append(found)
                self.cause[each] = "after"
            else:
                alone.append(counts[kind == each])
        alone = self._without_answers(alone, learnt, total_ns)
        by_itself = list[NDArray[np.int64]]()
        for own in by_clocks(alone, bursts.begin_ns, learnt.run):
            gaps_ns = pauses(bursts.begin_ns[own], learnt.run[own])
            service = _timed_by(learnt, counts, own, gaps_ns)
            for each in np.unique(bursts.kind[own]).tolist():
                self.cause[each] = "itself" if service is None else "idle"
            (by_itself if service is None else idle[service]).append(own)
        groups = by_turns(by_itself, bursts.begin_ns, learnt.run)
        self.by_itself = [
            ByItself(
                own, bursts.begin_ns[own], learnt.run[own], learnt.span_ns, _turns(learnt, own)
            )
            for own in by_hours(groups, bursts.begin_ns)
        ]
        for service, groups in idle.items():
            own = np.concatenate(groups)
            known = (learnt.service[own] == service) & (learnt.idle_ns[own] >= 0)
            usual_ns = pauses_alike(learnt.idle_ns[own[known]])[1]
            self.when_idle[service] = WhenIdle(own, np.where(known, learnt.idle_ns[own], usual_ns))

    def why(self, kind: int) -> tuple[float | None, str]:
        """The period of a kind's clock in seconds, if it has one, and what makes it start."""
        own = np.flatnonzero(self.learnt.bursts.kind == kind)
        cause = self.cause.get(kind, "itself")
        if cause == "idle":
            timers = self.when_idle.values()
            usual_ns = next(t.usual_ns for t in timers if np.isin(own, t.activity).any())
            return None, f"its connection was idle for {usual_ns / 1e9:.4g} s"
        parts = [np.count_nonzero(np.isin(own, part.activity)) for part in self.by_itself]
        if cause == "after" or not parts or not max(parts):
            return None, cause
        period = self.by_itself[int(np.argmax(parts))].period
        return period, cause if period is None else f"every {period:.4g} s"

    def _without_answers(
        self, kinds: Sequence[NDArray[np.int64]], learnt: Learnt, span_ns: int
    ) -> list[NDArray[np.int64]]:
        """Activities of each kind, without those that usually come after one of another kind."""
        bursts, left = learnt.bursts, [*kinds]
        for parent in kinds:
            for at, own in enumerate(left):
                if own is parent or not len(own) or len(own) < len(parent):
                    continue
                child, lag_ns = answers(parent, own, bursts.begin_ns, learnt.run, span_ns)
                if not len(child):
                    continue
                after = After(self.kind[parent[0]], len(parent), child.tolist(), lag_ns.tolist())
                self.after[after.parent].append(after)
                left[at] = np.setdiff1d(own, child)
        return [own for own in left if len(own)]


def _timed_by(
    learnt: Learnt,
    counts: NDArray[np.int64],
    own: NDArray[np.int64],
    gaps_ns: NDArray[np.int64],
) -> int | None:
    """The service whose silence starts activities of a kind; None where nothing says so.

    Args:
        learnt: What is told of activities.
        counts: Those that count (X).
        own: Those of the kind (G).
        gaps_ns: How long after the one before of their kind these begin.
    """
    continuing = own[learnt.idle_ns[own] >= 0]
    if len(continuing) < max(_ENOUGH, len(own) / 2):
        return None
    service = int(np.bincount(learnt.service[continuing]).argmax())
    pauses_ns = learnt.idle_ns[continuing[learnt.service[continuing] == service]]
    alike, usual_ns = pauses_alike(pauses_ns)
    if alike < max(_ALIKE, pauses_alike(gaps_ns)[0] + _MORE_ALIKE):
        return None
    # mostly, silence does not last for longer, and what ends it is not rare
    those = learnt.service[counts] == service
    silent = np.count_nonzero(those & (learnt.idle_ns[counts] >= usual_ns))
    needed = max(silent / 2, _RARE * np.count_nonzero(those))
    return service if len(pauses_ns) > needed else None


def _turns(learnt: Learnt, own: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many turns of their clock it is from each activity (G) to the next."""
    begin_ns = learnt.bursts.begin_ns
    used_ns = np.array([max((last for _, last in used), default=0) for used in learnt.touches])
    others = np.setdiff1d(np.arange(len(begin_ns)), own)
    return turns_taken(
        begin_ns[own], learnt.run[own], begin_ns[others], begin_ns[others] + used_ns[others]
    )


def _descends(kind: int, of: int, parents: dict[int, int]) -> bool:
    """Whether a kind follows another, directly or by others."""
    while kind in parents:
        kind = parents[kind]
        if kind == of:
            return True
    return False


class Timetable:
    """Activities without end, stretch by stretch."""

    def __init__(
        self,
        schedule: Schedule,
        rng: np.random.Generator,
        from_ns: int,
        of_day_ns: int,
        responses: Responses,
        events: Iterable[Event] = (),
    ) -> None:
        """Begin at a time, which is so long after midnight.

        Args:
            schedule: What begins when.
            rng: Draws.
            from_ns: The time.
            of_day_ns: What time of day it is.
            responses: What events cause.
            events: What happens, in order of time.
        """
        self._of, self._draw = schedule, Uniform(rng)
        self._midnight_ns = from_ns - of_day_ns
        self._coming = [cause.first(from_ns, of_day_ns, self._draw) for cause in schedule.by_itself]
        self._later: list[Coming] = []
        self._responses, self._now_ns = responses, from_ns
        self._events = enumerate(events)
        self._next_event = next(self._events, None)
        self._idle = {
            service: (from_ns, *cause.draw(self._draw))
            for service, cause in schedule.when_idle.items()
        }
        """Since when each service is idle, what comes then, and after how long."""

    def until(self, end_ns: int) -> list[Coming]:
        """All that begins before a time, in order."""
        found = [coming for coming in self._later if coming.time_ns < end_ns]
        self._later = [coming for coming in self._later if coming.time_ns >= end_ns]
        caused = self._because_of_events(end_ns)
        for number, cause in enumerate(self._of.by_itself):
            coming = self._coming[number]
            while coming.time_ns < end_ns:
                caused.append(coming)
                of_day_ns = (coming.time_ns - self._midnight_ns) % DAY_NS
                coming = cause.following(coming, of_day_ns, self._draw)
            self._coming[number] = coming
        while caused:
            found += (coming for coming in caused if coming.time_ns < end_ns)
            self._later += (coming for coming in caused if coming.time_ns >= end_ns)
            caused = [*chain.from_iterable(map(self._following, caused))]
        found.sort(key=_time)
        for service, timer in self._of.when_idle.items():
            found += self._when_idle(service, timer, found, end_ns)
        found.sort(key=_time)
        return found

    def _following(self, parent: Coming) -> Iterator[Coming]:
        """What follows an activity."""
        for after in self._of.after.get(self._of.kind[parent.activity], ()):
            drawn = after.draw(self._draw)
            if drawn:
                activity, lag_ns = drawn
                yield Coming(parent.time_ns + lag_ns, activity, event=parent.event)

    def _when_idle(
        self, service: int, cause: WhenIdle, found: list[Coming], end_ns: int
    ) -> list[Coming]:
        """What comes where nothing else uses the connections of a service."""
        touches = self._of.learnt.touches
        used = [
            (coming.time_ns, coming.time_ns + offset_ns)
            for coming in found
            for of, offset_ns in touches[coming.activity]
            if of == service
        ]
        since_ns, activity, pause_ns = self._idle[service]
        due = list[Coming]()
        for begin_ns, last_ns in [*used, (end_ns, -1)]:
            while since_ns + pause_ns < begin_ns:
                due.append(Coming(since_ns + pause_ns, activity))
                since_ns += pause_ns + dict(touches[activity]).get(service, 0)
                activity, pause_ns = cause.draw(self._draw)
            if last_ns > since_ns:
                since_ns = last_ns
                activity, pause_ns = cause.draw(self._draw)
        self._idle[service] = since_ns, activity, pause_ns
        return due

    def _because_of_events(self, end_ns: int) -> list[Coming]:
        """What events before a time cause."""
        caused = list[Coming]()
        while self._next_event and self._next_event[1].time_ns < end_ns:
            place, event = self._next_event
            for activity, after_ns in self._responses.draw(event.name, self._draw):
                time_ns = max(event.time_ns + after_ns, self._now_ns)
                caused.append(Coming(time_ns, activity, event=place))
            self._next_event = next(self._events, None)
        self._now_ns = end_ns
        return caused


def _time(coming: Coming) -> int:
    return coming.time_ns
