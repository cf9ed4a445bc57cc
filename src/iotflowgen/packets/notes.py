"""Who is seen while captures are read, what is noted of each host, and what comes of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import log
from statistics import median

from iotflowgen.packets.captured import Packet
from iotflowgen.packets.counters import begins, counting
from iotflowgen.packets.delays import delay_of, stride_of
from iotflowgen.packets.headers import Host
from iotflowgen.packets.identifiers import addresses_in, is_host
from iotflowgen.packets.streams import Stream

__all__ = ["HostNotes", "Hosts"]

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


class Hosts:
    """Everybody who is seen, the device first.

    Args:
        own: How many packets the device sends, by its MAC and IP address.
    """

    def __init__(self, own: Mapping[tuple[str, str], int]) -> None:
        named = {pair: count for pair, count in own.items() if pair[1] and is_host(pair[1])}
        mac, ip = max(named or own, key=own.__getitem__)
        self._notes = [HostNotes(mac, ip)]
        self._places = {address: 0 for _, address in named}
        self._macs = {mac}
        self._addresses = set(self._places)

    def begin(self) -> None:
        """A capture begins."""
        for notes in self._notes:
            notes.begin()

    def peer(self, packet: Packet) -> int:
        """The place of the other end, who may be new; -1 without."""
        for mac in (packet.frame[6:12], packet.frame[:6]):
            if mac and not mac[0] & 1 and any(mac):
                self._macs.add(mac.hex(":"))
        self._addresses.update(addresses_in(packet.frame, packet.layout, packet.protocols))
        ip = packet.addresses[packet.outgoing]
        if not ip or not is_host(ip) or ip.endswith(".255"):
            return -1
        if ip not in self._places:
            at = slice(0, 6) if packet.outgoing else slice(6, 12)
            self._places[ip] = len(self._notes)
            self._notes.append(HostNotes(packet.frame[at].hex(":"), ip))
            self._notes[-1].begin()
        return self._places[ip] or -1

    def see(self, packet: Packet, peer: int, stream: Stream | None) -> None:
        """Note the sender's way with IPv4."""
        sender = 0 if packet.outgoing else peer
        if sender < 0 or not packet.layout.is_ip4:
            return
        notes = self._notes[sender]
        if peer > 0:
            notes.ttl[packet.frame[packet.layout.network + 8]] += 1
        if packet.ip_id:
            notes.see_id(packet.ip_id, stream.ids[packet.outgoing] if stream else None)

    def see_ended(self, stream: Stream, service: int, peer: int) -> None:
        """Note the way that both ends have with TCP, when all of a connection is read."""
        for outgoing, host in enumerate((peer, 0)):
            if host < 0:
                continue
            notes = self._notes[host]
            notes.sequences.setdefault(service, []).extend(stream.firsts[outgoing])
            notes.delays += stream.unacknowledged.delays[outgoing]
            notes.strides += stream.unacknowledged.strides[outgoing]
            notes.stamps[-1] += stream.stamps[outgoing]

    def hosts(self) -> tuple[Host, ...]:
        """What comes of all."""
        return tuple(notes.host() for notes in self._notes)

    def own_addresses(self) -> tuple[str, ...]:
        """All IP addresses of the device."""
        return tuple(ip for ip, place in self._places.items() if place == 0)

    def macs(self) -> tuple[str, ...]:
        """All MAC addresses of hosts."""
        return tuple(sorted(self._macs))

    def addresses(self) -> tuple[str, ...]:
        """All IP addresses of hosts, also of those that are only named."""
        return tuple(sorted(self._addresses))

    def gateway(self) -> tuple[int, str]:
        """Place and MAC address of the host behind which most others are."""
        others = [notes for notes in self._notes[1:] if "." in notes.ip]
        home = self._notes[0].ip.rpartition(".")[0]
        far = Counter(notes.mac for notes in others if notes.ip.rpartition(".")[0] != home)
        mac = max(far, key=far.__getitem__, default="")
        near = [n for n in others if n.mac == mac and n.ip.rpartition(".")[0] == home]
        if not near:
            return 0, mac
        return self._notes.index(max(near, key=lambda notes: notes.ttl.total())), mac


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
