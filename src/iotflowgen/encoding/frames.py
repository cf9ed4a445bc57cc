"""Packet frame tokens (paper, section 4.2): lengths <-> (signature, index), or the lone length.

A packet that a signature covers becomes the token of that signature and index; any other packet,
an orphan, becomes the token of its frame length. Decoding a token gives the range of lengths that
it stands for; `nn.frame_length` chooses within it.

Deviation: orphan lengths seen fewer than `orphan_min_count` times share one token, so that a
length never seen has a token that training has taught.

Shapes: N windows, L packets each, T tokens.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from iotflowgen.encoding.signatures import Signature

__all__ = ["FrameEncoder"]

_ORPHAN = -1


class FrameEncoder(BaseModel):
    """Frame lengths to tokens and back to ranges.

    Tokens are numbered: one for rare orphans, one a lone length, then the packets of each
    signature in turn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    signatures: tuple[Signature, ...]
    """Sorted by packets that they match: those that matter more cover first."""
    lone_lengths: tuple[int, ...]
    """Orphan lengths with a token of their own, rising."""

    @classmethod
    def fit(
        cls,
        signatures: Sequence[Signature],
        length: NDArray[np.int32],
        outgoing: NDArray[np.bool_],
        runs: NDArray[np.bool_],
        *,
        orphan_min_count: int = 2,
    ) -> "FrameEncoder":
        """Sort the signatures, keep those that cover something, and collect the orphans.

        Args:
            signatures: What `extract_signatures` found.
            length: Frame lengths (N, L).
            outgoing: Directions (N, L).
            runs: The packets that signatures run over (N, L).
            orphan_min_count: Fewest orphans of one length that earn it a token.
        """
        packets = _Packets(length, outgoing, runs)
        weight = [int(packets.matches(s).sum()) * len(s) for s in signatures]
        order = sorted(range(len(signatures)), key=lambda i: -weight[i])
        ordered = [signatures[i] for i in order if weight[i]]
        which, _ = packets.cover(ordered)
        used = np.unique(which[which != _ORPHAN])
        orphans = Counter(length[which == _ORPHAN].tolist())
        return cls(
            signatures=tuple(ordered[i] for i in used),
            lone_lengths=tuple(sorted(v for v, n in orphans.items() if n >= orphan_min_count)),
        )

    @property
    def size(self) -> int:
        """T, how many tokens there are."""
        return 1 + len(self.lone_lengths) + sum(map(len, self.signatures))

    def encode(
        self, length: NDArray[np.int32], outgoing: NDArray[np.bool_], runs: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Cover each window with signatures and orphans: tokens (N, L).

        Args:
            length: Frame lengths (N, L).
            outgoing: Directions (N, L).
            runs: The packets that signatures run over (N, L).
        """
        which, index = _Packets(length, outgoing, runs).cover(self.signatures)
        lone = np.asarray(self.lone_lengths, dtype=np.int64)
        place = np.searchsorted(lone, length)
        known = np.isin(length, lone)
        first = 1 + len(lone) + np.cumsum([0, *map(len, self.signatures)])
        return np.where(which == _ORPHAN, np.where(known, 1 + place, 0), first[which] + index)

    def decode(self, tokens: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The shortest and the longest length that each token stands for, in the same shape."""
        shortest, longest = self._ranges
        return shortest[tokens], longest[tokens]

    @cached_property
    def _ranges(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        shortest = [0, *self.lone_lengths]
        longest = [np.iinfo(np.int32).max, *self.lone_lengths]
        for signature in self.signatures:
            shortest += signature.shortest
            longest += signature.longest
        return np.array(shortest, dtype=np.int32), np.array(longest, dtype=np.int32)


class _Packets:
    """Windows with the packets that signatures run over moved to the front, order kept."""

    def __init__(
        self, length: NDArray[np.int32], outgoing: NDArray[np.bool_], runs: NDArray[np.bool_]
    ) -> None:
        self._order = np.argsort(~runs, axis=1, kind="stable")
        self._length = np.take_along_axis(length, self._order, axis=1)
        self._outgoing = np.take_along_axis(outgoing, self._order, axis=1)
        self._runs = np.take_along_axis(runs, self._order, axis=1)

    def matches(self, signature: Signature) -> NDArray[np.bool_]:
        """Whether `signature` fits from each packet on (N, L - I + 1)."""
        places = max(self._length.shape[1] - len(signature) + 1, 0)
        fits = np.ones((len(self._length), places), dtype=bool)
        ranges = zip(signature.outgoing, signature.shortest, signature.longest, strict=True)
        for i, (outgoing, shortest, longest) in enumerate(ranges):
            here = slice(i, i + places)
            fits &= self._runs[:, here] & (self._outgoing[:, here] == outgoing)
            fits &= (self._length[:, here] >= shortest) & (self._length[:, here] <= longest)
        return fits

    def cover(self, signatures: Sequence[Signature]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The signature of each packet, or `_ORPHAN`, and the index in it: two (N, L).

        The recursion of section 4.2, for all windows at once: a signature takes its first fit in
        a stretch and splits it in two, where no earlier signature fits either. That is each
        signature in turn taking what is free, from the left.
        """
        which = np.full(self._length.shape, _ORPHAN)
        index = np.zeros_like(which)
        for number, signature in enumerate(signatures):
            size = len(signature)
            fits = self.matches(signature)
            for place in np.flatnonzero(fits.any(axis=0)):
                here = slice(place, place + size)
                taken = fits[:, place] & (which[:, here] == _ORPHAN).all(axis=1)
                which[taken, here] = number
                index[taken, here] = np.arange(size)
        back = np.argsort(self._order, axis=1)
        return np.take_along_axis(which, back, axis=1), np.take_along_axis(index, back, axis=1)
