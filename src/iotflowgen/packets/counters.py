"""Numbers that count up from packet to packet: IP IDs, and the ids of questions to DNS.

Who counts does so from a number that is anybody's guess, or, counting from the last start on, from
much the same one in each capture. A step is mostly 1, or more where others are counted too who are
not seen.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from iotflowgen.packets.connections import Side
from iotflowgen.packets.headers import Counting, Host

__all__ = ["IpIds", "Numbers", "begins", "counting", "counting_by_kind", "is_next"]

_NEAR = 8192
"""What counts as the next values of a counter, of 65,536."""
_NEXT = 256
"""The same within one connection."""
_MOSTLY = 0.6
_CHANCE = 0.01
"""That numbers drawn at random are taken for those of a counter, or for beginnings alike."""
_MOST_STEPS = 32
_ANY = (1, 65_535)


def counting(runs: Sequence[Sequence[int]]) -> Counting | None:
    """The law of numbers that were seen in a row, a run a capture or connection; None without."""
    steps = [(number - last) % 65_536 for run in runs for last, number in pairwise(run)]
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

    def begin(self) -> None:
        """Start again, if that is known to begin with much the same number."""
        if self._law and self._law.begins != _ANY:
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
    return (last + draws.choice(law.steps) - 1) % 65_535 + 1


class IpIds:
    """The IP IDs of all hosts, each by its law."""

    def __init__(self, hosts: Sequence[Host], draws: random.Random) -> None:
        self._connections = [host.connection_ids for host in hosts]
        self._hosts = [Numbers(host.ids, draws) for host in hosts]
        self._by_kind = [dict(host.ids_by_kind) for host in hosts]
        self._strays = [host.strays for host in hosts]
        self._nobody = Numbers(None, draws)
        self._draws = draws

    def begin(self) -> None:
        """Start hosts again that begin with much the same number."""
        for numbers in self._hosts:
            numbers.begin()

    def next(self, host: int, side: Side | None, protocols: int = 0, *, ends: bool = False) -> int:
        """The next ID of a host, never 0.

        Args:
            host: Place of the sender; -1 for one that is not known.
            side: The sender's end of the connection; None without TCP.
            protocols: Protocol configuration of the packet.
            ends: It is of the last acknowledgment there, which some systems do not count.
        """
        if host < 0:
            return self._nobody.next()
        if side is None or (law := self._connections[host]) is None:
            return self._hosts[host].next(self._by_kind[host].get(protocols))
        if ends and self._draws.random() < self._strays[host]:
            return self._nobody.next()
        side.ip_id = _following(side.ip_id, law, self._draws)
        return side.ip_id
