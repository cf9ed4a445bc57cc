"""Transaction ids of protocols that are known by what they say, on any port.

A new protocol is one function here: which payloads are its messages, and where their ids are.
What is not named here, `learnt` finds.

Shapes: N payloads.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from iotflowgen.packets.transactions.payloads import BER, DIGITS, LETTERS, Mentions, Payloads
from iotflowgen.wire.arrays import Flags
from iotflowgen.wire.messages import OLD_STUN_TYPES, STUN_COOKIE

__all__ = ["FINDERS", "RANDOM", "STUN"]

_CLASS, _INDICATION = 0x0110, 0x0010
"""Which bits of a STUN message say whether it asks, or tells without being asked."""
_RESERVED = 0xC000
STUN, _STUN_OLD, _RPC, _MODBUS, _S7, _COAP_ID, _COAP_TOKEN, _NAMES, _DHCP6, _SNMP = range(10)
_CIP_CONTEXT, _CIP_SESSION, _RADIUS, _CALL_ID, _BRANCH, _TAG, _SESSION, _SEQUENCE, _NONCE = range(
    10, 19
)
RANDOM: Final = (STUN, _STUN_OLD)
"""Ids that only what was said twice can have in two captures."""
_HEAD: Final = re.compile(rb"\A(?:SIP/2\.0|RTSP/1\.0|[A-Z_]+ [^\r\n]+ (?:SIP/2\.0|RTSP/1\.0)\r\n)")
_FIELDS: Final = re.compile(
    rb"(?im)^(?:call-id|i)[ \t]*:[ \t]*(?P<call>[^\s@;]+)"
    rb"|;branch=(?:z9hG4bK)?(?P<branch>[^\s;,>]+)"
    rb"|;tag=(?P<tag>[^\s;,>]+)"
    rb"|^cseq[ \t]*:[ \t]*(?P<sequence>\d+)"
    rb"|^session[ \t]*:[ \t]*(?P<session>[^\s;]+)"
)
_NAMED: Final = {
    "call": _CALL_ID,
    "branch": _BRANCH,
    "tag": _TAG,
    "session": _SESSION,
    "sequence": _SEQUENCE,
}
_LONGEST: Final = 2**12

Finder = Callable[[Payloads], Iterator[Mentions]]


def _is_stun(payloads: Payloads) -> Flags:
    """Whether payloads (N) are messages of STUN (RFC 8489, section 5)."""
    found: Flags = payloads.number(4, 4) == int.from_bytes(STUN_COOKIE)
    found &= payloads.number(0, 2) & _RESERVED == 0
    found &= payloads.number(2, 2) == payloads.size - 20
    return found


def _stun(payloads: Payloads) -> Iterator[Mentions]:
    kind = payloads.number(0, 2)
    asks = (kind & _CLASS == 0) | (kind & _CLASS == _INDICATION)
    is_new = _is_stun(payloads)
    which = np.flatnonzero(is_new)
    yield Mentions.found(payloads, which, 8, 12, STUN, asks=asks[which])
    found = [(row, *place) for row in which.tolist() for place in _nonces(payloads.bytes_of(row))]
    rows, places, sizes = np.array(found, np.int64).reshape(-1, 3).T
    yield Mentions.found(payloads, rows, places, sizes, _NONCE, form=LETTERS, stays=True)
    # as it was before the cookie (RFC 3489)
    is_old = payloads.is_udp & (payloads.number(2, 2) == payloads.size - 20) & ~is_new
    is_old &= np.isin(kind, OLD_STUN_TYPES)
    which = np.flatnonzero(is_old)
    yield Mentions.found(payloads, which, 4, 16, _STUN_OLD, asks=asks[which])


def _nonces(message: bytes) -> Iterator[tuple[int, int]]:
    """What a server wants to hear again: where, and of which size (RFC 8489, section 14.10)."""
    at = 20
    while at + 4 <= len(message):
        size = int.from_bytes(message[at + 2 : at + 4])
        if message[at : at + 2] == b"\0\x15" and at + 4 + size <= len(message):
            yield at + 4, size
        at += 4 + (size + 3) // 4 * 4


def _rpc(payloads: Payloads) -> Iterator[Mentions]:
    """RFC 5531, sections 9 and 11."""
    mark = payloads.number(0, 4) & 0x7FFFFFFF
    for begin, has in ((0, payloads.is_udp), (4, ~payloads.is_udp & (mark == payloads.size - 4))):
        kind, next_ = payloads.number(begin + 4, 4), payloads.number(begin + 8, 4)
        long = payloads.size - begin
        calls = has & (kind == 0) & (next_ == 2) & (long >= 40)
        calls &= payloads.number(begin + 12, 4) >= 100_000
        asked = np.isin(payloads.flow, np.unique(payloads.flow[calls]))
        replies = has & (kind == 1) & (next_ <= 1) & (long >= 20) & asked
        which = np.flatnonzero(calls | replies)
        yield Mentions.found(payloads, which, begin, 4, _RPC, asks=calls[which])


def _modbus(payloads: Payloads) -> Iterator[Mentions]:
    """MODBUS Messaging on TCP/IP, section 3.1.3."""
    found = ~payloads.is_udp & (payloads.number(2, 2) == 0) & (payloads.size >= 8)
    found &= payloads.number(4, 2) == payloads.size - 6
    function = payloads.number(7, 1) & 0x7F
    found &= (function > 0) & (function < 0x30)
    yield Mentions.found(payloads, np.flatnonzero(found), 0, 2, _MODBUS)


def _s7(payloads: Payloads) -> Iterator[Mentions]:
    """S7comm over RFC 1006: a reference of its PDU."""
    found = ~payloads.is_udp & (payloads.number(0, 2) == 0x0300) & (payloads.number(7, 1) == 0x32)
    found &= payloads.number(4, 3) == 0x02F080
    yield Mentions.found(payloads, np.flatnonzero(found), 11, 2, _S7)


def _coap(payloads: Payloads) -> Iterator[Mentions]:
    """RFC 7252, section 3."""
    first, code = payloads.number(0, 1), payloads.number(1, 1)
    token = first & 15
    found = payloads.is_udp & payloads.on(5683) & (first >> 6 == 1) & (token <= 8)
    found &= (payloads.size >= 4 + token) & np.isin(code >> 5, [0, 2, 4, 5, 7])
    which = np.flatnonzero(found)
    starts = (first >> 4 & 3) < 2
    yield Mentions.found(payloads, which, 2, 2, _COAP_ID, asks=starts[which])
    which = np.flatnonzero(found & (token > 0))
    is_request = code < 32
    yield Mentions.found(
        payloads, which, 4, token[which], _COAP_TOKEN, asks=is_request[which], stays=True
    )


def _names(payloads: Payloads) -> Iterator[Mentions]:
    """NetBIOS names and LLMNR (RFC 1002, section 4.2.1; RFC 4795, section 2.1)."""
    asks = payloads.number(2, 2) & 0x8000 == 0
    which = np.flatnonzero(payloads.is_udp & payloads.on(137, 5355) & (payloads.size >= 12))
    yield Mentions.found(payloads, which, 0, 2, _NAMES, asks=asks[which])


def _dhcp6(payloads: Payloads) -> Iterator[Mentions]:
    """RFC 8415, section 8; not of relays."""
    found = payloads.is_udp & payloads.on(546, 547) & (payloads.number(0, 1) < 12)
    which = np.flatnonzero(found & (payloads.size >= 4))
    yield Mentions.found(payloads, which, 1, 3, _DHCP6)


def _snmp(payloads: Payloads) -> Iterator[Mentions]:
    """RFC 3416, section 3, in an envelope of RFC 1157 or RFC 3412."""
    is_it = payloads.is_udp & (payloads.number(0, 1) == 0x30) & payloads.on(161, 162)
    found = []
    for row in np.flatnonzero(is_it).tolist():
        message = payloads.bytes_of(row)
        _, at, _ = _element(message, 0)
        _, version, after = _element(message, at)
        if message[version:after] == b"\3":
            _, at, _ = _element(message, after)
            kind = 0
        else:
            _, _, after = _element(message, after)
            kind, at, _ = _element(message, after)
        tag, first, last = _element(message, at)
        if tag == 2 and 0 < last - first <= 4:
            found.append((row, first, last - first, kind not in {0xA2, 0xA8}))
    which, places, sizes, asks = np.array(found, np.int64).reshape(-1, 4).T
    yield Mentions.found(payloads, which, places, sizes, _SNMP, asks=asks > 0, form=BER)


def _element(message: bytes, at: int) -> tuple[int, int, int]:
    """Tag of an element of BER, and where what it holds begins and ends (X.690, section 8.1)."""
    tag, size = [*message[at : at + 2], 0, 0][:2]
    first = at + 2
    if size & 0x80:
        more = size & 0x7F
        size, first = int.from_bytes(message[first : first + more]), first + more
    return tag, first, min(first + size, len(message))


def _ethernet_ip(payloads: Payloads) -> Iterator[Mentions]:
    """ODVA's encapsulation: what a sender wants back, and the handle of its session."""
    little = payloads.number(2, 1) | payloads.number(3, 1) << 8
    which = np.flatnonzero(payloads.on(44818) & (little == payloads.size - 24))
    yield Mentions.found(payloads, which, 12, 8, _CIP_CONTEXT)
    has = which[payloads.number(4, 4)[which] > 0]
    yield Mentions.found(payloads, has, 4, 4, _CIP_SESSION, stays=True)


