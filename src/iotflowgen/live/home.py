"""Which decoys there are, in which network: what `home.toml` says.

::

    [network]
    subnet = "192.168.20.0/24"
    gateway = "192.168.20.1"
    gateway_mac = "02:00:5e:10:00:01"

    [[decoys]]
    name = "plug"
    model = "plug.model"
    address = "192.168.20.31"

    [[events]]
    event = "on"
    decoy = "plug"
    at = "18:30"
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    model_validator,
)

from iotflowgen.errors import ArgumentError
from iotflowgen.events import Habit, Schedule
from iotflowgen.files import parsed_text

__all__ = [
    "LEASED",
    "Decoy",
    "Home",
    "Network",
    "is_host",
    "is_private",
    "one_decoy",
    "read_home",
]

_PRIVATE: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


def _checked_mac(text: str) -> str:
    digits = text.lower().replace("-", ":")
    if not re.fullmatch(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}", digits):
        raise ValueError(f"{text} is no MAC address of a host")
    return digits


_Mac = Annotated[str, AfterValidator(_checked_mac)]


def _checked_port(text: str) -> str:
    number, _, protocol = text.partition("/")
    is_number = number.isascii() and number.isdecimal() and 0 < int(number) < 2**16
    if not is_number or protocol not in ("tcp", "udp"):
        raise ValueError(f"{text} is no port; say it as 443/tcp or 161/udp")
    return f"{int(number)}/{protocol}"


_Port = Annotated[str, AfterValidator(_checked_port)]


def _checked_address(said: object) -> IPv4Address | str | None:
    if said is None or said == LEASED:
        return None if said is None else LEASED
    try:
        return IPv4Address(str(said))
    except ValueError:
        raise ValueError(f"{said} is no IPv4 address, and not {LEASED} either") from None


LEASED: Final = "dhcp"
"""Instead of an address: the one that the network's server gives."""


