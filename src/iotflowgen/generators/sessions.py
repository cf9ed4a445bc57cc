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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, pairwise
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from iotflowgen.encoding import PortConfig, PortEncoder
from iotflowgen.generators.beside import Pieces, SideBySide, Walked
from iotflowgen.generators.ports import Connections, Ports, open_connections
from iotflowgen.generators.recorded import Recorded, known_fixed, known_states
from iotflowgen.generators.redrawn import Lengths, Order, numbered
from iotflowgen.generators.streams import Closings, Resumption
from iotflowgen.generators.walking import Spoken, WalkConfig, Walks, headers_alone
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import (
    Session,
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
_AT_FIRST = 2**16  # packets of a stream that are drawn together, about: so many take no second
_TOGETHER = 2**18  # and of those after them


@dataclass
class _Reached:
    """Where a stream goes on."""

    open_: tuple[Connections, Connections]
    """Of the device's ports, and of its peers'."""
    time_ns: int = 0
    flows: int = 0
    """That there have been."""


class SessionsConfig(WalkConfig):
    """Settings of the sessions."""

    sessions: int = Field(default=600, ge=1, le=100_000)
    """Sessions that windows are cut from; fewer if fewer windows are asked for."""
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
        self._spoken = Spoken(
            gap_ns=self._gap_ns,
            outgoing=outgoing,
            protocols=self._packets["protocols"],
            length=self._packets["length"],
            device=device,
            peer=peer,
            tokens=np.stack(tokens),
            services=np.stack([ports.service for ports in self._sides]),
            claimed=np.stack([ports.claimed for ports in self._sides]),
            role=self._lengths.role,
            kind=kind,
            states=known_states(traces, self._kinds),
            of_host=known_states(traces, of_host),
        )
        message = numbered([self._lengths.role, kind, *tokens])
        self._order = Order(message, numbered([*self._spoken.services]), capture)
        self._walks = Walks(self._spoken, capture, self._kinds, config)
        self._learn_streams(np.array([trace.silence_ns for trace in traces]))
        progress("count", 1, 1)
        return self

    def _learn_streams(self, silence_ns: NDArray[np.int64]) -> None:
        """Learn how connections are closed, and where walks may resume after which silence (N)."""
        of, walks = self._spoken, self._walks
        self._closings = Closings(
            np.where(of.protocols & _TCP > 0, walks.connection, 0),
            walks.service,
            walks.has_payload,
            *(walks.state(of) for of in ("tcp", "outstanding", "options")),
        )
        followed = np.flatnonzero(walks.connection)
        is_open = open_connections(walks.connection[followed], followed, len(self._gap_ns)) > 0
        is_dhcp = of.protocols & _DHCP > 0
        self._resumption = Resumption(
            self._capture, self._gap_ns, silence_ns, is_open=is_open, is_dhcp=is_dhcp
        )

    def sample(self, n: int, rng: np.random.Generator, *, progress: Progress = silent) -> Windows:
        """Draw `n` windows of as many sessions, up to `sessions`; of more if these are short."""
        size = self.config.window
        sessions: list[Session] = []
        while (places := sum(max(0, len(s) - size + 1) for s in sessions)) < max(n, 1):
            progress("sample", min(n, places), n)
            sessions += self.sessions(self._windows_from(n), rng)
        windows = cut_windows(sessions, draw_window_starts(sessions, n, size, rng))
        progress("sample", n, n)
        return windows

    def _windows_from(self, n: int) -> int:
        """How many sessions `n` windows are cut from."""
        most: int = self.config.sessions
        return min(max(n, 1), most)

    def sessions(self, n: int, rng: np.random.Generator) -> list[Session]:
        """Draw `n` sessions, each from its first packet, at time 0, to its last."""
        packet, connection, session = self._walks.draw(rng.choice(self._walks.firsts, n), rng)
        time_ns = np.cumsum(self._walks.times(packet, rng))
        packet, connection = self._reordered(packet, connection, session, rng)
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

        It starts up as the captures do. Where a walk ends, it is silent for about as long as a long
        capture is where it was cut into pieces, or else as the longest gap of a capture; then
        another walk starts after start-up (`Resumption`). What it left open is closed. So activity
        after start-up repeats, with connections from their openings on, where these were captured.

        Args:
            rng: Draws.
            at_once: About so many packets are drawn together; fewer take less memory, and more
                time. Another number is another session.
        """
        return self.side_by_side(at_once=at_once)(rng)

    def side_by_side(
        self, *, at_once: int | None = None
    ) -> Callable[[np.random.Generator], Iterator[Session]]:
        """What `stream` yields, for many that go on beside each other: these take less time."""
        beside = SideBySide(self._walks)
        return lambda rng: beside.add(self._pieces(rng, at_once), rng)

    def _pieces(self, rng: np.random.Generator, at_once: int | None) -> Pieces:
        """A stream, for `SideBySide`; it keeps no piece that it has given away."""
        slots, resumes = self.config.ports.slots, self._resumption
        reached = _Reached((Connections(slots), Connections(slots)))
        said: list[Session] = []
        for piece in count():
            together = at_once or (_TOGETHER if piece else _AT_FIRST)
            starts = self._walks.places[resumes.packet]
            start = rng.choice(starts, max(1, round(together / resumes.remaining)))
            idle_ns = resumes.idle_ns(len(start), rng)
            if not piece:
                start[0] = rng.choice(self._walks.firsts)
            said += self._piece(
                self._closings.close(*(yield said.pop() if said else None, start), rng),
                idle_ns,
                reached,
                rng,
                has_lease=piece > 0,
            )

    def _piece(
        self,
        walked: Walked,
        idle_ns: NDArray[np.int64],
        reached: "_Reached",
        rng: np.random.Generator,
        *,
        has_lease: bool,
    ) -> Iterator[Session]:
        """What walks are in a stream that has reached something, after pauses; if it is any."""
        kept = ~(self._resumption.at_start_up[walked[0]] & ((walked[2] > 0) | has_lease))
        packet, connection, walk = (column[kept] for column in walked)
        if not len(packet):
            return
        if not reached.flows:
            idle_ns[walk[0]] = 0
        gaps_ns = self._walks.times(packet, rng)
        begins = np.diff(walk, prepend=-1) > 0
        gaps_ns[begins] = idle_ns[walk[begins]]
        time_ns = reached.time_ns + np.cumsum(gaps_ns)
        packet, connection = self._reordered(packet, connection, walk, rng)
        columns = self._columns(packet, connection, walk, time_ns, rng, reached.open_)
        flow = columns["flow"]
        columns["flow"] = np.where(flow < 0, -1, flow + reached.flows)
        reached.time_ns = int(columns["time_ns"][-1])
        reached.flows += 1 + int(flow.max())
        yield Session(name="stream", **columns)

    def _reordered(
        self,
        packet: NDArray[np.int64],
        connection: NDArray[np.int64],
        walk: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Packets (E) and their connections (E), in an order that is redrawn."""
        if "order" not in self.config.redraw:
            return packet, connection
        order = self._order.draw(packet, walk, rng)
        return packet[order], connection[order]

    def _columns(
        self,
        packet: NDArray[np.int64],
        connection: NDArray[np.int64],
        walk: NDArray[np.int64],
        time_ns: NDArray[np.int64],
        rng: np.random.Generator,
        open_: tuple[Connections, Connections] | None = None,
        known: tuple[dict[int, int], dict[int, int]] | None = None,
    ) -> dict[str, Any]:
        """Columns (E) of packets like `packet` (E) at `time_ns` (E), other specific values redrawn.

        A walk (E) is a session, unless connections are `open_` from before: then all continue them,
        also those whose ports are `known` by their numbers.
        """
        fresh = self.config.ports.ephemeral == "fresh"
        session = walk if open_ is None else 0 * walk
        device, peer = (
            ports.draw(
                packet, connection, session, rng, fresh=fresh, connections=of_side, known=numbers
            )
            for ports, of_side, numbers in zip(
                self._sides, open_ or (None, None), known or (None, None), strict=True
            )
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


def _stretches(packets: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Whether packets (P) may be longer or shorter than captured."""
    protocols = packets["protocols"]
    may: NDArray[np.bool_] = (protocols & _WHOLE == 0) & (protocols & _STRETCHED > 0)
    return may & ~headers_alone(protocols, packets["length"])
