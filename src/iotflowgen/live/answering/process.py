"""Answers whoever asks decoys: a process of its own, which listens at the near end.

The process that emits lets it read what it sends: so it knows what decoys have said by themselves,
and does not take for a question what their peers are made to say at the far end, which arrives
here.
"""

import heapq
import secrets
import select
import signal
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Set
from ipaddress import IPv4Network
from itertools import chain
from typing import Any, Final

from iotflowgen.live.answering.headers import ARP
from iotflowgen.live.answering.replies import Responder
from iotflowgen.live.emitting.due import DueFrame, mark_of
from iotflowgen.live.emitting.guard import Guard, Host
from iotflowgen.live.emitting.sent import Sent
from iotflowgen.live.handover.relay import Relay
from iotflowgen.live.near import Near
from iotflowgen.live.process import Requests, be_quick, cannot_use, hear, tell

__all__ = ["Announced", "main"]

_WAKING_NS: Final = 60_000
"""So long before an answer is due, it is waited for without sleep."""
_AT_ONCE: Final = 32
"""Frames that are taken together."""
_READ_S: Final = 0.05
"""So often it reads what decoys have said, also where nobody asks."""
_STALE_S: Final = 2.0
"""What was announced so long ago has been lost."""


class Announced:
    """Frames that are on their way here, by their marks; lost ones are forgotten."""

    def __init__(self) -> None:
        # the first one of a dict takes long to find when those before it have gone
        self._since = OrderedDict[bytes, float]()

    def add(self, mark: bytes) -> None:
        """One is about to be sent."""
        now = time.monotonic()
        self._since[mark] = now
        self._since.move_to_end(mark)
        while next(iter(self._since.values())) < now - _STALE_S:
            self._since.popitem(last=False)

    def __contains__(self, frame: bytes) -> bool:
        since = self._since.get(mark_of(frame))
        return since is not None and since > time.monotonic() - _STALE_S


