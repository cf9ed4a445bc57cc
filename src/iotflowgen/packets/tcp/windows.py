"""The receive window of TCP segments, as a codec (RFC 9293, section 3.8.6).

A sender advertises its window in every segment, mostly unchanged. A session combines segments of
several captured connections, and another window alone, with nothing new sent or acknowledged, would
be a window update where there was none.

Shapes: P captured packets; E packets of a block.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.recording import Groups, Packets, Recording
from iotflowgen.wire import RST, payload_size, tcp_flags, tcp_window

__all__ = ["ReceiveWindows"]

_LAST = "tcp.window"


class ReceiveWindows:
    """Windows as captured, or the last one that the sender advertised."""

    name: ClassVar[str] = "windows"

    def __init__(self, recording: Recording) -> None:
        """Take the references of all packets (P).

        With anything new in the segment, the window is the captured one: it mostly grows with the
        connection, and must do so where a session switches to a later part of another.
        """
        packets = recording.packets
        is_new = (recording.of("tcp")["rises"] > 0) | (payload_size(packets.layers) > 0)
        self._repeats = recording.of(self.name)["repeats"] & ~is_new

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """Whether a segment `repeats` the window that its sender advertised before (P)."""
        which = np.flatnonzero(_tells(packets))
        segments = packets.take(which)
        window = tcp_window(segments.frames, segments.layers)
        repeats = np.zeros(len(packets), dtype=bool)
        repeats[which] = Groups(_line(segments)).previous(window, -1) == window
        return {"repeats": repeats}

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:  # noqa: ARG002
        """Write the windows of new segments that repeat one."""
        segments = packets.take(np.flatnonzero(_tells(packets) & packets.is_new))
        window = tcp_window(segments.frames, segments.layers)
        repeats, line = self._repeats[segments.source], _line(segments)
        groups = Groups(line)
        opens = np.flatnonzero(groups.is_first)
        recalled = memory.recall(_LAST, line[opens], window[opens])
        window[opens] = np.where(repeats[opens], recalled, window[opens])
        window = window[groups.latest(~repeats | groups.is_first)]
        segments.frames.put(segments.layers.transport + 14, 2, window)
        memory.keep(_LAST, line, window)


def _line(segments: Packets) -> NDArray[np.int64]:
    """Who sends in which connection, as a number (E)."""
    return 2 * segments.flow + segments.outgoing


def _tells(packets: Packets) -> NDArray[np.bool_]:
    """Segments whose window counts (E); a reset has none."""
    is_reset = tcp_flags(packets.frames, packets.layers) & RST > 0
    tells: NDArray[np.bool_] = packets.layers.is_tcp & (packets.flow >= 0) & ~is_reset
    return tells
