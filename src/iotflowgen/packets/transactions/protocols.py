"""Transaction ids of protocols that are known by what they say, on any port.

A new protocol is one function, here or beside: which payloads are its messages, and where their ids
are. What is not named, `learnt` finds.

Shapes: N payloads.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from iotflowgen.packets.transactions.payloads import LETTERS, STAYS, Mentions, Payloads
from iotflowgen.wire.arrays import Flags
from iotflowgen.wire.messages import OLD_STUN_TYPES, STUN_COOKIE

__all__ = ["FINDERS", "RANDOM", "STUN"]

_CLASS, _INDICATION = 0x0110, 0x0010
"""Which bits of a STUN message say whether it asks, or tells without being asked."""
_RESERVED = 0xC000
STUN, _STUN_OLD, _RPC, _COAP_ID, _COAP_TOKEN, _NAMES, _DHCP6, _RADIUS, _NONCE = range(9)
RANDOM: Final = (STUN, _STUN_OLD)
"""Ids that only what was said twice can have in two captures."""

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
    yield Mentions.found(payloads, rows, places, sizes, _NONCE, form=LETTERS, use=STAYS)
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
        payloads, which, 4, token[which], _COAP_TOKEN, asks=is_request[which], use=STAYS
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


def _radius(payloads: Payloads) -> Iterator[Mentions]:
    """RFC 2865, section 3."""
    found = payloads.is_udp & payloads.on(1812, 1813) & (payloads.number(2, 2) == payloads.size)
    yield Mentions.found(payloads, np.flatnonzero(found), 1, 1, _RADIUS)


FINDERS: Final[tuple[Finder, ...]] = (*(_stun, _rpc, _coap, _names, _dhcp6, _radius),)
