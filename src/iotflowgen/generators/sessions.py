"""Whole sessions: a device from its first packet to its last, of which windows are cut.

Three things set it apart from the baseline `markov`, whose chain it shares.

- A walk begins where a capture begins and ends where the chain says so, follows one capture for a
  few packets at a time, and prefers places as far into their capture as itself: start-up,
  repetition and the end keep their proportions.
- What belongs to one capture alone is drawn anew (`accidents`, `ports`): times, ephemeral ports,
  and lengths that no other capture shows. In the chain's symbols a length is its role, what it says
  in whichever capture, so that a walk can go over from one to another there.
- A port is known by its service, the constant port on the other side: how recently that service's
  ports were used, not anyone's, says which connection a packet belongs to.

Windows are cut from many more sessions than there are captures, and hardly two from one.

Shapes: N sessions; P packets of all captures; E packets of all sessions, one session after another;
L packets a window.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice, pairwise
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from iotflowgen.encoding import PortConfig, PortEncoder
from iotflowgen.generators.accidents import Lengths, Order, Spread, numbered
from iotflowgen.generators.chain import END, Chain, lay, magnitude
from iotflowgen.generators.ports import Connections, Ports, under_way
from iotflowgen.generators.recorded import Recorded, RecordedConfig
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Trace, Windows, cut_windows, draw_places, protocol_mask

__all__ = ["Sessions", "SessionsConfig"]

_WELL_KNOWN = range(1024)  # ports of services (RFC 6335), constant even if rare
_TCP = protocol_mask(["tcp"])
_BARE_TCP = [protocol_mask(["tcp"]), protocol_mask(["ip", "tcp"])]
_ETHERNET_IPV4_TCP = 14 + 20 + 20  # bytes of headers without options
_LONGEST_BARE = _ETHERNET_IPV4_TCP + 40  # with as many options as fit (RFC 9293, section 3.1)
_SHORTEST = 60  # bytes that a frame is padded to
_RESOLUTION_NS = 1000  # of captures
_LONE_LOG = 0.15  # half the spread, in logarithms, of a time that is the only one of its kind
_MOST_LOG = 0.5
_WALKS = 64  # drawn together to go on with a stream
_LONGEST = 1.5  # times the longest capture, should a walk not end


class SessionsConfig(RecordedConfig):
    """Settings of the sessions."""

    order: int = Field(default=4, ge=1)
    """Packets that the next one depends on at most."""
    magnitudes: int = Field(default=1, ge=0)
    """Classes of durations a decade; 0 leaves time out of the symbols."""
    reach: float = Field(default=5, gt=0)
    """Packets by which a place e times less likely is off."""
    drift: float = Field(default=0.05, ge=0)
    """What is added to the reach, as a share of the packets since the session began."""
    follow: float = Field(default=0.65, ge=0, le=1)
    """How likely the next packet of the same capture is drawn before any other."""
    sessions: int = Field(default=600, ge=1)
    """Sessions that windows are cut from; fewer for fewer windows."""
    redraw: tuple[Literal["times", "lengths", "order"], ...] = ("times", "lengths", "order")
    """What is drawn anew, beside ports, if it belongs to one capture alone."""
    ports: PortConfig = PortConfig(recurrence=0.6, ephemeral="fresh")
    """How ports are coded; `slots` are the ports of a service that are told apart."""


class Sessions(Recorded):
    """Walks from capture to capture, from the start of one to the end of another."""

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
        side = partial(Ports, capture=capture, constants=constants, slots=config.ports.slots)
        self._sides = side(device, peer), side(peer, device)
        tokens = [ports.token for ports in self._sides]
        kind = numbered(
            [outgoing, self._packets["protocols"], *(np.maximum(t, -1) for t in tokens)]
        )
        self._lengths = Lengths(
            self._packets["length"],
            kind,
            numbered([outgoing, self._packets["protocols"]]),
            capture,
            ~_headers_alone(self._packets) & ("lengths" in config.redraw),
        )
        message = numbered([self._lengths.role, kind, *tokens])
        service = numbered([ports.service for ports in self._sides])
        self._order = Order(message, service, capture)
        times = magnitude(self._gap_ns, config.magnitudes)
        symbol = numbered([message, times])
        logs = np.log(np.maximum(self._gap_ns, _RESOLUTION_NS))
        self._gaps = Spread(logs, symbol, lone=_LONE_LOG, most=_MOST_LOG)
        packet = self._lay_out(symbol, sizes)

        # a connection may use the same two ports in every capture
        is_tcp = self._packets["protocols"] & _TCP > 0
        places = np.flatnonzero(is_tcp | (np.min(tokens, axis=0) < 0))
        connection = numbered([capture, device, peer])[places]
        self._resumes = self._after_start_up(packet, under_way(connection, places, len(capture)))
        longest = np.array([part.max() for part in np.split(logs, np.cumsum(sizes)[:-1])])
        self._idle = Spread(longest, np.zeros(len(sizes), dtype=np.int64), lone=_LONE_LOG)
        progress("count", 1, 1)
        return self

    def _lay_out(self, symbol: NDArray[np.int64], sizes: Sequence[int]) -> NDArray[np.bool_]:
        """Lay captures of some sizes in a row for the chain; which places of that are packets."""
        config: SessionsConfig = self.config
        # ends between captures, as many as the order, keep every context within one capture
        lay_out = partial(lay, ends=config.order)
        by_capture = np.split(symbol, np.cumsum(sizes)[:-1])
        packet = lay_out([np.ones(size, dtype=bool) for size in sizes])
        symbols = lay_out([1 + part for part in by_capture])
        reach = config.reach, config.drift
        self._chain = Chain(symbols, packet, config.order, reach, config.follow)
        self._number = np.cumsum(packet) - packet
        self._firsts = np.flatnonzero(packet & ~np.roll(packet, 1))
        self._most = int(_LONGEST * max(sizes))
        return packet

    def sample(self, n: int, rng: np.random.Generator, *, progress: Progress = silent) -> Windows:
        """Draw `n` windows of as many sessions, up to `sessions`; of more if these are short."""
        size = self.config.window
        sessions: list[Trace] = []
        while (places := sum(max(0, len(s) - size + 1) for s in sessions)) < max(n, 1):
            progress("sample", min(n, places), n)
            sessions += self.sessions(min(max(n, 1), self.config.sessions), rng)
        windows = cut_windows(sessions, draw_places(sessions, n, size, rng))
        progress("sample", n, n)
        return windows

    def sessions(self, n: int, rng: np.random.Generator) -> list[Trace]:
        """Draw `n` sessions, each from its first packet, at time 0, to its last."""
        packet, session = self._walk(rng.choice(self._firsts, n), rng)
        columns = self._columns(packet, session, rng)
        bounds = [0, *(np.flatnonzero(np.diff(session)) + 1), len(session)]
        sessions: list[Trace] = []
        for first, last in pairwise(bounds):
            own = {name: column[first:last] for name, column in columns.items()}
            own["time_ns"] = own["time_ns"] - own["time_ns"][0]
            sessions.append(Trace(name=str(len(sessions)), **own))
        return sessions

    def stream(self, rng: np.random.Generator) -> Iterator[Trace]:
        """One session that never ends, from time 0 on, piece by piece under one name.

        It starts up as the captures do. Where a walk comes to an end, it is silent for as long as
        captures are at most; then another goes on from where in the first half of a capture no
        connection was under way for the last time. So what comes after start-up is repeated, with
        its connections from their beginnings on.
        """
        slots = self.config.ports.slots
        open_ = Connections(slots), Connections(slots)
        start, end_ns = rng.choice(self._firsts, 1), 0
        idle_ns: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
        while True:
            packet, walk = self._walk(start, rng)
            columns = self._columns(packet, walk, rng, open_)
            gaps_ns = np.diff(columns["time_ns"], prepend=0)
            gaps_ns[np.diff(walk, prepend=-1) > 0] = idle_ns
            columns["time_ns"] = end_ns + np.cumsum(gaps_ns)
            yield Trace(name="stream", **columns)
            end_ns = int(columns["time_ns"][-1])
            start = rng.choice(self._resumes, _WALKS)
            idle_ns = _nanoseconds(
                self._idle.draw(rng.integers(len(self._resumes), size=_WALKS), rng)
            )

    def _walk(
        self, first: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Packets (E) of walks from the places `first` (N) to an end, and which walk each is of."""
        steps = [first]
        ended = np.zeros(len(first), dtype=bool)
        for place in islice(self._chain.walk(first + 1, rng), self._most - 1):
            ended |= self._chain.symbol[place] == END
            if ended.all():
                break
            steps.append(np.where(ended, -1, place))
        place_NT = np.stack(steps, axis=1)
        walk = np.repeat(np.arange(len(first)), (place_NT >= 0).sum(axis=1))
        return self._number[place_NT[place_NT >= 0]], walk

    def _columns(
        self,
        packet: NDArray[np.int64],
        walk: NDArray[np.int64],
        rng: np.random.Generator,
        open_: tuple[Connections, Connections] | None = None,
    ) -> dict[str, Any]:
        """Columns (E) of packets like those at `packet`, with accidents of their own.

        A walk is a session, unless connections are `open_` from before: then all go on from them.
        """
        time_ns = np.cumsum(self._times(packet, rng))
        if "order" in self.config.redraw:
            packet = self._order.draw(packet, walk, rng)
        fresh = self.config.ports.ephemeral == "fresh"
        device, peer = (
            side.draw(packet, walk if open_ is None else 0 * walk, rng, fresh=fresh, connections=c)
            for side, c in zip(self._sides, open_ or (None, None), strict=True)
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
            "tcp_payload": np.zeros(len(packet), dtype=np.int32),
        }

    def _after_start_up(
        self, packet: NDArray[np.bool_], under_way: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """A place of each capture: in its first half, the last one with no connection under way."""
        places = np.flatnonzero(packet)
        size = np.bincount(self._capture)
        start = np.cumsum(size) - size
        early = np.arange(len(places)) - start[self._capture] <= size[self._capture] / 2
        free = np.flatnonzero(early & (under_way == 0))  # the first packet of each at least
        last = np.searchsorted(self._capture[free], np.arange(len(size)), side="right") - 1
        after: NDArray[np.int64] = places[free[last]]
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


def _headers_alone(packets: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Whether headers of TCP and their options, which take 4 bytes each, explain lengths (P)."""
    bare = np.isin(packets["protocols"], _BARE_TCP)
    words = (packets["length"] - _ETHERNET_IPV4_TCP) % 4 == 0
    explained: NDArray[np.bool_] = (words | (packets["length"] == _SHORTEST)) & bare
    return explained & (packets["length"] <= _LONGEST_BARE)
