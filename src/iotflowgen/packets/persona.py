"""Who the honeydata shows instead of the hosts that were captured.

Each identifier becomes another of the same shape, the same one wherever it occurs, in bytes and as
text: a MAC address keeps its vendor, an IP address its kind of network and the digits of each
part, a word its letters, digits and case. So every frame keeps its length. An address that is given
(`ip`, `gateway`) may have other digits: a text then names one that was drawn instead.
"""

import base64
import binascii
import ipaddress
import re
import string
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from iotflowgen.packets.headers import Headers
from iotflowgen.packets.hosts import Home
from iotflowgen.packets.spellings import Pair, bare, eui64, mac_in, spell_ip, spell_mac

__all__ = ["Persona"]

_APART = b"\xff\xfe\xfd\xfc"
"""Stands between frames, so that nothing is found across two of them."""
_START = 4
"""Bytes that a spelling has at least."""
_HEX = "0123456789abcdef"
_CLASS = b"\0\x01"
"""Of a DNS record, after its name and type."""
_KEPT_ENDS = {"0", "1", "254", "255"}
"""Last parts of addresses that say what a host is, not which."""
_NEAR = 16
"""MAC addresses that are no farther apart are of one product, and stay as far apart."""
_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]?){5}[0-9A-Fa-f]{2}")
_NAME = re.compile(r"(?=[A-Z]*[0-9])[A-Z0-9]{8,20}|(?=[a-z]*[0-9])[a-z0-9]{8,20}")
_LONGEST_WITH_NAME = 40
"""Letters of a word that may hold the name of something, as a message has its serial number."""
_LINK = r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5,7}"
_MEANING = re.compile(r"(?i)(?![0-9a-f-]+$).*[a-z]{3}")
_KEPT = re.compile(r"(.)\1{3,}|%[0-9A-Fa-f]{2}")
"""What fills a word up, or escapes a letter of it."""


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
        device, router = headers.hosts[0], headers.hosts[headers.gateway]
        addresses = {*headers.addresses, *headers.own_addresses, *(h.ip for h in headers.hosts)}
        addresses -= {""}
        self._taken |= {_prefix(each) for each in addresses}
        macs = _macs(headers, addresses)
        self._prefixes: dict[str, str] = {}
        self._given: set[str] = set()
        """IP addresses that were asked for."""
        self._macs: dict[str, str] = {}
        self._words: dict[str, str] = {}
        if keep:
            self._macs = {each: each for each in macs}
            self._ips = {each: each for each in addresses}
        else:
            self._macs[device.mac] = (mac or self._draw_mac(device.mac)).lower()
            for each in sorted(macs - {device.mac}):
                self._macs[each] = self._draw_mac(each)
            # captures of several homes are shown in one: two who have one address would be noticed
            shown = self._macs.get(headers.gateway_mac, "")
            self._macs |= dict.fromkeys(macs.intersection(headers.other_gateways), shown)
            given = {device.ip: ip, router.ip: gateway} if headers.gateway else {device.ip: ip}
            ips = drawn = {each: self._draw_ip(each) for each in sorted(addresses)}
            if chosen := {old: new for old, new in given.items() if new}:
                self._given = {*chosen.values()}
                self._prefixes |= {_prefix(old): _prefix(new) for old, new in chosen.items()}
                ips = {each: self._draw_ip(each) for each in sorted(addresses)} | chosen
            apart = {host.ip for host in headers.hosts[1:]}
            own = [
                each
                for each in headers.own_addresses
                if ":" not in each + device.ip and each not in apart
            ]
            self._ips = ips | dict.fromkeys(own, ips.get(device.ip, ""))
            self._shown = {
                old: new if len(new) == len(old) else self._alike(old) for old, new in drawn.items()
            }
            self._draw_words(headers.words)
        self._keep = keep
        self.device_mac = self._macs[device.mac]
        self.device_ip = self._ips.get(device.ip, "0.0.0.0")  # noqa: S104 - no socket
        self.gateway_mac = self._macs.get(headers.gateway_mac, "02:00:00:00:00:01")
        self.gateway_ip = self._ips[router.ip] if headers.gateway else ""

    @property
    def home(self) -> Home:
        """The hosts, as packets have them that were never captured."""
        return Home(
            device_mac=self.device_mac,
            device_ip=self.device_ip,
            device_ip6="fe80::1",
            gateway_mac=self.gateway_mac,
            gateway_ip=self.gateway_ip,
        )

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
        text = _replaced(_APART.join(frames), pairs)
        for old_mac, new_mac in self._macs.items():
            for digits in (6, 4):
                text = _replace_tail(text, *(bare(mac)[-digits:] for mac in (old_mac, new_mac)))
        ends = np.cumsum([len(frame) + len(_APART) for frame in frames]).tolist()
        return [
            text[end - len(_APART) - len(frame) : end - len(_APART)]
            for frame, end in zip(frames, ends, strict=True)
        ]

    def _pairs(self) -> Iterator[Pair]:
        """What stands for what, as bytes and as texts."""
        for old, new in self._words.items():
            yield old.encode("latin-1"), new.encode("latin-1")
        for old, new in self._macs.items():
            yield from spell_mac(old, new)
        for old, new in self._ips.items():
            yield from spell_ip(old, new, new if len(new) == len(old) else self._shown[old])

    def _draw_mac(self, old: str) -> str:
        for known, drawn in self._macs.items():
            apart = int(bare(old), 16) - int(bare(known), 16)
            number = int(bare(drawn), 16) + apart
            if abs(apart) < _NEAR and number >> 24 == int(bare(drawn)[:6], 16):
                return number.to_bytes(6).hex(":")
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
        kept = f"{self._prefixes[prefix]}.{last}"
        if last in _KEPT_ENDS and kept not in self._given:
            return kept
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
        if mac := mac_in(str(old)):
            ends = eui64(bytes.fromhex(bare(self._macs[mac]))).hex()
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

    def _draw_words(self, words: Sequence[str]) -> None:
        """Draw another for each word; what stands within another is the same there."""
        inside = re.compile("|".join(f"{bare(mac)}|{bare(mac)[6:]}" for mac in self._macs), re.I)
        names: list[str] = []
        for word in sorted(words, key=len):
            pattern = inside
            if len(word) <= _LONGEST_WITH_NAME and (found := [n for n in names if n in word]):
                pattern = re.compile("|".join([*map(re.escape, found[::-1]), inside.pattern]), re.I)
            self._words[word] = self._other(word, pattern)
            if _NAME.fullmatch(word):
                names.append(word)

    def _other(self, word: str, known: re.Pattern[str]) -> str:
        """Another word, in which what is known is what it is elsewhere."""
        try:
            plain = base64.b64decode(word, validate=True).decode("ascii")
            if len(word) >= 8 and plain.isprintable():
                return base64.b64encode(self._alike(plain).encode()).decode()
        except (binascii.Error, UnicodeDecodeError):
            pass
        if re.fullmatch(_LINK, word):
            return word[:8] + self._alike(word[8:])
        rest = known.sub("", word)
        if rest == word:
            return self._alike(word)
        alike = str if _MEANING.match(rest) else self._alike
        parts, at = [], 0
        for match in known.finditer(word):
            parts += [alike(word[at : match.start()]), self._known(match[0])]
            at = match.end()
        return "".join([*parts, alike(word[at:])])

    def _known(self, text: str) -> str:
        """What stands for a word, the digits of a MAC address, or the last six of one."""
        if text in self._words:
            return self._words[text]
        digits = text.lower()
        new = next(bare(new) for old, new in self._macs.items() if bare(old).endswith(digits))
        new = new[-len(digits) :]
        return new if text == digits else new.upper()

    def _alike(self, word: str) -> str:
        """Another word of the same letters, digits and cases."""
        is_hex = all(letter in string.hexdigits for letter in word if letter.isalnum())
        kept = [False] * len(word)
        for match in _KEPT.finditer(word):
            kept[match.start() : match.end()] = [True] * len(match[0])

        def draw(letter: str) -> str:
            for letters in (string.digits, string.ascii_lowercase, string.ascii_uppercase):
                if letter in letters:
                    most = 6 if is_hex and letters is not string.digits else len(letters)
                    return letters[int(self._rng.random() * most)]
            return letter

        def drawn() -> str:
            return "".join(old if keep else draw(old) for old, keep in zip(word, kept, strict=True))

        return self._unlike(drawn) if any(map(str.isalnum, word)) else word

    def _unlike(self, draw: Callable[[], str]) -> str:
        """A draw that is nobody's yet; the last of many, where there are so few."""
        for _ in range(64):
            drawn = draw()
            if drawn not in self._taken and drawn not in self._given:
                break
        self._taken.add(drawn)
        return drawn


