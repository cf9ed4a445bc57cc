from dataclasses import replace

import numpy as np
import pytest

from iotflowgen.errors import TooShort
from iotflowgen.traffic import Stretches, cut_stretches
from tests.unit.homes import HOUR_NS, START_NS, week


@pytest.fixture(scope="module")
def capture():
    return week(np.random.default_rng(0), 30)


def test_stretches_are_whole_hours_of_the_clock_and_hold_their_packets(capture):
    found, of = cut_stretches([capture, capture], HOUR_NS)
    assert len(found) == len(of) == 2 * 28  # the first packet is late, the last before the end
    assert np.all(found.start_ns % HOUR_NS == 0)
    assert np.all((found.time_ns >= 0) & (found.time_ns < HOUR_NS))
    absolute_ns = found.start_ns[found.stretch] + found.time_ns
    inside = (capture.time_ns >= found.start_ns[0]) & (
        capture.time_ns < found.start_ns[27] + HOUR_NS
    )
    assert np.array_equal(absolute_ns[: inside.sum()], capture.time_ns[inside])


def test_an_hour_of_silence_is_a_stretch():
    at = np.array([10.0, 5 * 3600 + 1])
    found, _ = cut_stretches([week(np.random.default_rng(0), 0, {443: at})], HOUR_NS)
    assert found.packets.tolist() == [0, 0, 0, 0]
    assert found.start_ns[0] == START_NS + HOUR_NS


def test_silence_after_a_capture_is_of_it():
    capture = week(np.random.default_rng(0), 0, {443: np.array([0.0, 1.0])})
    found, _ = cut_stretches([replace(capture, silence_ns=3 * HOUR_NS)], HOUR_NS)
    assert found.packets.tolist() == [4, 0, 0]


def test_chosen_ones_keep_their_packets(capture):
    found, _ = cut_stretches([capture], HOUR_NS)
    order = np.random.default_rng(0).permutation(len(found))
    back = found[order][np.argsort(order)]
    parts = Stretches.concatenate([found[:7], found[7:]])
    for one in (back, parts):
        for name in ("start_ns", "packets", "time_ns", "length", "service", "begins"):
            assert np.array_equal(getattr(one, name), getattr(found, name))
    assert len(found[found.packets > 10**6]) == 0


def test_what_is_shorter_is_refused(capture):
    with pytest.raises(TooShort, match="no stretch of 60 minutes"):
        cut_stretches([capture[:20]], HOUR_NS)
    with pytest.raises(TooShort):
        cut_stretches([capture[:0]], HOUR_NS)
