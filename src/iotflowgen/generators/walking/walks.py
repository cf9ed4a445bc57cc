"""Walks through stretches of captures: which packet follows which, in which connection, and when.

A walk begins where a stretch begins and ends where the chain says so, follows one stretch for a few
packets at a time, and prefers places as far into their stretch as itself, so that start-up,
repetition and end keep their proportions. It continues only its own connections
(`connection_states`). Stretches are captures in `sessions`, and bursts of them in `activities`.

Shapes: N walks; P packets of all stretches, one stretch after another; S kinds of states; E packets
of all walks, one walk after another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import chain, islice
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from iotflowgen.generators.recorded import RecordedConfig, unfinished
from iotflowgen.generators.redrawn import RESOLUTION_NS, Durations, numbered
from iotflowgen.generators.walking.chain import END, magnitude, padded
from iotflowgen.generators.walking.connection_states import ConnectionStates, WalkConnections
from iotflowgen.generators.walking.nearby import Draw, NearbyChain
from iotflowgen.recording import Groups
from iotflowgen.traffic import STATES, State, protocol_mask

__all__ = ["Spoken", "WalkConfig", "Walks", "headers_alone"]

_TCP = protocol_mask(["tcp"])
_BARE_TCP = [protocol_mask(["tcp"]), protocol_mask(["ip", "tcp"])]
_ETHERNET_IPV4_TCP = 14 + 20 + 20  # bytes of headers without options
_LONGEST_BARE = _ETHERNET_IPV4_TCP + 40  # with as many options as fit (RFC 9293, section 3.1)
_SHORTEST = 60  # bytes that a frame is padded to
_MOST_LOG = 0.5
_NOWHERE = 0  # a place between stretches
_LONGEST = 1.5  # times the longest stretch, should a walk not end


class WalkConfig(RecordedConfig):
    """Settings of walks."""

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
    surplus: int = Field(default=1, ge=0, le=1_000_000)
    """How many connections of a service a session may have more than the capture it goes over to
    has up to there, if their ports differ."""
    agree: tuple[State, ...] = STATES
    """States that a connection must share with the captured one for a packet to be its next one,
    where captures tell (`Trace.states`)."""
    redraw: tuple[Literal["times", "lengths", "order"], ...] = ("times", "lengths", "order")
    """Capture-specific values that are redrawn, besides ports."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Spoken:
    """What captured packets say, as columns (P); those of two sides have a row for each (2, P)."""

    gap_ns: NDArray[np.int64]
    """Nanoseconds since the packet before in its stretch; 0 for the first."""
    outgoing: NDArray[np.bool_]
    protocols: NDArray[np.uint16]
    length: NDArray[np.int32]
    device: NDArray[np.int64]
    """The device's port."""
    peer: NDArray[np.int64]
    """The other one's."""
    tokens: NDArray[np.int64]
    """`ports.Ports.token` of both."""
    services: NDArray[np.int64]
    """`ports.Ports.service` of both."""
    claimed: NDArray[np.bool_]
    """`ports.Ports.claimed` of both."""
    role: NDArray[np.int64]
    """What the length says (`redrawn.Lengths.role`)."""
    kind: NDArray[np.int64]
    """What the packet is beside its length."""
    states: NDArray[np.int64]
    """What it leaves its connection in, of the kinds that are to agree (P, S)."""
    of_host: NDArray[np.int64]
    """And what it leaves the host in (P, S)."""

    def take(self, rows: NDArray[np.int64], gap_ns: NDArray[np.int64]) -> "Spoken":
        """Packets in another order, after other gaps."""
        columns = {each.name: getattr(self, each.name) for each in fields(self)}
        taken = {
            name: column[:, rows] if name in ("tokens", "services", "claimed") else column[rows]
            for name, column in columns.items()
        }
        return Spoken(**{**taken, "gap_ns": gap_ns})


