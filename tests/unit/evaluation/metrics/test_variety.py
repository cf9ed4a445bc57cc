import numpy as np
import pytest
from hypothesis import given

from iotflowgen.evaluation.metrics import density_coverage, embed, precision_recall, unique_share
from tests.unit.evaluation.metrics.strategies import random_windows, three


def naive_radius(points, i, neighbours):
    """To the neighbours-th nearest other point, or the last there is."""
    others = sorted(np.linalg.norm(points[i] - q) for j, q in enumerate(points) if j != i)
    return others[: neighbours or None][-1] if others else 0.0


def within(points, others, neighbours):
    """Whether each of other points lies around each point; where it is on the edge, both answers.

    What is as far as the neighbour is within or not as it is rounded.
    """
    distance = np.array([[np.linalg.norm(p - q) for q in others] for p in points])
    radius = np.array([[naive_radius(points, i, neighbours)] for i in range(len(points))])
    return [distance <= radius + off for off in (-1e-9 * (radius > 0), 1e-9)]


def lies_between(found, both):
    least, most = both
    return least - 1e-9 <= found <= most + 1e-9


@given(three())
def test_precision_and_recall_are_those_of_every_pair(sets):
    real, synthetic, _ = sets
    r, s = embed(real, real), embed(synthetic, real)
    found = precision_recall(*sets)
    for name, near in (("precision", within(r, s, 3)), ("recall", within(s, r, 3))):
        assert lies_between(found[name], [each.any(axis=0).mean() for each in near])


@given(three())
def test_density_and_coverage_are_those_of_every_pair(sets):
    real, synthetic, _ = sets
    near = within(embed(real, real), embed(synthetic, real), 5)
    found = density_coverage(*sets)
    assert lies_between(found["density"], [each.sum() / 5 / len(synthetic) for each in near])
    assert lies_between(found["coverage"], [each.any(axis=1).mean() for each in near])


@given(three())
def test_unique_share_counts_distinct_windows(sets):
    real, synthetic, _ = sets
    for name, windows in (("real", real), ("synthetic", synthetic)):
        columns = (windows.length, windows.outgoing, windows.protocols)
        rows = {tuple(map(tuple, (c[i] for c in columns))) for i in range(len(windows))}
        assert unique_share(*sets)[name] == len(rows) / len(windows)


def test_the_same_windows_lie_where_the_real_ones_do():
    real = random_windows(60)
    found = precision_recall(real, real, real) | density_coverage(real, real, real)
    assert found["precision"] == found["recall"] == found["coverage"] == 1
    assert found["precision_control"] == found["coverage_control"] == 1
    assert found["density"] == pytest.approx(found["density_control"])


def test_windows_of_another_device_lie_elsewhere():
    real, synthetic = random_windows(60), random_windows(60, seed=1, low=10_000)
    found = precision_recall(real, synthetic, real) | density_coverage(real, synthetic, real)
    assert found["precision"] == found["recall"] == found["density"] == found["coverage"] == 0


def test_one_window_again_and_again_is_precise_and_covers_little():
    real = random_windows(60)
    synthetic = real[np.zeros(60, dtype=int)]
    assert unique_share(real, synthetic, real) == {"synthetic": 1 / 60, "real": 1}
    assert precision_recall(real, synthetic, real)["precision"] == 1
    assert precision_recall(real, synthetic, real)["recall"] < 0.1
    assert density_coverage(real, synthetic, real)["coverage"] < 0.6


def test_new_traffic_of_the_same_kind_scores_like_its_control():
    real, synthetic, train = (random_windows(300, seed=seed) for seed in range(3))
    for metric in (precision_recall, density_coverage):
        found = metric(real, synthetic, train)
        for name in [name for name in found if not name.endswith("_control")]:
            assert found[name] == pytest.approx(found[f"{name}_control"], abs=0.12)
