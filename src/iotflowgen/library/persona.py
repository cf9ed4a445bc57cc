"""Who honeydata shows instead of the captured device: addresses that are given, not drawn."""

import ipaddress
import re
from dataclasses import dataclass

from iotflowgen.errors import ArgumentError

__all__ = ["Persona"]


@dataclass(frozen=True, kw_only=True)
class Persona:
    """Addresses that the device and its gateway show; what is not given is drawn.

    >>> Persona(mac="02-11-22-33-44-55", ip="192.168.20.31")
    Persona(mac='02:11:22:33:44:55', ip='192.168.20.31', ip6=None, gateway=None)

    Raises:
        ArgumentError: A value is no address of a host, or the two of IPv4 are the same or of
            different networks.
    """

    mac: str | None = None
    """MAC address of the device; drawn, it is of the same vendor."""
    ip: str | None = None
    """IPv4 address of the device."""
    ip6: str | None = None
    """IPv6 address of the device; of its network the others are, too."""
    gateway: str | None = None
    """IPv4 address of the gateway."""

    def __post_init__(self) -> None:
        if self.mac is not None:
            object.__setattr__(self, "mac", _checked_mac(self.mac))
        for name in ("ip", "gateway"):
            if (address := getattr(self, name)) is not None:
                object.__setattr__(self, name, _checked_ip(address, name))
        if self.ip6 is not None:
            object.__setattr__(self, "ip6", _checked_ip6(self.ip6))
        if self.ip and self.ip == self.gateway:
            raise ArgumentError(
                f"{self.ip} cannot be the device's address and the gateway's", "ip", "gateway"
            )
        if self.ip and self.gateway and not _share_network(self.ip, self.gateway):
            raise ArgumentError(
                f"{self.ip} and {self.gateway} differ in more than their last number; "
                "choose two of one network",
                "ip",
                "gateway",
            )


def _checked_mac(text: str) -> str:
    digits = text.lower().replace("-", ":")
    if not re.fullmatch(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}", digits):
        raise ArgumentError(f"{text} is no MAC address of a host", "mac")
    return digits


def _checked_ip(text: str, argument: str) -> str:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError as error:
        raise ArgumentError(f"{text} is no IPv4 address", argument) from error
    # of the 256 addresses of a home, the first and the last are no host's
    is_network = address.packed[0] == 0 or address.packed[-1] in (0, 255)
    if is_network or address.is_multicast or address.is_reserved or address.is_loopback:
        raise ArgumentError(f"{text} is no IPv4 address of a host in a network", argument)
    return str(address)


def _checked_ip6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError as error:
        raise ArgumentError(f"{text} is no IPv6 address", "ip6") from error
    is_host = not (address.is_multicast or address.is_loopback or address.is_unspecified)
    # what a link's hosts call each other by is made of their MAC addresses
    if not is_host or address.is_link_local or address.ipv4_mapped or address.scope_id:
        raise ArgumentError(f"{text} is no IPv6 address of a host in a network", "ip6")
    return str(address)


def _share_network(ip: str, gateway: str) -> bool:
    """Whether both are of one network of 256 addresses, as homes are shown in."""
    return ip.rpartition(".")[0] == gateway.rpartition(".")[0]