_HOURS: Final = r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$"
_MINUTE_NS: Final = 60 * 10**9
_DAY_NS: Final = 1440 * _MINUTE_NS


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Network(_Strict):
    """The network that decoys are in. What is not said is drawn by the first decoy's seed."""

    subnet: IPv4Network | None = None
    """A private one (RFC 1918)."""
    gateway: IPv4Address | None = None
    """Address of the gateway."""
    gateway_mac: _Mac | None = None
    """MAC address of the gateway."""
    resolver: IPv4Address | None = None
    """Address of the resolver that decoys ask for names, as DHCP tells it; by default what stands
    for the captured one."""
    vlan: Annotated[int, Field(ge=1, le=4094)] | None = None
    """The VLAN (802.1Q) whose tag frames get."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.subnet is not None and not (is_private(self.subnet) and self.subnet.prefixlen < 31):
            raise ValueError(
                f"{self.subnet} is no private network; decoys need one, as 10.0.0.0/24"
            )
        if self.subnet and self.gateway and not is_host(self.gateway, self.subnet):
            raise ValueError(f"the gateway {self.gateway} is no host of {self.subnet}")
        return self


class Decoy(_Strict):
    """A device that is not there."""

    name: Annotated[str, Field(pattern=r"^[\w.-]{1,40}$")]
    """What commands and the ledger call it."""
    model: Path
    """Model file of `iotflowgen fit`; a relative path is relative to the file that says it."""
    mac: _Mac | None = None
    """MAC address; drawn, it is of the same vendor."""
    address: Annotated[IPv4Address | str | None, PlainValidator(_checked_address)] = None
    """IPv4 address, or `dhcp`: the one that the network's server gives; by default drawn."""
    seed: Annotated[int, Field(ge=0)] = 0
    """The same seed and start, the same traffic."""
    schedule: tuple[Annotated[str, Field(pattern=_HOURS)], ...] = ()
    """When it is switched on each day, such as `["07:00-09:30", "17:00-01:00"]`, UTC; by default
    always."""
    ports: tuple[_Port, ...] = ()
    """Handed over, such as `["443/tcp", "161/udp"]`: others serve them, in its namespace."""

    @property
    def fixed(self) -> IPv4Address | None:
        """Its address, if it is said."""
        return self.address if isinstance(self.address, IPv4Address) else None

    @property
    def is_leased(self) -> bool:
        """Its address is the one that the network's server gives."""
        return self.address == LEASED

    def powered(self, start_ns: int) -> Iterator[tuple[int, int]]:
        """From when to when it is on, one time after another, nanoseconds since the epoch."""
        if not self.schedule:
            yield start_ns, 2**63 - 1
            return
        hours = sorted(tuple(map(_minutes, each.split("-"))) for each in self.schedule)
        # one that began yesterday may last until today
        for day in count(start_ns // _DAY_NS - 1):
            for on, off in hours:
                on_ns = day * _DAY_NS + on * _MINUTE_NS
                off_ns = day * _DAY_NS + (off + 1440 * (off <= on)) * _MINUTE_NS
                if off_ns > start_ns:
                    yield max(on_ns, start_ns), off_ns


class Home(_Strict):
    """A network and its decoys."""

    network: Network = Network()
    decoys: Annotated[tuple[Decoy, ...], Field(min_length=1, max_length=2**16)]
    zone: str = "UTC"
    """The time zone of `events`."""
    events: tuple[Habit, ...] = ()
    """What happens to decoys, at times of the day or at rates (`events.Schedule`)."""

    @model_validator(mode="after")
    def _differ(self) -> Self:
        subnet, gateway = self.network.subnet, self.network.gateway
        seen: set[object] = {gateway, self.network.gateway_mac}
        for decoy in self.decoys:
            fixed = decoy.fixed
            for what in (decoy.name, decoy.mac, fixed):
                if what is not None and what in seen:
                    raise ValueError(f"decoy {decoy.name}: somebody else has {what} already")
                seen.add(what)
            if subnet and fixed and not is_host(fixed, subnet):
                raise ValueError(f"decoy {decoy.name}: {fixed} is no host of {subnet}")
            if fixed and not is_private(fixed):
                raise ValueError(f"decoy {decoy.name}: {fixed} is a public address")
        names = [decoy.name for decoy in self.decoys]
        for habit in self.events:
            if habit.decoy is not None and habit.decoy not in names:
                raise ValueError(f"event {habit.event}: there is no decoy {habit.decoy}")
        # its zone is checked there
        Schedule(zone=self.zone)
        return self

    def schedules(self, known: Sequence[Sequence[str]]) -> list[Schedule]:
        """What happens to each decoy, of the events that it knows.

        Args:
            known: Names of the events that each decoy knows.

        Raises:
            ArgumentError: One does not know what is to happen to it, or nobody knows it.
        """
        whole, found = Schedule(zone=self.zone, events=self.events), []
        for decoy, names in zip(self.decoys, known, strict=True):
            try:
                found.append(whole.of(names, decoy.name))
            except ArgumentError as error:
                raise ArgumentError(f"decoy {decoy.name}: {error}") from error
        happens = {habit.event for schedule in found for habit in schedule.events}
        for habit in self.events:
            if habit.event not in happens:
                raise ArgumentError(f"{habit.event!r} is no event that any decoy's model knows")
        return found


def read_home(path: Path) -> Home:
    """Read `home.toml`.

    Raises:
        ArgumentError: It cannot be read, or says what cannot be.
    """
    try:
        home = Home.model_validate(parsed_text(path, tomllib.loads))
    except OSError as error:
        raise ArgumentError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        raise ArgumentError(f"{path}: {_first(error)}") from error
    except ValueError as error:
        raise ArgumentError(f"{path} is no TOML: {error}") from error
    placed = (d.model_copy(update={"model": path.parent / d.model}) for d in home.decoys)
    return home.model_copy(update={"decoys": tuple(placed)})


def _first(error: ValidationError) -> str:
    """What is wrong, where, in one line."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    return f"{where}: {said}" if where else said


def _minutes(time: str) -> int:
    """Of a day, by the clock."""
    hour, minute = map(int, time.split(":"))
    return 60 * hour + minute


def is_private(network: IPv4Network | IPv4Address) -> bool:
    """Whether a network, or an address, is one of those that are not on the Internet (RFC 1918).

    Those for documentation and for other special purposes, which `ipaddress` calls private as well,
    are none that a home has.
    """
    return any(IPv4Network(network).subnet_of(private) for private in _PRIVATE)


def is_host(address: IPv4Address, subnet: IPv4Network) -> bool:
    """Whether an address is one that a host of a subnet can have."""
    ends = (subnet.network_address, subnet.broadcast_address)
    return address in subnet and address not in ends


def one_decoy(model: Path, decoy: Mapping[str, Any], network: Mapping[str, Any]) -> Home:
    """A home of one decoy, which has the name of its model, as far as that can be one.

    Args:
        model: Its model file.
        decoy: Fields of `Decoy`.
        network: Fields of `Network`.

    Raises:
        ArgumentError: One of them cannot be.
    """
    name = re.sub(r"[^\w.-]", "-", model.stem)[:40]
    said = {"network": network, "decoys": [{"name": name, "model": model, **decoy}]}
    try:
        return Home.model_validate(said)
    except ValidationError as error:
        options = {"address": "ip", "decoys": "ip"}
        last = str(error.errors()[0]["loc"][-1]) if error.errors()[0]["loc"] else "ip"
        raise ArgumentError(_first(error), options.get(last, last)) from error
