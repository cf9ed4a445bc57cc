"""Events as arguments: those of captures, to learn from, and those that honeydata is to have."""

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import takewhile
from os import PathLike
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from iotflowgen.capture import find_paths
from iotflowgen.errors import ArgumentError
from iotflowgen.events import (
    Aligned,
    EventLog,
    EventWarning,
    Schedule,
    align,
    by_comments,
    by_folders,
    local,
    nanoseconds,
    read_log,
    read_moment,
    read_schedule,
    zone_of,
)
from iotflowgen.library.captures import Captures
from iotflowgen.library.files import AnyPath, Paths, paths_of
from iotflowgen.traffic import Event, Trace

__all__ = [
    "EventSource",
    "ScheduleSource",
    "Wanted",
    "aligned_events",
    "captures_of_events",
    "events_of_traces",
    "wanted_events",
]

EventSource = Paths | Literal["comments", "folders"] | Iterable[Event | tuple[Any, str]]
"""Where events of captures stand: CSV files with the columns time and event; `comments` of packets;
`folders`, each of which has the name of the event of its captures; or pairs of time and name."""
Wanted = Iterable[str | Event | tuple[Any, str]]
"""Events that are to happen: `on@18:30`, `on@2026-01-01T18:30:05Z`, or pairs of time and name."""
ScheduleSource = AnyPath | Schedule

_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?")
_MOST: Final = 10**6
"""Events that are drawn."""
_AFTER_S: Final = 60.0
"""Without a duration, a session goes on for so long after the last event."""
_SCHEDULED_S: Final = 86_400.0
"""And for so long where a schedule has them."""
_S: Final = 10**9
_REACTION_NS: Final = 10 * _S
"""Traffic may follow its event so much later."""


def captures_of_events(captures: Paths) -> list[Path]:
    """Paths of captures, in place of folders of folders the folders in them."""
    found = []
    for path in paths_of(captures):
        inside = sorted(each for each in path.iterdir() if each.is_dir()) if path.is_dir() else []
        found += inside or [path]
    return found


def aligned_events(
    source: EventSource, captures: Captures, zone: str | None, device: str | None
) -> Aligned:
    """Events of captures, in line with their traffic.

    Warns:
        EventWarning: As `events.align` and the readers of logs.

    Raises:
        ArgumentError: As these.
    """
    there = None if zone is None else zone_of(zone, "events_zone")
    return align(_logs(source, captures, there, device), [t for t in captures if len(t)])


def _logs(
    source: EventSource, captures: Captures, zone: tzinfo | None, device: str | None
) -> list[EventLog]:
    if source in ("comments", "folders"):
        pairs = zip(captures, find_paths(captures.paths, captures), strict=True)
        known = [(trace, path) for trace, path in pairs if path is not None and len(trace)]
        traces, paths = [trace for trace, _ in known], [path for _, path in known]
        return [(by_comments if source == "comments" else by_folders)(traces, paths)]
    if isinstance(source, str | PathLike):
        return read_log(Path(source), zone, device)
    given = list(source)
    if not given:
        raise ArgumentError("there are no events", "events")
    files = [each for each in given if isinstance(each, str | PathLike)]
    if len(files) == len(given):
        return [log for path in files for log in read_log(Path(path), zone, device)]
    events = tuple(sorted(_event(each, zone) for each in given))
    return [EventLog("events", events)]


def events_of_traces(
    events: Sequence[Event], traces: Sequence[Trace], *, are_parts: bool = False
) -> list[list[Event]]:
    """Events by the trace that each is of: it comes within it, or shortly before.

    Those between two traces are of the first of them, as of a long capture that is cut where it is
    quiet.

    Args:
        events: All of them, in order of time.
        traces: The captures, or what is learnt from of them.
        are_parts: Packets between traces are left out, and events there with them.

    Warns:
        EventWarning: Events are left out.
    """
    found: list[list[Event]] = [[] for _ in traces]
    spans = [(int(t.time_ns[0]), int(t.time_ns[-1]), i) for i, t in enumerate(traces) if len(t)]
    spans.sort()
    firsts, left = np.array([first for first, _, _ in spans]) - _REACTION_NS, 0
    for event in events:
        at = max(0, int(np.searchsorted(firsts, event.time_ns, side="right")) - 1)
        _, last_ns, trace = spans[at]
        if are_parts and event.time_ns > last_ns:
            left += 1
        else:
            found[trace].append(event)
    if left:
        warnings.warn(
            f"{left} of {len(events)} events are left out, with the packets that are not learnt "
            "from",
            EventWarning,
            stacklevel=3,
        )
    return found


