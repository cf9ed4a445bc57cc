"""Ids and numbers that last for a connection: of QUIC, DTLS, RTP and MQTT.

Shapes: N payloads.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from iotflowgen.packets.noise import mixed
from iotflowgen.packets.payload.known import quic_packets
from iotflowgen.packets.transactions.counting import steps
from iotflowgen.packets.transactions.payloads import STAYS, Mentions, Payloads
from iotflowgen.recording import Groups
from iotflowgen.wire.arrays import Integers

__all__ = ["FINDERS", "TIMESTAMPS"]

_QUIC, _SOURCE, _NUMBER, TIMESTAMPS, _MQTT, _RECORDS = range(32, 38)
_LONG, _FIXED = 0x80, 0x40
_MOSTLY: Final = 0.6
_LEAST: Final = 4
_PUBLISH: Final = 3
_WITH_ID: Final = {4: False, 5: False, 8: True, 9: False, 10: True, 11: False}
"""Types of messages of MQTT that begin with an id, and whether they ask."""

Places = list[tuple[int, int, int]]


def _table(places: Places) -> Integers:
    return np.array(places, np.int64).reshape(-1, 3).T


def _quic(payloads: Payloads) -> Iterator[Mentions]:
    """Connection ids (RFC 9000, section 17.2), also in short headers, if they were seen before."""
    is_long = payloads.is_udp & (payloads.number(0, 1) >= _LONG | _FIXED)
    speaks = payloads.is_udp & np.isin(payloads.flow, np.unique(payloads.flow[is_long]))
    seen: defaultdict[tuple[int, bool], set[bytes]] = defaultdict(set)
    found: Places = []
    for row in np.flatnonzero(speaks).tolist():
        message, flow, way = payloads.bytes_of(row), int(payloads.flow[row]), payloads.outgoing[row]
        at = 0
        for packet in quic_packets(message):
            for to, (first, last) in zip((way, not way), packet.ids, strict=True):
                found += [(row, first, last - first)] * (last > first)
                seen[flow, bool(to)].add(message[first:last])
            at = packet.body[1]
        known = (each for each in seen[flow, bool(way)] if message[at + 1 :].startswith(each))
        size = max(map(len, known), default=0)
        found += [(row, at + 1, size)] * (size > 0)
    which, places, sizes = _table(found)
    yield Mentions.found(payloads, which, places, sizes, _QUIC, use=STAYS)


def _dtls(payloads: Payloads) -> Iterator[Mentions]:
    """Sequence numbers of records, each epoch's (RFC 6347, section 4.1)."""
    kind, version = payloads.number(0, 1), payloads.number(1, 2)
    is_it = payloads.is_udp & (kind >= 20) & (kind < 26) & np.isin(version, [0xFEFF, 0xFEFD])
    found: defaultdict[int, Places] = defaultdict(list)
    for row in np.flatnonzero(is_it).tolist():
        message, at = payloads.bytes_of(row), 0
        while at + 13 <= len(message):
            epoch = min(int.from_bytes(message[at + 3 : at + 5]), 3)
            found[epoch].append((row, at + 5, 6))
            at += 13 + int.from_bytes(message[at + 11 : at + 13])
    for epoch, places in found.items():
        which, at_, sizes = _table(places)
        says = np.ones(len(which), dtype=bool)
        yield Mentions.found(payloads, which, at_, sizes, _RECORDS + epoch, asks=says)


def _rtp(payloads: Payloads) -> Iterator[Mentions]:
    """Sequence numbers, timestamps and sources (RFC 3550, section 5.1)."""
    kind = payloads.number(1, 1)
    may = payloads.is_udp & (payloads.number(0, 1) >> 6 == 2) & ((kind < 192) | (kind >= 224))
    rows = np.flatnonzero(may & (payloads.size >= 12))
    line = mixed(payloads.flow[rows], payloads.outgoing[rows], payloads.number(8, 4)[rows])
    number = payloads.number(2, 2)[rows]
    groups = Groups(line)
    near = (steps(number, line, 1 << 16)[0] > 0).astype(np.int64)
    _, of = np.unique(groups.number, return_inverse=True)
    count, counts = np.bincount(of), np.bincount(of, weights=near)
    which = rows[((count >= _LEAST) & (counts >= _MOSTLY * (count - 1)))[of]]
    says = np.ones(len(which), dtype=bool)
    yield Mentions.found(payloads, which, 2, 2, _NUMBER, asks=says)
    yield Mentions.found(payloads, which, 4, 4, TIMESTAMPS, asks=says)
    yield Mentions.found(payloads, which, 8, 4, _SOURCE, asks=says, use=STAYS)


def _mqtt(payloads: Payloads) -> Iterator[Mentions]:
    """Packet identifiers (MQTT 3.1.1, section 2.3.1)."""
    is_connect = ~payloads.is_udp & (payloads.number(0, 1) == 0x10)
    greets = is_connect & np.isin(payloads.number(4, 4), [0x4D515454, 0x4D514973])
    speaks = np.isin(payloads.flow, np.unique(payloads.flow[greets])) | payloads.on(1883)
    found: dict[bool, Places] = {True: [], False: []}
    for row in np.flatnonzero(~payloads.is_udp & speaks).tolist():
        message, at = payloads.bytes_of(row), 0
        while at + 2 <= len(message):
            kind, size, first = message[at] >> 4, 0, at + 1
            for shift in range(0, 28, 7):
                byte = message[first] if first < len(message) else 0
                size, first = size | (byte & 0x7F) << shift, first + 1
                if not byte & 0x80:
                    break
            if kind == _PUBLISH and message[at] & 6 and first + size <= len(message):
                found[True].append((row, first + 2 + int.from_bytes(message[first : first + 2]), 2))
            elif kind in _WITH_ID and first + size <= len(message):
                found[_WITH_ID[kind]].append((row, first, 2))
            at = first + size
    for asks, places in found.items():
        which, at_, sizes = _table(places)
        says = np.full(len(which), asks)
        yield Mentions.found(payloads, which, at_, sizes, _MQTT, asks=says)


FINDERS: Final[tuple[Callable[[Payloads], Iterator[Mentions]], ...]] = (_quic, _dtls, _rtp, _mqtt)
