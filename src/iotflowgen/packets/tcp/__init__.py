"""What TCP's segments refer to: a codec a linked field."""

from iotflowgen.packets.tcp.numbers import SequenceNumbers, find_references
from iotflowgen.packets.tcp.states import agreed_options, closed_sides, outstanding
from iotflowgen.packets.tcp.timestamps import Timestamps
from iotflowgen.packets.tcp.windows import ReceiveWindows

__all__ = [
    "ReceiveWindows",
    "SequenceNumbers",
    "Timestamps",
    "agreed_options",
    "closed_sides",
    "find_references",
    "outstanding",
]
