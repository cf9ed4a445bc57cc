"""The codec: windows of packets <-> tokens of six fields a packet (paper, section 4.2).

Shapes: N windows, L packets each, F fields, T frame tokens, C length classes.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from iotflowgen.encoding.durations import DurationEncoder
from iotflowgen.encoding.frames import FrameEncoder
from iotflowgen.encoding.ports import PortConfig, PortEncoder
from iotflowgen.encoding.protocols import ProtocolEncoder
from iotflowgen.encoding.signatures import SignatureConfig, carrying, extract_signatures
from iotflowgen.traffic import Trace, Windows, WindowStarts, cut_column, cut_windows

__all__ = ["FIELDS", "Codec", "CodecConfig"]

FIELDS = ("frame", "direction", "protocols", "src_port", "dst_port", "duration")


class CodecConfig(BaseModel):
    """How packets become tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    signatures: SignatureConfig = SignatureConfig()
    """How packet-level signatures are found."""
    ports: PortConfig = PortConfig()
    """How ports are coded."""
    duration_clusters: int = Field(12, ge=1, le=10_000)
    """Clusters of log durations, beside the one for zero."""
    orphan_min_count: int = Field(2, ge=1)
    """Fewest orphans of one length that earn it a token."""


class Codec(BaseModel):
    """All encoders of one device, fitted together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: CodecConfig
    frames: FrameEncoder
    protocols: ProtocolEncoder
    ports: PortEncoder
    durations: DurationEncoder
    lengths: tuple[int, ...]
    """The frame lengths seen, rising; a length class is a place in it."""

    @classmethod
    def fit(
        cls, traces: Sequence[Trace], starts: WindowStarts, config: CodecConfig, seed: int
    ) -> "Codec":
        """Fit every encoder: frames, protocols and lengths on windows, the rest on whole traces.

        Args:
            traces: The training captures.
            starts: Where the training windows begin.
            config: How packets become tokens.
            seed: Seeds the clustering of durations.
        """
        windows = cut_windows(traces, starts)
        return cls(
            config=config,
            frames=FrameEncoder.fit(
                extract_signatures(traces, config.signatures),
                windows.length,
                windows.outgoing,
                _runs(traces, starts, config),
                orphan_min_count=config.orphan_min_count,
            ),
            protocols=ProtocolEncoder.fit(windows.protocols),
            ports=PortEncoder.fit(traces, config.ports),
            durations=DurationEncoder.fit(
                np.concatenate([trace.duration_ns for trace in traces]),
                config.duration_clusters,
                seed,
            ),
            lengths=tuple(np.unique(windows.length).tolist()),
        )

    @property
    def sizes(self) -> dict[str, int]:
        """How many tokens each field has, in the order of `FIELDS`."""
        ports = self.ports.size
        sizes = (self.frames.size, 2, self.protocols.size, ports, ports, self.durations.size)
        return dict(zip(FIELDS, sizes, strict=True))

    def encode(self, traces: Sequence[Trace], starts: WindowStarts) -> NDArray[np.int64]:
        """Tokens (N, L, F) of the windows of `traces` that begin at `starts`."""
        windows = cut_windows(traces, starts)
        runs = _runs(traces, starts, self.config)
        src_tokens, dst_tokens = self.ports.encode(windows.src_port, windows.dst_port)
        return np.stack(
            [
                self.frames.encode(windows.length, windows.outgoing, runs),
                windows.outgoing.astype(np.int64),
                self.protocols.encode(windows.protocols),
                src_tokens,
                dst_tokens,
                self.durations.encode(windows.duration_ns),
            ],
            axis=-1,
        )

    def decode(
        self, tokens: NDArray[np.int64], classes: NDArray[np.int64], rng: np.random.Generator
    ) -> Windows:
        """Windows of `tokens` (N, L, F), with the frame lengths of `classes` (N, L).

        Ephemeral ports stand as slots, -1, -2 and so on, which `generators.port_numbers` numbers.

        Args:
            tokens: A token a field of each packet.
            classes: The length class of each packet, which `nn.frame_length` chose (section 4.5).
            rng: Draws durations.
        """
        _, direction, protocols, src_tokens, dst_tokens, duration = np.moveaxis(tokens, -1, 0)
        src_port, dst_port = self.ports.decode(src_tokens, dst_tokens)
        return Windows(
            duration_ns=self.durations.decode(duration, rng),
            length=self._lengths[classes],
            outgoing=direction.astype(bool),
            src_port=src_port,
            dst_port=dst_port,
            protocols=self.protocols.decode(protocols),
        )

    def length_classes(self, length: NDArray[np.int32]) -> NDArray[np.int64]:
        """The class of each length, in the same shape; -1 for one that was not seen."""
        place = np.searchsorted(self._lengths, length)
        return np.where(np.isin(length, self._lengths), place, -1)

    @cached_property
    def allowed_classes(self) -> NDArray[np.bool_]:
        """The length classes that each frame token may stand for (T, C)."""
        shortest, longest = self.frames.decode(np.arange(self.frames.size))
        allowed = (self._lengths >= shortest[:, None]) & (self._lengths <= longest[:, None])
        lone = np.isin(self._lengths, self.frames.lone_lengths)
        if not lone.all():
            allowed[0] = ~lone  # the token of rare orphans
        return allowed

    @cached_property
    def _lengths(self) -> NDArray[np.int32]:
        return np.array(self.lengths, dtype=np.int32)


def _runs(traces: Sequence[Trace], starts: WindowStarts, config: CodecConfig) -> NDArray[np.bool_]:
    """The packets of the windows that signatures run over (N, L)."""
    payload = [trace.tcp_payload for trace in traces]
    return carrying(cut_column(payload, starts), config.signatures)
