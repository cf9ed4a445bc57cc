"""A back-off Markov chain over packets: the baseline that a network has to beat.

A symbol is a packet, whole: length, direction, protocol configuration, ports, and the magnitude
of the time since the packet before. `chain` says how the next is drawn. The time before it is the
one that the captures show at the place drawn, jittered as in section 4.5.

Ephemeral ports are coded by how recently the trace used them, not by `encoding.ports`' order of
appearance in a window: the chain runs over whole captures, and a symbol has to mean the same
wherever a window begins. A port that is not among the recent ones is opened.

Shapes: N windows, L packets each; P places: the packets of all captures, each capture followed by
ends; S sides, the device and its peer; R recent ports of a side.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from iotflowgen.encoding import PortConfig, PortEncoder
from iotflowgen.generators.recorded import Recorded
from iotflowgen.generators.replay import ReplayConfig, jitter
from iotflowgen.generators.walking.chain import END, Chain, magnitude, padded
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Trace, Windows, every_window_start, flow_by_ports

__all__ = ["Markov", "MarkovConfig"]


class MarkovConfig(ReplayConfig):
    """Settings of the chain."""

    order: int = Field(default=6, ge=1, le=32)
    """Packets that the next one depends on at most."""
    magnitudes: int = Field(default=1, ge=0, le=100)
    """Classes of durations a decade; 0 leaves time out of the symbols."""
    ports: PortConfig = PortConfig()
    """How ports are coded; `slots` are the recent ephemeral ports that are told apart."""


class Markov(Recorded):
    """Draws packet after packet, each given those before it."""

    name: ClassVar[str] = "markov"
    Config = MarkovConfig

    def fit(self, traces: Sequence[Trace], *, progress: Progress = silent) -> Self:
        """Count what follows what.

        Raises:
            TooShort: No capture holds a window.
        """
        super().fit(traces)
        config = self.config
        windows = every_window_start(traces, config.window)
        # ends between captures, as many as the order, keep every context within one capture
        pad = partial(padded, ends=config.order)
        packet = pad([np.ones(len(trace), dtype=bool) for trace in traces])
        first = np.cumsum([0, *map(len, traces)])
        self._starts = np.flatnonzero(packet)[first[windows.trace] + windows.start]
        self._packets = {
            name: pad([getattr(trace, name) for trace in traces]) for name in Windows.columns()
        }
        self._number = np.cumsum(packet) - packet
        self._gap_ns = np.roll(self._packets["duration_ns"], 1)
        ports = PortEncoder.fit(traces, config.ports)
        device = [np.where(t.outgoing, t.src_port, t.dst_port) for t in traces]
        peer = [np.where(t.outgoing, t.dst_port, t.src_port) for t in traces]
        self._sides = (
            _Side(device, ports.constants, ports.device_ports, config),
            _Side(peer, ports.constants, ports.peer_ports, config),
        )
        fields = [self._packets[name] for name in ("length", "outgoing", "protocols")]
        fields += [side.token for side in self._sides]
        fields += [magnitude(self._gap_ns, config.magnitudes)]
        _, kind = np.unique(np.stack(fields), axis=1, return_inverse=True)
        self._chain = Chain(np.where(packet, 1 + kind.ravel(), END), packet, config.order)
        progress("count", 1, 1)
        return self

    def sample(self, n: int, rng: np.random.Generator, *, progress: Progress = silent) -> Windows:
        """Draw `n` windows, which begin where windows of the captures do."""
        size = self.config.window
        walks: list[NDArray[np.int64]] = []
        while not walks or sum(map(len, walks)) < n:
            start_N = rng.choice(self._starts, n)
            # one more than a window: the time after its last packet is the time before the next
            place_NL = np.stack(list(islice(self._chain.walk(start_N, rng), size + 1)), axis=1)
            ended_N = (self._chain.symbol[place_NL[:, :size]] == END).any(axis=1)
            walks.append(np.column_stack([start_N, place_NL])[~ended_N])
            progress("sample", min(n, sum(map(len, walks))), n)
        walk_NL = np.concatenate(walks)[:n]
        start_N, place_NL, next_NL = walk_NL[:, 0], walk_NL[:, 1:-1], walk_NL[:, 2:]
        outgoing = self._packets["outgoing"][place_NL]
        device, peer = (
            side.draw(start_N, place_NL, self.config.ports, rng) for side in self._sides
        )
        windows = Windows(
            duration_ns=jitter(self._gap_ns[next_NL], self.config.noise, rng),
            length=self._packets["length"][place_NL],
            outgoing=outgoing,
            src_port=np.where(outgoing, device, peer),
            dst_port=np.where(outgoing, peer, device),
            protocols=self._packets["protocols"][place_NL],
            source=self._number[place_NL],
        )
        return replace(windows, flow=flow_by_ports(windows))


class _Side:
    """Ports of the device, or of its peers, along all captures."""

    def __init__(
        self,
        ports: Sequence[NDArray[np.int32]],
        constants: Sequence[int],
        ephemeral: Sequence[int],
        config: MarkovConfig,
    ) -> None:
        pad = partial(padded, ends=config.order)
        self._slots = config.ports.slots
        recent = [_recent(p, set(constants), self._slots) for p in ports]
        self.token = pad([token for token, _ in recent])
        """A constant port, or -1 - its rank among the recent ones; -1 - R opens a port (P)."""
        self._recent = pad([before for _, before in recent])
        opens = self.token == -1 - self._slots
        self._opened = pad(ports)[opens]
        self._opening = np.cumsum(opens) - opens
        self._range = (ephemeral[0], ephemeral[-1]) if ephemeral else (0, 0)

    def draw(
        self,
        start: NDArray[np.int64],
        place: NDArray[np.int64],
        config: PortConfig,
        rng: np.random.Generator,
    ) -> NDArray[np.int32]:
        """Port numbers (N, L) for the tokens at `place` (N, L).

        They are those that the capture of `start` (N) has in use there and opens from there on;
        fresh ones are the same, moved along the range of the ephemeral ports.
        """
        token_NL = self.token[place]
        if not len(self._opened):
            return token_NL.astype(np.int32)
        rows, slots = np.arange(len(place)), np.arange(self._slots)
        recent_NR, opening_N = self._recent[start], self._opening[start]
        ports_NL = token_NL.copy()
        for i, token_N in enumerate(token_NL.T):
            ephemeral_N = token_N < 0
            rank_N = np.where(ephemeral_N, np.minimum(-1 - token_N, self._slots - 1), 0)
            known_N = recent_NR[rows, rank_N]
            opens_N = ephemeral_N & ((token_N == -1 - self._slots) | (known_N == 0))
            number_N = np.where(opens_N, self._opened[opening_N % len(self._opened)], known_N)
            opening_N = opening_N + opens_N
            to_front_NR = np.column_stack([number_N, recent_NR[:, :-1]])
            moves_NR = ephemeral_N[:, None] & (slots <= rank_N[:, None])
            recent_NR = np.where(moves_NR, to_front_NR, recent_NR)
            ports_NL[:, i] = np.where(ephemeral_N, number_N, token_N)
        if config.ephemeral == "fresh":
            low, high = self._range
            span = high - low + 1
            moved_NL = low + (ports_NL - low + rng.integers(span, size=(len(place), 1))) % span
            ports_NL = np.where(token_NL < 0, moved_NL, ports_NL)
        return ports_NL.astype(np.int32)


def _recent(
    ports: NDArray[np.int32], constants: set[int], slots: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tokens of the ports of one capture, and the recent ones before each packet, latest first."""
    tokens = ports.astype(np.int64)
    before = np.zeros((len(ports), slots), dtype=np.int64)
    recent: list[int] = []
    for i, port in enumerate(ports.tolist()):
        before[i, : len(recent)] = recent
        if port in constants:
            continue
        tokens[i] = -1 - (recent.index(port) if port in recent else slots)
        recent = [port, *(p for p in recent if p != port)][:slots]
    return tokens, before
