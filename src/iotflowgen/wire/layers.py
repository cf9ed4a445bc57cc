"""Where the headers of frames lie, for all of them at once.

IEEE 802.3, 802.1Q, 802.2; RFC 791, 8200, 9293, 768, 792, 4443. Frames that are damaged or cut off
are read as far as they go.

Shapes: P packets. Offsets are in bytes from where a frame begins.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from iotflowgen.wire.arrays import Columns, Flags, Integers
from iotflowgen.wire.frames import Frames

__all__ = [
    "ACK",
    "ARP",
    "CWR",
    "EAPOL",
    "ECE",
    "FIN",
    "ICMP",
    "ICMP6",
    "IGMP",
    "IP4",
    "IP6",
    "PSH",
    "RST",
    "SYN",
    "TCP",
    "UDP",
    "URG",
    "VLAN",
    "Layers",
    "dst_port",
    "find_layers",
    "find_network",
    "ip_id",
    "payload_size",
    "src_port",
    "tcp_acknowledgment",
    "tcp_flags",
    "tcp_sequence",
    "tcp_window",
    "ttl",
]

FIN: Final = 1
SYN: Final = 2
RST: Final = 4
PSH: Final = 8
ACK: Final = 16
URG: Final = 32
ECE: Final = 64
CWR: Final = 128
"""Flags of TCP (RFC 9293, section 3.1)."""

IP4: Final = 0x0800
ARP: Final = 0x0806
IP6: Final = 0x86DD
EAPOL: Final = 0x888E
"""EtherTypes."""

ICMP: Final = 1
IGMP: Final = 2
TCP: Final = 6
UDP: Final = 17
ICMP6: Final = 58
"""What IP carries."""

VLAN: Final = (0x8100, 0x88A8, 0x9100)
"""EtherTypes of tags (IEEE 802.1Q); the last is what was used before there was a standard."""
_SNAP: Final = 0xAAAA03000000
_EXTENSIONS: Final = (0, 43, 60)
"""IPv6 extension headers that say their length in units of 8 bytes (RFC 8200, section 4)."""


@dataclass(frozen=True, eq=False)
class Layers(Columns):
    """Offsets (P) into frames, bytes, and what they hold (P)."""

    ethertype: Integers
    """0 for a frame of IEEE 802.3 whose LLC header says nothing else; -1 for one that ends within
    the headers of its link layer or of IP."""
    network: Integers
    """The header after the link layer's."""
    protocol: Integers
    """What IP carries; -1 where there is no IP header, or only a fragment, or the header of what it
    carries does not fit."""
    transport: Integers
    """The header after IP's; 0 where there is none."""
    payload: Integers
    """What TCP and UDP carry, and the body of ICMP; the network header's start without IP."""
    end: Integers
    """What follows is padding."""

    @property
    def is_ip4(self) -> Flags:
        """(P) it is IPv4."""
        return _is(self.ethertype, IP4)

    @property
    def is_ip6(self) -> Flags:
        """(P) it is IPv6."""
        return _is(self.ethertype, IP6)

    @property
    def is_tcp(self) -> Flags:
        """(P) it carries TCP."""
        return _is(self.protocol, TCP)

    @property
    def is_udp(self) -> Flags:
        """(P) it carries UDP."""
        return _is(self.protocol, UDP)

    @property
    def has_ports(self) -> Flags:
        """(P) it carries TCP or UDP."""
        return self.is_tcp | self.is_udp


def find_layers(frames: Frames) -> Layers:
    """The layers of Ethernet frames: VLAN tags, LLC and SNAP, IPv4 and IPv6, what these carry."""
    ethertype, network = find_network(frames)
    nothing = np.zeros(len(frames), np.int64)
    layers = Layers(ethertype, network, nothing - 1, nothing, network.copy(), frames.size.copy())
    for kind, find in ((IP4, _ip4), (IP6, _ip6)):
        index = np.flatnonzero(ethertype == kind)
        if len(index):
            find(frames.take(index), layers, index)
    # one that ends within its headers is only an Ethernet frame
    damaged = np.flatnonzero(ethertype < 0)
    network[damaged] = layers.payload[damaged] = np.minimum(14, frames.size[damaged])
    others = np.flatnonzero((ethertype == ARP) | (ethertype == EAPOL) | (ethertype == 0))
    if len(others):
        layers.end[others] = _end(frames.take(others), ethertype[others], network[others])
    return layers


def _is(column: Integers, number: int) -> Flags:
    found: Flags = column == number
    return found


def find_network(frames: Frames) -> tuple[Integers, Integers]:
    """What the link layer says alone: of frames that are cut off later there is still that.

    Returns:
        (P) EtherTypes, as in `Layers`, but -1 only where a frame ends before its own; and (P) where
        the network's header begins.
    """
    at = np.full(len(frames), 12, np.int64)
    ethertype = _known(frames, at, 2)
    tagged = np.flatnonzero(np.isin(ethertype, VLAN))
    while len(tagged):
        at[tagged] += 4
        ethertype[tagged] = _known(frames.take(tagged), at[tagged], 2)
        tagged = tagged[np.isin(ethertype[tagged], VLAN)]
    network = at + 2
    llc = np.flatnonzero((ethertype >= 0) & (ethertype < 0x0600))
    if len(llc):
        some, start = frames.take(llc), at[llc]
        snap = some.number(start + 2, 6) == _SNAP
        ethertype[llc] = np.where(snap, _known(some, start + 8, 2), 0)
        network[llc] += 8 * snap
    return ethertype, network


