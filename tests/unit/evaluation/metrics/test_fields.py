import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.encoding import Signature, SignatureConfig, extract_signatures
from iotflowgen.evaluation.metrics import (
    duration_autocorrelation,
    duration_distance,
    field_distance,
    signature_rates,
)
from iotflowgen.evaluation.metrics.features import log_seconds
from iotflowgen.traffic import cut_windows, every_window_start
from tests.unit.evaluation.metrics.strategies import make, random_windows, three

FIELDS = {"length", "src_port", "dst_port", "protocols", "outgoing"}


def naive_jensen_shannon(one, other):
    p, q = Counter(one), Counter(other)
    divergence = 0.0
    for value in p.keys() | q.keys():
        a, b = p[value] / len(one), q[value] / len(other)
        for x in (a, b):
            if x:
                divergence += x / 2 * math.log2(2 * x / (a + b))
    return math.sqrt(max(divergence, 0))


@given(three())
def test_distances_are_those_of_the_counts(sets):
    real, synthetic, _ = sets
    found = field_distance(*sets)
    assert set(found) == FIELDS | {f"{name}_control" for name in FIELDS}
    for name in FIELDS:
        values = []
        for windows in (real, synthetic):
            column = getattr(windows, name).ravel().tolist()
            if name.endswith("port"):
                column = [port if port < 1024 else port // 1024 * 1024 for port in column]
            values.append(column)
        assert found[name] == pytest.approx(naive_jensen_shannon(*values), abs=1e-6)


def test_the_same_windows_are_at_0_and_others_at_1():
    real, other = random_windows(40), random_windows(40, low=5000)
    assert set(field_distance(real, real, real).values()) == {0}
    assert field_distance(real, other, real)["length"] == pytest.approx(1)
    assert field_distance(real, other, real)["length_control"] == 0


def test_ephemeral_ports_near_each_other_are_alike():
    constant = {"lengths": 60, "outgoing": True, "masks": 1, "durations": 0}
    near = [make((4, 4), ports=port, **constant) for port in (50_200, 50_900, 52_000)]
    assert field_distance(near[0], near[1], near[2])["src_port"] == 0
    assert field_distance(near[0], near[1], near[2])["src_port_control"] == pytest.approx(1)


@given(three())
def test_duration_distance_is_the_area_between_the_distributions(sets):
    real, synthetic, _ = sets
    one, other = (log_seconds(windows).ravel() for windows in (real, synthetic))
    points = np.unique(np.concatenate([one, other]))
    gaps = [abs(np.mean(one <= p) - np.mean(other <= p)) for p in points[:-1]]
    expected = float(np.dot(gaps, np.diff(points)))
    assert duration_distance(*sets)["decades"] == pytest.approx(expected)


def test_durations_ten_times_as_long_are_a_decade_away():
    constant = {"lengths": 60, "outgoing": True, "masks": 1, "ports": 0}
    rng = np.random.default_rng(0)
    durations = 10 ** rng.uniform(5, 9, (30, 6))
    real = make((30, 6), durations=durations, **constant)
    slow = make((30, 6), durations=10 * durations, **constant)
    assert duration_distance(real, slow, real)["decades"] == pytest.approx(1, abs=1e-3)
    assert duration_distance(real, slow, real)["decades_control"] == 0
    assert duration_autocorrelation(real, slow, real)["mean"] == pytest.approx(0, abs=1e-3)


@given(three())
def test_autocorrelation_is_that_of_every_pair(sets):
    def naive(windows, lag):
        logs = log_seconds(windows)
        mean, variance = logs.mean(), logs.var()
        products = [
            (row[i] - mean) * (row[i + lag] - mean) for row in logs for i in range(len(row) - lag)
        ]
        return np.mean(products) / variance if variance > 1e-12 else 0.0

    real, synthetic, _ = sets
    found = duration_autocorrelation(*sets)
    lags = range(1, min(5, real.size - 1) + 1)
    differences = [naive(synthetic, lag) - naive(real, lag) for lag in lags]
    assert [found[f"lag_{lag}"] for lag in lags] == pytest.approx(differences, abs=1e-6)
    assert found["mean"] == pytest.approx(np.mean(np.abs(differences)), abs=1e-6)
    assert len(found) == len(differences) + 2


def test_a_rhythm_that_is_lost_shows():
    constant = {"lengths": 60, "outgoing": True, "masks": 1, "ports": 0}
    beat = np.tile([10**5, 10**9], (200, 10))
    real = make((200, 20), durations=beat, **constant)
    mixed = np.random.default_rng(0).permuted(beat, axis=1)
    found = duration_autocorrelation(real, make((200, 20), durations=mixed, **constant), real)
    assert found["lag_1"] == pytest.approx(1, abs=0.1)
    assert found["lag_2"] == pytest.approx(-1, abs=0.1)
    assert found["mean_control"] == 0


@st.composite
def signatures(draw):
    found = []
    for _ in range(draw(st.integers(0, 4))):
        size = draw(st.integers(1, 4))
        shortest = draw(st.lists(st.sampled_from([42, 60, 66]), min_size=size, max_size=size))
        found.append(
            Signature(
                outgoing=draw(st.lists(st.booleans(), min_size=size, max_size=size)),
                shortest=shortest,
                longest=[s + draw(st.sampled_from([0, 6, 2000])) for s in shortest],
            )
        )
    return found


def naive_rate(windows, signature):
    held = 0
    for length, outgoing in zip(windows.length, windows.outgoing, strict=True):
        held += any(
            all(
                outgoing[place + i] == signature.outgoing[i]
                and signature.shortest[i] <= length[place + i] <= signature.longest[i]
                for i in range(len(signature))
            )
            for place in range(windows.size - len(signature) + 1)
        )
    return held / len(windows)


@given(three(), signatures())
def test_rates_are_those_counted_one_by_one(sets, found):
    real, synthetic, _ = sets
    rates = signature_rates(found)(*sets)
    pairs = [(naive_rate(real, s), naive_rate(synthetic, s)) for s in found]
    shown = [(r, s) for r, s in pairs if r]
    if not shown:
        assert rates["found"] == 1
        assert rates["real"] == rates["synthetic"] == rates["difference"] == 0
        return
    assert rates["found"] == pytest.approx(np.mean([s > 0 for _, s in shown]))
    assert rates["real"] == pytest.approx(np.mean([r for r, _ in shown]))
    assert rates["synthetic"] == pytest.approx(np.mean([s for _, s in shown]))
    assert rates["difference"] == pytest.approx(np.mean([abs(r - s) for r, s in shown]))


def test_signatures_of_captures_are_found_in_their_windows(traces):
    metric = signature_rates(extract_signatures(traces, SignatureConfig()))
    windows = cut_windows(traces, every_window_start(traces, 20))
    rates = metric(windows, windows, windows)
    assert rates["found"] == 1
    assert rates["real"] == rates["synthetic"] > 0.5
    assert rates["difference"] == rates["difference_control"] == 0
    assert metric(windows, random_windows(50, low=5000), windows)["found"] == 0
