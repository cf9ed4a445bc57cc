"""A back-off chain whose walks stay near their position, and go only where a packet fits.

It differs from `chain` in three ways. Places at a distance from the start of their capture like the
walk's from its own are likelier: a device repeats itself, and only the time says whether it has
done so often enough. A walk continues with the next packet of the same capture more often than with
others. Where a packet does not fit, the next one of that capture that does is drawn: so walks reach
each part of a capture as often as without, and do not drift to places that always fit.

All levels are laid out in one row, so that walks that back off to different levels are drawn
together: with few walks the time goes into the number of calls to NumPy.

Shapes: N walks; X of them, or of candidates for them; P places, as in `chain`; J contexts of a
place, the longest first; C contexts of all levels.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from iotflowgen.generators.walking.chain import END, Contexts, positions

__all__ = ["Draw", "Fits", "NearbyChain"]

_UNSEEN = -1  # the place, or the context, that there is none of
_SKIPPED = 7  # packets that do not fit, at most
_AGAIN = 16  # draws of any place, from farther and farther off, where none fits

Fits = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]
"""Whether walks (X), by their numbers, can go on with the packets at places (X)."""
Draw = Callable[[NDArray[np.int64], int], NDArray[np.float64]]
"""So many numbers from 0 to below 1 (X, K) for walks (X), by their numbers, which rise."""


class NearbyChain:
    """For every context up to an order, the places that follow it, by their position."""

    def __init__(
        self,
        symbol: NDArray[np.int64],
        packet: NDArray[np.bool_],
        order: int,
        reach: tuple[float, float],
        follow: float = 0,
        left: NDArray[np.int64] | None = None,
    ) -> None:
        """Count what follows each context.

        Args:
            symbol: Symbols (P) of captures with `order` ends before, between and after them.
            packet: Which of them are packets (P); the first end after each may be drawn too.
            order: Symbols of the longest context.
            reach: How far off a place is that is e times less likely than one at the walk's own
                position: so many packets, and so large a share of that position.
            follow: How likely the next packet of the same capture is drawn before any other.
            left: What is unfinished after each packet (P), by fewer numbers than symbols: a walk
                finds the same wherever it goes over, but where nothing of that kind fits it.
        """
        left = np.zeros_like(symbol) if left is None else left
        contexts = Contexts(symbol, order, left)
        self._sure = 1 + int(left.max()) + 1
        self.symbol = symbol
        self._follow = np.where(symbol == END, 0, follow)
        self._reach = reach
        self._position = positions(packet)
        self._kinds = contexts.kinds
        sizes = [1, *map(len, contexts.known)]
        offsets = np.cumsum(sizes) - sizes
        numbers = [offset + of for offset, of in zip(offsets, contexts.of_places, strict=True)]
        self._context_PJ = np.stack(numbers[::-1], axis=1)
        """The contexts of each place, by numbers of all levels."""
        # what precedes a context is told by its number, so these rise from level to level
        joined = [
            offset * self._kinds + known
            for offset, known in zip(offsets, contexts.known, strict=False)
        ]
        self._known = np.concatenate([*joined, [np.iinfo(np.int64).max]])
        """For each context but the empty one (C), the number of that before its last symbol, and
        the symbol."""
        self._count_places(np.flatnonzero(packet | np.roll(packet, 1)), int(sum(sizes)))

    def _count_places(self, drawable: NDArray[np.int64], contexts: int) -> None:
        levels = self._context_PJ.shape[1]
        context = self._context_PJ[drawable].T.ravel()
        place, symbol = np.tile(drawable, levels), np.tile(self.symbol[drawable], levels)
        order = np.lexsort((self._position[place], context))
        self._places = place[order]
        self._rising_position = self._position[self._places]
        # rises over all contexts, so that one search serves all
        self._span = 2 + self._position.max()
        self._rising = context[order] * self._span + self._rising_position
        count = np.bincount(context, minlength=contexts)
        final = len(place) - 1
        self._first = np.minimum(np.cumsum(count) - count, final)
        self._last = np.minimum(self._first + np.maximum(count, 1) - 1, final)
        self._low = self._rising_position[self._first] - 0.5
        self._high = self._rising_position[self._last] + 0.5
        followed = np.unique(context * self._kinds + symbol) // self._kinds
        distinct = np.bincount(followed, minlength=contexts)
        # the empty context, and what is left, are never backed off from, and an unseen one, by
        # number -1, always is
        self._stay = np.append(count / np.maximum(count + distinct, 1), 0)
        self._stay[: self._sure] = 1

    def walk(
        self, start: NDArray[np.int64], draw: Draw, fits: Fits | None = None
    ) -> Iterator[NDArray[np.int64]]:
        """Yield the next place (N) of each walk, starting after the contexts before `start` (N).

        A walk that has reached an end stays there.

        Args:
            start: Where walks begin (N).
            draw: Draws.
            fits: What walks can go on with, asked anew at each step; with anything without it. Its
                answer is heeded but where nothing fits.
        """
        places = start - 1
        walk, place = np.arange(len(start)), places
        context, at = self._context_PJ[start], self._position[start]
        while True:
            if len(walk):
                drawn = self._draw(walk, place, context, at, draw, fits)
                places = places.copy()
                places[walk] = place = drawn
            yield places
            goes_on = self.symbol[place] != END
            if not goes_on.all():
                walk, place, context, at = (c[goes_on] for c in (walk, place, context, at))
            context = self._advance(context, place)
            at = at + 1

    def _draw(
        self,
        walk: NDArray[np.int64],
        place: NDArray[np.int64],
        context: NDArray[np.int64],
        at: NDArray[np.float64],
        draw: Draw,
        fits: Fits | None,
    ) -> NDArray[np.int64]:
        """Places (N) for walks by their numbers (N), which are at `place` (N).

        Their contexts (N, J) say what follows, and their positions `at` (N) what is near.
        """
        # the next packet of the capture, or one that follows the longest context, and so on; where
        # one of these does not fit, the next packet again before any at all
        contexts = context.shape[1]
        again, empty = contexts, contexts + 1
        reach = self._reach[0] + self._reach[1] * at
        share = draw(walk, contexts + 1)
        stays = np.zeros((len(walk), empty + 1), dtype=bool)
        np.less(share[:, 0], self._follow[place], out=stays[:, 0])
        np.less(share[:, 1:contexts], self._stay[context[:, :-1]], out=stays[:, 1:contexts])
        stays[:, empty] = True
        found = np.full(len(walk), _UNSEEN)
        left = np.arange(len(walk))
        while len(left):
            level = stays[left].argmax(axis=1)
            drawn = place[left] + 1
            backs_off = ((level > 0) & (level != again)).nonzero()[0]
            if len(backs_off):
                among = left[backs_off]
                follows = context[among, np.minimum(level[backs_off], contexts) - 1]
                drawn[backs_off] = self._near(
                    follows, at[among], reach[among], draw(walk[among], 1)[:, 0]
                )
            found[left] = drawn = self._fitting(walk[left], drawn, fits)
            stays[left, level] = False
            unfit = drawn == _UNSEEN
            stays[left, again] |= unfit & (level < again)
            left = left[unfit & (level < empty)]
        for wider in range(1, _AGAIN + 1):
            left = (found == _UNSEEN).nonzero()[0]
            if not len(left):
                return found
            share = draw(walk[left], 1)[:, 0]
            drawn = self._near(0 * left, at[left], wider * reach[left], share)
            found[left] = self._fitting(walk[left], drawn, fits)
        left = (found == _UNSEEN).nonzero()[0]
        found[left] = self._near(0 * left, at[left], reach[left], draw(walk[left], 1)[:, 0])
        return found

    def _near(
        self,
        context: NDArray[np.int64],
        at: NDArray[np.float64],
        reach: NDArray[np.float64],
        drawn: NDArray[np.float64],
    ) -> NDArray[np.int64]:
        """Draw a place (X) that follows each context (X), near a position.

        It is the one nearest to a position drawn from a Laplace distribution around `at` (X) with
        scale `reach` (X), truncated to the first and the last of them; `drawn` (X), from 0 to 1,
        says which.
        """
        low, high = self._low[context], self._high[context]
        centre = np.minimum(np.maximum(at, low), high)
        # Laplace's distribution, cut off at both ends, by its quantiles, counted from the middle
        least = np.exp((low - centre) / reach) / 2 - 0.5
        most = 0.5 - np.exp((centre - high) / reach) / 2
        share = least + (most - least) * drawn
        away = reach * np.copysign(np.log(1 - 2 * np.abs(share)), share)
        near = np.minimum(np.maximum(centre + away, low), high)
        sought = context * self._span + near
        first, last = self._first[context], self._last[context]
        after = np.minimum(np.maximum(np.searchsorted(self._rising, sought), first), last)
        before = np.maximum(after - 1, first)
        nearer = sought - self._rising[before] < self._rising[after] - sought
        places: NDArray[np.int64] = self._places[np.where(nearer, before, after)]
        return places

    def _fitting(
        self, walk: NDArray[np.int64], place: NDArray[np.int64], fits: Fits | None
    ) -> NDArray[np.int64]:
        """The first places (X) from `place` (X) on that fit walks (X); else `_UNSEEN`.

        Skipping packets never reaches the end of a capture.
        """
        if fits is None:
            return place
        unfit = (~fits(walk, place)).nonzero()[0]
        if not len(unfit):
            return place
        ahead = place[unfit, None] + np.arange(_SKIPPED + 1)
        inside = np.logical_and.accumulate(self.symbol[ahead % len(self.symbol)] != END, axis=1)
        ahead = np.where(inside, ahead, place[unfit, None])
        fit = fits(np.repeat(walk[unfit], _SKIPPED + 1), ahead.ravel()).reshape(ahead.shape)
        row, first = np.arange(len(unfit)), fit.argmax(axis=1)
        found = place.copy()
        found[unfit] = np.where(fit[row, first], ahead[row, first], _UNSEEN)
        return found

    def _advance(self, context: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
        """The contexts (N, J) after those before `place` (N); `_UNSEEN` where captures lack one."""
        after = self._context_PJ[place + 1]
        # from what stands before the place itself comes what stands after it
        walk, level = (context[:, 1:] != self._context_PJ[place, 1:]).nonzero()
        if len(walk):
            joined = context[walk, level + 1] * self._kinds + self.symbol[place[walk]]
            number = np.searchsorted(self._known, joined)
            after[walk, level] = np.where(self._known[number] == joined, number + 1, _UNSEEN)
        return after
