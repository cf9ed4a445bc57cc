"""TLS, DNS and HTTP: messages by hand, and anything at all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRR

from iotflowgen.wire import dns, http, tls
from iotflowgen.wire.frames import Frames


def ranges(parts):
    """Data with something between the parts, and where each begins and ends."""
    frames = Frames.of([piece for part in parts for piece in (part, b"\x17\x03\xc0")])
    frames = frames.take(slice(0, None, 2))
    return frames.data, frames.start, frames.start + frames.size


def test_a_handshake_of_tls():
    hello = bytes.fromhex("16 0301 0004 01000000")
    data = bytes.fromhex("17 0303 0003 aabbcc")
    longest = bytes.fromhex("16 0303 4800")
    parts = [hello + data, data + hello, hello[:5], hello[:4], longest, b"\x16\2" + hello[2:], b""]
    parts.append(bytes.fromhex("16 0303 4801"))
    assert tls.begins_handshake(Frames.of(parts)).nonzero()[0].tolist() == [0, 2, 4]


def test_a_message_of_dns():
    message = bytes.fromhex(
        "abcd 8180 0001 0003 0000 0001"
        "03777777 076578616d706c65 03636f6d 00 0001 0001"
        "c00c 0005 0001 0000003c 0002 c010"
        "c010 0001 0001 00000e10 0004 01020304"
        "c00c 0001 0001 00000e10 0003 010203"  # no address has 3 bytes
        "07455841 4d504c45 c018 001c 8001 0000001e 0010 20010db8000000000000000000000001"
    )
    content, start, end = ranges([b"", message, message[:20], message[:-1]])
    headers = dns.read_headers(content, start, end)
    assert [int(column[1]) for column in headers[:2]] == [0xABCD, 0x8180]
    assert (headers.name_end - start)[[1, 3]].tolist() == [29, 29]
    assert headers.name_end[[0, 2]].tolist() == [0, 0]
    assert headers.type.tolist() == [0, 1, 0, 1]
    found = dns.find_addresses(content, start, end)
    assert found.packet.tolist() == [1, 1, 3]
    assert found.section.tolist() == [1, 3, 1]
    assert found.type.tolist() == [dns.A, dns.AAAA, dns.A]
    data = Frames(content, np.zeros(3, np.int64), np.full(3, len(content)))
    assert data.number(found.address, 4).tolist() == [0x01020304, 0x20010DB8, 0x01020304]


def test_names_have_the_same_number_in_any_case():
    names = [
        bytes.fromhex(each) for each in ("076578616d706c6500", "07455841 4d504c4500", "016500")
    ]
    head = bytes.fromhex("abcd 0100 0001 0000 0000 0000")
    messages = [head + name + bytes.fromhex("0001 0001") for name in names]
    content, start, end = ranges([*messages, messages[0][:-1]])
    one, two, other, none = dns.read_headers(content, start, end).name.tolist()
    assert one == two
    assert none == 0
    assert len({one, other, 0}) == 3


@pytest.mark.parametrize(
    "name",
    [
        "80 00",
        "03 61",
        "ff ff",
        "c0",
        ("3f" + "61" * 63) * 4 + "00",
    ],
)
def test_names_without_an_end(name):
    many = bytes.fromhex("0000 0000 ffff ffff ffff ffff") + bytes.fromhex(name)
    content, start, end = ranges([many])
    assert dns.read_headers(content, start, end).name.tolist() == [0]
    assert not len(dns.find_addresses(content, start, end).packet)


def test_messages_of_dns_by_scapy():
    messages = []
    for i in range(40):
        records = [
            DNSRR(rrname=f"h{j}.iot.example", type="A", rdata=f"10.0.{i}.{j}", ttl=j)
            for j in range(i % 5)
        ]
        messages.append(bytes(DNS(id=i, qd=[DNSQR(qname="iot.example")], an=records)))
    content, start, end = ranges(messages)
    found = dns.find_addresses(content, start, end)
    assert found.packet.tolist() == [i for i in range(40) for _ in range(i % 5)]
    data = Frames(content, found.address, np.full(len(found.address), 4))
    expected = [0x0A000000 + 256 * i + j for i in range(40) for j in range(i % 5)]
    assert data.number(0, 4).tolist() == expected


def test_heads_of_http():
    parts = [
        b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-LENGTH:  42 \r\nDate: Mon\r\n\r\nContent-Length: 7\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\nDate:Tue\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 12a\r\nX-Content-Length: 5\r\n\r\n",
        b"GET / but no version\r\n\r\n",
        b"\x17\x03\x03\0\5hello",
        b"HTTP/1.1 200 OK",
        b"",
        b"PUT / HTTP/1.1\r\nTransfer-Encoding: unchunked\r\n"
        b"Content-Length: 123456789012345678901\r\n\r\n",
        b"M-SEARCH * HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    ]
    content, start, end = ranges(parts)
    heads = http.find_heads(content, start, end)
    ask, answer = http.REQUEST, http.RESPONSE
    assert heads.kind.tolist() == [ask, answer, answer, ask, 0, 0, 0, 0, ask, ask]
    ends = [part.find(b"\r\n\r\n") + 4 for part in parts]
    for i in (0, 1, 3, 8, 9):
        assert heads.end[i] - start[i] == ends[i]
    assert heads.end[[2, 4, 5, 6, 7]].tolist() == [0] * 5
    assert heads.length.tolist() == [-1, 42, -1, -1, -1, -1, -1, -1, -1, 5]
    assert heads.length_size.tolist() == [0, 2, 0, 0, 0, 0, 0, 0, 0, 1]
    assert content[heads.length_at[1] :][:2].tobytes() == b"42"
    assert heads.chunked.tolist() == [i == 2 for i in range(10)]


WORDS = [
    b"GET / HTTP/1.1\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"Content-Length:",
    b" 12",
    b"Date: ",
    b"\r\n",
    b"Transfer-Encoding: chunked",
    b"\x16\x03\x01\0\5",
    b"\0\0\0\1\0\1\0\1\0\1\xc0\x0c\1a\0\0\1\0\1",
]


@given(
    st.lists(
        st.lists(st.sampled_from(WORDS) | st.binary(max_size=4), max_size=12).map(b"".join),
        max_size=8,
    )
)
def test_anything_is_read_within_its_bounds(parts):
    content, start, end = ranges(parts)
    addresses = dns.find_addresses(content, start, end)
    assert (addresses.address + 4 <= end[addresses.packet]).all()
    assert (dns.read_headers(content, start, end).name_end <= end).all()
    heads = http.find_heads(content, start, end)
    assert (heads.end <= end).all()
    assert (heads.length_at + heads.length_size <= end).all()
    for i, part in enumerate(parts):
        end_of_head = part.find(b"\r\n\r\n") + 4
        if heads.kind[i]:
            assert heads.end[i] == (start[i] + end_of_head if end_of_head > 3 else 0)
