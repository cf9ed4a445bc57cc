import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.packets.times import clear_times, find_times, write_times

SENT = datetime(2016, 9, 6, 16, 48, 21, tzinfo=UTC)
NOW = datetime(2026, 1, 1, 8, tzinfo=UTC)


def to_ns(time: datetime) -> int:
    return round(time.timestamp()) * 10**9


def told_now(message: bytes) -> bytes:
    """A message of `SENT` as it is told at `NOW`, behind a header of three bytes."""
    stamps = find_times(message, to_ns(SENT))
    data = bytearray(b"***" + message)
    clear_times(data, 3, stamps)
    assert bool(stamps) == (b"\0" in data)
    write_times(data, 3, stamps, to_ns(NOW))
    return bytes(data[3:])


@pytest.mark.parametrize(
    ("captured", "told"),
    [
        (b"Date: Tue, 06 Sep 2016 16:48:20 GMT\r\n", b"Date: Thu, 01 Jan 2026 07:59:59 GMT\r\n"),
        (b"; expires=Wed, 06-Sep-17 16:48:21 GMT;", b"; expires=Fri, 01-Jan-27 08:00:00 GMT;"),
        (b'{"localtime":"2016-09-06T18:48:21"}', b'{"localtime":"2026-01-01T10:00:00"}'),
        (b'{"utc":1473180501}', b'{"utc":1767254400}'),
        (b'{"ms":1473180501734}', b'{"ms":1767254400734}'),
        (b"<t>20160906164821</t>", b"<t>20260101080000</t>"),
    ],
)
def test_times_are_those_of_the_packet(captured: bytes, told: bytes) -> None:
    assert told_now(captured) == told


@pytest.mark.parametrize(
    "message",
    [
        b"Last-Modified: Thu, 27 Aug 2015 09:35:33 GMT",
        b"Expires: Thu, 01 Jan 1970 00:00:00 GMT",
        b"serial 1543133972123456",
        b"version 2.1473180501",
        b"Date: Tue, 66 Sep 2016 16:48:20 GMT",
    ],
)
def test_other_numbers_stay(message: bytes) -> None:
    assert find_times(message, to_ns(SENT)) == ()


@given(st.integers(-86_400, 86_400 * 400), st.binary(max_size=20))
def test_a_time_stays_as_far_from_its_packet(seconds: int, before: bytes) -> None:
    before = re.sub(rb"[0-9]", b"", before)
    time = SENT + timedelta(seconds=seconds)
    told = told_now(before + time.strftime("%a, %d %b %Y %H:%M:%S GMT").encode())
    shown = (NOW + timedelta(seconds=seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert told == before + shown.encode()
