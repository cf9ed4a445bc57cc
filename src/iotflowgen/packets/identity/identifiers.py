"""Identifiers in payload: text and addresses that must not appear in honeydata.

Found are the usual forms of identifiers, and values named secret, serial or the like. A match is
only replaced by another of the same form; but a path or a version that is mistaken for a token
would be noticed.
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

__all__ = ["dotted_quads_in", "is_host", "is_version", "words_in"]

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
    rb"once|auth|blindcode|session_?id|etag|alias)(?:[\"']? value)?[\"']?\s*[:=>]\s*(?:W/)?"
    rb"(?:\"([^\"\r\n]{4,64})\"|[\"']?([^\s\"'<>&,;]{4,}))"
)
_COORDINATES: Final = re.compile(
    rb"(?i)\b(?:lat|lon|lng|latitude|longitude)(?:_i)?[\"']?\s*[:=>]\s*[\"']?-?([0-9][0-9.]{3,})"
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
_VERSION: Final = re.compile(
    rb"(?i)(?:version|revision|build|firmware|fw|ver|\bv)(?:[\"']? value)?"
    rb"[\"']?\s*[:=>/ ]?\s*[\"']?$"
)
_BEFORE: Final = 24
"""Bytes that are looked at for what a word is."""
_PRODUCT: Final = re.compile(rb"[A-Za-z]/$")
"""Behind which HTTP has the version of a product (RFC 9110, section 10.1.5)."""
_DOTTED: Final = rb"(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?!\.?[0-9A-Za-z])"
_QUAD: Final = re.compile(rb"(?<![0-9A-Za-z.])" + _DOTTED)
_MAIL: Final = re.compile(
    rb"([\w.+-]+)(?=@" + _DOTTED + rb")|([\w.+-]+@(?!" + _DOTTED + rb")[\w-]+)(?:\.[\w-]+)+"
)
"""A user of a host, whose address is found as such; or of a domain."""


def words_in(payload: bytes) -> Iterator[tuple[int, int]]:
    """UUIDs, long numbers, serial numbers, cookies, tokens, secrets: where each begins and ends."""
    for match in _SECRETS.finditer(payload):
        if match[match.lastindex or 0].lower() not in _COMMON:
            yield match.span(match.lastindex or 0)
    yield from (match.span(1) for match in _COORDINATES.finditer(payload))
    for header in _CREDENTIALS.finditer(payload):
        for value in _VALUES.finditer(header[1]):
            if len(value[1]) >= _SHORTEST_NAMELESS or not value[1].isalpha():
                yield header.start(1) + value.start(1), header.start(1) + value.end(1)
    if b"@" in payload:
        yield from (match.span(match.lastindex or 0) for match in _MAIL.finditer(payload))
    tokens = [run.span() for run in _RUN.finditer(payload) if _is_token(run[0])]
    yield from tokens
    for match in _PLAIN.finditer(payload):
        if any(start <= match.start() and match.end() <= end for start, end in tokens):
            continue
        # what a version is, all devices of a kind have
        if not is_version(payload, match.start()):
            # a length in front of a text may look like its first letter
            is_length = match[0][0] == len(match[0]) - 1
            yield match.start() + is_length, match.end()


def is_version(payload: bytes, at: int) -> bool:
    """Whether what stands before a place says that a version begins there."""
    return _VERSION.search(payload, max(0, at - _BEFORE), at) is not None


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


def dotted_quads_in(text: bytes) -> Iterator[tuple[int, int]]:
    """What looks like an IPv4 address and not like a version: where it begins and ends."""
    for match in _QUAD.finditer(text):
        product = _PRODUCT.search(text, max(0, match.start() - _BEFORE), match.start())
        if not product and not is_version(text, match.start()):
            yield match.span()


def is_host(text: str) -> bool:
    """Whether a text is the IP address of a host: no group, network mask or version number."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        return not (address.is_multicast or address.is_unspecified or address.is_loopback)
    return 0 < address.packed[0] < 224 and not address.is_loopback
