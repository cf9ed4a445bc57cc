"""How addresses are spelt in packets: what to search for, and what to replace it with.

Functions that yield pairs give the spelling of the old address and of the new one, of the same
length.
"""

import base64
import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator
from itertools import product
from typing import Any, Final

__all__ = [
    "Pair",
    "bare",
    "derived",
    "eui64",
    "iaid",
    "ip_bytes",
    "ip_texts",
    "mac_bytes",
    "mac_in",
    "mac_texts",
    "macs_of",
    "tails",
]

Pair = tuple[bytes, bytes]

_SEPARATORS: Final[tuple[tuple[Any, ...], ...]] = ((), (":",), ("-",), (" ",), (".", 2))
"""Of the digits of MAC addresses, and after how many bytes, counted from the end."""
_SOLICITED: Final = b"\xff\x02" + bytes(9) + b"\x01\xff"
_MAC: Final = re.compile(rb"(?:[0-9A-Fa-f]{2}[:-]?){5}[0-9A-Fa-f]{2}")
_SHORTEST: Final = 7
"""Letters of what is derived: shorter ones occur by chance."""


def mac_bytes(old: str, new: str) -> Iterator[Pair]:
    """A MAC address in bytes, alone, in interface identifiers and in names of groups."""
    raw = bytes.fromhex(bare(old)), bytes.fromhex(bare(new))
    for group in (_SOLICITED, b"\x33\x33\xff"):
        # the last 3 bytes name groups (RFC 4291, RFC 2464)
        yield group + raw[0][-3:], group + raw[1][-3:]
    for form in _FORMS:
        first, second = map(form, raw)
        yield first, second
        yield first[::-1], second[::-1]


def mac_texts(old: str, new: str) -> Iterator[Pair]:
    """A MAC address and its interface identifiers as text."""
    raw = bytes.fromhex(bare(old)), bytes.fromhex(bare(new))
    for form, separators, case in product(_FORMS, _SEPARATORS, (str.lower, str.upper)):
        first, second = map(form, raw)
        yield case(first.hex(*separators)).encode(), case(second.hex(*separators)).encode()


def tails(old: str, new: str) -> Iterator[Pair]:
    """The last digits of a MAC address, as names have them: `plug-3f2a`."""
    for digits in (6, 4):
        yield bare(old)[-digits:].encode(), bare(new)[-digits:].encode()


def ip_bytes(old: str, new: str) -> Iterator[Pair]:
    """An IP address in bytes, in either order, and the group that asks for an IPv6 address."""
    first, second = ipaddress.ip_address(old).packed, ipaddress.ip_address(new).packed
    if len(first) == 16:
        yield _SOLICITED + first[-3:], _SOLICITED + second[-3:]
        yield b"\x33\x33\xff" + first[-3:], b"\x33\x33\xff" + second[-3:]
        yield first[8:], second[8:]
    yield first[::-1], second[::-1]
    yield first, second


def ip_texts(old: str, new: str) -> Iterator[Pair]:
    """An IP address as text, as long as the other."""
    first, second = ipaddress.ip_address(old).packed, ipaddress.ip_address(new).packed
    yield old.encode(), new.encode()
    yield _reverse_name(first), _reverse_name(second)
    if len(first) == 4:
        yield old.replace(".", "-").encode(), new.replace(".", "-").encode()


def derived(address: str) -> Iterator[bytes]:
    """Texts that are made of an address so that the new one's may be of another length."""
    is_mac = _MAC.fullmatch(address.encode()) is not None
    raw = bytes.fromhex(bare(address)) if is_mac else ipaddress.ip_address(address).packed
    for each in (raw, raw[::-1]):
        yield from (each.hex().encode(), each.hex().upper().encode())
        yield str(int.from_bytes(each)).encode()
    for text in (raw, address.encode(), bare(address).encode(), bare(address).upper().encode()):
        # letters at the ends depend on what stands beside
        for phase, first in enumerate((0, 2, 3)):
            coded = base64.b64encode(bytes(phase) + text)
            coded = coded[first : (phase + len(text)) * 8 // 6]
            if len(coded) >= _SHORTEST:
                yield coded


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


def macs_of(
    words: Iterable[bytes], macs: Collection[str], addresses: Collection[str]
) -> Iterator[str]:
    """MAC addresses that words are, or IPv6 addresses are made of.

    Args:
        words: Texts; digits alone are an address if their vendor is known.
        macs: Addresses of vendors that are known.
        addresses: IP addresses.
    """
    yield from (mac for ip in addresses if ":" in ip and (mac := mac_in(ip)))
    vendors = {bare(mac)[:6] for mac in macs}
    for word in words:
        if _MAC.fullmatch(word):
            digits = bare(word.decode()).lower()
            if b":" in word or digits[:6] in vendors:
                yield bytes.fromhex(digits).hex(":")


def iaid(old: str, new: str) -> Iterator[Pair]:
    """What many DHCP clients tell interfaces by (RFC 4361): the last 4 bytes of a MAC address."""
    yield bytes.fromhex(bare(old))[2:], bytes.fromhex(bare(new))[2:]


def _wide(mac: bytes) -> bytes:
    """An EUI-64 as IEEE 802.15.4 and its kin have it, which flip no bit."""
    return mac[:3] + b"\xff\xfe" + mac[3:]


_FORMS: Final = (bytes, eui64, _wide)


def _reverse_name(ip: bytes) -> bytes:
    """The labels under which DNS has a host's name (RFC 1035, section 3.5; RFC 3596)."""
    parts = map(str, ip) if len(ip) == 4 else ip.hex()
    labels = b"".join(bytes([len(part)]) + part.encode() for part in [*parts][::-1])
    return labels + (b"\x07in-addr" if len(ip) == 4 else b"\x03ip6")
