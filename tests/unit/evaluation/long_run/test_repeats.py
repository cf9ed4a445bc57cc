from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.evaluation.long_run import beacons, found_again, repeats
from tests.unit.homes import HOUR_NS, clock, week


def of_lengths(lengths, seconds=1000.0):
    """A capture whose packets have these lengths, one every so many seconds."""
    trace = week(np.random.default_rng(0), 0, {443: np.arange(len(lengths)) * 2.0})[: len(lengths)]
    return replace(
        trace,
        time_ns=(np.arange(len(lengths)) * seconds * 1e9).astype(np.int64),
        length=np.array(lengths, dtype=np.int32),
        outgoing=np.ones(len(lengths), dtype=bool),
    )


def by_hand(lengths):
    n = len(lengths)
    return max(
        (
            size
            for size in range(n // 2 + 1)
            for i in range(n - size + 1)
            for j in range(i + size, n - size + 1)
            if lengths[i : i + size] == lengths[j : j + size]
        ),
        default=0,
    )


@given(st.lists(st.integers(60, 62), min_size=1, max_size=24))
def test_the_longest_run_is_that_of_trying_all(lengths):
    assert repeats(of_lengths(lengths)).longest == by_hand(lengths)


def test_a_copy_of_a_week_repeats_wholly():
    once = week(np.random.default_rng(0), 100)
    twice = replace(
        once,
        **{
            name: np.concatenate([getattr(once, name)] * 2)
            for name in ("length", "outgoing", "src_port", "dst_port", "protocols", "tcp_payload")
        },
        time_ns=np.concatenate([once.time_ns, once.time_ns + 100 * HOUR_NS]),
    )
    found, real = repeats(twice), repeats(once)
    assert found.longest == len(once)
    assert found.hours == 1
    assert real.hours < 0.02
    assert real.longest < 20


def test_nothing_repeats_in_what_never_does():
    found = repeats(of_lengths(range(60, 200)))
    assert (found.longest, found.hours) == (0, 0)


def test_periods_of_a_device_are_found_again_in_what_has_them():
    rng = np.random.default_rng(0)
    real, same = (beacons(week(rng)) for _ in range(2))
    assert {(each.service, round(each.real.seconds)) for each in found_again(real, same)} == {
        ("udp 123", 600),
        ("tcp 8883", 60),
    }
    assert all(each.generated is not None for each in found_again(real, same))
    slow = week(rng, services={8883: clock(rng, 63, 168, 0.01)})
    assert [each.generated for each in found_again(real, beacons(slow))] == [None, None]
    (near,) = (each for each in found_again(real, same) if each.service == "udp 123")
    assert near.generated.seconds == pytest.approx(600, rel=0.01)