def wanted_events(
    wanted: Wanted | None,
    schedule: ScheduleSource | None,
    known: Sequence[str],
    amounts: Mapping[str, float | None],
    zone: str | None,
    start_ns: int,
    seed: Sequence[int],
) -> tuple[tuple[Event, ...], float | None]:
    """Events that are to happen, in order of time, and for how many seconds the session goes on.

    Args:
        wanted: Some by themselves.
        schedule: Others by their rates.
        known: Names of events that the model knows.
        amounts: How much is asked for, `windows`, `sessions`, `packets` or `duration` in seconds.
        zone: That of times which name none; UTC by default.
        start_ns: When the first packet comes, nanoseconds since the epoch.
        seed: The same seed, the same events of a schedule.

    Raises:
        ArgumentError: One is no event, not known, or before the start or after the end; there
            are too many; the model knows none; or windows or sessions are asked for.
    """
    if not known:
        raise ArgumentError(
            "the model knows no events; fit it with the events of its captures (--events)",
            "event" if wanted else "schedule",
        )
    if others := [unit for unit in ("windows", "sessions") if amounts[unit] is not None]:
        raise ArgumentError("events need one session without end: say --duration", *others)
    seconds, is_open = amounts["duration"], amounts["packets"] is not None
    if seconds is None and not is_open and schedule is not None:
        seconds = _SCHEDULED_S
    end_ns = None if seconds is None else start_ns + int(seconds * 1e9)
    found = _all_wanted(wanted, schedule, known, zone, start_ns, end_ns, seed)
    if seconds is None and not is_open:
        last_ns = max((event.time_ns for event in found), default=start_ns)
        seconds = (last_ns - start_ns) / 1e9 + _AFTER_S
    return found, seconds


def _all_wanted(
    wanted: Wanted | None,
    schedule: ScheduleSource | None,
    known: Sequence[str],
    zone: str | None,
    start_ns: int,
    end_ns: int | None,
    seed: Sequence[int],
) -> tuple[Event, ...]:
    there = zone_of(zone or "UTC")
    found = [_event(each, there, start_ns) for each in wanted or ()]
    for event in found:
        if event.name not in known:
            said = ", ".join(known)
            raise ArgumentError(f"{event.name!r} is none of the events it knows: {said}", "event")
        if event.time_ns < start_ns or (end_ns is not None and event.time_ns >= end_ns):
            when = "before the first packet" if event.time_ns < start_ns else "after the end"
            raise ArgumentError(
                f"{event.name}@{_said(event.time_ns)} is {when}, "
                f"{_said(start_ns if event.time_ns < start_ns else end_ns or 0)}; choose other "
                "times, or another --start or --duration",
                "event",
            )
    if schedule is not None:
        if end_ns is None:
            raise ArgumentError("how long? A schedule needs a duration", "duration")
        found += _scheduled(schedule, known, start_ns, end_ns, seed)
    return tuple(sorted(found))


def _scheduled(
    schedule: ScheduleSource, known: Sequence[str], start_ns: int, end_ns: int, seed: Sequence[int]
) -> Iterator[Event]:
    habits = schedule if isinstance(schedule, Schedule) else read_schedule(Path(schedule))
    drawn = habits.of(known).draw(start_ns, seed)
    for number, event in enumerate(takewhile(lambda each: each.time_ns < end_ns, drawn)):
        if number >= _MOST:
            raise ArgumentError(
                f"more than {_MOST:,} events are due; lower the rates or the duration", "schedule"
            )
        yield event


def _event(said: object, zone: tzinfo | None, start_ns: int | None = None) -> Event:
    """An event that somebody has written; clock times are the first after the start."""
    name, at = _parts(said)
    if isinstance(at, int):
        return Event(at, name)
    if isinstance(at, datetime):
        return Event(nanoseconds(at if at.tzinfo else at.replace(tzinfo=zone or UTC)), name)
    if start_ns is not None and zone is not None and _CLOCK.fullmatch(at):
        return Event(_next(at, zone, start_ns), name)
    try:
        return Event(read_moment(at, zone).time_ns, name)
    except ValueError as error:
        raise ArgumentError(f"{name}: {error}", "event" if start_ns else "events") from error


def _parts(said: object) -> tuple[str, Any]:
    """Name and time of an event."""
    if isinstance(said, str):
        name, at_sign, at = said.rpartition("@")
        if name and at_sign and at:
            return name, at
    elif isinstance(said, tuple) and len(said) == 2:
        at, name = said
        if isinstance(name, str) and isinstance(at, int | str | datetime):
            return name, at
    raise ArgumentError(f"{said!r} is no event such as on@18:30 or on@2026-01-01T18:30:05", "event")


def _next(clock: str, zone: tzinfo, start_ns: int) -> int:
    """When a clock shows a time first, from a start on."""
    there = time.fromisoformat(clock.zfill(5 if clock.count(":") == 1 else 8))
    day = datetime.fromtimestamp(start_ns // _S, UTC).astimezone(zone).date()
    found, strange = local(day, there, zone)
    if found < start_ns:
        found, strange = local(day + timedelta(days=1), there, zone)
    if strange:
        warnings.warn(strange, EventWarning, stacklevel=5)
    return found


def _said(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // _S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
