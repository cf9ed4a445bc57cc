"""Packet fuzzing (paper, section 4.5): Scapy builds what the features fix, and fuzzes the rest.

Each stack of headers is put together once, fuzzed once, and then only told what changes: Scapy
draws the fuzzed fields anew whenever it builds the packet, and computes lengths and checksums.

Named here what the paper leaves open:

- Not fuzzed are fields by which a packet would be malformed or contradict its features: versions,
  fragmentation, reserved bits, options, urgent pointers, message types. TCP sequence numbers
  follow each other (see `hosts.Connection`).
- The payload is random inside TLS records, HTTP bodies and texts, not from the first byte on:
  otherwise Wireshark would show no `https`, `http` or `dns`, which the features ask for.
- Payload of no particular application on a port that Wireshark gives to a dissector would be
  malformed to it. In TCP it goes into a reset, where RFC 1122 (section 4.2.2.12) allows data, and
  which Wireshark shows to no dissector. In UDP the datagram is empty and the bytes follow it as
  padding, as they do in frames of up to 60 bytes.
- TCP without application has options up to 94 bytes of frame, as real acknowledgments do.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from iotflowgen.packets.fuzz import messages
from iotflowgen.packets.fuzz.headers import (
    drawing_from,
    fuzzed_headers,
    router_alert,
    tcp_options,
)
from iotflowgen.packets.fuzz.hosts import Connection, Home, draw_connection, draw_home
from iotflowgen.packets.fuzz.ports import claimed_port
from iotflowgen.packets.fuzz.stacks import Features, Stack, nearest_stack, why_not
from iotflowgen.packets.rows import Rows
from iotflowgen.traffic import PROTOCOLS
from iotflowgen.wire import Frames
from iotflowgen.wire.arrays import Integers
from iotflowgen.wire.pcap import LONGEST_FRAME

__all__ = ["Fuzzer"]

_ETHERNET = 14
_SHORTEST_ON_WIRE = 60
_MOST_OPTIONS = 40
_FOR_EXPERIMENTS = 253
"""The IP protocol that is kept free (RFC 3692)."""
_EVERYBODY = "ff:ff:ff:ff:ff:ff"
_GROUPS = {
    ("mdns", 5353): ("01:00:5e:00:00:fb", "224.0.0.251", "33:33:00:00:00:fb", "ff02::fb"),
    ("ssdp", 1900): ("01:00:5e:7f:ff:fa", "239.255.255.250", "33:33:00:00:00:0c", "ff02::c"),
    ("bootp", 67): (_EVERYBODY, "255.255.255.255"),
    ("dhcp", 67): (_EVERYBODY, "255.255.255.255"),
}
"""Where the device sends what is for all, by application and destination port: the addresses of
Ethernet and IP, and those of IPv6.

What others send goes to the device alone, as all of these may: so every IP packet has its address,
and no other is as common.
"""


@dataclass(frozen=True)
class _Draft:
    """A packet in the making."""

    packet: Features
    stack: Stack
    connection: Connection
    frame: Any
    """Scapy's."""

    @property
    def room(self) -> int:
        """Bytes for options and payload."""
        return min(self.packet.length, self.stack.longest) - self.stack.headers

    @property
    def asks(self) -> bool:
        """Whether the packet goes to a service, which has the lower port."""
        if self.packet.src_port == self.packet.dst_port:
            return self.packet.outgoing
        return self.packet.src_port > self.packet.dst_port

    @property
    def is_free(self) -> bool:
        """Whether no dissector will look at the payload."""
        ports = (self.packet.src_port, self.packet.dst_port)
        return self.connection.spoken is None and claimed_port(self.stack.top, ports) is None

    def from_to(self, own: str, other: str) -> tuple[str, str]:
        """What is the device's and what is the other's, the sender's first."""
        return (own, other) if self.packet.outgoing else (other, own)


