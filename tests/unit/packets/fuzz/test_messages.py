import ipaddress
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dns import DNS
from scapy.utils import checksum

from iotflowgen.packets.fuzz import messages

SIZES = st.integers(0, 3000) | st.integers(16_000, 65_000)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("message", [messages.http, messages.ssdp, messages.tls])
@given(size=SIZES, asks=st.booleans(), seed=st.integers(0, 99))
def test_messages_without_a_grid_have_the_very_size(
    message: Callable[..., bytes], size: int, asks: bool, seed: int
) -> None:
    assert len(message(size, asks, rng(seed))) == size


@given(size=st.integers(18, 3000), asks=st.booleans(), seed=st.integers(0, 99))
def test_http_has_a_start_line_and_says_how_long_its_body_is(
    size: int, asks: bool, seed: int
) -> None:
    head, end, body = messages.http(size, asks, rng(seed)).partition(b"\r\n\r\n")
    assert end
    start, *headers = head.split(b"\r\n")
    assert start.endswith(b" HTTP/1.1") if asks else start.startswith(b"HTTP/1.1 200 ")
    assert headers in ([], [b"Content-Length: %d" % len(body)])


@given(size=st.integers(6, 60_000), seed=st.integers(0, 99))
def test_tls_records_fill_the_segment(size: int, seed: int) -> None:
    data = messages.tls(size, True, rng(seed))
    while data:
        kind, version, length = struct.unpack(">BHH", data[:5])
        assert (kind, version) == (23, 0x0303)
        assert 1 <= length <= 2**14
        assert len(data) >= 5 + length
        data = data[5 + length :]


@pytest.mark.parametrize("message", [messages.dns, messages.mdns])
@given(size=st.integers(12, 2000), asks=st.booleans(), seed=st.integers(0, 99))
def test_dns_messages_are_read_back_to_the_last_byte(
    message: Callable[..., bytes], size: int, asks: bool, seed: int
) -> None:
    data = message(size, asks, rng(seed))
    # no question fits below 17 bytes, and no name takes 2
    assert len(data) == (size if size == 17 or size >= 19 else 17 if size == 18 else 12)
    read = DNS(data)
    assert len(read.qd or []) == (size >= 17)
    # Scapy writes names out, so the length of the rest is what shows that it understood it
    records = [*(read.an or []), *(read.ar or [])]
    assert len(records) == (size > 16 + 48)


def test_a_small_dns_query_byte_by_byte() -> None:
    data = messages.dns(21, True, rng())
    assert data[2:12].hex(" ", 2) == "0100 0001 0000 0000 0000"
    assert data[12] == 3
    assert data[13:16].isalnum()
    assert data[16:] == b"\0\0\1\0\1"


def test_dhcp_carries_a_message_type_and_bootp_does_not() -> None:
    mac = "02:00:00:00:00:01"
    options = messages.dhcp(300, True, rng(), mac=mac)[240:]
    assert options.rstrip(b"\0") in (b"\x35\1\1\xff", b"\x35\1\3\xff")
    assert messages.bootp(300, False, rng(), mac=mac)[236:] == b"\x63\x82\x53\x63" + bytes(60)
    assert messages.bootp(240, False, rng(), mac=mac)[28:34].hex(":") == mac


@given(size=st.integers(0, 300), seed=st.integers(0, 99))
def test_authentication_says_its_own_length(size: int, seed: int) -> None:
    kind, body = messages.eapol_body(size, rng(seed))
    if kind == 3:
        assert struct.unpack(">H", body[93:95])[0] == len(body) - 95 == size - 95
    elif kind == 0:
        assert struct.unpack(">H", body[2:4])[0] == len(body) == size
    else:
        assert (kind, body) == (1, b"")
        assert size < 4


@given(records=st.integers(0, 50), seed=st.integers(0, 99))
def test_group_reports_sum_up(records: int, seed: int) -> None:
    report = messages.igmp_report(records, rng(seed))
    assert len(report) == 8 + 8 * records
    assert checksum(report) == 0
    assert ipaddress.ip_address(report[-4:]).is_multicast
