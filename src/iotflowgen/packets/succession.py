"""What was said before: of a TCP connection by either end, of other protocols by anybody.

A template whose predecessor in the captures is the one that was written last is preferred to others
of its kind. So messages come in the order of a captured connection as long as the sequence of
packets is one that was seen.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Final

from iotflowgen.packets.headers import Kind
from iotflowgen.traffic import protocol_mask

__all__ = ["NOTHING", "UNSEEN", "Before", "Succession", "Thread", "heard", "thread_of"]

Before = tuple[int, int]
"""A template's number, or place, and who has sent segments without payload since: a bit for the
peer, and one for the device."""
NOTHING: Final[Before] = (-1, 0)
"""Nothing was said before."""
UNSEEN: Final = -2
"""In the place of a template's number: it has none."""
_MOST: Final = 64
"""Predecessors of one template."""
_DNS: Final = protocol_mask(["dns"])

Thread = tuple[int, int, bool]


def heard(before: Before, number: int, *, outgoing: bool, is_bare: bool) -> Before:
    """What there is before the next segment of a TCP connection.

    Args:
        before: What there was before this one.
        number: Of its template, or its place.
        outgoing: The device has sent it.
        is_bare: It is without payload.
    """
    return (before[0], before[1] | 1 << outgoing) if is_bare else (number, 0)


def thread_of(kind: Kind) -> Thread:
    """What messages without TCP belong together: those of the same protocols and service.

    Of DNS questions and answers for themselves: several questions may be asked at once, and answers
    come in any order.
    """
    _, outgoing, protocols, service, _ = kind
    return protocols, service, bool(protocols & _DNS) and outgoing


class Succession:
    """Counts what follows what while captures are read."""

    def __init__(self) -> None:
        self._before: defaultdict[int, Counter[Before]] = defaultdict(Counter)

    def see(self, before: Before, number: int) -> None:
        """Note a template, by numbers of its own, and the one before it."""
        self._before[number][before] += 1

    def before(self, number: int, places: Mapping[int, int]) -> tuple[tuple[int, int, int], ...]:
        """Which templates came before one, and how often.

        Args:
            number: Of the template.
            places: Places of those that are kept, by their numbers.
        """
        known = {NOTHING[0]: NOTHING[0], **places}
        common = self._before[number].most_common(_MOST)
        return tuple((known[n], bare, times) for (n, bare), times in common if n in known)
