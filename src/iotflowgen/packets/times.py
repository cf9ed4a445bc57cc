"""Times of day in messages: honeydata tells its own, not when the device was captured.

A time is known by its form and by being near the packet's own. It is kept as so many seconds from
that, so that a clock that is wrong, or shows another time zone, stays so.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

__all__ = ["Stamp", "clear_times", "find_times", "write_times"]

_EARLIEST, _LATEST = -2 * 86_400, 2 * 366 * 86_400
"""Seconds from the packet: a cookie may last for years, what is older happened before."""

Stamp = tuple[int, int, int]
"""Where a time stands, its form as a place in `_FORMS`, and how many seconds after its packet."""


class _Form(NamedTuple):
    size: int
    read: Callable[[str], datetime]
    write: Callable[[datetime], str]


def _dated(size: int, pattern: str) -> _Form:
    return _Form(
        size,
        lambda text: datetime.strptime(text, pattern).replace(tzinfo=UTC),
        lambda time: time.strftime(pattern),
    )


_FORMS: Final = (
    _dated(29, "%a, %d %b %Y %H:%M:%S GMT"),  # RFC 9110, section 5.6.7
    _dated(27, "%a, %d-%b-%y %H:%M:%S GMT"),  # of cookies before RFC 6265
    _dated(19, "%Y-%m-%dT%H:%M:%S"),  # ISO 8601
    _dated(14, "%Y%m%d%H%M%S"),
    # seconds since the epoch; of milliseconds the last three digits stay
    _Form(
        10,
        lambda text: datetime.fromtimestamp(int(text), UTC),
        lambda time: f"{int(time.timestamp()):010d}",
    ),
)
_SHAPES: Final = re.compile(
    rb"([A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT)"
    rb"|([A-Z][a-z]{2}, \d\d-[A-Z][a-z]{2}-\d\d [\d:]{8} GMT)"
    rb"|(\d{4}-\d\d-\d\dT[\d:]{8})"
    rb"|(?<!\d)(20\d{12})(?!\d)"
    rb"|(?<![\d.])(1\d{9})(?=(?:\d{3})?(?!\d))"
)


def find_times(message: bytes | bytearray, time_ns: int) -> tuple[Stamp, ...]:
    """The times in a message that was sent at `time_ns`."""
    return tuple(_found(message, datetime.fromtimestamp(time_ns // 10**9, UTC)))


def _found(message: bytes | bytearray, sent: datetime) -> Iterator[Stamp]:
    for match in _SHAPES.finditer(message):
        form = (match.lastindex or 1) - 1
        try:
            time = _FORMS[form].read(match[0].decode())
        except ValueError:
            continue
        after = round((time - sent).total_seconds())
        if _EARLIEST < after < _LATEST:
            yield match.start(), form, after


def clear_times(data: bytearray, start: int, stamps: Iterable[Stamp]) -> None:
    """Put zeros where a message that begins at `start` tells times."""
    for at, form, _ in stamps:
        data[start + at : start + at + _FORMS[form].size] = bytes(_FORMS[form].size)


def write_times(data: bytearray, start: int, stamps: Iterable[Stamp], time_ns: int) -> None:
    """Write times into a message that begins at `start` and is sent at `time_ns`."""
    sent = datetime.fromtimestamp(time_ns // 10**9, UTC)
    for at, form, after in stamps:
        size, _, write = _FORMS[form]
        text = write(sent + timedelta(seconds=after)).encode()
        data[start + at : start + at + size] = text[:size]