def _replaced(text: bytes, pairs: Mapping[bytes, bytes]) -> bytes:
    """A text with others in the place of the keys, the longest first where several begin.

    There may be thousands of them, so they are sought by their first bytes, all at once.
    """
    by_start: dict[int, list[bytes]] = defaultdict(list)
    for old in sorted(pairs, key=len, reverse=True):
        by_start[int.from_bytes(old[:_START])].append(old)
    padded = np.frombuffer(text + bytes(_START), np.uint8)
    starts = np.ascontiguousarray(sliding_window_view(padded, _START)).view(">u4").ravel()
    places = np.flatnonzero(np.isin(starts, list(by_start)))
    parts, done = [], 0
    for place, start in zip(places.tolist(), starts[places].tolist(), strict=True):
        for old in by_start[start] if place >= done else ():
            end = place + len(old)
            is_pointer = _may_point(old) and text.startswith(_CLASS, end)
            if text.startswith(old, place) and not is_pointer:
                parts += [text[done:place], pairs[old]]
                done = end
                break
    return b"".join([*parts, text[done:]])


def _may_point(address: bytes) -> bool:
    """Whether an IPv4 address looks like a pointer to a name, and a type (RFC 1035)."""
    return len(address) == 4 and address[0] >= 0xC0 and not address[2]


def _prefix(ip: str) -> str:
    return ip.rpartition(".")[0]


def _macs(headers: Headers, addresses: set[str]) -> set[str]:
    """All MAC addresses: those that sent, and those that addresses and words are made of."""
    macs = {*headers.macs, *(host.mac for host in headers.hosts), *map(mac_in, addresses)} - {""}
    vendors = {bare(mac)[:6] for mac in macs}
    for word in headers.words:
        digits = bare(word).lower()
        if _MAC.fullmatch(word) and (":" in word or digits[:6] in vendors):
            macs.add(bytes.fromhex(digits).hex(":"))
    return macs


def _replace_tail(text: bytes, old: str, new: str) -> bytes:
    """Replace the end of a MAC address where it stands by itself, as in `plug-3f2a`."""

    def spelt(match: re.Match[bytes]) -> bytes:
        return (new.upper() if match[0] != match[0].lower() else new).encode()

    # looking for it in either case takes a hundred times as long as finding that it is not there
    if old.encode() not in text.lower():
        return text
    # after the name of a host DHCP mostly has the option 55, which looks like a 7
    pattern = rb"(?i)(?<![0-9a-f])%b(?:(?![0-9a-f])|(?=7[\x01-\x1f]))" % old.encode()
    return re.sub(pattern, spelt, text)
