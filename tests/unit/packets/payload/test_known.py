"""Messages that are known by what they say keep the form by which they are known."""

import struct

import numpy as np
import pytest

from iotflowgen.packets.payload.known import drawn_in_known, quic_packets

RNG = np.random.default_rng(3)


def rtcp(kind, words, body=b""):
    return struct.pack("!BBH", 0x80, kind, words) + body


def long_header(kind, destination, source, body, *, token=None):
    ids = b"".join(bytes([len(each)]) + each for each in (destination, source))
    told = b"" if token is None else bytes([len(token)]) + token
    size = struct.pack("!H", 0x4000 | len(body))
    return bytes([0xC0 | kind << 4]) + b"\0\0\0\1" + ids + told + size + body


def test_reports_that_their_lengths_explain_stay_and_encrypted_ones_are_drawn_from_their_body_on():
    whole = rtcp(201, 1, b"ssrc") + rtcp(202, 2, RNG.bytes(8))
    assert drawn_in_known(whole) == []
    secured = rtcp(201, 1, b"ssrc") + b"\x11" * 31
    assert drawn_in_known(secured) == [(8, 8), (12, 39)]
    assert drawn_in_known(secured + b"\x80\0\0\7") == [(8, 8), (12, 39)]


def test_of_quic_what_is_encrypted_is_drawn_in_all_packets_of_a_datagram():
    first = long_header(0, b"d" * 8, b"s" * 8, RNG.bytes(100), token=b"abc")
    second = long_header(2, b"d" * 8, b"s" * 8, RNG.bytes(70))
    short = b"\x41" + b"d" * 8 + RNG.bytes(20)
    message = first + second + short
    assert [each.ids for each in quic_packets(message)] == [
        ((6, 14), (15, 23)),
        ((len(first) + 6, len(first) + 14), (len(first) + 15, len(first) + 23)),
    ]
    ends = np.cumsum([len(first), len(second), len(short)]).tolist()
    assert drawn_in_known(message) == [
        (ends[0] - 100, ends[0]),
        (ends[1] - 70, ends[1]),
        (ends[2] - 20, ends[2]),
    ]


def test_of_dtls_headers_stay_and_of_hellos_all_but_what_is_random():
    body = bytes([1]) + bytes(11) + b"\xfe\xfd" + RNG.bytes(32) + bytes(4)
    hello = b"\x16\xfe\xff" + bytes(8) + struct.pack("!H", len(body)) + body
    data = b"\x17\xfe\xfd\0\1" + bytes(6) + struct.pack("!H", 40) + RNG.bytes(40)
    assert drawn_in_known(hello) == [(27, 59)]
    assert drawn_in_known(hello + data) == [(27, 59), (len(hello) + 13, len(hello) + 53)]


@pytest.mark.parametrize("size", range(0, 40, 3))
def test_whatever_comes_is_read_without_an_error(size):
    for first in range(256):
        message = bytes([first]) + RNG.bytes(size)
        for begin, end in drawn_in_known(message) or []:
            assert 0 <= begin <= end <= len(message)
