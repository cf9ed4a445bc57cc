"""Composes ahead of time: a process of its own, which fills the queue of the one that emits.

It reads what to do as JSON from standard input, and tells who the decoys are before it begins.
"""

import select
import socket
import sys
import time
from typing import Final

from iotflowgen.errors import IoTFlowGenError
from iotflowgen.live.compose import Composer, Stretch
from iotflowgen.live.emitting.due import DueFrame, encode
from iotflowgen.live.home import Home
from iotflowgen.live.process import hear, tell

__all__ = ["main"]

_AHEAD_NS: Final = 60 * 10**9
"""So long before they are due, frames are composed."""
_AT_ONCE_NS: Final = 2 * 10**9
"""So much is composed together."""
_LEAD_NS: Final = 10**9
"""Before the first frame: the time that composing it takes."""


class _Clock:
    """Device time, and when that is on the clock that never jumps."""

    def __init__(self, start_ns: int | None, pace: float) -> None:
        self._is_now = start_ns is None
        self.start_ns = time.time_ns() if start_ns is None else start_ns
        """Device time at which decoys are switched on."""
        self.pace = pace
        """Device seconds in a second."""
        self.begin_ns = 0
        self.shift_ns = 0
        """How much later than drawn packets are sent, in device time."""

    def plan(self) -> None:
        """Models are ready: it starts a little later from now."""
        self.begin_ns = time.monotonic_ns() + _LEAD_NS
        if self._is_now:
            self.shift_ns = time.time_ns() + _LEAD_NS - self.start_ns

    def begin(self) -> None:
        """The first frames are ready: it starts as planned, or now where that has passed."""
        self.begin_ns = max(self.begin_ns, time.monotonic_ns() + _LEAD_NS // 10)

    def due(self, stretch: Stretch) -> list[DueFrame]:
        """The frames of a stretch, with due times."""
        due_ns = self.begin_ns + ((stretch.time_ns - self.start_ns) / self.pace).astype("int64")
        columns = (due_ns.tolist(), stretch.decoy.tolist(), stretch.far.tolist())
        return [*map(DueFrame, *columns, stretch.frames.tolist())]


def main() -> None:
    """Compose until the given time is over, or nobody wants more."""
    asked = hear()
    try:
        composer = Composer(Home.model_validate(asked["home"]))
        found = {"decoys": composer.identities(), "gateway": composer.gateway()}
        found["peers"] = composer.peers()
        tell({**found, "reflexes": composer.reflexes(), "discovery": composer.discovery()})
        # whoever started this looks at that first
        if sys.stdin.readline():
            frames = socket.socket(fileno=asked["frames"])
            _compose(composer, _Clock(asked["start_ns"], asked["pace"]), frames, asked["seconds"])
    except IoTFlowGenError as error:
        tell({"error": str(error), "kind": type(error).__name__})
    except ConnectionError:
        # who emits has ended, and says why
        pass


def _compose(composer: Composer, clock: _Clock, frames: socket.socket, seconds: float) -> None:
    composer.switch_on(clock.start_ns)
    clock.plan()
    done_ns, end_ns = 0, int(min(seconds, 1e9) * 1e9)
    while done_ns < end_ns:
        is_first = not done_ns
        done_ns = min(done_ns + _AT_ONCE_NS, end_ns)
        until_ns = clock.start_ns + int(done_ns * clock.pace)
        stretch = composer.until(until_ns, clock.shift_ns)
        if is_first:
            clock.begin()
        for message in encode(clock.due(stretch)):
            frames.sendall(message)
        _wait(clock, frames, clock.begin_ns + done_ns - _AHEAD_NS)


def _wait(clock: _Clock, frames: socket.socket, until_ns: int) -> None:
    """Wait for a time; meanwhile hear how far behind plan everything is."""
    while (left_ns := until_ns - time.monotonic_ns()) > 0:
        if select.select([frames], [], [], left_ns / 1e9)[0]:
            if not (message := frames.recv(64)):
                raise ConnectionError
            clock.shift_ns += int(int(message) * clock.pace)


if __name__ == "__main__":
    main()
