"""What the window field of TCP says: how much an end still takes, by how much it has heard.

A stack makes room as data comes in, and has less of it until the application reads. So a window
goes with what its segment acknowledges, and of several segments that acknowledge the same with
which of them it is.
"""

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

from iotflowgen.packets.headers import Connection, Window
from iotflowgen.packets.layout import ACK, RST, SYN

__all__ = ["Receivers", "Receiving", "window_of"]

_MOST_SEGMENTS: Final = 128
_MOST_COMPARED: Final = 16
_ANY: Final = -2
_WITHOUT: Final = Window(opening=0, heard=(0,), said=(65_535,))
"""Of an end that was never heard."""


def window_of(segments: Sequence[tuple[int, int, int]]) -> Window:
    """What an end was seen to say: flags, acknowledgment number and window of its segments."""
    opening = next((window for flags, _, window in segments if flags & SYN), 0)
    begun = next((number for flags, number, _ in segments if flags & ACK), 0)
    later = [(number, window) for flags, number, window in segments if not flags & (SYN | RST)]
    kept = later[:_MOST_SEGMENTS]
    heard = ((number - begun) & 0xFFFFFFFF for number, _ in kept)
    # what comes late acknowledges less than what was acknowledged before
    rising = accumulate((0 if each >= 2**31 else each for each in heard), max)
    return Window(opening=opening, heard=tuple(rising), said=tuple(said for _, said in kept))


class Receiving:
    """One end of a connection, window by window.

    Args:
        windows: Of connections that were seen. The first counts until another agrees better with
            how much is heard.
        joined: Draws where in the first to begin, for a connection that is joined.
    """

    __slots__ = ("_begun", "_last", "_nearest", "_offset", "_turn", "_windows")

    def __init__(
        self, windows: Sequence[Window] = (), *, joined: random.Random | None = None
    ) -> None:
        self._windows = [window for window in windows if window.said] or [_WITHOUT]
        self._nearest = self._windows[0]
        self._offset = joined.choice(self._windows[0].heard) if joined else 0
        self._begun = self._last = -1
        self._turn = 0

    def begin(self, acknowledged: int) -> None:
        """Note the number from which on things are heard."""
        self._begun = acknowledged

    def next(self, acknowledged: int, *, stays: bool = False) -> int:
        """What the next segment says that acknowledges up to a number.

        If it `stays`, it says what the last one did that acknowledged the same.
        """
        if self._begun < 0:
            self.begin(acknowledged)
        now = self._offset + ((acknowledged - self._begun) & 0xFFFFFFFF)
        self._turn = self._turn + (not stays) if acknowledged == self._last else 0
        self._last = acknowledged
        near = _near(self._nearest.heard, now)
        if near != now and not self._turn and len(self._windows) > 1:
            known = (self._nearest, *self._windows)
            self._nearest = min(known, key=lambda window: abs(_near(window.heard, now) - now))
            near = _near(self._nearest.heard, now)
        heard = self._nearest.heard
        place = bisect_left(heard, near)
        if self._turn:
            place = min(place + self._turn, bisect_right(heard, near, place) - 1)
        return self._nearest.said[place]


def _near(rising: Sequence[int], number: int) -> int:
    """The nearest of numbers to one; of two the lower one."""
    place = bisect_left(rising, number)
    if place == len(rising):
        return rising[-1]
    above = rising[place]
    below = rising[place - 1] if place else above
    return below if number - below <= above - number else above


class Receivers:
    """Who was seen to receive, by service and peer."""

    def __init__(self, connections: Iterable[Connection], draws: random.Random) -> None:
        self._draws = draws
        self._seen: dict[tuple[int, int, bool], dict[int, list[Window]]] = {}
        """Of a service, a peer and an end, by the window in the SYN; under `_ANY` all of them."""
        for connection in connections:
            for outgoing in (False, True):
                window = connection.windows[outgoing]
                keys = (
                    (connection.service, connection.peer),
                    (connection.service, _ANY),
                    (_ANY, _ANY),
                )
                for key in keys if window.said else ():
                    seen = self._seen.setdefault((*key, outgoing), {})
                    for opening in (window.opening, _ANY):
                        seen.setdefault(opening, []).append(window)

    def draw(
        self, service: int, peer: int, *, outgoing: bool, opening: int, joined: bool
    ) -> Receiving:
        """One end of a new connection.

        Args:
            service: The port that it goes to.
            peer: Place of the peer in `Headers.hosts`.
            outgoing: Whether it is the device's end.
            opening: The window in its SYN; 0 without one.
            joined: Whether the connection began before.
        """
        keys = (service, peer, outgoing), (service, _ANY, outgoing), (_ANY, _ANY, outgoing)
        seen = next((self._seen[key] for key in keys if key in self._seen), None)
        if seen is None:
            return Receiving()
        alike = seen.get(opening) or seen[_ANY]
        # some in a row, who may be any of them: drawing each takes longer than all else here
        first = self._draws.randrange(len(alike))
        drawn = (alike[first:] + alike[:first])[:_MOST_COMPARED]
        return Receiving(drawn, joined=self._draws if joined else None)
