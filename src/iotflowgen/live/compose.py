"""Composes the traffic of decoys: draws and renders it, as much at a time as is asked for.

Shapes: E packets.
"""

import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any, Final

import numpy as np

from iotflowgen.errors import ArgumentError
from iotflowgen.files import whole_file
from iotflowgen.library import Model, load
from iotflowgen.live.answering.discovery import Sayings, find_sayings
from iotflowgen.live.answering.reflexes import Reflexes, learn_reflexes
from iotflowgen.live.home import Decoy, Home, Network
from iotflowgen.live.leasing.composed import Settled
from iotflowgen.live.leasing.learn import learn_asking
from iotflowgen.live.leasing.lease import Lease
from iotflowgen.packets import Pseudonyms, Renderer, Rows, check_time
from iotflowgen.traffic import Session
from iotflowgen.wire import Frames
from iotflowgen.wire.arrays import Columns, Flags, Integers
from iotflowgen.wire.layers import EAPOL, find_network
from iotflowgen.wire.pcap import FORMATS, records_bytes

__all__ = ["Composer", "Stretch", "dry_run"]

_PIECE: Final = 2000
"""Packets of a decoy that are drawn together: there may be a thousand decoys."""
_VLAN: Final = 0x8100
_MAC: Final = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")
"""Of a host, not of a group."""
_AT_ONCE_NS: Final = 60 * 10**9
"""Of a file, so much is composed together."""
_NOT_FORWARDED: Final = 0x0180C200000
"""How MAC addresses begin that no bridge forwards (802.1Q, table 8-1), but for 4 bits."""


@dataclass(frozen=True, eq=False)
class Stretch(Columns):
    """What decoys and their peers send in some time (E), in the order of time."""

    time_ns: Integers
    """When, nanoseconds since the epoch (E)."""
    decoy: Integers
    """Whose traffic it is: the place of the decoy in its home (E)."""
    far: Flags
    """Sent by a peer of the decoy, not by the decoy itself (E)."""
    frames: Frames
    """What (E)."""


