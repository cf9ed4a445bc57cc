"""The timestamps option of TCP, as a codec (RFC 7323).

Shapes: P captured packets; E packets of a block; S segments with the option; M mentions, L lines,
as in `lines`.
"""

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.packets.tcp.clocks import Clocks, Readings, Reals, find_clocks, find_hosts
from iotflowgen.packets.tcp.lines import Integers, Mentions
from iotflowgen.packets.tcp.times import Captures, Times
from iotflowgen.packets.tcp.timestamps import (
    StampReferences,
    Stamps,
    decode_stamps,
    encode_stamps,
    read_stamps,
    write_stamps,
)
from iotflowgen.recording import Groups, Packets, Recording
from iotflowgen.wire import find_options

__all__ = ["Timestamps"]

_RATES = np.array([1, 2, 4, 10, 50, 100, 200, 250, 300, 500, 1000], dtype=float)
"""Ticks a second that TCP timestamps have."""
_USUAL = np.array([100, 250, 1000], dtype=float)
"""Those that most hosts have: of others more has to be seen."""
_UNKNOWN = 100.0
"""Of a host whose rate was not seen."""
_FASTEST = 4000
"""More is no clock, but several hosts behind one address."""
_LONG_NS = 4 * 10**9
"""Between timestamps, for their rate to be more than delay."""
_OFF, _DRIFT = 1.0, 0.02
"""Seconds, and share of what has passed, that a clock may be off and still be the same."""
_CLOCK, _FIRST, _REACHED = "timestamps.clock", "timestamps.first", "timestamps.reached"


class Timestamps:
    """What the clocks of both ends say, and what each echoes of the other's."""

    name: ClassVar[str] = "timestamps"

    def __init__(self, recording: Recording) -> None:
        """Take the clocks of hosts, and the references of all packets (P)."""
        found = recording.of(self.name)
        self._clocks, self._clock = Clocks.of(found), found["clock"]
        self._told = StampReferences(**{f.name: found[f.name] for f in fields(StampReferences)})
        self._captures = Captures(recording)

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """Clocks; `clock` (P, 2), the sender's and the receiver's; fields of `StampReferences`."""
        at = find_options(packets.frames, packets.layers).timestamps
        stamped = np.flatnonzero(at)
        segments = packets.take(stamped)
        stamps = read_stamps(segments.frames, segments.layers)
        mentions = Mentions(segments.flow, segments.outgoing, stamps.echoes)
        clocks, clock = _find(segments, mentions, stamps)
        time_ns = mentions.of(segments.time_ns, segments.time_ns)
        told = encode_stamps(mentions, clocks.at(clock, time_ns), stamps)
        none = np.zeros_like(stamps.value)
        write_stamps(segments.frames, at[stamped], Stamps(none, none, stamps.echoes))
        columns = {f.name: getattr(told, f.name) for f in fields(StampReferences)}
        columns["clock"] = mentions.pairs(clock.astype(np.int32))
        whole = clocks.columns()
        for name, column in columns.items():
            whole[name] = np.zeros((len(packets), *column.shape[1:]), column.dtype)
            whole[name][stamped] = column
        return whole

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:
        """Write the timestamps of segments that have the option."""
        times = self._captures.times(packets, memory, noise)
        at = find_options(packets.frames, packets.layers).timestamps
        stamped = np.flatnonzero(at)
        segments, times = packets.take(stamped), times.take(stamped)
        columns = {f.name: getattr(self._told, f.name) for f in fields(StampReferences)}
        told = StampReferences(**{k: column[segments.source] for k, column in columns.items()})
        mentions = Mentions(segments.flow, segments.outgoing, told.echoes)
        now = self._now(segments, mentions, times, memory, noise)
        line, first = mentions.line[mentions.rows], mentions.first
        begun = now[first] + told.lag.ravel()[mentions.rows[first]]
        begun = mentions.spread(memory.recall(_REACHED, line[first], begun))
        stamps, reached = decode_stamps(mentions, now, told, begun)
        write_stamps(segments.frames, at[stamped], stamps)
        # later segments know what their line reached before the first one that is remembered
        kept = mentions.kept(segments.stays)
        memory.keep(_REACHED, line[kept], reached[kept])

    def _now(
        self, segments: Packets, mentions: Mentions, times: Times, memory: Memory, noise: Noise
    ) -> Integers:
        """What the clock of each mention's line says (M), when its segment is sent."""
        mention = mentions.rows[mentions.first]
        row, line = mention // 2, mentions.line[mention]
        source = memory.recall(_FIRST, line, 2 * segments.source[row] + mention % 2)
        memory.keep(_FIRST, line, source)
        clock = self._clock.ravel()[source].astype(np.int64)
        time_ns, session = segments.time_ns[row], segments.session[row]
        begun = self._clocks.begin(
            _CLOCK, line, clock, time_ns, session, times.take(row), memory, noise
        )
        clock, begun_ns, value = (mentions.spread(column) for column in begun)
        passed_ns = segments.time_ns[mentions.rows // 2] - begun_ns
        now: Integers = value + self._clocks.ticks(clock, passed_ns)
        return now


def _find(segments: Packets, mentions: Mentions, stamps: Stamps) -> tuple[Clocks, Integers]:
    """The clocks of hosts, and which that of each mention is (M)."""
    hosts, packet = find_hosts(segments), mentions.rows // 2
    said = Readings(
        host=mentions.of(hosts[:, 0], hosts[:, 1]),
        capture=segments.session[packet],
        time_ns=segments.time_ns[packet],
        value=mentions.of(stamps.value, stamps.echo),
    )
    first = mentions.groups.is_first
    last = Groups(mentions.line[mentions.rows][::-1]).is_first[::-1]
    rate = _rates(said.take(first | last), int(said.host.max(initial=0)) + 1)
    clocks, of_first = find_clocks(said.take(first), rate, slack=_OFF * rate, drift=_DRIFT)
    clock = np.zeros(len(first), dtype=np.int64)
    clock[first] = of_first
    return clocks, mentions.begun(clock)


def _rates(said: Readings, hosts: int) -> Reals:
    """Ticks a second of each host's clock (H): of most timestamps, far apart if there are any."""
    steps = said.steps()
    ticks = steps.ticks % 2**32
    counts = (ticks > 0) & (ticks * 10**9 < _FASTEST * steps.passed_ns)
    steps, ticks = steps.take(counts), ticks[counts]
    found = ticks * 1e9 / steps.passed_ns
    far = steps.passed_ns >= _LONG_NS
    rate = np.full(hosts, _UNKNOWN)
    for host in np.unique(steps.host).tolist():
        own = steps.host == host
        some, known = (own & far, _RATES) if (own & far).any() else (own, _USUAL)
        off = np.abs(np.log(known / np.median(found[some])))
        rate[host] = known[np.argmin(off)]
    return rate
