"""Notations of addresses in packets: what to search for, and what to replace it with.

Functions that yield pairs give the notation of the old address and of the new one, of the same
length.
"""

import ipaddress
from collections.abc import Iterator
from itertools import product
from operator import xor
from typing import Any, Final

__all__ = [
    "STUN_COOKIE",
    "Pair",
    "bare",
    "eui64",
    "hidden",
    "ip_notations",
    "mac_in",
    "mac_notations",
]

Pair = tuple[bytes, bytes]

STUN_COOKIE: Final = b"\x21\x12\xa4\x42"
"""The magic cookie (RFC 8489, section 5)."""
_SEPARATORS: Final[tuple[tuple[Any, ...], ...]] = ((), (":",), ("-",), (" ",), (".", 2))
"""Of the digits of MAC addresses, and after how many bytes, counted from the end."""
_SOLICITED: Final = b"\xff\x02" + bytes(9) + b"\x01\xff"


def mac_notations(old: str, new: str) -> Iterator[Pair]:
    """A MAC address in bytes and as text, alone, in addresses and in names of groups."""
    raw = bytes.fromhex(bare(old)), bytes.fromhex(bare(new))
    yield from _groups(*raw)
    # IEEE 802.15.4 and its kin do not flip the universal/local bit
    for form in (bytes, eui64, lambda mac: mac[:3] + b"\xff\xfe" + mac[3:]):
        first, second = map(form, raw)
        yield first, second
        yield first[::-1], second[::-1]
        for separators, case in product(_SEPARATORS, (str.lower, str.upper)):
            yield case(first.hex(*separators)).encode(), case(second.hex(*separators)).encode()


def ip_notations(old: str, new: str, shown: str) -> Iterator[Pair]:
    """An IP address in bytes and as text; `shown` is what texts have, as long as `old`."""
    first, second = ipaddress.ip_address(old).packed, ipaddress.ip_address(new).packed
    yield first, second
    if len(first) == 16:
        yield from _groups(first, second)
    yield old.encode(), shown.encode()
    yield _reverse_name(first), _reverse_name(ipaddress.ip_address(shown).packed)
    if len(first) == 4:
        yield old.replace(".", "-").encode(), shown.replace(".", "-").encode()
        yield _doubled(old), _doubled(shown)
        yield hidden(first), hidden(second)


def bare(mac: str) -> str:
    """The digits of a MAC address."""
    return mac.replace(":", "").replace("-", "")


def eui64(mac: bytes) -> bytes:
    """The interface identifier made of a MAC address (RFC 4291, appendix A)."""
    return bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]


def mac_in(ip: str) -> str:
    """The MAC address that an IPv6 address is made of; empty where it is not."""
    identifier = ipaddress.ip_address(ip).packed[8:]
    if identifier[3:5] != b"\xff\xfe":
        return ""
    return (bytes([identifier[0] ^ 2]) + identifier[1:3] + identifier[5:]).hex(":")


def hidden(ip: bytes) -> bytes:
    """An IPv4 address as STUN has it (RFC 8489, section 14.2), or one that was so hidden."""
    return bytes(map(xor, ip, STUN_COOKIE))


def _doubled(text: str) -> bytes:
    """A text as the smart plugs of Edimax send it: each letter doubled."""
    return bytes(2 * letter for letter in text.encode())


def _groups(old: bytes, new: bytes) -> Iterator[Pair]:
    """Groups that are named for the last 3 bytes of an address (RFC 4291, RFC 2464)."""
    for group in (_SOLICITED, b"\x33\x33\xff"):
        yield group + old[-3:], group + new[-3:]


def _reverse_name(ip: bytes) -> bytes:
    """The labels under which DNS has a host's name (RFC 1035, section 3.5; RFC 3596)."""
    parts = map(str, ip) if len(ip) == 4 else ip.hex()
    labels = b"".join(bytes([len(part)]) + part.encode() for part in [*parts][::-1])
    return labels + (b"\x07in-addr" if len(ip) == 4 else b"\x03ip6")
