"""TCP timestamps: whose clock counts them, how fast, and from where (RFC 7323).

Most hosts have one clock. Behind one address may also be several machines, each with its own, as
behind a service's load balancer; a connection then has that of one machine. A radio that sleeps
has to wake up first, so that a SYN passes later after its stamp than what follows it.

A host that goes on between captures shows when these were made: by its clock they are as far apart
as they were. A session then is one more of them, some time before or after one, for all such hosts;
the next one is near another.
"""

import random
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import pairwise, product
from math import log
from statistics import median
from typing import Final, NamedTuple

from iotflowgen.packets.connections import Side
from iotflowgen.packets.counters import CLOSE_NS, goes_on
from iotflowgen.packets.headers import Host

__all__ = ["Clocks", "Ticking", "Times", "are_one", "late_of", "ticking_of"]

Times = Sequence[tuple[int, int]]
"""When timestamps passed, nanoseconds, and what they said; in order."""

_RATES: Final = (1, 2, 4, 10, 50, 100, 200, 250, 300, 500, 1000)
"""Ticks a second that TCP timestamps have."""
_USUAL: Final = (100, 250, 1000)
"""Those that most hosts have: of others more has to be seen."""
_UNKNOWN: Final = 100
"""Of a host whose rate was not seen."""
_FASTEST: Final = 4000
"""More is no clock, but several hosts behind one address."""
_LONG_NS: Final = 4 * 10**9
"""Between timestamps, for their rate to be more than delay."""
_OFF, _DRIFT = 1.0, 0.02
"""Seconds, and share of what has passed, that a clock may be off and still be the same."""
_NEARER: Final = 8
"""Times nearer to a capture than captures are to each other, a session may be."""
_MOST_CLOCKS: Final = 32
_STARTS: Final = 2
"""Clocks that one machine seems to have in a capture in which it starts anew."""
_LATE_PARTS: Final = 8
"""Quantiles that are kept of how late SYNs are."""


class Ticking(NamedTuple):
    """How a host's timestamps count."""

    rate: float
    """Ticks a second; 0 without timestamps."""
    clocks: int
    """How many count."""
    firsts: tuple[int, ...]
    """What they said first in captures, in ascending order."""
    begun: tuple[tuple[int, int], ...] = ()
    """When captures began, and what the clock said then, if it goes on from one to the next."""


def ticking_of(captures: Sequence[Times], begun_ns: Sequence[int] = ()) -> Ticking:
    """The law of the timestamps that a host has sent in captures that began at some times."""
    rate = _rate(captures)
    found = [_apart(seen, rate) for seen in captures if seen]
    clocks = max(map(len, found), default=1)
    is_pool = clocks > _STARTS
    firsts = [first for seen in found for first in (seen if is_pool else seen[:1])]
    begun = () if is_pool or not rate else _begun(captures, begun_ns, rate)
    return Ticking(rate, clocks if is_pool else 1, tuple(sorted(firsts)), begun)


def _begun(
    captures: Sequence[Times], begun_ns: Sequence[int], rate: float
) -> tuple[tuple[int, int], ...]:
    """What a clock said when captures began, if it went on between most of those close together."""
    found = sorted(
        (begun, (seen[0][1] - round((seen[0][0] - begun) * rate / 1e9)) % 2**32)
        for begun, seen in zip(begun_ns, captures, strict=False)
        if seen
    )
    return tuple(found) if goes_on(found, partial(_is_on, rate=rate)) else ()


def are_one(some: Sequence[Times], others: Sequence[Times]) -> bool:
    """Whether two addresses have one clock, by what they say in the same captures.

    So it is taken to be where nothing says otherwise, as that only the others send timestamps.
    """
    if any(others) and not any(some):
        return False
    rate, votes = _rate(some), 0
    if not rate:
        return True
    for mine, theirs in zip(some, others, strict=True):
        if mine and theirs:
            near = min(mine, key=lambda seen: abs(seen[0] - theirs[0][0]))
            votes += 1 if _is_on(near, theirs[0], rate) else -1
    return votes >= 0


