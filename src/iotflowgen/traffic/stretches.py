"""Stretches: hours, or minutes, of traffic, each with whatever packets fall into it.

What windows of packets are to a short look, these are to a long one. They begin on the clock (hours
on the hour), and those that reach beyond an end of their capture, which is that of the silence
after it where that is known, are left out.

Shapes: N stretches, P packets of all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from iotflowgen.errors import TooShort
from iotflowgen.traffic.bursts import find_bursts
from iotflowgen.traffic.session import Session
from iotflowgen.traffic.trace import Trace

__all__ = ["Stretches", "cut_stretches"]

_COLUMNS = ("time_ns", "length", "outgoing", "service", "begins")


@dataclass(frozen=True, eq=False)
class Stretches:
    """N stretches of `length_ns` each; packets (P) of one after those of another."""

    length_ns: int
    start_ns: NDArray[np.int64]
    """When each begins (N), nanoseconds since the epoch."""
    packets: NDArray[np.int64]
    """How many packets each has (N); none is possible."""
    time_ns: NDArray[np.int64]
    """When each packet comes (P), nanoseconds since its stretch began."""
    length: NDArray[np.int32]
    """Frame length on the wire, bytes (P)."""
    outgoing: NDArray[np.bool_]
    """Sent by the device (P)."""
    service: NDArray[np.int64]
    """What its flow is for (P), as of `Bursts`."""
    begins: NDArray[np.bool_]
    """Whether a burst begins with it (P)."""

    @classmethod
    def concatenate(cls, parts: Sequence["Stretches"]) -> Self:
        """All stretches of `parts`, at least one of a length, in order."""
        names = ("start_ns", "packets", *_COLUMNS)
        columns = {n: np.concatenate([getattr(part, n) for part in parts]) for n in names}
        return cls(length_ns=parts[0].length_ns, **columns)

    def __len__(self) -> int:
        return len(self.start_ns)

    def __getitem__(self, index: NDArray[np.integer] | NDArray[np.bool_] | slice) -> "Stretches":
        chosen = np.arange(len(self))[index]
        packets, end = self.packets[chosen], np.cumsum(self.packets)
        own = np.arange(packets.sum()) - np.repeat(np.cumsum(packets) - packets, packets)
        rows = np.repeat(end[chosen] - packets, packets) + own
        columns = {name: getattr(self, name)[rows] for name in _COLUMNS}
        return Stretches(self.length_ns, self.start_ns[chosen], packets, **columns)

    @property
    def stretch(self) -> NDArray[np.int64]:
        """Which stretch each packet is of (P)."""
        return np.repeat(np.arange(len(self)), self.packets)


def cut_stretches(
    traces: Sequence[Trace | Session], length_ns: int
) -> tuple[Stretches, NDArray[np.int64]]:
    """Every stretch of so many nanoseconds that lies within one trace, and of which it is (N).

    Raises:
        TooShort: There is none.
    """
    parts = [_of_trace(trace, length_ns) for trace in traces]
    count = [len(part) for part in parts]
    if not sum(count):
        longest = max((int(t.time_ns[-1] - t.time_ns[0]) for t in traces if len(t)), default=0)
        raise TooShort(
            f"no stretch of {length_ns / 6e10:g} minutes lies within a capture, the longest of "
            f"which lasts {longest / 6e10:.1f}; capture for longer, for days rather than hours"
        )
    return Stretches.concatenate(parts), np.repeat(np.arange(len(parts)), count)


def _of_trace(trace: Trace | Session, length_ns: int) -> Stretches:
    time_ns, first, end = trace.time_ns, 0, 0
    if len(trace):
        until_ns = time_ns[-1] + (trace.silence_ns if isinstance(trace, Trace) else 0)
        first, end = -(-time_ns[0] // length_ns), until_ns // length_ns
    start_ns = np.arange(first, max(first, end), dtype=np.int64) * length_ns
    begin = int(np.searchsorted(time_ns, first * length_ns))
    inside = slice(begin, max(begin, int(np.searchsorted(time_ns, end * length_ns))))
    stretch = time_ns[inside] // length_ns - first
    bursts = find_bursts(trace)
    return Stretches(
        length_ns=length_ns,
        start_ns=start_ns,
        packets=np.bincount(stretch, minlength=len(start_ns)),
        time_ns=time_ns[inside] % length_ns,
        length=trace.length[inside],
        outgoing=trace.outgoing[inside],
        service=bursts.service[inside],
        begins=bursts.begins[inside],
    )