class Walks:
    """What follows what in stretches of captures."""

    def __init__(
        self,
        spoken: Spoken,
        stretch: NDArray[np.int64],
        kinds: Sequence[State],
        config: WalkConfig,
    ) -> None:
        """Count what follows what.

        Args:
            spoken: The packets (P).
            stretch: Which stretch each is of, from 0 on, rising (P).
            kinds: What its states are of (S).
            config: The settings.
        """
        self._config, self._spoken, self._kinds = config, spoken, kinds
        self._stretch, self._gap_ns = stretch, spoken.gap_ns
        sizes = np.bincount(stretch)
        message = numbered([spoken.role, spoken.kind, *spoken.tokens])
        times = magnitude(spoken.gap_ns, config.magnitudes)
        left = unfinished(spoken.states, numbered([stretch, spoken.device, spoken.peer]))
        left += unfinished(spoken.of_host, stretch)
        left = numbered([left != 0, left])
        symbol = numbered([left, message, times])
        self._gaps = Durations(spoken.gap_ns, symbol, most=_MOST_LOG)
        self._lay_out(symbol, left, sizes)
        self._follow_connections()

    def _lay_out(
        self, symbol: NDArray[np.int64], left: NDArray[np.int64], sizes: NDArray[np.int64]
    ) -> None:
        """Lay stretches of the given sizes in a row, as the places of the chain."""
        self._bounds = np.cumsum(sizes)[:-1]
        packet = self._at_places(np.ones(len(symbol), dtype=bool))
        config = self._config
        self._chain = NearbyChain(
            self._at_places(1 + symbol),
            packet,
            config.order,
            (config.reach, config.drift),
            config.follow,
            self._at_places(left),
        )
        self.places = np.flatnonzero(packet)
        """Where each packet stands in the chain (P)."""
        self._number = np.cumsum(packet) - packet
        self.firsts = np.flatnonzero(packet & ~np.roll(packet, 1))
        """Where each stretch begins."""
        self._most = int(_LONGEST * sizes.max())

    def _at_places(self, column: NDArray[Any]) -> NDArray[Any]:
        """A column of packets, at the places of the chain."""
        # ends between stretches, as many as the order, keep every context within one stretch
        return padded(np.split(column, self._bounds), ends=self._config.order)

    def _follow_connections(self) -> None:
        """Derive the states of connections, identified by the ports of either end (P)."""
        of = self._spoken
        # the side whose port tells a service's connections apart; 2 where neither does
        told_by = np.select([token < 0 for token in of.tokens], [0, 1], 2)
        # a connection may use the same two ports in every stretch
        pair = numbered([self._stretch, of.device, of.peer])
        is_tcp = of.protocols & _TCP > 0
        has = is_tcp | (told_by < 2)
        # of other packets, those that wait for each other
        between = Groups(pair)
        is_open = np.any(of.states != 0, axis=1)
        exchange = between.sum(~between.previous(is_open, first=False) + 0)
        exchange[has | ~np.isin(pair, pair[is_open])] = 0
        has |= exchange > 0
        self.connection = np.where(has, 1 + numbered([pair, exchange, self._begun(between)]), 0)
        """Which connection each packet is of, by numbers from 1 on (P); 0 for none."""
        services = *of.services, numbered([of.device, of.peer])
        # what is read as nothing on a port that Wireshark gives to a protocol, is read on others
        claimed = *of.claimed, np.zeros(len(has), dtype=bool)
        ranks = *(-1 - token for token in of.tokens), np.zeros_like(self.connection)
        self.service = numbered([told_by, *(np.choose(told_by, by) for by in (services, claimed))])
        """What the connection is used for (P)."""
        self.has_payload = ~headers_alone(of.protocols, of.length)
        """Whether headers alone do not explain the length (P)."""
        message = numbered([of.role, of.outgoing, of.protocols])
        columns = {
            "capture": 1 + self._stretch,
            "connection": self.connection,
            "service": self.service,
            "rank": np.choose(told_by, ranks),
            "message": message,
            "outgoing": of.outgoing,
            "payload": self.has_payload,
            # a SYN says at least how long segments may be (RFC 9293, section 3.7.1)
            "may_open": ~is_tcp
            | ~self.has_payload
            & (of.length > _ETHERNET_IPV4_TCP)
            & _mostly_first(message, self.connection),
            "same_ports": (told_by == len(of.tokens)) & is_tcp,
            "states": of.states,
        }
        self._connection_states = ConnectionStates(
            **{name: self._at_places(column) for name, column in columns.items()},
            surplus=self._config.surplus,
        )

    def _begun(self, between: Groups) -> NDArray[np.int64]:
        """How many connections of TCP there were between the same ports up to each packet (P)."""
        closed = self.state("tcp") > 0
        return between.sum((between.previous(closed, first=False) & ~closed).astype(np.int64))

    def state(self, of: State) -> NDArray[np.int64]:
        """What each packet leaves its connection in (P), by one kind; 0 where it is not known."""
        states = self._spoken.states
        if of not in self._kinds or not states.size:
            return np.zeros(len(states), dtype=np.int64)
        column: NDArray[np.int64] = states[:, self._kinds.index(of)]
        return column

    def draw(
        self, first: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Walks from the places `first` (N) to an end.

        Returns:
            Their packets (E), which connection each is of (E), -1 for none, and which walk (E).
        """
        return self.draw_each([first], [rng])[0]

    def draw_each(
        self, firsts: Sequence[NDArray[np.int64]], rngs: Sequence[np.random.Generator]
    ) -> list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """What `draw` draws of several, each by itself; beside each other they take less time."""
        first, sizes = np.concatenate(firsts), [*map(len, firsts)]
        packet, connection, walk = self._together(first, _drawing(sizes, rngs))
        begins = np.cumsum([0, *sizes])
        cuts = np.searchsorted(walk, begins)
        found = []
        for begin, size, low, high in zip(begins, sizes, cuts, cuts[1:], strict=False):
            own = slice(low, high)
            # a connection is the how manieth of its walk times the walks, and its walk
            opened, of = np.divmod(connection[own], len(first))
            by_itself = np.where(connection[own] < 0, -1, opened * size + of - begin)
            found.append((packet[own], by_itself, walk[own] - begin))
        return found

    def _together(
        self, first: NDArray[np.int64], draw: Draw
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        walks = WalkConnections(self._connection_states, first)
        fits = walks.fits if self._config.coherent else None
        symbol, places, connections = self._chain.symbol, [], []
        for place in islice(chain([first], self._chain.walk(first + 1, draw, fits)), self._most):
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

    def times(self, packet: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Nanoseconds before each packet (E)."""
        gap_ns = self._gap_ns[packet]
        if "times" not in self._config.redraw:
            return gap_ns
        drawn_ns = self._gaps.draw(packet, rng)
        return np.where(gap_ns <= RESOLUTION_NS, gap_ns, drawn_ns)


def _drawing(sizes: Sequence[int], rngs: Sequence[np.random.Generator]) -> Draw:
    """Draws for walks, so many of each generator, as if these were drawn by themselves."""
    if len(rngs) == 1:
        return lambda walk, count: rngs[0].random((len(walk), count))
    of = np.repeat(np.arange(len(sizes)), sizes)

    def draw(walk: NDArray[np.int64], count: int) -> NDArray[np.float64]:
        if not len(walk):
            return np.empty((0, count))
        wanted = np.bincount(of[walk], minlength=len(sizes)).tolist()
        pairs = zip(rngs, wanted, strict=True)
        return np.concatenate([rng.random((n, count)) for rng, n in pairs if n])

    return draw


def headers_alone(protocols: NDArray[np.uint16], length: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether TCP headers and options, in units of 4 bytes, explain the lengths (P)."""
    bare = np.isin(protocols, _BARE_TCP)
    words = (length - _ETHERNET_IPV4_TCP) % 4 == 0
    explained: NDArray[np.bool_] = (words | (length == _SHORTEST)) & bare
    return explained & (length <= _LONGEST_BARE)


def _mostly_first(message: NDArray[np.int64], connection: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the message of each packet (P) is mostly the first of its connections (P)."""
    _, first = np.unique(connection, return_index=True)
    begins = np.bincount(message[first], minlength=message.max() + 1)
    _, has = np.unique(np.stack([connection, message]), axis=1)
    mostly: NDArray[np.bool_] = (2 * begins >= np.bincount(has))[message]
    return mostly
