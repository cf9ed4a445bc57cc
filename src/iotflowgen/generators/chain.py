"""A back-off Markov chain over the symbols of captures.

The chain follows the longest run of symbols that the captures hold, up to an order, and backs off
to a shorter one with the probability of Witten and Bell (1991, "The zero-frequency problem", method
C), which needs no held-out captures: after a context seen N times and followed by T distinct
symbols, T / (N + T). Stupid back-off (Brants et al. 2007) would never leave a context that the
captures hold, and so copy them.

To draw a symbol is to draw one of the places in the captures where it follows the context, so that
whatever else stands at the place is what the captures show there. With a reach, places as far from
the start of their capture as the walk from its own are likelier: a device repeats itself, and
nothing but the time says whether it has done so often enough. Where a packet does not fit what the
walk has been through, the next one of the same capture that does is drawn instead: that way walks
come into each part of a capture as often as without, and do not turn to what always fits.

Shapes: N walks; X of them, or of candidates for them; P places: the packets of all captures, with
ends before, between and after them.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["END", "Chain", "lay", "magnitude"]

END = 0
"""The symbol that follows the last packet of a capture."""
_UNSEEN = -1  # the place, or the context, that there is none of
_SKIPPED = 7  # packets that do not fit, at most
_AGAIN = 16  # draws of any place, from farther and farther off, where none fits

Fits = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]
"""Whether walks (X), by their numbers, can go on with the packets at places (X)."""


def lay(columns: Sequence[NDArray[Any]], ends: int) -> NDArray[Any]:
    """A column of all captures (P), with zeros for `ends` ends before, between and after them."""
    gap = np.zeros((ends, *columns[0].shape[1:]), dtype=columns[0].dtype)
    return np.concatenate([gap, *(part for column in columns for part in (column, gap))])


def magnitude(duration_ns: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Classes of durations, so many a decade, from a microsecond on; one alone where none."""
    decades: NDArray[np.float64] = np.log10(np.maximum(duration_ns, 1000) / 1000)
    return np.floor(classes * decades).astype(np.int64)


