"""The TCP timestamps option, as a codec: values of clocks, and their echoes.

RFC 7323, section 3. A timestamp is stored as its lead, in ticks, over a clock of constant rate
(`clocks`). An echo is stored as the number of distinct timestamps of the other end in between
(`lines`): it is that of the segment acknowledged last, and a delayed acknowledgment echoes the
first of several.

Shapes: P segments with the option, in the order of time, or captured packets where a codec says
so; M mentions, L lines, as in `number_spaces`; H hosts.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.codec import columns_of
from iotflowgen.packets.hosts.addresses import ip_address
from iotflowgen.packets.hosts.endpoints import NONE, PEER
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.packets.tcp.clocks import Clocks, Readings, Reals, find_clocks, find_hosts, nearest
from iotflowgen.packets.tcp.number_spaces import Edges, Mentions, signed, unwrapped
from iotflowgen.packets.tcp.times import Captures, Times
from iotflowgen.recording import Groups, Packets, Recording
from iotflowgen.wire import ACK, Frames, Layers, find_options, tcp_flags
from iotflowgen.wire.arrays import Flags, Integers

__all__ = [
    "StampReferences",
    "Stamps",
    "Timestamps",
    "decode_stamps",
    "encode_stamps",
    "read_stamps",
    "write_stamps",
]

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
_LEAST_SPREAD = 25.0
"""Variance, in seconds squared, of the times of timestamps that tell how a clock drifts."""
_OFF, _DRIFT = 1.0, 0.02
"""Seconds, and share of what has passed, that a clock may be off and still be the same."""
_AROUND = 4
"""Timestamps before and after one, by which it is told how late they are at the time."""
_CLOCK, _FIRST, _REACHED = "timestamps.clock", "timestamps.first", "timestamps.reached"


@dataclass(frozen=True)
class Stamps:
    """What the option of P segments says."""

    value: Integers
    """TSval, the sender's clock (P)."""
    echo: Integers
    """TSecr (P); 0 where `echoes` is not."""
    echoes: Flags
    """Whether TSecr says something: with the flag ACK alone, and if it is not 0 (P)."""


@dataclass(frozen=True, kw_only=True)
class StampReferences:
    """What timestamps of P segments refer to."""

    lag: NDArray[np.float64]
    """Ticks that TSval and TSecr are ahead of an even clock of their line (P, 2). Fractions keep
    segments in the same tick that were sent at once, wherever ticks begin."""
    echoes: Flags
    """Whether TSecr says something (P)."""
    falls: Flags
    """Whether it is behind what its sender said before, as of a segment that was overtaken (P)."""
    back: NDArray[np.int32]
    """How many different timestamps of the other end came after that which TSecr echoes (P)."""
    off: NDArray[np.int32]
    """Ticks that TSecr is off that one (P)."""


def read_stamps(frames: Frames, layers: Layers) -> Stamps:
    """What segments say; all of `frames` have the option."""
    at = find_options(frames, layers).timestamps
    echo = frames.number(at + 4, 4)
    echoes = (tcp_flags(frames, layers) & ACK > 0) & (echo != 0)
    return Stamps(frames.number(at, 4), np.where(echoes, echo, 0), echoes)


def write_stamps(frames: Frames, at: Integers, stamps: Stamps) -> None:
    """Put timestamps into segments, in place, at the offsets (P) where the option has them."""
    frames.put(at, 4, stamps.value)
    frames.put(at + 4, 4, stamps.echo)


def encode_stamps(mentions: Mentions, clock: Reals, stamps: Stamps) -> StampReferences:
    """Timestamps as references.

    Args:
        mentions: What segments say.
        clock: What an even clock of the line says at the time of each (M).
        stamps: Of these segments.
    """
    value = mentions.of(stamps.value, stamps.echo)
    relative = unwrapped(value, mentions.groups)
    is_own = mentions.rows % 2 == 0
    advances, highest, before = _advances(relative, is_own, mentions.groups)
    back, off = Edges(mentions.groups, advances, highest).refer(np.arange(len(relative)), relative)
    return StampReferences(
        lag=mentions.pairs((value - clock + 2**31) % 2**32 - 2**31),
        echoes=stamps.echoes,
        falls=mentions.pairs(relative < before)[:, 0],
        back=mentions.pairs(back.astype(np.int32))[:, 1],
        off=mentions.pairs(off.astype(np.int32))[:, 1],
    )


def _advances(
    relative: Integers, is_own: Flags, groups: Groups
) -> tuple[Flags, Integers, Integers]:
    """Which timestamps are later than all before, the latest so far, and before each (M)."""
    highest = groups.greatest(np.where(is_own, np.maximum(relative, 0), 0))
    before = groups.previous(highest, 0)
    return highest > before, highest, before


