"""Clocks that hosts count by, as their timestamps and initial sequence numbers show them.

Most hosts have one clock. Behind one address may also be several machines, each with its own, and a
host may have another one a connection (RFC 7323, section 5.4): numbers of connections that do not
fit the clock of their host in a capture are *apart*, and have their own.

A clock that goes on between captures shows when these were made. A session then is one more of
them, some time after the capture that its first packet is of, by all such clocks alike. Other
clocks begin anew in each capture, near each other if their hosts are started just before. What they
say first in a capture, they say first in a session, but for a step to a neighbour.

Shapes: R readings; H hosts; C captures; L lines of numbers, one a direction of a connection.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.packets.tcp.lines import Flags, Integers, signed
from iotflowgen.packets.tcp.times import Times
from iotflowgen.recording import Groups, Packets

__all__ = ["Clocks", "Readings", "Reals", "find_clocks", "find_hosts", "neighbour"]

Reals = NDArray[np.float64]

_CLOSE_NS = 6 * 3600 * 10**9
"""Between captures, for a host hardly to have started anew."""
_HOSTS = 2**32
"""That there may be."""


def find_hosts(packets: Packets) -> Integers:
    """Who sends each packet, and to whom, by their IP addresses (P, 2): 0 is the device."""
    layers, outgoing = packets.layers, packets.outgoing
    at = layers.network + np.where(layers.is_ip6, 8, 12)
    size = np.where(layers.is_ip6, 16, 4)
    address = packets.frames.bytes_at(at + np.where(outgoing, size, 0), 16)
    address[~layers.is_ip6, 4:] = 0
    _, peer = np.unique(address, axis=0, return_inverse=True)
    peer = peer.ravel() + 1
    pairs: Integers = np.where(outgoing[:, None], [0, 1], [1, 0]) * peer[:, None]
    return pairs


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

    def steps(self) -> "Steps":
        """From each to the next of the same host in the same capture."""
        order = np.lexsort((self.time_ns, self.capture, self.host))
        then, now = self.take(order[:-1]), self.take(order[1:])
        same = (then.host == now.host) & (then.capture == now.capture)
        return Steps(then.host, now.time_ns - then.time_ns, now.value - then.value).take(same)


@dataclass(frozen=True)
class Steps:
    """From what a clock said to what it said later."""

    host: Integers
    passed_ns: Integers
    ticks: Integers

    def take(self, which: NDArray[Any]) -> "Steps":
        """Those of an array of indices or a mask."""
        return Steps(self.host[which], self.passed_ns[which], self.ticks[which])


@dataclass(frozen=True, kw_only=True)
class Clocks(Readings):
    """Clocks of captured hosts, each told by one reading: of a host in a capture, or apart.

    Those that are not apart come first, by host and capture.
    """

    is_apart: Flags
    """Whether it is a connection's own (R)."""
    rate: Reals
    """Ticks a second (H)."""
    goes_on: Flags
    """Whether the host's clock goes on from one capture to the next (H)."""
    spread: Integers
    """Ticks from what it says first in a capture to what it says so in another (H)."""

    @classmethod
    def of(cls, references: Mapping[str, NDArray[Any]]) -> "Clocks":
        """The inverse of `columns`."""
        return cls(**{f.name: references[f"clocks.{f.name}"] for f in fields(cls)})

    def columns(self) -> dict[str, NDArray[Any]]:
        """As references of a codec."""
        return {f"clocks.{f.name}": getattr(self, f.name) for f in fields(self)}

    def at(self, clock: Integers, time_ns: Integers) -> Integers:
        """What clocks said at some times of their captures, if they run evenly; of any shape."""
        return self.value[clock] + self.ticks(clock, time_ns - self.time_ns[clock])

    def ticks(self, clock: Integers, passed_ns: Integers) -> Integers:
        """How far each counts while some time passes."""
        rate = self.rate[self.host[clock]] / 1e9
        ticks: Integers = np.rint(passed_ns * rate).astype(np.int64)
        return ticks

    def _near(self, clock: Integers, capture: Integers) -> Integers:
        """The clock of the same host in a capture, or the one before that has it, or after (L)."""
        count = int(self.capture.max(initial=0)) + 1
        known = (self.host * count + self.capture)[~self.is_apart]
        place = np.searchsorted(known, self.host[clock] * count + capture, side="right") - 1
        place = np.maximum(place, 0)
        lacks = self.host[place] != self.host[clock]
        return np.where(self.is_apart[clock], clock, place + lacks)

    def begin(
        self,
        name: str,
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
            clock: Of the captured packet that each line begins with (L).
            time_ns: When each begins, in the order of time (L).
            session: In which session (L).
            times: Of these (L).
            memory: Remembers when clocks were first asked.
            noise: Draws what begins anew.
        """
        clock = self._near(clock, times.base)
        goes_on = self.is_apart[clock] | self.goes_on[self.host[clock]]
        key = session * _HOSTS + self.host[clock]
        anew = np.flatnonzero(~goes_on)
        groups = Groups(key[anew])
        first = np.where(groups.is_first, time_ns[anew], 0)
        begun_ns = self.time_ns[clock] - times.ahead_ns
        begun_ns[anew] = memory.recall(name, key[anew], groups.sum(first))
        memory.keep(name, key[anew], begun_ns[anew])
        spread = np.where(goes_on, 0, self.spread[self.host[clock]])
        off = noise.below(2 * spread + 1, name, session, self.host[clock]) - spread
        return clock, begun_ns, self.value[clock] + off


def find_clocks(
    firsts: Readings, rate: Reals, *, slack: Reals, drift: float
) -> tuple[Clocks, Integers]:
    """The clocks of hosts, by the first numbers of lines (L).

    Args:
        firsts: These numbers, those of a host in a capture in the order of time.
        rate: Ticks a second (H).
        slack: Ticks that a number may be off its clock (H).
        drift: Share of the ticks since another reading that it may be off, beside.

    Returns:
        The clocks, and which is that of each line (L).
    """
    count = int(firsts.capture.max(initial=0)) + 1
    key = firsts.host * count + firsts.capture
    order = np.argsort(key, kind="stable")
    stands = np.arange(len(key))
    for own in np.split(order, np.flatnonzero(np.diff(key[order])) + 1) if len(order) else ():
        host = firsts.host[own[0]]
        passed = (firsts.time_ns[own] - firsts.time_ns[own[0]]) * (rate[host] / 1e9)
        said = firsts.value[own] - np.rint(passed).astype(np.int64)
        most = _crowd(said % 2**32, slack[host] + drift * float(np.abs(passed).max()))
        may = slack[host] + drift * np.abs(passed - passed[most])
        fits = np.abs(signed(said - said[most])) <= may
        stands[own[fits]] = own[fits][0]
        stands[own[~fits]] = -1 - own[~fits]
    is_apart = stands < 0
    stands = np.where(is_apart, -1 - stands, stands)
    made = np.unique(stands)
    made = made[np.lexsort((key[made], is_apart[made]))]
    place = np.empty_like(stands)
    place[made] = np.arange(len(made))
    goes_on, spread = _between(firsts.take(made[~is_apart[made]]), rate, slack, drift)
    clocks = Clocks(
        **vars(firsts.take(made)),
        is_apart=is_apart[made],
        rate=rate,
        goes_on=goes_on,
        spread=spread,
    )
    return clocks, place[stands]


def _crowd(said: Integers, reach: float) -> int:
    """The first of numbers that has most others within reach."""
    rising = np.sort(said)
    rising = np.concatenate([rising - 2**32, rising, rising + 2**32])
    near = np.searchsorted(rising, said + reach, side="right")
    return int(np.argmax(near - np.searchsorted(rising, said - reach)))


def _between(
    mains: Readings, rate: Reals, slack: Reals, drift: float
) -> tuple[Flags, Integers]:
    """Whether clocks go on from capture to capture, and how far apart they begin (H)."""
    goes_on = np.zeros(len(rate), dtype=bool)
    spread = np.zeros(len(rate), dtype=np.int64)
    for host in np.unique(mains.host).tolist():
        own = mains.take(mains.host == host)
        own = own.take(np.argsort(own.time_ns))
        passed_ns = np.diff(own.time_ns)
        ticks = passed_ns * (rate[host] / 1e9)
        off = signed(np.diff(own.value) - np.rint(ticks).astype(np.int64))
        is_next = np.abs(off) <= slack[host] + drift * ticks
        goes_on[host] = 2 * is_next[passed_ns < _CLOSE_NS].sum() > (passed_ns < _CLOSE_NS).sum()
        spread[host] = neighbour(own.value)
    return goes_on, spread


def neighbour(said: Integers) -> int:
    """How far numbers of 32 bits are from the next one, which is none for the farthest apart.

    Of a single number it is how far that is from 0: it is little after a start.
    """
    rising = np.sort(said)
    if len(rising) == 1:
        return int(min(rising[0], 2**32 - rising[0], 2**31 - 1))
    gaps = np.sort(np.diff(rising, append=rising[0] + 2**32))[:-1]
    return int(min(np.median(gaps), 2**31 - 1))