def _position(packet: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Packets between each place and the start of its capture (P); of its end, all.

    Less than half a packet more or less tells captures apart, so that none comes before another.
    """
    before: NDArray[np.int64] = np.cumsum(packet) - packet
    starts = np.flatnonzero(packet & ~np.roll(packet, 1))
    capture = np.maximum(np.searchsorted(starts, np.arange(len(packet)), side="right") - 1, 0)
    position: NDArray[np.float64] = before - before[starts[capture]] + capture / len(starts) - 0.5
    return position


class Chain:
    """What follows every context up to an order, as the places where it does.

    A context is a number; those of j symbols are told apart by the context of the j - 1 symbols
    before the last, and the last.
    """

    def __init__(
        self,
        symbol: NDArray[np.int64],
        packet: NDArray[np.bool_],
        order: int,
        reach: tuple[float, float] | None = None,
        follow: float = 0,
    ) -> None:
        """Count.

        Args:
            symbol: Symbols (P) of captures with `order` ends before, between and after them.
            packet: Which of them are packets (P); the first end after each may be drawn too.
            order: Symbols of the longest context.
            reach: How far off a place is that is e times less likely than one at the walk's own
                position: so many packets, and so large a share of that position. None where
                positions do not matter.
            follow: How likely the next packet of the same capture is drawn before any other.
        """
        self.symbol = symbol
        self._follow = follow
        self._reach = reach
        self._position = _position(packet)
        self._kinds = int(symbol.max()) + 1
        drawable = np.flatnonzero(packet | np.roll(packet, 1))
        self._context = [np.zeros_like(symbol)]
        self._known: list[NDArray[np.int64]] = []
        for _ in range(order):
            # rolling wraps ends onto ends
            joined = np.roll(self._context[-1] * self._kinds + symbol, 1)
            known, context = np.unique(joined, return_inverse=True)
            self._known.append(known)
            self._context.append(context)
        self._levels = [
            _Level(context, symbol, drawable, self._position) for context in self._context
        ]

    def walk(
        self, start: NDArray[np.int64], rng: np.random.Generator, fits: Fits | None = None
    ) -> Iterator[NDArray[np.int64]]:
        """Place after place (N) of symbols that follow what stands before the places `start` (N).

        A walk that has come to an end stays there.

        Args:
            start: Where walks begin (N).
            rng: Draws.
            fits: What walks can go on with, asked anew at each step; with anything without it. Its
                answer is heeded but where nothing fits.
        """
        contexts = [context[start] for context in self._context]
        at, place, ended = self._position[start], start - 1, np.zeros(len(start), dtype=bool)
        while True:
            follows = self._follows(place, rng, fits)
            place = self._draw(contexts, at, np.where(ended, place, follows), rng, fits)
            yield place
            ended = self.symbol[place] == END
            contexts = self._advance(contexts, self.symbol[place])
            at = at + 1

    def _follows(
        self, place: NDArray[np.int64], rng: np.random.Generator, fits: Fits | None
    ) -> NDArray[np.int64]:
        """The next places (N) of the captures of `place` (N), now and then; else `_UNSEEN`."""
        after = np.full(len(place), _UNSEEN)
        if self._follow:
            goes_on = (rng.random(len(place)) < self._follow) & (self.symbol[place] != END)
            walk = np.flatnonzero(goes_on)
            after[walk] = self._fitting(walk, place[walk] + 1, fits)
        return after

    def _draw(
        self,
        contexts: Sequence[NDArray[np.int64]],
        at: NDArray[np.float64],
        place: NDArray[np.int64],
        rng: np.random.Generator,
        fits: Fits | None,
    ) -> NDArray[np.int64]:
        """Places (N), drawn where `place` (N) is none, whose symbol follows, near positions `at`.

        `contexts` (N) are of 0 symbols, 1 and so on.
        """
        place = place.copy()
        for context, level in reversed(list(zip(contexts, self._levels, strict=True))):
            self._fill(place, context, level, at, rng, fits)
        for wider in range(1, _AGAIN + 1):
            if (place != _UNSEEN).all():
                return place
            self._fill(place, contexts[0], self._levels[0], at, rng, fits, wider=wider)
        self._fill(place, contexts[0], self._levels[0], at, rng)
        return place

    def _fill(
        self,
        place: NDArray[np.int64],
        context: NDArray[np.int64],
        level: "_Level",
        at: NDArray[np.float64],
        rng: np.random.Generator,
        fits: Fits | None = None,
        *,
        wider: int = 1,
    ) -> None:
        """Draw for those of `place` (N) that are none, unless they back off from this level.

        They reach so many times `wider`.
        """
        stays = (context != _UNSEEN) & (rng.random(len(context)) < level.stay[context])
        walk = np.flatnonzero((place == _UNSEEN) & stays)
        if self._reach is None:
            drawn = level.draw(context, rng)[walk]
        elif not len(walk):
            return
        else:
            reach = wider * (self._reach[0] + self._reach[1] * at[walk])
            drawn = level.near(context[walk], at[walk], reach, rng)
        place[walk] = self._fitting(walk, drawn, fits)

    def _fitting(
        self, walk: NDArray[np.int64], place: NDArray[np.int64], fits: Fits | None
    ) -> NDArray[np.int64]:
        """The first places (X) from `place` (X) on that fit walks (X); else `_UNSEEN`.

        The end of a capture is not come to by leaving packets out.
        """
        if fits is None:
            return place
        found = np.where(fits(walk, place), place, _UNSEEN)
        unfit = np.flatnonzero(found == _UNSEEN)
        if not len(unfit):
            return found
        ahead = place[unfit, None] + np.arange(_SKIPPED + 1)
        inside = np.logical_and.accumulate(self.symbol[ahead % len(self.symbol)] != END, axis=1)
        ahead = np.where(inside, ahead, place[unfit, None])
        fit = fits(np.repeat(walk[unfit], _SKIPPED + 1), ahead.ravel()).reshape(ahead.shape)
        first = fit.argmax(axis=1)
        found[unfit] = np.where(fit.any(axis=1), ahead[np.arange(len(unfit)), first], _UNSEEN)
        return found

    def _advance(
        self, contexts: Sequence[NDArray[np.int64]], symbol: NDArray[np.int64]
    ) -> list[NDArray[np.int64]]:
        """The contexts after `symbol` (N); `_UNSEEN` where the captures do not hold one."""
        after = [contexts[0]]
        for context, known in zip(contexts, self._known, strict=False):
            joined = context * self._kinds + symbol
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
        position: NDArray[np.float64],
    ) -> None:
        contexts = int(context.max()) + 1
        self._places = drawable[np.lexsort((position[drawable], context[drawable]))]
        self._position = position[self._places]
        # rises over all contexts, so that one search serves all
        self._span = 2 + position.max()
        self._rising = context[self._places] * self._span + self._position
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

    def near(
        self,
        context: NDArray[np.int64],
        at: NDArray[np.float64],
        reach: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> NDArray[np.int64]:
        """A place (N) that follows each context; any place at all where none does.

        It is the one nearest to a position that is drawn around `at` (N), e times less likely
        `reach` (N) off, between the first and the last of them.
        """
        final = len(self._places) - 1
        first = np.minimum(self._first[context], final)
        last = np.minimum(first + np.maximum(self._count[context], 1) - 1, final)
        low, high = self._position[first] - 0.5, self._position[last] + 0.5
        centre = np.clip(at, low, high)
        # Laplace's distribution, cut off at both ends, by its quantiles
        share = rng.uniform(
            np.exp((low - centre) / reach) / 2, 1 - np.exp((centre - high) / reach) / 2
        )
        away = reach * np.where(share < 0.5, np.log(2 * share), -np.log(2 - 2 * share))
        sought = context * self._span + np.clip(centre + away, low, high)
        after = np.clip(np.searchsorted(self._rising, sought), first, last)
        before = np.maximum(after - 1, first)
        nearer = sought - self._rising[before] < self._rising[after] - sought
        places: NDArray[np.int64] = self._places[np.where(nearer, before, after)]
        return places
