"""Who is seen while captures are read, what is noted of each host, and what comes of it."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from iotflowgen.packets.captured import Packet
from iotflowgen.packets.clocks import late_of, ticking_of
from iotflowgen.packets.counters import counting, counting_apart, counting_by_kind, is_next
from iotflowgen.packets.delays import delay_of, is_steady, stride_of
from iotflowgen.packets.headers import Host
from iotflowgen.packets.identifiers import addresses_in, is_host
from iotflowgen.packets.openings import opening_of
from iotflowgen.packets.streams import Stream

__all__ = ["HostNotes", "Hosts"]


@dataclass
class HostNotes:
    """What was noted of a host."""

    mac: str
    ip: str
    macs: set[str] = field(default_factory=set)
    """Under which it was seen, in whichever capture."""
    ttl: Counter[int] = field(default_factory=Counter)
    ttls: Counter[tuple[int, int]] = field(default_factory=Counter)
    """Of its SYN and of what follows, in connections."""
    ids: list[list[tuple[int, int]]] = field(default_factory=list)
    """Protocol configurations and IP IDs in order, a list a capture."""
    turns: list[tuple[int, int]] = field(default_factory=list)
    """IP IDs that follow each other in different connections."""
    lone_ids: list[list[tuple[int, int]]] = field(default_factory=list)
    """The same without TCP."""
    ids_to: defaultdict[str, dict[int, list[int]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    """These without TCP, by where they go and when the capture began."""
    connection_ids: list[list[int]] = field(default_factory=list)
    """IP IDs of each connection."""
    strays: list[bool] = field(default_factory=list)
    """Of its last acknowledgments in connections, whether their IP IDs are not the next ones."""
    spared: list[bool] = field(default_factory=list)
    """Of its FINs that answer another, but not at once, whether that is what they acknowledge."""
    last_ids: list[int] | None = None
    """Those of the connection that the last one is of."""
    begun_ns: list[int] = field(default_factory=list)
    """When captures began."""
    stamps: list[list[tuple[int, int]]] = field(default_factory=list)
    """When the first and last TCP timestamps of connections were sent, and which they were, a list
    a capture; of those that were not seen, what the other end echoed first, and when."""
    delays: list[int] = field(default_factory=list)
    """After which it has acknowledged, nanoseconds."""
    strides: list[int] = field(default_factory=list)
    """How many segments it has acknowledged at once."""
    firsts: list[list[tuple[int, int, int]]] = field(default_factory=list)
    """When its SYNs were sent, their sequence numbers and services, a list a capture."""
    openings: list[set[int]] = field(default_factory=list)
    """Windows in its SYNs, a set a capture."""
    opened: list[tuple[int, int]] = field(default_factory=list)
    """Nanoseconds, and ticks of TCP timestamps, from its SYNs to its last segments."""

    def begin(self, begun_ns: int) -> None:
        """A capture begins."""
        self.begun_ns.append(begun_ns)
        self.ids.append([])
        self.lone_ids.append([])
        self.stamps.append([])
        self.firsts.append([])
        self.openings.append(set())

    def see_id(
        self,
        ip_id: int,
        connection: list[int] | None,
        protocols: int = 0,
        to: str = "",
        *,
        ends: bool = False,
    ) -> None:
        """Note an IP ID.

        Args:
            ip_id: The ID.
            connection: Those of its connection, which is none without TCP.
            protocols: Protocol configuration of the packet.
            to: Where it goes.
            ends: The packet is the last acknowledgment there.
        """
        if self.ids[-1] and (connection is None or connection is not self.last_ids):
            self.turns.append((self.ids[-1][-1][1], ip_id))
        if connection is None:
            self.lone_ids[-1].append((protocols, ip_id))
            self.ids_to[to].setdefault(self.begun_ns[-1], []).append(ip_id)
        else:
            if not connection:
                self.connection_ids.append(connection)
            is_stray = ends and bool(connection) and not is_next(ip_id, connection[-1])
            if ends:
                self.strays.append(is_stray)
            if not is_stray:
                connection.append(ip_id)
        self.ids[-1].append((protocols, ip_id))
        self.last_ids = connection

    def host(self) -> Host:
        """What comes of it."""
        shared = counting(self.turns) or not self.connection_ids
        seen = [run for run in (self.ids if shared else self.lone_ids) if run]
        ids = counting([[number for _, number in run] for run in seen])
        if not shared and (apart := counting_apart(seen, self.ids_to)):
            ids, ids_to, seen = *apart, []
        else:
            ids_to = None
        ticking = ticking_of([sorted(seen) for seen in self.stamps], self.begun_ns)
        return Host(
            mac=self.mac,
            ip=self.ip,
            ttl=max(self.ttl, key=self.ttl.__getitem__, default=64),
            ttls=tuple((*ways, count) for ways, count in sorted(self.ttls.items())),
            ids=ids,
            ids_to=ids_to,
            ids_by_kind=tuple(sorted(counting_by_kind(seen, ids).items())) if ids else (),
            connection_ids=None if shared else counting(self.connection_ids),
            opening=opening_of([sorted(seen) for seen in self.firsts]),
            is_one=_is_one(self.openings),
            stamps=ticking.firsts,
            begun=ticking.begun,
            late_ns=late_of(self.opened, ticking.rate),
            clocks=ticking.clocks,
            delay_ns=delay_of(self.delays),
            stride=stride_of(self.strides),
            pace=fmean(self.strides or (1,)),
            is_steady=is_steady(self.delays),
            spares_fin=sum(self.spared) > len(self.spared) / 2,
            strays=sum(self.strays) / max(1, len(self.strays)),
            ticks=ticking.rate,
        )


def _is_one(captures: Sequence[set[int]]) -> bool:
    """Whether windows in SYNs differ between captures, and not within one."""
    return all(len(seen) <= 1 for seen in captures) and len(set().union(*captures)) > 1


class Hosts:
    """Everybody who is seen, the device first.

    Args:
        own: How many packets the device sends, by its MAC and IP address.
        apart: Of those addresses the ones that have clocks of their own, each in a list with
            others of its network.
    """

    def __init__(
        self, own: Mapping[tuple[str, str], int], apart: Sequence[Sequence[str]] = ()
    ) -> None:
        named = {pair: count for pair, count in own.items() if pair[1] and is_host(pair[1])}
        mac, ip = max(named or own, key=own.__getitem__)
        self._notes = [HostNotes(mac, ip)]
        self._notes += [HostNotes(mac, addresses[0]) for addresses in apart]
        self._own = len(self._notes)
        """How many of the places are the device's."""
        self._places = {address: 0 for _, address in named}
        for place, addresses in enumerate(apart, 1):
            self._places |= dict.fromkeys(addresses, place)
        self._macs = {mac}
        self._addresses = set(self._places)
        self.begun_ns: list[int] = []
        """When captures began."""

    def begin(self, begun_ns: int) -> None:
        """A capture begins, at some time."""
        self.begun_ns.append(begun_ns)
        for notes in self._notes:
            notes.begin(begun_ns)

    def peer(self, packet: Packet) -> int:
        """The place of the other end, who may be new; -1 without."""
        for mac in (packet.frame[6:12], packet.frame[:6]):
            if mac and not mac[0] & 1 and any(mac):
                self._macs.add(mac.hex(":"))
        self._addresses.update(addresses_in(packet.frame, packet.layout, packet.protocols))
        ip = packet.addresses[packet.outgoing]
        if not ip or not is_host(ip) or ip.endswith(".255"):
            return -1
        peer = packet.frame[slice(0, 6) if packet.outgoing else slice(6, 12)].hex(":")
        if ip not in self._places:
            self._places[ip] = len(self._notes)
            self._notes.append(HostNotes(peer, ip))
            self._notes[-1].begin(self.begun_ns[-1])
        place = self._places[ip]
        self._notes[place].macs.add(peer)
        return place if place >= self._own else -1

    def own(self, packet: Packet) -> int:
        """The place of the device, by the address that it has in a packet."""
        place = self._places.get(packet.addresses[not packet.outgoing], 0)
        return place if place < self._own else 0  # a peer's, where the device stands in for it

    def see(self, packet: Packet, peer: int, stream: Stream | None) -> None:
        """Note the sender's way with IPv4."""
        sender = self.own(packet) if packet.outgoing else peer
        if sender < 0 or not packet.layout.is_ip4:
            return
        notes = self._notes[sender]
        if peer > 0:
            notes.ttl[packet.frame[packet.layout.network + 8]] += 1
        if packet.ip_id:
            ids = stream.ids[packet.outgoing] if stream else None
            ends = stream is not None and stream.ends_with(packet)
            notes.see_id(packet.ip_id, ids, packet.protocols, packet.addresses[1], ends=ends)

    def see_ended(self, stream: Stream, service: int, peer: int) -> None:
        """Note the way that both ends have with TCP, when all of a connection is read."""
        for outgoing, host in enumerate((peer, stream.own)):
            if host < 0:
                continue
            notes = self._notes[host]
            firsts, stamps = stream.firsts[outgoing], stream.stamps[outgoing]
            notes.firsts[-1] += [(*first, service) for first in firsts]
            if firsts and len(stamps) > 1:
                (begun, first), (ended, last) = stamps
                notes.opened.append((ended - begun, (last - first) % 2**32))
            if ttls := stream.ttls[outgoing]:
                alone = next(iter(ttls.values()))
                notes.ttls[ttls.get(True, alone), ttls.get(False, alone)] += 1
            notes.delays += stream.unacknowledged.delays[outgoing]
            notes.strides += stream.unacknowledged.strides[outgoing]
            notes.spared += stream.spared[outgoing]
            notes.stamps[-1] += stamps or stream.echoes[outgoing]
            if opening := stream.asked[outgoing]:
                notes.openings[-1].add(opening)

    def hosts(self) -> tuple[Host, ...]:
        """What comes of all."""
        return tuple(notes.host() for notes in self._notes)

    def own_addresses(self) -> tuple[str, ...]:
        """All IP addresses of the device."""
        return tuple(ip for ip, place in self._places.items() if place < self._own)

    def macs(self) -> tuple[str, ...]:
        """All MAC addresses of hosts."""
        return tuple(sorted(self._macs))

    def addresses(self) -> tuple[str, ...]:
        """All IP addresses of hosts, also of those that are only named."""
        return tuple(sorted(self._addresses))

    def gateway(self) -> tuple[int, tuple[str, ...]]:
        """Place of the host behind which most others are; its MAC address, and others it had.

        It is another machine in captures in which its IP address has another MAC address.
        """
        others = [notes for notes in self._notes[self._own :] if "." in notes.ip]
        home = self._notes[0].ip.rpartition(".")[0]
        far = Counter(notes.mac for notes in others if notes.ip.rpartition(".")[0] != home)
        mac = max(far, key=far.__getitem__, default="")
        near = [n for n in others if n.mac == mac and n.ip.rpartition(".")[0] == home]
        if not near:
            return 0, (mac,)
        found = max(near, key=lambda notes: notes.ttl.total())
        return self._notes.index(found), (mac, *sorted(found.macs - {mac, self._notes[0].mac}))
