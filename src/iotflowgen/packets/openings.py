"""Which sequence numbers connections begin with, where these are not random.

A clock may count them: of 4 microseconds as RFC 793 has it (section 3.3), of 1 microsecond or 64
nanoseconds as Linux had it up to version 3.0, which adds 24 bits that depend on the addresses and
ports. Such a clock jumps when the device hears what time it is. Or they lie near each other in the
connections with a service.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, pairwise
from statistics import fmean
from typing import Final

from iotflowgen.packets.counters import begins
from iotflowgen.packets.headers import Host, Opening

__all__ = ["Openings", "opening_of"]

_RATES: Final = (0, 250_000, 1_000_000, 15_625_000)
"""A second, of clocks that count sequence numbers; 0 of none."""
_SPREAD: Final = 2**24
"""How much is added to what the clock says, at most."""
_LEAST, _SHARE = 4, 0.5
"""Steps that a clock has to explain, and their share."""

Firsts = Sequence[tuple[int, int, int]]
"""When SYNs were sent, nanoseconds, their sequence numbers and services; in order."""


def opening_of(captures: Sequence[Firsts]) -> Opening:
    """The law of the sequence numbers of a host's SYNs, a list a capture."""
    pairs = [
        (then, now)
        for seen in captures
        for then, now in pairwise(seen)
        if now[1] != then[1]  # who is refused asks again
    ]
    steps = [(now[0] - then[0], now[1] - then[1]) for then, now in pairs]
    off = {rate: [_off(rate, *step) for step in steps] for rate in _RATES}
    explained = {rate: sum(each <= _SPREAD for each in off[rate]) for rate in _RATES}
    rate = min(_RATES, key=lambda rate: (-explained[rate], sum(off[rate])))
    if rate and explained[rate] >= max(_LEAST, _SHARE * len(steps)):
        first = begins([seen[0][1] for seen in captures if seen], 2**32)
        set_before: defaultdict[int, list[bool]] = defaultdict(list)
        for (_, (*_, service)), by in zip(pairs, off[rate], strict=True):
            set_before[service].append(by > _SPREAD)
        jumps = tuple((service, fmean(seen)) for service, seen in sorted(set_before.items()))
        return Opening(rate=rate, first=first, jumps=jumps)
    by_service: defaultdict[int, list[int]] = defaultdict(list)
    for _, number, service in chain.from_iterable(captures):
        by_service[service].append(number)
    found = ((service, begins(seen, 2**32)) for service, seen in by_service.items())
    return Opening(services=tuple((service, *law) for service, law in found if law))


def _off(rate: int, ns: int, step: int) -> int:
    """How far a clock is off that counts on for a time instead of making a step."""
    return abs((step - rate * ns // 10**9 + 2**31) % 2**32 - 2**31)


class Openings:
    """The sequence numbers of all hosts' SYNs."""

    def __init__(self, hosts: Sequence[Host], draws: random.Random) -> None:
        self._laws = [host.opening for host in hosts]
        self._services = [
            {service: (low, high) for service, low, high in law.services} for law in self._laws
        ]
        self._jumps = [dict(law.jumps) for law in self._laws]
        self._draws = draws
        self._begun: dict[int, tuple[int, int]] = {}
        """When a host's clock was first asked since it jumped, and what it said."""
        self._jumped: set[int] = set()

    def begin(self) -> None:
        """Start again."""
        self._begun.clear()
        self._jumped.clear()

    def next(self, host: int, service: int, time_ns: int) -> int | None:
        """What a host's connection with a service begins with; None where that is random."""
        law = self._laws[host]
        if not law.rate:
            between = self._services[host].get(service)
            return self._draws.randint(*between) if between else None
        if host not in self._begun:
            low, high = law.first or (0, 2**32 - 1)
            self._begun[host] = time_ns, self._draws.randint(low, max(low, high - _SPREAD))
        elif host not in self._jumped and self._draws.random() < self._jumps[host].get(service, 0):
            self._begun[host] = time_ns, self._draws.getrandbits(32)
            self._jumped.add(host)
        then_ns, said = self._begun[host]
        passed = law.rate * (time_ns - then_ns) // 10**9
        return (said + passed + self._draws.randrange(_SPREAD)) & 0xFFFFFFFF
