"""Answers whoever asks decoys: a process of its own, which listens at the near end.

It sees all that is sent there, too, and so knows what decoys have said by themselves. What their
peers are made to say at the far end arrives here; the process that emits announces it, so that it
is not taken for a question.
"""

import heapq
import secrets
import select
import signal
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Set
from ipaddress import IPv4Network
from itertools import chain
from typing import Any, Final

from iotflowgen.live.answering.headers import ARP
from iotflowgen.live.answering.replies import Responder
from iotflowgen.live.emitting.due import DueFrame, mark_of
from iotflowgen.live.emitting.guard import Guard, Host
from iotflowgen.live.handover.relay import Relay
from iotflowgen.live.near import Near
from iotflowgen.live.process import Requests, be_quick, cannot_use, hear, tell

__all__ = ["Announced", "main"]

_WAKING_NS: Final = 60_000
"""So long before an answer is due, it is waited for without sleep."""
_STALE_S: Final = 2.0
"""What was announced so long ago has been lost."""


class Announced:
    """Frames that are on their way here, by their marks; lost ones are forgotten."""

    def __init__(self) -> None:
        self._since: dict[bytes, float] = {}

    def add(self, mark: bytes) -> None:
        """One is about to be sent."""
        now = time.monotonic()
        self._since.pop(mark, None)
        self._since[mark] = now
        while (first := next(iter(self._since))) != mark and self._since[first] < now - _STALE_S:
            del self._since[first]

    def __contains__(self, frame: bytes) -> bool:
        since = self._since.get(mark_of(frame))
        return since is not None and since > time.monotonic() - _STALE_S


class _Answers:
    """Answers that wait for their time."""

    def __init__(
        self,
        responders: dict[bytes, Responder],
        delays: Mapping[bytes, Any],
        relays: Mapping[bytes, Relay],
    ) -> None:
        self._responders, self._delays, self._relays = responders, delays, relays
        self.relays = [*relays.values()]
        self._waiting: list[tuple[int, bytes]] = []
        self._muted: frozenset[bytes] = frozenset()
        self._by_ip = self._addresses()

    def _addresses(self) -> dict[bytes, bytes]:
        """MAC addresses of decoys by those of IPv4."""
        return {each.host.ip: mac for mac, each in self._responders.items() if each.host.ip}

    def mute(self, places: Collection[int]) -> None:
        """Let only some decoys answer, all but those at these places."""
        self._muted = frozenset(mac for i, mac in enumerate(self._responders) if i in places)
        self._waiting = [each for each in self._waiting if each[1][6:12] not in self._muted]
        heapq.heapify(self._waiting)

    def settle(self, host: Host, responder: Responder, gateway_mac: bytes) -> None:
        """A decoy has other addresses from now on."""
        self._responders[host.mac] = responder
        self._by_ip = self._addresses()
        if relay := self._relays.get(host.mac):
            relay.settle(host, gateway_mac)

    def notice(self, frame: bytes) -> None:
        """A frame was sent at the near end."""
        if (responder := self._responders.get(frame[6:12])) is not None:
            responder.notice(frame)

    def ask(self, frame: bytes, came_ns: int, *, checks: bool) -> None:
        """A frame has come for one decoy, or for all."""
        for asked in self._asked(frame) - self._muted:
            responder = self._responders[asked]
            if responder.is_claimed(frame):
                place = [*self._responders].index(asked)
                tell({"conflict": place, "mac": frame[22:28].hex(":")})
                continue
            if (relay := self._relays.get(asked)) and relay.takes(frame):
                if responder.may_hear(frame):
                    relay.put(frame, checks=checks)
                continue
            for reply in responder.replies(frame, checks=checks):
                delays = self._delays[asked][reply.kind]
                delay_ns = delays[secrets.randbelow(len(delays))]
                if reply.within_ns is not None:
                    delay_ns = min(delay_ns, reply.within_ns)
                heapq.heappush(self._waiting, (came_ns + delay_ns, reply.frame))

    def _asked(self, frame: bytes) -> Set[bytes]:
        """Decoys that a frame may be for; by ARP, those that it names, as there may be many."""
        mac, every = frame[:6], self._responders.keys()
        if not frame[0] & 1:
            return every & {mac}
        if frame[12:14] != ARP:
            return every
        named = (self._by_ip.get(ip) for ip in (frame[28:32], frame[38:42]))
        return {each for each in named if each is not None}

    def wait_s(self) -> float:
        """Until the next is due, but for the time that waking up takes."""
        first_ns = [relay.due_ns for relay in self.relays]
        first_ns += [due_ns - _WAKING_NS for due_ns, _ in self._waiting[:1]]
        return min(1.0, max(0.0, (min(first_ns) - time.monotonic_ns()) / 1e9)) if first_ns else 1.0

    def due(self) -> Iterator[bytes]:
        """Those that are to be sent by now, or so soon that no sleep would end before."""
        for relay in self.relays:
            relay.deliver()
        while self._waiting and self._waiting[0][0] - time.monotonic_ns() <= _WAKING_NS:
            due_ns, frame = heapq.heappop(self._waiting)
            while time.monotonic_ns() < due_ns:
                pass
            yield frame

    def pass_on(self, ready: Collection[object]) -> Iterator[bytes]:
        """What servers of decoys have sent, where there is something to be read."""
        for mac, relay in self._relays.items():
            if relay in ready and (frame := relay.take()) and mac not in self._muted:
                yield frame


