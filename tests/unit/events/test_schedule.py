"""Schedules: days, hours, rates, and clocks that change."""

from datetime import UTC, datetime, timedelta
from itertools import takewhile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from iotflowgen.errors import ArgumentError
from iotflowgen.events import EventWarning, Schedule, iso, nanoseconds
from iotflowgen.events.schedule import Habit

S = 10**9


def drawn(start, days, *habits, zone="Europe/Berlin", seed=(0,)):
    start_ns = nanoseconds(datetime.fromisoformat(start))
    end_ns = start_ns + int(timedelta(days=days).total_seconds()) * S
    schedule = Schedule(zone=zone, events=habits)
    return [*takewhile(lambda event: event.time_ns < end_ns, schedule.draw(start_ns, seed))]


def test_times_are_those_of_the_zone_on_the_days_that_are_said():
    found = drawn(
        "2026-01-05T00:00+00:00", 14, {"event": "on", "at": "18:30", "days": ["mon", "sun"]}
    )
    assert [iso(event.time_ns)[:16] for event in found] == [
        "2026-01-05T17:30",
        "2026-01-11T17:30",
        "2026-01-12T17:30",
        "2026-01-18T17:30",
    ]


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)]
)
def test_a_day_is_as_long_as_its_clocks_say(day, hours):
    habit = {"event": "on", "per_hour": 600}
    berlin = "+01:00" if day < "2026-03-30" else "+02:00"
    n = len(drawn(f"{day}T00:00{berlin}", hours / 24, habit))
    after = len(drawn(f"{day}T00:00{berlin}", hours / 24 + 1, habit)) - n
    assert n == pytest.approx(600 * hours, rel=0.04)
    assert after == pytest.approx(600 * 24, rel=0.04)


@pytest.mark.parametrize(
    ("day", "said", "at"),
    [
        ("2026-03-29", "there is no 02:30:00 on 2026-03-29", "2026-03-29T01:30"),
        ("2026-10-25", "02:30:00 comes twice on 2026-10-25", "2026-10-25T00:30"),
    ],
)
def test_a_time_that_clocks_skip_or_repeat_happens_once_and_is_told_of(day, said, at):
    with pytest.warns(EventWarning, match=said):
        found = drawn(f"{day}T00:00+00:00", 1, {"event": "on", "at": "02:30"})
    assert [iso(event.time_ns)[:16] for event in found] == [at]


def test_hours_may_go_on_after_midnight():
    found = drawn(
        "2026-01-05T00:00+00:00",
        2,
        {"event": "on", "hours": "23:00-01:00", "per_hour": 500},
        zone="UTC",
    )
    hours = {iso(event.time_ns)[11:13] for event in found}
    assert hours == {"23", "00"}
    assert len(found) == pytest.approx(2000, rel=0.15)


@given(st.integers(0, 5), st.integers(0, 10**6))
def test_a_day_is_the_same_whenever_drawing_begins(days, seed):
    habits = {"event": "a", "at": "12:00", "jitter": "12h"}, {"event": "b", "per_hour": 0.5}
    start = datetime(2026, 1, 5, tzinfo=UTC)
    whole = drawn(start.isoformat(), 7, *habits, seed=(seed,))
    part = drawn((start + timedelta(days=days)).isoformat(), 7 - days, *habits, seed=(seed,))
    first_ns = nanoseconds(start + timedelta(days=days))
    assert part == [event for event in whole if event.time_ns >= first_ns]
    assert whole == sorted(whole)


def test_jitter_is_even_and_bounded():
    found = drawn(
        "2026-01-05T00:00+00:00", 300, {"event": "on", "at": "12:00", "jitter": "30m"}, zone="UTC"
    )
    minutes = np.array([(event.time_ns // S % 86_400 - 43_200) / 60 for event in found])
    assert len(found) == 300
    assert np.abs(minutes).max() <= 30
    assert np.abs(minutes).mean() == pytest.approx(15, abs=2)


def test_a_rate_of_nothing_ends():
    assert drawn("2026-01-05T00:00+00:00", 7, {"event": "on", "per_hour": 0}) == []


def test_each_device_has_what_it_knows_and_what_is_said_of_it():
    habits = (
        Habit(event="on", at="07:00"),
        Habit(event="motion", at="08:00"),
        Habit(event="off", at="09:00", decoy="hall"),
    )
    schedule = Schedule(events=habits)
    assert [each.event for each in schedule.of(["on", "off"], "hall").events] == ["on", "off"]
    assert [each.event for each in schedule.of(["on", "off"], "desk").events] == ["on"]
    with pytest.raises(ArgumentError, match="'off' is no event that the model knows: on"):
        schedule.of(["on"], "hall")
    with pytest.raises(ArgumentError, match="'motion' is no event"):
        schedule.of(["on", "off"])


@pytest.mark.parametrize(
    "habit",
    [
        {"at": "7:00"},
        {"at": "24:00"},
        {"at": "07:00", "per_hour": 1},
        {},
        {"per_hour": -1},
        {"per_hour": 1, "hours": "7-9"},
        {"at": "07:00", "days": "monday"},
        {"at": "07:00", "jitter": "13h"},
        {"at": "07:00", "when": "never"},
    ],
)
def test_what_cannot_be_is_refused(habit):
    with pytest.raises(ValidationError):
        Habit.model_validate({"event": "on", **habit})
