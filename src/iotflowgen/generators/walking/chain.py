"""A back-off Markov chain over the symbols of captures.

The chain follows the longest run of symbols that the captures hold, up to an order, and backs off
to a shorter one with the probability of Witten and Bell (1991, "The zero-frequency problem", method
C), which needs no held-out captures: after a context seen N times and followed by T distinct
symbols, T / (N + T). Stupid back-off (Brants et al. 2007) would never leave a context that the
captures hold, and so copy them.

To draw a symbol is to draw one of the places in the captures where it follows the context, so that
whatever else stands at the place is what the captures show there. `nearby` draws them by where they
stand.

Shapes: N walks; P places: the packets of all captures, with ends before, between and after them.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["END", "Chain", "Contexts", "magnitude", "padded", "positions"]

END = 0
"""The symbol that follows the last packet of a capture."""
_UNSEEN = -1  # the place, or the context, that there is none of


def padded(columns: Sequence[NDArray[Any]], ends: int) -> NDArray[Any]:
    """A column of all captures (P), with `ends` zeros before, between and after them."""
    gap = np.zeros((ends, *columns[0].shape[1:]), dtype=columns[0].dtype)
    return np.concatenate([gap, *(part for column in columns for part in (column, gap))])


def magnitude(duration_ns: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Classes of durations from a microsecond on, a number of them per decade; else one class."""
    decades: NDArray[np.float64] = np.log10(np.maximum(duration_ns, 1000) / 1000)
    return np.floor(classes * decades).astype(np.int64)


def positions(packet: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Packets between each place and the start of its capture (P); of its end, all.

    Less than half a packet more or less tells captures apart, so that none comes before another.
    """
    before: NDArray[np.int64] = np.cumsum(packet) - packet
    starts = np.flatnonzero(packet & ~np.roll(packet, 1))
    capture = np.maximum(np.searchsorted(starts, np.arange(len(packet)), side="right") - 1, 0)
    position: NDArray[np.float64] = before - before[starts[capture]] + capture / len(starts) - 0.5
    return position


class Contexts:
    """The symbols before each place, up to the order of the chain.

    A context is a number; a context of j symbols is identified by the context of the j - 1 symbols
    before its last symbol, and that symbol.
    """

    def __init__(
        self, symbol: NDArray[np.int64], order: int, left: NDArray[np.int64] | None = None
    ) -> None:
        """Number the contexts of symbols (P), with `order` ends before, between and after captures.

        Args:
            symbol: Symbols (P).
            order: Symbols of the longest context.
            left: What each symbol (P) leaves, by fewer numbers than symbols. With it there is a
                context more, of what was left before a place and no symbol, after the empty one.
        """
        self.kinds = int(symbol.max()) + 1
        self.of_places = [np.zeros_like(symbol)]
        """The contexts of 0 symbols, 1 and so on of each place (P each)."""
        self.known: list[NDArray[np.int64]] = []
        """For each context of 1 symbol, 2 and so on, the context before its last symbol, times
        `kinds`, plus that symbol; these rise."""
        if left is not None:
            known, context = np.unique(np.roll(left, 1), return_inverse=True)
            self.known.append(known)
            self.of_places.append(context)
        for _ in range(order):
            # rolling wraps ends onto ends
            joined = np.roll(self.of_places[-1] * self.kinds + symbol, 1)
            known, context = np.unique(joined, return_inverse=True)
            self.known.append(known)
            self.of_places.append(context)


class Chain:
    """For every context up to an order, the places in the captures that follow it."""

    def __init__(self, symbol: NDArray[np.int64], packet: NDArray[np.bool_], order: int) -> None:
        """Count what follows each context.

        Args:
            symbol: Symbols (P) of captures with `order` ends before, between and after them.
            packet: Which of them are packets (P); the first end after each may be drawn too.
            order: Symbols of the longest context.
        """
        self.symbol = symbol
        self._contexts = Contexts(symbol, order)
        drawable = np.flatnonzero(packet | np.roll(packet, 1))
        drawable = drawable[np.argsort(positions(packet)[drawable])]
        self._levels = [_Level(each, symbol, drawable) for each in self._contexts.of_places]

    def walk(
        self, start: NDArray[np.int64], rng: np.random.Generator
    ) -> Iterator[NDArray[np.int64]]:
        """Yield the next place (N) of each walk, starting after the contexts before `start` (N).

        A walk that has reached an end stays there.

        Args:
            start: Where walks begin (N).
            rng: Draws.
        """
        contexts = [context[start] for context in self._contexts.of_places]
        place, ended = start - 1, np.zeros(len(start), dtype=bool)
        while True:
            place = self._draw(contexts, np.where(ended, place, _UNSEEN), rng)
            yield place
            ended = self.symbol[place] == END
            contexts = self._advance(contexts, self.symbol[place])

    def _draw(
        self,
        contexts: Sequence[NDArray[np.int64]],
        place: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> NDArray[np.int64]:
        """Places (N), drawn where `place` (N) is none, whose symbol follows.

        `contexts` (N) are of 0 symbols, 1 and so on.
        """
        for context, level in reversed(list(zip(contexts, self._levels, strict=True))):
            stays = (context != _UNSEEN) & (rng.random(len(context)) < level.stay[context])
            place = np.where((place == _UNSEEN) & stays, level.draw(context, rng), place)
        return place

    def _advance(
        self, contexts: Sequence[NDArray[np.int64]], symbol: NDArray[np.int64]
    ) -> list[NDArray[np.int64]]:
        """The contexts after `symbol` (N); `_UNSEEN` where the captures do not hold one."""
        after = [contexts[0]]
        for context, known in zip(contexts, self._contexts.known, strict=False):
            joined = context * self._contexts.kinds + symbol
            number = np.minimum(np.searchsorted(known, joined), len(known) - 1)
            seen = (context != _UNSEEN) & (known[number] == joined)
            after.append(np.where(seen, number, _UNSEEN))
        return after


class _Level:
    """The places that follow each context of one order."""

    def __init__(
        self,
        context: NDArray[np.int64],
        symbol: NDArray[np.int64],
        drawable: NDArray[np.int64],
    ) -> None:
        contexts = int(context.max()) + 1
        self._places = drawable[np.argsort(context[drawable], kind="stable")]
        self._count = np.bincount(context[drawable], minlength=contexts)
        self._first = np.cumsum(self._count) - self._count
        followed = np.unique(np.stack([context[drawable], symbol[drawable]], axis=-1), axis=0)
        distinct = np.bincount(followed[:, 0], minlength=contexts)
        self.stay = self._count / np.maximum(self._count + distinct, 1)
        """The probability of not backing off, an entry a context; of the empty one, 1."""
        if contexts == 1:
            self.stay[:] = 1

    def draw(self, context: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """A place (N) that follows each context; any place at all where none does."""
        pick = self._first[context] + (rng.random(len(context)) * self._count[context])
        last = len(self._places) - 1
        places: NDArray[np.int64] = self._places[np.minimum(pick.astype(np.int64), last)]
        return places
