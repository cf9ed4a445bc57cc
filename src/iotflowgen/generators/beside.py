"""Streams side by side: each what it is by itself, in less time.

A walk goes step by step, and a step takes as long for fifty walks as for one. So when a stream
needs walks, those that all others will need next are drawn as well.
"""

from collections.abc import Generator, Iterator
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotflowgen.generators.walking import Walks
from iotflowgen.traffic import Session

__all__ = ["Pieces", "SideBySide", "Walked"]

Walked = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""As `Walks.draw` has it."""
Pieces = Generator[tuple[Session | None, NDArray[np.int64]], Walked, None]
"""A piece of a stream, None where there is none, and where the walks of the next are to begin; it
is sent these."""


class SideBySide:
    """Streams through the same captures.

    Args:
        walks: Through them.
    """

    def __init__(self, walks: Walks) -> None:
        self._walks = walks
        self._begins: dict[int, tuple[NDArray[np.int64], np.random.Generator]] = {}
        """Where the next walks of streams begin, until they are drawn."""
        self._drawn: dict[int, Walked] = {}
        self._count = 0

    def add(self, pieces: Pieces, rng: np.random.Generator) -> Iterator[Session]:
        """One more: its pieces.

        Args:
            pieces: Made of walks that are drawn here.
            rng: Draws both.
        """
        number, self._count = self._count, self._count + 1
        self._begins[number] = next(pieces)[1], rng
        return self._of(number, pieces, rng)

    def _of(self, number: int, pieces: Pieces, rng: np.random.Generator) -> Iterator[Session]:
        try:
            # without a name for what is given away: there may be a thousand who wait
            yield from filter(None, map(self._next, repeat(number), repeat(pieces), repeat(rng)))
        finally:
            self._begins.pop(number, None)
            self._drawn.pop(number, None)

    def _next(self, number: int, pieces: Pieces, rng: np.random.Generator) -> Session | None:
        if number in self._begins:
            self._draw()
        packet, connection, walk = self._drawn.pop(number)
        walked = packet.astype(int), connection.astype(int), walk.astype(int)
        piece, begins = pieces.send(walked)
        self._begins[number] = begins, rng
        return piece

    def _draw(self) -> None:
        """Draw the walks that streams need next."""
        firsts, rngs = zip(*self._begins.values(), strict=True)
        found = self._walks.draw_each(firsts, rngs)
        # most wait until it is their turn
        for number, columns in zip(self._begins, found, strict=True):
            packet, connection, walk = (column.astype(np.int32) for column in columns)
            self._drawn[number] = packet, connection, walk
        self._begins.clear()
