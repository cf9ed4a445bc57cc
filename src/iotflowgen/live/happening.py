"""What happens to a decoy: events of its schedule, and those that somebody commands.

What a stream has drawn ahead of time gets what an event in that time causes: so nothing that is
sent already changes, and connections that are open are gone on with.
"""

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Final

import numpy as np

from iotflowgen.errors import ArgumentError
from iotflowgen.events import Schedule
from iotflowgen.generators import EventGenerator
from iotflowgen.library import Model
from iotflowgen.traffic import Event, Session

__all__ = ["Ahead", "Happenings"]

_REACH_NS: Final = 300 * 10**9
"""Of what comes after an event, so much is drawn before it happens."""


class Happenings:
    """Events of all decoys of a home, numbered in the order in which they come about.

    Attributes:
        events: All that have happened, and to whom: the place of the decoy in its home.
    """

    def __init__(self) -> None:
        self.events: list[tuple[int, Event]] = []

    def add(self, decoy: int, event: Event) -> int:
        """Take note of one; its number."""
        self.events.append((decoy, event))
        return len(self.events) - 1


class Ahead:
    """A stream of one decoy, with its events.

    Args:
        pieces: The stream, at times since the epoch.
        model: Of the device.
        schedule: What happens by itself.
        start_ns: From when on, nanoseconds since the epoch.
        note: Told of each event that comes about; gives it a number.
        seed: Of what events cause, and of the schedule.
    """

    def __init__(
        self,
        pieces: Iterator[Session],
        model: Model,
        schedule: Schedule,
        start_ns: int,
        *,
        note: Callable[[Event], int],
        seed: tuple[int, ...],
    ) -> None:
        self._pieces, self._model, self._note = pieces, model, note
        self._scheduled = schedule.draw(start_ns, seed)
        self._next = next(self._scheduled, None)
        self._coming: list[Event] = []
        self._rng = np.random.default_rng([*seed, start_ns // 10**9, 2])
        self._rest: Session | None = None

    def command(self, event: Event) -> None:
        """Have something happen, not before what is taken already.

        Raises:
            ArgumentError: The model knows no such event.
        """
        if event.name not in self._model.events:
            known = ", ".join(self._model.events) or "none"
            raise ArgumentError(f"{event.name!r} is no event that the model knows: {known}")
        heappush(self._coming, event)

    def until(self, end_ns: int) -> Session:
        """What comes before a time, nanoseconds since the epoch."""
        while (event := self._due(end_ns)) is not None:
            self._happen(event)
        rest = self._reaching(end_ns)
        inside = int(np.searchsorted(rest.time_ns, end_ns))
        # a copy, which does not keep what is taken
        self._rest = rest[np.arange(len(rest)) >= inside]
        return rest[:inside]

    def _due(self, end_ns: int) -> Event | None:
        """The next event before a time."""
        while self._next is not None and self._next.time_ns < end_ns:
            heappush(self._coming, self._next)
            self._next = next(self._scheduled, None)
        if self._coming and self._coming[0].time_ns < end_ns:
            return heappop(self._coming)
        return None

    def _happen(self, event: Event) -> None:
        generator = self._model.generator
        assert isinstance(generator, EventGenerator)  # noqa: S101 - else nothing is due
        ahead, number = self._reaching(event.time_ns + _REACH_NS), self._note(event)
        self._rest = generator.respond(ahead, event, self._rng, number=number)

    def _reaching(self, end_ns: int) -> Session:
        """What is drawn and not taken, which goes on until that time."""
        # the first is drawn when all who share the model have asked, so together
        parts = [next(self._pieces) if self._rest is None else self._rest]
        while not len(parts[-1]) or parts[-1].time_ns[-1] < end_ns:
            parts.append(next(self._pieces))
        # what an event causes may go on beyond the piece that it comes in
        return parts[0] if len(parts) == 1 else Session.merged(parts)
