"""The adversary that reads headers, on fields made up."""

from dataclasses import replace

import numpy as np
import pytest

from iotflowgen.adversaries import Boosting, HeaderBoosting
from iotflowgen.errors import EvaluationError, HeadersMissing
from iotflowgen.evaluation import cross_validate
from iotflowgen.traffic import Windows, cut_windows, draw_window_starts
from tests.conftest import make_trace


def drawn(seed, n=200):
    """Windows of a device whose packets have three fields, the last of them often missing."""
    rng = np.random.default_rng(seed)
    traces = []
    for i in range(6):
        trace = make_trace(str(i), i, packets=200)
        fields = rng.integers(0, 4, (200, 3)).astype(np.float32)
        fields[rng.random(200) < 0.6, 2] = np.nan
        traces.append(replace(trace, headers=fields))
    return cut_windows(traces, draw_window_starts(traces, n, 10, rng))


def told(change, make=HeaderBoosting):
    real, fake = drawn(0), drawn(1)
    fake.headers[...] = change(fake.headers)
    return cross_validate(make, real, fake, np.random.default_rng(0), folds=3).mean


def rare(headers):
    headers[..., 2] += 4
    return headers


@pytest.mark.parametrize(
    "change",
    [
        rare,
        lambda h: np.where(h == 3, 2, h),
        lambda h: np.sort(h, axis=1)[:, :1].repeat(10, axis=1),
    ],
)
def test_finds_a_rare_field_a_value_that_is_missing_and_one_that_stays(change):
    assert told(change) > 0.9


def test_features_alone_say_nothing_of_headers():
    assert told(rare, Boosting) < 0.8


def test_a_field_that_nobody_has_is_no_harm():
    def none(headers):
        headers[..., 2] = np.nan
        return headers

    real = drawn(0)
    none(real.headers)
    synthetic = np.arange(200) % 2 == 0
    scores = HeaderBoosting().fit(real, synthetic).score(real)
    assert np.all((scores >= 0) & (scores <= 1))


def test_windows_without_headers_and_one_kind_of_windows_are_refused():
    windows = drawn(0)
    bare = Windows(*(getattr(windows, name) for name in Windows.columns()))
    with pytest.raises(HeadersMissing, match="give a pcap"):
        HeaderBoosting().fit(bare, np.arange(200) % 2 == 0)
    with pytest.raises(EvaluationError, match="one kind only"):
        HeaderBoosting().fit(windows, np.ones(200, dtype=bool))


def test_headers_go_with_their_windows():
    windows = drawn(0)
    both = Windows.concatenate([windows[:50], windows[50:]])
    assert np.array_equal(both.headers, windows.headers, equal_nan=True)
    bare = Windows(*(getattr(windows, name) for name in Windows.columns()))
    assert Windows.concatenate([windows, bare]).headers is None
    with pytest.raises(ValueError, match="differ in shape"):
        replace(windows, headers=windows.headers[:, :5])
