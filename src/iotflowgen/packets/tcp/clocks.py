"""Clocks that hosts count by, as their timestamps and initial sequence numbers show them.

Most hosts have one clock, or two in a capture in which they start anew. Behind one address may also
be several machines, each with its own, and a host may have another one a connection (RFC 7323,
section 5.4): numbers of connections that do not fit the clocks of their host in a capture are
*apart*, and have their own.

A clock that goes on between captures shows when these were made. A session then is one more of
them, between the capture that its first packet is of and the next, by all such clocks alike. Other
clocks begin anew in each capture, near each other if their hosts are started just before. What they
say first in a capture, they say first in a session, but for a step to a neighbour.

Shapes: R readings; H hosts; C captures; L lines of numbers, one a direction of a connection.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.hosts.addresses import ip_address
from iotflowgen.packets.hosts.leases import usual_addresses
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.packets.tcp.number_spaces import signed
from iotflowgen.packets.tcp.times import CLOSE_NS, Times
from iotflowgen.recording import Groups, Packets
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["Clocks", "Readings", "Reals", "find_clocks", "find_hosts", "nearest", "neighbour"]

Reals = NDArray[np.float64]

_STARTS, _SEVERAL = 2, 2
"""Clocks that one machine seems to have in a capture in which it starts anew; their least lines."""
_SET = 2
"""How much farther off a clock may be in another capture, as it was set anew."""
_HOSTS, _CAPTURES = 2**32, 2**31
"""That there may be."""


def find_hosts(packets: Packets) -> Integers:
    """Who sends each packet, and to whom, by their IP addresses (P, 2): 0 is the device.

    Some devices let others speak through them, whose addresses are not theirs.
    """
    ends = np.stack([ip_address(packets, is_src) for is_src in (True, False)], axis=-1)
    own = np.where(packets.outgoing, ends[:, 0], ends[:, 1])
    is_device = np.zeros(ends.shape, dtype=bool)
    for is_ip in (packets.layers.is_ip4, packets.layers.is_ip6):
        for capture, address in usual_addresses(packets, own, is_ip & packets.outgoing).items():
            is_device |= (is_ip & (packets.session == capture))[:, None] & (ends == address)
    _, number = np.unique(ends, return_inverse=True)
    hosts: Integers = np.where(is_device, 0, number.reshape(-1, 2) + 1)
    return hosts


@dataclass(frozen=True, kw_only=True)
class Readings:
    """What clocks said (R)."""

    host: Integers
    capture: Integers
    time_ns: Integers
    """Since the epoch."""
    value: Integers

    def take(self, which: NDArray[Any]) -> "Readings":
        """Those of an array of indices or a mask."""
        return Readings(**{f.name: getattr(self, f.name)[which] for f in fields(Readings)})

    def steps(self) -> tuple[Integers, Integers, Integers]:
        """From each reading to the next of the same host and capture: host, nanoseconds, ticks."""
        order = np.lexsort((self.time_ns, self.capture, self.host))
        then, now = self.take(order[:-1]), self.take(order[1:])
        same = (then.host == now.host) & (then.capture == now.capture)
        steps = then.host, now.time_ns - then.time_ns, now.value - then.value
        host, passed_ns, ticks = (column[same] for column in steps)
        return host, passed_ns, ticks


@dataclass(frozen=True, kw_only=True)
class Clocks(Readings):
    """Clocks of captured hosts, each given by one reading: of a host in a capture, or apart.

    Those that are not apart come first, by host and capture.
    """

    host: Integers
    """Whose (R), two numbers a host, as of its two clocks in a capture."""
    is_apart: Flags
    """Whether it is a connection's own (R)."""
    goes_on: Flags
    """Whether it goes on from one capture to the next (R)."""
    rate: Reals
    """Ticks a second (R)."""
    spread: Integers
    """Ticks from what it says first in a capture to what another of its host and kind does (R)."""

    @classmethod
    def of(cls, references: Mapping[str, NDArray[Any]]) -> "Clocks":
        """The inverse of `columns`."""
        return cls(**{f.name: references[f"clocks.{f.name}"] for f in fields(cls)})

    def columns(self) -> dict[str, NDArray[Any]]:
        """As references of a codec."""
        return {f"clocks.{f.name}": getattr(self, f.name) for f in fields(self)}

    def at(self, clock: Integers, time_ns: Integers) -> Reals:
        """The values of clocks at times of their captures, at a constant rate; of any shape."""
        return self.value[clock] + self.ticks(clock, time_ns - self.time_ns[clock])

    def ticks(self, clock: Integers, passed_ns: Integers) -> Reals:
        """How far each counts in some time, fractions of a tick included."""
        ticks: Reals = passed_ns * (self.rate[clock] / 1e9)
        return ticks

    @cached_property
    def _key(self) -> Integers:
        """Host and capture of those that are not apart, rising."""
        key: Integers = (self.host * _CAPTURES + self.capture)[~self.is_apart]
        return key

    def _near(self, clock: Integers, capture: Integers) -> Integers:
        """The clock of the same host in a capture, or the one before that has it, or after (L)."""
        key = self.host[clock] * _CAPTURES + capture
        place = np.maximum(np.searchsorted(self._key, key, side="right") - 1, 0)
        lacks = self.host[place] != self.host[clock]
        return np.where(self.is_apart[clock], clock, place + lacks)

    def begin(
        self,
        name: str,
        line: Integers,
        clock: Integers,
        time_ns: Integers,
        session: Integers,
        times: Times,
        memory: Memory,
        noise: Noise,
    ) -> tuple[Integers, Integers, Integers]:
        """The clocks of lines in their sessions: which (L), when they said something, and what.

        Args:
            name: Of whose clocks, for the memory.
            line: Which lines (L).
            clock: Of the captured packet that each begins with (L).
            time_ns: When each begins, in the order of time (L).
            session: In which session (L).
            times: Of these (L).
            memory: Remembers when clocks were first asked.
            noise: Draws what begins anew.
        """
        clock = self._near(clock, times.base)
        begun_ns = self.time_ns[clock] - times.ahead_ns(self.capture[clock])
        key = np.where(self.is_apart[clock], -1 - line, session * _HOSTS + self.host[clock])
        anew = np.flatnonzero(~self.goes_on[clock])
        groups = Groups(key[anew])
        first = np.where(groups.is_first, time_ns[anew], 0)
        begun_ns[anew] = memory.recall(name, key[anew], groups.sum(first))
        memory.keep(name, key[anew], begun_ns[anew])
        value = self.value[clock]
        spread = self.spread[clock[anew]]
        value[anew] += noise.below(2 * spread + 1, name, key[anew]) - spread
        return clock, begun_ns, value


