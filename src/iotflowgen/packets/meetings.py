"""With whom TCP connections are: mostly with hosts that the device has met in the same capture.

Where several hosts have one service a device keeps to one of them, and to another in another
capture; for another purpose it may keep to yet another. So it is learnt, by the kind of their first
packet, how many connections are with the host of the last one that began alike; and of those before
which none did, how many are with the host of the service that was met last, of those with which
connections ever began so.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean

from iotflowgen.packets.headers import Kind, Stay, of_any_length

__all__ = ["Meeting", "Meetings", "learn_stays"]

Meeting = tuple[Kind, bool, int]
"""Of the first packet of a connection its kind, and whether that is bare; and the peer's place."""


def learn_stays(captures: Sequence[Sequence[Meeting]]) -> tuple[Stay, ...]:
    """How many connections are with a host that was met before, beyond those that are by chance.

    Args:
        captures: All that began, in order, a list a capture.
    """
    peers: defaultdict[Kind, Counter[int]] = defaultdict(Counter)
    for met in captures:
        for kind, is_bare, peer in met:
            peers[_beginning(kind, is_bare=is_bare)][peer] += 1
    seen: defaultdict[tuple[Kind, bool], list[tuple[bool, float]]] = defaultdict(list)
    for met in captures:
        before = _Before()
        for kind, is_bare, peer in met:
            beginning = _beginning(kind, is_bare=is_bare)
            known = peers[beginning]
            last, alike = before.last(beginning, known.__contains__)
            if last is not None:
                seen[beginning, alike].append((last == peer, known[last] / known.total()))
            before.note(beginning, peer)
    return tuple(
        Stay(beginning=beginning, alike=alike, share=_beyond_chance(cases))
        for (beginning, alike), cases in seen.items()
    )


def _beginning(kind: Kind, *, is_bare: bool) -> Kind:
    """How long the first payload of a connection is does not matter."""
    return kind if is_bare else of_any_length(kind)


def _beyond_chance(cases: Sequence[tuple[bool, float]]) -> float:
    """The share of what came about, where each would have by chance with some probability."""
    share, chance = map(fmean, zip(*cases, strict=True))
    return max(0.0, (share - chance) / (1 - chance)) if chance < 1 else 0.0


class _Before:
    """Whom the device has met in a capture."""

    def __init__(self) -> None:
        self._alike: dict[Kind, int] = {}
        """The host of the last connection that began so."""
        self._of_service: defaultdict[int, dict[int, None]] = defaultdict(dict)
        """The hosts of each service, the one that was met last at the end."""

    def last(self, beginning: Kind, may_be: Callable[[int], bool]) -> tuple[int | None, bool]:
        """The host that a connection is with if with one from before, and if that began alike."""
        if beginning in self._alike:
            return self._alike[beginning], True
        met = reversed(self._of_service.get(beginning[3], {}))
        return next(filter(may_be, met), None), False

    def note(self, beginning: Kind, peer: int) -> None:
        """A connection has begun."""
        self._alike[beginning] = peer
        met = self._of_service[beginning[3]]
        met.pop(peer, None)
        met[peer] = None


class Meetings:
    """Whom the device has met while connections are written.

    Args:
        stays: How many connections are with such hosts.
        draws: Draws.
    """

    def __init__(self, stays: Sequence[Stay], draws: random.Random) -> None:
        self._shares = {(stay.beginning, stay.alike): stay.share for stay in stays}
        shares: defaultdict[int, list[float]] = defaultdict(list)
        for stay in stays:
            shares[stay.beginning[3]].append(stay.share)
        self._usual = {service: fmean(known) for service, known in shares.items()}
        """By service, for what began no connection in captures: windows begin in their middle."""
        self._draws = draws
        self._before = _Before()

    def begin(self) -> None:
        """A run begins of which the one before knows nothing."""
        self._before = _Before()

    def again(self, kind: Kind, *, is_bare: bool, may_be: Callable[[int], bool]) -> Iterator[int]:
        """The host that a connection stays with; none if it goes with any."""
        beginning = _beginning(kind, is_bare=is_bare)
        last, alike = self._before.last(beginning, may_be)
        if last is None:
            return
        share = self._shares.get((beginning, alike))
        if share is None:
            share = self._usual.get(beginning[3], 0.0)
        if self._draws.random() < share:
            yield last

    def note(self, kind: Kind, peer: int, *, is_bare: bool) -> None:
        """A connection is with a host."""
        self._before.note(_beginning(kind, is_bare=is_bare), peer)
