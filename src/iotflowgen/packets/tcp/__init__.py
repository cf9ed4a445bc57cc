"""What TCP's segments refer to: a codec a linked field."""

from iotflowgen.packets.tcp.numbers import SequenceNumbers
from iotflowgen.packets.tcp.timestamps import Timestamps

__all__ = ["SequenceNumbers", "Timestamps"]
