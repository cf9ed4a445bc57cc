"""Scapy's headers, put together and fuzzed.

Scapy takes half a second to import, so that it is only when something is fuzzed.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, reduce
from operator import truediv
from typing import Any

import numpy as np

from iotflowgen.extras import naming_extras
from iotflowgen.packets.fuzz.stacks import Stack

__all__ = ["drawing_from", "fuzzed_headers", "router_alert", "tcp_options"]


@cache
@naming_extras()
def _layers() -> dict[str, Callable[[], Any]]:
    """Headers, with what must not be fuzzed; applications have none, they are payload."""
    from scapy.layers.eap import EAPOL  # noqa: PLC0415
    from scapy.layers.inet import ICMP, IP, TCP, UDP  # noqa: PLC0415
    from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6  # noqa: PLC0415
    from scapy.layers.l2 import ARP, LLC, SNAP, Dot3, Ether  # noqa: PLC0415

    return {
        # the EtherType (IEEE 802) that is kept free for experiments
        "unknown": lambda: Ether(type=0x88B5),
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
def fuzzed_headers(stack: Stack) -> Any:  # noqa: ANN401 - Scapy has no types
    """The headers of a stack and a payload, put together and fuzzed."""
    from scapy.packet import Raw, fuzz  # noqa: PLC0415

    layers = _layers()
    parts = (layers[name]() for name in stack.layers if name in layers)
    return fuzz(reduce(truediv, [*parts, Raw(b"")]))


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