def _radius(payloads: Payloads) -> Iterator[Mentions]:
    """RFC 2865, section 3."""
    found = payloads.is_udp & payloads.on(1812, 1813) & (payloads.number(2, 2) == payloads.size)
    yield Mentions.found(payloads, np.flatnonzero(found), 1, 1, _RADIUS)


def _texts(payloads: Payloads) -> Iterator[Mentions]:
    """SIP and RTSP (RFC 3261, section 8.1.1; RFC 7826, section 4.3)."""
    found: dict[int, list[tuple[int, int, int]]] = {kind: [] for kind in _NAMED.values()}
    letter = payloads.number(0, 1)
    for which in np.flatnonzero((letter >= ord("A")) & (letter <= ord("Z"))).tolist():
        message = payloads.bytes_of(which)[:_LONGEST]
        if not _HEAD.match(message):
            continue
        for field in _FIELDS.finditer(message):
            name = field.lastgroup or ""
            first, last = field.span(name)
            found[_NAMED[name]].append((which, first, last - first))
    for kind, places in found.items():
        which, at, size = np.array(places, np.int64).reshape(-1, 3).T
        form = DIGITS if kind == _SEQUENCE else LETTERS
        stays = kind not in {_BRANCH, _SEQUENCE}
        yield Mentions.found(payloads, which, at, size, kind, form=form, stays=stays)


FINDERS: Final[tuple[Finder, ...]] = (
    *(_stun, _rpc, _modbus, _s7, _coap, _names, _dhcp6, _snmp, _ethernet_ip, _radius, _texts),
)