def _known(frames: Frames, at: Integers, width: int) -> Integers:
    """Numbers (P); -1 where a frame ends before."""
    return np.where(at + width <= frames.size, frames.number(at, width), -1)


def _ip4(frames: Frames, layers: Layers, index: Integers) -> None:
    """Find what these frames of IPv4 carry."""
    network = layers.network[index]
    header = (frames.number(network, 1) & 15) * 4
    total, fragment = frames.number(network + 2, 2), frames.number(network + 6, 2)
    # a fragment has no checksum of its own
    whole = (fragment & 0x3FFF) == 0
    protocol = np.where(whole, frames.number(network + 9, 1), -1)
    end = np.minimum(frames.size, network + np.maximum(total, header))
    there = network + np.where(whole, 10, 8) <= frames.size
    _carried(frames, layers, index, there, (protocol, network + header, end))


def _ip6(frames: Frames, layers: Layers, index: Integers) -> None:
    """Find what these frames of IPv6 carry."""
    network = layers.network[index]
    end = np.minimum(frames.size, network + 40 + frames.number(network + 4, 2))
    protocol, start = _known(frames, network + 6, 1), network + 40
    extended = np.flatnonzero(np.isin(protocol, _EXTENSIONS))
    while len(extended):
        some, at = frames.take(extended), start[extended]
        there = at + 2 <= some.size
        protocol[extended] = np.where(there, some.number(at, 1), -1)
        start[extended] += 8 + 8 * some.number(at + 1, 1)
        extended = extended[np.isin(protocol[extended], _EXTENSIONS)]
    _carried(frames, layers, index, protocol >= 0, (protocol, start, end))


def _carried(
    frames: Frames,
    layers: Layers,
    index: Integers,
    there: Flags,
    found: tuple[Integers, Integers, Integers],
) -> None:
    """Set what these packets of IP carry, if the whole header is `there`: protocol, start, end."""
    protocol, start, end = found
    is_tcp = protocol == TCP
    size = np.where(protocol == UDP, 8, 4)
    offset = np.where(start + 12 < end, frames.number(start + 12, 1) >> 4, 0)
    size = np.where(is_tcp, np.maximum(20, offset * 4), size)
    fits = start + size <= end
    layers.ethertype[index[~there]] = -1
    layers.protocol[index] = np.where(there & fits, protocol, -1)
    layers.transport[index] = np.where(there & fits, start, 0)
    layers.payload[index] = np.where(fits, start + size, np.minimum(start, end))
    layers.end[index] = np.where(there, end, frames.size)


def _end(frames: Frames, ethertype: Integers, network: Integers) -> Integers:
    """Where the message ends in frames of ARP (RFC 826), of EAPOL (802.1X), and of LLC."""
    eapol = (ethertype == EAPOL) & (frames.size >= network + 4)
    size = np.where(
        ethertype == ARP,
        28,
        np.where(eapol, 4 + frames.number(network + 2, 2), frames.number(network - 2, 2)),
    )
    cut = (ethertype == EAPOL) & ~eapol
    return np.where(cut, frames.size, np.minimum(frames.size, network + size))


def src_port(frames: Frames, layers: Layers) -> Integers:
    """(P) of TCP and UDP; 0 without."""
    return _field(frames, layers.has_ports, layers.transport, 2)


def dst_port(frames: Frames, layers: Layers) -> Integers:
    """(P) of TCP and UDP; 0 without."""
    return _field(frames, layers.has_ports, layers.transport + 2, 2)


def tcp_sequence(frames: Frames, layers: Layers) -> Integers:
    """(P) sequence numbers; 0 without TCP."""
    return _field(frames, layers.is_tcp, layers.transport + 4, 4)


def tcp_acknowledgment(frames: Frames, layers: Layers) -> Integers:
    """(P) acknowledgment numbers; 0 without TCP."""
    return _field(frames, layers.is_tcp, layers.transport + 8, 4)


def tcp_flags(frames: Frames, layers: Layers) -> Integers:
    """(P) flags, `FIN` to `CWR`; 0 without TCP."""
    return _field(frames, layers.is_tcp, layers.transport + 13, 1)


def tcp_window(frames: Frames, layers: Layers) -> Integers:
    """(P) windows as they are said, without their scale; 0 without TCP."""
    return _field(frames, layers.is_tcp, layers.transport + 14, 2)


def ip_id(frames: Frames, layers: Layers) -> Integers:
    """(P) identifications of IPv4; 0 without."""
    return _field(frames, layers.is_ip4, layers.network + 4, 2)


def ttl(frames: Frames, layers: Layers) -> Integers:
    """(P) times to live of IPv4, hop limits of IPv6; 0 without."""
    is_ip = layers.is_ip4 | layers.is_ip6
    return _field(frames, is_ip, layers.network + np.where(layers.is_ip4, 8, 7), 1)


def payload_size(layers: Layers) -> Integers:
    """(P) bytes that the last header carries."""
    return layers.end - layers.payload


def _field(frames: Frames, where: Flags, at: Integers, width: int) -> Integers:
    return np.where(where, frames.number(at, width), 0)
