"""Read and write the numbers in headers of TCP segments (RFC 9293, 2018).

Shapes: P segments.
"""

import numpy as np

from iotflowgen.packets.tcp.sequence import MOST_BLOCKS, Numbers
from iotflowgen.wire import (
    ACK,
    FIN,
    SYN,
    Frames,
    Layers,
    find_options,
    payload_size,
    tcp_acknowledgment,
    tcp_flags,
    tcp_sequence,
)

__all__ = ["read_numbers", "write_numbers"]

_EDGES = 2 * MOST_BLOCKS


def read_numbers(frames: Frames, layers: Layers) -> Numbers:
    """What segments say; `frames` are of TCP alone, and whole."""
    flags = tcp_flags(frames, layers)
    acknowledges = flags & ACK > 0
    at = find_options(frames, layers).sack
    has = np.flatnonzero(at)
    some, at = frames.take(has), at[has]
    size = some.number(at - 1, 1) - 2
    blocks = np.full((len(frames), _EDGES), -1, dtype=np.int64)
    for edge in range(_EDGES):
        blocks[has, edge] = np.where(4 * edge < size, some.number(at + 4 * edge, 4), -1)
    return Numbers(
        sequence=tcp_sequence(frames, layers),
        acknowledgment=np.where(acknowledges, tcp_acknowledgment(frames, layers), 0),
        acknowledges=acknowledges,
        opens=flags & SYN > 0,
        taken=payload_size(layers) + (flags & SYN > 0) + (flags & FIN > 0),
        blocks=blocks,
    )


def write_numbers(frames: Frames, layers: Layers, numbers: Numbers) -> None:
    """Write numbers into segments, in place; without ACK, the acknowledgment number stays."""
    at = layers.transport
    frames.put(at + 4, 4, numbers.sequence)
    frames.put(at + 8, 4, numbers.acknowledgment, numbers.acknowledges)
    has = np.flatnonzero((numbers.blocks >= 0).any(axis=1))
    some, blocks = frames.take(has), numbers.blocks[has]
    options = find_options(some, layers.take(has)).sack
    for edge in range(_EDGES):
        where = (blocks[:, edge] >= 0) & (options > 0)
        some.put(options + 4 * edge, 4, blocks[:, edge], where)
