"""Which protocol configurations a header can show, and which of them is nearest to a wish.

A generator that draws its features one by one asks for impossible packets: TCP and UDP at once, DNS
without either, HTTP in a frame too short for it. `nearest_stack` then takes, of all stacks that fit
the length and that Wireshark recognises on these ports, the one that differs in the fewest
protocols; of equals one that has ports if, and only if, ports are asked for. The length comes
before everything.

Shown are, each also behind an LLC/SNAP header (RFC 1042), which adds `llc`:

- nothing (an experimental EtherType), `arp`, `eapol`, and `llc` by itself;
- `ip` alone, with `icmp`, with `tcp` or `udp` alone;
- without `ip`, which makes them IPv6: `icmpv6`, `tcp`, `udp`;
- on `tcp` of either: `http`, `https`, and `dns` on its port;
- on `udp` of either: `dns`, `mdns`, `ssdp`, `ntp`; on that of `ip` also `bootp`, `bootp dhcp`.

No header shows the rest: two of `arp`, `eapol`, `icmp`, `icmpv6`, `tcp`, `udp` together, two
applications together, `dhcp` without `bootp`, an application without its transport (so no `https`
over `udp`: QUIC would need its keys) or on a port that belongs to another, `icmp` without or
`icmpv6` with `ip`. Tunnels, which show some of these, are none of a small device's business.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from iotflowgen.packets.fuzz.ports import HTTP_PORTS, TLS_PORTS, keeping_port
from iotflowgen.traffic import PROTOCOLS, protocol_mask

__all__ = ["STACKS", "Features", "Stack", "nearest_stack", "why_not"]

Spoken = Callable[[tuple[str, ...]], str | None]
"""The application that a connection is known for, given the layers that carry it."""

_HEADER = {
    "unknown": 14,
    "ethernet": 14,
    "snap": 22,
    "llc": 17,
    "arp": 28,
    "eapol": 4,
    "ip": 20,
    "ipv6": 40,
    "icmp": 8,
    "icmpv6": 8,
    "tcp": 20,
    "udp": 8,
}
"""Bytes of each header without options; all begin with Ethernet."""

_MOST_IN = {
    "snap": 14 + 1500,
    "llc": 14 + 1500,
    "eapol": 65_535 + 4,
    "ip": 65_535,
    "ipv6": 65_535 + 40,
}
"""Bytes of the longest packet, header included, where a length field sets a limit."""

_NO_LIMIT = 2**31


class Features(NamedTuple):
    """One packet, all that a generator says about it except its time."""

    length: int
    """Frame length on the wire, bytes."""
    outgoing: bool
    """Sent by the device."""
    src_port: int
    """0 where the packet has none."""
    dst_port: int
    """0 where the packet has none."""
    protocols: int
    """Protocol configuration, a bit each (`traffic.protocols`)."""

    @property
    def ends(self) -> tuple[int, int]:
        """The ports of the device and of the other end."""
        ports = (self.src_port, self.dst_port)
        return ports if self.outgoing else ports[::-1]


@dataclass(frozen=True)
class _Application:
    """What makes Wireshark recognise an application."""

    ports: frozenset[int]
    """Ports whose dissector it is."""
    least: int
    """Bytes that it takes to be recognised there."""
    elsewhere: float = math.inf
    """Bytes that it takes on a port that nobody claims; infinity where its port alone tells it."""
    declining: frozenset[int] = frozenset()
    """Ports of another application that leaves this one's messages alone."""
    goes_on: bool = False
    """One byte is enough once a connection is known for it."""


_APPLICATIONS = {
    ("tcp", "http"): _Application(HTTP_PORTS, 5, elsewhere=18, declining=TLS_PORTS, goes_on=True),
    ("tcp", "https"): _Application(TLS_PORTS, 1, elsewhere=6, goes_on=True),
    ("tcp", "dns"): _Application(frozenset({53, 5353}), 14),
    ("udp", "dns"): _Application(frozenset({53}), 12, elsewhere=17),
    ("udp", "mdns"): _Application(frozenset({5353}), 12),
    ("udp", "ssdp"): _Application(frozenset({1900}), 8),
    ("udp", "ntp"): _Application(frozenset({123}), 48),
    ("udp", "bootp"): _Application(frozenset({67, 68}), 240),
    ("udp", "dhcp"): _Application(frozenset({67, 68}), 244),
}


