"""What connections have come to after each packet, for exchanges told as packetdrill scripts."""

import pytest

from iotflowgen.packets.states import with_states
from iotflowgen.traffic import STATES
from tests import drill
from tests.unit.packets.payload.exchange import HTTP, TCP, TLS, frames_of, trace_of

OPENED = """
0.000 > S 0:0(0) win 29200 <mss 1460>
+.010 < S. 0:0(0) ack 1 win 28960 <mss 1460>
+.010 > . 1:1(0) ack 1 win 29200
"""
OUT, IN = True, False


def told(frames, protocols=TCP):
    (trace,) = with_states([trace_of(frames, protocols)])
    return trace


def states(frames, name, protocols=TCP):
    return told(frames, protocols).states[:, STATES.index(name)].tolist()


def closed_after(script):
    return states(drill.frames(OPENED + script), "tcp")[3:]


def test_each_side_closes_with_its_fin():
    script = """
    +.010 > F. 1:1(0) ack 1 win 29200
    +.010 < . 1:1(0) ack 2 win 28960
    +.010 < F. 1:1(0) ack 2 win 28960
    +.010 > . 2:2(0) ack 2 win 29200
    """
    assert closed_after(script) == [1, 1, 3, 3]


def test_a_reset_tells_its_sender_from_the_other_side():
    assert closed_after("+.010 > R. 1:1(0) ack 1 win 0") == [4]
    assert closed_after("+.010 < R. 1:1(0) ack 1 win 0") == [8]


def test_another_connection_between_the_same_ports_is_open():
    script = """
    +.010 > R. 1:1(0) ack 1 win 0
    1.000 > S 5000:5000(0) win 29200 <mss 1460>
    """
    assert closed_after(script) == [4, 0]


def test_segments_are_outstanding_until_they_are_acknowledged():
    script = """
    +.010 > P. 1:101(100) ack 1 win 29200
    +.010 > P. 101:201(100) ack 1 win 29200
    +.010 < . 1:1(0) ack 101 win 28960
    +.010 < P. 1:51(50) ack 201 win 28960
    +.010 > . 201:201(0) ack 51 win 29200
    """
    syn, syn_ack, opened, one, two, half, other, none = states(
        drill.frames(OPENED + script), "outstanding"
    )
    assert (syn, opened, none) == (one, 0, 0)
    assert one == half
    assert len({0, one, two, syn_ack}) == 4
    assert syn_ack == other


def test_a_keep_alive_probe_is_open_until_the_other_side_answers_it():
    script = """
    +5.00 > . 0:0(0) ack 1 win 29200
    +.001 < . 0:0(0) ack 1 win 28960
    +.010 < . 1:1(0) ack 1 win 28960
    +.010 > . 1:1(0) ack 1 win 29200
    """
    probe, both, one, none = states(drill.frames(OPENED + script), "outstanding")[3:]
    assert none == 0
    assert len({probe, both, one, none}) == 4


def test_all_segments_of_a_window_are_told_apart():
    sent = "".join(f"+.001 < . {1 + i}:{2 + i}(1) ack 1 win 28960\n" for i in range(40))
    counts = states(drill.frames(OPENED + sent), "outstanding")[3:]
    assert len(set(counts)) == 40


def test_options_are_those_of_both_syns():
    syn, answer = "> S 0:0(0) win 1 <{}>", "+1 < S. 0:0(0) ack 1 win 1 <{}>"
    both, none, one, again = (
        states(drill.frames("\n".join([syn.format(mine), answer.format(other)])), "options")
        for mine, other in (
            ("mss 1460,sackOK,wscale 2", "mss 1460,sackOK,wscale 7"),
            ("mss 1460", "mss 1460"),
            ("mss 1460,sackOK,wscale 2", "mss 1460,sackOK"),
            ("mss 1400,sackOK,wscale 3", "mss 1400,sackOK,wscale 1"),
        )
    )
    assert both == again
    assert both[0] == one[0]
    assert len({both[1], none[1], one[1]}) == 3
    assert states(drill.frames("> . 1:1(0) ack 1 win 1"), "options") == [0]


def hello(kind, *, version=3, cipher=0x2F, seed=0):
    """A hello of a client (1) or a server (2), with a random of its own."""
    choice = b"\0\2\0\x2f\1\0" if kind == 1 else bytes([cipher >> 8, cipher & 0xFF, 0])
    body = bytes([3, version]) + bytes([seed]) * 32 + b"\0" + choice
    return record(22, bytes([kind]) + len(body).to_bytes(3) + body)


