"""What TCP's segments refer to: a codec a linked field."""

from iotflowgen.packets.tcp.numbers import SequenceNumbers, find_references
from iotflowgen.packets.tcp.states import closed_sides
from iotflowgen.packets.tcp.timestamps import Timestamps
from iotflowgen.packets.tcp.windows import ReceiveWindows

__all__ = [
    "ReceiveWindows",
    "SequenceNumbers",
    "Timestamps",
    "closed_sides",
    "find_references",
]