def find_clocks(
    firsts: Readings, rate: Reals, *, slack: Reals, drift: float
) -> tuple[Clocks, Integers]:
    """Find the clocks of hosts, from the first numbers of lines (L).

    Args:
        firsts: These numbers, those of a host in a capture in the order of time.
        rate: Ticks a second (H).
        slack: Ticks that a number may be off its clock (H).
        drift: Share of the ticks since another reading that it may be off, beside.

    Returns:
        The clocks, and which is that of each line (L).
    """
    key = firsts.host * _CAPTURES + firsts.capture
    order = np.argsort(key, kind="stable")
    stands, host = np.arange(len(key)), 2 * firsts.host
    is_apart, goes_on = np.ones((2, len(key)), dtype=bool)
    for own in np.split(order, np.flatnonzero(np.diff(key[order])) + 1) if len(order) else ():
        of = int(firsts.host[own[0]])
        crowds = _crowds(firsts.take(own), float(rate[of]), float(slack[of]), drift)
        is_pool = len(crowds) > _STARTS
        goes_on[own] = is_pool
        for number, crowd in enumerate(crowds[:1] if is_pool else sorted(crowds, key=min)):
            members = own[crowd]
            stands[members], is_apart[members] = members[0], False
            host[members] += number
    for of in np.unique(firsts.host).tolist():
        # what is not of the first clock of each capture, and the same one in most of them
        later = np.flatnonzero((host // 2 == of) & (is_apart | (host % 2 == 1)))
        for own in _going_on(firsts, later, rate, slack):
            stands[own], is_apart[own] = own[0], False
            host[own] = 2 * of + 1
    made = np.unique(stands)
    made = made[np.lexsort((firsts.capture[made], host[made], is_apart[made]))]
    place = np.empty_like(stands)
    place[made] = np.arange(len(made))
    clocks = Clocks(
        **(vars(firsts.take(made)) | {"host": host[made]}),
        is_apart=is_apart[made],
        goes_on=goes_on[made],
        rate=rate[host[made] // 2],
        spread=np.zeros(len(made), dtype=np.int64),
    )
    kind = 2 * clocks.host + clocks.is_apart
    for each in np.unique(kind).tolist():
        own = np.flatnonzero(kind == each)
        clocks.spread[own] = neighbour(clocks.value[own])
        if not each % 2:
            clocks.goes_on[own] = _goes_on(clocks, own, float(slack[each // 4]), drift)
    return clocks, place[stands]


def _going_on(firsts: Readings, some: Integers, rate: Reals, slack: Reals) -> Iterator[Integers]:
    """Which of `some` numbers of a host go on from capture to capture, by capture.

    A host that is set to the time of day counts by that from then on, in every capture.
    """
    if not len(some):
        return
    said, of = firsts.take(some), int(firsts.host[some[0]])
    begun = said.value - nearest((said.time_ns - said.time_ns[0]) * (rate[of] / 1e9))
    reach = _SET * float(slack[of])
    fits = np.abs(signed(begun - begun[_crowd(begun % 2**32, reach)])) <= reach
    captures = np.unique(said.capture[fits])
    if len(captures) > _STARTS and 2 * len(captures) > len(np.unique(said.capture)):
        for capture in captures.tolist():
            yield some[fits & (said.capture == capture)]


def _crowds(said: Readings, rate: float, slack: float, drift: float) -> list[list[int]]:
    """Which of the numbers (R) of a host in a capture belong to one clock each.

    The clocks are those with most of the numbers, one more than a host that restarts has at most;
    all but the first have several.
    """
    seconds = (said.time_ns - said.time_ns[0]) / 1e9
    begun = said.value - np.rint(seconds * rate).astype(np.int64)
    left = np.arange(len(begun))
    crowds: list[list[int]] = []
    while len(left) and len(crowds) <= _STARTS:
        at = left[_crowd(begun[left] % 2**32, slack + drift * rate * float(np.ptp(seconds)))]
        may = slack + drift * rate * np.abs(seconds[left] - seconds[at])
        fits = np.abs(signed(begun[left] - begun[at])) <= may
        if crowds and fits.sum() < _SEVERAL:
            break
        crowds.append(left[fits].tolist())
        left = left[~fits]
    return crowds


def _crowd(said: Integers, reach: float) -> int:
    """The first of numbers that has most others within reach."""
    rising = np.sort(said)
    rising = np.concatenate([rising - 2**32, rising, rising + 2**32])
    near = np.searchsorted(rising, said + reach, side="right")
    return int(np.argmax(near - np.searchsorted(rising, said - reach)))


def _goes_on(clocks: Clocks, own: Integers, slack: float, drift: float) -> bool:
    """Whether a host's clock runs on between most captures that are close in time.

    Args:
        clocks: All clocks.
        own: The host's, one a capture.
        slack: As for `find_clocks`.
        drift: As there.
    """
    own = own[np.argsort(clocks.time_ns[own])]
    then, now = own[:-1], own[1:]
    passed_ns = clocks.time_ns[now] - clocks.time_ns[then]
    ticks = nearest(clocks.ticks(then, passed_ns))
    is_next = (
        np.abs(signed(clocks.value[now] - clocks.value[then] - ticks)) <= slack + drift * ticks
    )
    is_close = passed_ns < CLOSE_NS
    return bool(2 * (is_next & is_close).sum() > is_close.sum())


def neighbour(said: Integers) -> int:
    """The distance of 32-bit numbers to the next one; none for the two farthest apart.

    For a single number it is the distance from 0: it is small after a restart.
    """
    rising = np.sort(said)
    if len(rising) == 1:
        return int(min(rising[0], 2**32 - rising[0], 2**31 - 1))
    gaps = np.sort(np.diff(rising, append=rising[0] + 2**32))[:-1]
    return int(min(np.median(gaps), 2**31 - 1))


def nearest(ticks: Reals) -> Integers:
    """The nearest whole numbers of ticks."""
    return np.floor(ticks + 0.5).astype(np.int64)
