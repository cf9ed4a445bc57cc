"""Where headers and parsed messages hold addresses, and other bytes that identify.

Fields of headers are found for all packets at once, those of messages in one message at a time.

Shapes: P packets.
"""

import re
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

import numpy as np

from iotflowgen.packets.identity.notations import OPAQUE, STUN, TUYA, TUYA_PREFIX
from iotflowgen.packets.payload.snmp import read_snmp
from iotflowgen.recording import Packets
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire import dst_port, src_port
from iotflowgen.wire.arrays import Flags, Integers
from iotflowgen.wire.dns import A, find_addresses
from iotflowgen.wire.layers import ARP, ICMP, ICMP6, IP4, IP6, UDP
from iotflowgen.wire.messages import STUN_COOKIE, dhcp_options

__all__ = ["PLAIN", "Field", "Kind", "fields_in", "header_fields", "kinds_of", "words_of_mqtt"]

PLAIN: Final = -1
"""Of a field that is as it is: others name a notation."""
Field = tuple[int, int, int]
"""Where a field begins in a message, how many bytes it has, and in which notation."""

_LEASE_OPTIONS: Final = {3, 4, 5, 6, 7, 42, 44, 50, 54}
"""DHCP options that hold addresses of hosts (RFC 2132)."""
_CLIENT_ID, _DUID = 61, 255
_FIXED: Final = (12, 16, 20, 24)
"""Where BOOTP has addresses of the client, of what it is given, of its server and relay."""
_CLIENT_MAC: Final = 28
_DUID_LLT, _DUID_EN, _DUID_LL = 1, 2, 3
_NA, _TA, _ADDRESS, _SERVERS, _PD = 3, 4, 5, 23, 25
"""DHCPv6 options (RFC 8415, section 21; RFC 3646)."""
_MAPPED: Final = re.compile(rb"(?:\0[\x12\x16\x20]|\x80\x20)\0\x08\0\x01..(.{4})", re.DOTALL)
"""How STUN tells a client the address under which it is seen (RFC 8489, section 14.2)."""
_NB: Final = re.compile(rb"\0\x20\0\x01.{4}\0([\x06\x0c\x12\x18\x1e])", re.DOTALL)
"""The type, class, time and length of a record that has addresses of a NetBIOS name (RFC 1002)."""
_UNSYNCHRONISED: Final = 16
_OF_IP4, _OF_IP6, _OF_MAC, _OF_TEXT = b"\1", b"\2", b"\3", b"\4"
"""What the id of an engine is made of."""
_CONNECT: Final = re.compile(
    rb"\x10[\x80-\xff]{0,3}[\0-\x7f]\0(?:\x04MQTT|\x06MQIsdp)([\x03-\x05])"
)
"""The head of a packet that connects a client of MQTT (MQTT 5.0, section 3.1)."""


class Kind(IntEnum):
    """How messages are read."""

    OTHER = 0
    TLS = 1
    BOOTP = 2
    DHCP6 = 3
    ICMP = 4
    ICMP6 = 5
    DNS = 6
    DNS_TCP = 7
    NETBIOS = 8
    TEXT = 9
    NTP = 10
    DATAGRAM = 11


_BOOTP: Final = protocol_mask(["bootp"])
_NTP: Final = protocol_mask(["ntp"])
_TEXT: Final = protocol_mask(["http", "ssdp"])
_DNS: Final = protocol_mask(["dns"]) | protocol_mask(["mdns"])


def kinds_of(packets: Packets, is_tls: Flags) -> Integers:
    """How the messages of packets (P) are read; -1 of ARP, whose header is all it has."""
    layers = packets.layers
    ports = src_port(packets.frames, layers), dst_port(packets.frames, layers)
    is_udp = layers.is_udp

    def on(*numbers: int) -> Flags:
        return np.isin(ports[0], numbers) | np.isin(ports[1], numbers)

    is_dns = layers.has_ports & (((packets.protocols & _DNS) != 0) | (is_udp & on(5355)))
    found = [
        (layers.ethertype == ARP, -1),
        (layers.protocol == ICMP, Kind.ICMP),
        (layers.protocol == ICMP6, Kind.ICMP6),
        ((packets.protocols & _BOOTP) != 0, Kind.BOOTP),
        (is_udp & on(546, 547), Kind.DHCP6),
        (is_udp & on(137), Kind.NETBIOS),
        (is_udp & on(138), Kind.DATAGRAM),
        ((packets.protocols & _NTP) != 0, Kind.NTP),
        (is_dns & is_udp, Kind.DNS),
        (is_dns, Kind.DNS_TCP),
        (is_tls, Kind.TLS),
        ((packets.protocols & _TEXT) != 0, Kind.TEXT),
    ]
    kinds: Integers = np.select([each for each, _ in found], [k for _, k in found], Kind.OTHER)
    return kinds.astype(np.int64)


