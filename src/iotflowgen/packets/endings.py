"""How TCP connections end: which of their last segments are FIN or RST (RFC 9293, section 3.6).

Who closes first, and whether what comes then is acknowledged or refused, goes with the application
and the stacks at both ends. So the last segments of each connection are kept, short of repetitions,
and where a generated one ends with segments of the same kinds, or the last few of them, they are
what those were. How long payload is does not matter for that.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from iotflowgen.packets.headers import Ending, Kind
from iotflowgen.packets.layout import FIN, RST

__all__ = ["EndingCounts", "Endings"]

_LAST: Final = 12
"""Segments that are kept of a connection."""
_FEWER: Final = 6
"""Of these, that tell as well where no connection ended with all of them."""


class EndingCounts:
    """Counts endings while captures are read."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[tuple[Kind, ...], tuple[int, ...]]] = Counter()

    def see(self, segments: Sequence[tuple[Kind, int]]) -> None:
        """Note a connection by the kinds and flags of its segments."""
        if segments:
            kinds, flags = zip(*segments[-_LAST:], strict=True)
            marks = tuple(each & (FIN | RST) for each in flags)
            self._counts[kinds, marks] += 1

    def endings(self) -> tuple[Ending, ...]:
        """What there was, how often."""
        return tuple(
            Ending(kinds=kinds, marks=marks, count=count)
            for (kinds, marks), count in self._counts.items()
        )


class Endings:
    """Draws how connections end while segments are written.

    Args:
        endings: What was seen.
        is_bare: Tells which kinds are without payload.
        draws: Draws.
    """

    def __init__(
        self, endings: Sequence[Ending], is_bare: Callable[[Kind], bool], draws: random.Random
    ) -> None:
        self._is_bare = is_bare
        self._draws = draws
        self._seen: defaultdict[tuple[Kind, ...], Counter[tuple[int, ...]]] = defaultdict(Counter)
        for ending in endings:
            for last in self._tails(ending.kinds):
                self._seen[last][ending.marks[-len(last) :]] += ending.count

    def draw(self, kinds: Sequence[Kind]) -> tuple[int, ...]:
        """FIN and RST of the last segments of a connection; empty if its like was not seen.

        Args:
            kinds: Of all its segments.
        """
        for last in self._tails(kinds):
            if seen := self._seen.get(last):
                return self._draws.choices([*seen], [*seen.values()])[0]
        return ()

    def _tails(self, kinds: Sequence[Kind]) -> list[tuple[Kind, ...]]:
        """The last kinds, without lengths where there is payload, fewer, and after payload."""
        last = tuple(kind if self._is_bare(kind) else (0, *kind[1:]) for kind in kinds[-_LAST:])
        after = max((i + 1 for i, kind in enumerate(last) if not kind[0]), default=0)
        tails = (last, last[-_FEWER:], last[after:] if after else ())
        return [*dict.fromkeys(filter(None, tails))]
