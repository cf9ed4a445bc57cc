"""Transaction ids and counters of what controllers, meters and agents speak, on any port but SNMP.

Shapes: N payloads; W messages in them.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from iotflowgen.packets.payload.snmp import read_snmp
from iotflowgen.packets.transactions.dnp3 import START, TRANSPORT_AT, sizes_of
from iotflowgen.packets.transactions.payloads import (
    AGAIN,
    ALWAYS_NEW,
    BER,
    FOR_ONE,
    LOW_4,
    LOW_6,
    STAYS,
    Mentions,
    Payloads,
)
from iotflowgen.wire.arrays import Integers

__all__ = ["FINDERS", "WITH_CRCS"]

_MODBUS, _S7, _COTP_CALLER, _COTP_CALLED, _CONTEXT, _SESSION, _REQUEST, _MESSAGE = range(16, 24)
_SEGMENT, _FRAGMENT, _UNSOLICITED = WITH_CRCS = range(24, 27)
"""Sequence numbers of DNP3, over which there are checksums."""
_TPKT, _S7_DATA, _CONNECTS, _CONFIRMS = 0x0300, 0x02F080, 0xE0, 0xD0
_FIRST, _UNASKED, _CONFIRM, _RESPONSE = 0x40, 0x10, 0, 129


def _modbus(payloads: Payloads) -> Iterator[Mentions]:
    """MODBUS Messaging on TCP/IP, section 3.1.3; several may be under way at once."""

    def size_of(which: Integers, at: Integers) -> Integers:
        size = payloads.number(at + 4, 2, which)
        function = payloads.number(at + 7, 1, which) & 0x7F
        found = ~payloads.is_udp[which] & (payloads.number(at + 2, 2, which) == 0)
        found &= (at + 6 + size <= payloads.size[which]) & (function > 0) & (function < 0x30)
        return np.where(found & (size >= 2), 6 + size, 0)

    for which, at in payloads.in_a_row(size_of):
        yield Mentions.found(payloads, which, at, 2, _MODBUS)


def _s7(payloads: Payloads) -> Iterator[Mentions]:
    """S7comm over RFC 1006: references of its PDUs, and those of COTP (RFC 905, section 13)."""

    def size_of(which: Integers, at: Integers) -> Integers:
        found = ~payloads.is_udp[which] & (payloads.number(at, 2, which) == _TPKT)
        return np.where(found, np.maximum(payloads.number(at + 2, 2, which), 4), 0)

    for which, at in payloads.in_a_row(size_of):
        kind = payloads.number(at + 5, 1, which)
        is_s7 = payloads.number(at + 4, 3, which) == _S7_DATA
        is_s7 &= payloads.number(at + 7, 1, which) == 0x32
        yield Mentions.found(payloads, which[is_s7], at[is_s7] + 11, 2, _S7)
        for type_, place, of in (
            (_CONNECTS, 8, _COTP_CALLER),
            (_CONFIRMS, 6, _COTP_CALLER),
            (_CONFIRMS, 8, _COTP_CALLED),
        ):
            some = kind == type_
            yield Mentions.found(payloads, which[some], at[some] + place, 2, of, use=STAYS)


def _dnp3(payloads: Payloads) -> Iterator[Mentions]:
    """IEEE 1815: numbers of segments of the transport function, and of application fragments."""

    def size_of(which: Integers, at: Integers) -> Integers:
        found = payloads.number(at, 2, which) == START
        return np.where(found, sizes_of(payloads.number(at + 2, 1, which)), 0)

    for which, at in payloads.in_a_row(size_of):
        has = sizes_of(payloads.number(at + 2, 1, which)) > TRANSPORT_AT
        yield from _segments(payloads, which[has], at[has] + TRANSPORT_AT)


def _segments(payloads: Payloads, which: Integers, at: Integers) -> Iterator[Mentions]:
    says = np.ones(len(which), dtype=bool)
    yield Mentions.found(payloads, which, at, 1, _SEGMENT, asks=says, form=LOW_6, use=ALWAYS_NEW)
    begins = payloads.number(at, 1, which) & _FIRST > 0
    which, at = which[begins], at[begins] + 1
    function = payloads.number(at + 1, 1, which)
    is_unasked = payloads.number(at, 1, which) & _UNASKED > 0
    confirms = function == _CONFIRM
    # who asked confirms what was answered, and is confirmed what it told without being asked
    asks = (function != _RESPONSE) & ~(confirms & is_unasked)
    kind = np.where(is_unasked, _UNSOLICITED, _FRAGMENT)
    use = np.where(confirms, AGAIN, FOR_ONE)
    yield Mentions.found(payloads, which, at, 1, kind, asks=asks, form=LOW_4, use=use)


def _snmp(payloads: Payloads) -> Iterator[Mentions]:
    """RFC 3416, section 3, in an envelope of RFC 1157 or RFC 3412, which has an id of its own."""
    found: list[tuple[int, ...]] = []
    is_it = payloads.is_udp & (payloads.number(0, 1) == 0x30) & payloads.on(161, 162)
    for row in np.flatnonzero(is_it).tolist():
        if told := read_snmp(payloads.bytes_of(row)):
            ids = (told.message_id, _MESSAGE), (told.request_id, _REQUEST)
            found += (
                (row, span[0], span[1] - span[0], kind, told.asks) for span, kind in ids if span
            )
    which, places, sizes, kinds, asks = np.array(found, np.int64).reshape(-1, 5).T
    yield Mentions.found(payloads, which, places, sizes, kinds, asks=asks > 0, form=BER)


def _ethernet_ip(payloads: Payloads) -> Iterator[Mentions]:
    """ODVA's encapsulation: what a sender wants back, and the handle of its session."""
    little = payloads.number(2, 1) | payloads.number(3, 1) << 8
    which = np.flatnonzero(payloads.on(44818) & (little == payloads.size - 24))
    yield Mentions.found(payloads, which, 12, 8, _CONTEXT)
    has = which[payloads.number(4, 4)[which] > 0]
    yield Mentions.found(payloads, has, 4, 4, _SESSION, use=STAYS)


FINDERS: Final[tuple[Callable[[Payloads], Iterator[Mentions]], ...]] = (
    *(_modbus, _s7, _dnp3, _snmp, _ethernet_ip),
)
