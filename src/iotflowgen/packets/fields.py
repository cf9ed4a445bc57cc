"""Fields that count, tell the time, or match an answer to its question."""

import random

from iotflowgen.packets.connections import Conversation
from iotflowgen.packets.layout import ECHO_REQUESTS, Layout
from iotflowgen.packets.mask import NTP_TIMES

__all__ = ["write_echo", "write_lease", "write_ntp"]

_NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 5905, figure 4)."""


def write_echo(
    data: bytearray, layout: Layout, conversation: Conversation, draws: random.Random
) -> None:
    """Identifier and sequence number of an echo (RFC 792, RFC 4443); a reply has the request's."""
    kind, at = data[layout.transport], layout.transport + 4
    request = ECHO_REQUESTS[layout.protocol]
    if kind not in (request, request + 1 if layout.protocol == 58 else 0):
        return
    if kind == request:
        last = conversation.transaction
        conversation.transaction = (last & ~0xFFFF) | (last + 1) & 0xFFFF
        if not last:
            conversation.transaction = draws.getrandbits(16) << 16 | 1
    data[at : at + 4] = (conversation.transaction or draws.getrandbits(32)).to_bytes(4)


def write_ntp(
    data: bytearray, payload: int, conversation: Conversation, time_ns: int, draws: random.Random
) -> None:
    """The timestamps that are given, in the order of what happened (RFC 5905, section 8)."""
    asks = data[payload] & 7 != 4
    now = _ntp_time(time_ns, draws)
    earlier = _ntp_time(time_ns - draws.randrange(10**9, 1000 * 10**9), draws)
    sent = conversation.transaction or _ntp_time(time_ns - 40_000_000, draws)
    received = _ntp_time(time_ns - 20_000_000, draws)
    said = (earlier, earlier if asks else sent, earlier if asks else received, now)
    for at, value in zip(NTP_TIMES, said, strict=True):
        if any(data[payload + at : payload + at + 8]):
            data[payload + at : payload + at + 8] = value.to_bytes(8)
    if asks:
        conversation.transaction = now


def _ntp_time(time_ns: int, draws: random.Random) -> int:
    """Seconds since 1900 and their 2^32nd parts; what no clock shows is random."""
    seconds, rest = divmod(time_ns, 10**9)
    parts = ((rest << 32) // 10**9) | draws.getrandbits(4)
    return (seconds + _NTP_EPOCH) % 2**32 << 32 | parts


def write_lease(data: bytearray, payload: int, last: bytes, draws: random.Random) -> bytes:
    """The transaction id of a BOOTP message, which a discovery begins anew (RFC 2131).

    One that recurs is in the message of who asks.
    """
    discovers = b"\x35\x01\x01" in data[payload + 240 : payload + 244]
    known = bytes(data[payload + 4 : payload + 8])
    number = last
    if discovers or not last:
        number = known if any(known) else draws.randbytes(4)
    data[payload + 4 : payload + 8] = number
    return number
