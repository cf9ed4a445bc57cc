"""Events are brought in line with the traffic that they caused, log by log, and it is said how.

Clocks of those who note are off, and some note minutes only. Each log is moved by the lag at which
its events show best in the traffic; where they then still scatter, each is moved to the first
packet that it caused, and no two to the same. A log that is right, so that what it says comes
shortly before, stays.
"""

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.errors import ArgumentError
from iotflowgen.events.log import EventLog, EventWarning
from iotflowgen.events.onsets import Traffic
from iotflowgen.events.times import iso
from iotflowgen.traffic import Event, Trace

__all__ = ["Aligned", "LogAlignment", "align"]

_S: Final = 10**9


class _Scatter(NamedTuple):
    """How events of a log scatter about a lag that they have in common, nanoseconds."""

    blur_ns: int
    """They come within so long from that lag on, on the whole."""
    early_ns: int
    late_ns: int
    """And as much sooner or later, at most."""


_OF_SECONDS: Final = _Scatter(_S // 2, _S // 2, _S), _Scatter(2 * _S, 3 * _S, 5 * _S)
_OF_MINUTES: Final = (_Scatter(60 * _S, 10 * _S, 70 * _S),)
_REACH_NS: Final = {_OF_SECONDS: 30 * _S, _OF_MINUTES: 300 * _S}
"""By so much may a log be off that tells seconds, or minutes only."""
_LIKELY: Final = 3.0
"""A lag is clear if events show as many times as much there as they usually do by chance."""
_NATS: Final = 10.0
"""And as much at least."""
_EXACT_NS: Final = 500 * 10**6
"""Lags of half of the events scatter by less where a log is exact."""
_REACTION_NS: Final = 2 * _S
"""Within so long does traffic follow its event."""
_BEFORE_NS: Final = 30 * _S
"""Before its first packet, a capture was running for so long, perhaps."""
_HOLE_NS: Final = 3600 * _S
"""A silence may be one of whoever captured, if it is longer, and far longer than others."""
_FEW: Final = 5
"""Events are too few to tell their zone."""
_AT_ONCE: Final = 20
"""Events of a second are too many to tell what each causes."""


@dataclass(frozen=True)
class LogAlignment:
    """How a log was brought in line."""

    log: str
    """Its name."""
    events: Mapping[str, int]
    """How many of each name are of the captures' time."""
    silent: Mapping[str, int]
    """How many of these nothing unusual follows."""
    shift_s: float = 0.0
    """How much later all are taken than they were noted."""
    each_s: tuple[float, float] = (0.0, 0.0)
    """And how much later than that the ones moved least and most."""

    def __str__(self) -> str:
        least, most = self.each_s
        if not self.shift_s and least == most:
            return "as noted"
        each = f", and each by {least:+.1f} to {most:+.1f} s" if least < most else ""
        return f"moved by {self.shift_s:+.1f} s{each}"


@dataclass(frozen=True)
class Aligned:
    """Events of captures, on their clock."""

    events: tuple[Event, ...]
    """In order of time."""
    logs: tuple[LogAlignment, ...]
    """How each log was brought in line."""


def align(logs: Sequence[EventLog], traces: Sequence[Trace]) -> Aligned:
    """Bring logs in line with the traffic.

    Args:
        logs: At least one; no event is taken for two.
        traces: The captures, each with a packet.

    Warns:
        EventWarning: Events are outside of the captures, show nowhere in them, are too many at
            once, seem to be of another zone, or logs disagree.

    Raises:
        ArgumentError: No event of a log is of the captures' time.
    """
    traffic, stretches = Traffic(traces), _stretches(traces)
    found, events = [], []
    for log in logs:
        own, how = _align(log, traffic, stretches)
        events.append(own)
        found.append(how)
    return Aligned(tuple(sorted(_merged(logs, events))), tuple(found))


def _align(
    log: EventLog, traffic: Traffic, stretches: NDArray[np.int64]
) -> tuple[list[Event], LogAlignment]:
    times = np.array([event.time_ns for event in log.events])
    names = np.array([event.name for event in log.events])
    by_name = [times[names == name] for name in np.unique(names)]
    ways = _OF_MINUTES if log.to_minutes else _OF_SECONDS
    reach_ns = _REACH_NS[ways]
    shows = _shows(by_name, traffic, ways, reach_ns) if not log.is_exact else (0, ways[0])
    hours = traffic.hours_off(by_name, reach_ns) if len(times) >= _FEW else 0.0
    inside = _inside(log, times + (shows[0] if shows else 0), stretches, hours)
    times, names = times[inside], names[inside]
    _tell_of_crowds(log.name, times)
    lag, has = np.zeros(len(times), dtype=np.int64), np.ones(len(times), dtype=bool)
    if shows is None:
        zone = f" (but {hours:+g} hours later: are they of another --events-zone?)" if hours else ""
        _warn(f"{log.name}: its events do not show in the traffic{zone}, and are taken as noted")
    else:
        shift_ns, way = shows
        number = np.unique(names, return_inverse=True)[1]
        onsets = traffic.onsets(times, number, shift_ns, *way)
        lag, has = onsets.lag_ns, onsets.has_traffic
    moved = _moved(log, lag, has) if shows else lag
    silent, counts = Counter(names[~has].tolist()), Counter(names.tolist())
    if silent:
        of = ", ".join(f"{many} of {counts[name]} {name}" for name, many in sorted(silent.items()))
        _warn(f"{log.name}: nothing unusual follows {of}")
    common = float(np.median(moved)) / _S
    each = (float(moved.min()) / _S - common, float(moved.max()) / _S - common)
    how = LogAlignment(log.name, dict(counts), dict(silent), round(common, 3), each)
    pairs = zip((times + moved).tolist(), names.tolist(), strict=True)
    return [Event(*pair) for pair in pairs], how


def _shows(
    by_name: Sequence[NDArray[np.int64]],
    traffic: Traffic,
    ways: Sequence[_Scatter],
    reach_ns: int,
) -> tuple[int, _Scatter] | None:
    """By how much all events of a log are best moved, and how they scatter then.

    None where they show nowhere.
    """
    best, found = _NATS, None
    for way in ways:
        scores = [traffic.score(times, reach_ns, way.blur_ns) for times in by_name]
        score, lags = np.sum([each for each, _ in scores], axis=0), scores[0][1]
        if score.max() > max(best, _LIKELY * np.median(score)):
            # of lags that are as good, that which moves least
            best = float(score.max())
            good = lags[score >= best - 1e-9]
            found = int(good[np.abs(good).argmin()]), way
    return found


def _moved(log: EventLog, lag: NDArray[np.int64], has: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How much later each event (N) is taken."""
    if log.is_exact or not has.any():
        return np.zeros_like(lag)
    low, middle, high = np.percentile(lag[has], (25, 50, 75))
    if not log.to_minutes and high - low < _EXACT_NS:
        is_right = low >= -_EXACT_NS / 10 and high <= _REACTION_NS
        return np.zeros_like(lag) if is_right else np.full_like(lag, int(middle))
    return np.where(has, lag, int(middle))


def _inside(
    log: EventLog,
    times: NDArray[np.int64],
    stretches: NDArray[np.int64],
    hours: float,
) -> NDArray[np.bool_]:
    """Which events (N) are of the captures' time; the others are told of."""
    after = np.searchsorted(stretches[:, 1], times)
    # an event comes before its traffic
    first = stretches[np.minimum(after, len(stretches) - 1), 0] - _BEFORE_NS
    inside: NDArray[np.bool_] = (after < len(stretches)) & (times >= first)
    captured = f"captured from {_short(stretches[0, 0])} to {_short(stretches[-1, 1])}"
    if not inside.any():
        zone = f" (they fit {hours:+g} hours later: say --events-zone)" if hours else ""
        raise ArgumentError(
            f"{log.name}: no event is of the time of the captures: they are from "
            f"{_short(times.min())} to {_short(times.max())}, {captured}{zone}",
            "events",
        )
    outside = times[~inside]
    parts = {
        "before the captures": outside < stretches[0, 0],
        "after them": outside > stretches[-1, 1],
    }
    parts["between them, or where nothing was captured"] = ~np.logical_or(*parts.values())
    told = [f"{int(which.sum())} {where}" for where, which in parts.items() if which.any()]
    if told:
        _warn(
            f"{log.name}: {len(outside)} of {len(times)} events are left out, for nothing was "
            f"captured then: {', '.join(told)} ({captured}); the first is of "
            f"{_short(outside.min())}"
        )
    return inside


def _stretches(traces: Sequence[Trace]) -> NDArray[np.int64]:
    """From when to when something was captured (S, 2), in order of time."""
    found: list[tuple[int, int]] = []
    for trace in traces:
        gaps = np.diff(trace.time_ns)
        usual = np.sort(gaps)[-3] if len(gaps) > 2 else 0
        holes = np.flatnonzero(gaps > max(_HOLE_NS, 3 * int(usual)))
        for hole in holes.tolist():
            hours = gaps[hole] / 3600e9
            _warn(
                f"{trace.name} has a hole of {hours:.1f} hours from {_short(trace.time_ns[hole])} "
                "on, in which nothing was captured"
            )
        bounds = [0, *(holes + 1).tolist(), len(trace)]
        for low, high in pairwise(bounds):
            found.append((int(trace.time_ns[low]), int(trace.time_ns[high - 1])))
    return np.array(sorted(found), dtype=np.int64)


def _merged(logs: Sequence[EventLog], events: Sequence[list[Event]]) -> Iterable[Event]:
    """Events of all logs, each once where two logs have it; disagreement is told of."""
    dropped: set[tuple[int, int]] = set()
    for (a, one), (b, other) in combinations(enumerate(events), 2):
        to_minutes = logs[a].to_minutes or logs[b].to_minutes
        near_ns = (_OF_MINUTES if to_minutes else _OF_SECONDS)[-1].late_ns
        # both were noting then
        first = max(one[0].time_ns, other[0].time_ns) - near_ns
        last = min(one[-1].time_ns, other[-1].time_ns) + near_ns
        for name in sorted({e.name for e in one} & {e.name for e in other}):
            mine, theirs = (
                [i for i, e in enumerate(own) if e.name == name and first <= e.time_ns <= last]
                for own in (one, other)
            )
            pairs = _pairs(
                [one[i].time_ns for i in mine], [other[i].time_ns for i in theirs], near_ns
            )
            dropped |= {(b, theirs[j]) for _, j in pairs}
            alone = len(mine) - len(pairs), len(theirs) - len(pairs)
            if any(alone):
                _warn(
                    f"{logs[a].name} and {logs[b].name} disagree: of the events {name}, "
                    f"{len(pairs)} are in both, {alone[0]} in the first and {alone[1]} in the "
                    "second alone; all are taken, those in both once"
                )
    for number, own in enumerate(events):
        yield from (event for i, event in enumerate(own) if (number, i) not in dropped)


def _pairs(one: Sequence[int], other: Sequence[int], near_ns: int) -> list[tuple[int, int]]:
    """Places of times in two sequences, in order, that are near each other."""
    found, i, j = [], 0, 0
    while i < len(one) and j < len(other):
        if abs(one[i] - other[j]) <= near_ns:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif one[i] < other[j]:
            i += 1
        else:
            j += 1
    return found


def _tell_of_crowds(log: str, times: NDArray[np.int64]) -> None:
    seconds, count = np.unique(times // _S, return_counts=True)
    if (most := int(count.max())) > _AT_ONCE:
        when = _short(int(seconds[count.argmax()]) * _S)
        _warn(
            f"{log}: {most} events are of one second ({when}), so that nobody can tell what each "
            "of them causes"
        )


def _short(time_ns: int) -> str:
    return iso(int(time_ns))[:19] + "Z"


def _warn(message: str) -> None:
    warnings.warn(message, EventWarning, stacklevel=4)
