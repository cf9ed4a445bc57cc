"""What was said before: of a TCP connection by either end, of other protocols by anybody.

A template whose predecessor in the captures is the one that was written last is preferred to others
of its kind. So messages come in the order of a captured connection as long as the sequence of
packets is one that was seen.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping

from iotflowgen.traffic import protocol_mask

__all__ = ["NOTHING", "UNSEEN", "Succession", "Thread", "thread_of"]

NOTHING, UNSEEN = -1, -2
"""In the place of a template's number: nothing was said before, and something that has none."""
_MOST = 64
"""Predecessors of one template."""
_DNS = protocol_mask(["dns"])

Thread = tuple[int, int, bool]


def thread_of(protocols: int, service: int, *, outgoing: bool) -> Thread:
    """What messages without TCP belong together: those of the same protocols and service.

    Of DNS questions and answers for themselves: several questions may be asked at once, and answers
    come in any order.
    """
    return protocols, service, bool(protocols & _DNS) and outgoing


class Succession:
    """Counts what follows what while captures are read."""

    def __init__(self) -> None:
        self._before: defaultdict[int, Counter[int]] = defaultdict(Counter)

    def see(self, before: int, number: int) -> None:
        """Note a template, by numbers of its own, and the one before it."""
        self._before[number][before] += 1

    def before(self, number: int, places: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
        """Which templates came before one, and how often.

        Args:
            number: Of the template.
            places: Places of those that are kept, by their numbers.
        """
        known = {NOTHING: NOTHING, **places}
        common = self._before[number].most_common(_MOST)
        return tuple((known[before], times) for before, times in common if before in known)
