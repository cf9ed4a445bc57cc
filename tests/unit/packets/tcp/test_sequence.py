"""Numbers become references and come back, for exchanges told as packetdrill scripts."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.packets.tcp.number_spaces import Mentions
from iotflowgen.packets.tcp.segments import read_numbers, write_numbers
from iotflowgen.packets.tcp.sequence import decode, encode, initial_numbers
from iotflowgen.recording import find_flows
from iotflowgen.wire import Frames, find_layers, read_records
from tests import drill

HANDSHAKE = """
0.000 > S 0:0(0) win 29200 <mss 1460,sackOK,nop,wscale 7>
+.010 < S. 0:0(0) ack 1 win 28960 <mss 1460,sackOK,nop,wscale 7>
+.001 > . 1:1(0) ack 1 win 229
"""
SCRIPTS = {
    "a request and its answer": """
        +.1 > P. 1:101(100) ack 1 win 229
        +.1 < . 1:1(0) ack 101 win 227
        +.1 < P. 1:1461(1460) ack 101 win 227
        +.1 > . 101:101(0) ack 1461 win 250
    """,
    "a retransmission": """
        +.1 > P. 1:101(100) ack 1 win 229
        +.1 > P. 101:151(50) ack 1 win 229
        +.1 > P. 1:101(100) ack 1 win 229
        +.1 < . 1:1(0) ack 151 win 227
    """,
    "a keep-alive probe": """
        +.1 > P. 1:101(100) ack 1 win 229
        +.1 < . 1:1(0) ack 101 win 227
        +60 > . 100:100(0) ack 1 win 229
        +.1 < . 1:1(0) ack 101 win 227
    """,
    "a segment that comes early, its block, and what fills the hole": """
        +.1 < P. 101:201(100) ack 1 win 227
        +.1 > . 1:1(0) ack 1 win 229 <nop,nop,sack 101:201>
        +.1 < P. 1:101(100) ack 1 win 227
        +.1 > . 1:1(0) ack 201 win 229
    """,
    "D-SACK (RFC 2883)": """
        +.1 < P. 1:101(100) ack 1 win 227
        +.1 > . 1:1(0) ack 101 win 229
        +.1 < P. 1:101(100) ack 1 win 227
        +.1 > . 1:1(0) ack 101 win 229 <nop,nop,sack 1:101>
    """,
    "a stretch ACK, and one of a part": """
        +.1 < . 1:1461(1460) ack 1 win 227
        +.1 < . 1461:2921(1460) ack 1 win 227
        +.1 < P. 2921:3000(79) ack 1 win 227
        +.1 > . 1:1(0) ack 2000 win 229
        +.1 > . 1:1(0) ack 3000 win 229
    """,
    "an acknowledgment of what the capture lost": """
        +.1 < P. 1:101(100) ack 51 win 227
        +.1 > . 51:51(0) ack 101 win 229
    """,
    "an acknowledgment of another connection's numbers": """
        +.1 < P. 1:101(100) ack 1 win 227
        +.1 < . 101:101(0) ack 900000000 win 227
        +.1 > P. 1:101(100) ack 101 win 229
        +.1 < . 101:101(0) ack 101 win 227
    """,
    "an acknowledgment that is overtaken": """
        +.1 < P. 1:101(100) ack 1 win 227
        +.1 < P. 101:201(100) ack 1 win 227
        +.1 > . 1:1(0) ack 201 win 229
        +0 > . 1:1(0) ack 101 win 229
        +.1 > . 1:1(0) ack 201 win 229
    """,
    "both sides close": """
        +.1 > F. 1:1(0) ack 1 win 229
        +.1 < F. 1:1(0) ack 2 win 227
        +.1 > . 2:2(0) ack 2 win 229
    """,
    "a reset": """
        +.1 > P. 1:101(100) ack 1 win 229
        +.1 < R. 1:1(0) ack 101 win 0
    """,
}


def number(told, renumber=lambda initial_P2: initial_P2, taken=None):
    """The frames, their numbers encoded and decoded; where lines begin is told to `renumber`."""
    frames = Frames.of([each.frame for each in told])
    outgoing = np.array([each.outgoing for each in told])
    layers, capture = find_layers(frames), np.zeros(len(told), dtype=np.int64)
    flow, numbers = find_flows(frames, layers, capture, outgoing), read_numbers(frames, layers)
    references = encode(flow, outgoing, numbers)
    initial_P2 = renumber(initial_numbers(flow, outgoing, numbers, references))
    decoded, _ = decode(
        Mentions(flow, outgoing, numbers.acknowledges, references.renews),
        references,
        numbers.acknowledges,
        numbers.opens,
        numbers.taken if taken is None else taken,
        initial_P2,
    )
    clean = Frames(frames.data.copy(), frames.start, frames.size)
    where = layers.transport
    clean.put(where + 4, 4, 0)
    clean.put(where + 8, 4, 0)
    write_numbers(clean, layers, decoded)
    return decoded, [each._replace(frame=clean[i]) for i, each in enumerate(told)]


@pytest.mark.parametrize("exchange", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize("isns", [(1000, 5000), (2**32 - 60, 2**32 - 1500)], ids=["low", "wraps"])
def test_an_exchange_comes_back_number_by_number(exchange, isns):
    told = drill.frames(HANDSHAKE + exchange, isns=isns)
    assert drill.script(number(told)[1]) == drill.script(told)


@pytest.mark.parametrize("exchange", SCRIPTS.values(), ids=SCRIPTS)
def test_the_same_exchange_is_told_from_other_initial_numbers(exchange):
    told = drill.frames(HANDSHAKE + exchange)
    _, again = number(told, lambda initial_P2: (initial_P2 + 2**32 - 1100) % 2**32)
    assert drill.script(again) == drill.script(told)


@pytest.mark.parametrize("exchange", SCRIPTS.values(), ids=SCRIPTS)
def test_a_connection_that_was_open_before_comes_back(exchange):
    told = drill.frames(HANDSHAKE + exchange)[3:]
    assert drill.script(number(told)[1]) == drill.script(told)


def test_a_challenge_ack_of_an_older_connection_leaves_the_new_one_its_own_numbers():
    """RFC 5961, section 4: it has nothing to do with the numbers of the SYN-ACK after it."""
    told = [
        *drill.frames("0.0 > S 0:0(0) win 100 <mss 1460>"),
        *drill.frames("+.1 < . 1:1(0) ack 1 win 100", isns=(900_000_000, 3_000_000_000)),
        *drill.frames("+.1 > S 0:0(0) win 100 <mss 1460>"),
        *drill.frames("+.2 < S. 0:0(0) ack 1 win 100 <mss 1460>"),
        *drill.frames("+.3 > P. 1:11(10) ack 1 win 100"),
    ]
    assert [f.frame for f in number(told)[1]][2:] == [f.frame for f in told][2:]


def test_references_count_segments_so_that_they_hold_for_other_lengths():
    told = drill.frames(HANDSHAKE + SCRIPTS["a retransmission"])
    taken = np.array([1, 1, 0, 70, 30, 70, 0])
    decoded, _ = number(told, taken=taken)
    own = (decoded.sequence - decoded.sequence[0])[[3, 4, 5]].tolist()
    assert own == [1, 71, 1]
    assert decoded.acknowledgment[6] - decoded.sequence[0] == 101


def test_acknowledgments_never_fall_behind_where_a_session_goes_over_to_another_capture():
    """Two acknowledgments of one segment each, taken from where two more were outstanding."""
    outstanding = """
        +.1 < P. 1:101(100) ack 1 win 227
        +.1 < P. 101:201(100) ack 1 win 227
        +.1 < P. 201:301(100) ack 1 win 227
        +.1 > . 1:1(0) ack 101 win 229
        +.1 > . 1:1(0) ack 201 win 229
        +.1 > . 1:1(0) ack 301 win 229
    """
    told = drill.frames(HANDSHAKE + outstanding)
    frames = Frames.of([each.frame for each in told])
    outgoing = np.array([each.outgoing for each in told])
    numbers = read_numbers(frames, find_layers(frames))
    references = encode(np.zeros(len(told), dtype=np.int64), outgoing, numbers)
    # all that came is acknowledged; then comes one of the acknowledgments that leave some
    source = np.array([0, 1, 2, 3, 4, 5, 8, 7, 6])
    gathered = type(references)(**{k: v[source] for k, v in vars(references).items()})
    flow = np.zeros(len(source), dtype=np.int64)
    decoded, _ = decode(
        Mentions(flow, outgoing[source], numbers.acknowledges[source], gathered.renews),
        gathered,
        numbers.acknowledges[source],
        numbers.opens[source],
        numbers.taken[source],
        np.zeros((len(source), 2), dtype=np.int64),
    )
    said = decoded.acknowledgment[outgoing[source]][2:].tolist()
    assert all(before <= after for before, after in pairwise(said))
    assert max(said) <= 301


@pytest.mark.parametrize("name", ["plug", "camera"])
def test_samples_come_back_to_the_byte(name):
    for path in sorted((Path(__file__).parents[4] / "samples" / name).iterdir()):
        frames = read_records(path).frames.packed()
        layers = find_layers(frames)
        tcp = layers.is_tcp & layers.is_ip4
        frames, layers = frames.take(tcp).packed(), layers.take(tcp)
        # any order of the two endpoints tells the directions of a connection apart
        ends = frames.number(layers.network + 12, 4), frames.number(layers.network + 16, 4)
        told = [
            drill.Frame(0, outgoing, frame)
            for outgoing, frame in zip((ends[0] < ends[1]).tolist(), frames.tolist(), strict=True)
        ]
        assert [f.frame for f in number(told)[1]] == frames.tolist()


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(-3, 400), st.integers(0, 50), st.integers(-50, 50)),
        min_size=1,
        max_size=30,
    )
)
def test_whatever_is_said_comes_back(said):
    """Also what no stack would say: numbers anywhere, acknowledgments of anything."""
    told = drill.frames(
        HANDSHAKE
        + "\n".join(
            f"+.1 {'>' if own else '<'} . {at}:{at + size}({size}) ack {max(1, at + off)} win 9"
            for own, at, size, off in said
        )
    )
    assert [f.frame for f in number(told)[1]] == [f.frame for f in told]
