"""Initial sequence numbers: of a clock, near each other, or random (RFC 9293, section 3.4.1).

A clock may count them: of 4 microseconds as RFC 9293 has it, of 1 microsecond or 64 nanoseconds as
Linux had it up to version 3.0, beside a number that depends on the addresses and ports. Where it
jumps, as when the device hears what time it is, later connections have the second clock of their
host, or are apart (`clocks`): set to the time of day, it goes on from capture to capture. Or they
lie near each other in the connections with a service.

Shapes: P packets; S of them with the flag SYN; H hosts; L lines of numbers, as in `number_spaces`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.packets.tcp.clocks import (
    Clocks,
    Readings,
    Reals,
    find_clocks,
    find_hosts,
    nearest,
    neighbour,
)
from iotflowgen.packets.tcp.number_spaces import signed
from iotflowgen.packets.tcp.times import Captures
from iotflowgen.recording import Groups, Packets, Recording
from iotflowgen.wire import ACK, SYN, dst_port, src_port, tcp_flags
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["InitialNumbers", "refer"]

_RATES = (1e-6, 250_000, 1_000_000, 15_625_000)
"""A second, of clocks that count sequence numbers. One that stands is that of hosts whose numbers
are near the last one, as if it were set when they start."""
_SPREAD = 2**24
"""How much is added to what the clock says, at most."""
_LEAST, _SHARE = 4, 0.5
"""Steps that a clock has to explain, and their share."""
_DRIFT = 1e-4
"""Share of what has passed that a clock may be off."""
_CHANCE = 0.01
"""That random numbers lie so near each other, at most, for these not to be."""
_CLOCK = "initial.clock"
_RANDOM = 2**31 - 1
"""So far off is anything."""


def refer(packets: Packets, tcp: Integers, sequence: Integers) -> dict[str, NDArray[Any]]:
    """References of initial sequence numbers, and their clocks.

    Args:
        packets: Captured ones (P).
        tcp: Which of them are of TCP (T).
        sequence: The sequence numbers of these (T).

    Returns:
        `clock`, which clock counts it, -1 for none; `number`, how far it is off that, or the
        number itself; `spread`, how far from there another may be (P); and the clocks.
    """
    flags = tcp_flags(packets.frames, packets.layers)[tcp]
    opens = tcp[flags & SYN > 0]
    segments, answers = packets.take(opens), flags[flags & SYN > 0] & ACK > 0
    frames, layers = segments.frames, segments.layers
    service = np.where(answers, src_port(frames, layers), dst_port(frames, layers))
    said = Readings(
        host=find_hosts(packets)[opens, 0],
        capture=segments.session,
        time_ns=segments.time_ns,
        value=sequence[flags & SYN > 0],
    )
    again = Groups(((2 * segments.flow + segments.outgoing) << 32) + said.value)
    rate = _rates(said.take(again.is_first), int(said.host.max(initial=0)) + 1)
    slack = np.full(len(rate), float(_SPREAD))
    first = np.flatnonzero(again.is_first & (rate[said.host] > 0))
    clocks, of_first = find_clocks(said.take(first), rate, slack=slack, drift=_DRIFT)
    clock = np.full(len(opens), -1)
    clock[first] = of_first
    clock = clock[again.latest(again.is_first)]
    counts = np.flatnonzero(clock >= 0)
    number = said.value.copy()
    number[counts] -= nearest(clocks.at(clock[counts], said.time_ns[counts]))
    spread = _spread(said, service, again.is_first)
    spread[counts] = 0
    columns = {"clock": (clock, -1), "number": (signed(number), 0), "spread": (spread, _RANDOM)}
    whole = clocks.columns()
    for name, (column, usual) in columns.items():
        whole[name] = np.full(len(packets), usual, dtype=np.int32)
        whole[name][opens] = column
    return whole


def _rates(firsts: Readings, hosts: int) -> Reals:
    """Ticks a second of each host's clock (H); 0 if no clock explains most of its numbers."""
    of, passed_ns, ticks = firsts.steps()
    rates = np.zeros(hosts)
    for host in np.unique(of).tolist():
        own = of == host
        passed, said = passed_ns[own].astype(np.float64) / 1e9, ticks[own]
        off = np.array([np.abs(signed(said - nearest(passed * rate))) for rate in _RATES])
        explained = (off <= _SPREAD).sum(axis=1)
        best = int(np.lexsort((off.sum(axis=1), -explained))[0])
        if explained[best] >= max(_LEAST, _SHARE * own.sum()):
            rates[host] = _RATES[best]
    return rates


def _spread(said: Readings, service: Integers, is_first: Flags) -> Integers:
    """The distance between the numbers of a host's connections with a service (S)."""
    spread = np.full(len(service), _RANDOM)
    number = Groups((said.host << 16) + service).number
    for of in np.unique(number).tolist():
        own = number == of
        values = said.value[own & is_first]
        reach = np.ptp(values) / 2**32
        if len(values) > 1 and len(values) * reach ** (len(values) - 1) < _CHANCE:
            spread[own] = neighbour(values)
    return spread


class InitialNumbers:
    """What connections of sessions begin with."""

    def __init__(self, recording: Recording, references: Mapping[str, NDArray[Any]]) -> None:
        """Take what `refer` has told of captured packets (P)."""
        self._clocks = Clocks.of(references)
        self._clock, self._number = references["clock"], references["number"]
        self._spread = references["spread"]
        self._captures = Captures(recording)

    def draw(
        self,
        packets: Packets,
        first: Integers,
        is_own: Flags,
        line: Integers,
        memory: Memory,
        noise: Noise,
    ) -> Integers:
        """Draw the initial sequence numbers of lines (L).

        Args:
            packets: All of a block (E).
            first: Which of them each line begins with (L), rising.
            is_own: Whether it is that of the sender of this one (L).
            line: Of which connection and direction each is (L).
            memory: Remembers when clocks were first asked.
            noise: Draws what is random.
        """
        now = self._captures.times(packets, memory, noise)
        source = packets.source[first]
        spread = np.where(is_own, self._spread[source], _RANDOM).astype(np.int64)
        number = packets.number[first]
        off = noise.below(2 * spread + 1, "initial sequence number", number, is_own) - spread
        number = self._number[source] + off
        counts = np.flatnonzero(is_own & (self._clock[source] >= 0))
        place = first[counts]
        time_ns = packets.time_ns[place]
        clock = self._clock[source[counts]].astype(np.int64)
        clock, begun_ns, value = self._clocks.begin(
            _CLOCK,
            line[counts],
            clock,
            time_ns,
            packets.session[place],
            now.take(place),
            memory,
            noise,
        )
        number[counts] += value + nearest(self._clocks.ticks(clock, time_ns - begun_ns))
        initial: Integers = number % 2**32
        return initial
