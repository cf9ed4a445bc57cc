"""Packet-level signatures of events, in the sense of PingPong.

What a user does makes a device and its peers exchange packets of telling lengths, and a signature
of these betrays, behind encryption, that it was done (Trimananda, Varmarken, Markopoulou and
Demsky, NDSS 2020). Found on labelled events of G, signatures are matched on H and on generated
traffic: how many events they recall, and how often they match where there was none.

As there, a pair is two packets in a row of a connection that carry payload, in opposite directions,
and pairs of about the same lengths in the time after events are found by DBSCAN. Deviations: a
pair counts that follows most events, not nearly all, for logs of events are not exact; it has to be
rare where no event is; and pairs have to come together, in no fixed order.

Shapes: P packets, Q pairs of packets, V events.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.traffic import Event, Trace, flow_of

__all__ = ["EventSignature", "Matches", "event_signatures", "matched"]

_WINDOW_NS: Final = 15 * 10**9
"""After an event, in which its packets come; as in the paper."""
_BEFORE_NS: Final = 2 * 10**9
"""And before it, for the clock of a log may be late."""
_DISTANCE: Final = 10.0
"""Bytes up to which lengths of two pairs are neighbours; as in the paper."""
_MOSTLY: Final = 0.6
"""Of events that a pair follows, so that it is of their signature."""
_RARE: Final = 0.1
"""Of windows without an event, relative to those of events, that may have such a pair."""
_KEPT: Final = 0.95
"""Of the events that a signature recalls, so that another pair is added."""
_MOST: Final = 3
"""Pairs of a signature."""
_LEAST: Final = 5
"""Events that one is learnt from."""
_IDLE_NS: Final = 60 * 10**9
"""Time that is so far from every event is idle."""


class _Pair(NamedTuple):
    """Two packets in a row, in opposite directions, with ranges of lengths, both ends included."""

    outgoing: bool
    """Whether the device sends the first."""
    shortest: tuple[int, int]
    longest: tuple[int, int]


class EventSignature(NamedTuple):
    """Pairs of packets that follow an event, all of them within its time."""

    event: str
    pairs: tuple[_Pair, ...]


class Matches(NamedTuple):
    """What signatures say of a stretch of traffic."""

    events: int
    """Of names that have a signature."""
    recalled: int
    """Of these, where the signature of that name matches."""
    false: int
    """Matches in idle time."""
    idle_hours: float

    @property
    def recall(self) -> float | None:
        """Share of events."""
        return self.recalled / self.events if self.events else None

    @property
    def false_an_hour(self) -> float | None:
        """Matches an hour of idle time."""
        return self.false / self.idle_hours if self.idle_hours else None


class _Pairs(NamedTuple):
    """Pairs of a capture (Q), in order of time."""

    time_ns: NDArray[np.int64]
    outgoing: NDArray[np.bool_]
    lengths: NDArray[np.int64]
    """(Q, 2)"""


def event_signatures(trace: Trace, events: Sequence[Event]) -> list[EventSignature]:
    """Signatures of events in a capture, of each name that has one."""
    pairs = _pairs(trace)
    idle_ns = _idle_starts(trace, events)
    found = []
    for name in sorted({event.name for event in events}):
        times = np.array([event.time_ns for event in events if event.name == name])
        if len(times) < _LEAST:
            continue
        chosen: tuple[_Pair, ...] = ()
        recall, false = 0.0, 1.0
        for pair in _telling(pairs, times, idle_ns)[:_MOST]:
            at = _matches(pairs, EventSignature(name, (*chosen, pair)))
            after, idle = (float(_any_within(at, of).mean()) for of in (times, idle_ns))
            # one more pair has to say more, and to lose next to no event
            if idle < false and after >= _KEPT * recall:
                chosen, recall, false = (*chosen, pair), after, idle
        if chosen:
            found.append(EventSignature(name, chosen))
    return found


def matched(
    signatures: Iterable[EventSignature], trace: Trace, events: Sequence[Event]
) -> Mapping[str, Matches]:
    """What signatures find in a capture whose events are known, by the name of the event."""
    pairs = _pairs(trace)
    all_ns = np.sort(np.array([event.time_ns for event in events], dtype=np.int64))
    found = {}
    for signature in signatures:
        at = _matches(pairs, signature)
        times = np.array([e.time_ns for e in events if e.name == signature.event], dtype=np.int64)
        found[signature.event] = Matches(
            events=len(times),
            recalled=int(np.count_nonzero(_any_within(at, times))),
            false=len(_apart(at[_distance(at, all_ns) > _IDLE_NS])),
            idle_hours=_idle_hours(trace, all_ns),
        )
    return found


def _telling(pairs: _Pairs, times: NDArray[np.int64], idle_ns: NDArray[np.int64]) -> list[_Pair]:
    """Pairs that follow most events (V), and are rare otherwise; the most telling first."""
    scored = []
    for pair in _clusters(pairs, times):
        at = pairs.time_ns[_fits(pairs, pair)]
        after, idle = (float(_any_within(at, of).mean()) for of in (times, idle_ns))
        if after >= _MOSTLY and idle <= _RARE * after:
            scored.append((idle - after, pair))
    return [pair for _, pair in sorted(scored)]


def _pairs(trace: Trace) -> _Pairs:
    """Packets in a row of a connection, both with payload, in opposite directions."""
    rows = np.flatnonzero(trace.tcp_payload > 0)
    flow = flow_of(trace)[rows]
    order = np.argsort(flow, kind="stable")
    rows, flow = rows[order], flow[order]
    first = np.flatnonzero(
        (np.diff(flow) == 0) & (trace.outgoing[rows[1:]] != trace.outgoing[rows[:-1]])
    )
    one, other = rows[first], rows[first + 1]
    by_time = np.argsort(trace.time_ns[one], kind="stable")
    one, other = one[by_time], other[by_time]
    lengths = np.column_stack([trace.length[one], trace.length[other]]).astype(np.int64)
    return _Pairs(trace.time_ns[one], trace.outgoing[one], lengths)


def _clusters(pairs: _Pairs, times: NDArray[np.int64]) -> list[_Pair]:
    """Pairs of about the same lengths that come after many events (V)."""
    from sklearn.cluster import DBSCAN  # noqa: PLC0415 - takes a second

    near = _any_before(pairs.time_ns, np.sort(times))
    found = []
    for outgoing in (True, False):
        lengths = pairs.lengths[near & (pairs.outgoing == outgoing)]
        if not len(lengths):
            continue
        least = max(2, round(_MOSTLY * len(times)))
        labels = DBSCAN(eps=_DISTANCE, min_samples=least).fit_predict(lengths)
        for label in range(labels.max() + 1):
            own = lengths[labels == label]
            shortest, longest = own.min(axis=0).tolist(), own.max(axis=0).tolist()
            found.append(_Pair(outgoing, tuple(shortest), tuple(longest)))
    return found


def _fits(pairs: _Pairs, pair: _Pair) -> NDArray[np.bool_]:
    """Which pairs (Q) are of a kind."""
    inside = (pairs.lengths >= pair.shortest) & (pairs.lengths <= pair.longest)
    fits: NDArray[np.bool_] = inside.all(axis=1) & (pairs.outgoing == pair.outgoing)
    return fits


def _matches(pairs: _Pairs, signature: EventSignature) -> NDArray[np.int64]:
    """When all pairs of a signature come together, in order of time."""
    at = [pairs.time_ns[_fits(pairs, pair)] for pair in signature.pairs]
    first = at[0]
    for other in at[1:]:
        first = first[_distance(first, other) <= _WINDOW_NS]
    return first


def _apart(at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of matches one a window's time at most."""
    kept: list[int] = []
    for time_ns in at.tolist():
        if not kept or time_ns - kept[-1] > _WINDOW_NS:
            kept.append(time_ns)
    return np.array(kept, dtype=np.int64)


