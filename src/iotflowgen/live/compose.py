"""Composes the traffic of decoys: draws and renders it, as much at a time as is asked for.

Shapes: E packets.
"""

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import InitVar, dataclass, replace
from functools import partial
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from iotflowgen.errors import ArgumentError
from iotflowgen.events import Schedule, labels_path, write_labels
from iotflowgen.files import whole_file
from iotflowgen.live.happening import Happenings
from iotflowgen.live.home import Decoy, Home, Network
from iotflowgen.live.leasing.lease import Lease
from iotflowgen.live.player import Device, Part, Player, Said, seed_of
from iotflowgen.packets import Disguise, Pseudonyms, check_time
from iotflowgen.traffic import Event
from iotflowgen.wire import Frames
from iotflowgen.wire.arrays import Flags, Integers
from iotflowgen.wire.layers import EAPOL, find_network
from iotflowgen.wire.pcap import FORMATS, records_bytes

__all__ = ["Change", "Composer", "Stretch", "dry_run"]

_VLAN: Final = 0x8100
_MAC: Final = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")
"""Of a host, not of a group."""
_AT_ONCE_NS: Final = 60 * 10**9
"""Of a file, so much is composed together."""
_NOT_FORWARDED: Final = 0x0180C200000
"""How MAC addresses begin that no bridge forwards (802.1Q, table 8-1), but for 4 bits."""


@dataclass(frozen=True, eq=False)
class Stretch(Said):
    """What all decoys of a home and their peers send in some time (E), in the order of time."""

    decoy: Integers
    """Whose traffic it is: the place of the decoy in its home (E)."""


@dataclass(eq=False)
class _Member:
    """One decoy of a home."""

    decoy: Decoy
    device: Device
    schedule: Schedule
    """What happens to it by itself."""
    pseudonyms: InitVar[Pseudonyms]
    is_unsettled: bool = False
    """A server is to give it its address yet."""
    player: Player | None = None
    """Composes its traffic, once it is switched on."""

    def __post_init__(self, pseudonyms: Pseudonyms) -> None:
        self.be(pseudonyms)

    def be(self, pseudonyms: Pseudonyms) -> None:
        """Have other addresses from now on."""
        self.shown = self.device.templates.disguise(pseudonyms)
        self.addresses = pseudonyms.addresses

    def is_still(self, decoy: Decoy, device: Device, schedule: Schedule) -> bool:
        """Whether nothing of a decoy is to be changed."""
        is_same = decoy == self.decoy and device is self.device
        # where nothing happens, the zone says nothing
        happens = schedule.events or self.schedule.events
        return is_same and (not happens or schedule == self.schedule)

    def identity(self) -> dict[str, str]:
        """Its name and addresses, without what is to come."""
        ip = "" if self.is_unsettled else self.shown.device_ip
        return {"name": self.decoy.name, "mac": self.shown.device_mac, "ip": ip}


class Change(NamedTuple):
    """Which decoys of a home go, and which come, by their places."""

    gone: set[int]
    come: dict[int, _Member]


