"""What identifies a device and its owner in captures, read by tshark's dissectors.

Nothing here comes from `packets`: what that overlooks must not be overlooked here as well.
"""

import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from audit import dissect

MACS = ("eth.addr", "arp.src.hw_mac", "arp.dst.hw_mac", "dhcp.hw.mac_addr")
ADDRESSES = (
    *("ip.addr", "ipv6.addr", "arp.src.proto_ipv4", "arp.dst.proto_ipv4", "dns.a", "dns.aaaa"),
    *("dhcp.ip.your", "dhcp.ip.client", "dhcp.ip.server", "dhcp.option.requested_ip_address"),
    *("dhcp.option.router", "dhcp.option.domain_name_server", "stun.att.ipv4"),
)
NAMES = (
    *("dhcp.option.hostname", "dns.qry.name", "dns.resp.name", "dns.ptr.domain_name", "dns.txt"),
    *("dns.srv.name", "dns.srv.target", "nbns.name"),
)
SECRETS = ("http.cookie_pair", "http.set_cookie", "http.authorization", "http.www_authenticate")
QUERIES = ("http.request.uri.query.parameter",)
OPAQUE = ("stun.att.username", "stun.att.nonce", "stun.att.ipv4-xord")
PAYLOADS = ("udp.payload", "tcp.payload")
FIELDS = (*MACS, *ADDRESSES, *NAMES, *SECRETS, *QUERIES, *OPAQUE)

UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
USN = re.compile(r"(?i)uuid:([\w-]+)")
LINK = re.compile(r"(?<![\w:-])[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5,7}(?![\w:])")
LABELLED = re.compile(
    r"(?i)(?:serial(?:number|no)?|bridgeid|macaddress|ssid|device_?macid|session_?id|nonce|"
    r"whitelist|username|psk|password|challenge|publickey|ssotoken|authentication|opaque|client)"
    r"\"?[=:>{ ]+\"?([\w:+/.-]{5,}=*)"
)
RUN = re.compile(rb"[0-9A-Za-z+=]{10,}")
DIGITS = re.compile(r"(?:[0-9].*){5}")
EVERYBODYS = {"admin", "Admin", "AdminPassword", "none", "null", "false", "multipart"}


def identifiers(paths: Iterable[Path]) -> dict[str, set[bytes]]:
    """Everything that tells whose captures these are, by kind, as it would stand in a file."""
    seen: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        for values in dissect(path, FIELDS):
            for field, found in zip(FIELDS, values, strict=True):
                seen[field] |= set(found)
    texts = {value for field in NAMES for value in seen[field]}
    texts |= {text.decode("latin-1") for path in paths for text in plain_texts(path)}
    macs = {mac for field in MACS for mac in seen[field]}
    macs |= {link.replace("-", ":").lower() for text in texts for link in LINK.findall(text)}
    macs = {mac for mac in macs if not int(mac[:2], 16) & 1 and int(mac.replace(":", ""), 16)}
    addresses = {address for field in ADDRESSES for address in seen[field]}
    found = {
        "MAC address": {spelt for mac in macs for spelt in spellings(mac)},
        "IP address": {spelt for address in addresses for spelt in numerals(address)},
        "name": set(names_with_numbers(texts, macs)),
        "UUID": {uuid for text in texts for uuid in (*UUID.findall(text), *USN.findall(text))},
        "host name": {name for name in seen["dhcp.option.hostname"] if DIGITS.search(name)},
        "secret": {*secrets(seen), *seen["stun.att.username"], *seen["stun.att.nonce"]},
        "labelled": {value for text in texts for value in LABELLED.findall(text)} - EVERYBODYS,
        "hidden": {bytes.fromhex(hidden) for hidden in seen["stun.att.ipv4-xord"]},
    }
    return {
        kind: {each if isinstance(each, bytes) else each.encode() for each in values}
        for kind, values in found.items()
    }


def spellings(mac: str) -> Iterator[bytes]:
    """A MAC address, or an EUI-64, in all ways that a file may have it."""
    raw = bytes.fromhex(mac.replace(":", ""))
    forms = [raw]
    if len(raw) == 6:
        wide = raw[:3] + b"\xff\xfe" + raw[3:]
        forms += [wide, bytes([wide[0] ^ 2]) + wide[1:]]
    for form in forms:
        yield from (form, form[::-1])
        groups = form.hex(":"), form.hex("-"), form.hex(), form.hex(".", 2), form.hex(" ")
        yield from (text for group in groups for text in (group.encode(), group.upper().encode()))


def numerals(address: str) -> Iterator[bytes]:
    """An IP address of a host in bytes, as text, and as its name in DNS backwards."""
    ip = ipaddress.ip_address(address)
    if ip.is_multicast or ip.is_unspecified or ip.is_loopback or ip.packed[0] in (0, 255):
        return
    if address.endswith(".255"):
        return
    # fewer different bytes occur by chance, or in a mask
    if len(set(ip.packed)) >= 3:
        yield ip.packed
    yield address.encode()
    for name in (ip.reverse_pointer, address.replace(".", "-")):
        yield name.encode()
    yield b"".join(bytes([len(part)]) + part.encode() for part in ip.reverse_pointer.split("."))


def names_with_numbers(texts: Iterable[str], macs: Iterable[str]) -> Iterator[str]:
    """Labels and values that end in part of a MAC address, as in `plug-3f2a`."""
    tails = {mac.replace(":", "")[-digits:] for mac in macs for digits in (4, 6)}
    for text in texts:
        for label in re.split(r"[.\s=\"/;,<>?&]+", text):
            parts = re.split(r"[-_: ]", label.lower())
            if any(part[-digits:] in tails for part in parts for digits in (4, 6)):
                yield label


def secrets(seen: Mapping[str, set[str]]) -> Iterator[str]:
    """Values of cookies, of credentials, and long ones of queries."""
    for field in SECRETS:
        for text in seen[field]:
            value = text.partition(";")[0] if field == "http.set_cookie" else text
            yield from (part for part in re.findall(r"(?:=\"?|^Basic )([\w+/%.-]{6,}=*)", value))
    for parameter in seen["http.request.uri.query.parameter"]:
        value = parameter.partition("=")[2]
        if len(value) >= 16:
            yield value


def plain_texts(path: Path) -> Iterator[bytes]:
    """What is to be read in the payload of packets, outside TLS."""
    for values in dissect(path, PAYLOADS, "!tls"):
        payload = b"".join(bytes.fromhex(value) for field in values for value in field)
        yield from re.findall(rb"[ -~\r\n\t]{6,}", payload)


def random_texts(paths: Iterable[Path]) -> set[str]:
    """Runs of letters and digits that look random, outside TLS."""
    found: set[str] = set()
    for run in (run for path in paths for text in plain_texts(path) for run in RUN.findall(text)):
        if len(re.sub(rb"[^0-9]", b"", run)) >= 3 and len(re.sub(rb"[^A-Za-z]", b"", run)) >= 3:
            found.add(run.decode())
    return found
