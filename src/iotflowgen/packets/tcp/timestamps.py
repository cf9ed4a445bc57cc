"""The timestamps option of TCP: what clocks say, and which of it is echoed (RFC 7323, section 3).

A timestamp is told by how many ticks it is ahead of a clock that runs evenly from the first number
of its line on. An echo is told by how many different timestamps of the other end lie between
(`lines`): it is that of the segment that was acknowledged last, and a delayed acknowledgment echoes
the first of several.

Shapes: P segments with the option, in the order of time; M mentions, as in `lines`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.tcp.lines import Edges, Flags, Integers, Mentions, unwrapped
from iotflowgen.recording import Groups
from iotflowgen.wire import ACK, Frames, Layers, find_options, tcp_flags

__all__ = [
    "StampReferences",
    "Stamps",
    "decode_stamps",
    "encode_stamps",
    "initial_stamps",
    "read_stamps",
    "write_stamps",
]


@dataclass(frozen=True, kw_only=True)
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
    """Ticks that TSval is ahead of an even clock that began with the line (P)."""
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
    return Stamps(value=frames.number(at, 4), echo=np.where(echoes, echo, 0), echoes=echoes)


def write_stamps(frames: Frames, layers: Layers, stamps: Stamps) -> None:
    """Put timestamps into segments that have the option, in place."""
    at = find_options(frames, layers).timestamps
    frames.put(at, 4, stamps.value)
    frames.put(at + 4, 4, stamps.echo)


def _ticks(time_ns: Integers, rate: NDArray[np.float64], mentions: Mentions) -> Integers:
    """Ticks of each mention's line since it began, of a clock that runs evenly (M).

    `rate` (P, 2) is of the segment's own line, and of the other one.
    """
    time_M = mentions.of(time_ns, time_ns)
    ticks: Integers = np.rint(
        (time_M - mentions.begun(time_M)) * (rate.ravel()[mentions.rows] / 1e9)
    ).astype(np.int64)
    return ticks


def encode_stamps(
    flow: Integers,
    outgoing: Flags,
    time_ns: Integers,
    rate: NDArray[np.float64],
    stamps: Stamps,
) -> StampReferences:
    """Timestamps as references.

    Args:
        flow: Which connection a segment is of (P).
        outgoing: Which direction (P).
        time_ns: When it was captured, nanoseconds (P).
        rate: Ticks a second of the sender's clock, and of the other end's (P, 2).
        stamps: What the segments say.
    """
    mentions = Mentions(flow, outgoing, stamps.echoes)
    relative = unwrapped(mentions.of(stamps.value, stamps.echo), mentions.groups)
    is_own = mentions.rows % 2 == 0
    advances, highest, before = _advances(relative, is_own, mentions.groups)
    back, off = Edges(mentions.groups, advances, highest).refer(np.arange(len(relative)), relative)
    lag = relative - _ticks(time_ns, rate, mentions)
    return StampReferences(
        lag=mentions.pairs(lag.astype(np.int32))[:, 0],
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
    flow: Integers,
    outgoing: Flags,
    time_ns: Integers,
    rate: NDArray[np.float64],
    references: StampReferences,
    echoes: Flags,
    initial: Integers,
) -> Stamps:
    """Timestamps of segments of connections `flow` (P): the inverse of `encode_stamps`.

    Args:
        flow: Which connection a segment is of (P).
        outgoing: Which direction (P).
        time_ns: When it is sent now, nanoseconds (P).
        rate: Ticks a second of the sender's clock, and of the other end's (P, 2).
        references: Of each segment.
        echoes: Whether it echoes a timestamp (P).
        initial: Where its own line and the other one begin (P, 2).
    """
    mentions = Mentions(flow, outgoing, echoes)
    groups, is_own = mentions.groups, mentions.rows % 2 == 0
    lag = mentions.of(references.lag.astype(np.int64), np.zeros(len(flow), dtype=np.int64))
    falls = mentions.of(references.falls, np.zeros_like(references.falls))
    said = _ticks(time_ns, rate, mentions) + lag
    _, highest, _ = _advances(np.where(falls, 0, said), is_own, groups)
    # no clock goes back, unless segments overtook each other
    relative = np.where(falls, np.minimum(said, highest), np.where(highest > 0, highest, said))
    advances, highest, _ = _advances(relative, is_own, groups)
    none = np.zeros(len(flow), dtype=np.int64)
    back = mentions.of(none, references.back.astype(np.int64))
    off = mentions.of(none, references.off.astype(np.int64))
    echoed = Edges(groups, advances, highest).at(np.arange(len(said)), back, off)
    relative = np.where(is_own, relative, echoed)
    numbers = mentions.pairs((relative + initial.ravel()[mentions.rows]) % 2**32)
    return Stamps(value=numbers[:, 0], echo=numbers[:, 1], echoes=echoes)


def initial_stamps(flow: Integers, outgoing: Flags, stamps: Stamps) -> Integers:
    """Where the lines of each segment began when captured (P, 2): the first mention."""
    mentions = Mentions(flow, outgoing, stamps.echoes)
    return mentions.pairs(mentions.begun(mentions.of(stamps.value, stamps.echo)))