def record(kind, body):
    return bytes([kind, 3, 1]) + len(body).to_bytes(2) + body


CERTIFICATE = record(22, b"\x0b\0\x03\xe8" + bytes(range(250)) * 4)
DONE, KEY, CHANGE = record(22, b"\x0e\0\0\0"), record(22, b"\x10\0\0\2ab"), record(20, b"\1")
FINISHED, DATA = record(22, b"\x99" * 40), record(23, b"\x99" * 60)


def handshake(cut=500, **chosen):
    seed = chosen.get("seed", 0)
    return [
        (OUT, hello(1, seed=seed)),
        (IN, hello(2, **chosen)),
        (IN, CERTIFICATE[:cut]),
        (IN, CERTIFICATE[cut:] + DONE),
        (OUT, KEY + CHANGE + FINISHED),
        (IN, CHANGE + FINISHED),
        (OUT, DATA),
    ]


def test_handshakes_are_alike_but_for_what_is_random_in_them():
    first, same, version, cipher, cut = (
        states(frames_of(handshake(**chosen)), "tls", TLS)
        for chosen in ({}, {"seed": 1}, {"version": 2}, {"cipher": 5}, {"cut": 600})
    )
    assert first == same
    assert len(set(first)) == len(first) - 1  # data says nothing of the handshake
    for other in (version, cipher):
        assert first[0] == other[0]
        assert not set(first[1:]) & set(other[1:])
    assert [a == b for a, b in zip(first, cut, strict=True)] == [True, True, False, *[True] * 4]
    assert [each < 0 for each in first] == [*[True] * 5, False, False]


def test_parts_of_a_handshake_keep_their_lengths():
    assert told(frames_of(handshake()), TLS).fixed.tolist() == [*[True] * 5, False, False]


@pytest.mark.parametrize(
    "said", [b"\x16", b"\x16\3", b"\x16\3\1\xff\xff" + b"x" * 30, b"\xff" * 40]
)
def test_a_connection_of_tls_may_show_no_record(said):
    trace = told(frames_of([(OUT, said), (IN, said)]), TLS)
    assert not trace.states[:, STATES.index("tls")].any()
    assert not trace.fixed.any()


def answer(body, *, head=b"", said=None):
    length = str(len(body) if said is None else said).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: " + length + head + b"\r\n\r\n" + body


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_a_message_is_unfinished_until_all_of_it_was_said():
    body = bytes(1000)
    whole = answer(body)
    asked, head, some, rest = states(
        frames_of([(OUT, GET), (IN, whole[:-900]), (IN, whole[-900:-100]), (IN, whole[-100:])]),
        "http",
        HTTP,
    )
    assert rest == 0
    assert max(asked, head, some) < 0
    assert len({asked, head, some}) == 3
    # whatever was said before, as much is left
    more = answer(bytes(3000))
    left = states(frames_of([(OUT, GET), (IN, more[:-900]), (IN, more[-900:])]), "http", HTTP)
    assert left == [asked, head, 0]


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_chunks_are_read_to_the_last(parts):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    said = head + b"".join(b"a\r\n0123456789\r\n" for _ in range(parts)) + b"0\r\n\r\n"
    cut = len(head) + 7
    trace = told(frames_of([(OUT, GET), (IN, said[:cut]), (IN, said[cut:]), (OUT, GET)]), HTTP)
    column = trace.states[:, STATES.index("http")]
    assert column[2] == 0
    assert column[0] == column[3] < 0
    assert trace.fixed.tolist() == [False, True, True, False]


@pytest.mark.parametrize("size", [b"-6", b"+1", b"0x5", b"1_0", b"", b"f" * 40, b"7" + b"f" * 15])
def test_sizes_of_chunks_may_be_anything(size):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    trace = told(frames_of([(OUT, GET), (IN, head + size + b"\r\nabc\r\n0\r\n\r\n")]), HTTP)
    is_size = size.isalnum() and b"x" not in size
    assert bool(trace.states[1, STATES.index("http")]) == is_size


def test_messages_in_one_segment_may_be_longer():
    trace = told(frames_of([(OUT, GET), (IN, answer(bytes(100)))]), HTTP)
    assert trace.fixed.tolist() == [False, False]
