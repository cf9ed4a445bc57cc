"""After how long what passes where captures are made is acknowledged, and how much at once.

A peer far away cannot have heard what went by a millisecond ago, and acknowledges what came before.
Most hosts acknowledge every second segment (RFC 9293, section 3.8.6.3).
"""

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from typing import Final

from iotflowgen.packets.headers import Kind

__all__ = [
    "JUST_NS",
    "STEADY",
    "LeavingCounts",
    "Unacknowledged",
    "delay_of",
    "is_steady",
    "stride_of",
]

JUST_NS: Final = 10**9
"""Ago, something was heard just before."""
_HALF: Final = 2**31
_PARTS: Final = 20
"""One in so many is sooner than what is taken for the delay."""
STEADY: Final = 1.25
"""Times the delay, that most take at most."""


class Unacknowledged:
    """What both ends of a connection have sent, until that is acknowledged: of captures."""

    def __init__(self) -> None:
        self.delays: tuple[list[int], list[int]] = ([], [])
        """After which the peer, and the device, have acknowledged, nanoseconds."""
        self.strides: tuple[list[int], list[int]] = ([], [])
        """How many segments they have acknowledged at once, where there were several."""
        self._sent: tuple[deque[tuple[int, int]], ...] = (deque(), deque())

    def send(self, outgoing: bool, end: int, time_ns: int) -> None:
        """Note where a segment ends that takes sequence numbers; not if it was sent before."""
        mine = self._sent[outgoing]
        if not mine or 0 < (end - mine[-1][0]) % 2**32 < _HALF:
            mine.append((end, time_ns))

    def waits(self, outgoing: bool) -> bool:
        """Whether anything that the device, or the peer, has sent waits to be acknowledged."""
        return bool(self._sent[outgoing])

    def left(self, outgoing: bool, number: int, time_ns: int) -> int | None:
        """How many segments are left that come after a number, of several.

        None if there are not several, or the last one was sent long before.
        """
        others = self._sent[not outgoing]
        if len(others) < 2 or time_ns - others[-1][1] > JUST_NS:
            return None
        return sum(0 < (end - number) % 2**32 < _HALF for end, _ in others)

    def acknowledge(self, outgoing: bool, number: int, time_ns: int) -> bool:
        """Note that everything up to a number is acknowledged, and tell whether that says more."""
        others, sent_ns, known = self._sent[not outgoing], -1, len(self._sent[not outgoing])
        while others and (number - others[0][0]) % 2**32 < _HALF:
            sent_ns = others.popleft()[1]
        if sent_ns >= 0:
            self.delays[outgoing].append(time_ns - sent_ns)
        if known > 1 and sent_ns >= 0:
            self.strides[outgoing].append(known - len(others))
        return sent_ns >= 0


class LeavingCounts:
    """Counts what payload leaves unacknowledged that was heard just before it.

    Who answers the first of two messages may do so before it has read the second.
    """

    def __init__(self) -> None:
        self._left: defaultdict[Kind, Counter[int]] = defaultdict(Counter)

    def see(self, kind: Kind, left: int) -> None:
        """Note of how many segments a packet of a kind leaves unacknowledged."""
        self._left[kind][left] += 1

    def leaves(self) -> tuple[tuple[Kind, int], ...]:
        """Kinds that mostly leave some, and how many."""
        common = (
            (kind, *seen.most_common(1)[0], seen.total()) for kind, seen in self._left.items()
        )
        return tuple((kind, left) for kind, left, n, all_ in common if left and 1 < n > all_ / 2)


def delay_of(seen: Sequence[int]) -> int:
    """What acknowledgments hardly ever take less than, nanoseconds."""
    return sorted(seen)[len(seen) // _PARTS] if seen else 0


def is_steady(seen: Sequence[int]) -> bool:
    """Whether most acknowledgments take hardly more than that: it is the way that takes it."""
    return bool(seen) and sorted(seen)[len(seen) // 2] <= STEADY * delay_of(seen)


def stride_of(seen: Sequence[int]) -> int:
    """How many segments are acknowledged at once most of the time; 1 where that is open."""
    ((stride, times),) = Counter(seen).most_common(1) or [(1, 0)]
    return stride if 2 * times > len(seen) else 1
