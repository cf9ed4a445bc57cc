from dataclasses import replace

import numpy as np
import pytest

from iotflowgen.errors import EvaluationError
from iotflowgen.evaluation import typical_day
from iotflowgen.evaluation.long_run import (
    EventClassifier,
    event_signatures,
    idle_moments,
    matched,
)
from iotflowgen.traffic import Event
from tests.unit.homes import START_NS, clock, week

HOURS = 60


def home(seed, *, answers=True, each=30):
    """A device with a beacon that exchanges telling lengths after `on` and after `off`."""
    rng = np.random.default_rng(seed)
    at = np.sort(rng.uniform(600, HOURS * 3600 - 600, 2 * each))
    names = ["on", "off"] * each
    said = {
        8883: clock(rng, 60, HOURS, 0.01),
        **{
            port: np.array([t + 0.5 for t, name in zip(at, names, strict=True) if name == of])
            for port, of in ((4001, "on"), (4044, "off"))
            if answers
        },
    }
    trace = week(rng, services=said)
    trace = replace(trace, tcp_payload=(trace.length - 60).astype(np.int32))
    events = [
        Event(START_NS + int(t * 1e9), name) for t, name in zip(at.tolist(), names, strict=True)
    ]
    return trace, events


def test_signatures_of_one_capture_recall_the_events_of_another():
    signatures = event_signatures(*home(0))
    assert [each.event for each in signatures] == ["off", "on"]
    found = matched(signatures, *home(1))
    for match in found.values():
        assert match.events == 30
        assert match.recall > 0.85
        assert match.false_an_hour < 0.05
        assert 50 < match.idle_hours < HOURS


def test_what_does_not_answer_is_not_recalled_and_what_answers_unasked_matches_falsely():
    signatures = event_signatures(*home(0))
    deaf, events = home(2, answers=False)
    assert all(match.recalled == 0 for match in matched(signatures, deaf, events).values())
    busy, _ = home(3)
    for match in matched(signatures, busy, []).values():
        assert match.recall is None
        assert match.false == pytest.approx(30, abs=5)


def test_a_beacon_is_no_signature():
    trace, events = home(4, answers=False)
    assert event_signatures(trace, events) == []
    assert event_signatures(trace, events[:4]) == []


def test_a_classifier_knows_events_of_another_capture_and_not_those_that_do_not_show():
    (trace, events), (other, others) = home(5), home(6)
    rng = np.random.default_rng(0)
    forest = EventClassifier().fit(trace, [*events, *idle_moments(trace, events, 40, rng)])
    assert forest.names == ("idle", "off", "on")
    assert forest.score(other, [*others, *idle_moments(other, others, 40, rng)]) > 0.95
    deaf, unheard = home(7, answers=False)
    assert forest.score(deaf, [*unheard, *idle_moments(deaf, unheard, 40, rng)]) < 0.5
    assert forest.score(other, [Event(START_NS, "unknown")]) is None
    with pytest.raises(EvaluationError, match="too few"):
        EventClassifier().fit(trace, events[:4])


def test_idle_moments_are_far_from_events():
    trace, events = home(8)
    times = np.array([event.time_ns for event in events])
    for moment in idle_moments(trace, events, 50, np.random.default_rng(0)):
        assert np.abs(times - moment.time_ns).min() > 60 * 10**9


def test_a_day_shows_in_which_minutes_each_service_begins():
    day = typical_day([week(np.random.default_rng(9), 100)])
    assert [*day.starts] == ["tcp 8883", "tcp 443", "udp 123"]
    assert len(day.starts["udp 123"]) == pytest.approx(144, abs=2)
    assert all(0 <= minute < 1440 for each in day.starts.values() for minute in each)
    assert typical_day([week(np.random.default_rng(9), 20)]) is None