class _Answers:
    """Answers that wait for their time.

    Args:
        guard: The last check.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._places: dict[bytes, int] = {}
        self._responders: dict[bytes, Responder] = {}
        self._learnt: dict[bytes, Mapping[str, Any]] = {}
        self._relays: dict[bytes, Relay] = {}
        self._waiting: list[tuple[int, bytes]] = []
        self._muted: frozenset[bytes] = frozenset()
        self._by_ip: dict[bytes, bytes] = {}

    @property
    def relays(self) -> list[Relay]:
        """Those of decoys that hand ports over."""
        return [*self._relays.values()]

    def _resolve(self) -> None:
        """MAC addresses of decoys by those of IPv4."""
        own = self._responders.items()
        self._by_ip = {each.host.ip: mac for mac, each in own if each.host.ip}

    def add(
        self,
        place: int,
        host: Host,
        reflexes: Mapping[str, Any],
        discovery: Mapping[str, Any],
        relay: Relay | None,
    ) -> None:
        """Answer for one more decoy."""
        self._guard.add(place, host)
        self._places[host.mac], self._learnt[host.mac] = place, reflexes
        self._responders[host.mac] = Responder(host, reflexes, discovery)
        if relay is not None:
            self._relays[host.mac] = relay
        if host.ip:
            self._by_ip[host.ip] = host.mac

    def leave(self, places: Collection[int]) -> None:
        """Answer for some decoys no more."""
        for mac in [mac for mac, place in self._places.items() if place in places]:
            del self._places[mac], self._learnt[mac], self._responders[mac]
            if relay := self._relays.pop(mac, None):
                relay.close()
        self._drop(lambda mac: mac not in self._places)
        self._resolve()

    def mute(self, places: Collection[int]) -> None:
        """Let only some decoys answer, all but those at these places."""
        self._muted = frozenset(mac for mac, place in self._places.items() if place in places)
        self._drop(self._muted.__contains__)

    def _drop(self, is_silent: Callable[[bytes], bool]) -> None:
        self._waiting = [each for each in self._waiting if not is_silent(each[1][6:12])]
        heapq.heapify(self._waiting)

    def settle(self, other: Mapping[str, Any]) -> None:
        """A decoy has other addresses from now on."""
        host = Host.of(other["host"])
        if host.mac not in self._places:
            # it has gone
            return
        self._guard.settle(other["decoy"], host, IPv4Network(other["subnet"]))
        learnt = self._learnt[host.mac]
        self._responders[host.mac] = Responder(host, learnt, other["discovery"])
        self._resolve()
        if relay := self._relays.get(host.mac):
            relay.settle(host, bytes.fromhex(other["gateway_mac"]))

    def may_be_sent(self, frame: bytes) -> bool:
        """Whether an answer is one of the configured network."""
        due = DueFrame(0, self._places[frame[6:12]], far=False, frame=frame)
        return not self._guard.complaint(due)

    def notice(self, frame: bytes) -> None:
        """A frame was sent at the near end."""
        if (responder := self._responders.get(frame[6:12])) is not None:
            responder.notice(frame)

    def ask(self, frame: bytes, came_ns: int, *, checks: bool) -> None:
        """A frame has come for one decoy, or for all."""
        for asked in self._asked(frame) - self._muted:
            responder = self._responders[asked]
            if responder.is_claimed(frame):
                tell({"conflict": self._places[asked], "mac": frame[22:28].hex(":")})
                continue
            if (relay := self._relays.get(asked)) and relay.takes(frame):
                if responder.may_hear(frame):
                    relay.put(frame, checks=checks)
                continue
            for reply in responder.replies(frame, checks=checks):
                delays = self._learnt[asked]["delays_ns"][reply.kind]
                delay_ns = delays[secrets.randbelow(len(delays))]
                if reply.within_ns is not None:
                    delay_ns = min(delay_ns, reply.within_ns)
                heapq.heappush(self._waiting, (came_ns + delay_ns, reply.frame))

    def _asked(self, frame: bytes) -> Set[bytes]:
        """Decoys that a frame may be for; by ARP, those that it names, as there may be many."""
        mac, every = frame[:6], self._responders.keys()
        if not frame[0] & 1:
            return {mac} if mac in self._responders else set()
        if frame[12:14] != ARP:
            return every
        named = (self._by_ip.get(ip) for ip in (frame[28:32], frame[38:42]))
        return {each for each in named if each is not None}

    def wait_s(self) -> float:
        """Until the next is due, but for the time that waking up takes."""
        first_ns = [relay.due_ns for relay in self._relays.values()]
        first_ns += [due_ns - _WAKING_NS for due_ns, _ in self._waiting[:1]]
        if not first_ns:
            return _READ_S
        return min(_READ_S, max(0.0, (min(first_ns) - time.monotonic_ns()) / 1e9))

    def due(self) -> Iterator[bytes]:
        """Those that are to be sent by now, or so soon that no sleep would end before."""
        for relay in self._relays.values():
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
        sends: socket.socket,
        sent: Sent,
        taps: socket.socket,
        answers: _Answers,
        gateway: bytes,
    ) -> None:
        self._near, self._sends, self._sent_there = near, sends, sent
        self._taps, self._answers = taps, answers
        self._gateway = gateway
        self._announced = Announced()
        self._sent = 0
        self._requests = Requests()

    def run(self) -> None:
        """Until whoever controls it, or who sends, is gone."""
        own: list[Any] = [self._requests, self._sends, self._near.socket]
        while not self._requests.are_over:
            sources = [*own, *self._answers.relays]
            ready, _, _ = select.select(sources, [], [], self._answers.wait_s())
            if self._sends in ready:
                return
            if self._requests in ready:
                self._obey()
            came = [*self._near.receive_all(_AT_ONCE)] if self._near.socket in ready else []
            # what came was announced before it was sent
            self._read_sent()
            for each in came:
                self._take(*each)
            for frame in chain(self._answers.due(), self._answers.pass_on(ready)):
                if self._answers.may_be_sent(frame):
                    self._near.send(frame)
                    self._sent += 1

    def _obey(self) -> None:
        """Do what is asked on standard input."""
        for asked in self._requests.read():
            if "muted" in asked:
                self._answers.mute(asked["muted"])
            elif "status" in asked:
                tell({"told": {"answers": self._sent}})
            elif "gone" in asked:
                self._answers.leave(asked["gone"])
            elif "come" in asked:
                self.come(asked)
            else:
                self._answers.settle(asked)

    def come(self, asked: Mapping[str, Any]) -> None:
        """Answer for more decoys; where one hands `ports` over, the file of its TAP has come."""
        for each in asked["come"]:
            host, relay = Host.of(each["host"]), None
            reflexes = asked["reflexes"][each["model"]]
            if each["ports"]:
                _, (tap,), _, _ = socket.recv_fds(self._taps, 8, 1)
                delays = reflexes["delays_ns"]["tcp"]
                relay = Relay(host, each["ports"], self._gateway, tap, delays)
            self._answers.add(each["place"], host, reflexes, each["discovery"], relay)

    def _read_sent(self) -> None:
        """Take note of what decoys say, and of what is on its way from the far end."""
        for far, frame in self._sent_there.read():
            if far:
                self._announced.add(frame)
            else:
                self._answers.notice(frame)

    def _take(self, frame: bytes, checks: bool, came_ns: int) -> None:
        if frame not in self._announced:
            self._answers.ask(frame, came_ns, checks=checks)


def main() -> None:
    """Answer until asked for an end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked = hear()
    try:
        near = Near(asked["near"], asked["vlan"])
    except OSError as error:
        cannot_use(asked["near"], error)
        return
    be_quick(5)
    sends, taps = (socket.socket(fileno=asked[name]) for name in ("sends", "taps"))
    answers = _Answers(Guard(IPv4Network(asked["subnet"]), ()))
    loop = _Loop(near, sends, Sent(asked["sent"]), taps, answers, bytes.fromhex(asked["gateway"]))
    loop.come(asked)
    tell({"ready": True})
    loop.run()


if __name__ == "__main__":
    main()