@dataclass(frozen=True)
class Stack:
    """Headers on top of each other, from Ethernet up: `("ethernet", "ip", "tcp", "https")`.

    `unknown`, `llc` and `snap` stand for Ethernet of other kinds.
    """

    layers: tuple[str, ...]

    @property
    def top(self) -> str:
        """The innermost layer."""
        return self.layers[-1]

    @cached_property
    def transport(self) -> str | None:
        """`tcp`, `udp` or, without ports, None."""
        return next((layer for layer in self.layers if layer in ("tcp", "udp")), None)

    @cached_property
    def carriers(self) -> tuple[str, ...]:
        """Network and transport, over which connections run."""
        return tuple(layer for layer in self.layers if layer in ("ip", "ipv6", "tcp", "udp"))

    @cached_property
    def application(self) -> str | None:
        """What the transport carries; None where that is nothing in particular."""
        return self.top if (self.transport, self.top) in _APPLICATIONS else None

    @cached_property
    def headers(self) -> int:
        """Bytes up to the application or the payload, without options."""
        return sum(_HEADER.get(layer, 0) for layer in self.layers)

    @cached_property
    def protocols(self) -> int:
        """The protocol configuration that Wireshark shows."""
        implied = {"snap": "llc", "dhcp": "bootp"}
        shown = {*self.layers, *(implied.get(layer, "") for layer in self.layers)}
        return protocol_mask(shown & {*PROTOCOLS})

    @cached_property
    def longest(self) -> int:
        """Bytes of the longest frame that the length fields allow."""
        before, limits = 0, [_NO_LIMIT]
        for layer in self.layers:
            limits.append(before + _MOST_IN.get(layer, _NO_LIMIT))
            before += _HEADER.get(layer, 0)
        return min(limits)

    def can_show(self, packet: Features, spoken: Spoken) -> bool:
        """Whether a frame of this length and these ports is recognised as this stack.

        What the packet's connection is already known for (`spoken`) is recognised whatever it
        looks like.
        """
        room = min(packet.length, self.longest) - self.headers
        return room >= self._least(packet, spoken)

    def _least(self, packet: Features, spoken: Spoken) -> float:
        """Bytes above the headers that it takes; infinity where these ports forbid it."""
        if self.transport is None or self.application is None:
            return 0
        rule = _APPLICATIONS[self.transport, self.application]
        ports = {packet.src_port, packet.dst_port} - rule.declining
        keeper = keeping_port(self.transport, ports)
        if keeper is not None and keeper not in rule.ports:
            return math.inf
        if rule.goes_on and spoken(self.carriers) == self.application:
            return 1
        return rule.elsewhere if keeper is None else rule.least


def _stacks(text: str) -> list[tuple[str, ...]]:
    """Stacks written as `ip tcp, arp`."""
    return [tuple(layers.split()) for layers in text.split(",")]


_INNER = _stacks("""
    ip tcp, ip tcp http, ip tcp https, ip udp, ip udp dns, ip udp mdns, ip udp ssdp, ip udp ntp,
    ip udp bootp, ip udp dhcp, ip icmp, ip,
    ipv6 tcp, ipv6 tcp http, ipv6 tcp https, ipv6 udp, ipv6 udp dns, ipv6 udp mdns, ipv6 udp ssdp,
    ipv6 udp ntp, ipv6 icmpv6,
    ip tcp dns, ipv6 tcp dns, arp, eapol
""")

STACKS = (
    *(Stack(("ethernet", *inner)) for inner in _INNER),
    Stack(("llc",)),
    Stack(("unknown",)),
    *(Stack(("snap", *inner)) for inner in _INNER),
)
"""Every stack that is built; of equally near ones the first is taken."""

_BY_PROTOCOLS = {stack.protocols: stack for stack in STACKS}


def nearest_stack(packet: Features, spoken: Spoken) -> Stack:
    """The stack that comes nearest to the configuration asked for, at the length asked for.

    `packet` is at least an Ethernet header long; for `spoken` see `Stack.can_show`.
    """
    wish = _BY_PROTOCOLS.get(packet.protocols)
    if wish is not None and wish.can_show(packet, spoken):
        return wish
    has_ports = bool(packet.src_port or packet.dst_port)

    def distance(stack: Stack) -> tuple[int, bool]:
        differ = (packet.protocols ^ stack.protocols).bit_count()
        return differ, has_ports == (stack.transport is None)

    return min((stack for stack in STACKS if stack.can_show(packet, spoken)), key=distance)


def why_not(packet: Features) -> str:
    """Why no stack shows the configuration asked for."""
    wish = _BY_PROTOCOLS.get(packet.protocols)
    if wish is None:
        return "no header shows it"
    if wish.can_show(packet._replace(length=wish.longest), lambda _: None):
        return "the frame is too short"
    return "the ports are another protocol's"
