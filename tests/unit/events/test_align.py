"""Logs that are right, late, of minutes, of another zone, of other times; and several of them."""

import warnings

import numpy as np
import pytest

from iotflowgen.errors import ArgumentError
from iotflowgen.events import EventLog, EventWarning, align
from iotflowgen.traffic import Event
from tests.unit.events.home import BEGIN_NS, S, captured, pressed


def log_of(events, name="events.csv", **how):
    return EventLog(name, tuple(sorted(events)), **how)


def later(events, shift_ns):
    return [Event(event.time_ns + shift_ns, event.name) for event in events]


def off(aligned, events):
    """How far events are from where they really were, in seconds, at most."""
    pairs = zip(aligned.events, events, strict=True)
    return max(abs(one.time_ns - other.time_ns) for one, other in pairs) / S


def test_a_log_that_is_right_stays_as_it_is():
    events = pressed(40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        aligned = align([log_of(events)], [captured(events)])
    assert aligned.events == tuple(events)
    assert str(aligned.logs[0]) == "as noted"
    assert aligned.logs[0].events == {"on": 20, "off": 20}


@pytest.mark.parametrize("late_s", [-12.0, 3.5, 21.0])
def test_a_log_whose_clock_is_off_is_moved_as_a_whole(late_s):
    events = pressed(40)
    noted = later(events, int(late_s * S))
    aligned = align([log_of(noted)], [captured(events)])
    assert off(aligned, events) < 0.3
    assert aligned.logs[0].shift_s == pytest.approx(-late_s, abs=0.3)
    assert "moved by" in str(aligned.logs[0])


def test_events_that_scatter_are_moved_each():
    events, rng = pressed(60), np.random.default_rng(1)
    noted = [Event(e.time_ns + int(rng.uniform(-2, 2) * S), e.name) for e in events]
    aligned = align([log_of(noted)], [captured(events)])
    assert off(aligned, events) < 0.3
    assert "and each by" in str(aligned.logs[0])


def test_minutes_are_found_within_their_minute():
    events = pressed(60, every_s=300)
    noted = [Event(e.time_ns // (60 * S) * 60 * S, e.name) for e in events]
    aligned = align([log_of(noted, to_minutes=True)], [captured(events)])
    assert off(aligned, events) < 0.3


def test_events_of_a_minute_are_of_different_traffic():
    several = pressed(20, every_s=600)
    events = [Event(e.time_ns + i * 17 * S, e.name) for e in several for i in range(3)]
    noted = [Event(e.time_ns // (60 * S) * 60 * S, e.name) for e in events]
    with pytest.warns(EventWarning, match="nothing unusual follows"):  # some at a minute's end
        aligned = align([log_of(noted, to_minutes=True)], [captured(events)])
    pairs = zip(aligned.events, events, strict=True)
    right = [abs(one.time_ns - other.time_ns) < 0.3 * S for one, other in pairs]
    assert np.mean(right) > 0.9


def test_an_event_without_traffic_is_kept_and_told_of():
    events = pressed(40)
    ghost = Event(events[20].time_ns + 10 * S, "on")
    with pytest.warns(EventWarning, match="nothing unusual follows 1 of 21 on"):
        aligned = align([log_of([*events, ghost])], [captured(events)])
    assert ghost in aligned.events
    assert aligned.logs[0].silent == {"on": 1}


def test_events_outside_of_the_captures_are_told_of():
    events = pressed(40)
    early = Event(BEGIN_NS - 3600 * S, "on")
    late = Event(events[-1].time_ns + 3600 * S, "off")
    with pytest.warns(EventWarning, match="2 of 42 events are left out.*1 before.*1 after"):
        aligned = align([log_of([early, *events, late])], [captured(events)])
    assert aligned.events == tuple(events)


def test_a_log_of_another_week_is_refused():
    events = pressed(40)
    with pytest.raises(ArgumentError, match="no event is of the time of the captures"):
        align([log_of(later(events, 9 * 86_400 * S))], [captured(events)])


def test_a_log_of_another_zone_is_told_which():
    events = pressed(300)
    left_out = pytest.warns(EventWarning, match="left out")
    with left_out, pytest.warns(EventWarning, match=r"but \+2 hours later: are they of another"):
        align([log_of(later(events, -2 * 3600 * S))], [captured(events)])
    with pytest.raises(ArgumentError, match=r"they fit \+7 hours later: say --events-zone"):
        align([log_of(later(events, -7 * 3600 * S))], [captured(events)])


def test_a_hole_of_a_day_is_told_of_and_its_events_left_out():
    events = pressed(400, every_s=600)
    hole = (events[100].time_ns - S, events[100].time_ns + 86_400 * S)
    with pytest.warns(EventWarning) as told:
        aligned = align([log_of(events)], [captured(events, hole=hole)])
    said = " ".join(str(each.message) for each in told)
    assert "has a hole of 24.0 hours" in said
    assert "or where nothing was captured" in said
    assert not any(hole[0] + 60 * S < e.time_ns < hole[1] - 60 * S for e in aligned.events)
    assert len(aligned.events) > 200


def test_a_capture_that_starts_in_the_middle_has_the_events_from_there_on():
    events = pressed(40)
    trace = captured(events)
    middle = int(np.searchsorted(trace.time_ns, events[20].time_ns))
    with pytest.warns(EventWarning, match="20 of 40 events are left out.*20 before the captures"):
        aligned = align([log_of(events)], [trace[slice(middle, None)]])
    assert aligned.events == tuple(events[20:])


def test_thousands_at_once_are_told_of_and_kept():
    events = pressed(40)
    crowd = [Event(events[20].time_ns + i, "on") for i in range(3000)]
    unanswered = pytest.warns(EventWarning, match="nothing unusual follows 29.. of 3020 on")
    with unanswered, pytest.warns(EventWarning, match="events are of one second"):
        aligned = align([log_of([*events, *crowd])], [captured(events)])
    assert len(aligned.events) == 3040


def test_logs_that_disagree_are_told_of_and_taken_together():
    events = pressed(40)
    some = [*events[:9], *events[10:]], [*events[:20], *events[22:]]
    said = "a and b disagree: of the events on, 19 are in both, 1 in the first and 0 in the second"
    with pytest.warns(EventWarning, match="disagree") as told:
        aligned = align([*map(log_of, some, "ab")], [captured(events)])
    assert len(aligned.events) == 40
    assert said in str([str(each.message) for each in told])


def test_a_log_that_has_nothing_to_do_with_the_traffic_is_told_of():
    events, rng = pressed(60), np.random.default_rng(3)
    trace = captured(events)
    chance = rng.integers(trace.time_ns[0], trace.time_ns[-1], size=30).tolist()
    with pytest.warns(EventWarning, match="do not show in the traffic"):
        aligned = align([log_of([Event(t, "rain") for t in chance])], [trace])
    assert [event.time_ns for event in aligned.events] == sorted(chance)