def _any_within(at: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether something in `at`, in order, comes in the time of each event (V)."""
    first, last = (np.searchsorted(at, times + of) for of in (-_BEFORE_NS, _WINDOW_NS))
    comes: NDArray[np.bool_] = last > first
    return comes


def _any_before(at: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each of `at` comes in the time of an event, of those in order (V)."""
    first, last = (np.searchsorted(times, at + of) for of in (-_WINDOW_NS, _BEFORE_NS))
    comes: NDArray[np.bool_] = last > first
    return comes


def _distance(at: NDArray[np.int64], to: NDArray[np.int64]) -> NDArray[np.int64]:
    """Nanoseconds from each time to the nearest of others, in order; very many where none is."""
    far = np.full(len(at), 2**62)
    if not len(to):
        return far
    after = np.searchsorted(to, at)
    later = np.where(after < len(to), np.abs(to[np.minimum(after, len(to) - 1)] - at), far)
    earlier = np.where(after > 0, np.abs(at - to[np.maximum(after, 1) - 1]), far)
    nearest: NDArray[np.int64] = np.minimum(later, earlier)
    return nearest


def _idle_starts(trace: Trace, events: Sequence[Event]) -> NDArray[np.int64]:
    """When windows begin that are far from every event."""
    starts = np.arange(trace.time_ns[0], trace.time_ns[-1], _WINDOW_NS)
    all_ns = np.sort(np.array([event.time_ns for event in events], dtype=np.int64))
    return starts[_distance(starts, all_ns) > _IDLE_NS]


def _idle_hours(trace: Trace, all_ns: NDArray[np.int64]) -> float:
    """Hours of a capture that are far from every event."""
    starts = np.arange(trace.time_ns[0], trace.time_ns[-1], 10**9)
    return float(np.count_nonzero(_distance(starts, all_ns) > _IDLE_NS)) / 3600
