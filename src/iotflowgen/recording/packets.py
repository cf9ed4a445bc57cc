"""Packets with their bytes, as columns: captured ones, and those that are about to be written."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire import Frames, Layers
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["Packets"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Packets:
    """Packets (P) in order, those of a session in the order of time.

    Frames are written to in place; all else stays.
    """

    frames: Frames
    """Ethernet frames, without their check sequence."""
    layers: Layers
    """Theirs."""
    time_ns: Integers
    """When each is sent, nanoseconds since the epoch (P)."""
    outgoing: Flags
    """Sent by the device (P)."""
    protocols: NDArray[np.uint16]
    """Protocol configuration, a bit each (P)."""
    session: Integers
    """Which session each is of, or which capture, where it was captured (P)."""
    flow: Integers
    """Which flow (connection), by numbers that are each session's own; -1 for none (P)."""
    source: Integers
    """Which packet of the recording it repeats (P); of captured ones, itself."""
    number: Integers
    """Which packet of all that are written, or were captured, each is, from 0 on (P)."""
    is_new: Flags
    """To be written now (P); others were written before, and are here for what refers to them."""
    stays: Flags
    """To be remembered, for packets of the same flow that may come later (P)."""
    position: Integers
    """Where the payload of a TCP segment begins in what its sender says, bytes (P); 0 without
    TCP, and until the codec of sequence numbers has said so."""
    original: Integers
    """Which of these packets first had the payload that a segment has, if it is a retransmission
    (P); itself, if not. Said by the codec of sequence numbers, too."""

    def __len__(self) -> int:
        return len(self.frames)

    @cached_property
    def news(self) -> "Packets":
        """Those that are to be written now, which come last."""
        return self.take(slice(len(self) - int(np.count_nonzero(self.is_new)), None))

    def take(self, which: NDArray[Any] | slice) -> "Packets":
        """Those of an array of indices, a mask or a slice; they share their bytes with these."""
        if isinstance(which, np.ndarray) and which.dtype == bool:
            which = np.flatnonzero(which)
        columns: dict[str, Any] = {
            f.name: getattr(self, f.name)[which] for f in fields(self) if f.name not in _PARTS
        }
        parts = {name: getattr(self, name).take(which) for name in _PARTS}
        return replace(self, **columns, **parts)


_PARTS = ("frames", "layers")
