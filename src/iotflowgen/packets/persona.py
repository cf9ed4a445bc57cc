"""Who the honeydata shows instead of the hosts that were captured.

Each identifier becomes another of the same shape, the same one wherever it occurs, in bytes and as
text: a MAC address keeps its vendor, an IP address its kind of network and the digits of each
part, a word its letters, digits and case. So every frame keeps its length. An address that is given
(`ip`, `gateway`) may have other digits: a text then names one that was drawn instead.
"""

import ipaddress
import re
import string
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from iotflowgen.packets.headers import Headers

__all__ = ["Persona"]

_APART = b"\xff\xfe\xfd\xfc"
"""Stands between frames, so that nothing is found across two of them."""
_HEX = "0123456789abcdef"
_SOLICITED = b"\xff\x02" + bytes(9) + b"\x01\xff"
_NOT_IN = rb"(?!\0\x01)"
"""No class of a DNS record follows."""
_KEPT_ENDS = {"0", "1", "254", "255"}
"""Last parts of addresses that say what a host is, not which."""


class Persona:
    """The addresses and names that come out.

    Args:
        headers: What was learnt.
        rng: Draws whatever is not given.
        mac: MAC address of the device; by default of the same vendor.
        ip: IPv4 address of the device.
        gateway: IPv4 address of the gateway.
        keep: Whether the captured identifiers come out as they are.
    """

    def __init__(
        self,
        headers: Headers,
        rng: np.random.Generator,
        *,
        mac: str | None = None,
        ip: str | None = None,
        gateway: str | None = None,
        keep: bool = False,
    ) -> None:
        self._rng = rng
        self._taken = {*headers.macs, *headers.addresses, *headers.words, *headers.own_addresses}
        self._words = dict.fromkeys(headers.words, "")
        device, router = headers.hosts[0], headers.hosts[headers.gateway]
        macs = [m for m in {*headers.macs, *(host.mac for host in headers.hosts)} if m]
        addresses = {*headers.addresses, *headers.own_addresses, *(h.ip for h in headers.hosts)}
        self._prefixes: dict[str, str] = {}
        if keep:
            self._macs = {each: each for each in macs}
            self._ips = {each: each for each in addresses}
        else:
            self._macs = {each: self._draw_mac(each) for each in sorted(macs)}
            self._macs[device.mac] = (mac or self._macs[device.mac]).lower()
            given = {device.ip: ip, router.ip: gateway} if headers.gateway else {device.ip: ip}
            for old, new in given.items():
                if new:
                    self._prefixes[_prefix(old)] = _prefix(new)
            self._ips = {each: self._draw_ip(each) for each in sorted(addresses) if each}
            self._ips |= {old: new for old, new in given.items() if new}
            for own in headers.own_addresses:
                if ":" not in own and ":" not in device.ip:
                    self._ips[own] = self._ips[device.ip]
            self._words = {word: self._alike(word) for word in headers.words}
        self._keep = keep
        self.device_mac = self._macs[device.mac]
        self.device_ip = self._ips.get(device.ip, "0.0.0.0")  # noqa: S104 - no socket
        self.gateway_mac = self._macs.get(headers.gateway_mac, "02:00:00:00:00:01")
        self.gateway_ip = self._ips[router.ip] if headers.gateway else ""

    def mac(self, captured: str) -> str:
        """The MAC address that stands for a captured one."""
        return self._macs[captured]

    def ip(self, captured: str) -> str:
        """The IP address that stands for a captured one."""
        return self._ips[captured]

    def disguise(self, frames: Sequence[bytes]) -> list[bytes]:
        """Frames with every identifier replaced, each as long as it was."""
        if self._keep:
            return list(frames)
        pairs = {old: new for old, new in self._pairs() if old != new}
        # all in one go: a search through a long text costs little more than through a short one
        text = _APART.join(frames)
        for old in sorted(pairs, key=len, reverse=True):
            if _may_point(old):
                text = re.sub(re.escape(old) + _NOT_IN, pairs[old].replace(b"\\", rb"\\"), text)
            else:
                text = text.replace(old, pairs[old])
        for old_mac, new_mac in self._macs.items():
            for digits in (6, 4):
                tails = [mac.replace(":", "")[-digits:] for mac in (old_mac, new_mac)]
                text = _replace_tail(text, *tails)
        ends = np.cumsum([len(frame) + len(_APART) for frame in frames]).tolist()
        return [
            text[end - len(_APART) - len(frame) : end - len(_APART)]
            for frame, end in zip(frames, ends, strict=True)
        ]

    def _pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """What stands for what, as bytes and as texts."""
        for old, new in self._words.items():
            yield old.encode("latin-1"), new.encode("latin-1")
        for old, new in self._macs.items():
            raw_old, raw_new = (bytes.fromhex(mac.replace(":", "")) for mac in (old, new))
            yield raw_old, raw_new
            yield _eui64(raw_old), _eui64(raw_new)
            yield from _tails(raw_old, raw_new)
            for separator in (":", "-", ""):
                for case in (str.lower, str.upper):
                    spelt = (case(old.replace(":", separator)), case(new.replace(":", separator)))
                    yield spelt[0].encode(), spelt[1].encode()
            for case in (str.lower, str.upper):
                yield case(_eui64(raw_old).hex()).encode(), case(_eui64(raw_new).hex()).encode()
        for old, new in self._ips.items():
            first, second = ipaddress.ip_address(old).packed, ipaddress.ip_address(new).packed
            yield first, second
            if len(first) == 16:
                yield from _tails(first, second)
            shown = new if len(new) == len(old) else self._alike(old)
            yield old.encode(), shown.encode()
            if ":" not in old:
                yield old.replace(".", "-").encode(), shown.replace(".", "-").encode()
                yield _reverse_name(old), _reverse_name(shown)

    def _draw_mac(self, old: str) -> str:
        return self._unlike(lambda: old[:9] + self._rng.bytes(3).hex(":"))

    def _draw_ip(self, old: str) -> str:
        address = ipaddress.ip_address(old)
        if isinstance(address, ipaddress.IPv6Address):
            return self._unlike(lambda: self._draw_ip6(address))
        prefix, _, last = old.rpartition(".")
        if not address.is_private:
            return self._unlike(lambda: self._draw_public(old))
        if prefix not in self._prefixes:
            self._prefixes[prefix] = self._unlike(lambda: self._draw_private(prefix))
        if last in _KEPT_ENDS:
            return f"{self._prefixes[prefix]}.{last}"
        return self._unlike(lambda: f"{self._prefixes[prefix]}.{self._part(last, 253)}")

    def _draw_private(self, prefix: str) -> str:
        first, second, third = prefix.split(".")
        if first == "10":
            second = self._part(second, 255)
        elif first == "172":
            second = str(self._rng.integers(16, 32))
        return f"{first}.{second}.{self._part(third, 255)}"

    def _draw_public(self, old: str) -> str:
        parts = [self._part(part, 223 if i == 0 else 254) for i, part in enumerate(old.split("."))]
        address = ipaddress.ip_address(".".join(parts))
        return str(address) if address.is_global and not address.is_multicast else old

    def _draw_ip6(self, old: ipaddress.IPv6Address) -> str:
        """The same zeros, and so the same length as a text."""
        raw = old.packed
        if raw[11:13] == b"\xff\xfe" and (mac := _mac_of(raw[8:])) in self._macs:
            ends = _eui64(bytes.fromhex(self._macs[mac].replace(":", ""))).hex()
        else:
            ends = self._nibbles(raw[8:].hex())
        start = raw[:2].hex() + self._nibbles(raw[2:8].hex())
        return str(ipaddress.IPv6Address(bytes.fromhex(start + ends)))

    def _nibbles(self, digits: str) -> str:
        return "".join(d if d == "0" else _HEX[self._rng.integers(1, 16)] for d in digits)

    def _part(self, old: str, most: int) -> str:
        """A part of an IPv4 address with as many digits."""
        least = (0, 10, 100)[len(old) - 1]
        return str(self._rng.integers(max(1, least), min(most, 10 ** len(old) - 1) + 1))

    def _alike(self, word: str) -> str:
        is_hex = all(letter in string.hexdigits for letter in word if letter.isalnum())
        last = 6 if is_hex else 26

        def draw(letter: str) -> str:
            for letters in (string.digits, string.ascii_lowercase, string.ascii_uppercase):
                if letter in letters:
                    most = 10 if letters is string.digits else last
                    return letters[int(self._rng.random() * most)]
            return letter

        return self._unlike(lambda: "".join(map(draw, word)))

    def _unlike(self, draw: Callable[[], str]) -> str:
        """A draw that is nobody's yet; the last of many, where there are so few."""
        for _ in range(64):
            drawn = draw()
            if drawn not in self._taken:
                break
        self._taken.add(drawn)
        return drawn


