"""Who generated packets show and when, from a file and from the command line."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import typer

from iotflowgen.cli.options import read_toml

__all__ = ["Shown", "who_and_when"]


class Shown(NamedTuple):
    """What was said of the persona; None where it is to be drawn, and now where no start was."""

    mac: str | None
    ip: str | None
    gateway: str | None
    start_ns: int

    @property
    def addresses(self) -> dict[str, str | None]:
        """As `packets.Persona` takes them."""
        return {"mac": self.mac, "ip": self.ip, "gateway": self.gateway}


def who_and_when(file: Path | None, flags: Mapping[str, str | None]) -> Shown:
    """Read the keys `mac`, `ip`, `gateway` and `start` of a TOML file; flags go before it.

    Raises:
        typer.BadParameter: A value is none of its kind, or the file is not such a file.
    """
    given = read_toml(file, "--persona") if file else {}
    for key in given:
        if key not in _READ:
            reason = f"{file}: {key!r} is none of: {', '.join(_READ)}"
            raise typer.BadParameter(reason, param_hint="--persona")
    said: dict[str, Any] = {}
    for key, read in _READ.items():
        flag = flags.get(key)
        text = flag if flag is not None else given.get(key)
        try:
            said[key] = None if text is None else read(str(text))
        except ValueError as error:
            where = ("", f"--{key}") if flag is not None else (f"{file}: {key}: ", "--persona")
            raise typer.BadParameter(f"{where[0]}{error}", param_hint=where[1]) from error
    if said["ip"] and said["ip"] == said["gateway"]:
        reason = f"{said['ip']} cannot be the device's address and the gateway's"
        raise typer.BadParameter(reason, param_hint="--ip, --gateway")
    if said["ip"] and said["gateway"] and not _share_network(said["ip"], said["gateway"]):
        reason = f"{said['ip']} and {said['gateway']} differ in more than their last number"
        raise typer.BadParameter(
            f"{reason}; choose two of one network", param_hint="--ip, --gateway"
        )
    start = said["start"] or _read_start("now")
    return Shown(said["mac"], said["ip"], said["gateway"], start)


def _read_mac(text: str) -> str:
    digits = text.lower().replace("-", ":")
    if not re.fullmatch(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}", digits):
        raise ValueError(f"{text} is no MAC address of a host")
    return digits


def _read_ip(text: str) -> str:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError as error:
        raise ValueError(f"{text} is no IPv4 address") from error
    if address.is_multicast or address.is_reserved or address.is_loopback or not int(address) >> 24:
        raise ValueError(f"{text} is no IPv4 address of a host in a network")
    return str(address)


def _share_network(ip: str, gateway: str) -> bool:
    """Whether both are of one network of 256 addresses, as homes are shown in."""
    return ip.rpartition(".")[0] == gateway.rpartition(".")[0]


def _read_start(text: str) -> int:
    """Nanoseconds since the epoch; without a time zone it is UTC."""
    if text == "now":
        return int(datetime.now(UTC).timestamp()) * 10**9
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text} is no time such as 2026-01-01T08:00 or now") from error
    since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - datetime.fromtimestamp(0, UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


_READ: dict[str, Callable[[str], str | int]] = {
    "mac": _read_mac,
    "ip": _read_ip,
    "gateway": _read_ip,
    "start": _read_start,
}
