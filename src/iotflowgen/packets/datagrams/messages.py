"""What codecs of messages have in common.

Shapes: P captured packets; E packets of a block; M messages.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.codec import columns_of
from iotflowgen.recording import Packets, Recording
from iotflowgen.wire.arrays import Integers

__all__ = ["MessageCodec", "told_of"]


class MessageCodec:
    """A codec of fields that only some packets have, whose references are those of `told_of`."""

    name: ClassVar[str]

    def __init__(self, recording: Recording) -> None:
        """Take the references of all packets (P)."""
        self._told = recording.of(self.name)

    def new(self, packets: Packets) -> tuple[Packets, dict[str, NDArray[Any]]]:
        """Those of a block that are new messages (M), and what they refer to (M, ...)."""
        news = packets.news
        messages = news.take(self._told["is_there"][news.source])
        return messages, {name: column[messages.source] for name, column in self._told.items()}


def told_of(packets: Packets, place: Integers, **columns: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """What messages, at `place` (M), refer to (M, ...), as columns of all packets (P, ...).

    They are 0 of other packets; `is_there` says which are messages.
    """
    return columns_of(len(packets), place, is_there=np.ones(len(place), dtype=bool), **columns)
