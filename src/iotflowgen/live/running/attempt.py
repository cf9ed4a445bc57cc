"""All processes of decoys, from their start to an end."""

import os
import select
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from ipaddress import IPv4Network
from typing import Any

from iotflowgen.errors import IoTFlowGenError, NetworkError
from iotflowgen.events import iso
from iotflowgen.live.children import Child
from iotflowgen.live.emitting.guard import Host
from iotflowgen.live.emitting.sent import ring
from iotflowgen.live.fence import admit, fence, probe, seated
from iotflowgen.live.handover.namespaces import Namespaces
from iotflowgen.live.home import Home
from iotflowgen.live.interfaces import Interfaces
from iotflowgen.live.leasing.lease import FOREVER, Lease
from iotflowgen.live.ledger import Ledger
from iotflowgen.live.operating.notify import notify, watchdog_s
from iotflowgen.live.operating.signals import Signals
from iotflowgen.live.running.decoys import Decoys
from iotflowgen.live.running.listener import Listener
from iotflowgen.live.running.place import Place
from iotflowgen.live.running.told import checked, handed_over, packed, to_answer, to_settle

__all__ = ["Attempt"]


class Attempt:
    """All processes, from their start to an end.

    Args:
        stack: Ends them.
        place: Where decoys are.
        interfaces: Those that there are.
        spaces: Namespaces of decoys that hand ports over.
        reread: Says which decoys there are to be by now.
        signals: Tells whether somebody asks for an end.
        say: Told what happens, in lines.

    Attributes:
        home: Which decoys there are.
    """

    def __init__(
        self,
        stack: ExitStack,
        place: Place,
        interfaces: Interfaces,
        spaces: Namespaces,
        reread: Callable[[], Home],
        signals: Signals,
        say: Callable[[str], object],
    ) -> None:
        self._stack, self._place, self._interfaces, self._say = stack, place, interfaces, say
        self._spaces, self._reread, self._signals = spaces, reread, signals
        self._decoys = Decoys()
        self._handed: dict[str, dict[str, Any]] = {}
        self._peers: set[str] = set()
        self._ledger: Ledger | None = None
        self._table = ""
        self._found: dict[str, Any] = {}
        self._stopped = False
        self._conflicts = 0

    def begin(self, home: Home, told: Mapping[str, Any]) -> None:
        """Start the processes one after another, with what each has to know."""
        stack, place, self.home = self._stack, self._place, home
        start_ns = told["start_ns"]
        self._start_ns = time.time_ns() if start_ns is None else start_ns
        self._begun, self._pace = time.monotonic(), told["pace"]
        self._network = home.network.model_dump(mode="json")
        theirs, ours = map(stack.enter_context, socket.socketpair(type=socket.SOCK_SEQPACKET))
        said, heard = map(stack.enter_context, socket.socketpair(type=socket.SOCK_SEQPACKET))
        self._taps, taps = map(stack.enter_context, socket.socketpair(type=socket.SOCK_SEQPACKET))
        sent = ring()
        stack.callback(os.close, sent)
        self._composing = stack.enter_context(Child("ahead", theirs))
        asked = {**told, "home": home.model_dump(mode="json")}
        self._composing.ask({**asked, "frames": theirs.fileno()})
        found = self._composing.hear()
        asked = self._asked = checked(self._network, found, self._interfaces, place)
        self._fence(found)
        self._seat(found["peers"])
        self._leasing = stack.enter_context(Child("leasing.process"))
        self._leasing.ask(self._to_settle(found, looks=told["looks"]))
        self._handed = handed = handed_over(found, asked, self._mtu)
        files = self._spaces.have(handed)
        self._answering = stack.enter_context(Child("answering.process", heard, sent, taps))
        ends = {"sends": heard.fileno(), "sent": sent, "taps": taps.fileno()}
        gateway = {"gateway": packed(found["gateway"]["mac"]).hex()}
        self._answering.ask({**asked, **ends, **gateway, **to_answer(found)})
        self._hand_over(handed, files)
        self._emitting = stack.enter_context(Child("emitting.process", ours, said, sent))
        sends = {"frames": ours.fileno(), "sent": sent, "ledger": place.ledger is not None}
        self._emitting.ask({**asked, **sends})
        # each is to notice when another is gone
        for end in (theirs, ours, said, heard, taps):
            end.close()
        self._answering.hear()
        self._emitting.hear()
        self._decoys.come(found)
        if place.ledger is not None:
            self._ledger = Ledger(place.ledger, self._decoys.called, self._say)
            stack.callback(self._ledger.close)
        self._settle_first(found)

    @property
    def _mtu(self) -> int:
        return self._interfaces.mtus[self._place.near]

    def _to_settle(self, found: Mapping[str, Any], *, looks: bool) -> dict[str, Any]:
        passed_ns = int((time.monotonic() - self._begun) * self._pace * 1e9)
        now = {"start_ns": self._start_ns + passed_ns, "pace": self._pace, "looks": looks}
        others = self._decoys.addresses
        return now | to_settle(self._network, found, self._interfaces, self._asked, others)

    def _hand_over(self, handed: Mapping[str, Any], files: Mapping[str, int]) -> None:
        """Let who answers have the files of TAPs, in the order in which it has heard of them."""
        for name in handed:
            socket.send_fds(self._taps, [b"tap"], [files[name]])

    def _seat(self, peers: Collection[str]) -> None:
        """Where they are on a bridge of this computer, have the bridge know decoys' peers."""
        if self._place.bridge and (more := {*peers} - self._peers):
            self._stack.enter_context(seated(self._place.bridge, more))
            self._peers |= more

    def wait(self, listeners: Sequence[Listener]) -> dict[str, Any] | None:
        """Wait for an end or for Ctrl-C; what it tells who emits, None if a process crashed."""
        notify("READY=1")
        try:
            with self._signals.waiting():
                while "end" not in self._found and not self._stopped and self._listen(listeners):
                    self._signals.check()
        except KeyboardInterrupt:
            self._stopped = True
        if self._stopped:
            notify("STOPPING=1")
            for child in self._children():
                child.stop()
        elif "composed" not in self._found:
            return None
        # whoever answers ends when nobody sends any more
        if "end" in self._found or self._emitting.status() == 0:
            while not self._emitting.is_mute:
                self._hear([self._emitting])
        elif not self._stopped:
            return None
        return {**self._found.get("end", {}), "stopped": self._stopped}

    def _listen(self, listeners: Sequence[Listener]) -> bool:
        """Wait for whoever says something, and whether all processes go on."""
        ends = [child.ends for child in (*self._children(), *self._spaces.holders())]
        if "composed" in self._found:
            ends.remove(self._composing.ends)
        talking = [child for child in self._children() if not child.is_mute]
        sources: list[Any] = [*ends, *talking, *listeners]
        ready, _, _ = select.select(sources, [], [], watchdog_s())
        notify("WATCHDOG=1")
        self._hear(ready)
        if "composed" in self._found:
            ready = [each for each in ready if each != self._composing.ends]
        if {*ends} & {*ready}:
            return False
        for each in listeners:
            if each in ready:
                each.answer(self._obey)
        return True

    def _hear(self, ready: Collection[object]) -> None:
        """Take note of what those say who have said something."""
        for child in self._children():
            for line in child.lines() if child in ready else ():
                self._note(line)

    def _note(self, line: Mapping[str, Any]) -> None:
        about = next(
            (line[each] for each in ("decoy", "settled", "conflict") if each in line), None
        )
        if about in self._decoys.gone:
            return
        if "decoy" in line:
            self._address(line)
        elif "settled" in line:
            self._settle(line)
        elif "conflict" in line:
            self._conflict(line)
        elif "happens" in line:
            self._happens(*line["happens"])
        elif "notice" in line:
            self._say(line["notice"])
        elif "error" in line:
            self._say(line["error"])
        elif "flows" in line:
            if self._ledger is not None:
                self._ledger.add(line["flows"], time.time_ns())
        elif "gone" in line:
            self._leave(line["gone"])
        elif "looked" in line:
            self._come()
        else:
            self._found |= line

    def _settle_first(self, found: Mapping[str, Any]) -> None:
        """Begin once it is known that nobody has the fixed addresses."""
        early = []
        while "looked" not in (line := self._leasing.hear()):
            early.append(line)
        lost = {line["decoy"]: line["lost"] for line in early if "lost" in line}
        if len(lost) == len(self._decoys):
            called = self._decoys.called
            raise NetworkError("; ".join(f"{called[i]}: {why}" for i, why in lost.items()))
        self._composing.ask({"go": True})
        self._introduce(found["places"], lost)
        for line in early:
            self._note(line)
        self._mute()

    def _introduce(self, places: Collection[int], silent: Collection[int]) -> None:
        """Say who is on, or about to be."""
        for place in places:
            each = self._decoys[place]
            if each["ip"] and place not in silent:
                self._say(f"{each['name']} is on: {each['mac']}, {each['ip']}")
            elif not each["ip"]:
                self._decoys.homeless.add(place)
                self._say(f"{each['name']} asks for an address")

    def _reload(self) -> dict[str, Any]:
        """Have the decoys that there are to be by now; where that cannot be, all stays."""
        try:
            if self._decoys.arriving:
                raise NetworkError("decoys that have come are not on yet; reload a little later")
            home = self._reread()
            found = self._change(home)
        except IoTFlowGenError as error:
            complaint = f"not reloaded, and all goes on as it was: {error}"
            self._say(complaint)
            return {"error": complaint}
        self.home = home
        come = [each["name"] for each in found["decoys"]]
        gone = [self._decoys.called[place] for place in found["gone"]]
        self._replace(found)
        stay, names = len(self._decoys) - len(come), {"come": come, "gone": gone}
        named = "; ".join(f"{what}: {', '.join(who) or 'none'}" for what, who in names.items())
        self._say(f"reloaded; {stay} stay; {named}")
        return {"stay": stay, **names}

    def _change(self, home: Home) -> dict[str, Any]:
        """What another home changes, and the namespaces for it.

        Raises:
            IoTFlowGenError: It cannot be.
        """
        found = self._asked_of(self._composing, {"home": home.model_dump(mode="json")}, "change")
        if "error" in found or not found:
            raise NetworkError(found.get("error", "all is composed already"))
        try:
            checked(self._network, found, self._interfaces, self._place)
            handed = handed_over(found, self._asked, self._mtu)
            left = {self._decoys.called[place] for place in found["gone"]}
            kept = {name: told for name, told in self._handed.items() if name not in left}
            files = self._spaces.have(kept | handed)
        except IoTFlowGenError:
            self._composing.ask({"changes": False})
            self._spaces.have(self._handed)
            raise
        self._handed = kept | handed
        return {**found, "handed": handed, "files": files}

    def _replace(self, found: Mapping[str, Any]) -> None:
        """Have decoys go, and others look whether they can come."""
        decoys, gone = self._decoys, found["gone"]
        self._composing.ask({"changes": True})
        decoys.leave(gone)
        decoys.come(found)
        self._admit()
        self._seat(found["peers"])
        come = to_answer(found)
        for child in (self._answering, self._leasing, self._emitting):
            child.ask({"gone": gone})
        self._mute()
        hosts = [{"place": it["place"], "host": it["host"]} for it in come["come"]]
        self._emitting.ask({"come": hosts})
        self._answering.ask(come)
        self._hand_over(found["handed"], found["files"])
        decoys.arriving = found["places"]
        self._leasing.ask(self._to_settle(found, looks=True))

    def _leave(self, places: Collection[int]) -> None:
        """All that some have sent is known: they are gone."""
        if self._ledger is not None:
            self._ledger.leave(places)
        self._decoys.left()
        self._admit()

    def _admit(self) -> None:
        """Keep what decoys say from leaving, also of some that are about to go."""
        if self._table:
            admit(self._table, self._decoys.macs)

    def _come(self) -> None:
        """It is known who has the addresses of those that have come: they begin."""
        places, self._decoys.arriving = self._decoys.arriving, []
        self._composing.ask({"go": places})
        self._introduce(places, self._decoys.homeless)
        self._mute()

    def _address(self, line: Mapping[str, Any]) -> None:
        """A decoy has got an address, or lost it, or there is something wrong with what it got."""
        place = line["decoy"]
        if "complaint" in line:
            self._say(f"{self._decoys.called[place]}: {line['complaint']}")
        elif "lost" in line:
            begins = "stays" if place in self._decoys.arriving else "falls"
            self._say(f"{self._decoys.called[place]} {begins} silent: {line['lost']}")
            self._decoys.homeless.add(place)
        elif "free" in line:
            self._decoys.homeless.discard(place)
        else:
            lease, before = Lease.model_validate(line["lease"]), self._decoys.leases.get(place)
            gateway = self._network["gateway"]
            if lease.gateway and gateway not in (None, str(lease.gateway)):
                name = self._decoys.called[place]
                self._say(f"{name}: its lease names {lease.gateway}; it stays behind {gateway}")
            if before is None or before.address != lease.address or place in self._decoys.homeless:
                self._composing.ask({"decoy": place, "lease": line["lease"]})
            self._decoys.leases[place] = lease
        self._mute()

    def _settle(self, line: Mapping[str, Any]) -> None:
        """A decoy is about to begin with the address that it was given."""
        place, lease = line["settled"], self._decoys.leases[line["settled"]]
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
        self._decoys.homeless.discard(place)
        self._mute()
        until = "" if lease.seconds == FOREVER else f" for {lease.seconds} s"
        given = f"{lease.server} has leased it{until}"
        self._say(f"{line['name']} is on: {line['mac']}, {line['ip']}; {given}")

    def _happens(self, place: int, event: str, time_ns: int) -> None:
        """Say, and have the ledger say, that an event is about to happen."""
        self._say(f"{self._decoys.called[place]}: {event} at {iso(time_ns)}")
        if self._ledger is not None:
            self._ledger.happens(self._decoys.called[place], event, time_ns)

    def _conflict(self, line: Mapping[str, Any]) -> None:
        place = line["conflict"]
        self._conflicts += 1
        self._decoys.homeless.add(place)
        self._mute()
        if place in self._decoys.leases:
            # who asks for another, and says why
            self._leasing.ask({"conflict": place, "mac": line["mac"].replace(":", "")})
        else:
            name = self._decoys.called[place]
            self._say(f"{name} falls silent: {line['mac']} has its address, too")

    def _obey(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Do what somebody asks."""
        what, name = asked.get("ask"), asked.get("decoy")
        if what == "stop":
            self._stopped = True
            return {"stopping": True}
        if what == "reload":
            return self._reload()
        if what in ("pause", "resume", "event"):
            places = self._decoys.places
            if name not in places:
                return {"error": f"there is no decoy {name}; there are {', '.join(places)}"}
            if what == "event":
                words = {"event": [places[name], str(asked.get("event"))]}
                found = self._asked_of(self._composing, words, "answer")
                return found or {"error": "all is composed already"}
            self._pause(places[name], is_on=what == "resume")
        known = self._asked_of(self._emitting, {"status": True}, "status")
        known["decoys"] = self._decoys.status()
        if what == "metrics":
            told = self._asked_of(self._answering, {"status": True}, "told")
            return {**known, **told, "conflicts": self._conflicts}
        return {name: value for name, value in known.items() if name not in ("late", "queue")}

    def _asked_of(self, child: Child, words: Mapping[str, Any], name: str) -> dict[str, Any]:
        """What a process answers, by its name; nothing where it has ended.

        Meanwhile nobody who has something to say is kept waiting.
        """
        child.ask(words)
        self._found.pop(name, None)
        while name not in self._found and not child.is_mute:
            talking: list[Any] = [each for each in self._children() if not each.is_mute]
            ready, _, _ = select.select([*talking, self._signals], [], [], watchdog_s())
            self._signals.check()
            self._hear(ready)
            notify("WATCHDOG=1")
        found: dict[str, Any] = self._found.pop(name, {})
        return found

    def _children(self) -> tuple[Child, ...]:
        return self._composing, self._emitting, self._answering, self._leasing

    def _pause(self, place: int, *, is_on: bool) -> None:
        if not is_on:
            self._decoys.paused.add(place)
        elif place not in self._decoys.leases:
            self._decoys.homeless.discard(place)
        if is_on:
            self._decoys.paused.discard(place)
        self._leasing.ask({"paused": sorted(self._decoys.paused)})
        self._mute()

    def _mute(self) -> None:
        """Let those be silent who are to be."""
        for child in (self._emitting, self._answering):
            child.ask({"muted": sorted(self._decoys.silent)})

    def _fence(self, found: Mapping[str, Any]) -> None:
        """Keep what decoys say from leaving, where this computer is the gateway."""
        gateway, far = packed(found["gateway"]["mac"]), self._place.far
        if self._interfaces.macs[far] != found["gateway"]["mac"]:
            self._say("the gateway is not this computer: have it drop what comes from decoys")
            return
        macs = [each["mac"] for each in found["decoys"]]
        self._table = self._stack.enter_context(fence(far, macs))
        decoy = Host(packed(macs[0]), packed(found["decoys"][0]["ip"]))
        probe(self._table, self._place.near, gateway, decoy, self._interfaces.uplinks)
