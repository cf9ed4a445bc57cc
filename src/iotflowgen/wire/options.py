"""Options of TCP: where in each frame their values lie (RFC 9293, 2018, 7323).

Shapes: P packets.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire.frames import Frames
from iotflowgen.wire.layers import Layers

__all__ = ["Options", "find_options"]

_END, _NOTHING = 0, 1
_MSS, _SCALE, _PERMITTED, _SACK, _TIMESTAMPS = 2, 3, 4, 5, 8
_SIZES: Final = {_MSS: 4, _SCALE: 3, _PERMITTED: 2, _TIMESTAMPS: 10}
"""Bytes of options that have always as many, with kind and length."""
_BLOCK: Final = 8
"""Bytes of a block of selective acknowledgment."""
_USUAL: Final = 0x0101080A
"""Two that say nothing and timestamps: all options of most segments."""


@dataclass(frozen=True, eq=False)
class Options:
    """Offsets (P) from where a frame begins to an option's value, which follows kind and length.

    0 where a segment lacks the option. A whole value always lies within the header.
    """

    mss: NDArray[np.int64]
    """Kind 2: maximum segment size, 2 bytes."""
    window_scale: NDArray[np.int64]
    """Kind 3: shift of windows, 1 byte."""
    sack_permitted: NDArray[np.int64]
    """Kind 4: nothing, so that the offset is where the next option begins."""
    sack: NDArray[np.int64]
    """Kind 5: blocks of selective acknowledgment, 8 bytes each; the byte before says how many."""
    timestamps: NDArray[np.int64]
    """Kind 8: the sender's clock and the echo of the other's, 4 bytes each."""

    def of(self, kind: int) -> NDArray[np.int64]:
        """The offsets (P) of an option by its kind, 2, 3, 4, 5 or 8."""
        return {
            _MSS: self.mss,
            _SCALE: self.window_scale,
            _PERMITTED: self.sack_permitted,
            _SACK: self.sack,
            _TIMESTAMPS: self.timestamps,
        }[kind]


def find_options(frames: Frames, layers: Layers) -> Options:
    """The options of all TCP segments; of one that comes twice, the first.

    As Linux does, one with a length that is not its own is passed over, and one that ends beyond
    the header or has fewer than 2 bytes ends the search.
    """
    options = Options(*(np.zeros(len(frames), np.int64) for _ in range(5)))
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
        for number, own in _SIZES.items():
            _note(options.of(number), index, at, goes_on & (kind == number) & (size == own))
        blocks = (size > 2) & ((size - 2) % _BLOCK == 0)
        _note(options.sack, index, at, goes_on & (kind == _SACK) & blocks)
        at = at + size
        goes_on &= at < end
        index, at, end = index[goes_on], at[goes_on], end[goes_on]
    return options


def _note(
    found: NDArray[np.int64],
    index: NDArray[np.int64],
    at: NDArray[np.int64],
    which: NDArray[np.bool_],
) -> None:
    """Set where values begin, but where that is known already."""
    new = index[which]
    found[new] = np.where(found[new], found[new], at[which] + 2)
