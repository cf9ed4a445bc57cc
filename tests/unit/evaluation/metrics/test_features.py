import numpy as np
import pytest
from hypothesis import given

from iotflowgen.evaluation.metrics.features import embed, evenly, log_seconds
from tests.unit.evaluation.metrics.strategies import make, random_windows, three


@given(three())
def test_equal_windows_are_at_one_point_and_points_are_numbers(sets):
    real, synthetic, _ = sets
    points = embed(synthetic, real)
    assert points.shape == (len(synthetic), synthetic.size * 19)
    assert np.isfinite(points).all()
    assert np.array_equal(points, embed(synthetic[:], real))


def test_each_field_counts_alike():
    windows = random_windows(2000, 5)
    points = embed(windows, windows).reshape(-1, 19)
    for field in (slice(0, 1), slice(1, 2), slice(2, 18), slice(18, 19)):
        assert points[:, field].var(axis=0).sum() == pytest.approx(1)


def test_durations_are_microseconds_at_least():
    durations = [0, 999, 1000, 10**9, 10**11]
    windows = make((1, 5), lengths=60, outgoing=True, ports=0, masks=1, durations=durations)
    assert log_seconds(windows)[0] == pytest.approx([-6, -6, -6, 0, 2])


def test_windows_are_picked_from_end_to_end():
    windows = random_windows(100, 3)
    assert len(evenly(windows, 10)) == 10
    assert np.array_equal(evenly(windows, 2).length, windows.length[[0, 99]])
    assert np.array_equal(evenly(windows, 500).length, windows.length)


def test_a_field_that_never_changes_where_the_scale_is_set_keeps_its_own():
    constant = {"outgoing": True, "ports": 0, "masks": 68, "durations": 0}
    real, other = (make((2, 6), lengths=length, **constant) for length in (1514, 757))
    assert embed(other, real)[0, 0] == pytest.approx(-1)  # half as long
