"""Gets addresses for decoys, and keeps them: a process of its own, at the near end.

It reads what to do as JSON from standard input, whose end is its own.
"""

import contextlib
import select
import signal
import time
from collections.abc import Collection, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from types import FrameType
from typing import Any, Final

from iotflowgen.live.home import Decoy, is_host, is_private
from iotflowgen.live.leasing.client import Client
from iotflowgen.live.leasing.messages import Answer, client_of, message_in
from iotflowgen.live.leasing.settling import Claim, Means, Settling
from iotflowgen.live.near import ADDRESSES, Near
from iotflowgen.live.process import Requests, cannot_use, hear, tell

__all__ = ["Offers", "main"]

_SECOND: Final = 10**9
_LEAD_NS: Final = 5 * _SECOND
"""So long before a decoy is switched on it sees to its address, in device time."""
_ARP: Final = b"\x08\x06"
_AT_ONCE: Final = 32
"""Frames that are taken together."""


class _Stop(Exception):
    """Somebody asked for an end."""


class Offers:
    """Which addresses a server may give.

    Args:
        subnet: They are of; None where the first lease says so.
        taken: Addresses that somebody has already.
    """

    def __init__(self, subnet: IPv4Network | None, taken: frozenset[IPv4Address]) -> None:
        self._subnet, self.taken = subnet, taken

    def complaint(self, answer: Answer) -> str:
        """Why the address that a server gives is none for decoys; empty if it is."""
        address = answer.address
        if not answer.lease_s:
            return f"{address} would be leased for 0 s"
        if not is_private(address):
            return f"{address} is a public address"
        for subnet in (self._subnet, answer.subnet):
            if subnet is not None and not is_host(address, subnet):
                return f"{address} is no host of {subnet}"
        if not is_private(answer.server):
            return f"its server has a public address, {answer.server}"
        if address in self.taken:
            return f"somebody else has {address}"
        self._subnet = self._subnet or answer.subnet
        return ""


class _Power:
    """When a decoy is on.

    Args:
        settling: Gets its address, and keeps it.
        powered: From when to when it is on, on the clock that never jumps.
    """

    def __init__(self, settling: Settling, powered: Iterator[tuple[int, int]]) -> None:
        self.settling, self._powered, self._is_on = settling, powered, False
        self._switch_ns, self._off_ns = next(powered)

    @property
    def due_ns(self) -> int:
        """When to `act`."""
        own_ns = self.settling.due_ns
        return self._switch_ns if own_ns is None else min(own_ns, self._switch_ns)

    def act(self, now_ns: int) -> None:
        """Do what is due."""
        if now_ns < self._switch_ns:
            self.settling.act(now_ns)
        elif not self._is_on:
            self._is_on, self._switch_ns = True, self._off_ns
            self.settling.begin(now_ns)
        else:
            self.settling.end(now_ns)
            self._is_on = False
            on_ns, self._off_ns = next(self._powered)
            self._switch_ns = max(on_ns, now_ns)


