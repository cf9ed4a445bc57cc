"""A packet as a capture holds it: its frame, and what is read from that and from its features."""

import ipaddress
from collections.abc import Sequence
from typing import NamedTuple

from iotflowgen.packets.build import PacketFeatures
from iotflowgen.packets.layout import Layout, find_layout
from iotflowgen.packets.mask import DNS, LEASE
from iotflowgen.traffic import Trace

__all__ = ["Packet", "packets_of"]


class Packet(NamedTuple):
    """A packet of a capture."""

    frame: bytes
    """Shorter than `length` if it was cut off."""
    layout: Layout
    time_ns: int
    length: int
    outgoing: bool
    src_port: int
    dst_port: int
    protocols: int

    @property
    def features(self) -> PacketFeatures:
        """What a generator would say of it."""
        return PacketFeatures(
            self.length, self.outgoing, self.src_port, self.dst_port, self.protocols
        )

    @property
    def payload(self) -> bytes:
        """What its last header carries."""
        return self.frame[self.layout.payload : self.layout.end]

    @property
    def ip_id(self) -> int:
        """Of IPv4; 0 without."""
        at = self.layout.network
        return int.from_bytes(self.frame[at + 4 : at + 6]) if self.layout.is_ip4 else 0

    @property
    def flags(self) -> int:
        """Of a TCP segment."""
        return self.frame[self.layout.transport + 13]

    @property
    def sequence(self) -> int:
        """The sequence number of a TCP segment."""
        at = self.layout.transport
        return int.from_bytes(self.frame[at + 4 : at + 8])

    @property
    def acknowledged(self) -> int:
        """The acknowledgment number of a TCP segment."""
        at = self.layout.transport
        return int.from_bytes(self.frame[at + 8 : at + 12])

    @property
    def addresses(self) -> tuple[str, str]:
        """Source and destination; empty without IP."""
        at = self.layout.network
        if self.layout.is_ip4:
            raw = self.frame[at + 12 : at + 16], self.frame[at + 16 : at + 20]
        elif self.layout.is_ip6:
            raw = self.frame[at + 8 : at + 24], self.frame[at + 24 : at + 40]
        else:
            return "", ""
        return _text(raw[0]), _text(raw[1])

    @property
    def question_id(self) -> int | None:
        """The id of a question of the device's to DNS; None of all else."""
        asks = self.outgoing and self.protocols & DNS and self.layout.protocol == 17
        return int.from_bytes(self.payload[:2]) if asks else None

    @property
    def lease_id(self) -> bytes:
        """The transaction id of a BOOTP message; empty without."""
        return self.payload[4:8] if self.protocols & LEASE else b""


def packets_of(trace: Trace, frames: Sequence[bytes]) -> list[Packet]:
    """The packets of one capture; `frames` are those of the trace."""
    names = ("time_ns", "length", "outgoing", "src_port", "dst_port", "protocols")
    columns = (getattr(trace, name).tolist() for name in names)
    return [
        Packet(frame, find_layout(frame), *row)
        for frame, row in zip(frames, zip(*columns, strict=True), strict=True)
    ]


def _text(raw: bytes) -> str:
    return str(ipaddress.ip_address(raw)) if len(raw) in (4, 16) else ""
