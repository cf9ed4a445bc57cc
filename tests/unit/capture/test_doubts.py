"""Captures that are doubtful to learn from, and long ones."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.capture import CaptureWarning, copies, doubt
from iotflowgen.traffic import quiet_places, spread_stretches
from iotflowgen.wire import Frames
from tests.conftest import make_trace

HOUR, DAY = 3600 * 10**9, 24 * 3600 * 10**9


def frames_of(trace, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.bytes(12) + b"\x08\0" + rng.bytes(int(n) - 14) for n in trace.length]


def mirrored(trace, frames, *, tagged, after_ns=10**6, snap=None):
    """Each packet twice, the second time maybe with a VLAN tag."""
    tag = b"\x81\0\0\x0a" if tagged else b""
    seen = [each for frame in frames for each in (frame, frame[:12] + tag + frame[12:])]
    twice = replace(
        trace,
        **{
            name: np.repeat(getattr(trace, name), 2)
            for name in ("outgoing", "src_port", "dst_port", "protocols", "tcp_payload")
        },
        time_ns=(trace.time_ns[:, None] + [0, after_ns]).ravel(),
        length=np.array(list(map(len, seen)), dtype=np.int32),
    )
    return twice, Frames.of([frame[:snap] for frame in seen])


@pytest.fixture
def trace():
    trace = make_trace("a.pcap", 0, 120)
    return replace(trace, time_ns=trace.time_ns + 10**9 * np.arange(len(trace)))


@pytest.mark.parametrize("tagged", [False, True])
@pytest.mark.parametrize("snap", [None, 80])
def test_packets_that_stand_twice_are_told_and_found(trace, tagged, snap):
    twice, frames = mirrored(trace, frames_of(trace), tagged=tagged, snap=snap)
    found = copies(twice, frames)
    np.testing.assert_array_equal(found, np.arange(len(twice)) % 2 == 1)
    with pytest.warns(CaptureWarning, match=r"120 of 240 packets stand twice.*--deduplicate"):
        doubt([(twice, frames)])
    kept = twice[~found], frames.take(~found)
    assert not copies(*kept).any()
    np.testing.assert_array_equal(kept[0].time_ns, trace.time_ns)


def test_what_is_sent_again_later_is_no_copy(trace):
    twice, frames = mirrored(trace, frames_of(trace), tagged=False, after_ns=200 * 10**6)
    assert not copies(twice, frames).any()


def test_frames_that_tell_too_little_are_no_copies(trace):
    twice, frames = mirrored(trace, frames_of(trace), tagged=True, snap=30)
    assert not copies(twice, frames).any()


@given(st.integers(0, 2**16), st.integers(14, 60))
def test_one_other_byte_is_another_packet(seed, at):
    trace = make_trace("a.pcap", 0, 12)
    frame = np.random.default_rng(seed).bytes(66)
    other = bytearray(frame)
    other[at] ^= 1
    trace = replace(trace, length=np.full(12, 66, dtype=np.int32), time_ns=np.arange(12))
    assert copies(trace, Frames.of([frame, bytes(other)] * 6)).sum() == 10
    assert not copies(trace[:2], Frames.of([frame, bytes(other)])).any()


def test_usual_captures_are_not_doubted(trace):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        doubt([(trace, Frames.of(frames_of(trace)))])
        doubt([(trace[:0], Frames.of([]))])


def test_gaps_of_one_length_are_told(trace):
    written = replace(trace, time_ns=10**6 * np.arange(len(trace)))
    with pytest.warns(CaptureWarning, match=r"look written.*a.pcap \(100% of gaps are 1 ms\)"):
        doubt([(written, Frames.of(frames_of(trace)))])


def test_packets_far_from_their_order_are_told(trace):
    shuffled = replace(trace, in_file=np.random.default_rng(0).permutation(len(trace)))
    with pytest.warns(CaptureWarning, match="far from the order of their times in a.pcap"):
        doubt([(shuffled, Frames.of(frames_of(trace)))])


def test_days_are_pieces_and_begin_after_the_longest_silence():
    rng = np.random.default_rng(0)
    awake = np.sort(rng.integers(0, 7 * DAY, 5000))
    asleep = (awake // HOUR) % 24 == 3  # an hour each night in which nothing is sent
    time_ns = np.concatenate([[0], awake[~asleep], [7 * DAY]])
    places = quiet_places(time_ns)
    assert len(places) == 6
    for day, place in enumerate(places, 1):
        assert time_ns[place] - time_ns[place - 1] > 0.9 * HOUR
        assert time_ns[place] // DAY == day


@pytest.mark.parametrize(("packets", "pieces"), [(150, 1), (1000, 5), (9000, 16)])
def test_some_hours_are_cut_into_as_many_as_there_are_packets_for(packets, pieces):
    time_ns = np.sort(np.random.default_rng(0).integers(0, 5 * HOUR, packets))
    places = quiet_places(np.concatenate([[0], time_ns, [5 * HOUR]]))
    assert len(places) == pieces - 1


@given(st.lists(st.integers(0, 10**6), max_size=60), st.integers(1, 60))
def test_pieces_are_never_empty(gaps, hours):
    time_ns = np.cumsum(np.array([0, *gaps], dtype=np.int64) * hours * 10**9)
    places = quiet_places(time_ns)
    assert (np.diff([0, *places, len(time_ns)]) > 0).all()


def test_a_set_up_is_not_cut():
    time_ns = np.sort(np.random.default_rng(0).integers(0, HOUR // 2, 5000))
    assert not len(quiet_places(time_ns))
    assert not len(quiet_places(time_ns[:0]))


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=400), st.integers(1, 400))
def test_stretches_are_apart_in_order_and_not_much_more_than_asked_for(gaps, most):
    time_ns = np.cumsum(np.array(gaps, dtype=np.int64))
    stretches = spread_stretches(time_ns, most)
    edges = [edge for each in stretches for edge in (each.start, each.stop)]
    assert edges == sorted(edges)
    assert all(each.start < each.stop for each in stretches)
    if most >= len(gaps):
        assert stretches == [slice(0, len(gaps))]


def test_stretches_are_spread_over_all_of_a_capture():
    time_ns = np.sort(np.random.default_rng(0).integers(0, DAY, 100_000))
    stretches = spread_stretches(time_ns, 10_000)
    assert len(stretches) == 16
    assert 8_000 < sum(each.stop - each.start for each in stretches) < 12_000
    # each hour and a half has one
    assert {int(time_ns[each.start] // (DAY / 16)) for each in stretches} == {*range(16)}
