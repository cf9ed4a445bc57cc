"""Segments that are sent again, which say what they said before (RFC 9293, section 3.8.1).

Shapes: E packets of a block.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.recording import Packets, Recording
from iotflowgen.wire import copy_ranges, payload_size

__all__ = ["Retransmissions"]


class Retransmissions:
    """The payload of segments that are sent again; the last codec of what is in payload."""

    name: ClassVar[str] = "retransmissions"

    def __init__(self, recording: Recording) -> None:
        """Take nothing: which segments these are, sequence numbers say."""

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:  # noqa: ARG004
        """Nothing."""
        return {}

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:  # noqa: ARG002
        """Copy as many bytes as both have."""
        again = np.flatnonzero(packets.original != np.arange(len(packets)))
        original = packets.original[again]
        data, begin = packets.frames.data, packets.frames.start + packets.layers.payload
        size = payload_size(packets.layers)
        both = np.minimum(size[again], size[original])
        copy_ranges(data, begin[original], data, begin[again], both)
