"""Starts the processes that put decoys on a network, and ends them."""

import select
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from itertools import count
from pathlib import Path
from typing import Any, Final

from iotflowgen.errors import NetworkError
from iotflowgen.events import iso
from iotflowgen.live.children import Child
from iotflowgen.live.emitting.guard import Host
from iotflowgen.live.fence import bridge_port, fence, probe, seated
from iotflowgen.live.handover.namespaces import Namespaces
from iotflowgen.live.home import Home
from iotflowgen.live.interfaces import Interfaces, silence, survey
from iotflowgen.live.leasing.lease import FOREVER, Lease
from iotflowgen.live.ledger import Ledger
from iotflowgen.live.operating.control import DEFAULT_SOCKET, Control
from iotflowgen.live.operating.metrics import Metrics
from iotflowgen.live.operating.notify import notify, watchdog_s
from iotflowgen.live.told import checked, handed_over, packed, to_settle

__all__ = ["MOST_RATE", "Place", "behind", "run"]

MOST_RATE: Final = 50_000
"""Frames a second, beyond which no decoys are to go."""

_SHORT_S: Final = 2.0
"""Who crashes sooner than this does so again."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in a network decoys are.

    Raises:
        NetworkError: The rate is none that decoys may have.
    """

    near: str = ""
    """The interface where decoys are plugged in."""
    far: str = ""
    """The interface where the gateway is: there, frames of the decoys' peers come from."""
    bridge: str = ""
    """Instead of both: a bridge on this computer, which is the gateway; decoys get a port there."""
    rate: int = 1000
    """Frames a second, at most."""
    confirmed: Collection[str] = field(default=())
    """Interfaces that decoys may use although they have a default route."""
    ledger: Path | None = None
    """The folder of the ledger of fake flows; None for no ledger."""
    metrics: int | None = None
    """The port of the loopback interface where Prometheus may ask; None for no metrics."""
    socket: Path = DEFAULT_SOCKET
    """Where decoys can be asked how they are, and be stopped."""

    def __post_init__(self) -> None:
        if not 0 < self.rate <= MOST_RATE:
            raise NetworkError(f"{self.rate} frames a second are not 1 to {MOST_RATE}")


