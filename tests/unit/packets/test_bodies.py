from pathlib import Path

import pytest
from scapy.utils import RawPcapReader

from iotflowgen.packets import PacketFeatures
from iotflowgen.packets.bodies import follow, rests
from iotflowgen.packets.connections import Side
from iotflowgen.packets.lookahead import flow_of
from iotflowgen.packets.recognition import OPEN, still_owed
from iotflowgen.traffic import protocol_mask
from tests.unit.packets.spoken import OPENING, learnt_from
from tests.unit.packets.test_template import stream
from tests.unit.packets.test_write import complaints

HTTP = protocol_mask(["ip", "tcp", "http"])
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


@pytest.mark.parametrize(
    ("payload", "owed"),
    [
        (HEAD % 10 + b"0123", 6),
        (HEAD % 4 + b"0123", 0),
        (b"HTTP/1.1 200 OK\r\n", OPEN),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>", OPEN),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0),
    ],
)
def test_what_is_owed_of_a_message_is_known(payload: bytes, owed: int) -> None:
    assert still_owed(payload) == owed


def test_a_head_in_two_segments_is_of_a_message_that_goes_on() -> None:
    first, second = b"HTTP/1.1 200 OK\r\n", b"Connection: close\r\n\r\n{"
    me, other = Side(), Side()
    for text in (first, second, b'"a": 1}'):
        follow(bytearray(text), 0, len(text), me, other, (0, 0))
        assert me.body == OPEN
    follow(bytearray(b"GET / HTTP/1.1\r\n\r\n"), 0, 18, other, me, (0, 0))
    assert (me.body, other.body) == (0, 0)


def test_a_message_goes_on_until_the_other_side_speaks() -> None:
    sent = [(True, 200), (False, 300), (False, 1400), (False, 90), (True, 200), (False, 90)]
    packets = [
        PacketFeatures(length, outgoing, *((4000, 80) if outgoing else (80, 4000)), HTTP)
        for outgoing, length in sent
    ]
    goes_on = [length in (1400, 90) for _, length in sent]
    flows, never = [*map(flow_of, packets)], [False] * len(packets)
    assert dict(rests(packets, flows, goes_on, never)) == {1: (2, 1490), 2: (1, 90)}
    again = [*never[:2], True, *never[3:]]
    assert dict(rests(packets, flows, goes_on, again)) == {1: (1, 90)}


@pytest.mark.parametrize(
    ("said", "body", "rest", "told"),
    [
        (3000, b"", (2, 2000), b"1892"),
        (3000, b"", (1, 200), b" 146"),
        (30, b"0123456789", (1, 1054), b"1008"),
        (30, b"", (1, 1054), None),
    ],
)
def test_a_head_says_how_much_comes(
    said: int, body: bytes, rest: tuple[int, int], told: bytes | None
) -> None:
    start = 54
    data = bytearray(start) + HEAD % said + body
    size, me, other = len(data), Side(), Side()
    other.body = 5
    follow(data, start, size, me, other, rest)
    assert len(data) == size
    assert other.body == 0
    if told is None:
        assert data[start:] == HEAD % said + body
    else:
        assert b"Content-Length: " + told + b"\r\n" in data
        assert me.body == rest[1] - rest[0] * start


def test_a_download_of_another_length_is_whole_to_tshark(tmp_path: Path) -> None:
    """What comes of it would be read as heads otherwise, and be malformed."""
    asks, hears = (True, "PA", b"GET /image HTTP/1.1\r\nHost: a\r\n\r\n"), (True, "A", b"")
    names = [b"name%d: \n\0\x91 of a library\nX" % i for i in range(9)]
    said = [(False, "PA", name.ljust(1000, b"\xe1")) for name in names]
    head, last = (False, "PA", HEAD % 9100 + b"\x7fELF"), (False, "PA", b"\x83" * 96)
    rest = [hears, (True, "FA", b""), (False, "FA", b""), hears]
    _, headers = learnt_from(
        tmp_path / "learnt.pcap", [*OPENING, asks, hears, head, *said, last, *rest], port=80
    )
    for count in (2, 5, 9):
        wanted = [*OPENING, asks, hears, head, *said[:count], *rest]
        trace, _ = learnt_from(tmp_path / f"{count}.pcap", wanted, port=80)
        path = tmp_path / "honeydata.pcap"
        stream(headers, [trace], path)
        assert complaints(path) == []
        assert len(complaints(path, wrong="http.response and http.file_data")) == 1


def test_a_body_comes_once_the_other_side_says_so(tmp_path: Path) -> None:
    """The head waits for `100 Continue` (RFC 9110, section 10.1.1), which ends no message."""
    body = b"action=store&data=" + bytes(range(0x41, 0x5B))
    asks = b"POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    goes_on, answer = b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"
    heard = (False, "A", b"")
    said = [(True, "PA", asks), heard, (False, "PA", goes_on), (True, "PA", body), heard]
    said += [(False, "PA", answer), (True, "FA", b""), (False, "FA", b""), (True, "A", b"")]
    trace, headers = learnt_from(tmp_path / "learnt.pcap", [*OPENING, *said], port=80)
    path = tmp_path / "honeydata.pcap"
    stream(headers, [trace], path)
    with RawPcapReader(str(path)) as reader:
        sent = [bytes(frame)[54:] for frame, _ in reader]
    assert [payload for payload in sent if payload] == [asks, goes_on, body, answer]
    assert complaints(path) == []
