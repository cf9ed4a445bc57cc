"""What was noted of hosts while captures are read, and what comes of it."""

from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from iotflowgen.packets.counters import begins, counting
from iotflowgen.packets.headers import Host

__all__ = ["HostNotes"]

_RATES = (1, 2, 4, 10, 50, 100, 200, 250, 300, 500, 1000)
"""Ticks a second that TCP timestamps have."""


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
    rates: list[float] = field(default_factory=list)
    """Of TCP timestamps, ticks a second."""
    stamps: list[tuple[int, int]] = field(default_factory=list)
    """When its first TCP timestamp was sent, and which it was, a pair a capture."""
    sequences: list[int] = field(default_factory=list)
    """Sequence numbers of its SYNs."""
    _stamped: bool = False
    """It has sent a TCP timestamp in this capture."""

    def begin(self) -> None:
        """A capture begins."""
        self.ids.append([])
        self.lone_ids.append([])
        self._stamped = False

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

    def see_stamp(self, time_ns: int, stamp: int) -> None:
        """Note the first TCP timestamp of a connection."""
        if not self._stamped:
            self.stamps.append((time_ns, stamp))
        elif time_ns < self.stamps[-1][0]:
            self.stamps[-1] = time_ns, stamp
        self._stamped = True

    def host(self) -> Host:
        """What comes of it."""
        shared = counting(self.turns) or not self.connection_ids
        seen = [run for run in (self.ids if shared else self.lone_ids) if run]
        rate = median(self.rates) if self.rates else 0
        return Host.model_validate(
            {
                "mac": self.mac,
                "ip": self.ip,
                "ttl": max(self.ttl, key=self.ttl.__getitem__, default=64),
                "ids": counting(seen) if seen else None,
                "connection_ids": None if shared else counting(self.connection_ids),
                "sequences": begins(self.sequences, 2**32),
                "stamps": begins([stamp for _, stamp in self.stamps], 2**32),
                "ticks": min(_RATES, key=lambda known: abs(known - rate)) if rate else 0,
            }
        )
