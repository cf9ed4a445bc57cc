"""All codecs of linked fields, in the order in which they write."""

from iotflowgen.packets.codec import Codec
from iotflowgen.packets.tcp.numbers import SequenceNumbers

__all__ = ["CODECS"]

CODECS: tuple[type[Codec], ...] = (SequenceNumbers,)
