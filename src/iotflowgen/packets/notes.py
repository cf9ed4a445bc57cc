"""What was noted of hosts while captures are read, and what comes of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import log
from statistics import median

from iotflowgen.packets.counters import begins, counting
from iotflowgen.packets.delays import delay_of, stride_of
from iotflowgen.packets.headers import Host

__all__ = ["HostNotes"]

_RATES = (1, 2, 4, 10, 50, 100, 200, 250, 300, 500, 1000)
"""Ticks a second that TCP timestamps have."""
_FASTEST = 4000
"""More is no clock, but several hosts behind one address, or each connection by itself."""
_LONG_NS = 10**9
"""Between timestamps, for their rate to be more than delay."""


@dataclass
class HostNotes:
    """What was noted of a host."""

    mac: str
    ip: str
    ttl: Counter[int] = field(default_factory=Counter)
    ids: list[list[int]] = field(default_factory=list)
    """IP IDs in order, a list a capture."""
    turns: list[tuple[int, int]] = field(default_factory=list)
    """IP IDs that follow each other in different connections."""
    lone_ids: list[list[int]] = field(default_factory=list)
    """IP IDs without TCP, a list a capture."""
    connection_ids: list[list[int]] = field(default_factory=list)
    """IP IDs of each connection."""
    last_ids: list[int] | None = None
    """Those of the connection that the last one is of."""
    stamps: list[list[tuple[int, int]]] = field(default_factory=list)
    """When the first and last TCP timestamps of connections were sent, and which they were, a list
    a capture."""
    delays: list[int] = field(default_factory=list)
    """After which it has acknowledged, nanoseconds."""
    strides: list[int] = field(default_factory=list)
    """How many segments it has acknowledged at once."""
    sequences: dict[int, list[int]] = field(default_factory=dict)
    """Sequence numbers of its SYNs, by service."""

    def begin(self) -> None:
        """A capture begins."""
        self.ids.append([])
        self.lone_ids.append([])
        self.stamps.append([])

    def see_id(self, ip_id: int, connection: list[int] | None) -> None:
        """Note an IP ID; `connection` has those of its connection, which is none without TCP."""
        if self.ids[-1] and (connection is None or connection is not self.last_ids):
            self.turns.append((self.ids[-1][-1], ip_id))
        if connection is None:
            self.lone_ids[-1].append(ip_id)
        else:
            if not connection:
                self.connection_ids.append(connection)
            connection.append(ip_id)
        self.ids[-1].append(ip_id)
        self.last_ids = connection

    def host(self) -> Host:
        """What comes of it."""
        shared = counting(self.turns) or not self.connection_ids
        seen = [run for run in (self.ids if shared else self.lone_ids) if run]
        stamps = [sorted(seen) for seen in self.stamps if seen]
        rate = _rate(stamps)
        return Host.model_validate(
            {
                "mac": self.mac,
                "ip": self.ip,
                "ttl": max(self.ttl, key=self.ttl.__getitem__, default=64),
                "ids": counting(seen) if seen else None,
                "connection_ids": None if shared else counting(self.connection_ids),
                "sequences": tuple(
                    (service, *found)
                    for service, seen in self.sequences.items()
                    if (found := begins(seen, 2**32))
                ),
                "stamps": tuple(sorted(seen[0][1] for seen in stamps)),
                "delay_ns": delay_of(self.delays),
                "stride": stride_of(self.strides),
                "ticks": min(_RATES, key=lambda known: abs(log(known / rate))) if rate else 0,
            }
        )


def _rate(stamps: Sequence[Sequence[tuple[int, int]]]) -> float:
    """Ticks a second of timestamps in order, a list a capture: of most, far apart if there are any.

    0 without.
    """
    steps = [
        ((last[1] - first[1]) % 2**32, last[0] - first[0])
        for seen in stamps
        for first, last in pairwise(seen)
    ]
    steps = [(ticks, ns) for ticks, ns in steps if 0 < ticks * 10**9 < _FASTEST * ns]
    far = [(ticks, ns) for ticks, ns in steps if ns >= _LONG_NS]
    return median(ticks * 1e9 / ns for ticks, ns in far or steps) if steps else 0