class Composer:
    """Composes the traffic of a home, from when its decoys are switched on.

    The same home and start, the same traffic, however it is cut into stretches. Each decoy has a
    place, by the order in which they came: none has the place of one that has gone.

    Args:
        home: Which decoys.
        is_live: A server gives those their addresses that are to have leases: until then they say
            nothing. Otherwise their addresses are drawn, and their leases composed.

    Attributes:
        happenings: What has happened to them.
    """

    def __init__(self, home: Home, *, is_live: bool = False) -> None:
        """Load the models and find out who decoys are.

        Raises:
            ModelError: A model is absent or damaged.
            ArgumentError: A model draws no sessions, knows no packets to repeat, or does not know
                what is to happen to its decoy; or an address does not fit the network; or a device
                is to have a lease, and never asked for one.
        """
        self._network, self._is_live = home.network, is_live
        self._members: dict[int, _Member] = {}
        self._count = 0
        # freed with the last decoy of theirs
        self._devices = WeakValueDictionary[tuple[Path, int, int], Device]()
        self.happenings = Happenings()
        for change in self.changes(home):
            if change is not None:
                self.change(change)
        self._first = self._members[0]

    def changes(self, home: Home) -> Iterator[Change | None]:
        """What is to be changed for another home: None after each step that takes time, then that.

        Decoys that are in both, of the same model file and settings, stay.

        Raises:
            ModelError, ArgumentError: As for a home from the beginning; or its network is another.
        """
        if home.network != self._network:
            raise ArgumentError("[network] is another; restart decoys for that")
        devices = []
        for decoy in home.decoys:
            devices.append(self._device(decoy.model))
            yield None
        schedules = home.schedules([[*device.model.events] for device in devices])
        wanted = [*zip(home.decoys, devices, schedules, strict=True)]
        found = {
            member.decoy.name: place
            for place, member in self._members.items()
            if any(member.is_still(*each) for each in wanted)
        }
        stay = {place: self._members[place] for place in found.values()}
        taken = {each for member in stay.values() for each in member.addresses}
        taken.update(each for decoy in home.decoys for each in _said(decoy))
        come: dict[int, _Member] = {}
        for each in wanted:
            if each[0].name not in found:
                first = self._first if self._members else next(iter(come.values()), None)
                taken -= _said(each[0])
                member = self._member(*each, [*stay.values()], taken, first)
                taken.update(member.addresses)
                come[self._count + len(come)] = member
                yield None
        yield Change(self._members.keys() - stay.keys(), come)

    def change(self, change: Change) -> None:
        """Do that; who comes is to be switched on."""
        for place in change.gone:
            del self._members[place]
        self._members |= change.come
        self._count += len(change.come)

    def _device(self, path: Path) -> Device:
        try:
            now = path.stat()
            stamp = now.st_mtime_ns, now.st_size
        except OSError:
            # who loads it says what is wrong
            stamp = 0, 0
        found = self._devices.get((path, *stamp))
        if found is None:
            found = self._devices[path, *stamp] = Device(path)
        return found

    def _member(
        self,
        decoy: Decoy,
        device: Device,
        schedule: Schedule,
        others: Sequence[_Member],
        taken: Container[str],
        first: _Member | None,
    ) -> _Member:
        for each in _said(decoy):
            if any(each in other.identity().values() for other in others):
                raise ArgumentError(f"decoy {decoy.name}: somebody else has {each} already")
        shown = first.shown if first else None
        pseudonyms = _pseudonyms(decoy, device, self._network, taken, shown)
        is_unsettled = self._is_live and decoy.is_leased
        if is_unsettled and not device.asks.packets:
            raise ArgumentError(f"decoy {decoy.name}: its captures show no DHCP; say its address")
        return _Member(decoy, device, schedule, pseudonyms, is_unsettled)

    def switch_on(self, start_ns: int, places: Iterable[int] | None = None) -> None:
        """Switch decoys on, by default all, at a time in nanoseconds since the epoch.

        Raises:
            ArgumentError: That is before it.
        """
        if start_ns < 0:
            raise ArgumentError("decoys cannot be switched on before 1970", "start")
        for place in self._members if places is None else places:
            member = self._members[place]
            if not member.is_unsettled:
                part = self._part(place, self._network)
                member.player = Player(member.decoy, member.device, part, start_ns)

    def settle(self, place: int, lease: Lease, start_ns: int) -> None:
        """Switch a decoy on with an address that a server has given it."""
        member = self._members[place]
        network = lease.network(self._network)
        known = member.decoy.model_copy(update={"address": lease.address})
        others = (other for other in self._members.values() if other is not member)
        taken = {each for other in others for each in other.addresses}
        member.be(_pseudonyms(known, member.device, network, taken, self._first.shown))
        member.is_unsettled = False
        part = replace(self._part(place, network), is_leased=True)
        member.player = Player(member.decoy, member.device, part, start_ns)

    def _part(self, place: int, network: Network) -> Part:
        note, member = partial(self.happenings.add, place), self._members[place]
        return Part(member.shown, network.resolver, member.schedule, note)

    def __contains__(self, place: int) -> bool:
        """Whether there is a decoy at a place."""
        return place in self._members

    def identities(self) -> list[dict[str, str]]:
        """Names and addresses, decoy by decoy, in types that JSON has; without what is to come."""
        return [member.identity() for member in self._members.values()]

    def told(self, change: Change | None = None) -> dict[str, Any]:
        """What others are to know of decoys, by default of all, in types that JSON has.

        Returns:
            Their `places`; and in that order, who they are (`decoys`), their `settings`, by which
            of the `reflexes` they answer (`models`), what they say to who looks for them
            (`discovery`) and how they get their addresses (`asking`). Then their `gateway`, and
            their `peers` in the network.
        """
        members = self._members if change is None else change.come
        every = [*members.values()]
        devices = [*dict.fromkeys(member.device for member in every)]
        return {
            "places": [*members],
            "decoys": [member.identity() for member in every],
            "settings": [member.decoy.model_dump(mode="json") for member in every],
            "models": [devices.index(member.device) for member in every],
            "reflexes": [device.reflexes for device in devices],
            "discovery": [member.device.discovery(member.shown) for member in every],
            "asking": [member.device.asking(member.shown) for member in every],
            "gateway": self.gateway(),
            "peers": self._peers(every),
        }

    def settled(self, place: int) -> dict[str, Any]:
        """What others are to know of a decoy that has got its address."""
        member, who = self._members[place], self._members[place].shown
        gateway = {"mac": who.gateway_mac, "ip": who.gateway_ip}
        says = member.device.discovery(who)
        return {**member.identity(), "gateway": gateway, "discovery": says}

    def longest(self) -> int:
        """Bytes of the longest frame that the models of decoys know."""
        return max(int(each.device.templates.size.max()) for each in self._members.values())

    def summary(self) -> dict[str, str]:
        """Addresses of decoys by name, to be read."""
        return {each["name"]: f"{each['mac']}, {each['ip']}" for each in self.identities()}

    def gateway(self) -> dict[str, str]:
        """Addresses of the gateway, as `identities` has them, as the first decoy sees it."""
        who = self._first.shown
        return {"mac": who.gateway_mac, "ip": who.gateway_ip}

    def _peers(self, members: Iterable[_Member]) -> list[str]:
        """MAC addresses of those whom decoys talk with in their network, but for the gateway."""
        own = {each["mac"] for each in (*self.identities(), self.gateway())}
        known = {each for member in members for each in member.addresses}
        known -= own | {member.shown.device_mac for member in members}
        return sorted(each for each in known if _MAC.fullmatch(each))

    @property
    def knows_events(self) -> bool:
        """Whether there is a decoy to which something may happen."""
        return any(each.device.model.events for each in self._members.values())

    def command(self, place: int, name: str, time_ns: int) -> None:
        """Have something happen to the decoy at a place.

        Args:
            place: Of the decoy.
            name: What happens.
            time_ns: When, not before what was asked for already; nanoseconds since the epoch.

        Raises:
            ArgumentError: Its model knows no such event, or it is switched off then.
        """
        member = self._members[place]
        if member.player is None:
            raise ArgumentError(f"{member.decoy.name} has no address yet")
        member.player.command(Event(time_ns, name))

    def until(self, end_ns: int, shift_ns: int = 0) -> Stretch:
        """What comes next, up to a time.

        Args:
            end_ns: Nanoseconds since the epoch, not included; what was asked for before is gone.
            shift_ns: How much later than drawn everything comes to be sent, so that packets which
                tell the time tell the right one.
        """
        return self._until(self._members, end_ns, shift_ns)

    def of_one(self, place: int, end_ns: int, shift_ns: int = 0) -> Stretch:
        """As `until`, of one decoy alone: it goes on from there together with the others."""
        return self._until([place], end_ns, shift_ns)

    def _until(self, places: Iterable[int], end_ns: int, shift_ns: int) -> Stretch:
        players = {place: self._members[place].player for place in places}
        on = {place: player for place, player in players.items() if player is not None}
        said = [player.until(end_ns, shift_ns) for player in on.values()]
        decoy = np.repeat(np.array([*on], np.int64), [*map(len, said)])
        together = Said.concatenate(said)
        stretch = Stretch(**vars(together), decoy=decoy)
        stretch = stretch.take(np.argsort(stretch.time_ns, kind="stable"))
        stretch = stretch.take(_is_forwarded(stretch.frames))
        if self._network.vlan is None:
            return stretch
        return replace(stretch, frames=_tagged(stretch.frames, self._network.vlan))


