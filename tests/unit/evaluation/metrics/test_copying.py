import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.evaluation.metrics import (
    copied_run,
    copied_share,
    embed,
    membership_inference,
    nearest_distance,
)
from iotflowgen.traffic import Windows
from tests.unit.evaluation.metrics.strategies import random_windows, three


def runs_of(windows, size):
    for length, outgoing in zip(windows.length.tolist(), windows.outgoing.tolist(), strict=True):
        packets = list(zip(length, outgoing, strict=True))
        yield [tuple(packets[i : i + size]) for i in range(len(packets) - size + 1)]


def naive_longest(windows, train):
    longest = [0] * len(windows)
    for size in range(1, windows.size + 1):
        known = {run for runs in runs_of(train, size) for run in runs}
        for i, runs in enumerate(runs_of(windows, size)):
            if known.intersection(runs):
                longest[i] = size
    return longest


@given(three())
def test_copied_runs_are_those_found_one_by_one(sets):
    real, synthetic, train = sets
    found = copied_run(*sets)
    for name, windows in (("real", real), ("synthetic", synthetic)):
        longest = naive_longest(windows, train)
        assert found[name] == pytest.approx(np.mean(longest))
        assert found[f"{name}_longest"] == max(longest)
        whole = np.mean([run == train.size for run in longest])
        assert copied_share(*sets)[name] == pytest.approx(whole)


def test_a_replay_is_a_copy_and_new_traffic_is_not():
    real, train = random_windows(50, seed=0), random_windows(80, seed=1)
    assert copied_share(real, train[:50], train) == {"synthetic": 1, "real": 0}
    assert copied_run(real, train[:50], train)["synthetic"] == 20
    assert nearest_distance(real, train[:50], train)["ratio"] == 0
    assert membership_inference(real, train, train) == {"auc": 1, "tpr": 1}


def test_a_copy_is_known_by_its_lengths_and_directions_alone():
    train = random_windows(20)
    other = random_windows(20, seed=1)
    synthetic = Windows(
        duration_ns=other.duration_ns,
        length=train.length,
        outgoing=train.outgoing,
        src_port=other.src_port,
        dst_port=other.dst_port,
        protocols=other.protocols,
    )
    assert copied_share(other, synthetic, train)["synthetic"] == 1


def test_new_traffic_of_the_same_kind_gives_nothing_away():
    real, synthetic, train = (random_windows(400, seed=seed) for seed in range(3))
    assert nearest_distance(real, synthetic, train)["ratio"] == pytest.approx(1, abs=0.02)
    # standard error of the area for 400 and 400 is about 0.02
    told = membership_inference(real, synthetic, train)
    assert told["auc"] == pytest.approx(0.5, abs=0.06)
    assert told["tpr"] == pytest.approx(0.01, abs=0.02)


def test_the_ratio_is_infinite_where_only_real_windows_are_copies_and_1_where_all_are():
    train, synthetic = random_windows(20), random_windows(20, seed=1)
    assert nearest_distance(train, synthetic, train)["ratio"] == math.inf
    assert nearest_distance(train, train, train)["ratio"] == 1


@given(three())
def test_distances_are_those_of_every_pair(sets):
    real, synthetic, train = sets
    points = {name: embed(w, real) for name, w in zip("rst", sets, strict=True)}

    def nearest(one, other):
        return [min(np.linalg.norm(p - q) for q in points[other]) for p in points[one]]

    found = nearest_distance(real, synthetic, train)
    assert found["synthetic"] == pytest.approx(np.mean(nearest("s", "t")), abs=1e-6)
    assert found["real"] == pytest.approx(np.mean(nearest("r", "t")), abs=1e-6)


@given(three(), st.randoms())
def test_membership_counts_the_pairs_told_right(sets, random):
    real, synthetic, train = sets
    points = [embed(windows, real) for windows in (train, real, synthetic)]
    members, others = (
        [round(min(np.linalg.norm(p - q) for q in points[2]), 6) for p in points[i]] for i in (0, 1)
    )
    right = [(m < o) + (m == o) / 2 for m in members for o in others]
    auc = membership_inference(real, synthetic, train)["auc"]
    ties = sum(m == o for m in members for o in others) / len(right) / 2
    assert auc == pytest.approx(np.mean(right), abs=ties + 1e-9)
