"""The identity that honeydata shows instead of the captured one.

Each identifier becomes another of the same form, the same wherever it occurs, in bytes and in text:
a MAC address keeps its vendor, an IP address its kind of network and the number of digits, a word
its letters, digits and case. So every frame keeps its length. A requested address (`ip`, `gateway`)
may have another number of digits: text then shows a drawn one instead.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Container, Iterator, Mapping
from typing import Final

import numpy as np

from iotflowgen.packets.identity.draws import Draws
from iotflowgen.packets.identity.spellings import (
    Pair,
    bare,
    eui64,
    iaid,
    ip_bytes,
    ip_texts,
    mac_bytes,
    mac_in,
    mac_texts,
    macs_of,
    tails,
)
from iotflowgen.recording import Identities

__all__ = ["Pseudonyms"]

_NOWHERE: Final = "0.0.0.0"  # noqa: S104 - no socket
_NO_GATEWAY: Final = "02:00:00:00:00:01"
_KEPT_ENDS: Final = {"0", "1", "254", "255"}
"""Last parts of addresses that say what a host is, not which."""
_NEAR: Final = 16
"""MAC addresses that are no farther apart are of one product, and stay as far apart."""
_NAME: Final = re.compile(r"(?=[A-Z]*[0-9])[A-Z0-9]{8,20}|(?=[a-z]*[0-9])[a-z0-9]{8,20}")
_LONGEST_WITH_NAME: Final = 40
"""Letters of a word that may hold the name of something, as a message has its serial number."""
_SHORTEST_BASE64: Final = 8
_LINK: Final = re.compile(r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5,7}")
_MEANING: Final = re.compile(r"(?i)(?![0-9a-f-]+$).*[a-z]{3}")


class Pseudonyms:
    """The addresses and names that are shown.

    Args:
        identities: Whom the captures show.
        rng: Draws whatever is not given.
        mac: MAC address of the device; by default of the same vendor.
        ip: IPv4 address of the device.
        ip6: IPv6 address of the device, if it has one; its network comes along.
        gateway: IPv4 address of the gateway, if the captures show one.
        gateway_mac: MAC address of the gateway, if the captures show one.
        taken: Addresses of others, which are not drawn.
        keep: Whether the captured identifiers come out as they are, whatever is given.

    Attributes:
        device_mac: MAC address of the device.
        device_ip: Its IP address; 0.0.0.0 where it was seen under none and none is given.
        gateway_mac: MAC address of the gateway; an own one where none was seen.
        gateway_ip: Its IP address; empty where it was seen under none.
        keep: Whether captured identifiers come out as they are.
        key: What nobody can read is drawn with it.
    """

    def __init__(
        self,
        identities: Identities,
        rng: np.random.Generator,
        *,
        mac: str | None = None,
        ip: str | None = None,
        ip6: str | None = None,
        gateway: str | None = None,
        gateway_mac: str | None = None,
        taken: Container[str] = (),
        keep: bool = False,
    ) -> None:
        known = self._identities = identities
        own_ips = {*known.own_addresses, known.device_ip}
        addresses = sorted({*known.addresses, *own_ips, known.gateway_ip} - {""})
        macs = _macs(known, addresses)
        in_use = {*macs, *addresses, *known.words, *map(_network, addresses)}
        self._draws = Draws(rng, in_use, taken)
        self.keep = keep
        self._macs = dict(zip(macs, macs, strict=True))
        self._ips = self._shown = dict(zip(addresses, addresses, strict=True))
        self._words: dict[str, str] = {}
        if not keep:
            given_macs = {known.device_mac: mac, known.gateway_mac: gateway_mac}
            self._macs = self._draw_macs(known, macs, _given(given_macs))
            own_ip4 = ip if "." in known.device_ip else None
            given = _given({known.device_ip: own_ip4, known.gateway_ip: gateway})
            given6 = dict.fromkeys(filter(_is_routed, own_ips), ip6) if ip6 else {}
            self._draw_ips(addresses, given | given6)
            # a device that had several addresses has one
            if "." in known.device_ip:
                own = {each for each in own_ips if "." in each}
                self._ips |= dict.fromkeys(own, self._ips[known.device_ip])
            self._draw_words(known.words)
        self._pairs, self._tails = dict(self._all_pairs()), dict(self._all_tails())
        self.key = rng.bytes(16)
        self.device_mac = self._macs[known.device_mac]
        self.device_ip = self._ips.get(known.device_ip) or (ip if ip and not keep else _NOWHERE)
        self.gateway_mac = self._macs.get(known.gateway_mac, gateway_mac or _NO_GATEWAY)
        self.gateway_ip = self._ips.get(known.gateway_ip, "")

    @property
    def addresses(self) -> list[str]:
        """All MAC and IP addresses that are shown."""
        return [*self._macs.values(), *self._ips.values()]

    @property
    def identities(self) -> Identities:
        """Who is shown, as if they had been captured; where captured identifiers are not kept."""
        known, macs, ips = self._identities, self._macs, self._ips | {"": ""}
        return Identities(
            drawn=True,
            device_mac=self.device_mac,
            device_ip=ips[known.device_ip],
            own_addresses=tuple(dict.fromkeys(map(ips.__getitem__, known.own_addresses))),
            gateway_mac=macs.get(known.gateway_mac, ""),
            gateway_ip=ips[known.gateway_ip],
            macs=tuple(sorted({*macs.values()})),
            addresses=tuple(sorted({*self._ips.values()} | {*self._shown.values()})),
            words=tuple(sorted({*self._words.values()})),
        )

    def address(self, raw: bytes) -> bytes:
        """What stands for an address in a header: as many bytes."""
        return self._pairs.get(raw, raw)

    def other(self, text: bytes) -> bytes:
        """What stands for a text or an address in bytes: as many bytes."""
        new = self._pairs.get(text)
        if new is None and (tail := self._tails.get(text.lower())):
            new = tail if text == text.lower() else tail.upper()
        return new if new and len(new) == len(text) else text

    def _all_pairs(self) -> Iterator[Pair]:
        """What stands for what, as bytes and as texts; of the same the last counts."""
        for old, new in self._words.items():
            yield old.encode("latin-1"), new.encode("latin-1")
        for old, new in self._macs.items():
            yield from iaid(old, new)
        for old, new in self._macs.items():
            yield from mac_bytes(old, new)
            yield from mac_texts(old, new)
        for old, new in self._ips.items():
            yield from ip_bytes(old, new)
            yield from ip_texts(old, new if len(new) == len(old) else self._shown[old])

    def _all_tails(self) -> Iterator[Pair]:
        """The last digits of MAC addresses; where several end alike, the first one's stand."""
        for old, new in reversed(self._macs.items()):
            yield from tails(old, new)

    def _draw_macs(
        self, known: Identities, macs: list[str], given: Mapping[str, str]
    ) -> dict[str, str]:
        drawn = {old: new.lower() for old, new in given.items()}
        self._draws.take(drawn.values())
        if known.device_mac not in drawn:
            drawn[known.device_mac] = self._draws.mac(known.device_mac)
        for each in macs:
            drawn.setdefault(each, self._beside(each, drawn) or self._draws.mac(each))
        # captures of several homes are shown in one: two who have one address would be noticed
        shown = drawn.get(known.gateway_mac, "")
        return drawn | dict.fromkeys(drawn.keys() & {*known.other_gateways}, shown)

    def _beside(self, old: str, drawn: Mapping[str, str]) -> str:
        """A MAC address as far from that of the same product as it was; empty without one."""
        for known, new in drawn.items():
            apart = int(bare(old), 16) - int(bare(known), 16)
            number = int(bare(new), 16) + apart
            if 0 < abs(apart) < _NEAR and number >> 24 == int(bare(new)[:6], 16):
                return number.to_bytes(6).hex(":")
        return ""

    def _draw_ips(self, addresses: list[str], given: Mapping[str, str]) -> None:
        """Draw another for each address but those that are given, whose networks come along."""
        self._ips = self._shown = self._ips_in({}, addresses, {})
        if given:
            self._draws.take(given.values())
            networks = {_network(old): _network(new) for old, new in given.items()}
            self._ips = self._ips_in(networks, addresses, given)
        # an address that is made of one whose digits are given may have become shorter
        self._shown = {
            old: new if len(new) == len(old) else self._draws.ip6(old)
            for old, new in self._shown.items()
        }

    def _ips_in(
        self, networks: dict[str, str], addresses: list[str], given: Mapping[str, str]
    ) -> dict[str, str]:
        """Addresses by captured ones; `networks` are those of private ones, and grow."""
        found: dict[str, str] = {}
        for old in addresses:
            network, _, last = old.rpartition(".")
            if ":" in old:
                mac = mac_in(old)
                identifier = eui64(bytes.fromhex(bare(self._macs[mac]))).hex() if mac else ""
                new = self._draws.ip6(old, identifier)
                found[old] = _moved(new, networks.setdefault(_network(old), _network(new)))
            elif not ipaddress.ip_address(old).is_private:
                found[old] = self._draws.public(old)
            else:
                if network not in networks:
                    # nobody knows any more which network was captured: not to be drawn by chance,
                    # what was drawn in its place stays
                    drawn = self._identities.drawn
                    networks[network] = network if drawn else self._draws.private(network)
                # who keeps the end of an address shares it with nobody
                self._draws.take(f"{networks[network]}.{end}" for end in _KEPT_ENDS)
                kept = f"{networks[network]}.{last}"
                is_kept = last in _KEPT_ENDS and kept not in given.values()
                found[old] = kept if is_kept else self._draws.in_network(networks[network], last)
        return {**found, **given}

    def _draw_words(self, words: tuple[str, ...]) -> None:
        """Draw another for each word; what stands within another is the same there."""
        inside = "|".join(f"{bare(mac)}|{bare(mac)[6:]}" for mac in self._macs)
        digits = re.compile(inside, re.IGNORECASE)
        names: list[str] = []
        for word in sorted(words, key=len):
            known = digits
            if len(word) <= _LONGEST_WITH_NAME and (found := [n for n in names if n in word]):
                longest_first = "|".join([*map(re.escape, found[::-1]), inside])
                known = re.compile(longest_first, re.IGNORECASE)
            self._words[word] = self._other(word, known)
            if _NAME.fullmatch(word):
                names.append(word)

    def _other(self, word: str, known: re.Pattern[str]) -> str:
        """Another word, in which what is known is what it is elsewhere."""
        if plain := _decoded(word):
            return base64.b64encode(self._other(plain, known).encode()).decode()
        if _LINK.fullmatch(word):
            return word[:8] + self._draws.word(word[8:])
        rest = known.sub("", word)
        if rest == word:
            return self._draws.word(word)
        alike = str if _MEANING.match(rest) else self._draws.word
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
        new = next((new for old, new in self._macs.items() if bare(old).endswith(digits)), "")
        if not new:
            # a name in other letters
            return self._draws.word(text)
        new = bare(new)[-len(digits) :]
        return new if text == digits else new.upper()


