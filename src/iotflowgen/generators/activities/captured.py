"""Activities that captures show, laid out so that others like them can be drawn.

Each is a stretch of its own for walks, which go over from one to another where the last packets
were alike and the same is unfinished. So an exchange comes from here and the next one from there. A
walk that would leave other connections open than the captured activity did is not taken.

Shapes: P packets of all captures; U units; A activities of the captures; N drawn ones; E packets of
these; X connections.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotflowgen.generators.activities.bursts import find_bursts
from iotflowgen.generators.activities.schedule import Learnt
from iotflowgen.generators.activities.threads import Portions
from iotflowgen.generators.activities.turns import ALIKE, pauses_alike
from iotflowgen.generators.activities.units import Units, find_units
from iotflowgen.generators.redrawn import numbered
from iotflowgen.generators.walking import Spoken, WalkConfig, Walks
from iotflowgen.recording import Groups
from iotflowgen.traffic import State, protocol_mask

__all__ = ["Captured", "Stretch", "connections"]

_TCP, _UDP = protocol_mask(["tcp"]), protocol_mask(["udp"])
_ETHERNET_IPV4_TCP = 14 + 20 + 20  # bytes of headers without options
_LEAST_NS = 10**9  # that captures last
_MIXER = 0x9E3779B97F4A7C1
_NONE = -1


@dataclass(frozen=True, eq=False)
class Stretch:
    """Packets of a stretch of a stream (E)."""

    packet: NDArray[np.int64]
    """Which captured packet each repeats (E)."""
    flow: NDArray[np.int64]
    """Which connection it is of (E); -1 for none."""
    time_ns: NDArray[np.int64]
    """When it is sent (E)."""
    event: NDArray[np.int64]
    """Which event causes it (E); -1 for none."""

    def take(self, rows: NDArray[Any]) -> "Stretch":
        """Some of these packets."""
        return Stretch(self.packet[rows], self.flow[rows], self.time_ns[rows], self.event[rows])

    @classmethod
    def nothing(cls) -> "Stretch":
        """No packets."""
        return cls(*(np.zeros(0, dtype=np.int64) for _ in range(4)))

    def and_then(self, other: "Stretch") -> "Stretch":
        """These packets and others."""
        return Stretch(
            np.concatenate([self.packet, other.packet]),
            np.concatenate([self.flow, other.flow]),
            np.concatenate([self.time_ns, other.time_ns]),
            np.concatenate([self.event, other.event]),
        )


class Captured:
    """Captured activities (A), and walks like them."""

    def __init__(
        self,
        spoken: Spoken,
        time_ns: NDArray[np.int64],
        run: NDArray[np.int64],
        walks: Walks,
        kinds: Sequence[State],
        config: WalkConfig,
    ) -> None:
        """Find them.

        Args:
            spoken: The packets (P).
            time_ns: When they were captured, on one clock (P).
            run: Which run of captures they are of (P).
            walks: Through whole captures.
            kinds: What states are of.
            config: Settings of walks.
        """
        self._spoken, self._time_ns, self._run = spoken, time_ns, run
        self._closed, self._has_payload = walks.state("tcp") > 0, walks.has_payload
        waits = np.any(spoken.states < 0, axis=1) | (walks.state("outstanding") != 0)
        self.units = self._find_units(waits)
        self.bursts = find_bursts(self.units, run[self.units.first])
        self.of_packet = self.bursts.of_unit[self.units.of]
        """Which activity each packet is of (P)."""
        options = walks.state("options")
        is_syn = ~walks.has_payload & ((options != 0) | (spoken.length > _ETHERNET_IPV4_TCP))
        self.portions = self._portions(is_syn)
        """What packets say of connections that last."""
        self.openers = self._openers()
        """Activities that open a connection that lasts, by its service."""
        self._lay_out(kinds, config)

    def _find_units(self, waits: NDArray[np.bool_]) -> Units:
        """Cut flows, in which packets leave something outstanding (P)."""
        of = self._spoken
        is_tcp, is_udp = of.protocols & _TCP > 0, of.protocols & _UDP > 0
        has = is_tcp | is_udp
        transport = np.where(has, np.where(is_tcp, _TCP, _UDP), of.protocols)
        pair = numbered(
            [self._run, transport, *(np.where(has, each, 0) for each in (of.device, of.peer))]
        )
        between = Groups(pair)
        closed = self._closed
        begun = between.sum((between.previous(closed, first=False) & ~closed).astype(np.int64))
        self._flow = numbered([pair, begun])
        constant = np.maximum(of.tokens, _NONE)
        self._service = numbered([transport, *(np.where(has, each, 0) for each in constant)])
        return find_units(self._time_ns, self._flow, self._service, of.outgoing, of.length, waits)

    def _portions(self, is_syn: NDArray[np.bool_]) -> Portions:
        """Find connections that last, and where they go on, by what is a SYN (P)."""
        of, activity = self._spoken, self.of_packet
        is_tcp = of.protocols & _TCP > 0
        by_flow = Groups(self._flow)
        first = by_flow.latest(by_flow.is_first)
        last = np.zeros(self._flow.max() + 1, dtype=np.int64)
        np.maximum.at(last, self._flow, np.arange(len(self._flow)))
        goes_on = (activity[last[self._flow]] != activity) & ~self._closed
        # what does not begin with a SYN began before its capture
        continues = (activity[first] != activity) | (is_tcp & ~is_syn)[first]
        outlasts = np.zeros(len(last), dtype=bool)
        outlasts[self._flow[continues | goes_on]] = True
        outlasts = outlasts[self._flow] & (of.protocols & (_TCP | _UDP) > 0)
        return Portions(
            np.where(outlasts, self._service, _NONE),
            continues & outlasts,
            ~self._closed & outlasts,
            is_tcp,
        )

    def _openers(self) -> dict[int, list[int]]:
        of = self.portions
        opens = np.flatnonzero((of.service != _NONE) & ~of.continues & Groups(self._flow).is_first)
        openers: dict[int, list[int]] = {}
        for service, activity in zip(
            of.service[opens].tolist(), self.of_packet[opens].tolist(), strict=True
        ):
            openers.setdefault(service, []).append(activity)
        return openers

    def _lay_out(self, kinds: Sequence[State], config: WalkConfig) -> None:
        """Lay activities in a row, as the stretches of walks."""
        self._rows = rows = np.argsort(self.of_packet, kind="stable")
        stretch = self.of_packet[rows]
        gap_ns = np.diff(self._time_ns[rows], prepend=0)
        gap_ns[np.diff(stretch, prepend=_NONE) > 0] = 0
        self._walks = Walks(self._spoken.take(rows, gap_ns), stretch, kinds, config)
        self._sizes = np.bincount(stretch)
        own = self._walks.connection
        own = np.where(own > 0, own, _NONE)
        self._used = self._uses(np.arange(len(rows)), own, stretch, len(self._sizes))

    def learnt(self, started: NDArray[np.int64]) -> Learnt:
        """What is told of them, where start-up of each run is over with a packet."""
        units, bursts, run = self.units, self.bursts, self._run
        lead = np.full(len(bursts), len(units))
        np.minimum.at(lead, bursts.of_unit, np.arange(len(units)))
        first = units.first[lead]
        service_u = self.portions.service[units.first]
        used_ns, idle_ns = self._idle(service_u)
        idle_ns = idle_ns[lead]
        lasting = self.portions.service[first]
        idle_ns[lasting == _NONE] = _NONE
        touches: list[list[tuple[int, int]]] = [[] for _ in range(len(bursts))]
        for u in np.flatnonzero(service_u >= 0).tolist():
            a = int(bursts.of_unit[u])
            touches[a].append((int(service_u[u]), int(used_ns[u] - bursts.begin_ns[a])))
        # what a device does to start up does not come again
        start_ns = self._time_ns[started]
        in_run = run[first]
        counts = bursts.begin_ns >= start_ns[in_run]
        counts[self._opened_again()] = False
        if not counts.any():
            counts[:] = True
        ends_ns = np.zeros(len(start_ns), dtype=np.int64)
        np.maximum.at(ends_ns, run, self._time_ns)
        span_ns = np.maximum(ends_ns - start_ns, _LEAST_NS)
        return Learnt(bursts, in_run, counts, span_ns, idle_ns, lasting, touches)

    def _idle(self, service: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """When units (U) of services (U) have used their connection, and how long it was idle.

        A timer starts with the last packet, or with the last one that the device has sent payload
        in, as of keep-alives (MQTT 3.1.1, section 3.1.2.10): by which its turns are more alike.
        """
        units = self.units
        groups = Groups(self._flow[units.first])
        said = np.flatnonzero(self._spoken.outgoing & self._has_payload)
        said_ns = units.begin_ns.copy()
        np.maximum.at(said_ns, units.of[said], self._time_ns[said])
        used_ns, idle_ns = [units.end_ns, said_ns], []
        for each in used_ns:
            before_ns = groups.previous(each, _NONE)
            known = units.continues & (before_ns >= 0)
            idle_ns.append(np.where(known, units.begin_ns - before_ns, _NONE))
        for each in np.unique(service[(service != _NONE) & (idle_ns[0] >= 0)]).tolist():
            own = (service == each) & (idle_ns[0] >= 0)
            if _half_within(idle_ns[1][own]) < _half_within(idle_ns[0][own]):
                used_ns[0] = np.where(service == each, used_ns[1], used_ns[0])
                idle_ns[0] = np.where(service == each, idle_ns[1], idle_ns[0])
        return used_ns[0], idle_ns[0]

    def _opened_again(self) -> NDArray[np.int64]:
        """Activities that open a connection that lasts because the one before was closed.

        These come because something closes it, not of their own.
        """
        of = self.portions
        groups = Groups(numbered([self._run, of.service]))
        closed = groups.previous(of.must & ~of.lasts, first=False)
        opens = Groups(self._flow).is_first & (of.service != _NONE) & ~of.continues
        return np.unique(self.of_packet[opens & closed])

    def draw(
        self, which: NDArray[np.int64], begin_ns: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[Stretch, NDArray[np.int64]]:
        """Activities like captured ones.

        Args:
            which: Like which (N).
            begin_ns: When they begin (N).
            rng: Draws.

        Returns:
            Their packets (E), of flows that are not linked yet, and which of them each is of (E).
        """
        packet, connection, walk = self._drawn(which, rng)
        gaps_ns = self._walks.times(packet, rng)
        is_first = np.diff(walk, prepend=_NONE) > 0
        gaps_ns[is_first] = 0
        since_ns = np.cumsum(gaps_ns)
        since_ns -= np.maximum.accumulate(np.where(is_first, since_ns, 0))
        time_ns = begin_ns[walk] + since_ns
        none = np.full(len(packet), _NONE)
        return Stretch(self._rows[packet], connection, time_ns, none), walk

    def _drawn(
        self, which: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Walks like captured activities (B): as `Walks.draw`, the longest apart from others."""
        parts = []
        classes = np.ceil(np.log2(self._sizes[which])).astype(np.int64) // 2
        connections = 0
        for each in np.unique(classes).tolist():
            own = np.flatnonzero(classes == each)
            packet, connection, walk = self._walks.draw(self._walks.firsts[which[own]], rng)
            has = connection >= 0
            connection = np.where(has, connection + connections, _NONE)
            connections = int(connection.max(initial=connections)) + 1
            parts.append((packet, connection, own[walk]))
        packet, connection, walk = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(walk, kind="stable")
        return self._as_captured(which, packet[order], connection[order], walk[order])

    def _as_captured(
        self,
        which: NDArray[np.int64],
        packet: NDArray[np.int64],
        connection: NDArray[np.int64],
        walk: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Walks (E), without those that open or close other connections than captured.

        In their place come the captured activities themselves.
        """
        other = np.flatnonzero(
            self._uses(packet, connection, walk, len(which)) != self._used[which]
        )
        if not len(other):
            return packet, connection, walk
        kept = ~np.isin(walk, other)
        sizes = self._sizes[which[other]]
        begins = (np.cumsum(self._sizes) - self._sizes)[which[other]]
        ends = np.cumsum(sizes)
        own = np.arange(ends[-1]) + np.repeat(begins - ends + sizes, sizes)
        captured = self._walks.connection[own]
        at = np.repeat(other, sizes)
        number = np.where(
            captured > 0, connection.max(initial=0) + 1 + numbered([at, captured]), _NONE
        )
        columns = (packet, own), (connection, number), (walk, at)
        packet, connection, walk = (np.append(old[kept], new) for old, new in columns)
        order = np.argsort(walk, kind="stable")
        return packet[order], connection[order], walk[order]

    def _uses(
        self,
        packet: NDArray[np.int64],
        connection: NDArray[np.int64],
        walk: NDArray[np.int64],
        walks: int,
    ) -> NDArray[np.int64]:
        """A number for what walks (E) do with connections that last, for each walk."""
        first, last, _ = connections(connection)
        of, begins, ends = self.portions, self._rows[packet[first]], self._rows[packet[last]]
        code = 4 * of.service[begins] + 2 * of.continues[begins] + of.lasts[ends]
        code = np.where(of.service[begins] == _NONE, 0, (1 + code) * _MIXER >> 8)
        uses = np.zeros(walks, dtype=np.int64)
        np.add.at(uses, walk[first], code)
        return uses


def _half_within(value: NDArray[np.int64]) -> int:
    """The width of the shortest interval that half of those pauses are in that are of a timer."""
    usual = pauses_alike(value)[1]
    rising = np.sort(value[(value >= usual) & (value <= usual * (1 + ALIKE))])
    half = (len(rising) + 1) // 2
    return int((rising[half - 1 :] - rising[: len(rising) - half + 1]).min())


def connections(
    flow: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """First and last packets of connections (X), and which each packet is of (E); -1 for none."""
    of = np.flatnonzero(flow != _NONE)
    own, first, number = np.unique(flow[of], return_index=True, return_inverse=True)
    last = np.zeros(len(own), dtype=np.int64)
    np.maximum.at(last, number, np.arange(len(of)))
    which = np.full(len(flow), _NONE)
    which[of] = number
    return of[first], of[last], which
