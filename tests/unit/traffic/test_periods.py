import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iotflowgen.traffic import find_bursts, find_periods, service_name
from tests.unit.homes import clock, poisson, week


@settings(max_examples=40)
@given(
    period=st.floats(2, 7200),
    beats=st.integers(60, 2000),
    jitter=st.floats(0, 0.02),
    missed=st.floats(0, 0.1),
    others=st.floats(0, 0.2),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_planted_period_is_found(period, beats, jitter, missed, others, seed):
    rng = np.random.default_rng(seed)
    at = np.cumsum(period * (1 + jitter * rng.normal(size=beats)))
    at = at[rng.random(beats) >= missed]
    noise = rng.uniform(at[0], at[-1], int(others * beats))
    found = find_periods(np.sort(np.concatenate([at, noise])))
    assert any(abs(each.seconds / period - 1) < 0.02 for each in found)


def test_what_is_said_of_a_period_is_what_was_planted():
    rng = np.random.default_rng(0)
    at = np.arange(5000) * 60 + rng.normal(scale=0.5, size=5000)
    (found,) = find_periods(at[rng.random(5000) > 0.1])
    assert found.seconds == pytest.approx(60, rel=1e-3)
    assert found.jitter == pytest.approx(0.5 * np.sqrt(2), rel=0.1)  # of an interval: of both ends
    assert found.missed == pytest.approx(0.1, abs=0.02)
    assert abs(found.drift) < 1e-3
    slower = np.cumsum(np.linspace(60, 61, 5000))
    (found,) = find_periods(slower)
    assert found.drift == pytest.approx(0.75 / 60, rel=0.1)  # between the middles of two quarters


def test_two_periods_of_one_service_are_both_found():
    rng = np.random.default_rng(1)
    at = np.sort(np.concatenate([clock(rng, 60, 100, 0.01), clock(rng, 1800, 100, 0.001)]))
    seconds = [each.seconds for each in find_periods(at)]
    assert any(abs(each / 60 - 1) < 0.01 for each in seconds)


def test_chance_has_no_period():
    rng = np.random.default_rng(2)
    found = [bool(find_periods(poisson(rng, per_hour, 168))) for per_hour in (0.1, 1, 3, 10) * 25]
    assert np.mean(found) <= 0.03


@pytest.mark.parametrize("starts", [[], [5.0], [1.0, 1.0], [7.0] * 30])
def test_too_little_has_no_period(starts):
    assert find_periods(np.array(starts)) == []


def test_a_burst_begins_where_its_flow_was_silent():
    trace = week(np.random.default_rng(3), 4, {443: np.array([1, 100, 500.0]), 123: [2.0, 2.5, 9]})
    bursts = find_bursts(trace)
    starts = {
        service_name(int(service)): int(np.sum(bursts.begins & (bursts.service == service)))
        for service in np.unique(bursts.service)
    }
    assert starts == {"tcp 443": 3, "udp 123": 2}
