"""Composes ahead of time: a process of its own, which fills the queue of the one that emits.

It reads what to do as JSON from standard input, and tells who the decoys are before it begins.
"""

import select
import socket
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from iotflowgen.errors import ArgumentError, IoTFlowGenError
from iotflowgen.live.compose import Change, Composer, Stretch
from iotflowgen.live.emitting.due import DueFrame, encode
from iotflowgen.live.home import Home
from iotflowgen.live.leasing.lease import Lease
from iotflowgen.live.process import Requests, hear, tell

__all__ = ["main"]

_AHEAD_NS: Final = 15 * 10**9
"""So long before they are due, frames are handed over; most are composed a minute before."""
_AHEAD_OF_EVENTS_NS: Final = 5 * 10**9
"""And so long where somebody may command events, which come after what is composed."""
_AT_ONCE_NS: Final = 2 * 10**9
"""So much is handed over together."""
_LEAD_NS: Final = 10**9
"""Before the first frame: the time that composing it takes."""
_HANDING_NS: Final = 5 * 10**8
"""And that handing it over takes, with all that come soon."""
_SET_NS: Final = 10**9
"""A clock that is set more slowly is corrected."""


class _Clock:
    """Device time, and when that is on the clock that never jumps."""

    def __init__(self, start_ns: int | None, pace: float) -> None:
        self._is_now = start_ns is None
        self.start_ns = time.time_ns() if start_ns is None else start_ns
        """Device time at which decoys are switched on."""
        self.pace = pace
        """Device seconds in a second."""
        self.begin_ns = 0
        self._apart_ns = time.time_ns() - time.monotonic_ns()
        self.shift_ns = 0
        """How much later than drawn packets are sent, in device time."""

    def plan(self) -> None:
        """Models are ready: it starts a little later from now."""
        self.begin_ns = time.monotonic_ns() + _LEAD_NS
        if self._is_now:
            self.shift_ns = time.time_ns() + _LEAD_NS - self.start_ns

    def begin(self) -> None:
        """The first frames are ready: it starts as planned, or now where that has passed."""
        self.begin_ns = max(self.begin_ns, time.monotonic_ns() + _HANDING_NS)

    def follow(self) -> str:
        """Follow the clock on the wall where that was set; what is to be said of it."""
        apart_ns = time.time_ns() - time.monotonic_ns()
        by_ns = apart_ns - self._apart_ns
        if abs(by_ns) < _SET_NS:
            return ""
        self._apart_ns = apart_ns
        if not self._is_now:
            # device time is another anyway
            return ""
        self.shift_ns += by_ns
        way = "forward" if by_ns > 0 else "back"
        return (
            f"the clock was set {way} by {abs(by_ns) / 1e9:.1f} s: decoys go on, and tell the new "
            "time in what is composed from now on; a restart has their schedules follow"
        )

    def soon_ns(self) -> int:
        """The device time, as drawn, of what can be composed before it is due."""
        passed_ns = time.monotonic_ns() + _LEAD_NS - self.begin_ns
        return self.start_ns + max(0, int(passed_ns * self.pace))

    def due(self, stretch: Stretch) -> list[DueFrame]:
        """The frames of a stretch, with due times."""
        due_ns = self.begin_ns + ((stretch.time_ns - self.start_ns) / self.pace).astype("int64")
        columns = (due_ns.tolist(), stretch.decoy.tolist(), stretch.far.tolist())
        return [*map(DueFrame, *columns, stretch.frames.tolist())]


def main() -> None:
    """Compose until the given time is over, or nobody wants more."""
    asked = hear()
    try:
        composer = Composer(Home.model_validate(asked["home"]), is_live=True)
        tell(composer.told())
        # whoever started this looks at that first
        if "go" in hear():
            clock = _Clock(asked["start_ns"], asked["pace"])
            ahead = _Ahead(composer, clock, socket.socket(fileno=asked["frames"]))
            ahead.run(asked["seconds"])
            tell({"composed": True})
    except IoTFlowGenError as error:
        tell({"error": str(error), "kind": type(error).__name__})
    except ConnectionError:
        # who emits has ended, and says why
        pass