def run(
    home: Home,
    place: Place,
    *,
    start_ns: int | None = None,
    pace: float = 1.0,
    seconds: float = float("inf"),
    say: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """Put decoys on a network, for so many seconds or until Ctrl-C, and tell how it went.

    Args:
        home: Which decoys.
        place: Where.
        start_ns: Device time at which they are switched on, nanoseconds since the epoch; now, by
            default.
        pace: Device seconds in a second: more than one makes a day pass in an hour.
        seconds: How long, on the clock on the wall.
        say: Told what happens, in lines.

    Raises:
        NetworkError: An interface or an address is not to be used, or a right is missing.
        ModelError: A model is absent or damaged.
        ArgumentError: A decoy does not fit the network.
    """
    with ExitStack() as whole:
        listeners: list[Control | Metrics] = [whole.enter_context(Control(place.socket))]
        if place.metrics is not None:
            listeners.append(whole.enter_context(Metrics(place.metrics)))
        if place.bridge:
            near = whole.enter_context(bridge_port(place.bridge))
            place = replace(place, near=near, far=place.bridge)
        interfaces = survey()
        for name in (place.near, place.far):
            interfaces.check(name, place.confirmed)
            if silence(name, interfaces):
                say(f"{name}: IPv6 of its own is off from now on")
        home = behind(home, place.far, interfaces)
        spaces = whole.enter_context(Namespaces(place.socket, say))
        begun = time.monotonic()
        for restarts in count():
            passed = time.monotonic() - begun if restarts else 0.0
            told = {
                "home": home.model_dump(mode="json"),
                "start_ns": None if start_ns is None else start_ns + int(passed * pace * 1e9),
                "pace": pace,
                "seconds": min(seconds, 1e9) - passed,
                # whoever was on a moment ago has its address
                "looks": not restarts,
            }
            with ExitStack() as stack:
                attempt = _Attempt(stack, place, interfaces, spaces, say)
                attempt.begin(told)
                found = attempt.wait(listeners)
            if found is not None:
                return {**found, "restarts": restarts}
            if time.monotonic() - begun - passed < _SHORT_S:
                break
            say("a process has ended before its time; decoys are switched on again")
    raise NetworkError("a process ends again and again; see above")


def behind(home: Home, far: str, interfaces: Interfaces) -> Home:
    """A home behind the gateway that this computer is, where that has an address at the far end."""
    own = interfaces.ip4(far)
    if own is None:
        return home
    here = {"subnet": own.network, "gateway": own.ip, "gateway_mac": interfaces.macs[far]}
    said = {name: value for name, value in home.network if value is not None}
    return home.model_copy(update={"network": home.network.model_copy(update={**here, **said})})


class _Attempt:
    """All processes, from their start to an end.

    Args:
        stack: Ends them.
        place: Where decoys are.
        interfaces: Those that there are.
        spaces: Namespaces of decoys that hand ports over.
        say: Told what happens, in lines.
    """

    def __init__(
        self,
        stack: ExitStack,
        place: Place,
        interfaces: Interfaces,
        spaces: Namespaces,
        say: Callable[[str], object],
    ) -> None:
        self._stack, self._place, self._interfaces, self._say = stack, place, interfaces, say
        self._spaces = spaces
        self._names: list[str] = []
        self._paused: set[int] = set()
        self._homeless: set[int] = set()
        """Decoys without an address, or with one that somebody else has."""
        self._leases: dict[int, Lease] = {}
        self._found: dict[str, Any] = {}
        self._stopped = False
        self._conflicts = 0
        self._network: Mapping[str, Any] = {}

    def begin(self, told: Mapping[str, Any]) -> None:
        """Start the processes one after another, with what each has to know."""
        stack, place = self._stack, self._place
        theirs, ours = map(stack.enter_context, socket.socketpair(type=socket.SOCK_SEQPACKET))
        said, heard = map(stack.enter_context, socket.socketpair(type=socket.SOCK_SEQPACKET))
        self._composing = stack.enter_context(Child("ahead", theirs))
        self._composing.ask({**told, "frames": theirs.fileno()})
        found = self._composing.hear()
        self._network = told["home"]["network"]
        asked = checked(
            told["home"]["network"],
            found,
            self._interfaces,
            near=place.near,
            far=place.far,
            rate=place.rate,
        )
        self._fence(found)
        if place.bridge:
            stack.enter_context(seated(place.bridge, found["peers"]))
        self._names = [each["name"] for each in found["decoys"]]
        self._leasing = stack.enter_context(Child("leasing.process"))
        self._leasing.ask(to_settle(told, found, self._interfaces, asked))
        handed = handed_over(
            told["home"]["decoys"], found, asked, self._interfaces.mtus[place.near]
        )
        taps = self._spaces.have(handed)
        self._answering = stack.enter_context(Child("answering.process", heard, *taps.values()))
        answers = {name: found[name] for name in ("reflexes", "discovery")}
        answers["handed"] = [[it["mac"], it["ports"], taps[name]] for name, it in handed.items()]
        answers["gateway"] = packed(found["gateway"]["mac"]).hex()
        self._answering.ask({**asked, **answers, "marks": heard.fileno()})
        self._emitting = stack.enter_context(Child("emitting.process", ours, said))
        self._emitting.ask({**asked, "frames": ours.fileno(), "marks": said.fileno()})
        # each is to notice when another is gone
        for end in (theirs, ours, said, heard):
            end.close()
        self._answering.hear()
        self._emitting.hear()
        self._settle_first(found["decoys"])
        if place.ledger is not None:
            self._ledger = Ledger(place.ledger, self._names, self._say)
            stack.callback(self._ledger.close)

    def wait(self, listeners: Sequence[Control | Metrics]) -> dict[str, Any] | None:
        """Wait for an end or for Ctrl-C; what it tells who emits, None if a process crashed."""
        children = (self._composing, self._emitting, self._answering, self._leasing)
        ends = {child.ends: child for child in (*children, *self._spaces.holders())}
        notify("READY=1")
        try:
            while "end" not in self._found and not self._stopped:
                talking = [child for child in children if not child.is_mute]
                sources: list[Any] = [*ends, *talking, *listeners]
                ready, _, _ = select.select(sources, [], [], watchdog_s())
                notify("WATCHDOG=1")
                self._hear(ready)
                for each in listeners:
                    if each in ready:
                        each.answer(self._obey)
                if self._composing.ends in ready and not self._composing.status():
                    # all is composed
                    ends.pop(self._composing.ends)
                elif ends.keys() & {*ready}:
                    break
        except KeyboardInterrupt:
            self._stopped = True
        if self._stopped:
            notify("STOPPING=1")
            for child in children:
                child.stop()
        elif self._composing.status() != 0:
            return None
        # whoever answers ends when nobody sends any more
        if self._emitting.status() == 0:
            while not self._emitting.is_mute:
                self._hear([self._emitting])
        elif not self._stopped:
            return None
        return {**self._found.get("end", {}), "stopped": self._stopped}

    def _hear(self, ready: Collection[object]) -> None:
        """Take note of what those say who have said something."""
        for child in (self._composing, self._emitting, self._answering, self._leasing):
            for line in child.lines() if child in ready else ():
                self._note(line)

    def _note(self, line: Mapping[str, Any]) -> None:
        if "decoy" in line:
            self._address(line)
        elif "settled" in line:
            self._settle(line)
        elif "conflict" in line:
            self._conflict(line)
        elif "happens" in line:
            self._happens(*line["happens"])
        elif "error" in line:
            self._say(line["error"])
        elif "flows" in line:
            if self._place.ledger is not None:
                self._ledger.add(line["flows"], time.time_ns())
        else:
            self._found |= line

    def _settle_first(self, decoys: Sequence[Mapping[str, str]]) -> None:
        """Begin once it is known that nobody has the fixed addresses."""
        early = []
        while "looked" not in (line := self._leasing.hear()):
            early.append(line)
        lost = {line["decoy"]: line["lost"] for line in early if "lost" in line}
        if len(lost) == len(decoys):
            raise NetworkError("; ".join(f"{self._names[i]}: {why}" for i, why in lost.items()))
        self._composing.ask({"go": True})
        for place, each in enumerate(decoys):
            if each["ip"] and place not in lost:
                self._say(f"{each['name']} is on: {each['mac']}, {each['ip']}")
            elif not each["ip"]:
                self._homeless.add(place)
                self._say(f"{each['name']} asks for an address")
        for line in early:
            self._note(line)
        self._mute()

    def _address(self, line: Mapping[str, Any]) -> None:
        """A decoy has got an address, or lost it, or there is something wrong with what it got."""
        place = line["decoy"]
        if "complaint" in line:
            self._say(f"{self._names[place]}: {line['complaint']}")
        elif "lost" in line:
            self._say(f"{self._names[place]} falls silent: {line['lost']}")
            self._homeless.add(place)
        elif "free" in line:
            self._homeless.discard(place)
        else:
            lease, before = Lease.model_validate(line["lease"]), self._leases.get(place)
            gateway = self._network["gateway"]
            if lease.gateway and gateway not in (None, str(lease.gateway)):
                name = self._names[place]
                self._say(f"{name}: its lease names {lease.gateway}; it stays behind {gateway}")
            if before is None or before.address != lease.address or place in self._homeless:
                self._composing.ask({"decoy": place, "lease": line["lease"]})
            self._leases[place] = lease
        self._mute()

    def _settle(self, line: Mapping[str, Any]) -> None:
        """A decoy is about to begin with the address that it was given."""
        place, lease = line["settled"], self._leases[line["settled"]]
        whole = self._network["subnet"] or lease.subnet or f"{lease.address}/24"
        subnet = str(IPv4Network(whole, strict=False))
        known = {
            "decoy": place,
            "host": [packed(line["mac"]).hex(), packed(line["ip"]).hex()],
            "subnet": subnet,
            "gateway_mac": packed(line["gateway"]["mac"]).hex(),
            "discovery": line["discovery"],
        }
        for child in (self._emitting, self._answering):
            child.ask(known)
        around = {"ip": line["ip"], "subnet": subnet, "gateway": line["gateway"]["ip"]}
        self._spaces.settle(line["name"], around)
        self._homeless.discard(place)
        self._mute()
        until = "" if lease.seconds == FOREVER else f" for {lease.seconds} s"
        given = f"{lease.server} has leased it{until}"
        self._say(f"{line['name']} is on: {line['mac']}, {line['ip']}; {given}")

    def _happens(self, place: int, event: str, time_ns: int) -> None:
        """Say, and have the ledger say, that an event is about to happen."""
        self._say(f"{self._names[place]}: {event} at {iso(time_ns)}")
        if self._place.ledger is not None:
            self._ledger.happens(self._names[place], event, time_ns)

    def _conflict(self, line: Mapping[str, Any]) -> None:
        place = line["conflict"]
        self._conflicts += 1
        self._homeless.add(place)
        self._mute()
        if place in self._leases:
            # who asks for another, and says why
            self._leasing.ask({"conflict": place, "mac": line["mac"].replace(":", "")})
        else:
            name = self._names[place]
            self._say(f"{name} falls silent: {line['mac']} has its address, too")

    def _obey(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Do what somebody asks."""
        what, name = asked.get("ask"), asked.get("decoy")
        if what == "stop":
            self._stopped = True
            return {"stopping": True}
        if what in ("pause", "resume", "event"):
            if name not in self._names:
                return {"error": f"there is no decoy {name}; there are {', '.join(self._names)}"}
            if what == "event":
                return self._command(self._names.index(name), str(asked.get("event")))
            self._pause(self._names.index(name), is_on=what == "resume")
        silent = self._paused | self._homeless
        on = {name: "silent" if i in silent else "on" for i, name in enumerate(self._names)}
        known = self._told_by(self._emitting, "status") | {"decoys": on}
        if what == "metrics":
            return {**known, **self._told_by(self._answering, "told"), "conflicts": self._conflicts}
        return {name: value for name, value in known.items() if name not in ("late", "queue")}

    def _told_by(self, child: Child, name: str) -> dict[str, Any]:
        """What a process says of itself; nothing where it has ended."""
        child.ask({"status": True})
        self._found.pop(name, None)
        while name not in self._found and not child.is_mute:
            self._hear([child])
        found: dict[str, Any] = self._found.pop(name, {})
        return found

    def _command(self, place: int, event: str) -> dict[str, Any]:
        """Have something happen to a decoy."""
        self._found.pop("answer", None)
        self._composing.ask({"event": [place, event]})
        while "answer" not in self._found and not self._composing.is_mute:
            self._hear([self._composing])
        answer: dict[str, Any] = self._found.get("answer", {"error": "all is composed already"})
        return answer

    def _pause(self, place: int, *, is_on: bool) -> None:
        if not is_on:
            self._paused.add(place)
        elif place not in self._leases:
            self._homeless.discard(place)
        if is_on:
            self._paused.discard(place)
        self._leasing.ask({"paused": sorted(self._paused)})
        self._mute()

    def _mute(self) -> None:
        """Let those be silent who are to be."""
        for child in (self._emitting, self._answering):
            child.ask({"muted": sorted(self._paused | self._homeless)})

    def _fence(self, found: Mapping[str, Any]) -> None:
        """Keep what decoys say from leaving, where this computer is the gateway."""
        gateway, far = packed(found["gateway"]["mac"]), self._place.far
        if self._interfaces.macs[far] != found["gateway"]["mac"]:
            self._say("the gateway is not this computer: have it drop what comes from decoys")
            return
        macs = [each["mac"] for each in found["decoys"]]
        table = self._stack.enter_context(fence(far, macs))
        decoy = Host(packed(macs[0]), packed(found["decoys"][0]["ip"]))
        probe(table, self._place.near, gateway, decoy, self._interfaces.uplinks)
