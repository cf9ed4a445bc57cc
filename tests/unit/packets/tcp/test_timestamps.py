"""Timestamps become references and come back, for exchanges told as packetdrill scripts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.packets.tcp.number_spaces import Mentions
from iotflowgen.packets.tcp.timestamps import (
    decode_stamps,
    encode_stamps,
    read_stamps,
    write_stamps,
)
from iotflowgen.recording import find_flows
from iotflowgen.wire import Frames, find_layers, find_options
from tests import drill

EXCHANGE = """
0.000 > S 0:0(0) win 29200 <mss 1460,sackOK,TS val 1000 ecr 0,nop,wscale 7>
+.010 < S. 0:0(0) ack 1 win 28960 <mss 1460,sackOK,TS val 700 ecr 1000,nop,wscale 7>
+.010 > . 1:1(0) ack 1 win 229 <nop,nop,TS val 1002 ecr 700>
+.100 < P. 1:101(100) ack 1 win 227 <nop,nop,TS val 711 ecr 1002>
+.010 < P. 101:201(100) ack 1 win 227 <nop,nop,TS val 712 ecr 1002>
+.030 > . 1:1(0) ack 201 win 229 <nop,nop,TS val 1017 ecr 711>
"""
OVERTAKEN = """
+.100 < P. 201:301(100) ack 1 win 227 <nop,nop,TS val 726 ecr 1017>
+0 < P. 101:201(100) ack 1 win 227 <nop,nop,TS val 723 ecr 1017>
+.010 > . 1:1(0) ack 301 win 229 <nop,nop,TS val 1028 ecr 726>
"""
TICKS = 10**7
"""Nanoseconds of one."""


def again(told, time_ns=None, ahead=0):
    """The frames with their timestamps encoded and decoded, at other times if these are given.

    The clocks of both ends are `ahead` of those that were captured.
    """
    frames = Frames.of([each.frame for each in told])
    outgoing = np.array([each.outgoing for each in told])
    layers, capture = find_layers(frames), np.zeros(len(told), dtype=np.int64)
    flow, stamps = find_flows(frames, layers, capture, outgoing), read_stamps(frames, layers)
    captured_ns = np.array([each.time_ns for each in told])
    mentions = Mentions(flow, outgoing, stamps.echoes)
    references = encode_stamps(mentions, mentions.of(captured_ns, captured_ns) // TICKS, stamps)
    time_ns = captured_ns if time_ns is None else time_ns
    clock = mentions.of(time_ns, time_ns) // TICKS + ahead
    begun = mentions.begun(clock + mentions.of(references.lag[:, 0], references.lag[:, 1]))
    decoded, _ = decode_stamps(mentions, clock, references, begun)
    write_stamps(frames, find_options(frames, layers).timestamps, decoded)
    return decoded, [each._replace(frame=frames[i]) for i, each in enumerate(told)]


@pytest.mark.parametrize("script", [EXCHANGE, EXCHANGE + OVERTAKEN], ids=["in order", "overtaken"])
@pytest.mark.parametrize("first", [0, 1, 3], ids=["whole", "from its answer on", "from data on"])
def test_timestamps_come_back(script, first):
    told = drill.frames(script)[first:]
    assert drill.script(again(told)[1]) == drill.script(told)


def test_clocks_begin_where_they_are_told_to_and_wrap_around():
    told = drill.frames(EXCHANGE)
    decoded, _ = again(told, ahead=2**32 - 1001)
    assert decoded.value.tolist() == [2**32 - 1, 2**32 - 301, 1, 2**32 - 290, 2**32 - 289, 16]
    assert decoded.echo.tolist() == [0, 2**32 - 1, 2**32 - 301, 1, 1, 2**32 - 290]


def test_clocks_run_on_with_the_time_and_echoes_with_the_clocks():
    told = drill.frames(EXCHANGE)
    later = np.array([each.time_ns for each in told])
    later[3:] += 2 * 10**9
    decoded, _ = again(told, later)
    assert decoded.value.tolist() == [1000, 700, 1002, 911, 912, 1217]
    assert decoded.echo.tolist() == [0, 1000, 700, 1002, 1002, 911]


def test_no_clock_goes_back_where_segments_are_sent_sooner_after_each_other():
    told = drill.frames(EXCHANGE)
    sooner = np.zeros(len(told), dtype=np.int64)
    decoded, _ = again(told, sooner)
    for way in (True, False):
        own = decoded.value[[each.outgoing == way for each in told]]
        assert (np.diff(own) >= 0).all()
    assert set(decoded.echo[1:].tolist()) <= set(decoded.value.tolist())


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 5000), st.integers(1, 5000), st.integers(0, 999)),
        min_size=1,
        max_size=20,
    )
)
def test_whatever_is_said_comes_back(said):
    lines = [
        f"+.{wait:03} {'>' if own else '<'} . 1:1(0) ack 1 win 9 <nop,nop,TS val {val} ecr {ecr}>"
        for own, val, ecr, wait in said
    ]
    told = drill.frames("\n".join(lines))
    assert [each.frame for each in again(told)[1]] == [
        # the checksum goes with what is said, which comes back
        each.frame
        for each in told
    ]