class _Loop:
    """Listens, and answers when it is time."""

    def __init__(
        self,
        near: Near,
        marks: socket.socket,
        answers: _Answers,
        guard: Callable[[bytes], bool],
        settle: Callable[[Mapping[str, Any]], object],
    ) -> None:
        self._near, self._marks, self._answers, self._guard = near, marks, answers, guard
        self._settle = settle
        self._announced = Announced()
        self._sent = 0
        self._more_marks = select.poll()
        self._more_marks.register(marks, select.POLLIN)
        self._requests = Requests()

    def run(self) -> None:
        """Until whoever controls it, or who sends, is gone."""
        own: list[Any] = [self._requests, self._marks, self._near.socket]
        sources = [*own, *self._answers.relays]
        while not self._requests.are_over:
            ready, _, _ = select.select(sources, [], [], self._answers.wait_s())
            if self._requests in ready:
                self._obey()
            came = self._near.receive() if self._near.socket in ready else None
            # what came was announced before it was sent
            if not self._hear_marks():
                return
            if came is not None:
                self._take(*came)
            for frame in chain(self._answers.due(), self._answers.pass_on(ready)):
                if self._guard(frame):
                    self._near.send(frame)
                    self._sent += 1

    def _obey(self) -> None:
        """Do what is asked on standard input."""
        for asked in self._requests.read():
            if "muted" in asked:
                self._answers.mute(asked["muted"])
            elif "status" in asked:
                tell({"told": {"answers": self._sent}})
            else:
                self._settle(asked)

    def _hear_marks(self) -> bool:
        # a receive that would block is an exception, which takes longer than all the rest
        while self._more_marks.poll(0):
            if not (mark := self._marks.recv(64)):
                return False
            self._announced.add(mark)
        return True

    def _take(self, frame: bytes, is_own: bool, checks: bool) -> None:
        if is_own:
            self._answers.notice(frame)
        elif frame not in self._announced:
            self._answers.ask(frame, self._near.came_ns, checks=checks)


def main() -> None:
    """Answer until asked for an end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked = hear()
    hosts = [*map(Host.of, asked["decoys"])]
    learnt = dict(zip((host.mac for host in hosts), asked["reflexes"], strict=True))
    says = zip(hosts, asked["discovery"], strict=True)
    responders = {host.mac: Responder(host, learnt[host.mac], said) for host, said in says}
    guard = Guard(IPv4Network(asked["subnet"]), hosts)
    places = {host.mac: place for place, host in enumerate(hosts)}
    try:
        near = Near(asked["near"], asked["vlan"])
    except OSError as error:
        cannot_use(asked["near"], error)
        return
    be_quick(5)
    tell({"ready": True})
    delays = {mac: how["delays_ns"] for mac, how in learnt.items()}
    gateway = bytes.fromhex(asked["gateway"])
    relays = {}
    for mac, ports, tap in asked["handed"]:
        host = next(host for host in hosts if host.mac.hex(":") == mac)
        relays[host.mac] = Relay(host, ports, gateway, tap, delays[host.mac]["tcp"])
    answers = _Answers(responders, delays, relays)

    def may_be_sent(frame: bytes) -> bool:
        return not guard.complaint(DueFrame(0, places[frame[6:12]], far=False, frame=frame))

    def settle(other: Mapping[str, Any]) -> None:
        host = Host.of(other["host"])
        guard.settle(other["decoy"], host, IPv4Network(other["subnet"]))
        responder = Responder(host, learnt[host.mac], other["discovery"])
        answers.settle(host, responder, bytes.fromhex(other["gateway_mac"]))

    _Loop(near, socket.socket(fileno=asked["marks"]), answers, may_be_sent, settle).run()


if __name__ == "__main__":
    main()
