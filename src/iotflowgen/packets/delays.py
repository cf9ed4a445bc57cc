"""After how long what passes where captures are made is acknowledged, and how much at once.

A peer far away cannot have heard what went by a millisecond ago, and acknowledges what came before.
Most hosts acknowledge every second segment (RFC 9293, section 3.8.6.3).
"""

from collections import Counter, deque
from collections.abc import Sequence

__all__ = ["STEADY", "Unacknowledged", "delay_of", "is_steady", "stride_of"]

_HALF = 2**31
_PARTS = 20
"""One in so many is sooner than what is taken for the delay."""
STEADY = 1.25
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
