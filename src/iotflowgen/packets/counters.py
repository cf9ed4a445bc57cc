"""Numbers that count up from packet to packet: IP IDs, and the ids of questions to DNS.

Who counts does so from a number that is anybody's guess, or, counting from the last start on, from
much the same one in each capture. A step is mostly 1, or more where others are counted too who are
not seen. All may count in one row, or what goes to each address for itself.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final, TypeVar

import numpy as np

from iotflowgen.packets.connections import Side
from iotflowgen.packets.headers import Counting, Host

__all__ = [
    "CLOSE_NS",
    "IpIds",
    "Numbers",
    "begins",
    "counting",
    "counting_apart",
    "counting_by_kind",
    "goes_on",
    "is_next",
]

CLOSE_NS: Final = 6 * 3600 * 10**9
"""Between captures, for a host hardly to have started anew."""
_NEAR: Final = 8192
"""What counts as the next values of a counter, of 65,536."""
_NEXT: Final = 256
"""The same within one connection."""
_MOSTLY: Final = 0.6
_CHANCE: Final = 0.01
"""That numbers drawn at random are taken for those of a counter, or for beginnings alike."""
_FEW, _NEARLY, _LEAST = 16, 0.9, 10
"""Steps of a counter that has little else to count; their share, and how many have to be seen."""
_Seen = TypeVar("_Seen", bound=tuple[int, ...])
_MOST_STEPS: Final = 32
_ANY: Final = (1, 65_535)


def counting(runs: Sequence[Sequence[int]]) -> Counting | None:
    """The law of numbers that were seen in a row, a run a capture or connection; None without."""
    steps = [step for run in runs for step in _steps(run)]
    near = sorted(step for step in steps if 0 < step <= _NEAR)
    by_chance = not near or (near[-1] / 65_536) ** len(near) > _CHANCE
    if by_chance or len(near) < _MOSTLY * len(steps):
        return None
    first = begins([run[0] for run in runs], 65_536) or _ANY
    return Counting(begins=first, steps=_kept(near))


def counting_by_kind(
    runs: Sequence[Sequence[tuple[int, int]]], law: Counting
) -> dict[int, Counting]:
    """How numbers that follow a law do so by what they are of.

    What is counted and not seen, as a first request that is sent before a capture begins, mostly
    comes before the same kind of packet.

    Args:
        runs: Protocol configurations and numbers that were seen in a row.
        law: Of all numbers, whatever they are of.
    """
    firsts: defaultdict[int, list[int]] = defaultdict(list)
    steps: defaultdict[int, list[int]] = defaultdict(list)
    for run in runs:
        firsts[run[0][0]].append(run[0][1])
        for (_, last), (kind, number) in pairwise(run):
            if 0 < (step := (number - last) % 65_536) <= _NEAR:
                steps[kind].append(step)
    found: dict[int, Counting] = {}
    for kind in {*firsts, *steps}:
        seen = firsts[kind] if law.begins != _ANY else []
        found[kind] = Counting(
            begins=(min(seen), max(seen)) if seen else law.begins,
            steps=_kept(sorted(steps[kind])) or law.steps,
        )
    return found


def counting_apart(
    runs: Sequence[Sequence[tuple[int, int]]], ids_to: Mapping[str, Mapping[int, Sequence[int]]]
) -> tuple[Counting, dict[str, tuple[tuple[int, int, int], ...]]] | None:
    """The law of numbers that count for each address for themselves, as Linux has them.

    Args:
        runs: Protocol configurations and numbers that were seen in a row, whatever the address.
        ids_to: Numbers by address and the time when the capture began.

    Returns:
        The law, and by address when captures began, the first number there, and the last one, where
        it goes on from one to the next; None if one row explains the numbers as well.
    """
    apart = [_steps(run) for captures in ids_to.values() for run in captures.values()]
    steps = [step for run in apart for step in run]
    together = [step for run in runs for step in _steps([number for _, number in run])]
    few = sum(0 < step <= _FEW for step in steps)
    if len(steps) < _LEAST or few < _NEARLY * len(steps):
        return None
    if sum(0 < step <= _FEW for step in together) >= _MOSTLY * len(together):
        return None
    found: dict[str, tuple[tuple[int, int, int], ...]] = {}
    for address, captures in ids_to.items():
        seen = sorted((begun, run[0], run[-1]) for begun, run in captures.items())
        is_on = goes_on(seen, lambda then, now: 0 < (now[1] - then[2]) % 65_536 <= _NEAR)
        found[address] = tuple(seen) if is_on else ()
    kept = _kept(sorted(step for step in steps if 0 < step <= _FEW))
    return Counting(begins=_ANY, steps=kept), found


def goes_on(seen: Sequence[_Seen], is_next: Callable[[_Seen, _Seen], bool]) -> bool:
    """Whether what was seen in captures goes on between most of those that are close together.

    Args:
        seen: When each began, and what was seen there; in order.
        is_next: Whether what was seen in one goes on in the next.
    """
    close = [pair for pair in pairwise(seen) if pair[1][0] - pair[0][0] < CLOSE_NS]
    return 2 * sum(is_next(*pair) for pair in close) > len(close)


def _steps(run: Sequence[int]) -> list[int]:
    return [(number - last) % 65_536 for last, number in pairwise(run)]


def _kept(ascending: Sequence[int]) -> tuple[int, ...]:
    """Some of them, evenly spread."""
    count = min(len(ascending), _MOST_STEPS)
    places = ((np.arange(count) + 0.5) * len(ascending) / max(1, count)).astype(int)
    return tuple(ascending[place] for place in places)


def is_next(number: int, last: int) -> bool:
    """Whether a number may be one of the next values of a counter."""
    return 0 < (number - last) % 65_536 <= _NEXT


def begins(firsts: Sequence[int], size: int) -> tuple[int, int] | None:
    """Between which of so many numbers runs begin; None where these are as far apart as random."""
    if len(firsts) < 2:
        return None
    low, high, count = min(firsts), max(firsts), len(firsts)
    return (low, high) if count * ((high - low) / size) ** (count - 1) < _CHANCE else None


class Numbers:
    """One counter; at random without a law."""

    def __init__(self, law: Counting | None, draws: random.Random) -> None:
        self._law = law
        self._draws = draws
        self.last = 0
        """0 before the first."""

    @property
    def begins_alike(self) -> bool:
        """Whether it is known to begin with much the same number each time."""
        return self._law is not None and self._law.begins != _ANY

    def begin(self) -> None:
        """Start again, if it begins alike."""
        if self.begins_alike:
            self.last = 0

    def next(self, law: Counting | None = None) -> int:
        """The next number, by another law than usual if need be.

        It is never 0, which says that there is none.
        """
        self.last = _following(self.last, law or self._law, self._draws)
        return self.last


def _following(last: int, law: Counting | None, draws: random.Random) -> int:
    """What comes after a number, 0 before the first."""
    if law is None or not last:
        return draws.randint(*(law.begins if law else _ANY))
    steps = law.steps
    # as `choice` draws, which is not compiled
    bits = len(steps).bit_length()
    while (place := draws.getrandbits(bits)) >= len(steps):
        pass
    return (last + steps[place] - 1) % 65_535 + 1


class IpIds:
    """The IP IDs of all hosts, each by its law."""

    def __init__(self, hosts: Sequence[Host], draws: random.Random) -> None:
        self._connections = [host.connection_ids for host in hosts]
        self._laws = [host.ids for host in hosts]
        self._hosts = [Numbers(law, draws) for law in self._laws]
        self._beginning = [numbers for numbers in self._hosts if numbers.begins_alike]
        self._by_kind = [dict(host.ids_by_kind) for host in hosts]
        self._strays = [host.strays for host in hosts]
        self._to = [host.ids_to for host in hosts]
        self._apart: dict[tuple[int, str], Numbers] = {}
        """Of a host and where its packets go."""
        self._near, self._is_later = 0, False
        self._nobody = Numbers(None, draws)
        self._draws = draws

    def begin(self, near: int = 0, *, is_later: bool = False) -> None:
        """Start hosts again that begin with much the same number.

        Args:
            near: When the capture began that the run is near.
            is_later: The run is after it, not before.
        """
        for numbers in self._beginning:
            numbers.begin()
        self._apart.clear()
        self._near, self._is_later = near, is_later

    def next(
        self,
        host: int,
        side: Side | None,
        protocols: int = 0,
        to: str = "",
        *,
        ends: bool = False,
    ) -> int:
        """The next ID of a host, never 0.

        Args:
            host: Place of the sender; -1 for one that is not known.
            side: The sender's end of the connection; None without TCP.
            protocols: Protocol configuration of the packet.
            to: The address that it goes to, as it was captured.
            ends: It is of the last acknowledgment there, which some systems do not count.
        """
        if host < 0:
            return self._nobody.next()
        if side is None and self.counts_apart(host):
            return self._next_to(host, to)
        if side is None or (law := self._connections[host]) is None:
            return self._hosts[host].next(self._by_kind[host].get(protocols))
        if ends and self._draws.random() < self._strays[host]:
            return self._nobody.next()
        side.ip_id = _following(side.ip_id, law, self._draws)
        return side.ip_id

    def counts_apart(self, host: int) -> bool:
        """Whether those of a host count for each address for themselves."""
        return host >= 0 and self._to[host] is not None

    def _next_to(self, host: int, to: str) -> int:
        """The next ID of packets that go to an address."""
        numbers = self._apart.get((host, to))
        if numbers is None:
            numbers = self._apart[host, to] = Numbers(self._laws[host], self._draws)
            for begun, first, last in (self._to[host] or {}).get(to, ()):
                if begun == self._near:
                    # as many packets before it as there are in it
                    before = last if self._is_later else 2 * first - last - 2
                    numbers.last = (before - 1) % 65_535 + 1
        return numbers.next()
