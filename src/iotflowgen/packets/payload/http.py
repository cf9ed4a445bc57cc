"""Content-Length where a message is in one segment and longer or shorter than captured (RFC 9110).

What goes on in later segments keeps what it said: who puts segments together says what comes.

Shapes: P captured packets; E packets of a block; H heads of messages among them.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.recording import Packets, Recording
from iotflowgen.wire.http import HttpHeads, find_heads

__all__ = ["HttpLengths"]


class HttpLengths:
    """What heads say of bodies that are all there."""

    name: ClassVar[str] = "http"

    def __init__(self, recording: Recording) -> None:
        """Take which packets (P) hold a whole message that says its length."""
        self._whole = recording.of(self.name)["whole"]
        self._size = recording.frames.size

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """Packets that hold a `whole` message (P)."""
        heads, end = _heads(packets)
        return {
            "whole": packets.layers.is_tcp & (heads.length >= 0) & (heads.end + heads.length == end)
        }

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:  # noqa: ARG002
        """Write lengths where they have changed."""
        is_other = packets.frames.size != self._size[packets.source]
        some = packets.take(np.flatnonzero(self._whole[packets.source] & is_other))
        if not len(some):
            return
        heads, end = _heads(some)
        length = end - heads.end
        changed = (heads.length >= 0) & (heads.end > 0) & (length != heads.length)
        for row in np.flatnonzero(changed).tolist():
            at, size = int(heads.length_at[row]), int(heads.length_size[row])
            _announce(some.frames.data[at : int(end[row])], size, int(length[row]))


def _heads(packets: Packets) -> tuple[HttpHeads, NDArray[np.int64]]:
    """The heads (P) that begin with packets, and where the payload of each ends (P)."""
    frames, layers = packets.frames, packets.layers
    end = frames.start + layers.end
    heads = find_heads(frames.data, frames.start + layers.payload, end)
    return heads, end


def _announce(data: NDArray[np.uint8], size: int, length: int) -> None:
    """Have the first `size` bytes say how long the body is with which `data` ends.

    Where there is no room for the digits, the end of the body gives way. Fewer digits come after
    spaces.
    """
    digits = str(length)
    if more := max(0, len(digits) - size):
        digits = str(length - more)
        more = max(0, len(digits) - size)
        data[size + more :] = data[size : len(data) - more].copy()
    data[: size + more] = np.frombuffer(digits.rjust(size).encode(), dtype=np.uint8)
