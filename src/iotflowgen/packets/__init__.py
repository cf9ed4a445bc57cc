"""Windows to frames on the wire, and frames to a capture file (paper, section 4.5)."""

from iotflowgen.packets.build import Frame, PacketBuilder, PacketFeatures
from iotflowgen.packets.fuzz import FuzzBuilder
from iotflowgen.packets.write import DEFAULT_START_NS, WriteReport, write_capture

__all__ = [
    "DEFAULT_START_NS",
    "Frame",
    "FuzzBuilder",
    "PacketBuilder",
    "PacketFeatures",
    "WriteReport",
    "write_capture",
]
