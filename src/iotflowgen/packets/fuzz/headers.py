"""Scapy's headers, put together and fuzzed.

Scapy takes half a second to import, so that it is only when something is fuzzed.
"""

import ipaddress
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import numpy as np

from iotflowgen.extras import naming_extras
from iotflowgen.packets.fuzz.stacks import Stack

__all__ = [
    "EXPERIMENT",
    "drawing_from",
    "fuzzed_headers",
    "group_mac",
    "router_alert",
    "tcp_options",
]

EXPERIMENT: Final = {"ethernet": 0x88B5, "ip": 253}
"""EtherType (IEEE 802) and IP protocol (RFC 3692) that are kept free for experiments."""

_ETHERTYPE = {"ip": 0x0800, "arp": 0x0806, "ipv6": 0x86DD, "eapol": 0x888E}


@cache
@naming_extras()
def _layers() -> dict[str, Callable[[], Any]]:
    """Headers, with what must not be fuzzed; applications have none, they are payload."""
    from scapy.layers.eap import EAPOL  # noqa: PLC0415
    from scapy.layers.inet import ICMP, IP, TCP, UDP  # noqa: PLC0415
    from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6  # noqa: PLC0415
    from scapy.layers.l2 import ARP, LLC, SNAP, Dot3, Ether  # noqa: PLC0415

    return {
        "ethernet": Ether,
        "snap": lambda: Dot3() / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0),
        "llc": lambda: Dot3() / LLC(dsap=0),
        "arp": lambda: ARP(hwtype=1, ptype=0x0800, hwlen=6, plen=4),
        "eapol": lambda: EAPOL(version=2),
        "ip": lambda: IP(version=4, flags="DF", frag=0, options=[]),
        "ipv6": lambda: IPv6(version=6),
        "icmp": lambda: ICMP(type=8, code=0),
        "icmpv6": lambda: ICMPv6EchoRequest(type=128, code=0, data=b""),
        "tcp": lambda: TCP(flags="A", reserved=0, urgptr=0, options=[]),
        "udp": UDP,
    }


@naming_extras()
def fuzzed_headers(stack: Stack) -> dict[str, Any]:
    """The headers of a stack by name, put together and fuzzed, and their `payload`."""
    from scapy.packet import Raw, fuzz  # noqa: PLC0415

    layers = _layers()
    names = [name for name in stack.layers if name in layers]
    if {"snap", "llc"} & set(names):
        names.remove("ethernet")
    parts = [layers[name]() for name in names]
    packet = parts[0]
    for part in parts[1:]:
        packet /= part
    packet = fuzz(packet / Raw(b""))
    headers = {"link": packet, "payload": packet[Raw]}
    headers |= {name: packet[type(part)] for name, part in zip(names[1:], parts[1:], strict=True)}
    if stack.layers == ("ethernet",):
        packet.type = EXPERIMENT["ethernet"]
    elif names[0] == "snap":
        packet["SNAP"].code = _ETHERTYPE[names[1]]
    elif names[0] == "llc":
        headers["llc"] = packet["LLC"]
    return headers


@naming_extras()
def router_alert() -> Any:  # noqa: ANN401 - Scapy has no types
    """The option of IP that reports of IGMP have (RFC 2113)."""
    from scapy.layers.inet import IPOption_Router_Alert  # noqa: PLC0415

    return IPOption_Router_Alert()


def tcp_options(size: int, rng: np.random.Generator) -> list[tuple[str, Any]]:
    """Timestamps and up to three selective acknowledgments as far as they fit, and NOPs."""
    nop = ("NOP", None)
    options: list[tuple[str, Any]] = []
    if size >= 12:
        options += [nop, nop, ("Timestamp", tuple(rng.integers(2**32, size=2).tolist()))]
        size -= 12
    if size in (12, 20, 28):
        edges = tuple(rng.integers(2**32, size=(size - 4) // 4).tolist())
        return [*options, nop, nop, ("SAck", edges)]
    return options + [nop] * size


def group_mac(ip: str) -> str:
    """The Ethernet address of a broadcast or multicast address (RFC 1112, RFC 2464)."""
    address = ipaddress.ip_address(ip)
    if isinstance(address, ipaddress.IPv6Address):
        return (b"\x33\x33" + address.packed[-4:]).hex(":")
    if not address.is_multicast:
        return "ff:ff:ff:ff:ff:ff"
    return (b"\x01\0\x5e" + bytes([address.packed[1] & 0x7F]) + address.packed[2:]).hex(":")


@contextmanager
def drawing_from(draws: random.Random) -> Iterator[None]:
    """Scapy fuzzes with the global generator of `random`, which is left as it was found."""
    before = random.getstate()
    random.setstate(draws.getstate())
    try:
        yield
    finally:
        draws.setstate(random.getstate())
        random.setstate(before)
