"""Frames that wait until they are due."""

import heapq
from collections import deque
from collections.abc import Iterable
from itertools import count

from iotflowgen.live.emitting.due import DueFrame

__all__ = ["Queue"]


class Queue:
    """Frames by when they are due; of those due at once, what came first comes first.

    Most come in order. A decoy that is switched on when others have long been composed ahead has
    some to send before theirs: these wait aside, so that nothing has to be sorted.
    """

    def __init__(self) -> None:
        self._in_order: deque[DueFrame] = deque()
        self._others: list[tuple[int, int, DueFrame]] = []
        self._count = count()

    def __len__(self) -> int:
        return len(self._in_order) + len(self._others)

    def extend(self, frames: Iterable[DueFrame]) -> None:
        """Add frames."""
        for each in frames:
            if self._in_order and each.due_ns < self._in_order[-1].due_ns:
                heapq.heappush(self._others, (each.due_ns, next(self._count), each))
            else:
                self._in_order.append(each)

    @property
    def first(self) -> DueFrame:
        """The one that is due next; there has to be one."""
        return self._others[0][2] if self._is_other() else self._in_order[0]

    def pop(self) -> DueFrame:
        """Take that one out."""
        return heapq.heappop(self._others)[2] if self._is_other() else self._in_order.popleft()

    def drop(self, decoy: int) -> None:
        """Leave out what a decoy was to send."""
        self._in_order = deque(each for each in self._in_order if each.decoy != decoy)
        self._others = [each for each in self._others if each[2].decoy != decoy]
        heapq.heapify(self._others)

    def _is_other(self) -> bool:
        others, in_order = self._others, self._in_order
        return bool(others) and (not in_order or others[0][0] < in_order[0].due_ns)