def _may_point(address: bytes) -> bool:
    """Whether an IPv4 address looks like a pointer to a name, and a type (RFC 1035)."""
    return len(address) == 4 and address[0] >= 0xC0 and not address[2]


def _prefix(ip: str) -> str:
    return ip.rpartition(".")[0]


def _eui64(mac: bytes) -> bytes:
    """The interface identifier made of a MAC address (RFC 4291, appendix A)."""
    return bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]


def _mac_of(identifier: bytes) -> str:
    return (bytes([identifier[0] ^ 2]) + identifier[1:3] + identifier[5:]).hex(":")


def _tails(old: bytes, new: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Groups that are named for the last 3 bytes of an address (RFC 4291, RFC 2464)."""
    for group in (_SOLICITED, b"\x33\x33\xff"):
        yield group + old[-3:], group + new[-3:]


def _reverse_name(ip: str) -> bytes:
    """The labels under which DNS has a host's name."""
    parts = reversed(ip.split("."))
    return b"".join(bytes([len(part)]) + part.encode() for part in parts) + b"\x07in-addr"


def _replace_tail(text: bytes, old: str, new: str) -> bytes:
    """Replace the end of a MAC address where it stands by itself, as in `plug-3f2a`."""

    def spelt(match: re.Match[bytes]) -> bytes:
        return (new.upper() if match[0] != match[0].lower() else new).encode()

    pattern = rb"(?i)(?<![0-9a-f])%b(?![0-9a-f])" % old.encode()
    return re.sub(pattern, spelt, text)
