import numpy as np
import pytest

from iotflowgen.adversaries import Rhythm, RhythmOfMinutes
from iotflowgen.errors import EvaluationError, TooShort
from iotflowgen.evaluation import as_many_stretches, long_trials
from iotflowgen.traffic import cut_stretches
from tests.unit.homes import HOUR_NS, clock, poisson, week


def rng(seed=0):
    return np.random.default_rng(seed)


def services(random, period=60.0, hours=168):
    return {443: poisson(random, 6, hours), 8883: clock(random, period, hours, 0.01)}


@pytest.fixture(scope="module")
def trial():
    real = week(rng(1), services=services(rng(1)))
    return long_trials("held-out", [real], HOUR_NS, rng(), splits=1)[0]


def told(trial, other, make=Rhythm):
    (found,) = as_many_stretches([trial], [other], rng())
    return trial.attack(make, found)


def test_two_halves_of_one_process_are_told_by_chance(trial):
    control = trial.attack_control(Rhythm)
    assert abs(control.mean - 0.5) < 0.12
    assert control.interval[0] <= 0.5 <= control.interval[1]
    again = week(rng(2), services=services(rng(2)))
    assert told(trial, again).mean - control.mean < 0.12


def test_another_period_is_found_out(trial):
    slower = week(rng(3), services=services(rng(3), period=66.0))
    assert told(trial, slower).mean > 0.95


def test_an_hour_whose_packets_come_in_another_order_of_time_is_found_out(trial):
    """As many packets, as long, of the same services; only when they come is at random."""
    random = rng(4)
    count = {port: len(at) for port, at in services(random).items()}
    shuffled = {port: np.sort(random.uniform(0, 168 * 3600, n)) for port, n in count.items()}
    assert told(trial, week(random, services=shuffled)).mean > 0.95


def test_what_happens_at_other_hours_of_the_day_is_found_out():
    def by_day(random, busy):
        hour = np.arange(168)
        many = [random.poisson(30 if (h % 24 in busy) else 1) for h in hour]
        return np.sort(random.uniform(0, 3600, sum(many)) + 3600 * np.repeat(hour, many))

    real = week(rng(5), services={443: by_day(rng(5), range(8, 20))})
    trial = long_trials("held-out", [real], HOUR_NS, rng(), splits=1)[0]
    same = week(rng(6), services={443: by_day(rng(6), range(8, 20))})
    night = week(rng(7), services={443: by_day(rng(7), [*range(8), *range(20, 24)])})
    assert told(trial, night).mean > 0.75
    assert told(trial, same).mean < 0.65


def test_minutes_are_looked_at_as_hours_are():
    random = rng(8)
    real = week(random, hours=100, services=services(random, hours=100))
    slower = week(random, hours=100, services=services(random, period=66.0, hours=100))
    trial = long_trials("held-out", [real], RhythmOfMinutes.stretch_ns, rng(), splits=1)[0]
    assert told(trial, slower, RhythmOfMinutes).mean > 0.9


def test_hours_without_packets_are_no_error(trial):
    quiet = week(rng(9), services={443: np.array([0.0, 167 * 3600.0])})
    found, _ = cut_stretches([quiet], HOUR_NS)
    labels = np.arange(len(found)) % 2 == 0
    assert np.isfinite(Rhythm().fit(found, labels).score(found)).all()
    with pytest.raises(EvaluationError, match="one kind only"):
        Rhythm().fit(found, ~labels & labels)


def test_the_first_days_are_told_from_the_last_and_the_other_way_round():
    capture = week(rng(10))
    first, second = long_trials("held-out", [capture], HOUR_NS, rng())
    assert first.train[0].time_ns[-1] < first.unseen[0].time_ns[0]
    assert second.train[0].time_ns[0] > second.unseen[0].time_ns[-1]
    assert len(np.unique(first.capture)) >= 3
    assert len(first.real) == len(first.control) == len(first.dealt)
    (paper,) = long_trials("paper", [capture], HOUR_NS, rng())
    assert not np.isin(paper.real.start_ns, paper.control.start_ns).any()


def test_whole_captures_are_kept_together_where_there_are_enough():
    captures = [week(rng(i), hours=30) for i in range(5)]
    trial, *_ = long_trials("held-out", captures, HOUR_NS, rng())
    assert not np.isin(trial.capture, trial.control_capture).any()
    assert {len(trial.train), len(trial.unseen)} == {2, 3}


def test_what_is_too_short_is_refused_with_what_to_do():
    with pytest.raises(TooShort, match="capture for days"):
        long_trials("held-out", [week(rng(), hours=30)], HOUR_NS, rng())
    with pytest.raises(TooShort, match="5 folds need one each"):
        long_trials("paper", [week(rng(), hours=7)], HOUR_NS, rng())
    trial, *_ = long_trials("held-out", [week(rng())], HOUR_NS, rng())
    with pytest.raises(TooShort, match="generate more of it"):
        as_many_stretches([trial], [week(rng(), hours=20)], rng())