def header_fields(packets: Packets) -> Iterator[tuple[Integers, Integers, int]]:
    """Addresses in headers of Ethernet, ARP and IP: which packets, where, and how many bytes."""
    frames, layers = packets.frames, packets.layers
    whole = np.flatnonzero(frames.size >= 12)
    for at in (0, 6):
        yield whole, np.full(len(whole), at), 6
    for ethertype, fields in (
        (ARP, ((8, 6), (14, 4), (18, 6), (24, 4))),
        (IP4, ((12, 4), (16, 4))),
        (IP6, ((8, 16), (24, 16))),
    ):
        for first, size in fields:
            place = layers.network + first
            has = (layers.ethertype == ethertype) & (place + size <= frames.size)
            some = np.flatnonzero(has)
            yield some, place[some], size


def fields_in(kind: int, message: bytes) -> Iterator[Field]:
    """The fields of one message that are whole; names in it are no fields."""
    reader = _READERS.get(Kind(kind))
    for at, size, notation in reader(message) if reader else ():
        if at + size <= len(message) and size > 0:
            yield at, size, notation


def _bootp(message: bytes) -> Iterator[Field]:
    """BOOTP (RFC 951) and its options (RFC 2132, 4361)."""
    for at in _FIXED:
        yield at, 4, PLAIN
    yield _CLIENT_MAC, 6, PLAIN
    for code, at, size in dhcp_options(message):
        if code in _LEASE_OPTIONS:
            yield from ((at + i, 4, PLAIN) for i in range(0, size - size % 4, 4))
        elif code == _CLIENT_ID and size > 4 and at < len(message):
            if message[at] == _DUID:
                yield at + 1, 4, OPAQUE
                yield from _duid(message, at + 5, size - 5)
            elif message[at] == 1 and size == 7:
                yield at + 1, 6, PLAIN
            elif message[at]:
                yield at + 1, size - 1, OPAQUE


def _duid(message: bytes, at: int, size: int) -> Iterator[Field]:
    """What identifies a host over all of its interfaces (RFC 8415, section 11)."""
    kind = int.from_bytes(message[at : at + 2])
    if kind == _DUID_LLT and size == 14:
        yield at + 4, 4, OPAQUE
        yield at + 8, 6, PLAIN
    elif kind == _DUID_LL and size == 10:
        yield at + 4, 6, PLAIN
    elif kind == _DUID_EN:
        yield at + 6, size - 6, OPAQUE
    else:
        yield at + 2, size - 2, OPAQUE


def _dhcp6(message: bytes, at: int = 4, *, is_inner: bool = False) -> Iterator[Field]:
    """DHCPv6 (RFC 8415), but for messages of relays; associations hold no others."""
    while at + 4 <= len(message):
        code, size = (int.from_bytes(message[i : i + 2]) for i in (at, at + 2))
        body = at + 4
        if code in (1, 2):
            yield from _duid(message, body, size)
        elif code in (_NA, _TA, _PD) and not is_inner:
            yield body, 4, OPAQUE
            inner = message[: body + size]
            yield from _dhcp6(inner, body + (4 if code == _TA else 12), is_inner=True)
        elif code == _ADDRESS:
            yield body, 16, PLAIN
        elif code == _SERVERS:
            yield from ((body + i, 16, PLAIN) for i in range(0, size - 15, 16))
        at = body + size


def _icmp(message: bytes) -> Iterator[Field]:
    """What errors quote (RFC 792), and the gateway of a redirection."""
    if message[:1] in b"\x03\x04\x05\x0b\x0c":
        yield from ((20, 4, PLAIN), (24, 4, PLAIN))
        if message[17:18] == bytes([UDP]):
            yield from _quoted(message, 8 + 4 * (message[8] & 15))
    if message[:1] == b"\x05":
        yield 4, 4, PLAIN


def _quoted(message: bytes, at: int) -> Iterator[Field]:
    """What a datagram of UDP carries whose header is quoted at a place."""
    ports = {int.from_bytes(message[at + i : at + i + 2]) for i in (0, 2)}
    kind = next((_ON_PORT[port] for port in ports if port in _ON_PORT), Kind.OTHER)
    for first, size, notation in fields_in(kind, message[at + 8 :]):
        yield at + 8 + first, size, notation


def _dns(message: bytes) -> Iterator[Field]:
    """Addresses in one message; `Messages` reads many at once."""
    data = np.frombuffer(message, np.uint8)
    found = find_addresses(data, np.zeros(1, np.int64), np.array([len(data)]))
    for at, kind in zip(found.address.tolist(), found.type.tolist(), strict=True):
        yield at, 4 if kind == A else 16, PLAIN


