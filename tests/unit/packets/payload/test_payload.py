"""What is drawn, what is kept, what is said anew: of payload that is no TLS."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from iotflowgen.packets.record import record
from iotflowgen.wire import Frames
from tests.unit.packets.payload.exchange import (
    CODECS,
    HTTP,
    SENT_NS,
    TCP,
    frames_of,
    recorded,
    rendered,
    trace_of,
)

RNG = np.random.default_rng(0)
PORTS = {"ports": (21_000, 40_000)}


def response(body, more=b""):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    return head + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_what_nobody_can_read_is_drawn_but_for_its_head():
    secret = b"\x01\x02\0\0\0\0\0\x10" + RNG.bytes(200)
    recording = recorded([(True, secret)], **PORTS)
    payload = rendered(recording, [0])[0]
    assert payload[:8] == secret[:8]
    assert sum(a == b for a, b in zip(payload[8:], secret[8:], strict=True)) < 10
    assert secret[8:] not in recording.frames.data.tobytes()


def test_text_and_what_several_captures_show_and_what_a_dissector_reads_are_kept():
    firmware = RNG.bytes(200)
    shown = [(True, b"hello, this is text"), (True, firmware)]
    recording = recorded(shown, shown, **PORTS)
    assert rendered(recording, [0, 1]) == [text for _, text in shown]
    recording = recorded([(True, firmware)], ports=(1883, 40_000))
    assert rendered(recording, [0]) == [firmware]


def test_bytes_of_a_head_that_take_few_values_are_kept():
    said = [(True, RNG.bytes(9) + b"\x55\xaa" + RNG.bytes(60)) for _ in range(6)]
    recording = recorded(said, **PORTS)
    for payload, (_, text) in zip(rendered(recording, range(6)), said, strict=True):
        assert payload[9:11] == b"\x55\xaa"
        assert payload[11:] != text[11:]


def test_what_was_not_captured_is_drawn():
    trace, frames = trace_of(frames_of([(True, b"text " * 40)]))
    cut = Frames.of([frames[0][:100]])
    payload = rendered(record([(trace, cut)], CODECS), [0])[0]
    assert len(payload) == 200
    assert len(set(payload[46:])) > 60


def test_padding_is_drawn_unless_it_is_zero():
    for padding in (bytes(5), RNG.bytes(5)):
        trace, frames = trace_of(frames_of([(True, b"")]))
        padded = Frames.of([frames[0] + padding])
        trace.length[:] += 5
        payload = rendered(record([(trace, padded)], CODECS), [0])[0]
        assert len(payload) == 5
        assert (payload == padding) == (not any(padding))


def test_random_bytes_grow_and_shrink_with_the_packet():
    recording = recorded([(True, bytes(range(8)) + RNG.bytes(100))], **PORTS)
    for more in (-60, 35):
        payload = rendered(recording, [0], more)[0]
        assert len(payload) == 108 + more
        assert payload[:8] == bytes(range(8))
        assert len(set(payload[-30:])) > 20


def test_a_body_that_is_longer_or_shorter_is_of_the_length_that_its_head_says():
    body = json.dumps({"id": "0123456789abcdef0123456789abcdef"}).encode()
    recording = recorded([(True, response(body))], protocols=HTTP, ports=(80, 40_000))
    for more in (-12, 5, 60):
        payload = rendered(recording, [0], more)[0]
        head, _, now = payload.partition(b"\r\n\r\n")
        assert int(head.rpartition(b":")[2]) == len(now)
        # a longer number takes a byte of the body
        if more < 60:
            assert json.loads(now)["id"][:6] == "012345"


def typed(kind, body, more=""):
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    ("kind", "more", "is_whole"),
    [
        ("image/png", "", True),
        ("application/ocsp-response", "", True),
        ("application/json", "Content-Encoding: gzip\r\n", True),
        ("application/octet-stream", "", False),
    ],
)
def test_a_body_of_a_form_that_others_read_is_kept_whole_over_all_its_segments(
    kind, more, is_whole
):
    body = RNG.bytes(600)
    message = typed(kind, body, more)
    said = [(True, message[:300]), (True, message[300:500]), (True, message[500:])]
    recording = recorded(said, protocols=HTTP, ports=(80, 40_000))
    now = b"".join(rendered(recording, range(3)))
    assert (now == message) == is_whole
    assert now[: len(message) - 600] == message[: len(message) - 600]


def test_of_a_text_with_elements_a_word_between_them_is_longer():
    body = b'<?xml version="1.0"?><descriptionElement><n>plug</n></descriptionElement>'
    recording = recorded([(True, typed("text/xml", body))], protocols=HTTP, ports=(80, 40_000))
    payload = rendered(recording, [0], 3)[0]
    assert payload.endswith(b"><descriptionElement><n>plugggg</n></descriptionElement>")


def test_a_head_without_body_changes_in_a_value():
    head = b"GET /a HTTP/1.1\r\nHost: example.org\r\nCookie: id=0123456789abcdef\r\n\r\n"
    recording = recorded([(True, head)], protocols=HTTP, ports=(80, 40_000))
    payload = rendered(recording, [0], 4)[0]
    assert payload == head.replace(b"cdef\r", b"cdefffff\r")


def test_times_are_those_of_the_packets_by_a_clock_that_is_wrong_by_the_same():
    def told(second):
        return datetime.fromtimestamp(SENT_NS // 10**9 + second, UTC)

    def said(second, form="%a, %d %b %Y %H:%M:%S GMT"):
        return (True, response(b"{}", b"Date: " + told(second).strftime(form).encode() + b"\r\n"))

    # the first segment is sent a second after the start
    recording = recorded([said(1 - 7)], [said(1 + 9)], protocols=HTTP, ports=(80, 40_000))
    later = SENT_NS + np.array([10**6, 10**6 + 60]) * 10**9
    payloads = rendered(recording, [0, 1], time_ns=later)
    assert payloads == [said(10**6 - 7)[1], said(10**6 + 60 - 7)[1]]
    for block in (1, 2):
        assert rendered(recording, [0, 1], time_ns=later, block=block) == payloads


def test_times_that_are_not_near_the_packet_stay():
    text = b"released 2009-01-01T00:00:00, id 1700000000"
    recording = recorded([(True, text)], protocols=TCP)
    payload = rendered(recording, [0], time_ns=[SENT_NS + 3600 * 10**9])[0]
    assert payload == text.replace(b"1700000000", b"%d" % (1_700_000_000 + 3599))
