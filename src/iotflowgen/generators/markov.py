"""A back-off Markov chain over packets: the baseline that a network has to beat.

A symbol is a packet, whole: length, direction, protocol configuration, ports, and the magnitude
of the time since the packet before. The chain follows the longest run of symbols that the
captures hold, up to `order`, and backs off to a shorter one with the probability of Witten and
Bell (1991, "The zero-frequency problem", method C), which needs no held-out captures: after a
context seen N times and followed by T distinct symbols, T / (N + T). Stupid back-off (Brants et
al. 2007) would never leave a context that the captures hold, and so copy them.

To draw a symbol is to draw one of the places in the captures where it follows the context, so that
the time before it is one that the captures show there; it is then jittered as in section 4.5.

Ephemeral ports are coded by how recently the trace used them, not by `encoding.ports`' order of
appearance in a window: the chain runs over whole captures, and a symbol has to mean the same
wherever a window begins. A port that is not among the recent ones is opened.

Shapes: N windows, L packets each; P places: the packets of all captures, each capture followed by
ends; S sides, the device and its peer; R recent ports of a side.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from iotflowgen.encoding import PortConfig, PortEncoder
from iotflowgen.generators.replay import ReplayConfig, jitter, load_traces, save_traces
from iotflowgen.nn.training import Accelerator
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Trace, Windows, every_place

__all__ = ["Markov", "MarkovConfig"]

_END = 0  # the symbol that follows the last packet of a capture
_UNSEEN = -1  # the place, or the context, that there is none of


class MarkovConfig(ReplayConfig):
    """Settings of the chain."""

    order: int = Field(default=6, ge=1)
    """Packets that the next one depends on at most."""
    magnitudes: int = Field(default=1, ge=0)
    """Classes of durations a decade; 0 leaves time out of the symbols."""
    ports: PortConfig = PortConfig()
    """How ports are coded; `slots` are the recent ephemeral ports that are told apart."""


class Markov:
    """Draws packet after packet, each given those before it."""

    name: ClassVar[str] = "markov"
    Config: ClassVar = MarkovConfig

    def __init__(
        self,
        config: MarkovConfig | None = None,
        *,
        seed: int = 0,
        accelerator: Accelerator = "auto",  # noqa: ARG002 - as every generator; counting needs none
    ) -> None:
        self.config = config or MarkovConfig()
        self.seed = seed

    def fit(self, traces: Sequence[Trace], *, progress: Progress = silent) -> Self:
        """Count what follows what.

        Raises:
            TooShort: No capture holds a window.
        """
        config = self.config
        windows = every_place(traces, config.window)
        # ends between captures, as many as the order, keep every context within one capture
        lay = partial(_lay, ends=config.order)
        packet = lay([np.ones(len(trace), dtype=bool) for trace in traces])
        first = np.cumsum([0, *map(len, traces)])
        self._starts = np.flatnonzero(packet)[first[windows.trace] + windows.start]
        self._packets = {
            name: lay([getattr(trace, name) for trace in traces]) for name in Windows.columns()
        }
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
        fields += [_magnitude(self._gap_ns, config.magnitudes)]
        _, kind = np.unique(np.stack(fields), axis=1, return_inverse=True)
        self._chain = _Chain(np.where(packet, 1 + kind.ravel(), _END), packet, config.order)
        self._traces = list(traces)
        progress("count", 1, 1)
        return self

    def sample(self, n: int, rng: np.random.Generator, *, progress: Progress = silent) -> Windows:
        """Draw `n` windows, which begin where windows of the captures do."""
        size = self.config.window
        walks: list[NDArray[np.int64]] = []
        while not walks or sum(map(len, walks)) < n:
            start_N = rng.choice(self._starts, n)
            # one more than a window: the time after its last packet is the time before the next
            place_NL = self._chain.walk(start_N, size + 1, rng)
            ended_N = (self._chain.symbol[place_NL[:, :size]] == _END).any(axis=1)
            walks.append(np.column_stack([start_N, place_NL])[~ended_N])
            progress("sample", min(n, sum(map(len, walks))), n)
        walk_NL = np.concatenate(walks)[:n]
        start_N, place_NL, next_NL = walk_NL[:, 0], walk_NL[:, 1:-1], walk_NL[:, 2:]
        outgoing = self._packets["outgoing"][place_NL]
        device, peer = (
            side.draw(start_N, place_NL, self.config.ports, rng) for side in self._sides
        )
        return Windows(
            duration_ns=jitter(self._gap_ns[next_NL], self.config.noise, rng),
            length=self._packets["length"][place_NL],
            outgoing=outgoing,
            src_port=np.where(outgoing, device, peer),
            dst_port=np.where(outgoing, peer, device),
            protocols=self._packets["protocols"][place_NL],
        )

    def save(self, path: Path) -> None:
        """Write the model file, whole or not at all.

        It holds the captures, which counts of whole packets up to a high order hold anyway.

        Raises:
            OutputError: The file cannot be written.
        """
        save_traces(path, self.name, self.seed, self.config, self._traces)

    @classmethod
    def load(cls, path: Path, *, accelerator: Accelerator = "auto") -> Self:
        """Read a model file that `save` wrote.

        Raises:
            ModelError: It is damaged, of another version, or of another generator.
        """
        config, seed, traces = load_traces(path, cls.name, MarkovConfig)
        return cls(config, seed=seed, accelerator=accelerator).fit(traces)


class _Chain:
    """What follows every context up to an order, as the places where it does.

    A context is a number; those of j symbols are told apart by the context of the j - 1 symbols
    before the last, and the last.
    """

    def __init__(self, symbol: NDArray[np.int64], packet: NDArray[np.bool_], order: int) -> None:
        """Count.

        Args:
            symbol: Symbols (P) of captures with `order` ends before, between and after them.
            packet: Which of them are packets (P); the first end after each may be drawn too.
            order: Symbols of the longest context.
        """
        self.symbol = symbol
        self._kinds = int(symbol.max()) + 1
        drawable = np.flatnonzero(packet | np.roll(packet, 1))
        self._context = [np.zeros_like(symbol)]
        self._known: list[NDArray[np.int64]] = []
        for _ in range(order):
            # rolling wraps ends onto ends
            joined = np.roll(self._context[-1] * self._kinds + symbol, 1)
            known, context = np.unique(joined, return_inverse=True)
            self._known.append(known)
            self._context.append(context)
        self._levels = [_Level(context, symbol, drawable) for context in self._context]

    def walk(
        self, start: NDArray[np.int64], steps: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Places (N, steps) of symbols that follow what stands before the places `start` (N)."""
        contexts = [context[start] for context in self._context]
        places = np.empty((len(start), steps), dtype=np.int64)
        for step in range(steps):
            places[:, step] = self._draw(contexts, rng)
            contexts = self._advance(contexts, self.symbol[places[:, step]])
        return places

    def _draw(
        self, contexts: Sequence[NDArray[np.int64]], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """A place (N) whose symbol follows; `contexts` (N) are of 0 symbols, 1 and so on."""
        place = np.full(len(contexts[0]), _UNSEEN)
        for context, level in reversed(list(zip(contexts, self._levels, strict=True))):
            stays = (context != _UNSEEN) & (rng.random(len(context)) < level.stay[context])
            place = np.where((place == _UNSEEN) & stays, level.draw(context, rng), place)
        return place

    def _advance(
        self, contexts: Sequence[NDArray[np.int64]], symbol: NDArray[np.int64]
    ) -> list[NDArray[np.int64]]:
        """The contexts after `symbol` (N); `_UNSEEN` where the captures do not hold one."""
        after = [contexts[0]]
        for context, known in zip(contexts, self._known, strict=False):
            joined = context * self._kinds + symbol
            number = np.minimum(np.searchsorted(known, joined), len(known) - 1)
            seen = (context != _UNSEEN) & (known[number] == joined)
            after.append(np.where(seen, number, _UNSEEN))
        return after


class _Level:
    """The places that follow each context of one order."""

    def __init__(
        self, context: NDArray[np.int64], symbol: NDArray[np.int64], drawable: NDArray[np.int64]
    ) -> None:
        contexts = int(context.max()) + 1
        self._places = drawable[np.argsort(context[drawable], kind="stable")]
        self._count = np.bincount(context[drawable], minlength=contexts)
        self._first = np.cumsum(self._count) - self._count
        followed = np.unique(np.stack([context[drawable], symbol[drawable]], axis=-1), axis=0)
        distinct = np.bincount(followed[:, 0], minlength=contexts)
        self.stay = self._count / np.maximum(self._count + distinct, 1)
        """The probability of not backing off, an entry a context; of the empty one, 1."""
        if contexts == 1:
            self.stay[:] = 1

    def draw(self, context: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """A place (N) that follows each context; any place at all where none does."""
        pick = self._first[context] + (rng.random(len(context)) * self._count[context])
        last = len(self._places) - 1
        places: NDArray[np.int64] = self._places[np.minimum(pick.astype(np.int64), last)]
        return places


class _Side:
    """Ports of the device, or of its peers, along all captures."""

    def __init__(
        self,
        ports: Sequence[NDArray[np.int32]],
        constants: Sequence[int],
        ephemeral: Sequence[int],
        config: MarkovConfig,
    ) -> None:
        lay = partial(_lay, ends=config.order)
        self._slots = config.ports.slots
        recent = [_recent(p, set(constants), self._slots) for p in ports]
        self.token = lay([token for token, _ in recent])
        """A constant port, or -1 - its rank among the recent ones; -1 - R opens a port (P)."""
        self._recent = lay([before for _, before in recent])
        opens = self.token == -1 - self._slots
        self._opened = lay(ports)[opens]
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


def _lay(columns: Sequence[NDArray[Any]], ends: int) -> NDArray[Any]:
    """A column of all captures (P), with zeros for `ends` ends before, between and after them."""
    gap = np.zeros((ends, *columns[0].shape[1:]), dtype=columns[0].dtype)
    return np.concatenate([gap, *(part for column in columns for part in (column, gap))])


def _magnitude(duration_ns: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Classes of durations, so many a decade, from a microsecond on; one alone where none."""
    decades: NDArray[np.float64] = np.log10(np.maximum(duration_ns, 1000) / 1000)
    return np.floor(classes * decades).astype(np.int64)
