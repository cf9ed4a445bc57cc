"""Traffic windows (paper, section 4.2): L consecutive packets of one capture, or of one session.

Shapes: N windows, L packets each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from iotflowgen.errors import TooShort
from iotflowgen.traffic.protocols import protocol_mask
from iotflowgen.traffic.session import Session
from iotflowgen.traffic.trace import Trace

__all__ = [
    "WindowStarts",
    "Windows",
    "cut_column",
    "cut_windows",
    "draw_window_starts",
    "every_window_start",
    "flow_by_ports",
]

_TCP = protocol_mask(["tcp"])

_OPTIONAL = ("headers", "source", "flow")


@dataclass(frozen=True, eq=False)
class WindowStarts:
    """Where windows of `size` packets begin: in which trace (N), with which packet (N)."""

    size: int
    trace: NDArray[np.int64]
    start: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.trace)

    def __getitem__(self, index: NDArray[np.integer] | NDArray[np.bool_] | slice) -> "WindowStarts":
        return WindowStarts(self.size, self.trace[index], self.start[index])


@dataclass(frozen=True, eq=False)
class Windows:
    """N windows of L packets; every column has shape (N, L).

    Raises:
        ValueError: Columns differ in shape.
    """

    duration_ns: NDArray[np.int64]
    """Nanoseconds until the next packet of the same capture, also for the last of a window."""
    length: NDArray[np.int32]
    """Frame length on the wire, bytes."""
    outgoing: NDArray[np.bool_]
    """Sent by the device."""
    src_port: NDArray[np.int32]
    """Source port; 0 where the packet has none."""
    dst_port: NDArray[np.int32]
    """Destination port; 0 where the packet has none."""
    protocols: NDArray[np.uint16]
    """Protocol configuration, a bit each."""
    headers: NDArray[np.float32] | None = None
    """Fields of the packets' headers (N, L, F), where they were read (`capture.with_headers`)."""
    source: NDArray[np.int64] | None = None
    """Which captured packet each repeats, as in a `Session`; None where packets repeat none."""
    flow: NDArray[np.int64] | None = None
    """Which flow (connection) of its window each is of, by any numbers, -1 for none; None where
    that is not known."""

    def __post_init__(self) -> None:
        shapes = {name: getattr(self, name).shape for name in self.columns()}
        shapes |= {name: column.shape[:2] for name, column in self._optional().items()}
        if len(set(shapes.values())) != 1 or self.length.ndim != 2:
            raise ValueError(f"columns of windows differ in shape: {shapes}")

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """The names of the columns that all windows have, and a `Trace` has too."""
        return tuple(f.name for f in fields(cls) if f.name not in _OPTIONAL)

    @classmethod
    def concatenate(cls, parts: Sequence["Windows"]) -> Self:
        """All windows of `parts`, in order; with those optional columns that each part has."""
        names = (*cls.columns(), *_shared(parts))
        return cls(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})

    @property
    def size(self) -> int:
        """L, packets a window."""
        return int(self.length.shape[1])

    def __len__(self) -> int:
        return len(self.length)

    def __getitem__(self, index: NDArray[np.integer] | NDArray[np.bool_] | slice) -> "Windows":
        columns = {name: getattr(self, name)[index] for name in self.columns()}
        optional = {name: column[index] for name, column in self._optional().items()}
        return Windows(**columns, **optional)

    def _optional(self) -> dict[str, NDArray[Any]]:
        columns = {name: getattr(self, name) for name in _OPTIONAL}
        return {name: column for name, column in columns.items() if column is not None}


def flow_by_ports(windows: Windows) -> NDArray[np.int64]:
    """Which flow each packet is of (N, L), as far as features tell: packets between two ports.

    No two windows have one in common; -1 for packets without ports.
    """
    columns = windows.outgoing, windows.src_port, windows.dst_port
    outgoing, source, destination = (column.astype(np.int64) for column in columns)
    device = np.where(outgoing, source, destination)
    peer = np.where(outgoing, destination, source)
    is_tcp = windows.protocols & _TCP > 0
    ports = ((device << 16) + peer) * 2 + is_tcp
    rows = np.arange(len(windows))[:, None] << 33
    flow = np.unique(rows + ports, return_inverse=True)[1].reshape(ports.shape)
    return np.where((source > 0) | (destination > 0), flow, -1)


def every_window_start(traces: Sequence[Trace | Session], size: int) -> WindowStarts:
    """Every place where `size` packets in a row stand in one trace.

    Raises:
        TooShort: No trace is that long.
    """
    starts = [np.arange(max(0, len(trace) - size + 1)) for trace in traces]
    trace = np.repeat(np.arange(len(traces)), [len(s) for s in starts])
    if not len(trace):
        longest = max((len(t) for t in traces), default=0)
        raise TooShort(
            f"a window needs {size} packets in a row, the longest capture has {longest}; capture "
            "for longer or choose a smaller --window"
        )
    return WindowStarts(size, trace, np.concatenate(starts))


def draw_window_starts(
    traces: Sequence[Trace | Session], n: int, size: int, rng: np.random.Generator
) -> WindowStarts:
    """Draw where `n` windows begin, at random, each once while they last (section 4.2).

    Raises:
        TooShort: No trace holds `size` packets.
    """
    starts = every_window_start(traces, size)
    rounds = [rng.permutation(len(starts)) for _ in range(max(1, -(-n // len(starts))))]
    return starts[np.concatenate(rounds)[:n]]


def cut_column(columns: Sequence[NDArray[Any]], starts: WindowStarts) -> NDArray[Any]:
    """Cut one column, given once a trace, at `starts`: (N, L), or (N, L, F) of fields."""
    offsets = np.cumsum([0, *(len(column) for column in columns)])
    first = offsets[starts.trace] + starts.start
    packets: NDArray[Any] = np.concatenate(columns)
    cut: NDArray[Any] = packets[first[:, None] + np.arange(starts.size)]
    return cut


def cut_windows(traces: Sequence[Trace | Session], starts: WindowStarts) -> Windows:
    """The windows that begin at `starts`, with those optional columns that each trace has.

    Headers are those of traces; the captured packet and the flow, those of sessions.
    """
    names = (*Windows.columns(), *_shared(traces))
    return Windows(**{n: cut_column([getattr(t, n) for t in traces], starts) for n in names})


def _shared(parts: Sequence[object]) -> list[str]:
    """The optional columns that all parts have."""
    return [n for n in _OPTIONAL if all(getattr(p, n, None) is not None for p in parts)]