class Composer:
    """Composes the traffic of a home, from when its decoys are switched on.

    The same home and start, the same traffic, however it is cut into stretches.

    Args:
        home: Which decoys.
        is_live: A server gives those their addresses that are to have leases: until then they say
            nothing. Otherwise their addresses are drawn, and their leases composed.

    Attributes:
        pseudonyms: Who each decoy is, in their order.
        has_leases: A server is to give some their addresses.
    """

    def __init__(self, home: Home, *, is_live: bool = False) -> None:
        """Load the models and find out who decoys are.

        Raises:
            ModelError: A model is absent or damaged.
            ArgumentError: A model draws no sessions, or knows no packets to repeat; or an address
                does not fit the network; or a device is to have a lease, and never asked for one.
        """
        models = cache(load)
        self._decoys = [(decoy, models(decoy.model)) for decoy in home.decoys]
        self._network = home.network
        self.pseudonyms: list[Pseudonyms] = []
        for decoy, model in self._decoys:
            self.pseudonyms.append(_pseudonyms(decoy, model, home.network, self.pseudonyms))
        self._unsettled = {i for i, d in enumerate(home.decoys) if is_live and d.is_leased}
        self.has_leases = bool(self._unsettled)
        self._asking = cache(learn_asking)
        for place in self._unsettled:
            decoy, model = self._decoys[place]
            if not self._asking(model.recording).packets:
                raise ArgumentError(
                    f"decoy {decoy.name}: its captures show no DHCP; say its address"
                )
        self._settled = cache(Settled)
        self._players: dict[int, _Player] = {}

    def switch_on(self, start_ns: int) -> None:
        """Switch all decoys on, at a time in nanoseconds since the epoch.

        Raises:
            ArgumentError: That is before it.
        """
        if start_ns < 0:
            raise ArgumentError("decoys cannot be switched on before 1970", "start")
        for place, (decoy, model) in enumerate(self._decoys):
            if place not in self._unsettled:
                part = self._part(place, self._network)
                self._players[place] = _Player(decoy, model, part, start_ns)

    def settle(self, place: int, lease: Lease, start_ns: int) -> None:
        """Switch a decoy on with an address that a server has given it."""
        decoy, model = self._decoys[place]
        network = lease.network(self._network)
        others = self.pseudonyms[:place] + self.pseudonyms[place + 1 :]
        known = decoy.model_copy(update={"address": lease.address})
        self.pseudonyms[place] = _pseudonyms(known, model, network, others)
        self._unsettled.discard(place)
        part = replace(self._part(place, network), is_leased=True)
        self._players[place] = _Player(decoy, model, part, start_ns)

    def _part(self, place: int, network: Network) -> "_Part":
        settled = self._settled(self._decoys[place][1].recording)
        return _Part(self.pseudonyms[place], settled, network.resolver)

    def identities(self) -> list[dict[str, str]]:
        """Names and addresses, decoy by decoy, in types that JSON has; without what is to come."""
        found = []
        for place, ((decoy, _), who) in enumerate(zip(self._decoys, self.pseudonyms, strict=True)):
            ip = "" if place in self._unsettled else who.device_ip
            found.append({"name": decoy.name, "mac": who.device_mac, "ip": ip})
        return found

    def reflexes(self) -> list[dict[str, Any]]:
        """How decoys answer, decoy by decoy, in types that JSON has."""
        of_model = cache(lambda model: _reflexes(model).model_dump(mode="json"))
        return [of_model(model) for _, model in self._decoys]

    def discovery(self) -> list[dict[str, Any]]:
        """What decoys say to who looks for them, decoy by decoy, in types that JSON has."""
        return [*map(self.says, range(len(self._decoys)))]

    def says(self, place: int) -> dict[str, Any]:
        """What the decoy at a place says to who looks for it, in types that JSON has."""
        shown = _sayings(self._decoys[place][1]).shown(self.pseudonyms[place])
        return shown.model_dump(mode="json")

    def asking(self) -> list[dict[str, Any]]:
        """How decoys get their addresses, decoy by decoy, in types that JSON has."""
        found = []
        for (_, model), who in zip(self._decoys, self.pseudonyms, strict=True):
            assert model.recording is not None  # noqa: S101 - `_pseudonyms` has refused such
            asking = self._asking(model.recording)
            shown = who.pseudonymise(model.recording)
            frames = {kind: shown[row].hex() for kind, row in asking.packets.items()}
            found.append({**asking.model_dump(mode="json"), "frames": frames})
        return found

    def longest(self) -> int:
        """Bytes of the longest frame that the models of decoys know."""
        known = {id(model): model.recording for _, model in self._decoys}.values()
        return max(int(each.packets.frames.size.max()) for each in known if each is not None)

    def summary(self) -> dict[str, str]:
        """Addresses of decoys by name, to be read."""
        return {each["name"]: f"{each['mac']}, {each['ip']}" for each in self.identities()}

    def gateway(self, place: int = 0) -> dict[str, str]:
        """Addresses of the gateway, as `identities` has them, as the decoy at a place sees it."""
        who = self.pseudonyms[place]
        return {"mac": who.gateway_mac, "ip": who.gateway_ip}

    def peers(self) -> list[str]:
        """MAC addresses of those whom decoys talk with in their network, but for the gateway."""
        own = {each["mac"] for each in (*self.identities(), self.gateway())}
        known = {each for one in self.pseudonyms for each in one.addresses}
        return sorted(each for each in known - own if _MAC.fullmatch(each))

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
        if not places:
            none = np.empty(0, np.int64)
            return Stretch(none, none, none > 0, Frames.of([]))
        drawn = [self._players[place].until(end_ns, shift_ns) for place in places]
        time_ns = np.concatenate([rows.time_ns for rows, _ in drawn]) - shift_ns
        decoy = np.repeat([*places], [len(rows) for rows, _ in drawn])
        far = np.concatenate([~rows.outgoing for rows, _ in drawn])
        frames = Frames.concatenate([frames for _, frames in drawn])
        stretch = Stretch(time_ns, decoy, far, frames)
        stretch = stretch.take(np.argsort(time_ns, kind="stable"))
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
    with whole_file(path) as temporary, temporary.open("wb") as file:
        file.write(capture.header)
        for from_ns in range(start_ns, end_ns, _AT_ONCE_NS):
            stretch = composer.until(min(from_ns + _AT_ONCE_NS, end_ns))
            file.write(records_bytes(capture, stretch.time_ns, stretch.frames))
            packets += len(stretch)
    return {"file": str(path), "packets": packets, "decoys": composer.summary()}