class _Loop:
    """Listens, and asks when it is time."""

    def __init__(self, near: Near, asked: Mapping[str, Any]) -> None:
        self._near = near
        subnet = IPv4Network(asked["subnet"]) if asked["subnet"] else None
        self._offers = Offers(subnet, frozenset())
        self._places: dict[int, _Power] = {}
        self._macs: dict[bytes, int] = {}
        self._come(asked)
        self._paused: frozenset[int] = frozenset()
        self._requests = Requests()
        self._has_looked = False
        self._probing: list[Settling] = []
        self._due_ns = 0
        """When something is to be done; what was heard may change that."""

    def run(self) -> None:
        """Until whoever controls it is gone."""
        while not self._requests.are_over:
            now_ns = time.monotonic_ns()
            if self._due_ns <= now_ns:
                self._act(now_ns)
            wait_ns = self._due_ns - time.monotonic_ns()
            sources: list[Any] = [self._requests, self._near.socket]
            ready, _, _ = select.select(sources, [], [], _within(wait_ns))
            if self._requests in ready:
                self._obey()
            if self._near.socket in ready:
                self._take(time.monotonic_ns())

    def _act(self, now_ns: int) -> None:
        """Do what is due, and find out when there is more."""
        due = [one for i, one in self._places.items() if i not in self._paused]
        for one in due:
            if one.due_ns <= now_ns:
                one.act(now_ns)
        if not self._has_looked and not any(one.settling.holds_up for one in due):
            self._has_looked = True
            tell({"looked": True})
        self._probing = [one.settling for one in self._places.values() if one.settling.is_probing]
        self._due_ns = min([one.due_ns for one in due], default=now_ns + _SECOND)

    def end(self) -> None:
        """All are switched off."""
        self._leave([*self._places])

    def _leave(self, places: Collection[int]) -> None:
        """Some are switched off, and have gone."""
        for place in places:
            if place not in self._paused:
                self._places[place].settling.end(time.monotonic_ns())
            del self._places[place]
        self._macs = {mac: place for mac, place in self._macs.items() if place in self._places}

    def _come(self, asked: Mapping[str, Any]) -> None:
        """There are more; `asked` says what addresses are `taken`."""
        self._offers.taken = frozenset(map(IPv4Address, asked["taken"]))
        self._has_looked = False
        for number, each in enumerate(asked["come"]):
            # a thousand do not begin at once
            first_ns = time.monotonic_ns() + number * _SECOND // asked["rate"]
            place = each["place"]
            self._places[place] = self._power(each, first_ns, asked)
            self._macs[bytes.fromhex(each["mac"])] = place

    def _power(self, each: Mapping[str, Any], first_ns: int, asked: Mapping[str, Any]) -> _Power:
        decoy, pace = Decoy.model_validate(each["decoy"]), asked["pace"]

        def told(event: Mapping[str, Any]) -> None:
            tell({"decoy": each["place"], **event})

        mac = bytes.fromhex(each["mac"])
        means = Means(mac, each["how"], max(1.0, pace), self._near.send, told)
        if decoy.is_leased:
            settling: Settling = Client(means, self._offers.complaint)
        elif asked["looks"] and "." in each["ip"]:
            settling = Claim(means, IPv4Address(each["ip"]))
        else:
            # a device may have IPv6 alone
            settling = Settling(means)
        one = _Power(settling, _powered(decoy, first_ns, asked["start_ns"], pace))
        settling.holds_up = isinstance(settling, Claim) and one.due_ns == first_ns
        return one

    def _obey(self) -> None:
        self._due_ns = 0
        for asked in self._requests.read():
            if "paused" in asked:
                self._paused = frozenset(asked["paused"])
            elif "gone" in asked:
                self._leave(asked["gone"])
            elif "come" in asked:
                self._come(asked)
            elif asked["conflict"] in self._places:
                settling = self._places[asked["conflict"]].settling
                settling.conflict(bytes.fromhex(asked["mac"]), time.monotonic_ns())

    def _take(self, now_ns: int) -> None:
        for heard in self._near.receive_all(_AT_ONCE):
            self._hear(heard.frame, now_ns)

    def _hear(self, frame: bytes, now_ns: int) -> None:
        if frame[12:14] == _ARP:
            for settling in self._probing:
                settling.hear_arp(frame, now_ns)
                self._due_ns = 0
        elif message := message_in(frame):
            place = self._macs.get(client_of(message))
            if place is not None and place not in self._paused:
                self._places[place].settling.hear(message, frame[6:12], now_ns)
                self._due_ns = 0


def _within(wait_ns: int) -> float:
    """Seconds that may be waited."""
    return min(max(0.0, wait_ns / _SECOND), 3600.0)


def main() -> None:
    """Get addresses until asked for an end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked = hear()
    try:
        near = Near(asked["near"], asked["vlan"], only=ADDRESSES)
    except OSError as error:
        cannot_use(asked["near"], error)
        return
    loop = _Loop(near, asked)
    signal.signal(signal.SIGTERM, _stop)
    tell({"ready": True})
    with contextlib.suppress(_Stop):
        loop.run()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    loop.end()


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _Stop


def _powered(decoy: Decoy, first_ns: int, start_ns: int, pace: float) -> Iterator[tuple[int, int]]:
    """From when to when a decoy sees to its address, on the clock that never jumps."""
    for on_ns, off_ns in decoy.powered(start_ns):
        lead_ns = max(0, on_ns - start_ns - _LEAD_NS)
        yield first_ns + int(lead_ns / pace), first_ns + int((off_ns - start_ns) / pace)


if __name__ == "__main__":
    main()