def dry_run(home: Home, path: Path, *, start_ns: int, seconds: float) -> dict[str, Any]:
    """Write to a capture file, pcap or pcapng by its suffix, what would be sent, and send nothing.

    Raises:
        OutputError: The file cannot be written.
    """
    composer, capture, packets = Composer(home), FORMATS[path.suffix.lower()], 0
    composer.switch_on(start_ns)
    end_ns = start_ns + int(seconds * 1e9)
    check_time(path, end_ns)
    caused = []
    with whole_file(path) as temporary, temporary.open("wb") as file:
        file.write(capture.header)
        for from_ns in range(start_ns, end_ns, _AT_ONCE_NS):
            stretch = composer.until(min(from_ns + _AT_ONCE_NS, end_ns))
            file.write(records_bytes(capture, stretch.time_ns, stretch.frames))
            own = np.flatnonzero(stretch.event >= 0)
            caused.append((1 + packets + own, stretch.event[own], stretch.flow[own]))
            packets += len(stretch)
    found = {"file": str(path), "packets": packets, "decoys": composer.summary()}
    if happened := composer.happenings.events:
        frame, cause, flow = (np.concatenate(column) for column in zip(*caused, strict=True))
        names = [home.decoys[decoy].name for decoy, _ in happened]
        events = [event for _, event in happened]
        write_labels(labels_path(path), events, frame, cause, flow, names)
        found["labels"] = str(labels_path(path))
    return found


