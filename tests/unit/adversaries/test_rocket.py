"""What sets MiniRocket apart: ranks for values, short windows, and libraries' global state."""

import numpy as np
import pytest
import torch

from iotflowgen.adversaries import Rocket
from iotflowgen.traffic import Windows

SYNTHETIC = np.arange(60) % 2 == 0


def windows(size=20, seed=0):
    """Random traffic, of which the synthetic is one byte longer where frames are small."""
    rng = np.random.default_rng(seed)
    shape = (len(SYNTHETIC), size)
    small = rng.random(shape) < 0.5
    return Windows(
        duration_ns=rng.integers(10**6, 10**9, shape),
        length=np.where(small, 60 + SYNTHETIC[:, None], 1514).astype(np.int32),
        outgoing=rng.random(shape) < 0.5,
        src_port=rng.integers(1024, 65536, shape).astype(np.int32),
        dst_port=rng.integers(1024, 65536, shape).astype(np.int32),
        protocols=np.full(shape, 68, dtype=np.uint16),
    )


@pytest.mark.parametrize("size", [2, 8, 9, 20])
def test_a_byte_gives_windows_away_however_short(size):
    scores = Rocket().fit(windows(size), SYNTHETIC).score(windows(size, seed=1))
    assert np.mean((scores > 0.5) == SYNTHETIC) > (0.7 if size == 2 else 0.9)


def test_only_the_order_of_values_counts():
    def stretched(part):
        columns = {name: getattr(part, name) for name in Windows.columns()}
        return Windows(**{**columns, "length": 7 * part.length, "duration_ns": part.duration_ns**2})

    plain = Rocket().fit(windows(), SYNTHETIC).score(windows())
    other = Rocket().fit(stretched(windows()), SYNTHETIC).score(stretched(windows()))
    assert np.array_equal(plain, other)


def test_another_seed_draws_other_channels():
    scores = [Rocket(seed=seed).fit(windows(), SYNTHETIC).score(windows()) for seed in (0, 1)]
    assert not np.array_equal(*scores)


def test_leaves_global_generator_and_threads_as_they_were():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    Rocket(seed=5).fit(windows(), SYNTHETIC)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    # as the tests' set-up has it; numba would raise it to the number of cores
    assert torch.get_num_threads() == 1
