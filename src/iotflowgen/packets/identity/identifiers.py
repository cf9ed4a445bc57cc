"""Identifiers in payload: text and addresses that must not appear in honeydata.

Found are the usual forms of identifiers, and values named secret, serial or the like. A match is
only replaced by another of the same form; but a path or a version that is mistaken for a token
would be noticed.
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from iotflowgen.packets.identity.notations import STUN_COOKIE, hidden

__all__ = ["dhcp_addresses_in", "dotted_quads_in", "is_host", "stun_addresses_in", "words_in"]

_UUID: Final = rb"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_LINK: Final = rb"(?<![0-9A-Fa-f:-])[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5,7}(?![0-9A-Fa-f:])"
"""Addresses of hosts nobody has heard, as text: EUI-48, and EUI-64 as Zigbee has it."""
_HEX: Final = rb"(?<![0-9A-Za-z])(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{8,}(?![0-9A-Za-z])"
_SERIAL: Final = rb"(?<![0-9A-Za-z])(?=(?:[A-Za-z]*[0-9]){3})[0-9A-Za-z]{10,}(?![0-9A-Za-z])"
_SHORT: Final = rb"(?<![0-9A-Za-z#.])(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{6,7}(?![0-9A-Za-z.])"
"""Half of an address, as radio protocols have it."""
_PLAIN: Final = re.compile(rb"|".join((_UUID, _LINK, _HEX, _SERIAL, _SHORT)))
_RUN: Final = re.compile(rb"(?:[0-9A-Za-z+/_-]|%[0-9A-Fa-f]{2}){20,}={0,2}")
"""What a token may be, in Base64 (RFC 4648) and in a URL; or a path, or words that are joined."""
_WORD: Final = re.compile(rb"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SHORTEST_WORD: Final = 3.0
"""Letters that words have on average where they mean something."""
_SHORTEST_TOKEN: Final = 12
_SECRETS: Final = re.compile(
    rb"(?i)\b(?:ssid|serial(?:number|no)?|password|passwd|psk|token|secret|username|hash|nonce|"
    rb"once|auth|blindcode|session_?id|etag)[\"']?\s*[:=>]\s*(?:W/)?[\"']?([^\s\"'<>&,;]{4,})"
)
_CREDENTIALS: Final = re.compile(
    rb"(?i)\b(?:authorization|authenticate|\w+_auth|cookie):[ \t]*((?:[^\r\n\"]|\"[^\"\r\n]*\")*)"
)
_VALUES: Final = re.compile(
    rb"(?i)(?:^(?:basic|bearer) |(?<!path)(?<!domain)(?<!max-age)(?<!expires)=\"?)"
    rb"([^\s\"=,;]{4,}=*)"
)
_SHORTEST_NAMELESS: Final = 8
"""Letters of a credential that is no word, such as the name of a scheme."""
_COMMON: Final = {b"admin", b"user", b"root", b"null", b"none", b"true", b"false"}
_VERSION: Final = re.compile(rb"(?i)(?:version|revision|build)[\"']?\s*[:=>/ ]\s*[\"']?$")
_BEFORE: Final = 24
"""Bytes that are looked at for what a word is."""
_HALVED: Final = bytes(0 if letter & 1 else letter >> 1 for letter in range(256))
"""Undoes the doubling of letters that `notations` knows."""
_QUAD: Final = re.compile(rb"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.])")
_MAPPED: Final = re.compile(rb"(?:\0[\x12\x16\x20]|\x80\x20)\0\x08\0\x01..(.{4})", re.DOTALL)
"""How STUN tells a client the address under which it is seen (RFC 8489, section 14.2)."""
_FIXED: Final = (12, 16, 20, 24)
"""Where BOOTP has addresses of the client, of what it is given, of its server and relay."""
_OPTIONS: Final = 240
_LEASE_OPTIONS: Final = {3, 4, 5, 6, 7, 42, 44, 50, 54}
"""DHCP options that hold addresses of hosts (RFC 2132)."""


def words_in(payload: bytes) -> Iterator[bytes]:
    """UUIDs, long numbers, serial numbers, cookies and tokens in a text, or in what holds one."""
    for match in _SECRETS.finditer(payload):
        if match[1].lower() not in _COMMON:
            yield match[1]
    for header in _CREDENTIALS.finditer(payload):
        for value in _VALUES.findall(header[1]):
            if len(value) >= _SHORTEST_NAMELESS or not value.isalpha():
                yield value
    tokens = [run.span() for run in _RUN.finditer(payload) if _is_token(run[0])]
    for start, end in tokens:
        yield payload[start:end]
    for match in _PLAIN.finditer(payload):
        if any(start <= match.start() and match.end() <= end for start, end in tokens):
            continue
        # what a version is, all devices of a kind have
        if not _VERSION.search(payload, max(0, match.start() - _BEFORE), match.start()):
            word = match[0]
            # a length in front of a text may look like its first letter
            yield word[1:] if word[0] == len(word) - 1 else word


def _is_token(run: bytes) -> bool:
    """Whether a long run of letters is random, when what stands out in it is left aside."""
    if run.endswith((b"=", b"%3D")):
        return True
    rest = _PLAIN.sub(lambda match: match[0] if _is_mixed(match[0]) else b"", run)
    rest = re.sub(rb"%..|(.)\1{3,}", b"", rest)
    words = _WORD.findall(rest)
    letters = sum(map(len, words))
    return letters >= _SHORTEST_TOKEN and letters < _SHORTEST_WORD * len(words)


def _is_mixed(word: bytes) -> bool:
    return word not in (word.lower(), word.upper())


def dotted_quads_in(text: bytes) -> Iterator[str]:
    """What looks like an IPv4 address, as a text whose letters may be doubled."""
    for each in (text, text.translate(_HALVED)):
        yield from (match[0].decode() for match in _QUAD.finditer(each))


def stun_addresses_in(message: bytes) -> Iterator[bytes]:
    """IPv4 addresses that a message of STUN tells; none in what is no STUN (RFC 8489)."""
    if message[4:8] == STUN_COOKIE:
        for match in _MAPPED.finditer(message):
            yield hidden(match[1])


def dhcp_addresses_in(message: bytes) -> Iterator[bytes]:
    """IPv4 addresses in a BOOTP message (RFC 951) and its options, as far as it goes."""
    found = [message[at : at + 4] for at in _FIXED]
    at = _OPTIONS
    while at + 1 < len(message) and message[at] != 255:
        size = message[at + 1]
        if message[at] in _LEASE_OPTIONS:
            found += [message[at + i : at + i + 4] for i in range(2, 2 + size - size % 4, 4)]
        at += 2 + size if message[at] else 1
    yield from (each for each in found if len(each) == 4)


def is_host(text: str) -> bool:
    """Whether a text is the IP address of a host: no group, network mask or version number."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        return not (address.is_multicast or address.is_unspecified or address.is_loopback)
    return 0 < address.packed[0] < 224 and not address.is_loopback
