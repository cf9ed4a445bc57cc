"""Where messages hold identifiers.

What is parsed is known by its field, text by its form, and what is known from either is sought
everywhere else: as a whole token, or where it would not stand by chance.

Shapes: M messages, T texts.
"""

import ipaddress
import re
from collections.abc import Iterator
from itertools import chain
from typing import Final

import numpy as np

from iotflowgen.packets.identity.fields import PLAIN, Kind, words_of_mqtt
from iotflowgen.packets.identity.hidden import rare, readable, under_notations
from iotflowgen.packets.identity.identifiers import (
    dotted_quads_in,
    is_host,
    is_version,
    words_in,
)
from iotflowgen.packets.identity.messages import Messages
from iotflowgen.packets.identity.notations import AUTOKEY, NOTATIONS, OPAQUE, SHIFTED, TUYA
from iotflowgen.packets.identity.places import Places
from iotflowgen.packets.identity.search import find_all
from iotflowgen.packets.identity.spellings import (
    derived,
    iaid,
    ip_bytes,
    ip_texts,
    mac_bytes,
    mac_texts,
    macs_of,
    tails,
)
from iotflowgen.packets.payload.known import drawn_in_known

__all__ = ["Finder"]

_WORD: Final = re.compile(rb"[0-9A-Za-z]")
_TOKEN: Final = re.compile(rb"[0-9A-Za-z+/_-]+={0,2}")
_HEX: Final = re.compile(rb"[0-9A-Fa-f]")
_TEXT: Final = re.compile(rb"[ -~\t\r\n]{5,}|(.)\1{3,}", re.DOTALL)
"""What splits what nobody can read."""
_SHORTEST_OPAQUE: Final = 20
_HEAD: Final = 16
"""Bytes of a message that say how to read it."""
_RANDOM: Final = 0.85
"""The share that bytes have of as many different ones as random ones."""
_DISTINCTIVE: Final = 8
_SHORTEST: Final = 4
_FEWEST_LETTERS: Final = 3
"""Different digits of an end of a MAC address that is known by it."""
_WIDEST_VERSION: Final = 32

_OPEN: Final = (Kind.OTHER, Kind.TEXT, Kind.ICMP, Kind.ICMP6)
"""Messages that may hide something; errors of ICMP quote them."""

Mark = tuple[int, int]
"""Where a text begins and ends in the data of all messages."""