@dataclass(frozen=True)
class _Part:
    """Who a decoy is, in a network."""

    pseudonyms: Pseudonyms
    settled: Settled
    resolver: IPv4Address | None
    is_leased: bool = False

    def shown(self, rows: Rows, frames: Frames) -> tuple[Rows, Frames]:
        """Composed packets, as they are in this network."""
        if self.resolver is not None:
            self.settled.resolved_by(self.resolver, rows, frames)
        return self.settled.without_leases(rows, frames) if self.is_leased else (rows, frames)


class _Player:
    """One decoy: a session that goes on for as long as it is asked, or one each time it is on."""

    def __init__(self, decoy: Decoy, model: Model, part: _Part, start_ns: int) -> None:
        self._seed, self._model, self._part = _seed(decoy), model, part
        self._powered = decoy.powered(start_ns)
        self._boot()

    def until(self, end_ns: int, shift_ns: int) -> tuple[Rows, Frames]:
        """Packets before a time, with their frames; times are as much later."""
        rows, frames = self._session(min(end_ns, self._off_ns), shift_ns)
        if end_ns <= self._off_ns:
            return rows, frames
        self._boot()
        more, others = self.until(end_ns, shift_ns)
        return rows.then(more), Frames.concatenate([frames, others])

    def _boot(self) -> None:
        on_ns, self._off_ns = next(self._powered)
        # another start is another session: nobody is to see one again
        seed = (*self._seed, on_ns // 10**9)
        epoch = datetime.fromtimestamp(0, UTC)
        self._pieces: Iterator[Session] = (
            replace(piece, time_ns=piece.time_ns + on_ns)
            for piece in self._model.stream(seed=seed, start=epoch, at_once=_PIECE)
        )
        self._rest = next(self._pieces)
        self._done = 0
        assert self._model.recording is not None  # noqa: S101 - `_pseudonyms` has refused such
        rng = np.random.default_rng([*seed, 1])
        self._renderer = Renderer(self._model.recording, self._part.pseudonyms, rng)

    def _session(self, end_ns: int, shift_ns: int) -> tuple[Rows, Frames]:
        parts = []
        while True:
            inside = int(np.searchsorted(self._rest.time_ns, end_ns))
            parts.append(self._rest[:inside])
            self._rest = self._rest[inside:]
            if len(self._rest):
                break
            self._rest = next(self._pieces)
        shifted = [replace(part, time_ns=part.time_ns + shift_ns) for part in parts]
        rows = Rows.of(shifted, self._done, [0] * len(parts))
        self._done += len(rows)
        return self._part.shown(rows, self._renderer.render(rows))


@cache
def _sayings(model: Model) -> Sayings:
    assert model.recording is not None  # noqa: S101 - `_pseudonyms` has refused such
    return find_sayings(model.recording)


def _reflexes(model: Model) -> Reflexes:
    assert model.recording is not None  # noqa: S101 - `_pseudonyms` has refused such
    return learn_reflexes(model.recording, _sayings(model))


def _seed(decoy: Decoy) -> tuple[int, int]:
    """Decoys of one model and seed are not twins."""
    return decoy.seed, zlib.crc32(decoy.name.encode())


def _pseudonyms(
    decoy: Decoy, model: Model, network: Network, others: Sequence[Pseudonyms]
) -> Pseudonyms:
    """Who a decoy is, unlike those there are, and behind the same gateway."""
    if model.recording is None:
        raise ArgumentError(f"{decoy.model} knows no packets; fit it on Ethernet captures")
    gateway, gateway_mac = network.gateway, network.gateway_mac
    pseudonyms = Pseudonyms(
        model.recording.identities,
        np.random.default_rng(_seed(decoy)),
        mac=decoy.mac,
        ip=_text(decoy.fixed),
        gateway=_text(gateway) or next((other.gateway_ip for other in others), None),
        gateway_mac=gateway_mac or next((other.gateway_mac for other in others), None),
        taken=[address for other in others for address in other.addresses],
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
