"""Activities: what a device does, when, and because of what.

A stream of `sessions` repeats what captures show after start-up. Here captures are taken apart:
flows into `units`, stretches in which they say something, and units that start together into
activities (`bursts`), each with what makes it start (`causes`): a clock, a rate, silence, another
activity, or an event (`responses`). A stream is a timetable of activities (`schedule`). Each is a
walk of its own through captured ones (`captured`), so exchanges are recombined where nothing is
outstanding, and goes on with the connections that are open (`threads`, `weaving`).

Sessions as long as captures are walks through whole captures, as of `sessions`, where these show
how a device is set up, and stretches of a stream where they last for hours.

Shapes: P packets of all captures; C captures; E packets of a stretch of a stream.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from iotflowgen.generators.activities.answers import added, ports_of_flows
from iotflowgen.generators.activities.captured import Captured, Stretch
from iotflowgen.generators.activities.clock import DAY_NS, LONG_NS, MONDAY_NS, begins, runs
from iotflowgen.generators.activities.responses import Responses
from iotflowgen.generators.activities.schedule import Schedule, Timetable
from iotflowgen.generators.activities.table import (
    ActivityRow,
    EventRow,
    activity_table,
    event_table,
)
from iotflowgen.generators.activities.threads import Threads
from iotflowgen.generators.activities.weaving import weave
from iotflowgen.generators.model_file import StoredModel
from iotflowgen.generators.ports import Connections
from iotflowgen.generators.sessions import Sessions, SessionsConfig
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Event, Session, Trace

__all__ = ["Activities", "ActivitiesConfig"]

_TOGETHER = 2**16
"""Packets of a stream that are drawn together, about."""
_LEAST_NS = 10**9  # of a stream that is drawn together
_NONE = -1


class ActivitiesConfig(SessionsConfig):
    """Settings of the activities."""

    most: int = Field(default=300_000, ge=1)
    """Packets of sessions that windows are cut from, about, where captures last for hours."""


class Activities(Sessions):
    """A timetable of activities, each a walk through captured ones."""

    name: ClassVar[str] = "activities"
    Config = ActivitiesConfig

    def fit(
        self,
        traces: Sequence[Trace],
        *,
        events: Sequence[Sequence[Event]] = (),
        progress: Progress = silent,
    ) -> Self:
        """Find activities, and what makes them start.

        Args:
            traces: The captures.
            events: Of each of them, on its clock and in order of time; without any, none are known.
            progress: Told after each step.

        Raises:
            TooShort: No capture holds a window.
        """
        kept = [place for place, trace in enumerate(traces) if len(trace)]
        of_each = [events[place] if events else () for place in kept]
        traces = [traces[place] for place in kept]
        super().fit(traces, progress=progress)
        self._begin_ns, self._run = begins(traces), runs(traces)
        self._events = [
            [Event(event.time_ns - int(trace.time_ns[0]) + begin_ns, event.name) for event in own]
            for trace, begin_ns, own in zip(traces, self._begin_ns.tolist(), of_each, strict=True)
        ]
        time_ns = np.concatenate(
            [
                trace.time_ns - trace.time_ns[0] + begin_ns
                for trace, begin_ns in zip(traces, self._begin_ns.tolist(), strict=True)
            ]
        )
        run = self._run[self._capture]
        self._captured = Captured(self._spoken, time_ns, run, self._walks, self._kinds, self.config)
        firsts = np.flatnonzero(np.diff(run, prepend=_NONE))
        lasts = np.append(firsts[1:], len(run)) - 1
        is_long = time_ns[lasts] - time_ns[firsts] >= LONG_NS
        self._shows_start = not is_long.all()
        learnt = self._captured.learnt(np.where(is_long, firsts, self._started()))
        self._span_ns = int(learnt.span_ns.sum())
        self._schedule = Schedule(learnt)
        bursts = self._captured.bursts
        self._responses = Responses(
            sorted(chain.from_iterable(self._events)), bursts.begin_ns, bursts.kind, self._span_ns
        )
        uncaused = replace(learnt, counts=learnt.counts & ~self._responses.caused)
        self._without_events = Schedule(uncaused) if self._responses.known else self._schedule
        """When activities begin that events do not cause."""
        progress("activities", 1, 1)
        return self

    def _started(self) -> NDArray[np.int64]:
        """For each run, the packet with which start-up is over."""
        return self._resumption.started[np.unique(self._run, return_index=True)[1]]

    def activities(self) -> list[ActivityRow]:
        """A row for each kind of activity, the most frequent first."""
        return activity_table(self._captured, self._schedule, self._responses, self._spoken)

    def answers(self) -> list[EventRow]:
        """A row for each name of events."""
        return event_table(self._responses)

    def known_events(self) -> Mapping[str, int]:
        """Names of the events that it knows, and how many of each it has learnt from."""
        return self._responses.known

    def _more_tensors(self) -> dict[str, NDArray[Any]]:
        names = [*self.known_events()]
        events = [
            (capture, event.time_ns, names.index(event.name))
            for capture, own in enumerate(self._events)
            for event in own
        ]
        return {
            "begin_ns": self._begin_ns,
            "events": np.array(events, dtype=np.int64).reshape(-1, 3),
        }

    def _vocabularies(self) -> dict[str, Any]:
        return {"events": [*self.known_events()]}

    def _fit_again(self, traces: Sequence[Trace], stored: StoredModel) -> Self:
        begin_ns, rows = stored.tensors["begin_ns"], stored.tensors["events"]
        names = stored.metadata.vocabularies["events"]
        if len(begin_ns) != len(traces) or rows.shape[1:] != (3,):
            raise ValueError("there are other captures than times of captures")
        events: list[list[Event]] = [[] for _ in traces]
        for capture, time_ns, name in rows.tolist():
            events[capture].append(Event(time_ns + MONDAY_NS, names[name]))
        again = [
            replace(trace, time_ns=trace.time_ns + at + MONDAY_NS)
            for trace, at in zip(traces, begin_ns.tolist(), strict=True)
        ]
        return self.fit(again, events=events)

    def sessions(self, n: int, rng: np.random.Generator) -> list[Session]:
        """Draw `n` sessions, each from its first packet, at time 0, to its last."""
        if self._shows_start:
            return super().sessions(n, rng)
        return list(islice(self._one_after_another(rng), n))

    def _windows_from(self, n: int) -> int:
        few = super()._windows_from(n)
        return (
            few
            if self._shows_start
            else min(few, max(1, self.config.most * len(self._begin_ns) // len(self._capture)))
        )

    def _one_after_another(self, rng: np.random.Generator) -> Iterator[Session]:
        """Sessions as long as captures, cut from a stream as these are from longer ones."""
        lasts_ns = np.bincount(self._capture, self._packets["duration_ns"]).astype(np.int64)
        first = int(rng.integers(len(lasts_ns)))
        number, begin_ns, held = 0, 0, list[Session]()
        for piece in self.stream(rng, start_ns=int(self._begin_ns[first])):
            held.append(piece)
            while begin_ns + (after_ns := int(lasts_ns[(first + number) % len(lasts_ns)])) < int(
                held[-1].time_ns[-1]
            ):
                stretch = Session.merged(held)
                own = int(np.searchsorted(stretch.time_ns, begin_ns + after_ns, side="right"))
                session, held = stretch[: max(own, 1)], [stretch[max(own, 1) :]]
                begin_ns = int(held[0].time_ns[0])
                time_ns = session.time_ns - session.time_ns[0]
                yield replace(session, name=str(number), time_ns=time_ns)
                number += 1

    def stream(
        self,
        rng: np.random.Generator,
        *,
        at_once: int | None = None,
        events: Iterable[Event] = (),
        start_ns: int = 0,
    ) -> Iterator[Session]:
        """Yield one session that never ends, from time 0 on, piece by piece under one name.

        Where captures show how a device is set up, it begins with that.

        Args:
            rng: Draws.
            at_once: About so many packets are drawn together; another number is another session.
            events: What happens, in order of time since time 0; then nothing else that events cause
                is done. Where the sequence is empty, as by default, they are not told, and what
                they cause comes by itself.
            start_ns: When time 0 is, nanoseconds since the epoch, for the hours of the day.
        """
        told = not isinstance(events, Sequence) or len(events) > 0
        slots = self.config.ports.slots
        open_ = Connections(slots), Connections(slots)
        known: tuple[dict[int, int], dict[int, int]] = {}, {}
        captured = self._captured
        threads = Threads(
            captured.portions, there_before=not self._shows_start, may_open=captured.openers
        )
        end_ns = 0
        if self._shows_start:
            start_up = self._start_up(rng)
            threads.single(int(start_up.flow.max()) + 1)
            yield self._session(start_up, rng, open_, known, told=told)
            end_ns = int(start_up.time_ns[-1])
        timetable = Timetable(
            self._without_events if told else self._schedule,
            rng,
            end_ns,
            (start_ns + end_ns) % DAY_NS,
            self._responses,
            events,
        )
        step_ns = max((at_once or _TOGETHER) * self._span_ns // len(self._capture), _LEAST_NS)
        rest = Stretch.nothing()
        while True:
            end_ns += step_ns
            rest = rest.and_then(weave(captured, timetable.until(end_ns), threads, rng))
            due = rest.time_ns < end_ns
            now, rest = rest.take(due), rest.take(~due)
            if len(now.packet):
                now = now.take(np.argsort(now.time_ns, kind="stable"))
                yield self._session(now, rng, open_, known, told=told)
            open_still = threads.open | set(rest.flow.tolist())
            for ports in known:
                for flow in ports.keys() - open_still:
                    del ports[flow]

    def side_by_side(
        self, *, at_once: int | None = None
    ) -> Callable[[np.random.Generator], Iterator[Session]]:
        """What `stream` yields; many take as long as each by itself."""
        return lambda rng: self.stream(rng, at_once=at_once)

    def _start_up(self, rng: np.random.Generator) -> Stretch:
        """A walk from the beginning of a capture to an end, with all connections closed."""
        packet, connection, _ = self._closings.close(
            *self._walks.draw(rng.choice(self._walks.firsts, 1), rng), rng
        )
        time_ns = np.cumsum(self._walks.times(packet, rng))
        has = connection != _NONE
        flow = np.full(len(packet), _NONE)
        flow[has] = np.unique(connection[has], return_inverse=True)[1]
        return Stretch(packet, flow, time_ns - time_ns[0], np.full(len(packet), _NONE))

    def _session(
        self,
        of: Stretch,
        rng: np.random.Generator,
        open_: tuple[Connections, Connections],
        known: tuple[dict[int, int], dict[int, int]],
        *,
        told: bool,
    ) -> Session:
        """A piece of a stream, which says what events cause where these were told."""
        # what belongs to one capture, belongs to one day
        day = of.time_ns // DAY_NS
        columns = self._columns(of.packet, of.flow, day, of.time_ns, rng, open_, known)
        return Session(name="stream", event=of.event if told else None, **columns)

    def respond(
        self, ahead: Session, event: Event, rng: np.random.Generator, *, number: int = 0
    ) -> Session:
        """What is drawn of a stream and not used yet, with what an event in that time causes.

        Its packets say that `number` has caused them; the others keep what they say, or say -1. It
        goes on with connections that are open, and opens others, whose numbers no piece of the
        stream has.

        Args:
            ahead: A stretch of a stream.
            event: On the clock of that stretch.
            rng: Draws what the event causes.
            number: Of the event, among all.
        """
        own = added(self._captured, self._responses, ahead, event.time_ns, event.name, rng)
        if not len(own.packet):
            return ahead
        slots = self.config.ports.slots
        open_ = Connections(slots), Connections(slots)
        own = replace(own, event=np.full(len(own.packet), number))
        caused = self._session(own, rng, open_, ports_of_flows(ahead), told=True)
        return Session.merged([ahead, caused])