def decode_stamps(
    mentions: Mentions, clock: Reals, told: StampReferences, begun: Integers
) -> tuple[Stamps, Integers]:
    """The inverse of `encode_stamps`.

    Args:
        mentions: What segments are to say.
        clock: What an even clock of the line says now (M); it may have any number of bits.
        told: References of the segments.
        begun: What the line said before, by the same clock, or what it says first (M).

    Returns:
        The timestamps; and what the line of each mention has reached before it, by that clock (M).
    """
    groups, is_own = mentions.groups, mentions.rows % 2 == 0
    none = np.zeros_like(told.back)
    falls = mentions.of(told.falls, np.zeros_like(told.falls))
    said = nearest(clock + mentions.of(told.lag[:, 0], told.lag[:, 1])) - begun
    _, highest, _ = _advances(np.where(falls, 0, said), is_own, groups)
    # no clock goes back, unless segments overtook each other
    relative = np.where(falls, np.minimum(said, highest), highest)
    advances, highest, before = _advances(relative, is_own, groups)
    back = mentions.of(none, told.back).astype(np.int64)
    off = mentions.of(none, told.off).astype(np.int64)
    echoed = Edges(groups, advances, highest).at(np.arange(len(said)), back, off)
    numbers = mentions.pairs((np.where(is_own, relative, echoed) + begun) % 2**32)
    return Stamps(numbers[:, 0], numbers[:, 1], told.echoes), before + begun


