"""What it takes to put packets on the wire: features in, frames out.

The paper's builder (section 4.5), which fuzzes whatever the features leave open, is one
`PacketBuilder`; any other stands beside it.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

__all__ = ["Frame", "PacketBuilder", "PacketFeatures"]


class PacketFeatures(NamedTuple):
    """One packet of a window, all that a generator says about it except its time."""

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


class Frame(NamedTuple):
    """An Ethernet frame without its checksum, as captures hold it."""

    data: bytes
    compromises: tuple[str, ...] = ()
    """In what the frame differs from the features, because no frame could agree with them."""


class PacketBuilder(Protocol):
    """Builds the packets of one file, window by window."""

    @property
    def device_mac(self) -> str:
        """The MAC address of the device, from which every outgoing packet comes."""

    @property
    def device_ip(self) -> str:
        """The IPv4 address of the device."""

    def build(self, window: Sequence[PacketFeatures]) -> list[Frame]:
        """One frame a packet, in order; windows know nothing of each other's connections."""