class Finder:
    """Finds identifiers, given the addresses that headers have.

    Attributes:
        macs: All MAC addresses of hosts.
        addresses: All IP addresses of hosts.
        words: All texts that identify, a letter a byte (Latin-1).
    """

    def __init__(self, messages: Messages, macs: set[str], addresses: set[str]) -> None:
        self._messages = messages
        self._regions: list[tuple[int, int, int]] = []
        self._marks: list[Mark] = []
        self._taken, self._opened = (bytearray(len(messages.data)) for _ in range(2))
        self.macs, self.addresses = {*macs}, {*addresses}
        self.words: set[str] = set()
        self._read_fields()
        self._read_hidden()
        self._read_texts()
        self._seek_bytes()
        self._seek_texts()
        self._seek_hidden()
        self._leave_opaque()

    def places(self) -> Places:
        """Where identifiers are in all packets."""
        messages = self._messages
        marks = np.array(sorted(self._marks), np.int64).reshape(-1, 2)
        regions = np.array(self._regions, np.int64).reshape(-1, 3)
        numbers: dict[bytes, int] = {}
        text = [
            numbers.setdefault(bytes(messages.data[a:b]), len(numbers)) for a, b in marks.tolist()
        ]
        mark, mark_packet, mark_at = messages.in_packets(marks[:, 0])
        region, region_packet, region_at = messages.in_packets(regions[:, 0])
        return Places(
            mark_packet=mark_packet,
            mark_at=mark_at,
            mark_text=np.array(text, np.int64)[mark],
            text_size=np.fromiter(map(len, numbers), np.int64, len(numbers)),
            region_packet=region_packet,
            region_at=region_at,
            region_size=(regions[:, 1] - regions[:, 0])[region],
            region_notation=regions[region, 2],
        )

    def _read_fields(self) -> None:
        """Take addresses in parsed messages, and decode what is hidden in these."""
        data = self._messages.data
        interfaces = {last for mac in self.macs for last, _ in iaid(mac, mac)}
        for a, b, notation in self._messages.fields():
            if notation == OPAQUE and bytes(data[a:b]) in interfaces:
                self._mark(a, b)
                continue
            if notation != PLAIN and not self._open(a, b, notation):
                continue
            if notation not in (OPAQUE, TUYA):
                self._take_address(bytes(data[a:b]))
                self._mark(a, b)

    def _take_address(self, raw: bytes) -> None:
        """Know an address that a field has."""
        if len(raw) == 6:
            if any(raw) and not raw[0] & 1:
                self.macs.add(raw.hex(":"))
        elif len(raw) in (4, 16) and is_host(text := str(ipaddress.ip_address(raw))):
            self.addresses.add(text)

    def _read_hidden(self) -> None:
        """Decode what is text under a notation."""
        for _, message, start in self._messages.each(*_OPEN):
            if drawn_in_known(bytes(message)) == []:
                continue  # all of it stands in the clear
            for a, b, notation in readable(message):
                self._open(start + a, start + b, notation)

    def _open(self, a: int, b: int, notation: int) -> bool:
        """Decode a part of the data; whether it can be, and is a text then, if it has to be one."""
        data = self._messages.data
        if self._opened.find(1, a, b) >= 0 or self._taken.find(1, a, b) >= 0:
            return False
        plain = NOTATIONS[notation].decode(np.frombuffer(bytes(data[a:b]), np.uint8)).tobytes()
        if notation == TUYA and not plain[20:40].isascii():
            return False
        if notation == OPAQUE:
            self._taken[a:b] = b"\x01" * (b - a)
        self._opened[a:b] = b"\x01" * (b - a)
        self._regions.append((a, b, notation))
        data[a:b] = plain
        return True

    def _read_texts(self) -> None:
        """Find addresses, and words by their form."""
        data = bytes(self._messages.data)
        for a, b in dotted_quads_in(data):
            quad = data[a:b].decode()
            if is_host(quad) and (quad in self.addresses or _is_no_version(quad)):
                self.addresses.add(quad)
        found: list[Mark] = []
        for _, message, start in self._messages.each(Kind.TLS, but=True):
            spans = chain(words_in(message), words_of_mqtt(message))
            found += [(start + a, start + b) for a, b in spans if b - a >= _SHORTEST]
        self.macs.update(macs_of([data[a:b] for a, b in found], self.macs, self.addresses))
        addresses = {text for ip in self.addresses for text, _ in ip_texts(ip, ip)}
        macs = {text for mac in self.macs for text, _ in mac_texts(mac, mac)}
        for a, b in sorted(found, key=lambda mark: mark[0] - mark[1]):
            text = data[a:b]
            if text not in addresses and text not in macs and self._mark(a, b):
                self.words.add(text.decode("latin-1"))

    def _seek_bytes(self) -> None:
        """Find addresses in bytes where no parser has read, if they do not stand by chance."""
        texts = {raw for mac in self.macs for raw, _ in mac_bytes(mac, mac)}
        texts |= {raw for ip in self.addresses for raw, _ in ip_bytes(ip, ip)}
        data = bytes(self._messages.data)
        for at, text in find_all(data, rare(texts, data)):
            kind = int(self._messages.kind[self._messages.at(np.array([at]))[0]])
            if len(text) >= 6 or kind == Kind.OTHER:
                self._mark(at, at + len(text))

    def _seek_texts(self) -> None:
        """Find known texts wherever they stand."""
        data = bytes(self._messages.data)
        macs = {text for mac in self.macs for text, _ in mac_texts(mac, mac)}
        addresses = {text for ip in self.addresses for text, _ in ip_texts(ip, ip)}
        words = {word.encode("latin-1") for word in self.words}
        words = {word for word in words if _is_distinctive(word)}
        found = sorted(find_all(data, macs | addresses | words), key=lambda each: -len(each[1]))
        for at, text in found:
            end = at + len(text)
            is_address = text in addresses
            if (is_address and is_version(data, at)) or not (
                text in macs or (not is_address and len(text) > 9) or _is_whole(data, at, end)
            ):
                continue
            if not (is_address and _goes_on(data, at, end)):
                self._mark(at, end)
        made = {text for each in (*self.macs, *self.addresses) for text in derived(each)}
        for at, text in find_all(data, rare(made, data)):
            a, b = _token(data, at, at + len(text))
            if (text.isdigit() or _HEX_ONLY.fullmatch(text)) and (a, b) != (at, at + len(text)):
                continue
            if self._mark(a, b):
                self.words.add(data[a:b].decode("latin-1"))
        self._seek_tails(data.lower())

    def _seek_tails(self, data: bytes) -> None:
        """Find ends of MAC addresses where they stand by themselves, as in `plug-3f2a`."""
        ends = {end for mac in self.macs for end, _ in tails(mac, mac)}
        ends = {end for end in ends if len({*end}) >= _FEWEST_LETTERS}
        for at, text in sorted(find_all(data, ends), key=lambda each: -len(each[1])):
            stop = at + len(text)
            before, after, then = (
                data[at - 1 : at],
                data[stop : stop + 1],
                data[stop + 1 : stop + 2],
            )
            # after the name of a host DHCP mostly has the option 55, which looks like a 7
            is_option = after == b"7" and b"\0" < then < b" "
            if _HEX.match(before) or (_HEX.match(after) and not is_option):
                continue
            # a short number may be any
            if len(text) == 4 and text.isdigit() and before not in (b"-", b"_"):
                continue
            self._mark(at, stop)

    def _seek_hidden(self) -> None:
        """Find known texts under notations, where nothing is found yet."""
        data = self._messages.data
        texts = {text for mac in self.macs for text, _ in mac_texts(mac, mac)}
        texts |= {raw for mac in self.macs for raw, _ in mac_bytes(mac, mac) if len(raw) == 8}
        texts |= {text for ip in self.addresses for text, _ in ip_texts(ip, ip)}
        texts |= {w for word in self.words if _is_distinctive(w := word.encode("latin-1"))}
        chosen = np.flatnonzero(np.isin(self._messages.kind, _OPEN))
        begin, end = self._messages.begin[chosen], self._messages.end[chosen]
        open_data = b"\n".join(
            bytes(data[a:b]) for a, b in zip(begin.tolist(), end.tolist(), strict=True)
        )
        first, opened = np.cumsum(end - begin + 1) - (end - begin + 1), False
        for at, text, notation in under_notations(open_data, texts):
            message = int(np.searchsorted(first, at, side="right")) - 1
            a = int(begin[message]) + at - int(first[message])
            b = a + len(text)
            last = int(end[message])
            stop = last if notation == AUTOKEY else b + (notation in SHIFTED)
            a -= notation == AUTOKEY
            if a >= begin[message] and stop <= last and self._open(a, stop, notation):
                opened = True
        if opened:
            self._seek_texts()

    def _leave_opaque(self) -> None:
        """What nobody can read, and looks random, is drawn anew."""
        for _, message, start in self._messages.each(Kind.OTHER):
            if drawn_in_known(bytes(message)) is not None:
                continue  # what is random in it is drawn as such
            for a, b in _unread(message):
                a = max(a, _HEAD)  # noqa: PLW2901
                if b - a >= _SHORTEST_OPAQUE:
                    values = len({*message[a:b]})
                    if values >= _RANDOM * 256 * (1 - (255 / 256) ** (b - a)):
                        self._open(start + a, start + b, OPAQUE)

    def _mark(self, a: int, b: int) -> bool:
        """Note a text, unless another stands there."""
        if self._taken.find(1, a, b) >= 0:
            return False
        self._taken[a:b] = b"\x01" * (b - a)
        self._marks.append((a, b))
        return True


