"""Ports <-> tokens: constants have their own, the others belong to a connection.

A port of a service (`services`) keeps its number, as one of the device's constants, and so does one
that recurs in a share of the captures, and in two at least. Any other is ephemeral: opened for one
connection and never seen again. Its token is a slot, the order in which the window first shows it.
Which number it has, `generators.port_numbers` says.

Deviation from the paper, which gives every port number of the training captures a token of its
own (`recurrence = 0` does that): no code can tell the numbers of a capture that it has not seen.

Shapes: N windows, L packets each; E = 2L ends, source and destination of each packet in turn.
"""

import math
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from iotflowgen.encoding.services import find_services
from iotflowgen.traffic import Trace

__all__ = ["PortConfig", "PortEncoder"]

_WELL_KNOWN = 1024  # ports below it (RFC 6335)
_BATCH = 4096  # windows at a time: comparing all ends of a window takes E x E bytes


class PortConfig(BaseModel):
    """How ports are coded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recurrence: float = Field(0.3, ge=0, le=1)
    """Share of the captures that a port must be in to keep its number; 0 keeps all (the paper)."""
    slots: int = Field(8, ge=1, le=2**16)
    """Ephemeral ports told apart within a window; more share tokens in turn."""
    ephemeral: Literal["recur", "fresh"] = "recur"
    """Numbers drawn for ephemeral ports: those of the fitted captures, or new in their range."""


class PortEncoder(BaseModel):
    """Source and destination ports to tokens of one vocabulary, and back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: PortConfig
    constants: tuple[int, ...]
    """Ports that keep their number, rising, 0 (no port) among them; slots follow."""
    device_ports: tuple[int, ...]
    """Ephemeral ports of the device in the fitted captures."""
    peer_ports: tuple[int, ...]
    """Ephemeral ports of its peers."""

    @classmethod
    def fit(cls, traces: Sequence[Trace], config: PortConfig) -> "PortEncoder":
        """Sort the ports of the captures into constants and ephemeral ones."""
        captures = Counter[int]()
        device, peer, seen = set[int](), set[int](), set[int]()
        for trace in traces:
            seen.update(trace.src_port.tolist(), trace.dst_port.tolist())
            # pieces of a long capture are one: connections last from one to the next
            if not trace.silence_ns:
                captures.update(seen)
                seen = set()
            device.update(np.where(trace.outgoing, trace.src_port, trace.dst_port).tolist())
            peer.update(np.where(trace.outgoing, trace.dst_port, trace.src_port).tolist())
        captures.update(seen)
        whole = sum(not trace.silence_ns for trace in traces)
        constants = {0} | _recurring(captures, whole, config.recurrence)
        constants |= find_services(traces)
        return cls(
            config=config,
            constants=tuple(sorted(constants)),
            device_ports=tuple(sorted(device - constants)),
            peer_ports=tuple(sorted(peer - constants)),
        )

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return len(self.constants) + self.config.slots

    def encode(
        self, src_port: NDArray[np.int32], dst_port: NDArray[np.int32]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Tokens of source and destination ports, each (N, L)."""
        ends = _interleave(src_port, dst_port)
        tokens = np.searchsorted(self._constants, ends)
        ephemeral = ~np.isin(ends, self._constants)
        for batch in range(0, len(ends), _BATCH):
            rows = slice(batch, batch + _BATCH)
            slots = _order_of_appearance(ends[rows], ephemeral[rows]) % self.config.slots
            tokens[rows] = np.where(ephemeral[rows], len(self.constants) + slots, tokens[rows])
        return tokens[:, 0::2], tokens[:, 1::2]

    def decode(
        self, src_tokens: NDArray[np.int64], dst_tokens: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Source and destination ports, each (N, L); slots stand as -1, -2 and so on."""
        src_port, dst_port = (
            np.where(
                tokens < len(self.constants),
                self._constants[np.minimum(tokens, len(self.constants) - 1)],
                len(self.constants) - 1 - tokens,
            )
            for tokens in (src_tokens, dst_tokens)
        )
        return src_port.astype(np.int32), dst_port.astype(np.int32)

    @cached_property
    def _constants(self) -> NDArray[np.int64]:
        return np.array(self.constants)


def _recurring(captures: Counter[int], of: int, recurrence: float) -> set[int]:
    """The ports that keep their number, from how many of the captures each is in."""
    if not recurrence:
        return set(captures)
    needed = max(2, math.ceil(recurrence * of))
    return {port for port, count in captures.items() if count >= needed or port < _WELL_KNOWN}


def _interleave(src: NDArray[Any], dst: NDArray[Any]) -> NDArray[Any]:
    """Both ends of each packet in turn (N, E)."""
    return np.stack([src, dst], axis=-1).reshape(len(src), 2 * src.shape[1])


def _order_of_appearance(ends: NDArray[np.int32], counted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Which distinct value each counted end is, in order of first appearance in its row (N, E)."""
    same = (ends[:, :, None] == ends[:, None, :]) & counted[:, None, :]
    first = same.argmax(axis=2)
    is_first = counted & (first == np.arange(ends.shape[1]))
    rank = np.cumsum(is_first, axis=1) - 1
    return np.take_along_axis(rank, first, axis=1)