def _icmp6(message: bytes) -> Iterator[Field]:
    """Errors (RFC 4443), neighbour discovery (RFC 4861) and listeners (RFC 3810)."""
    kind = message[0] if message else 0
    if kind in (1, 2, 3, 4):
        yield from ((16, 16, PLAIN), (32, 16, PLAIN))
        if message[14:15] == bytes([UDP]):
            yield from _quoted(message, 48)
    elif kind in (131, 132):
        yield 8, 16, PLAIN
    elif kind == 143:
        at = 8
        while at + 20 <= len(message):
            yield at + 4, 16, PLAIN
            at += 20 + 4 * message[at + 1] + 16 * int.from_bytes(message[at + 2 : at + 4])
    elif kind in _NEIGHBOURS:
        at = _NEIGHBOURS[kind]
        yield from ((first, 16, PLAIN) for first in range(8, at, 16) if kind > 134)
        while at + 8 <= len(message) and message[at + 1]:
            if message[at] in (1, 2):
                yield at + 2, 6, PLAIN
            elif message[at] == 25:
                yield from ((at + i, 16, PLAIN) for i in range(8, 8 * message[at + 1], 16))
            at += 8 * message[at + 1]


_NEIGHBOURS: Final = {133: 8, 134: 16, 135: 24, 136: 24, 137: 40}
"""Where options begin in messages of neighbour discovery."""


def _netbios(message: bytes) -> Iterator[Field]:
    for match in _NB.finditer(message):
        yield from ((match.end() + i, 4, PLAIN) for i in range(2, match[1][0], 6))


def _ntp(message: bytes) -> Iterator[Field]:
    """Who a secondary server has its time from (RFC 5905, section 7.3)."""
    if 1 < int.from_bytes(message[1:2]) < _UNSYNCHRONISED:
        yield 12, 4, PLAIN


def _datagram(message: bytes) -> Iterator[Field]:
    """The sender of a NetBIOS datagram (RFC 1002, section 4.4)."""
    if message[:1] and 0x10 <= message[0] <= 0x16:
        yield 4, 4, PLAIN


def _other(message: bytes) -> Iterator[Field]:
    """STUN, Tuya's discovery and SNMP, which any port may have."""
    if message[4:8] == STUN_COOKIE:
        yield from ((match.start(1), 4, STUN) for match in _MAPPED.finditer(message))
    elif (
        message.startswith(TUYA_PREFIX)
        and len(message) >= 40
        and (len(message) - 24) % 16 in (0, 4)
    ):
        yield 0, len(message), TUYA
    elif told := read_snmp(message):
        yield from (field for span in told.engines for field in _engine(message, *span))


def _engine(message: bytes, first: int, last: int) -> Iterator[Field]:
    """What is a unit's own in the id of an engine of SNMP (RFC 3411, section 5)."""
    form, at = message[first + 4 : first + 5], first + 5
    if form in (_OF_IP4, _OF_IP6, _OF_MAC):
        yield at, last - at, PLAIN
    elif form != _OF_TEXT:
        yield at, last - at, OPAQUE


_ON_PORT: Final = {
    **dict.fromkeys((67, 68), Kind.BOOTP),
    **dict.fromkeys((546, 547), Kind.DHCP6),
    **dict.fromkeys((53, 5353, 5355), Kind.DNS),
    **{123: Kind.NTP, 137: Kind.NETBIOS, 138: Kind.DATAGRAM},
}
_READERS: Final = {
    Kind.DNS: _dns,
    Kind.BOOTP: _bootp,
    Kind.DHCP6: _dhcp6,
    Kind.ICMP: _icmp,
    Kind.ICMP6: _icmp6,
    Kind.NETBIOS: _netbios,
    Kind.DATAGRAM: _datagram,
    Kind.NTP: _ntp,
    Kind.OTHER: _other,
}


def words_of_mqtt(message: bytes) -> Iterator[tuple[int, int]]:
    """Client, user and password with which MQTT connects: where each begins and ends."""
    head = _CONNECT.match(message)
    if not head:
        return
    flags, at = message[head.end() : head.end() + 1], head.end() + 3
    if head[1] == b"\x05":
        at += 1 + int.from_bytes(message[at : at + 1])
    flag = flags[0] if flags else 0
    # the client, a will and its message, the user, the password
    for of in (True, flag & 4, flag & 4, flag & 128, flag & 64):
        if of:
            end = at + 2 + int.from_bytes(message[at : at + 2])
            if end > at + 2 and end <= len(message):
                yield at + 2, end
            at = end