_HEX_ONLY: Final = re.compile(rb"[0-9A-Fa-f]+")


def _unread(message: bytes) -> Iterator[Mark]:
    """What of a message is neither text nor of one letter."""
    at = 0
    for match in _TEXT.finditer(message):
        yield at, match.start()
        at = match.end()
    yield at, len(message)


def _is_no_version(text: str) -> bool:
    """Whether a text is more like an address than like the number of a version."""
    parts = [int(part) for part in text.split(".")]
    return max(parts) >= _WIDEST_VERSION or ipaddress.ip_address(text).is_private


def _is_distinctive(word: bytes) -> bool:
    """Whether a word is one wherever it stands."""
    return (
        len(word) >= _DISTINCTIVE
        and any(48 <= letter < 58 for letter in word)
        and (len({*word}) >= _SHORTEST)
    )


def _is_whole(data: bytes, a: int, b: int) -> bool:
    """Whether no letter or digit stands beside a text, but for its length."""
    before, after = data[a - 1 : a], data[b : b + 1]
    is_length = before == bytes([(b - a) & 0xFF])
    goes_back = _WORD.match(before) and _WORD.match(data, a) and not is_length
    return not goes_back and not (_WORD.match(after) and _WORD.match(data, b - 1))


def _goes_on(data: bytes, a: int, b: int) -> bool:
    """Whether an address is a part of a longer number."""
    before, after = data[a - 2 : a], data[b : b + 2]
    return (before[1:] == b"." and before[:1].isdigit()) or (
        after[:1] == b"." and after[1:].isdigit()
    )


def _token(data: bytes, a: int, b: int) -> Mark:
    """The word in which a text stands."""
    low = max(0, a - 64)
    for match in _TOKEN.finditer(data, low, min(len(data), b + 64)):
        if match.start() <= a and b <= match.end():
            return match.span()
    return a, b
