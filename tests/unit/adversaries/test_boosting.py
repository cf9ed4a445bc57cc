"""What the summary of a window gives away that no single packet does."""

import numpy as np

from iotflowgen.adversaries import Boosting
from iotflowgen.evaluation import cross_validate
from iotflowgen.traffic import Windows

SHAPE = (200, 10)


def windows(rng, **columns):
    """Random traffic, save for the columns given."""
    plain = {
        "duration_ns": rng.integers(10**6, 10**9, SHAPE),
        "length": rng.integers(60, 1500, SHAPE).astype(np.int32),
        "outgoing": rng.random(SHAPE) < 0.5,
        "src_port": rng.integers(1024, 65536, SHAPE).astype(np.int32),
        "dst_port": rng.integers(1024, 65536, SHAPE).astype(np.int32),
        "protocols": np.full(SHAPE, 68, dtype=np.uint16),
    }
    return Windows(**{**plain, **columns})


def told(rng, **columns):
    make = Boosting
    return cross_validate(make, windows(rng), windows(rng, **columns), rng, folds=3).mean


def test_a_port_that_stays_though_it_could_be_any():
    rng = np.random.default_rng(0)
    ports = np.repeat(rng.integers(1024, 65536, (200, 1)), 10, axis=1).astype(np.int32)
    assert told(rng, src_port=ports) > 0.95


def test_a_window_that_takes_its_time_although_no_gap_is_strange():
    rng = np.random.default_rng(0)
    slow = rng.permuted(
        np.geomspace(10**8, 10**9, 10).astype(np.int64).repeat(200).reshape(10, 200).T, axis=1
    )
    assert told(rng, duration_ns=slow) > 0.95


def test_directions_that_take_turns():
    rng = np.random.default_rng(0)
    turns = (np.arange(10)[None] + rng.integers(2, size=(200, 1))) % 2 == 0
    assert told(rng, outgoing=turns) > 0.95
