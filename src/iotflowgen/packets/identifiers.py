"""What in a frame tells who sent it: texts and addresses that must not come out of a generator.

Found are the shapes that identifiers have, not their meaning, and rather too many than too few:
whatever is found is only replaced by another of the same shape.
"""

import ipaddress
import re
from collections.abc import Iterator

from iotflowgen.packets.layout import Layout
from iotflowgen.traffic import protocol_mask

__all__ = ["addresses_in", "is_host", "words_in"]

_UUID = rb"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_HEX = rb"(?<![0-9A-Za-z])(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{8,}(?![0-9A-Za-z])"
_SERIAL = rb"(?<![0-9A-Za-z])(?=(?:[A-Za-z]*[0-9]){3})[0-9A-Za-z]{10,}(?![0-9A-Za-z])"
_TOKEN = (
    rb"(?<![0-9A-Za-z+/_-])(?=[^\s]{0,19}[0-9])(?=[^\s]{0,19}[A-Z])(?=[^\s]{0,19}[a-z])"
    rb"[0-9A-Za-z+/_-]{20,}={0,2}"
)
_SHAPES = re.compile(rb"|".join((_UUID, _HEX, _SERIAL, _TOKEN)))
_SECRETS = re.compile(
    rb"(?i)(?:cookie:\s*[^=\r\n]+=|authorization:\s*(?:\w+\s+)?|"
    rb"\b(?:ssid|serial(?:number|no)?|password|passwd|psk|token|secret|username)"
    rb"[\"']?\s*[:=>]\s*[\"']?)([^\s\"'<>&,;]{4,})"
)
_QUAD = re.compile(rb"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.])")
_RECORDS = re.compile(
    rb"\0(?:\x01[\0\x80]\x01.{4}\0\x04(?P<four>.{4})|\x1c[\0\x80]\x01.{4}\0\x10(?P<six>.{16}))",
    re.DOTALL,
)
_NAMES = protocol_mask(["dns"]) | protocol_mask(["mdns"])
_LEASE = protocol_mask(["bootp"])
_LEASE_OPTIONS = {3, 4, 5, 6, 7, 42, 44, 50, 54}
"""DHCP options that hold addresses of hosts (RFC 2132)."""


def words_in(payload: bytes) -> Iterator[bytes]:
    """UUIDs, long numbers, serial numbers, cookies and tokens in a text, or in what holds one."""
    for match in _SHAPES.finditer(payload):
        word = match[0]
        # a length in front of a text may look like its first letter
        yield word[1:] if word[0] == len(word) - 1 else word
    for match in _SECRETS.finditer(payload):
        yield match[1]


def addresses_in(frame: bytes, layout: Layout, protocols: int) -> Iterator[str]:
    """IP addresses of hosts that a frame names, in its headers and above them."""
    network = layout.network
    if layout.is_ip4:
        found = [frame[network + 12 : network + 16], frame[network + 16 : network + 20]]
    elif layout.is_ip6:
        found = [frame[network + 8 : network + 24], frame[network + 24 : network + 40]]
    elif layout.ethertype == 0x0806:
        found = [frame[network + 14 : network + 18], frame[network + 24 : network + 28]]
    else:
        found = []
    payload = frame[layout.payload : layout.end]
    if protocols & _NAMES:
        found += [match["four"] or match["six"] for match in _RECORDS.finditer(payload)]
    if protocols & _LEASE:
        found += _leased(payload)
    texts = [str(ipaddress.ip_address(raw)) for raw in found if len(raw) in (4, 16)]
    texts += [match[0].decode() for match in _QUAD.finditer(payload)]
    yield from filter(is_host, texts)


def _leased(message: bytes) -> list[bytes]:
    """Addresses of a BOOTP message (RFC 951) and its options."""
    found = [message[at : at + 4] for at in (12, 16, 20, 24)]
    at = 240
    while at + 1 < len(message) and message[at] != 255:
        size = message[at + 1]
        if message[at] in _LEASE_OPTIONS:
            found += [message[at + i : at + i + 4] for i in range(2, 2 + size - size % 4, 4)]
        at += 2 + size if message[at] else 1
    return found


def is_host(text: str) -> bool:
    """Whether an IP address may be a host's: no group, network mask or number of a version."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        return not (address.is_multicast or address.is_unspecified or address.is_loopback)
    return 0 < address.packed[0] < 224 and not address.is_loopback