def _pseudonyms(
    decoy: Decoy,
    device: Device,
    network: Network,
    taken: Container[str],
    first: Disguise | None,
) -> Pseudonyms:
    """Who a decoy is: with no address that is taken, and behind the gateway of the first one."""
    pseudonyms = Pseudonyms(
        device.identities,
        np.random.default_rng(seed_of(decoy)),
        mac=decoy.mac,
        ip=_text(decoy.fixed),
        gateway=_text(network.gateway) or (first.gateway_ip if first else None),
        gateway_mac=network.gateway_mac or (first.gateway_mac if first else None),
        taken=taken,
    )
    ip = pseudonyms.device_ip
    # a device may have IPv6 alone
    if network.subnet and "." in ip and ip_address(ip) not in network.subnet:
        raise ArgumentError(
            f"decoy {decoy.name}: say its address in {network.subnet}; it would be {ip}"
        )
    return pseudonyms


def _said(decoy: Decoy) -> set[str]:
    """The addresses that a decoy is to have."""
    return {str(each) for each in (decoy.mac, decoy.fixed) if each is not None}


def _text(address: IPv4Address | None) -> str | None:
    return None if address is None else str(address)


def _is_forwarded(frames: Frames) -> Flags:
    """Whether frames (E) get beyond the switch or access point that a device is connected to."""
    ethertype, _ = find_network(frames)
    found: Flags = (ethertype != EAPOL) & (frames.number(0, 6) >> 4 != _NOT_FORWARDED)
    return found


def _tagged(frames: Frames, vlan: int) -> Frames:
    """Frames (E) with a VLAN tag (802.1Q)."""
    tag = _VLAN.to_bytes(2) + vlan.to_bytes(2)
    return Frames.of([frame[:12] + tag + frame[12:] for frame in frames.tolist()])