def _decoded(word: str) -> str:
    """What a word says in Base64 (RFC 4648), if that is to be read; empty otherwise."""
    try:
        plain = base64.b64decode(word.encode("latin-1"), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
    return plain if len(word) >= _SHORTEST_BASE64 and plain.isprintable() else ""


def _given(asked: Mapping[str, str | None]) -> dict[str, str]:
    """What is asked for, of what there is."""
    return {old: new for old, new in asked.items() if old and new}


def _network(ip: str) -> str:
    """The first three parts of an IPv4 address; the first 64 bits of one of IPv6."""
    return ipaddress.IPv6Address(ip).packed[:8].hex() if ":" in ip else ip.rpartition(".")[0]


def _moved(ip: str, network: str) -> str:
    """An address of IPv6 in a network, of 16 hexadecimal digits."""
    own = ipaddress.IPv6Address(ip).packed[8:].hex()
    return str(ipaddress.IPv6Address(bytes.fromhex(network + own)))


def _is_routed(ip: str) -> bool:
    """Whether an address is one of IPv6 by which a host is known beyond its link."""
    return ":" in ip and not ipaddress.IPv6Address(ip).is_link_local


def _macs(known: Identities, addresses: list[str]) -> list[str]:
    """All MAC addresses: those that sent, and those that addresses are made of."""
    macs = {*known.macs, known.device_mac, known.gateway_mac, *known.other_gateways}
    return sorted({*macs, *macs_of((), (), addresses)} - {""})