class _Ahead:
    """Composes, and sends what is composed to who emits it."""

    def __init__(self, composer: Composer, clock: _Clock, frames: socket.socket) -> None:
        self._composer, self._clock, self._frames = composer, clock, frames
        self._requests = Requests()
        self._until_ns = clock.start_ns
        self._done_ns = self._end_ns = self._told = 0
        self._chores = deque[Iterator[None]]()
        """What takes long, and is done step by step while there is time."""
        self._change: Change | None = None

    def run(self, seconds: float) -> None:
        """For so many seconds of composed traffic."""
        clock = self._clock
        self._composer.switch_on(clock.start_ns)
        clock.plan()
        self._end_ns = int(min(seconds, 1e9) * 1e9)
        while self._done_ns < self._end_ns:
            is_first = not self._done_ns
            self._done_ns = min(self._done_ns + _AT_ONCE_NS, self._end_ns)
            self._until_ns = clock.start_ns + int(self._done_ns * clock.pace)
            if said := clock.follow():
                tell({"notice": said})
            stretch = self._composer.until(self._until_ns, clock.shift_ns)
            if is_first:
                clock.begin()
            self._send(stretch)
            ahead_ns = _AHEAD_OF_EVENTS_NS if self._composer.knows_events else _AHEAD_NS
            self._wait(clock.begin_ns + self._done_ns - ahead_ns)
        # a decoy may get another address, and others may come
        self._wait(clock.begin_ns + self._end_ns)

    def _send(self, stretch: Stretch) -> None:
        for message in encode(self._clock.due(stretch)):
            self._frames.sendall(message)
        happened = self._composer.happenings.events
        for decoy, event in happened[self._told :]:
            tell({"happens": [decoy, event.name, event.time_ns]})
        self._told = len(happened)

    def _wait(self, until_ns: int) -> None:
        """Wait for a time; meanwhile hear how far behind plan everything is, and what is asked."""
        sources: list[Any] = [self._frames, self._requests]
        is_over = False
        while not is_over:
            left_ns = until_ns - time.monotonic_ns()
            is_over = left_ns <= 0
            wait_ns = 0 if self._chores else max(0, left_ns)
            ready, _, _ = select.select(sources, [], [], wait_ns / 1e9)
            if self._frames in ready:
                if not (message := self._frames.recv(64)):
                    raise ConnectionError
                self._clock.shift_ns += int(int(message) * self._clock.pace)
            if self._requests in ready:
                for asked in self._requests.read():
                    self._obey(asked)
                if self._requests.are_over:
                    raise ConnectionError
            self._do_more()

    def _do_more(self) -> None:
        """Do one step of what takes long, if there is any."""
        if self._chores:
            try:
                next(self._chores[0])
            except StopIteration:
                self._chores.popleft()

    def _obey(self, asked: Mapping[str, Any]) -> None:
        """Do what is asked, or begin with it."""
        if "event" in asked:
            self._command(*asked["event"])
        elif "home" in asked:
            self._chores.append(self._prepare(Home.model_validate(asked["home"])))
        elif "changes" in asked:
            if asked["changes"] and self._change is not None:
                self._composer.change(self._change)
            self._change = None
        elif "go" in asked:
            self._chores.append(self._switch_on(asked["go"]))
        else:
            self._settle(asked["decoy"], Lease.model_validate(asked["lease"]))

    def _prepare(self, home: Home) -> Iterator[None]:
        """Find out what is to be changed for another home, and tell it."""
        try:
            for change in self._composer.changes(home):
                self._change = change
                yield None
        except IoTFlowGenError as error:
            self._change = None
            tell({"change": {"error": str(error)}})
        else:
            if self._change is not None:
                gone = sorted(self._change.gone)
                tell({"change": {**self._composer.told(self._change), "gone": gone}})

    def _switch_on(self, places: Sequence[int]) -> Iterator[None]:
        """Have decoys begin soon, one after another."""
        for place in places:
            # it may have gone already
            if place in self._composer:
                self._composer.switch_on(self._clock.soon_ns(), [place])
                self._send(self._composer.of_one(place, self._until_ns, self._clock.shift_ns))
            yield None

    def _command(self, place: int, name: str) -> None:
        """Have something happen to a decoy, right after what is composed."""
        if place not in self._composer or self._done_ns >= self._end_ns:
            why = "the decoy has gone" if place not in self._composer else "all is composed already"
            tell({"answer": {"error": why}})
            return
        try:
            self._composer.command(place, name, self._until_ns)
        except ArgumentError as error:
            tell({"answer": {"error": str(error)}})
        else:
            left_ns = self._clock.begin_ns + self._done_ns - time.monotonic_ns()
            tell({"answer": {"happens": name, "in": round(max(0, left_ns) / 1e9, 1)}})

    def _settle(self, place: int, lease: Lease) -> None:
        """Have a decoy begin soon with the address that it was given."""
        composer = self._composer
        if place not in composer:
            return
        composer.settle(place, lease, self._clock.soon_ns())
        tell({"settled": place, **composer.settled(place)})
        self._send(composer.of_one(place, self._until_ns, self._clock.shift_ns))


if __name__ == "__main__":
    main()
