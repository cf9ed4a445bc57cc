"""Options of TCP: where in each frame their values lie (RFC 9293, 2018, 7323).

Shapes: P packets.
"""

from typing import Final, NamedTuple

import numpy as np

from iotflowgen.wire.arrays import Integers
from iotflowgen.wire.frames import Frames
from iotflowgen.wire.layers import Layers

__all__ = ["Options", "find_options"]

_END, _NOTHING, _SACK = 0, 1, 5
_SIZES: Final = {3: 3, 4: 2, _SACK: 0, 8: 10}
"""Bytes of each option that is found, by its kind; any of blocks."""
_BLOCK: Final = 8
"""Bytes of a block of selective acknowledgment."""
_USUAL: Final = 0x0101080A
"""Two that say nothing and timestamps: all options of most segments."""


class Options(NamedTuple):
    """Offsets (P) from where a frame begins to an option's value, which follows kind and length.

    0 where a segment lacks the option. A whole value always lies within the header.
    """

    window_scale: Integers
    """Shift of windows, 1 byte."""
    sack_permitted: Integers
    """Nothing, so that the offset is where the next option begins."""
    sack: Integers
    """Blocks of selective acknowledgment, 8 bytes each; the byte before says how many."""
    timestamps: Integers
    """The sender's clock and the echo of the other's, 4 bytes each."""


def find_options(frames: Frames, layers: Layers) -> Options:
    """The options of all TCP segments; of one that comes twice, the first.

    As Linux does, one with a length that is not its own is passed over, and one that ends beyond
    the header or has fewer than 2 bytes ends the search.
    """
    options = Options(*(np.zeros(len(frames), np.int64) for _ in _SIZES))
    index = np.flatnonzero(layers.is_tcp & (layers.payload > layers.transport + 20))
    at, end = layers.transport[index] + 20, layers.payload[index]
    usual = (frames.take(index).number(at, 4) == _USUAL) & (end == at + 12)
    options.timestamps[index[usual]] = at[usual] + 4
    index, at, end = index[~usual], at[~usual], end[~usual]
    while len(index):
        some = frames.take(index)
        kind, size = some.number(at, 1), some.number(at + 1, 1)
        size = np.where(kind == _NOTHING, 1, size)
        goes_on = (kind == _NOTHING) | ((size >= 2) & (at + size <= end))
        goes_on &= kind != _END
        has_blocks = (size > 2) & ((size - 2) % _BLOCK == 0)
        for found, (number, own) in zip(options, _SIZES.items(), strict=True):
            is_whole = has_blocks if number == _SACK else size == own
            new = goes_on & (kind == number) & is_whole & (found[index] == 0)
            found[index[new]] = at[new] + 2
        at = at + size
        goes_on &= at < end
        index, at, end = index[goes_on], at[goes_on], end[goes_on]
    return options
