"""Messages that are known by what they say, on any port: which of their bytes are to be drawn.

Wireshark recognises these protocols by content, and so may others: what they say has to be well
formed. What is encrypted or random is drawn, all else stays.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from iotflowgen.packets.payload.snmp import read_snmp
from iotflowgen.wire.messages import OLD_STUN_TYPES, STUN_COOKIE

__all__ = ["QuicPacket", "drawn_in_known", "quic_packets"]

Ranges = list[tuple[int, int]]
_INTEGRITY: Final = frozenset({0x0008, 0x001C})
_DATA: Final = 0x0013
_MOST_RELAYED: Final = 2048
"""Bytes that are read of what a relay carries: it may be messages in messages."""
_RTCP: Final = range(192, 224)
_REPORTS: Final = (200, 201)
_INDEX: Final = 4
_SECURED: Final = 8
"""Bytes of a report that are never encrypted."""
_RECORDS: Final = range(20, 26)
_VERSIONS: Final = (b"\xfe\xff", b"\xfe\xfd")
_HANDSHAKE: Final = 22
_HELLOS: Final = frozenset({1, 2})
_LONG: Final = 0xC0
_QUIC: Final = (b"\0\0\0\1", b"\x6b\x33\x43\xcf", b"\xff\0\0")
"""How versions begin (RFC 9000; RFC 9369; drafts)."""
_RETRY: Final = 3


def drawn_in_known(payload: bytes, transport: str = "udp") -> Ranges | None:
    """Ranges of a message that are random; None of one that is of none of these protocols."""
    readers = _READERS if transport == "udp" else _TCP_READERS
    return next((found for read in readers if (found := read(payload)) is not None), None)


def _number(payload: bytes, at: int, width: int) -> int:
    return int.from_bytes(payload[at : at + width])


def _stun(payload: bytes) -> Ranges | None:
    """RFC 8489, section 5: integrity codes, and what a relay carries."""
    kind, size = _number(payload, 0, 2), _number(payload, 2, 2)
    is_known = (payload[4:8] == STUN_COOKIE and kind < 0x4000) or kind in OLD_STUN_TYPES
    if size + 20 != len(payload) or not is_known:
        return None
    found: Ranges = []
    at = 20
    while at + 4 <= len(payload):
        attribute, size = _number(payload, at, 2), _number(payload, at + 2, 2)
        first, last = at + 4, min(at + 4 + size, len(payload))
        if attribute in _INTEGRITY:
            found.append((first, last))
        elif attribute == _DATA:
            inner = drawn_in_known(payload[first:last]) if size <= _MOST_RELAYED else None
            found += [(first, last)] if inner is None else _moved(inner, first)
        at = first + (size + 3) // 4 * 4
    return found


def _rtcp(payload: bytes) -> Ranges | None:
    """RFC 3550, section 6: packets one after another, all of them said by their lengths.

    What is encrypted of them (RFC 3711, section 3.4) is drawn, but for what is taken for the head
    of the next one.
    """
    ends = [0]
    while payload[ends[-1] : ends[-1] + 1] and payload[ends[-1]] >> 6 == 2:
        at = ends[-1]
        if at + 4 > len(payload) or payload[at + 1] not in _RTCP:
            break
        ends.append(at + 4 + 4 * _number(payload, at + 2, 2))
    if ends[-1] == len(payload) and len(ends) > 1:
        return []
    if len(ends) == 1 or payload[1] not in _REPORTS or not _SECURED <= ends[1] < len(payload):
        return None
    # the index at the end says whether it is encrypted (RFC 7714, section 17)
    last = len(payload) - _INDEX * (payload[-_INDEX:-2] == b"\x80\0")
    return [(_SECURED, ends[1]), (min(ends[1] + _INDEX, last), last)]


def _rpc(payload: bytes) -> Ranges | None:
    """RFC 5531, section 9: calls of programs, and replies to them."""
    kind, version = _number(payload, 4, 4), _number(payload, 8, 4)
    calls = kind == 0 and version == 2 and len(payload) >= 40
    replies = kind == 1 and version == 0 and len(payload) >= 24 and _number(payload, 20, 4) < 6
    is_program = replies or _number(payload, 12, 4) >= 100_000
    return [] if len(payload) % 4 == 0 and (calls or replies) and is_program else None


def _dtls(payload: bytes) -> Ranges | None:
    """RFC 6347, section 4.1: records; of a handshake that can be read, what is random in hellos."""
    found: Ranges = []
    at = 0
    while at + 13 <= len(payload):
        kind, version, epoch = payload[at], payload[at + 1 : at + 3], _number(payload, at + 3, 2)
        first, last = at + 13, at + 13 + _number(payload, at + 11, 2)
        if kind not in _RECORDS or version not in _VERSIONS or last > len(payload):
            return None
        if epoch or kind > _HANDSHAKE:
            found.append((first, last))
        elif kind == _HANDSHAKE and _number(payload, first, 1) in _HELLOS:
            # after type, length, place in the handshake, and version
            found.append((first + 14, min(first + 46, last)))
        at = last
    return found if at and at == len(payload) else None


class QuicPacket(NamedTuple):
    """What a long header of QUIC says in the clear, by places in the datagram."""

    ids: tuple[tuple[int, int], ...]
    """Where the ids of destination and source begin and end."""
    body: tuple[int, int]
    """Where what is encrypted begins and ends."""


def quic_packets(payload: bytes) -> list[QuicPacket]:
    """Packets with long headers that a datagram begins with (RFC 9000, section 17.2; RFC 9369)."""
    found: list[QuicPacket] = []
    at = 0
    while payload[at : at + 1] and payload[at] & _LONG == _LONG:
        version = payload[at + 1 : at + 5]
        if not version.startswith(_QUIC):
            break
        kind = ((payload[at] >> 4 & 3) - (version == _QUIC[1])) % 4
        first, ids = at + 5, []
        for _ in ("destination", "source"):
            size = _number(payload, first, 1)
            ids.append((first + 1, first + 1 + size))
            first += 1 + size
        if kind == 0:
            size, first = _varint(payload, first)
            first += size
        size, first = _varint(payload, first) if kind != _RETRY else (len(payload) - first, first)
        if first + size > len(payload):
            break
        found.append(QuicPacket((ids[0], ids[1]), (first, first + size)))
        at = first + size
    return found


def _varint(payload: bytes, at: int) -> tuple[int, int]:
    """A number of RFC 9000, section 16, and where it ends."""
    size = 1 << (_number(payload, at, 1) >> 6)
    return _number(payload, at, size) & (1 << 8 * size - 2) - 1, at + size


def _quic(payload: bytes) -> Ranges | None:
    """What is encrypted; also behind a short header that follows, but for its first byte and id."""
    packets = quic_packets(payload)
    if not packets:
        return None
    (first, last), end = packets[-1].ids[0], packets[-1].body[1]
    after = [(end + 1 + last - first, len(payload))] if payload[end : end + 1] > b"\0" else []
    return [*(each.body for each in packets), *after]


def _snmp(payload: bytes) -> Ranges | None:
    told = read_snmp(payload)
    return None if told is None else [*told.drawn]


def _dnp3(payload: bytes) -> Ranges | None:
    """IEEE 1815, section 9.2: values that are measured stand in the clear."""
    return [] if payload.startswith(b"\x05\x64") and len(payload) >= 10 else None


def _s7(payload: bytes) -> Ranges | None:
    """S7comm over RFC 1006, which says how long it is."""
    is_it = payload.startswith(b"\3\0") and payload[4:8] == b"\2\xf0\x80\x32"
    return [] if is_it and _number(payload, 2, 2) <= len(payload) else None


def _rtp(payload: bytes) -> Ranges | None:
    """RFC 3550, section 5: headers, and the head of their extension."""
    if len(payload) < 12 or payload[0] >> 6 != 2 or payload[1] in _RTCP:
        return None
    at = 12 + 4 * (payload[0] & 15)
    if payload[0] & 0x10:
        at += 4 + 4 * _number(payload, at + 2, 2)
    return [(at, len(payload))] if at <= len(payload) else None


def _moved(ranges: Ranges, by: int) -> Iterator[tuple[int, int]]:
    return ((first + by, last + by) for first, last in ranges)


_READERS: Final[tuple[Callable[[bytes], Ranges | None], ...]] = (
    *(_stun, _rtcp, _rpc, _dtls, _quic, _snmp, _dnp3, _s7, _rtp),
)
_TCP_READERS: Final[tuple[Callable[[bytes], Ranges | None], ...]] = (_stun, _dnp3, _s7)
