"""Values in messages: what may be another without a message being read otherwise.

Of texts these are words and numbers, but not those by which a parser goes: names of fields,
lengths, addresses. Of binary messages it depends on the protocol. What is not a value here stays
as it is.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final, Literal, NamedTuple

from iotflowgen.packets.payload.known import drawn_in_known
from iotflowgen.packets.payload.text import is_text
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire.messages import STUN_COOKIE

__all__ = ["Kind", "Value", "decimals_in", "values_in"]


class Kind(Enum):
    """What a value is."""

    TEXT = auto()
    """Letters and digits."""
    DECIMAL = auto()
    """Digits around a point."""
    NUMBER = auto()
    """A number of several bytes, the first one foremost."""
    BYTES = auto()
    """Whatever it is, none of it 0."""


class Value(NamedTuple):
    """A value in a message."""

    first: int
    last: int
    """After its last byte."""
    kind: Kind


Values = Iterator[Value]

_DNS: Final = protocol_mask(["dns", "mdns"])
_NTP: Final = protocol_mask(["ntp"])
_BOOTP: Final = protocol_mask(["bootp"])
_TLS: Final = protocol_mask(["https"])
_UDP: Final = protocol_mask(["udp"])
_KEPT: Final = (
    rb"\A[A-Z-]+ |HTTP/1\.\d(?: \d{3})?"  # RFC 9110
    rb"|(?i:^(?:content-length|transfer-encoding|content-type|connection|cache-control):[^\r\n]*)"
    rb"|^[A-Za-z][A-Za-z-]*:(?=[ \t])"
    rb"|^[0-9A-Fa-f]+\r?$"  # sizes of chunks
    rb"|(?:[0-9]{1,3}\.){3}[0-9]{1,3}"
    rb"|%[0-9A-Fa-f]{2}|&#?\w+;|\\u[0-9A-Fa-f]{4}"
    rb"|\b(?:19|20)[0-9]{2}\b"
)
_DECIMAL: Final = rb"(?<![0-9A-Za-z.])[0-9]+\.[0-9]+(?![0-9.])"
_TOKEN: Final = re.compile(
    rb"(?m)(?P<kept>" + _KEPT + rb")|(?P<decimal>" + _DECIMAL + rb")|[0-9A-Za-z]+"
)
_DECIMALS: Final = re.compile(_DECIMAL)
_NONZERO: Final = re.compile(rb"[^\0]+")
_SHORT_HEAD, _LONG_HEAD = 4, 16
"""Bytes in which a length of one byte is looked for, and one of two."""
_ORDERS: Final[tuple[Literal["big", "little"], ...]] = ("big", "little")
_RUN: Final = re.compile(rb"[\t\r\n -~]{6,}")
_NTP_VALUES: Final = ((4, 8, Kind.NUMBER), (8, 12, Kind.NUMBER), (12, 16, Kind.BYTES))
"""Delay and dispersion to the root, and whose clock is followed (RFC 5905, section 7.3)."""
_STRATUM_AT: Final = 1
_HEADER, _POINTER, _OPT = 12, 0xC0, 41
_NAMES: Final = {2: 0, 5: 0, 12: 0, 15: 2, 33: 6}
"""Types of records that end with a name, and bytes before it (RFC 1035, RFC 2782)."""
_TXT: Final = 16


def values_in(message: bytes, protocols: int, *, is_expected: bool) -> Values:
    """The values of a message, in their order.

    A message that is known by its content has none: what is of one capture alone in it, each packet
    draws anew.

    Args:
        message: Payload of a packet.
        protocols: Protocol configuration, a bit each.
        is_expected: Whether a dissector will look for its own protocol in it.
    """
    if protocols & _TLS:
        return
    if protocols & _DNS:
        yield from _in_dns(message)
    elif protocols & _NTP:
        # a clock of its own is named there
        values = _NTP_VALUES[: 2 if message[_STRATUM_AT : _STRATUM_AT + 1] < b"\2" else 3]
        yield from (Value(*each) for each in values if each[1] <= len(message))
    elif is_text(message):
        yield from _in_text(message, 0, len(message))
    elif is_expected or protocols & _BOOTP or message[4:8] == STUN_COOKIE:
        for run in _RUN.finditer(message):
            yield from _in_text(message, *run.span())
    elif drawn_in_known(message, "udp" if protocols & _UDP else "tcp") is None:
        told = bytearray(message)
        for at, width in _lengths(message):
            told[at : at + width] = bytes(width)
        yield from (Value(*run.span(), Kind.BYTES) for run in _NONZERO.finditer(told))


def decimals_in(message: bytes) -> frozenset[bytes]:
    """The numbers with a point of a message, whether they are values or not."""
    return frozenset(_DECIMALS.findall(message))


def _lengths(message: bytes) -> Iterator[tuple[int, int]]:
    """Where a head may say how long the message is, or the rest of it, and in how many bytes."""
    for width, most in ((1, _SHORT_HEAD), (2, _LONG_HEAD)):
        for at in range(min(most, len(message) - width + 1)):
            size = {len(message) - each for each in (0, at, at + width)} - {0}
            both = (int.from_bytes(message[at : at + width], order) for order in _ORDERS)
            if not size.isdisjoint(both):
                yield at, width


def _in_text(message: bytes, first: int, last: int) -> Values:
    for match in _TOKEN.finditer(message, first, last):
        if match["kept"] is None:
            yield Value(*match.span(), Kind.DECIMAL if match["decimal"] else Kind.TEXT)


def _in_dns(message: bytes) -> Values:
    """Labels, texts, and times to live (RFC 1035, section 4.1)."""
    counts = [int.from_bytes(message[at : at + 2]) for at in (4, 6, 8, 10)]
    at = _HEADER
    for number in range(sum(counts)):
        labels, at = _name(message, at)
        yield from labels
        if number < counts[0]:
            at += 4
            continue
        kind, size = (int.from_bytes(message[at + i : at + i + 2]) for i in (0, 8))
        data, end = at + 10, at + 10 + size
        if not at or end > len(message):
            return
        if kind != _OPT:
            yield Value(at + 4, at + 8, Kind.NUMBER)
        if kind in _NAMES:
            yield from _name(message, data + _NAMES[kind])[0]
        elif kind == _TXT:
            while data < end:
                yield from _in_text(message, data + 1, min(data + 1 + message[data], end))
                data += 1 + message[data]
        at = end


def _name(message: bytes, at: int) -> tuple[list[Value], int]:
    """The labels of a name, each word of them a value, and where it ends."""
    found: list[Value] = []
    while at < len(message):
        size = message[at]
        if size >= _POINTER:
            return found, at + 2
        if not size:
            return found, at + 1
        found += _in_text(message, at + 1, min(at + 1 + size, len(message)))
        at += 1 + size
    return found, len(message)
