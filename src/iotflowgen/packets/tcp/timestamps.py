"""The timestamps option of TCP: what clocks say, and which of it is echoed (RFC 7323, section 3).

A timestamp is told by how many ticks it is ahead of a clock that runs evenly (`clocks`). An echo is
told by how many different timestamps of the other end lie between (`lines`): it is that of the
segment that was acknowledged last, and a delayed acknowledgment echoes the first of several.

Shapes: P segments with the option, in the order of time; M mentions, as in `lines`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.tcp.lines import Edges, Flags, Integers, Mentions, signed, unwrapped
from iotflowgen.recording import Groups
from iotflowgen.wire import ACK, Frames, Layers, find_options, tcp_flags

__all__ = [
    "StampReferences",
    "Stamps",
    "decode_stamps",
    "encode_stamps",
    "read_stamps",
    "write_stamps",
]


@dataclass(frozen=True)
class Stamps:
    """What the option of P segments says."""

    value: Integers
    """TSval, the sender's clock (P)."""
    echo: Integers
    """TSecr (P); 0 where `echoes` is not."""
    echoes: Flags
    """Whether TSecr says something: with the flag ACK alone, and if it is not 0 (P)."""


@dataclass(frozen=True, kw_only=True)
class StampReferences:
    """What timestamps of P segments refer to."""

    lag: NDArray[np.int32]
    """Ticks that TSval and TSecr are ahead of an even clock of their line (P, 2)."""
    echoes: Flags
    """Whether TSecr says something (P)."""
    falls: Flags
    """Whether it is behind what its sender said before, as of a segment that was overtaken (P)."""
    back: NDArray[np.int32]
    """How many different timestamps of the other end came after that which TSecr echoes (P)."""
    off: NDArray[np.int32]
    """Ticks that TSecr is off that one (P)."""


def read_stamps(frames: Frames, layers: Layers) -> Stamps:
    """What segments say; all of `frames` have the option."""
    at = find_options(frames, layers).timestamps
    echo = frames.number(at + 4, 4)
    echoes = (tcp_flags(frames, layers) & ACK > 0) & (echo != 0)
    return Stamps(frames.number(at, 4), np.where(echoes, echo, 0), echoes)


def write_stamps(frames: Frames, at: Integers, stamps: Stamps) -> None:
    """Put timestamps into segments, in place, at the offsets (P) where the option has them."""
    frames.put(at, 4, stamps.value)
    frames.put(at + 4, 4, stamps.echo)


def encode_stamps(mentions: Mentions, clock: Integers, stamps: Stamps) -> StampReferences:
    """Timestamps as references.

    Args:
        mentions: What segments say.
        clock: What an even clock of the line says at the time of each (M).
        stamps: Of these segments.
    """
    value = mentions.of(stamps.value, stamps.echo)
    relative = unwrapped(value, mentions.groups)
    is_own = mentions.rows % 2 == 0
    advances, highest, before = _advances(relative, is_own, mentions.groups)
    back, off = Edges(mentions.groups, advances, highest).refer(np.arange(len(relative)), relative)
    return StampReferences(
        lag=mentions.pairs(signed(value - clock).astype(np.int32)),
        echoes=stamps.echoes,
        falls=mentions.pairs(relative < before)[:, 0],
        back=mentions.pairs(back.astype(np.int32))[:, 1],
        off=mentions.pairs(off.astype(np.int32))[:, 1],
    )


def _advances(
    relative: Integers, is_own: Flags, groups: Groups
) -> tuple[Flags, Integers, Integers]:
    """Which timestamps are later than all before, the latest so far, and before each (M)."""
    highest = groups.greatest(np.where(is_own, np.maximum(relative, 0), 0))
    before = groups.previous(highest, 0)
    return highest > before, highest, before


def decode_stamps(
    mentions: Mentions, clock: Integers, told: StampReferences, begun: Integers
) -> tuple[Stamps, Integers]:
    """The inverse of `encode_stamps`.

    Args:
        mentions: What segments are to say.
        clock: What an even clock of the line says now (M); it may have any number of bits.
        told: References of the segments.
        begun: What the line said before, by the same clock, or what it says first (M).

    Returns:
        The timestamps; and what the line of each mention has reached before it, by that clock (M).
    """
    groups, is_own = mentions.groups, mentions.rows % 2 == 0
    none = np.zeros_like(told.back)
    falls = mentions.of(told.falls, np.zeros_like(told.falls))
    said = clock + mentions.of(told.lag[:, 0], told.lag[:, 1]) - begun
    _, highest, _ = _advances(np.where(falls, 0, said), is_own, groups)
    # no clock goes back, unless segments overtook each other
    relative = np.where(falls, np.minimum(said, highest), highest)
    advances, highest, before = _advances(relative, is_own, groups)
    back = mentions.of(none, told.back).astype(np.int64)
    off = mentions.of(none, told.off).astype(np.int64)
    echoed = Edges(groups, advances, highest).at(np.arange(len(said)), back, off)
    numbers = mentions.pairs((np.where(is_own, relative, echoed) + begun) % 2**32)
    return Stamps(numbers[:, 0], numbers[:, 1], told.echoes), before + begun
