import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from iotflowgen.encoding import DurationEncoder

durations = arrays(
    np.int64, st.integers(1, 40), elements=st.integers(0, 10**3) | st.integers(0, 10**14)
)


@given(durations, st.integers(1, 8), st.integers(0, 3))
def test_a_token_comes_back_within_a_tenth_of_a_fitted_duration_of_its_cluster(fitted, k, seed):
    encoder = DurationEncoder.fit(fitted, k, seed)
    tokens = encoder.encode(fitted)
    back = encoder.decode(tokens, np.random.default_rng(seed))
    for token, duration in zip(tokens, back, strict=True):
        cluster = fitted[tokens == token]
        assert np.any(np.abs(duration - cluster) <= cluster / 10 + 0.5)


@given(durations, st.integers(1, 8))
def test_zero_has_a_place_of_its_own(fitted, k):
    encoder = DurationEncoder.fit(fitted, k, 0)
    tokens = encoder.encode(fitted)
    assert np.array_equal(tokens == 0, (fitted == 0) | (not encoder.clusters))
    assert not encoder.decode(np.zeros(5, dtype=np.int64), np.random.default_rng(0)).any()


@given(durations, durations, st.integers(1, 8))
def test_longer_durations_never_have_smaller_tokens(fitted, other, k):
    tokens = DurationEncoder.fit(fitted, k, 0).encode(np.sort(other))
    assert np.all(np.diff(tokens) >= 0)


def test_magnitudes_are_kept_apart():
    milliseconds, minutes = np.arange(1, 30) * 10**6, np.arange(1, 30) * 60 * 10**9
    encoder = DurationEncoder.fit(np.concatenate([milliseconds, minutes]), 2, seed=0)
    assert encoder.encode(milliseconds).tolist() == [1] * 29
    assert encoder.encode(minutes).tolist() == [2] * 29


def test_drawing_is_repeatable_and_does_not_repeat_itself():
    encoder = DurationEncoder.fit(np.arange(1, 100) * 10**9, 1, seed=0)
    tokens = np.ones(1000, dtype=np.int64)
    first = encoder.decode(tokens, np.random.default_rng(7))
    assert np.array_equal(first, encoder.decode(tokens, np.random.default_rng(7)))
    assert len(np.unique(first)) > 900