class Timestamps:
    """Timestamps by the clocks of both ends, and the echoes of the other's."""

    name: ClassVar[str] = "timestamps"

    def __init__(self, recording: Recording) -> None:
        """Take the clocks of hosts, and the references of all packets (P)."""
        found = recording.of(self.name)
        self._clocks, self._clock = Clocks.of(found), found["clock"]
        self._told = StampReferences(**{f.name: found[f.name] for f in fields(StampReferences)})
        self._captures = Captures(recording)
        self._peers = _Peers(recording, self._clock)

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """Clocks; `clock` (P, 2), the sender's and the receiver's; fields of `StampReferences`."""
        at = find_options(packets.frames, packets.layers).timestamps
        stamped = np.flatnonzero(at)
        segments = packets.take(stamped)
        stamps = read_stamps(segments.frames, segments.layers)
        mentions = Mentions(segments.flow, segments.outgoing, stamps.echoes)
        hosts = find_hosts(packets)[stamped]
        clocks, clock = _find(segments, hosts, mentions, stamps)
        time_ns = mentions.of(segments.time_ns, segments.time_ns)
        told = encode_stamps(mentions, clocks.at(clock, time_ns), stamps)
        told = replace(told, lag=_centred(told.lag, clock, time_ns, mentions))
        none = np.zeros_like(stamps.value)
        write_stamps(segments.frames, at[stamped], Stamps(none, none, stamps.echoes))
        which = mentions.pairs(clock.astype(np.int32))
        columns = columns_of(len(packets), stamped, **vars(told), clock=which)
        return clocks.columns() | columns

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
        begun = nearest(now[first] + told.lag.ravel()[mentions.rows[first]])
        begun = mentions.spread(memory.recall(_REACHED, line[first], begun))
        stamps, reached = decode_stamps(mentions, now, told, begun)
        write_stamps(segments.frames, at[stamped], stamps)
        # later segments know what their line reached before the first one that is remembered
        kept = mentions.kept(segments.stays)
        memory.keep(_REACHED, line[kept], reached[kept])

    def _now(
        self, segments: Packets, mentions: Mentions, times: Times, memory: Memory, noise: Noise
    ) -> Reals:
        """What the clock of each mention's line says (M), when its segment is sent."""
        mention = mentions.rows[mentions.first]
        row, line = mention // 2, mentions.line[mention]
        source = memory.recall(_FIRST, line, 2 * segments.source[row] + mention % 2)
        memory.keep(_FIRST, line, source)
        clock = self._clock.ravel()[source].astype(np.int64)
        # the other end's is that of whom the flow is with, whoever it was with when captured
        host = self._clocks.host // 2
        peer = memory.recall(PEER, segments.flow[row], np.full(len(row), NONE))
        other = self._peers.clock_of(peer)
        is_other = (segments.outgoing[row] == (mention % 2 == 1)) & (other >= 0)
        clock = np.where(is_other & (host[other] != host[clock]), other, clock)
        time_ns, session = segments.time_ns[row], segments.session[row]
        begun = self._clocks.begin(
            _CLOCK, line, clock, time_ns, session, times.take(row), memory, noise
        )
        clock, begun_ns, value = (mentions.spread(column) for column in begun)
        passed_ns = segments.time_ns[mentions.rows // 2] - begun_ns
        now: Reals = value + self._clocks.ticks(clock, passed_ns)
        return now


class _Peers:
    """The clocks of the peers of flows, whichever packets they are made of."""

    def __init__(self, recording: Recording, clock: Integers) -> None:
        """Note them by the addresses of those that send; `clock` is the sender's first (P, 2)."""
        packets, told = recording.packets, recording.of("endpoints")
        stamped = find_options(packets.frames, packets.layers).timestamps > 0
        heard = np.flatnonzero(stamped & ~packets.outgoing & packets.layers.is_ip4)
        peer = ip_address(packets, ~packets.outgoing)
        self._of_packet = np.where(packets.layers.is_ip4, peer, -1)
        none = np.zeros(0, dtype=np.int64)
        answers = packets.frames.take(told.get("answer_packet", none))
        self._of_record = np.append(answers.number(told.get("answer_at", none), 4), -1)
        self._known, first = np.unique(self._of_packet[heard], return_index=True)
        self._clock = np.append(clock[heard[first], 0].astype(np.int64), -1)

    def clock_of(self, peer: Integers) -> Integers:
        """One of the clocks of peers, as `Endpoints` names them (L); -1 where none is known."""
        record = np.where((peer < 0) & (peer != NONE), -1 - peer, len(self._of_record) - 1)
        packet = np.maximum(peer, 0)
        address = np.where(peer >= 0, self._of_packet[packet], self._of_record[record])
        place = np.searchsorted(self._known, address)
        known = np.append(self._known, -2)[place] == address
        found: Integers = self._clock[np.where(known, place, len(self._known))]
        return found


def _find(
    segments: Packets, hosts: Integers, mentions: Mentions, stamps: Stamps
) -> tuple[Clocks, Integers]:
    """The clocks of `hosts` (P, 2), and which that of each mention is (M)."""
    packet = mentions.rows // 2
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
    clock = mentions.begun(clock)
    own = mentions.rows % 2 == 0
    return replace(clocks, rate=_exact(clocks, clock[own], said.take(own))), clock


def _exact(clocks: Clocks, clock: Integers, said: Readings) -> Reals:
    """The true rate of each clock, ticks a second (R), where it was observed for long enough.

    Quartz is off by some parts per million, which makes many ticks in a long capture.
    """
    passed = (said.time_ns - clocks.time_ns[clock]) / 1e9
    ahead = signed(said.value - nearest(clocks.at(clock, said.time_ns)))
    count = np.maximum(np.bincount(clock, minlength=len(clocks.rate)), 1)
    mean = np.bincount(clock, passed, len(clocks.rate)) / count
    apart = passed - mean[clock]
    spread = np.bincount(clock, apart**2, len(clocks.rate)) / count
    drift = np.bincount(clock, apart * ahead, len(clocks.rate)) / count
    drift /= np.maximum(spread, _LEAST_SPREAD)
    counts = (spread >= _LEAST_SPREAD) & (np.abs(drift) < _DRIFT * clocks.rate)
    rate: Reals = clocks.rate + np.where(counts, drift, 0)
    return rate


def _centred(lag: Reals, clock: Integers, time_ns: Integers, mentions: Mentions) -> Reals:
    """Lags (P, 2) from what is usual for each clock at the time (M).

    A clock's first reading may have been late, and no clock runs quite evenly: lags of one moment
    are not to be mixed with those of another where a session goes over between the two.
    """
    own = mentions.rows % 2 == 0
    order = np.lexsort((time_ns, clock))
    order = order[own[order]]
    said, of = mentions.of(lag[:, 0], lag[:, 1]), clock[order]
    first, last = (np.searchsorted(of, of, side=side) for side in ("left", "right"))
    around = np.arange(len(of))[:, None] + np.arange(-_AROUND, _AROUND + 1)
    around = np.clip(around, first[:, None], last[:, None] - 1)
    usual = np.median(said[order][around], axis=1)
    # what is echoed is as late as what was said last; of a clock that nobody heard none is usual
    known = np.zeros(len(said), dtype=np.int64)
    known[order] = np.arange(len(order)) + 1
    told = np.lexsort((~own, time_ns, clock))
    latest = Groups(clock[told]).greatest(known[told])
    known[told] = latest
    centred: Reals = mentions.pairs(said - np.append(0, usual)[known])
    return centred


def _rates(said: Readings, hosts: int) -> Reals:
    """Ticks a second of each host's clock (H): of most timestamps, far apart if there are any."""
    of, passed_ns, ticks = said.steps()
    ticks %= 2**32
    counts = (ticks > 0) & (ticks * 10**9 < _FASTEST * passed_ns)
    of, passed_ns, ticks = of[counts], passed_ns[counts], ticks[counts]
    found, far = ticks * 1e9 / passed_ns, passed_ns >= _LONG_NS
    rate = np.full(hosts, _UNKNOWN)
    for host in np.unique(of).tolist():
        own = of == host
        some, known = (own & far, _RATES) if (own & far).any() else (own, _USUAL)
        off = np.abs(np.log(known / np.median(found[some])))
        rate[host] = known[np.argmin(off)]
    return rate
