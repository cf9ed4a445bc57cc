"""Frames that wait until they are due."""

import heapq
from collections import deque

from iotflowgen.live.emitting.due import DueFrame, Message

__all__ = ["Queue"]


class Queue:
    """Frames by when they are due; of those due at once, what came first comes first.

    Most come in order, and are read one by one when it is their turn, so that those that come do
    not keep those waiting that are due. A decoy that is switched on when others have long been
    composed ahead has some to send before theirs: these wait aside.
    """

    def __init__(self) -> None:
        self._in_order: deque[tuple[int, Message]] = deque()
        self._at = self._length = 0
        self._last_ns = -(2**63)
        self._next: DueFrame | None = None
        self._others: list[tuple[int, int, int, DueFrame]] = []
        """With when they are due, the numbers of their messages, and their places in these."""
        self._came = self._number = 0
        self._dropped: dict[int, int] = {}
        """How many messages had come when a decoy's frames were left out."""

    def __len__(self) -> int:
        return self._length

    def put(self, message: Message) -> None:
        """Add frames, of which there is one at least."""
        self._came += 1
        first, at = message.next(0)
        self._length += message.length
        if first.due_ns >= self._last_ns:
            self._last_ns = message.last_ns
            self._in_order.append((self._came, message))
            if self._next is None:
                self._advance()
            return
        heapq.heappush(self._others, (first.due_ns, self._came, 0, first))
        for place in range(1, message.length):
            following, at = message.next(at)
            heapq.heappush(self._others, (following.due_ns, self._came, place, following))

    def _advance(self) -> None:
        """Read the next frame of those in order."""
        self._next = None
        while self._next is None and self._in_order:
            self._number, message = self._in_order[0]
            if self._at == len(message.frames):
                self._in_order.popleft()
                self._at = 0
                continue
            found, self._at = message.next(self._at)
            if self._number <= self._dropped.get(found.decoy, 0):
                self._length -= 1
            else:
                self._next = found

    @property
    def first(self) -> DueFrame:
        """The one that is due next; there has to be one."""
        if self._next is None or self._is_other(self._next):
            return self._others[0][-1]
        return self._next

    def pop(self) -> DueFrame:
        """Take that one out."""
        self._length -= 1
        if self._next is None or self._is_other(self._next):
            return heapq.heappop(self._others)[-1]
        found = self._next
        self._advance()
        return found

    def drop(self, decoy: int) -> None:
        """Leave out what a decoy was to send."""
        self._dropped[decoy] = self._came
        kept = [each for each in self._others if each[-1].decoy != decoy]
        self._length -= len(self._others) - len(kept)
        self._others = kept
        heapq.heapify(self._others)
        if self._next is not None and self._next.decoy == decoy:
            self._length -= 1
            self._advance()

    def _is_other(self, following: DueFrame) -> bool:
        return bool(self._others) and self._others[0][:2] < (following.due_ns, self._number)