def late_of(seen: Sequence[tuple[int, int]], rate: float) -> tuple[int, ...]:
    """How much later than others SYNs pass after their stamps, nanoseconds; none if no later.

    Args:
        seen: Of connections, nanoseconds and ticks between a SYN and the last segment.
        rate: Ticks a second.
    """
    if not rate or not seen:
        return ()
    # of a clock that was set back nothing follows
    late = sorted(
        int(ticks * 1e9 / rate) - ns for ns, ticks in seen if ns < _LONG_NS and ticks < 2**31
    )
    if len(late) < _LATE_PARTS or late[len(late) // 2] * rate < 10**9:
        return ()
    return tuple(late[len(late) * (2 * i + 1) // (2 * _LATE_PARTS)] for i in range(_LATE_PARTS))


def _rate(captures: Sequence[Times]) -> float:
    """Ticks a second of most timestamps, far apart if there are any; 0 without."""
    steps = [
        ((last[1] - first[1]) % 2**32, last[0] - first[0])
        for seen in captures
        for first, last in pairwise(seen)
    ]
    steps = [(ticks, ns) for ticks, ns in steps if 0 < ticks * 10**9 < _FASTEST * ns]
    far = [(ticks, ns) for ticks, ns in steps if ns >= _LONG_NS]
    if not steps:
        return 0
    rate = median(ticks * 1e9 / ns for ticks, ns in far or steps)
    return min(_RATES if far else _USUAL, key=lambda known: abs(log(known / rate)))


def _apart(seen: Times, rate: float) -> list[int]:
    """What the clocks of a capture said first."""
    latest: list[tuple[int, int]] = []
    firsts: list[int] = []
    for each in seen:
        clock = next((i for i, then in enumerate(latest) if _is_on(then, each, rate)), len(latest))
        if clock < len(latest):
            latest[clock] = each
        elif clock < _MOST_CLOCKS:
            latest.append(each)
            firsts.append(each[1])
    return firsts


def _is_on(then: tuple[int, int], now: tuple[int, int], rate: float) -> bool:
    """Whether a clock that said one thing then says another now."""
    passed = (now[0] - then[0]) / 1e9
    off = (now[1] - then[1] - round(passed * rate) + 2**31) % 2**32 - 2**31
    return abs(off) <= rate * (_OFF + _DRIFT * abs(passed))


class Clocks:
    """The TCP timestamps of all hosts.

    Args:
        hosts: Whose.
        draws: Draws what they say first.
        begun_ns: When captures began.
    """

    def __init__(
        self, hosts: Sequence[Host], draws: random.Random, begun_ns: Sequence[int] = ()
    ) -> None:
        self._hosts = hosts
        self._draws = draws
        self._gaps_ns = [
            (above - below, below) for below, above in pairwise(sorted(begun_ns)) if above > below
        ]
        self._ends: list[tuple[tuple[int, int], bool]] = []
        """Of gaps, those near which no run is yet, so that runs do not crowd about one capture."""
        self._now = 0, 0
        """Near which capture the run is, and when that began by the times of the run."""
        self._boot: dict[tuple[int, int], int] = {}
        self._latest: dict[tuple[int, int], int] = {}
        """What each clock said last."""
        self._to_come: dict[int, list[tuple[int, int]]] = {}
        """Of a host, how far apart those are between which clocks are to begin, and the lower."""

    def begin(self, time_ns: int = 0) -> None:
        """Start again, at some time: who begins, does so with another number."""
        self._boot.clear()
        self._latest.clear()
        self._to_come.clear()
        if self._gaps_ns:
            if not self._ends:
                self._ends += product(self._gaps_ns, (False, True))
                self._draws.shuffle(self._ends)
            (gap_ns, near), is_upper = self._ends.pop()
            closest_ns = min(self._gaps_ns)[0] / _NEARER
            off_ns = round(closest_ns * (gap_ns / 2 / closest_ns) ** self._draws.random())
            if is_upper:
                near, off_ns = near + gap_ns, -off_ns
            self._now = near, time_ns - off_ns

    @property
    def near(self) -> int:
        """When the capture began that the run is near."""
        return self._now[0]

    def is_later(self, time_ns: int) -> bool:
        """Whether a time of the run is after that."""
        return time_ns > self._now[1]

    def ticks(
        self, host: int, side: Side, time_ns: int, *, opens: bool = False, before: bool = False
    ) -> int:
        """What a host's clock says.

        Args:
            host: Place of the host.
            side: Its end of the connection.
            time_ns: When the segment passes.
            opens: It is a SYN.
            before: It was sent earlier than the last one that was asked for.
        """
        law = self._hosts[host]
        if opens and law.late_ns:
            time_ns -= self._draws.choice(law.late_ns)
        if law.clocks > 1 and side.clock < 0:
            side.clock = self._draws.randrange(law.clocks)
        passed = int(time_ns // 1000 * (law.ticks or _UNKNOWN) / 10**6)
        clock = host, side.clock
        if clock not in self._boot:
            self._boot[clock] = self._first(host, time_ns) - passed
        ticks = self._boot[clock] + passed
        if not before:
            # what waits for the radio goes out before what comes after it
            ticks = self._latest[clock] = max(ticks, self._latest.get(clock, ticks))
        return ticks & 0xFFFFFFFF

    def _first(self, host: int, time_ns: int) -> int:
        """What a clock says first: of one that goes on, what it would say then.

        Of others, a number between two neighbours of those that were seen first in captures.

        Of random ones this is nearly random; of clocks that start with their host it is near one.
        Numbers go round, and neighbours are not those farthest apart: Linux begins five minutes
        below 0, which it soon passes.
        """
        law, (near, begun_ns) = self._hosts[host], self._now
        known = min(law.begun, key=lambda then: abs(then[0] - near), default=None)
        if known and abs(known[0] - near) < CLOSE_NS:
            passed_ns = near - known[0] + time_ns - begun_ns
            return known[1] + round(passed_ns * law.ticks / 1e9)
        seen = law.stamps
        if not seen:
            return self._draws.getrandbits(32)
        if len(seen) == 1:
            return self._draws.randint(seen[0] // 2, min(2 * seen[0], 2**32 - 1))
        to_come = self._to_come.setdefault(host, [])
        if not to_come:
            to_come += _gaps(seen)
            self._draws.shuffle(to_come)
        gap, below = to_come.pop()
        return below + self._draws.randint(0, gap)


@lru_cache
def _gaps(seen: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Between neighbours of numbers that go round, how far and from where, but for the farthest."""
    gaps = [((above - below) % 2**32, below) for below, above in pairwise((*seen, seen[0]))]
    return tuple(sorted(gaps)[:-1])
