"""Codecs of messages, and values that an answer repeats: which earlier one of its exchange each is.

Whoever asks makes up a value, or says an earlier one again; whoever answers repeats one. A value is
told by how many were made up since it was, among those with the same key.

Shapes: P captured packets; E packets of a block; M messages, or mentions of a value, as they come.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.codec import columns_of
from iotflowgen.packets.memory import Memory
from iotflowgen.recording import Groups, Packets, Recording
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["MessageCodec", "count_on", "recurring", "refer", "resolve", "told_of"]


_KEPT = 64
"""Values of a key that may be referred to, the last."""


class MessageCodec:
    """A codec of fields that only some packets have, whose references are those of `told_of`."""

    name: ClassVar[str]

    def __init__(self, recording: Recording) -> None:
        """Take the references of all packets (P)."""
        self._told = recording.of(self.name)

    def new(self, packets: Packets) -> tuple[Packets, dict[str, NDArray[Any]]]:
        """Those of a block that are new messages (M), and what they refer to (M, ...)."""
        news = packets.news
        messages = news.take(self._told["is_there"][news.source])
        return messages, {name: column[messages.source] for name, column in self._told.items()}


def told_of(packets: Packets, place: Integers, **columns: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """What messages, at `place` (M), refer to (M, ...), as columns of all packets (P, ...).

    They are 0 of other packets; `is_there` says which are messages.
    """
    return columns_of(len(packets), place, is_there=np.ones(len(place), dtype=bool), **columns)


def recurring(value: Integers, capture: Integers) -> Flags:
    """Whether captures more than one show a value (M)."""
    shown = np.unique(np.stack([value, capture]), axis=1)[0]
    values, captures = np.unique(shown, return_counts=True)
    return np.isin(value, values[captures > 1])


def refer(key: Integers, value: Integers, asks: Flags) -> NDArray[np.int32]:
    """How many values were made up since each was (M); -1 for one that is made up now, or unknown.

    Args:
        key: Mentions of the same exchange have the same (M).
        value: What is mentioned (M).
        asks: Whether a value may be made up there (M).
    """
    groups = Groups(key)
    alike = Groups(_numbered(key, value))
    begins = asks & (alike.sum(asks.astype(np.int64)) == 1)
    made_up = groups.sum(begins.astype(np.int64))
    at = alike.latest(begins)
    back = np.where(begins | (at < 0), -1, made_up - made_up[at])
    return np.where(back < _KEPT, back, -1).astype(np.int32)


def resolve(
    name: str, memory: Memory, key: Integers, asks: Flags, back: NDArray[np.int32], fresh: Integers
) -> Integers:
    """The values (M) that are referred to: the inverse of `refer`, block by block.

    Where fewer were made up than `back` says, it is the first one; where none was, a fresh one.

    Args:
        name: Of what is remembered.
        memory: Of the blocks before; these mentions are added.
        key: As of `refer` (M).
        asks: As of `refer` (M).
        back: What it returned (M).
        fresh: Values that are made up (M).
    """
    begins = asks & (back < 0)
    groups = Groups(key)
    before = memory.recall(f"{name}.count", key, np.zeros_like(key))
    made_up = before + groups.sum(begins.astype(np.int64))
    wanted = np.maximum(made_up - np.maximum(back, 0), 1)
    # rows that make one up, by key and then by time
    rows = np.flatnonzero(begins)
    rows = rows[np.argsort(groups.number[rows], kind="stable")]
    first = np.searchsorted(groups.number[rows], groups.number)
    here = np.minimum(first + wanted - before - 1, len(rows) - 1)
    value = memory.recall(name, _slot(key, wanted), fresh)
    is_here = wanted > before
    value[is_here] = fresh[rows[here[is_here]]] if len(rows) else fresh[is_here]
    value = np.where((made_up == 0) | (~asks & (back < 0)), fresh, value)
    memory.keep(f"{name}.count", key, made_up)
    memory.keep(name, _slot(key[begins], made_up[begins]), fresh[begins])
    return value


def count_on(
    name: str, memory: Memory, key: Integers, step: Integers, begins: Flags, first: Integers
) -> Integers:
    """Numbers (M) that count on, each from the one before with the same key.

    Args:
        name: Of what is remembered.
        memory: Of the blocks before; these numbers are added.
        key: Of who counts (M).
        step: What is added to the number before (M).
        begins: Whether it begins anew instead (M).
        first: With what; also where no number is known before (M).
    """
    groups = Groups(key)
    last = memory.recall(name, key, first - step)
    own = np.where(begins, first, last + step)
    begins = begins | groups.is_first
    total = groups.sum(step)
    at = groups.latest(begins)
    number: Integers = own[at] + total - total[at]
    memory.keep(name, key, number)
    return number


def _slot(key: Integers, ordinal: Integers) -> Integers:
    return key * _KEPT + ordinal % _KEPT


def _numbered(*columns: Integers) -> Integers:
    _, number = np.unique(np.stack(columns), axis=1, return_inverse=True)
    return number.ravel()
