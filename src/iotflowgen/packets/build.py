"""What it takes to put packets on the wire: features in, frames out.

The paper's builder (section 4.5), which fuzzes whatever the features leave open, is one
`PacketBuilder`; the one that fills templates stands beside it.
"""

from collections.abc import Sequence
from typing import Final, Protocol

__all__ = ["FEATURES", "Frame", "PacketBuilder", "PacketFeatures"]


FEATURES: Final = ("length", "outgoing", "src_port", "dst_port", "protocols")
"""What `PacketFeatures` takes, in its order."""


class PacketFeatures:
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

    def __init__(
        self, length: int, outgoing: bool, src_port: int, dst_port: int, protocols: int
    ) -> None:
        self.length = length
        self.outgoing = outgoing
        self.src_port = src_port
        self.dst_port = dst_port
        self.protocols = protocols

    def of_length(self, length: int) -> "PacketFeatures":
        """The same at another length."""
        return PacketFeatures(length, self.outgoing, self.src_port, self.dst_port, self.protocols)


class Frame:
    """An Ethernet frame without its checksum, as captures hold it."""

    data: bytes
    compromises: tuple[str, ...]
    """In what the frame differs from the features, because no frame could agree with them."""

    def __init__(self, data: bytes, compromises: tuple[str, ...] = ()) -> None:
        self.data = data
        self.compromises = compromises


class PacketBuilder(Protocol):
    """Builds the packets of one file, run by run."""

    @property
    def device_mac(self) -> str:
        """The MAC address of the device, from which every outgoing packet comes."""

    @property
    def device_ip(self) -> str:
        """The IPv4 address of the device."""

    def build(
        self,
        packets: Sequence[PacketFeatures],
        times_ns: Sequence[int],
        *,
        begins: bool = True,
        following: Sequence[PacketFeatures] = (),
    ) -> list[Frame]:
        """One frame a packet, in order.

        Args:
            packets: A run of packets, of any length, or a piece of one.
            times_ns: When each is sent, nanoseconds since the epoch.
            begins: Whether a run begins here, which knows nothing of the connections before it.
            following: The next piece of the run; empty where it ends.
        """
