"""Packets as columns: captured ones, and those that are about to be written.

Shapes: P packets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire import Frames, Layers
from iotflowgen.wire.arrays import Columns, Flags, Integers

__all__ = ["Packets", "Told", "once"]

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False, kw_only=True)
class Told(Columns):
    """What is told of packets (P), in their order; those of a session in the order of time."""

    number: Integers
    """Which packet of all that are written, or were captured, each is, from 0 on (P)."""
    session: Integers
    """Which session each is of, or which capture, where it was captured, from 0 on (P)."""
    flow: Integers
    """Which flow (connection), by numbers that are each session's own; -1 for none (P)."""
    time_ns: Integers
    """When each is sent, nanoseconds since the epoch (P)."""
    outgoing: Flags
    """Sent by the device (P)."""
    protocols: NDArray[np.uint16]
    """Protocol configuration, a bit each (P)."""
    source: Integers
    """Which packet of the recording it repeats (P), -1 for none; of captured ones, itself."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Packets(Told):
    """Packets (P) with their bytes. Frames are written to in place; all else stays."""

    frames: Frames
    """Ethernet frames, without their check sequence; packets that are taken share their bytes."""
    layers: Layers
    """Theirs."""
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

    @cached_property
    def news(self) -> "Packets":
        """Those that are to be written now, which come last."""
        return self.take(slice(len(self) - int(np.count_nonzero(self.is_new)), None))


def once(find: Callable[[Packets], _T]) -> Callable[[Packets], _T]:
    """Of captured packets, have a function find only once what states and codecs both ask for.

    It is kept for as long as the packets are, and is what it was when it was found first, although
    codecs write to frames.
    """
    known: WeakKeyDictionary[Packets, _T] = WeakKeyDictionary()

    @wraps(find)
    def found(packets: Packets) -> _T:
        if packets not in known:
            known[packets] = find(packets)
        return known[packets]

    return found
