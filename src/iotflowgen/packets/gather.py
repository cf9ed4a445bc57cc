"""Copies of captured frames, adjusted to their drawn lengths.

Shapes: E packets.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire import Frames, Layers, copy_ranges
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["gather", "set_lengths"]

_IP6_HEADER = 40


def gather(
    frames: Frames, layers: Layers, length: NDArray[np.int32], spot: Integers
) -> tuple[Frames, Layers]:
    """A copy of frames (E), with bytes put in or left out where lengths differ.

    Args:
        frames: As they were captured (E).
        layers: Theirs (E).
        length: Bytes that each is to have (E).
        spot: Where in each of these frames bytes are put in, or before which they are left out,
            from where it begins (E).
    """
    size, wanted = frames.size, length.astype(np.int64)
    start = np.cumsum(wanted) - wanted
    data = np.empty(int(wanted.sum()), dtype=np.uint8)
    old, more = frames.start, wanted - size
    other = np.flatnonzero(more)
    if not len(other):
        copy_ranges(frames.data, old, data, start, size)
    else:
        head = np.where(more > 0, spot, np.maximum(spot + more, layers.payload))
        head = np.minimum(np.where(more == 0, size, head), wanted)
        tail = np.where(more == 0, 0, np.minimum(size - spot, wanted - head))
        copy_ranges(frames.data, old, data, start, head)
        # what is put in is like what stands before it, unless it is drawn
        gap = (wanted - head - tail)[other]
        which = np.repeat(other, gap)
        into = (start + head)[which] + np.arange(len(which)) - np.repeat(np.cumsum(gap) - gap, gap)
        data[into] = data[np.maximum((start + head)[which] - 1, 0)]
        copy_ranges(frames.data, old + size - tail, data, start + wanted - tail, tail)
    end = np.clip(layers.end + more, np.minimum(layers.payload, wanted), wanted)
    return Frames(data, start, wanted), replace(layers, end=end)


def set_lengths(frames: Frames, layers: Layers, which: Flags) -> None:
    """Write the lengths into the IP and UDP headers of the frames `which` (E), in place."""
    network, end = layers.network, layers.end
    frames.put(network + 2, 2, end - network, which & layers.is_ip4)
    frames.put(network + 4, 2, end - network - _IP6_HEADER, which & layers.is_ip6)
    frames.put(layers.transport + 4, 2, end - layers.transport, which & layers.is_udp)
