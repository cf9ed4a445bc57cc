import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.evaluation import cross_validate, cross_validate_groups
from tests.unit.evaluation.adversaries import Oracle, Separation, windows_of


def rng(seed=0):
    return np.random.default_rng(seed)


def test_figures_by_hand():
    # of the real 3 in 4 are told right, of the synthetic all; 11 of 16 pairs are in order
    real, synthetic = windows_of([10, 20, 30, 90]), windows_of([60, 70, 80, 95])
    found = cross_validate(Oracle, real, synthetic, rng(), folds=2)
    assert found.adversary == "oracle"
    assert found.mean == pytest.approx(7 / 8)
    assert sorted(found.accuracy) == pytest.approx([3 / 4, 1])
    whole = cross_validate_groups(
        Oracle, real, synthetic, rng(), groups=(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]))
    )
    assert sorted(whole.accuracy) == pytest.approx([3 / 4, 1])
    # {10, 20 | 60, 70} in order, {30, 90 | 80, 95} but for 90 before 80
    assert whole.roc_auc == pytest.approx((1 + 3 / 4) / 2)


@pytest.mark.parametrize(("lengths", "figure"), [((0, 99), 1), ((99, 0), 0)])
def test_all_right_and_all_wrong(lengths, figure):
    found = cross_validate(Oracle, *(windows_of([length] * 20) for length in lengths), rng())
    assert (found.mean, found.roc_auc, found.interval) == (figure, figure, (figure, figure))
    assert found.accuracy == (figure,) * 5


groupings = st.lists(st.integers(0, 6), min_size=12, max_size=12).filter(lambda g: len(set(g)) > 1)


@given(groupings, groupings, st.sampled_from([1, 99]))
def test_a_guess_is_worth_a_half_however_uneven_the_folds(first, second, guess):
    same = windows_of([guess] * 12)
    found = cross_validate_groups(
        Oracle, same, same, rng(), groups=(np.array(first), np.array(second))
    )
    assert found.mean == 0.5
    assert found.interval == (0.5, 0.5)
    assert found.roc_auc == 0.5
    assert set(found.accuracy) == {0.5}
    assert len(found.accuracy) == min(5, len(set(first)), len(set(second)))


@given(groupings, groupings)
def test_groups_are_never_on_both_sides(first, second):
    real, synthetic = (np.array(group) + offset for group, offset in ((first, 0), (second, 50)))
    cross_validate_groups(
        Separation,
        windows_of(real),
        windows_of(synthetic),
        rng(),
        groups=(real, synthetic),
    )


def test_folds_are_even_where_groups_are_of_the_same_sizes():
    groups = np.repeat(np.arange(8), [1, 2, 3, 4, 30, 6, 7, 8])
    dealt = rng().permutation(groups)
    sizes = []

    class Counts(Oracle):
        def fit(self, windows, synthetic):
            sizes.append((int(synthetic.sum()), int((~synthetic).sum())))
            return self

    blank = windows_of([50] * len(groups))
    cross_validate_groups(Counts, blank, blank, rng(), groups=(groups, dealt))
    assert len(sizes) == 5
    assert all(real == synthetic for real, synthetic in sizes)


def test_the_interval_covers_what_other_captures_would_have_given():
    """Whole captures are told right or wrong: windows are no independent tosses."""
    captures, each, truth = 25, 12, 0.7
    capture = np.repeat(np.arange(captures), each)
    covered = {"captures": 0, "windows": 0}
    trials = 100
    for trial in range(trials):
        draw = rng(trial)
        right = (draw.random(captures) < truth)[capture]
        # the synthetic ones are told right as often, one by one
        other = draw.random(len(capture)) < truth
        pair = windows_of(np.where(right, 1, 99)), windows_of(np.where(other, 99, 1))
        for name, groups in (("captures", capture), ("windows", None)):
            low, high = cross_validate(Oracle, *pair, draw, captures=groups, folds=2).interval
            covered[name] += low <= truth <= high
    assert covered["captures"] > 0.85 * trials
    assert covered["windows"] < 0.75 * trials


def test_one_capture_alone_still_has_an_interval():
    draw = rng()
    pair = (windows_of(draw.integers(100, size=60)) for _ in range(2))
    found = cross_validate(Oracle, *pair, draw, captures=np.zeros(60, dtype=int))
    assert found.interval[0] < found.mean < found.interval[1]


def test_repeats_with_the_seed_and_is_plain_json():
    draw = rng()
    real, synthetic = (windows_of(draw.integers(100, size=33)) for _ in range(2))
    first, again, other = (cross_validate(Oracle, real, synthetic, rng(s)) for s in (1, 1, 2))
    assert first == again
    assert first != other
    assert first.mean == other.mean  # the oracle learns nothing, so folds decide nothing
    assert json.loads(json.dumps(asdict(first), allow_nan=False))["mean"] == first.mean


def test_what_cannot_be_cross_validated_is_refused():
    two, one = windows_of([1] * 20), windows_of([1] * 10)
    with pytest.raises(ValueError, match="20 real and 10 synthetic"):
        cross_validate(Oracle, two, one, rng())
    groups = (np.zeros(20, dtype=int), np.arange(20))
    with pytest.raises(ValueError, match="two groups"):
        cross_validate_groups(Oracle, two, two, rng(), groups=groups)
