"""Whose names were looked up: whom a device contacts next, if it can be chosen."""

import ipaddress
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from iotflowgen.packets.choices import Choices, name_in
from iotflowgen.packets.connections import ANYBODY, Stage
from iotflowgen.packets.headers import Kind
from iotflowgen.packets.ready import Ready

__all__ = ["Lookups", "answered"]

_TRIES: Final = 64
_RECORDS: Final = re.compile(
    rb"\0(?:\x01[\0\x80]\x01.{4}\0\x04(?P<four>.{4})|\x1c[\0\x80]\x01.{4}\0\x10(?P<six>.{16}))",
    re.DOTALL,
)


def answered(message: bytes | bytearray) -> Iterator[bytes]:
    """The addresses in a message of DNS, of records A (RFC 1035) and AAAA (RFC 3596)."""
    for match in _RECORDS.finditer(message):
        yield match["four"] or match["six"]


class Lookups:
    """Hosts by how recently an answer of DNS named them, and under what addresses.

    Args:
        ips: The addresses of all hosts.
        ready: Templates, of which some name hosts.
        choices: The same, to choose from.
        draws: Draws the last byte of the addresses that hosts have from the second session on: a
            device that begins anew uses its ports again, and would go on with old connections.
    """

    def __init__(
        self,
        ips: Sequence[bytes],
        ready: Sequence[Ready],
        choices: Choices,
        draws: random.Random,
    ) -> None:
        self._ips = ips
        self._choices = choices
        self._places = {ip: place for place, ip in enumerate(ips)}
        self._named: defaultdict[bytes, set[int]] = defaultdict(set)
        for each in ready:
            if each.question and each.template.from_service:
                ips = [*answered(each.frame[each.layout.payload :])]
                self._named[each.question] |= {self._places[ip] for ip in ips if ip in self._places}
        self._elsewhere: dict[Kind, tuple[bytes, ...]] = {}
        self._draws = draws
        self._begun = False
        self._recent: dict[int, bytes] = {}
        self.asked: dict[bytes, None] = {}
        """The questions of the session; while there are others, they are asked first."""

    def note(self, message: bytearray, start: int) -> None:
        """Note whom an answer that begins at `start` names, and write their addresses."""
        for match in reversed([*_RECORDS.finditer(message, start)]):
            where = match.span("four" if match["four"] else "six")
            place = self._places.get(bytes(message[slice(*where)]))
            if place is not None:
                ip = self._recent.pop(place, b"") or self._another(self._ips[place])
                self._recent[place] = message[slice(*where)] = ip

    def but(self, contact: Kind | None) -> tuple[bytes, ...]:
        """Questions that are not the next, if the device contacts somebody next with a `contact`.

        These are all that lead elsewhere; if none leads there, all that were asked before.
        """
        if contact is not None and contact not in self._elsewhere:
            here = {
                name_in(question)
                for question, hosts in self._named.items()
                if self._choices.whom(contact, Stage.NEW, hosts) != ANYBODY
            }
            there = tuple(each for each in self._named if here and name_in(each) not in here)
            self._elsewhere[contact] = there
        return (contact and self._elsewhere[contact]) or tuple(self.asked)

    def address(self, place: int) -> bytes:
        """The address of a host that was looked up; empty for one that was not."""
        return self._recent.get(place, b"")

    def forget(self) -> None:
        """A session begins: nobody was looked up in it."""
        self._begun |= bool(self._recent)
        self._recent.clear()
        self.asked.clear()

    def __iter__(self) -> Iterator[int]:
        """Places of the hosts, the last that was looked up first."""
        return reversed(self._recent)

    def _another(self, ip: bytes) -> bytes:
        if not self._begun or len(ip) != 4 or not ipaddress.IPv4Address(ip).is_global:
            return ip
        for _ in range(_TRIES):
            other = ip[:3] + bytes([self._draws.randrange(2, 254)])
            if other not in self._places:
                return other
        return ip
