"""Messages of SNMP: their ids, and what is random in them (RFC 1157, 3412, 3414, 3416)."""

from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["Snmp", "read_snmp"]

Span = tuple[int, int]
"""Where something begins and ends in a message."""

_INTEGER, _OCTETS, _SEQUENCE, _PDU = 0x02, 0x04, 0x30, 0xA0
_VERSIONS: Final = (b"\0", b"\1", b"\3")
_V3: Final = b"\3"
_ANSWERS: Final = (0xA2, 0xA8)
"""Tags of responses and reports (RFC 3416, section 3)."""
_TRAP: Final = 0xA4
"""That of SNMPv1 has no id."""
_REPORTABLE, _ENCRYPTED = 4, 2
"""Flags of a message (RFC 3412, section 6.4)."""
_LONGEST_ID: Final = 5


class Snmp(NamedTuple):
    """Where a message has what."""

    asks: bool
    """Whether somebody is to answer with its ids, or tells something without being asked."""
    message_id: Span | None
    """Of version 3."""
    request_id: Span | None
    """None where it is encrypted, or there is none."""
    engines: tuple[Span, ...]
    """Ids of engines, which are units."""
    drawn: tuple[Span, ...]
    """What is encrypted, with which salt, and codes over the message."""


def read_snmp(message: bytes) -> Snmp | None:
    """What a message says, if it is one of SNMP."""
    whole = _elements(message, 0, len(message))
    tag, at, end = next(whole, (0, 0, 0))
    parts = [*_elements(message, at, end)]
    if tag != _SEQUENCE or end != len(message) or len(parts) not in (3, 4):
        return None
    (kind, first, last), (second, *_), *_ = parts
    if kind != _INTEGER or message[first:last] not in _VERSIONS:
        return None
    if message[first:last] == _V3:
        return _version_3(message, parts) if len(parts) == 4 and second == _SEQUENCE else None
    pdu = parts[2]
    if second != _OCTETS or len(parts) != 3 or pdu[0] & 0xF0 != _PDU:
        return None
    return Snmp(pdu[0] not in _ANSWERS, None, _id_in(message, pdu), (), ())


def _version_3(message: bytes, parts: list[tuple[int, int, int]]) -> Snmp | None:
    header, parameters, data = parts[1:]
    fields = [*_elements(message, *header[1:])]
    inner = next(_elements(message, *parameters[1:]), (0, 0, 0))
    model = [*_elements(message, *inner[1:])]
    if len(fields) != 4 or parameters[0] != _OCTETS or len(model) != 6:
        return None
    flags = int.from_bytes(message[slice(*fields[2][1:])][:1])
    engines, drawn = [model[0][1:]], [model[4][1:], model[5][1:]]
    asks, request = flags & _REPORTABLE > 0, None
    if flags & _ENCRYPTED or data[0] != _SEQUENCE:
        drawn.append(data[1:])
    else:
        scoped = [*_elements(message, *data[1:])]
        if len(scoped) != 3:
            return None
        engines.append(scoped[0][1:])
        asks, request = scoped[2][0] not in _ANSWERS, _id_in(message, scoped[2])
    return Snmp(
        asks,
        fields[0][1:],
        request,
        tuple(span for span in engines if span[0] < span[1]),
        tuple(span for span in drawn if span[0] < span[1]),
    )


def _id_in(message: bytes, pdu: tuple[int, int, int]) -> Span | None:
    tag, first, last = next(_elements(message, *pdu[1:]), (0, 0, 0))
    has = tag == _INTEGER and pdu[0] != _TRAP and first < last <= first + _LONGEST_ID
    return (first, last) if has else None


def _elements(message: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Elements of BER: their tags, and where what they hold begins and ends (X.690, section 8.1).

    Of one that is not whole there are none.
    """
    while at + 2 <= end:
        tag, size = message[at : at + 2]
        first = at + 2
        if size & 0x80:
            more = size & 0x7F
            size, first = int.from_bytes(message[first : first + more]), first + more
        if first + size > end:
            return
        yield tag, first, first + size
        at = first + size
