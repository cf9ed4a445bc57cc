"""What TCP's segments refer to: a codec a linked field."""

from iotflowgen.packets.tcp.numbers import SequenceNumbers
from iotflowgen.packets.tcp.timestamps import Timestamps
from iotflowgen.packets.tcp.windows import ReceiveWindows

__all__ = ["ReceiveWindows", "SequenceNumbers", "Timestamps"]
