"""Layers and checksums of one frame, the slow way: what `wire` is to say of many at once.

IEEE 802.3, 802.1Q, 802.2; RFC 791, 8200, 9293, 768, 1071.
"""

import struct
from dataclasses import dataclass, replace
from typing import Final

_WORD: Final = struct.Struct("!H")
_IP4: Final = 0x0800
_IP6: Final = 0x86DD
_VLAN: Final = {0x8100, 0x88A8}
_EXTENSIONS: Final = {0, 43, 60}
"""IPv6 extension headers that say their length in units of 8 bytes (RFC 8200, section 4)."""
_SUMMED_AT: Final = {1: 2, 2: 2, 58: 2, 6: 16, 17: 6}
"""Where ICMP, IGMP, ICMPv6, TCP and UDP have their checksum."""


@dataclass
class Layout:
    """Offsets into a frame, bytes."""

    ethertype: int
    """0 for a frame of IEEE 802.3 whose LLC header says nothing else."""
    network: int
    """The header after the link layer's."""
    protocol: int = -1
    """What IP carries; -1 where there is no IP header, or only a fragment after the first."""
    transport: int = 0
    """The header after IP's; 0 where there is none."""
    payload: int = 0
    """What TCP and UDP carry, and the body of ICMP; the network header's start where none is."""
    end: int = 0
    """What follows is padding."""

    @property
    def is_ip4(self) -> bool:
        """It is IPv4."""
        return self.ethertype == _IP4

    @property
    def is_ip6(self) -> bool:
        """It is IPv6."""
        return self.ethertype == _IP6

    @property
    def has_ports(self) -> bool:
        """It carries TCP or UDP."""
        return self.protocol in (6, 17)


def find_layout(frame: bytes | bytearray) -> Layout:
    """The layout of an Ethernet frame; of one that is damaged or cut off, as far as it goes."""
    try:
        ethertype, network = _link(frame)
        if ethertype == _IP4:
            return _ip4(frame, network)
        if ethertype == _IP6:
            return _ip6(frame, network)
    except (struct.error, IndexError):
        ethertype, network = -1, min(14, len(frame))
    end = len(frame)
    if ethertype == 0x0806:
        end = min(end, network + 28)
    elif ethertype == 0x888E and end >= network + 4:
        end = min(end, network + 4 + int.from_bytes(frame[network + 2 : network + 4]))
    elif ethertype == 0:
        end = min(end, network + int.from_bytes(frame[network - 2 : network]))
    return Layout(ethertype, network, payload=network, end=end)


def _link(frame: bytes | bytearray) -> tuple[int, int]:
    """EtherType, and where the link layer ends."""
    at = 12
    (ethertype,) = struct.unpack_from("!H", frame, at)
    while ethertype in _VLAN:
        at += 4
        (ethertype,) = struct.unpack_from("!H", frame, at)
    if ethertype >= 0x0600:
        return ethertype, at + 2
    if frame[at + 2 : at + 8] == b"\xaa\xaa\x03\0\0\0":
        return struct.unpack_from("!H", frame, at + 8)[0], at + 10
    return 0, at + 2


def _ip4(frame: bytes | bytearray, network: int) -> Layout:
    size = (frame[network] & 15) * 4
    total, _, fragment = struct.unpack_from("!HHH", frame, network + 2)
    end = min(len(frame), network + max(total, size))
    start = network + size
    # a fragment has no checksum of its own
    protocol = -1 if fragment & 0x3FFF else frame[network + 9]
    return _carried(frame, Layout(_IP4, network, protocol, start, start, end))


def _ip6(frame: bytes | bytearray, network: int) -> Layout:
    (size,) = struct.unpack_from("!H", frame, network + 4)
    end = min(len(frame), network + 40 + size)
    kind, start = frame[network + 6], network + 40
    while kind in _EXTENSIONS:
        kind, start = frame[start], start + 8 + 8 * frame[start + 1]
    return _carried(frame, Layout(_IP6, network, kind, start, start, end))


def _carried(frame: bytes | bytearray, layout: Layout) -> Layout:
    start, end = layout.transport, layout.end
    size = {6: 20, 17: 8}.get(layout.protocol, 4)
    if layout.protocol == 6 and start + 12 < end:
        size = max(20, (frame[start + 12] >> 4) * 4)
    if start + size > end:
        return replace(layout, protocol=-1, transport=0, payload=min(start, end))
    return replace(layout, payload=start + size)


def option_at(frame: bytes | bytearray, layout: Layout, kind: int) -> int:
    """Where the values of an option of TCP begin; 0 without."""
    at, end = layout.transport + 20, layout.payload
    while at < end and frame[at]:
        if frame[at] == kind:
            return at + 2
        at += 1 if frame[at] == 1 else max(2, frame[at + 1])
    return 0


def internet_sum(data: bytes | bytearray) -> int:
    """The sum that internet checksums are the complement of (RFC 1071), modulo 65535.

    In one's complement 65536 is 1, so the sum of 16-bit words is the whole number's remainder.
    """
    number = int.from_bytes(data)
    return (number << 8 if len(data) & 1 else number) % 65535


def set_checksums(frame: bytearray, layout: Layout, *, carried: bool = True) -> None:
    """Compute the checksum of IPv4 and, if `carried`, of what IP carries; none without IP."""
    network, protocol, start, end = layout.network, layout.protocol, layout.transport, layout.end
    is_ip4 = layout.ethertype == _IP4
    if is_ip4:
        _WORD.pack_into(frame, network + 10, 0)
        value = 65535 - internet_sum(frame[network : network + (frame[network] & 15) * 4])
        _WORD.pack_into(frame, network + 10, value % 65535)
    at = _SUMMED_AT.get(protocol)
    if at is None or not carried:
        return
    at += start
    _WORD.pack_into(frame, at, 0)
    if protocol <= 2:
        value = internet_sum(frame[start:end])
    else:
        # mostly the addresses stand right before what is summed besides
        last = network + (20 if is_ip4 else 40)
        first = last - (8 if is_ip4 else 32)
        value = (
            internet_sum(frame[first if last == start else start : end]) + protocol + end - start
        )
        if last != start:
            value += internet_sum(frame[first:last])
    value = (65535 - value % 65535) % 65535
    # 0 says that UDP has no checksum
    _WORD.pack_into(frame, at, value or 65535 * (protocol == 17))
