"""Whole sessions: a device from its first packet to its last; windows are cut from them.

It differs from the baseline `markov`, whose chain it shares, in three ways.

- A walk begins where a capture begins and ends where the chain says so, follows one capture for a
  few packets at a time, and prefers places as far into their capture as itself, so that start-up,
  repetition and end keep their proportions. It continues only its own connections
  (`connection_states`).
- Values of single captures are redrawn (`redrawn`, `ports`): times, ephemeral ports, and lengths
  that no other capture shows. The chain's symbols hold the role of a length, its meaning in any
  capture, so that a walk can switch between captures there.
- A connection is identified by its service, the constant port on the other side, and by how
  recently that service's ports were used.

Windows are cut from many more sessions than there are captures, and hardly two from one.

Shapes: N sessions; P packets of all captures; E packets of all sessions, one session after another;
L packets a window.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, count, islice, pairwise
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from iotflowgen.encoding import PortConfig, PortEncoder
from iotflowgen.generators.chain import END, magnitude, padded
from iotflowgen.generators.connection_states import ConnectionStates, WalkConnections
from iotflowgen.generators.nearby import NearbyChain
from iotflowgen.generators.ports import Connections, Ports, open_connections
from iotflowgen.generators.recorded import (
    Recorded,
    RecordedConfig,
    known_fixed,
    known_states,
    unfinished,
)
from iotflowgen.generators.redrawn import Lengths, Order, Spread, numbered
from iotflowgen.generators.streams import Closings, Leases
from iotflowgen.progress import Progress, silent
from iotflowgen.recording import Groups
from iotflowgen.traffic import (
    STATES,
    Session,
    State,
    Trace,
    Windows,
    cut_windows,
    draw_window_starts,
    protocol_mask,
)

__all__ = ["Sessions", "SessionsConfig"]

_WELL_KNOWN = range(1024)  # ports of services (RFC 6335), constant even if rare
_TCP = protocol_mask(["tcp"])
_UDP = protocol_mask(["udp"])
_DHCP = protocol_mask(["dhcp", "bootp"])
_STRETCHED = protocol_mask(["tcp", "udp"])
_WHOLE = protocol_mask(["arp", "icmp", "icmpv6", "dhcp", "bootp", "dns", "mdns", "ntp"])
"""Whose messages are of a form that nothing can be put into."""
_BARE_TCP = [protocol_mask(["tcp"]), protocol_mask(["ip", "tcp"])]
_ETHERNET_IPV4_TCP = 14 + 20 + 20  # bytes of headers without options
_LONGEST_BARE = _ETHERNET_IPV4_TCP + 40  # with as many options as fit (RFC 9293, section 3.1)
_SHORTEST = 60  # bytes that a frame is padded to
_RESOLUTION_NS = 1000  # of captures
_LONE_LOG = 0.15  # half the spread, in logarithms, of a time that is the only one of its kind
_MOST_LOG = 0.5
_NOWHERE = 0  # a place between captures
_AT_FIRST = 2**16  # packets of a stream that are drawn together, about: so many take no second
_TOGETHER = 2**18  # and of those after them
_LONGEST = 1.5  # times the longest capture, should a walk not end


class SessionsConfig(RecordedConfig):
    """Settings of the sessions."""

    order: int = Field(default=4, ge=1, le=32)
    """Order of the chain: packets that the next one depends on at most."""
    magnitudes: int = Field(default=1, ge=0, le=100)
    """Classes of durations a decade; 0 leaves time out of the symbols."""
    reach: float = Field(default=5, gt=0)
    """Scale of the preference for like positions, in packets."""
    drift: float = Field(default=0.05, ge=0)
    """Growth of `reach`, as a share of the packets since the session began."""
    follow: float = Field(default=0.45, ge=0, le=1)
    """Probability of continuing with the next packet of the same capture."""
    coherent: bool = True
    """Whether a session continues only its own connections."""
    agree: tuple[State, ...] = STATES
    """States that a connection must share with the captured one for a packet to be its next one,
    where captures tell (`Trace.states`)."""
    sessions: int = Field(default=600, ge=1, le=100_000)
    """Sessions that windows are cut from; fewer if fewer windows are asked for."""
    redraw: tuple[Literal["times", "lengths", "order"], ...] = ("times", "lengths", "order")
    """Capture-specific values that are redrawn, besides ports."""
    ports: PortConfig = PortConfig(recurrence=0.6, ephemeral="fresh")
    """How ports are coded; `slots` are the ports of a service that are told apart."""


class Sessions(Recorded):
    """Walks through the captures, from the start of one to the end of another."""

    name: ClassVar[str] = "sessions"
    Config = SessionsConfig

    def fit(self, traces: Sequence[Trace], *, progress: Progress = silent) -> Self:
        """Count what follows what, and learn how ports are opened.

        Raises:
            TooShort: No capture holds a window.
        """
        traces = [trace for trace in traces if len(trace)]
        super().fit(traces)
        config: SessionsConfig = self.config
        sizes = list(map(len, traces))
        self._packets = {
            name: np.concatenate([getattr(trace, name) for trace in traces])
            for name in Windows.columns()
        }
        of_host = [each for each in config.agree if each == "fragments"]
        self._kinds = [each for each in config.agree if each not in of_host]
        self._states = known_states(traces, self._kinds)
        # the last packet of a capture has a duration of 0, so the first has a gap of 0
        self._gap_ns = np.roll(self._packets["duration_ns"], 1)
        capture = self._capture = np.repeat(np.arange(len(traces)), sizes)
        source, destination = self._packets["src_port"], self._packets["dst_port"]
        outgoing = self._packets["outgoing"]
        device = np.where(outgoing, source, destination)
        peer = np.where(outgoing, destination, source)
        constants = {*PortEncoder.fit(traces, config.ports).constants, *_WELL_KNOWN}
        # a peer that answers at the device's own ephemeral port has no port of its own to draw
        self._same_port = (device == peer) & ~np.isin(device, list(constants))
        peer = np.where(self._same_port, 0, peer)
        side = partial(
            Ports,
            capture=capture,
            udp=self._packets["protocols"] & _UDP > 0,
            constants=constants,
            slots=config.ports.slots,
        )
        self._sides = side(device, peer), side(peer, device)
        tokens = [ports.token for ports in self._sides]
        fixed = known_fixed(traces)
        kind = numbered(
            [outgoing, self._packets["protocols"], fixed, *(np.maximum(t, -1) for t in tokens)]
        )
        self._lengths = Lengths(
            self._packets["length"],
            kind,
            numbered([outgoing, self._packets["protocols"]]),
            capture,
            _stretches(self._packets) & ~fixed & ("lengths" in config.redraw),
        )
        message = numbered([self._lengths.role, kind, *tokens])
        service = numbered([ports.service for ports in self._sides])
        self._order = Order(message, service, capture)
        times = magnitude(self._gap_ns, config.magnitudes)
        left = unfinished(self._states, numbered([capture, device, peer]))
        left += unfinished(known_states(traces, of_host), capture)
        left = numbered([left != 0, left])
        symbol = numbered([left, message, times])
        logs = np.log(np.maximum(self._gap_ns, _RESOLUTION_NS))
        self._gaps = Spread(logs, symbol, lone=_LONE_LOG, most=_MOST_LOG)
        self._lay_out(symbol, left, sizes)
        self._follow_connections(device, peer)
        longest = np.array([part.max() for part in np.split(logs, np.cumsum(sizes)[:-1])])
        self._idle = Spread(longest, np.zeros(len(sizes), dtype=np.int64), lone=_LONE_LOG)
        progress("count", 1, 1)
        return self

    def _lay_out(
        self, symbol: NDArray[np.int64], left: NDArray[np.int64], sizes: Sequence[int]
    ) -> None:
        """Lay captures of the given sizes in a row, as the places of the chain."""
        config: SessionsConfig = self.config
        self._bounds = np.cumsum(sizes)[:-1]
        packet = self._at_places(np.ones(len(symbol), dtype=bool))
        reach = config.reach, config.drift
        self._chain = NearbyChain(
            self._at_places(1 + symbol),
            packet,
            config.order,
            reach,
            config.follow,
            self._at_places(left),
        )
        self._places = np.flatnonzero(packet)
        self._number = np.cumsum(packet) - packet
        self._firsts = np.flatnonzero(packet & ~np.roll(packet, 1))
        self._most = int(_LONGEST * max(sizes))

    def _at_places(self, column: NDArray[Any]) -> NDArray[Any]:
        """A column of packets, at the places of the chain."""
        # ends between captures, as many as the order, keep every context within one capture
        return padded(np.split(column, self._bounds), ends=self.config.order)

    def _follow_connections(self, device: NDArray[np.int64], peer: NDArray[np.int64]) -> None:
        """Derive the states of connections, identified by the ports of either end (P)."""
        packets, tokens = self._packets, [ports.token for ports in self._sides]
        # the side whose port tells a service's connections apart; 2 where neither does
        told_by = np.select([token < 0 for token in tokens], [0, 1], 2)
        # a connection may use the same two ports in every capture
        pair = numbered([self._capture, device, peer])
        has = (packets["protocols"] & _TCP > 0) | (told_by < 2)
        # of other packets, those that wait for each other
        between = Groups(pair)
        is_open = np.any(self._states != 0, axis=1)
        exchange = between.sum(~between.previous(is_open, first=False) + 0)
        exchange[has | ~np.isin(pair, pair[is_open])] = 0
        has |= exchange > 0
        connection = np.where(has, 1 + numbered([pair, exchange, self._begun(between)]), 0)
        services = *(ports.service for ports in self._sides), numbered([device, peer])
        # what is read as nothing on a port that Wireshark gives to a protocol, is read on others
        claimed = *(ports.claimed for ports in self._sides), np.zeros(len(has), dtype=bool)
        ranks = *(-1 - token for token in tokens), np.zeros_like(connection)
        has_payload = ~_headers_alone(packets)
        message = numbered([self._lengths.role, packets["outgoing"], packets["protocols"]])
        columns = {
            "capture": 1 + self._capture,
            "connection": connection,
            "service": numbered([told_by, *(np.choose(told_by, of) for of in (services, claimed))]),
            "rank": np.choose(told_by, ranks),
            "message": message,
            "outgoing": packets["outgoing"],
            "payload": has_payload,
            # a SYN says at least how long segments may be (RFC 9293, section 3.7.1)
            "may_open": (packets["protocols"] & _TCP == 0)
            | ~has_payload
            & (packets["length"] > _ETHERNET_IPV4_TCP)
            & _mostly_first(message, connection),
            "same_ports": (told_by == len(tokens)) & (packets["protocols"] & _TCP > 0),
            "states": self._states,
        }
        self._connection_states = ConnectionStates(
            **{name: self._at_places(column) for name, column in columns.items()}
        )
        self._closings = Closings(
            np.where(packets["protocols"] & _TCP > 0, connection, 0),
            columns["service"],
            has_payload,
            *(self._state(of) for of in ("tcp", "outstanding", "options")),
        )
        is_dhcp, time_ns = packets["protocols"] & _DHCP > 0, np.cumsum(self._gap_ns)
        self._leases = Leases(is_dhcp, packets["outgoing"], self._capture, time_ns)
        followed = np.flatnonzero(has)
        self._resumes = self._after_start_up(open_connections(connection[has], followed, len(has)))

    def _begun(self, between: Groups) -> NDArray[np.int64]:
        """How many connections of TCP there were between the same ports up to each packet (P)."""
        closed = self._state("tcp") > 0
        return between.sum((between.previous(closed, first=False) & ~closed).astype(np.int64))

    def _state(self, of: State) -> NDArray[np.int64]:
        """What each packet leaves its connection in (P), by one kind; 0 where it is not known."""
        if of not in self._kinds or not self._states.size:
            return np.zeros(len(self._states), dtype=np.int64)
        column: NDArray[np.int64] = self._states[:, self._kinds.index(of)]
        return column

    def sample(self, n: int, rng: np.random.Generator, *, progress: Progress = silent) -> Windows:
        """Draw `n` windows of as many sessions, up to `sessions`; of more if these are short."""
        size = self.config.window
        sessions: list[Session] = []
        while (places := sum(max(0, len(s) - size + 1) for s in sessions)) < max(n, 1):
            progress("sample", min(n, places), n)
            sessions += self.sessions(min(max(n, 1), self.config.sessions), rng)
        windows = cut_windows(sessions, draw_window_starts(sessions, n, size, rng))
        progress("sample", n, n)
        return windows

    def sessions(self, n: int, rng: np.random.Generator) -> list[Session]:
        """Draw `n` sessions, each from its first packet, at time 0, to its last."""
        packet, connection, session = self._walk(rng.choice(self._firsts, n), rng)
        time_ns = np.cumsum(self._times(packet, rng))
        columns = self._columns(packet, connection, session, time_ns, rng)
        bounds = [0, *(np.flatnonzero(np.diff(session)) + 1), len(session)]
        sessions: list[Session] = []
        for first, last in pairwise(bounds):
            own = {name: column[first:last] for name, column in columns.items()}
            own["time_ns"] = own["time_ns"] - own["time_ns"][0]
            sessions.append(Session(name=str(len(sessions)), **own))
        return sessions

    def stream(self, rng: np.random.Generator, *, at_once: int | None = None) -> Iterator[Session]:
        """Yield one session that never ends, from time 0 on, piece by piece under one name.

        It starts up as the captures do. Where a walk ends, it is silent for about as long as the
        longest gap of a capture; then another walk starts at the last place in the first half of a
        capture where no connection is open. What it left open is closed. So activity after
        start-up repeats, with connections from their openings on, where these were captured.

        Args:
            rng: Draws.
            at_once: About so many packets are drawn together; fewer take less memory, and more
                time. Another number is another session.
        """
        slots = self.config.ports.slots
        open_ = Connections(slots), Connections(slots)
        end_ns, flows, renewal = 0, 0, None
        for piece in count():
            together = at_once or (_TOGETHER if piece else _AT_FIRST)
            start = rng.choice(self._resumes, max(1, round(together / self._remaining)))
            kind = rng.integers(len(self._resumes), size=len(start))
            idle_ns = _nanoseconds(self._idle.draw(kind, rng))
            if not piece:
                start[0] = rng.choice(self._firsts)
            walked = self._closings.close(*self._walk(start, rng), rng)
            packet, connection, walk = self._leases.without(*walked)
            if not len(packet):
                continue
            if not flows:
                idle_ns[walk[0]] = 0
            gaps_ns = self._times(packet, rng)
            begins = np.diff(walk, prepend=-1) > 0
            gaps_ns[begins] = idle_ns[walk[begins]]
            time_ns = end_ns + np.cumsum(gaps_ns)
            own, own_ns, renewal = self._leases.due(packet, time_ns, renewal, rng)
            at = np.searchsorted(time_ns, own_ns)
            columns = self._columns(
                *(np.insert(packet, at, own), np.insert(connection, at, -1)),
                *(np.insert(walk, at, walk[at - 1]), np.insert(time_ns, at, own_ns)),
                rng,
                open_,
            )
            flow = columns["flow"]
            columns["flow"] = np.where(flow < 0, -1, flow + flows)
            yield Session(name="stream", **columns)
            end_ns, flows = int(columns["time_ns"][-1]), flows + 1 + int(flow.max())

    def _walk(
        self, first: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Walks from the places `first` (N) to an end.

        Returns:
            Their packets (E), which connection each is of (E), -1 for none, and which walk (E).
        """
        walks = WalkConnections(self._connection_states, first)
        fits = walks.fits if self.config.coherent else None
        symbol, places, connections = self._chain.symbol, [], []
        for place in islice(chain([first], self._chain.walk(first + 1, rng, fits)), self._most):
            if (symbol[place] == END).all():
                break
            right = place if fits is None else self._right(place, walks)
            places.append(right)
            connections.append(walks.use(right))
        place_NT, connection_NT = np.stack(places, axis=1), np.stack(connections, axis=1)
        there_NT = symbol[place_NT] != END
        walk = np.repeat(np.arange(len(first)), there_NT.sum(axis=1))
        return self._number[place_NT[there_NT]], connection_NT[there_NT], walk

    def _right(self, place: NDArray[np.int64], walks: WalkConnections) -> NDArray[np.int64]:
        """Places (N) without those that fit nothing, which are drawn where nothing fits."""
        strict = self._connection_states.strict[place].nonzero()[0]
        wrong = strict[~walks.fits(strict, place[strict])]
        if not len(wrong):
            return place
        right = place.copy()
        right[wrong] = _NOWHERE
        return right

    def _columns(
        self,
        packet: NDArray[np.int64],
        connection: NDArray[np.int64],
        walk: NDArray[np.int64],
        time_ns: NDArray[np.int64],
        rng: np.random.Generator,
        open_: tuple[Connections, Connections] | None = None,
    ) -> dict[str, Any]:
        """Columns (E) of packets like `packet` (E) at `time_ns` (E), other specific values redrawn.

        A walk (E) is a session, unless connections are `open_` from before: then all continue them.
        """
        if "order" in self.config.redraw:
            order = self._order.draw(packet, walk, rng)
            packet, connection = packet[order], connection[order]
        fresh = self.config.ports.ephemeral == "fresh"
        session = walk if open_ is None else 0 * walk
        device, peer = (
            ports.draw(packet, connection, session, rng, fresh=fresh, connections=connections)
            for ports, connections in zip(self._sides, open_ or (None, None), strict=True)
        )
        peer = np.where(self._same_port[packet], device, peer)
        outgoing = self._packets["outgoing"][packet]
        return {
            "time_ns": time_ns,
            "length": self._lengths.draw(packet, walk, rng),
            "outgoing": outgoing,
            "src_port": np.where(outgoing, device, peer),
            "dst_port": np.where(outgoing, peer, device),
            "protocols": self._packets["protocols"][packet],
            "source": packet,
            "flow": connection,
        }

    def _after_start_up(self, open_connections: NDArray[np.int64]) -> NDArray[np.int64]:
        """The last place in the first half of each capture at which no connection is open."""
        size = np.bincount(self._capture)
        start = np.cumsum(size) - size
        early = np.arange(len(self._places)) - start[self._capture] <= size[self._capture] / 2
        free = np.flatnonzero(early & (open_connections == 0))  # the first packet of each at least
        last = np.searchsorted(self._capture[free], np.arange(len(size)), side="right") - 1
        after: NDArray[np.int64] = self._places[free[last]]
        self._remaining = float(np.mean(start + size - free[last]))
        return after

    def _times(self, packet: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Nanoseconds before each packet (E)."""
        gap_ns = self._gap_ns[packet]
        if "times" not in self.config.redraw:
            return gap_ns
        drawn_ns = _nanoseconds(self._gaps.draw(packet, rng))
        return np.where(gap_ns <= _RESOLUTION_NS, gap_ns, drawn_ns)


def _nanoseconds(logs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Times by their logarithms, as captures resolve them."""
    return np.rint(np.exp(logs) / _RESOLUTION_NS).astype(np.int64) * _RESOLUTION_NS


def _mostly_first(message: NDArray[np.int64], connection: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the message of each packet (P) is mostly the first of its connections (P)."""
    _, first = np.unique(connection, return_index=True)
    begins = np.bincount(message[first], minlength=message.max() + 1)
    _, has = np.unique(np.stack([connection, message]), axis=1)
    mostly: NDArray[np.bool_] = (2 * begins >= np.bincount(has))[message]
    return mostly


def _stretches(packets: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Whether packets (P) may be longer or shorter than captured."""
    protocols = packets["protocols"]
    may: NDArray[np.bool_] = (protocols & _WHOLE == 0) & (protocols & _STRETCHED > 0)
    return may & ~_headers_alone(packets)


def _headers_alone(packets: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Whether TCP headers and options, in units of 4 bytes, explain the lengths (P)."""
    bare = np.isin(packets["protocols"], _BARE_TCP)
    words = (packets["length"] - _ETHERNET_IPV4_TCP) % 4 == 0
    explained: NDArray[np.bool_] = (words | (packets["length"] == _SHORTEST)) & bare
    return explained & (packets["length"] <= _LONGEST_BARE)
