"""The interface of codecs, one for each linked field.

A field is linked if its value depends on other packets: a sequence number, an identifier that a
response repeats, a counter. Its codec takes it out of captured packets and keeps what it refers to
(`encode`), and writes its new value into packets that repeat captured ones (`decode`). Both are in
one file, with a round-trip test.

Shapes: P captured packets; E packets of a block.
"""

from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.packets.rows import Rows
from iotflowgen.recording import Packets, Recording
from iotflowgen.wire.arrays import Integers

__all__ = ["Codec", "Foresees", "columns_of"]


class Codec(Protocol):
    """Captured values of a linked field to references, and back."""

    name: ClassVar[str]

    def __init__(self, recording: Recording) -> None:
        """Take one's own references, and whatever else is needed, out of a recording.

        It serves all files that repeat this recording, whose frames are as they were captured; to
        have them as a file shows them, it `ShowsHosts`.
        """

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """References of captured packets, by names of one's own; of any shape, mostly (P, ...).

        By these a model knows the codecs of other distributions that it needs: they have one at
        least.

        What differs from packet to packet becomes 0 in their frames, which are written to.
        """

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:
        """Write the field into the frames of a block, in place.

        Args:
            packets: E packets, those that are remembered first.
            memory: What was kept of the blocks before; what later ones need is to be kept there,
                of new packets.
            noise: Draws, to be made for packets, flows and sessions by their numbers.
        """


@runtime_checkable
class Foresees(Protocol):
    """A codec whose fields refer to packets that come later."""

    def foresee(self, rows: Rows, piece: Integers, memory: Memory) -> None:
        """Remember what fields of packets that are not rendered yet (E) are to say.

        Args:
            rows: The packets.
            piece: Of which piece of a session each is, rising (E); what is said must not depend on
                other pieces.
            memory: As of `decode`.
        """


def columns_of(count: int, place: Integers, **columns: NDArray) -> dict[str, NDArray]:  # type: ignore[type-arg]
    """Columns (M, ...) of the packets at `place` (M), as columns of all `count`; 0 elsewhere."""
    whole = {}
    for name, column in columns.items():
        whole[name] = np.zeros((count, *column.shape[1:]), dtype=column.dtype)
        whole[name][place] = column
    return whole
