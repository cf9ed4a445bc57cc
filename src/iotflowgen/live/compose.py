"""Composes the traffic of decoys: draws and renders it, as much at a time as is asked for.

Shapes: E packets.
"""

import re
from collections.abc import Collection, Container
from dataclasses import dataclass, replace
from functools import cache, partial
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any, Final

import numpy as np

from iotflowgen.errors import ArgumentError
from iotflowgen.events import labels_path, write_labels
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

__all__ = ["Composer", "Stretch", "dry_run"]

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


class Composer:
    """Composes the traffic of a home, from when its decoys are switched on.

    The same home and start, the same traffic, however it is cut into stretches.

    Args:
        home: Which decoys.
        is_live: A server gives those their addresses that are to have leases: until then they say
            nothing. Otherwise their addresses are drawn, and their leases composed.

    Attributes:
        shown: Who each decoy is, in their order.
        has_leases: A server is to give some their addresses.
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
        devices = cache(Device)
        self._decoys = [(decoy, devices(decoy.model)) for decoy in home.decoys]
        self._network = home.network
        known = [[*device.model.events] for _, device in self._decoys]
        self._schedules = home.schedules(known)
        self.happenings = Happenings()
        self.shown: list[Disguise] = []
        self._addresses: list[list[str]] = []
        taken: set[str] = set()
        for decoy, device in self._decoys:
            first = self.shown[0] if self.shown else None
            pseudonyms = _pseudonyms(decoy, device, home.network, taken, first)
            self.shown.append(device.templates.disguise(pseudonyms))
            self._addresses.append(pseudonyms.addresses)
            taken.update(pseudonyms.addresses)
        self._unsettled = {i for i, d in enumerate(home.decoys) if is_live and d.is_leased}
        self.has_leases = bool(self._unsettled)
        for place in self._unsettled:
            decoy, device = self._decoys[place]
            if not device.asks.packets:
                raise ArgumentError(
                    f"decoy {decoy.name}: its captures show no DHCP; say its address"
                )
        self._players: dict[int, Player] = {}

    def switch_on(self, start_ns: int) -> None:
        """Switch all decoys on, at a time in nanoseconds since the epoch.

        Raises:
            ArgumentError: That is before it.
        """
        if start_ns < 0:
            raise ArgumentError("decoys cannot be switched on before 1970", "start")
        for place, (decoy, device) in enumerate(self._decoys):
            if place not in self._unsettled:
                part = self._part(place, self._network)
                self._players[place] = Player(decoy, device, part, start_ns)

    def settle(self, place: int, lease: Lease, start_ns: int) -> None:
        """Switch a decoy on with an address that a server has given it."""
        decoy, device = self._decoys[place]
        network = lease.network(self._network)
        others = self._addresses[:place] + self._addresses[place + 1 :]
        known = decoy.model_copy(update={"address": lease.address})
        taken = {each for addresses in others for each in addresses}
        pseudonyms = _pseudonyms(known, device, network, taken, self.shown[0])
        self.shown[place] = device.templates.disguise(pseudonyms)
        self._addresses[place] = pseudonyms.addresses
        self._unsettled.discard(place)
        part = replace(self._part(place, network), is_leased=True)
        self._players[place] = Player(decoy, device, part, start_ns)

    def _part(self, place: int, network: Network) -> Part:
        note = partial(self.happenings.add, place)
        return Part(self.shown[place], network.resolver, self._schedules[place], note)

    def identities(self) -> list[dict[str, str]]:
        """Names and addresses, decoy by decoy, in types that JSON has; without what is to come."""
        found = []
        for place, ((decoy, _), who) in enumerate(zip(self._decoys, self.shown, strict=True)):
            ip = "" if place in self._unsettled else who.device_ip
            found.append({"name": decoy.name, "mac": who.device_mac, "ip": ip})
        return found

    def reflexes(self) -> list[dict[str, Any]]:
        """How decoys answer, decoy by decoy, in types that JSON has."""
        return [device.reflexes for _, device in self._decoys]

    def discovery(self) -> list[dict[str, Any]]:
        """What decoys say to who looks for them, decoy by decoy, in types that JSON has."""
        return [*map(self.says, range(len(self._decoys)))]

    def says(self, place: int) -> dict[str, Any]:
        """What the decoy at a place says to who looks for it, in types that JSON has."""
        return self._decoys[place][1].discovery(self.shown[place])

    def asking(self) -> list[dict[str, Any]]:
        """How decoys get their addresses, decoy by decoy, in types that JSON has."""
        pairs = zip(self._decoys, self.shown, strict=True)
        return [device.asking(who) for (_, device), who in pairs]

    def longest(self) -> int:
        """Bytes of the longest frame that the models of decoys know."""
        return max(int(device.templates.size.max()) for _, device in self._decoys)

    def summary(self) -> dict[str, str]:
        """Addresses of decoys by name, to be read."""
        return {each["name"]: f"{each['mac']}, {each['ip']}" for each in self.identities()}

    def gateway(self, place: int = 0) -> dict[str, str]:
        """Addresses of the gateway, as `identities` has them, as the decoy at a place sees it."""
        who = self.shown[place]
        return {"mac": who.gateway_mac, "ip": who.gateway_ip}

    def peers(self) -> list[str]:
        """MAC addresses of those whom decoys talk with in their network, but for the gateway."""
        own = {each["mac"] for each in (*self.identities(), self.gateway())}
        known = {each for addresses in self._addresses for each in addresses}
        return sorted(each for each in known - own if _MAC.fullmatch(each))

    @property
    def knows_events(self) -> bool:
        """Whether there is a decoy to which something may happen."""
        return any(device.model.events for _, device in self._decoys)

    def command(self, place: int, name: str, time_ns: int) -> None:
        """Have something happen to the decoy at a place.

        Args:
            place: Of the decoy.
            name: What happens.
            time_ns: When, not before what was asked for already; nanoseconds since the epoch.

        Raises:
            ArgumentError: Its model knows no such event, or it is switched off then.
        """
        if place not in self._players:
            raise ArgumentError(f"{self._decoys[place][0].name} has no address yet")
        self._players[place].command(Event(time_ns, name))

    def until(self, end_ns: int, shift_ns: int = 0) -> Stretch:
        """What comes next, up to a time.

        Args:
            end_ns: Nanoseconds since the epoch, not included; what was asked for before is gone.
            shift_ns: How much later than drawn everything comes to be sent, so that packets which
                tell the time tell the right one.
        """
        return self._until(self._players, end_ns, shift_ns)

    def of_one(self, place: int, end_ns: int, shift_ns: int = 0) -> Stretch:
        """As `until`, of one decoy alone: it goes on from there together with the others."""
        return self._until([place], end_ns, shift_ns)

    def _until(self, places: Collection[int], end_ns: int, shift_ns: int) -> Stretch:
        said = [self._players[place].until(end_ns, shift_ns) for place in places]
        decoy = np.repeat(np.array([*places], np.int64), [*map(len, said)])
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