class Fuzzer:
    """Renders packets one by one: features are kept, everything else is fuzzed."""

    def __init__(self, rng: np.random.Generator, home: Home | None = None) -> None:
        """Make ready; `home` is drawn if it is not given."""
        self.compromises: Counter[str] = Counter()
        """Packets that differ from their features, because no frame could agree with them, by what
        was done about it; a packet may count under two."""
        self._rng = rng
        self._home = home or draw_home(rng)
        self._session = -1
        self._connections: dict[tuple[Any, ...], Connection] = {}
        self._scapy = random.Random()  # noqa: S311 - what is drawn is no secret
        self._fuzzed: dict[Stack, Any] = {}
        self._payloads: dict[str, Callable[[_Draft], bytes]] = {
            "arp": self._resolution,
            "eapol": self._authentication,
            "llc": self._link_control,
            "ip": self._group_report,
            "icmp": self._echo,
            "icmpv6": self._echo,
            "udp": self._datagram,
        }
        self.device_mac, self.device_ip = self._home.device_mac, self._home.device_ip
        self._messages: dict[str, Callable[[int, bool, np.random.Generator], bytes]] = {
            "http": messages.http,
            "https": messages.tls,
            "dns": messages.dns,
            "mdns": messages.mdns,
            "ssdp": messages.ssdp,
            "ntp": messages.ntp,
            "bootp": partial(messages.bootp, mac=self.device_mac),
            "dhcp": partial(messages.dhcp, mac=self.device_mac),
        }

    def foresee(self, rows: Rows, piece: Integers) -> None:
        """Nothing refers to packets to come."""

    def render(self, rows: Rows) -> Frames:
        """Frames (E) of the next packets, whatever their sources are.

        They are the same whatever the blocks are that they come in.
        """
        columns = (getattr(rows, name).tolist() for name in Features._fields)
        packets = map(Features, *columns)
        with drawing_from(self._scapy):
            sessions = rows.session.tolist()
            return Frames.of([self._frame(*each) for each in zip(packets, sessions, strict=True)])

    def _frame(self, asked: Features, session: int) -> bytes:
        if session != self._session:
            self._session, self._connections = session, {}
            random.seed(self._rng.bytes(16))
        packet = asked._replace(length=min(max(asked.length, _ETHERNET), LONGEST_FRAME))
        stack = nearest_stack(packet, partial(self._spoken, packet))
        if stack not in self._fuzzed:
            self._fuzzed[stack] = fuzzed_headers(stack)
        self.compromises.update(_compromises(asked, packet, stack))
        frame = self._fuzzed[stack]
        draft = _Draft(packet, stack, self._connection(packet, stack), frame)
        self._address(draft)
        if stack.transport:
            transport = frame[stack.transport.upper()]
            transport.sport, transport.dport = packet.src_port, packet.dst_port
        frame["Raw"].load = self._payload(draft)
        return bytes(frame).ljust(packet.length, b"\0")

    def _spoken(self, packet: Features, carriers: tuple[str, ...]) -> str | None:
        """The application that a packet's connection is known for, if it is open."""
        connection = self._connections.get((carriers, *packet.ends))
        return connection.spoken if connection else None

    def _connection(self, packet: Features, stack: Stack) -> Connection:
        """The connection of a packet, which its first packet opens.

        A message of another application than before goes to another peer, because Wireshark
        sticks to the application that it has recognised.
        """
        key = (stack.carriers, *packet.ends)
        if key not in self._connections or (
            stack.application and self._connections[key].spoken not in (None, stack.application)
        ):
            self._connections[key] = draw_connection(self._rng)
        connection = self._connections[key]
        connection.spoken = stack.application or connection.spoken
        return connection

    def _address(self, draft: _Draft) -> None:
        home, connection, frame = self._home, draft.connection, draft.frame
        frame.src, frame.dst = draft.from_to(home.device_mac, home.gateway_mac)
        if "ip" in draft.stack.layers:
            ip, own, other, at = "IP", home.device_ip, connection.peer_ip, 0
        elif "ipv6" in draft.stack.layers:
            ip, own, other, at = "IPv6", home.device_ip6, connection.peer_ip6, 2
        else:
            return
        frame[ip].src, frame[ip].dst = draft.from_to(own, other)
        group = _GROUPS.get((draft.stack.top, draft.packet.dst_port))
        if group and draft.packet.outgoing:
            frame.dst, frame[ip].dst = group[at : at + 2]

    def _payload(self, draft: _Draft) -> bytes:
        if draft.stack.transport == "tcp":
            return self._segment(draft)
        if draft.stack.application:
            return self._message(draft)
        return self._payloads.get(draft.stack.top, self._unknown)(draft)

    def _segment(self, draft: _Draft) -> bytes:
        """A message, or an acknowledgment with options or padding, or else data."""
        tcp, room = draft.frame["TCP"], draft.room
        tcp.flags, tcp.options, payload = "A", [], b""
        if draft.stack.application:
            tcp.flags, payload = "PA", self._message(draft)
        elif room <= _MOST_OPTIONS and room % 4 == 0:
            tcp.options = tcp_options(room, self._rng)
        elif draft.packet.length > _SHORTEST_ON_WIRE:
            tcp.flags = "PA" if draft.is_free else "RA"
            payload = messages.opaque(room, self._rng)
        tcp.seq, tcp.ack = draft.connection.advance(draft.packet.outgoing, len(payload))
        return payload

    def _message(self, draft: _Draft) -> bytes:
        """A message of the application."""
        application = draft.stack.application
        if draft.stack.carriers[1:] == ("tcp",) and application == "dns":
            return messages.dns_over_tcp(draft.room, draft.asks, self._rng)
        return self._messages[application or ""](draft.room, draft.asks, self._rng)

    def _datagram(self, draft: _Draft) -> bytes:
        return messages.opaque(draft.room, self._rng) if draft.is_free else b""

    def _unknown(self, draft: _Draft) -> bytes:
        return messages.opaque(draft.room, self._rng)

    def _echo(self, draft: _Draft) -> bytes:
        if draft.stack.top == "icmp":
            draft.frame["ICMP"].type = 8 if draft.packet.outgoing else 0
        else:
            draft.frame["ICMPv6EchoRequest"].type = 128 if draft.packet.outgoing else 129
        return messages.opaque(draft.room, self._rng)

    def _resolution(self, draft: _Draft) -> bytes:
        """The device asks everybody for its gateway, the gateway answers."""
        home, arp = self._home, draft.frame["ARP"]
        arp.psrc, arp.pdst = draft.from_to(home.device_ip, home.gateway_ip)
        arp.hwsrc, arp.hwdst = draft.from_to(home.device_mac, home.gateway_mac)
        arp.op = 2
        if draft.packet.outgoing:
            arp.op, arp.hwdst, draft.frame.dst = 1, "00:00:00:00:00:00", _EVERYBODY
        return b""

    def _authentication(self, draft: _Draft) -> bytes:
        draft.frame["EAPOL"].type, body = messages.eapol_body(draft.room, self._rng)
        return body

    def _link_control(self, draft: _Draft) -> bytes:
        """An exchange of capabilities (XID) in the length that it has, or else a TEST."""
        llc, is_exchange = draft.frame["LLC"], draft.room == 3
        llc.ssap = 0 if draft.packet.outgoing else 1
        llc.ctrl = 0xAF if is_exchange else 0xE3
        return b"\x81\x01\0" if is_exchange else messages.opaque(draft.room, self._rng)

    def _group_report(self, draft: _Draft) -> bytes:
        """An IGMP report in the lengths that it has, or else a protocol that nobody knows."""
        ip = draft.frame["IP"]
        records, rest = divmod(draft.room - 12, 8)
        if records < 0 or (rest and draft.packet.length > _SHORTEST_ON_WIRE):
            ip.proto, ip.options = _FOR_EXPERIMENTS, []
            return messages.opaque(draft.room, self._rng)
        ip.proto, ip.options = 2, [router_alert()]
        if draft.packet.outgoing:
            draft.frame.dst, ip.dst = "01:00:5e:00:00:16", "224.0.0.22"
        return messages.igmp_report(records, self._rng)


def _compromises(asked: Features, fitted: Features, stack: Stack) -> list[str]:
    found = []
    if asked.length != fitted.length:
        found.append(f"a frame has from {_ETHERNET} to {LONGEST_FRAME} bytes")
    elif asked.length > stack.longest:
        found.append(f"{stack.top} as long as its header can say, the rest is a trailer")
    if asked.protocols != stack.protocols:
        reason = why_not(fitted)
        found.append(f"{_names(asked.protocols)} sent as {_names(stack.protocols)}: {reason}")
    if (asked.src_port or asked.dst_port) and stack.transport is None:
        found.append("ports without tcp or udp left out")
    return found


def _names(protocols: int) -> str:
    return "+".join(name for i, name in enumerate(PROTOCOLS) if protocols >> i & 1) or "nothing"
