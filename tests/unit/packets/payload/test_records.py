"""TLS records are as long as they say, wherever segments come from."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iotflowgen.packets.record import record
from iotflowgen.wire.tls import LONGEST
from tests import drill
from tests.unit.packets.payload.exchange import (
    CODECS,
    SENT_NS,
    TLS,
    recorded,
    rendered,
    trace_of,
)

RNG = np.random.default_rng(0)


def data(size, kind=23, start=b""):
    return bytes([kind]) + b"\3\3" + size.to_bytes(2) + (start + RNG.bytes(size))[:size]


def sent(stream, *cuts):
    places = (0, *cuts, len(stream))
    return [(True, stream[a:b]) for a, b in pairwise(places)]


def lengths(payloads):
    """Lengths of all records in a stream, and how many bytes the last one lacks."""
    stream, found, at = b"".join(payloads), [], 0
    while at < len(stream):
        assert stream[at] in range(20, 25), at
        assert stream[at + 1 : at + 2] in (b"\3", b"")
        found.append(int.from_bytes(stream[at + 3 : at + 5]))
        at += 5 + found[-1]
    return found, at - len(stream)


WHOLE = data(100) + data(50) + data(400) + data(30)


@pytest.mark.parametrize("cuts", [(), (105, 160), (70, 300, 500), (107, 161), (2, 108, 400)])
def test_records_of_a_connection_that_is_repeated_stay_as_they_are(cuts):
    recording = recorded(sent(WHOLE, *cuts), protocols=TLS)
    payloads = rendered(recording, np.arange(len(recording)))
    assert lengths(payloads) == ([100, 50, 400, 30], 0)
    assert b"".join(payloads) != WHOLE


def test_bodies_are_drawn_and_neither_captured_nor_those_of_another_file():
    recording = recorded(sent(WHOLE, 300), protocols=TLS)
    one, other = (b"".join(rendered(recording, [0, 1], seed=seed)) for seed in (0, 1))
    for a, b in ((one, other), (one, WHOLE)):
        assert a[:5] == b[:5]
        assert sum(x == y for x, y in zip(a, b, strict=True)) < 60


@pytest.mark.parametrize("more", [-20, -1, 1, 7, 200])
def test_a_record_is_longer_or_shorter_with_its_segment(more):
    recording = recorded(sent(data(100) + data(50), 105), protocols=TLS)
    assert lengths(rendered(recording, [0, 1], [0, more])) == ([100, 50 + more], 0)


def test_a_segment_that_goes_on_with_another_record_says_its_own_after_that():
    # of the first capture 300 bytes of a record are to come, of the second 100
    one = sent(data(400), 105)
    two = sent(data(200) + data(80), 105)
    recording = recorded(one, two, protocols=TLS)
    found, lacks = lengths(rendered(recording, [0, 3]))
    assert (found, lacks) == ([400], 405 - 105 - 185)
    found, lacks = lengths(rendered(recording, [2, 1]))
    assert (found, lacks) == ([200, 195], 0)


def test_retransmissions_say_the_same_again_and_change_nothing():
    script = """
        > P. 1:201(200) ack 1 win 229
        +1 > P. 201:301(100) ack 1 win 229
        +1 > P. 1:201(200) ack 1 win 229
        +1 > P. 301:601(300) ack 1 win 229
    """
    told = drill.frames(script, streams=(b"", WHOLE), start_ns=SENT_NS)
    recording = record([trace_of(told, TLS)], CODECS)
    first, second, again, last = rendered(recording, [0, 1, 2, 3])
    assert again == first
    assert lengths([first, second, last]) == ([100, 50, 400, 30], 0)


def test_what_does_not_count_is_no_nonce():
    recording = recorded(sent(data(60) + data(60) + data(60), 65), protocols=TLS)
    stream = b"".join(rendered(recording, [0, 1]))
    assert len({stream[at + 5 : at + 11] for at in (0, 65, 130)}) == 3


def test_nonces_that_count_count_on():
    def counted(first, count):
        return b"".join(
            data(60, start=number.to_bytes(8)) for number in range(first, first + count)
        )

    recording = recorded(sent(counted(0, 3), 65), sent(counted(2**50, 3), 65), protocols=TLS)
    payloads = rendered(recording, [0, 3])
    stream = b"".join(payloads)
    assert [int.from_bytes(stream[at + 5 : at + 13]) for at in (0, 65, 130)] == [0, 1, 2]
    stream = b"".join(rendered(recording, [2, 3]))
    found = [int.from_bytes(stream[at + 5 : at + 13]) for at in (0, 65, 130)]
    assert np.diff(found).tolist() == [1, 1]
    assert found[0] != 2**50


@given(st.data())
@settings(max_examples=60)
def test_whatever_follows_whatever_is_a_stream_of_records(draw):
    sizes = draw.draw(st.lists(st.integers(1, 600), min_size=1, max_size=8))
    stream = b"".join(data(size) for size in sizes)
    cuts = draw.draw(st.sets(st.integers(1, len(stream) - 1), max_size=8))
    recording = recorded(sent(stream, *sorted(cuts)), protocols=TLS)
    first = st.just([0])
    later = st.lists(st.integers(0, len(recording) - 1), max_size=12)
    source = draw.draw(first) + draw.draw(later)
    size = recording.length[source] - 54
    more = [draw.draw(st.integers(-min(20, int(s) - 1), 20)) for s in size]
    payloads = rendered(recording, source, more)
    assert [len(each) for each in payloads] == (size + more).tolist()
    assert max(lengths(payloads)[0]) <= LONGEST
    for block in (1, 3):
        assert rendered(recording, source, more, block=block) == payloads
