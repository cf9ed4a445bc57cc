"""Captures to `Headers`: each frame becomes a template, and who sends what way is noted.

Payload that is sent again makes no template, nor does what no TLS record begins with after a gap:
where that stands in its stream would not be known.
"""

import ipaddress
import struct
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from iotflowgen.packets.build import PacketFeatures
from iotflowgen.packets.choices import Kind, kind_of
from iotflowgen.packets.connections import Conversation, Stage
from iotflowgen.packets.counters import counting
from iotflowgen.packets.delays import Unacknowledged
from iotflowgen.packets.headers import Connection, Headers, Template, service_of
from iotflowgen.packets.identifiers import addresses_in, is_host, words_in
from iotflowgen.packets.layout import ACK, FIN, RST, SYN, Layout, find_layout, timestamps_at
from iotflowgen.packets.mask import DNS, HTTP, TLS, mask
from iotflowgen.packets.notes import HostNotes
from iotflowgen.packets.plain import Plain
from iotflowgen.packets.receiving import window_of
from iotflowgen.packets.records import Phase, Speech, read_records
from iotflowgen.packets.repeats import RepeatCounts
from iotflowgen.packets.succession import NOTHING, Before, Succession, Thread, heard, thread_of
from iotflowgen.traffic import Trace

__all__ = ["learn_headers"]

_MOST_TEMPLATES = 256
"""Of one length, direction, protocol configuration, service and stage."""
_MOST_CONNECTIONS = 8
"""Of one service and peer, whose SYNs have the same windows."""
_HALF = 2**31
_SERVERS = {53, 67, 123}
"""Ports of DNS, DHCP and NTP: whoever asks there is no service itself."""


class _Packet(NamedTuple):
    frame: bytes
    layout: Layout
    time_ns: int
    length: int
    outgoing: bool
    src_port: int
    dst_port: int
    protocols: int

    @property
    def payload(self) -> bytes:
        """What its last header carries."""
        return self.frame[self.layout.payload : self.layout.end]

    @property
    def addresses(self) -> tuple[str, str]:
        """Source and destination; empty without IP."""
        at = self.layout.network
        if self.layout.is_ip4:
            raw = self.frame[at + 12 : at + 16], self.frame[at + 16 : at + 20]
        elif self.layout.is_ip6:
            raw = self.frame[at + 8 : at + 24], self.frame[at + 24 : at + 40]
        else:
            return "", ""
        return _text(raw[0]), _text(raw[1])


def learn_headers(captures: Iterable[tuple[Trace, Sequence[bytes]]]) -> Headers | None:
    """Learn from the frames of traces, as `capture.read_frames` gives them.

    Returns:
        None where the device sent no frame: there is nothing to learn.
    """
    read = [_packets(trace, frames) for trace, frames in captures]
    sent = (packet for packets in read for packet in packets if packet.outgoing)
    own = Counter((packet.frame[6:12].hex(":"), packet.addresses[0]) for packet in sent)
    if not own:
        return None
    learner = _Learner(own, _services(read), _plain(read), repeats_ids=_repeats_ids(read))
    for packets in read:
        learner.read(packets)
    return learner.headers()


def _packets(trace: Trace, frames: Sequence[bytes]) -> list[_Packet]:
    names = ("time_ns", "length", "outgoing", "src_port", "dst_port", "protocols")
    columns = (getattr(trace, name).tolist() for name in names)
    return [
        _Packet(frame, find_layout(frame), *row)
        for frame, row in zip(frames, zip(*columns, strict=True), strict=True)
    ]


def _services(captures: Iterable[Sequence[_Packet]]) -> frozenset[int]:
    """Ports that have more different ones at the other end than those have."""
    pairs = {(p.src_port, p.dst_port) for packets in captures for p in packets if p.src_port}
    pairs = {(min(pair), max(pair)) for pair in pairs}
    degree = Counter(port for pair in pairs for port in pair)
    found = {
        max(pair, key=lambda port: degree[port])
        for pair in pairs
        if degree[pair[0]] != degree[pair[1]]
    }
    # a device may ask all of its servers from one port
    return frozenset(found | _SERVERS & degree.keys())


def _repeats_ids(captures: Iterable[Sequence[_Packet]]) -> bool:
    """Whether the device's questions to DNS have the same few ids: programs count from their start.

    Each id has to be there twice, on average.
    """
    ids = [_question_id(p) for packets in captures for p in packets if _asks(p)]
    return 0 < 2 * len(set(ids)) <= len(ids)


def _asks(packet: _Packet) -> bool:
    """Whether it is a question of the device's to DNS."""
    is_dns = packet.protocols & DNS and packet.layout.protocol == 17
    return packet.outgoing and bool(is_dns)


def _question_id(packet: _Packet) -> int:
    return int.from_bytes(packet.payload[:2])


def _plain(captures: Iterable[Sequence[_Packet]]) -> Plain:
    return Plain([(_message(p), p.payload) for p in packets] for packets in captures)


def _message(packet: _Packet) -> tuple[int, ...]:
    """What messages of one kind share; the higher port is mostly not the service's."""
    service = min(packet.src_port, packet.dst_port)
    return packet.length, packet.outgoing, packet.protocols, service


@dataclass
class _Stream:
    """A TCP connection while a capture is read; pairs are of the peer and of the device."""

    conversation: Conversation = field(default_factory=Conversation)
    windows: tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]] = field(
        default_factory=lambda: ([], [])
    )
    """Flags, acknowledgment number and window of each segment."""
    stamps: tuple[list[tuple[int, int]], list[tuple[int, int]]] = field(
        default_factory=lambda: ([], [])
    )
    """First and last time, nanoseconds, and timestamp."""
    firsts: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    """Sequence number of the SYN."""
    shows: list[bool] = field(default_factory=lambda: [False, False])
    """The last message of HTTP holds a picture."""
    ids: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    latest: Kind | None = None
    """Of its last segment."""
    said: int = 0
    """What that acknowledged."""
    unacknowledged: Unacknowledged = field(default_factory=Unacknowledged)
    before: Before = NOTHING


class _Learner:
    def __init__(
        self,
        own: Counter[tuple[str, str]],
        services: frozenset[int],
        plain: Plain,
        *,
        repeats_ids: bool,
    ) -> None:
        """`own` counts what the device sends by its MAC and IP address."""
        self._services = services
        self._plain = plain
        self._repeats_ids = repeats_ids
        named = {pair: count for pair, count in own.items() if pair[1] and is_host(pair[1])}
        mac, ip = max(named or own, key=own.__getitem__)
        self._hosts = [HostNotes(mac, ip)]
        self._places = {address: 0 for _, address in named}
        self._templates: Counter[Template] = Counter()
        self._numbers: dict[Template, int] = {}
        self._succession = Succession()
        self._latest: dict[Thread, Before] = {}
        """The last templates without TCP."""
        self._connections: dict[tuple[int, ...], list[Connection]] = defaultdict(list)
        self._repeats = RepeatCounts()
        self._macs: set[str] = {mac}
        self._addresses: set[str] = set(self._places)
        self._words: set[bytes] = set()
        self._questions: list[list[int]] = []
        """Ids of the device's questions to DNS, a list a capture."""

    def read(self, packets: Sequence[_Packet]) -> None:
        """Read one capture."""
        streams: dict[tuple[int, int, int], _Stream] = {}
        for notes in self._hosts:
            notes.begin()
        self._questions.append([])
        self._latest = {}
        for packet in packets:
            peer = self._peer(packet)
            stream = None
            if packet.layout.protocol == 6:
                service, from_service = service_of(packet.src_port, packet.dst_port, self._services)
                port = packet.dst_port if from_service else packet.src_port
                key = (service, port, peer)
                stream = streams.get(key)
                if stream is None or _begins_anew(packet, stream.conversation):
                    if stream:
                        self._close(stream, *key)
                    stream = streams[key] = _Stream()
            self._learn(packet, peer, stream)
        for key, stream in streams.items():
            self._close(stream, *key)

    def _peer(self, packet: _Packet) -> int:
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
            self._places[ip] = len(self._hosts)
            self._hosts.append(HostNotes(packet.frame[at].hex(":"), ip))
            self._hosts[-1].begin()
        return self._places[ip] or -1

    def _learn(self, packet: _Packet, peer: int, stream: _Stream | None) -> None:
        layout, frame = packet.layout, packet.frame
        has_ip_id = layout.is_ip4 and self._note_ip(packet, peer, stream)
        stage, speech_before, version, speech, probes = 0, (0, 0), 0, None, False
        if stream is not None:
            me = stream.conversation.ends[packet.outgoing]
            stage = stream.conversation.stage(packet.outgoing)
            speech_before = (me.phase, me.owed)
            version = stream.conversation.version
            self._note_repeat(packet, stream)
            known, speech, probes = _follow(packet, stream)
            if not known:
                return
        # of a frame that was cut off only what was captured would be plain
        if len(frame) < packet.length and not (speech or packet.layout.protocol == 6):
            return
        keeps_id = self._repeats_ids and _asks(packet)
        if _asks(packet) and not keeps_id:
            self._questions[-1].append(_question_id(packet))
        payload = packet.payload
        if stream and packet.protocols & HTTP and b"\r\n\r\n" in payload:
            stream.shows[packet.outgoing] = b"image/" in payload
        # pieces of pictures, put together in another order, would be none
        is_piece = stream is not None and stream.shows[packet.outgoing]
        recurs = self._plain.recurs(payload) and not is_piece
        kept = range(len(payload)) if recurs else self._plain.head(_message(packet))
        masked, random, times = mask(
            frame, layout, packet.protocols, speech, packet.time_ns, kept, keeps_id=keeps_id
        )
        if len(frame) < packet.length:
            random += ((len(frame), packet.length),)
        # in a certificate the bytes beside a text are structure, which may look like its end
        if speech is None:
            self._words.update(words_in(masked[layout.payload :]))
        service, from_service = service_of(packet.src_port, packet.dst_port, self._services)
        template = Template(
            length=packet.length,
            outgoing=packet.outgoing,
            protocols=packet.protocols,
            service=service,
            from_service=from_service,
            peer=peer,
            stage=stage,
            speech=speech_before if speech else (0, 0),
            phase=speech.phase if speech else 0,
            left=speech.left if speech else 0,
            version=version if speech else 0,
            new_version=stream.conversation.version if speech and stream else 0,
            frame=masked,
            random=random,
            times=times,
            has_ip_id=has_ip_id,
            has_checksum=layout.protocol != 17 or any(frame[layout.transport + 6 :][:2]),
            probes=probes,
            count=0,
        )
        self._templates[template] += 1
        self._follow_on(template, stream, is_bare=probes or not payload)

    def _follow_on(self, template: Template, stream: _Stream | None, *, is_bare: bool) -> None:
        """Note what came before a template, and that others come after it."""
        number = self._numbers.setdefault(template, len(self._numbers))
        thread = thread_of(template.protocols, template.service, outgoing=template.outgoing)
        before = stream.before if stream else self._latest.get(thread, NOTHING)
        self._succession.see(before, number)
        if stream is None:
            self._latest[thread] = number, 0
        else:
            sent_by = template.outgoing
            stream.before = heard(before, number, outgoing=sent_by, is_bare=is_bare)

    def _note_repeat(self, packet: _Packet, stream: _Stream) -> None:
        """Note whether a segment says what the one before it said."""
        frame, layout, me = packet.frame, packet.layout, stream.conversation.ends[packet.outgoing]
        sequence, said = struct.unpack_from("!4xII", frame, layout.transport)
        behind = (me.next - sequence) % 2**32 if me.said else 0
        flags, is_bare = frame[layout.transport + 13], layout.payload == layout.end
        if flags & (SYN | RST) or (flags & FIN and is_bare):
            stream.latest = None
            return
        features = PacketFeatures(
            packet.length, packet.outgoing, packet.src_port, packet.dst_port, packet.protocols
        )
        kind = kind_of(features, self._services)
        probes = behind == 1 and is_bare
        again = said == stream.said if is_bare else 0 < behind <= _HALF
        self._repeats.see(stream.latest, kind, again=again and not probes)
        stream.latest, stream.said = None if probes else kind, said

    def _note_ip(self, packet: _Packet, peer: int, stream: _Stream | None) -> bool:
        """Note the sender's way with IPv4, and say whether the packet has an ID."""
        at = packet.layout.network
        sender = 0 if packet.outgoing else peer
        ip_id = int.from_bytes(packet.frame[at + 4 : at + 6])
        if sender < 0:
            return ip_id > 0
        notes = self._hosts[sender]
        if peer > 0:
            notes.ttl[packet.frame[at + 8]] += 1
        if ip_id:
            notes.see_id(ip_id, stream.ids[packet.outgoing] if stream else None)
        return ip_id > 0

    def _close(self, stream: _Stream, service: int, _port: int, peer: int) -> None:
        windows = (window_of(stream.windows[0]), window_of(stream.windows[1]))
        known = self._connections[service, peer, windows[0].opening, windows[1].opening]
        if len(known) < _MOST_CONNECTIONS:
            known.append(Connection(service=service, peer=peer, windows=windows))
        for outgoing, notes in enumerate((self._hosts[max(peer, 0)], self._hosts[0])):
            notes.sequences.setdefault(service, []).extend(stream.firsts[outgoing])
            notes.delays += stream.unacknowledged.delays[outgoing]
            notes.strides += stream.unacknowledged.strides[outgoing]
            notes.stamps[-1] += stream.stamps[outgoing]

    def headers(self) -> Headers:
        """All that was learnt."""
        groups: Counter[tuple[int, ...]] = Counter()
        kept: dict[Template, int] = {}
        for template, count in self._templates.most_common():
            kind = (template.length, template.outgoing, template.protocols, template.service)
            group = *kind, template.from_service, template.stage
            groups[group] += 1
            if groups[group] <= _MOST_TEMPLATES:
                kept[template] = count
        places = {self._numbers[template]: place for place, template in enumerate(kept)}
        gateway, mac = self._gateway()
        return Headers(
            hosts=tuple(notes.host() for notes in self._hosts),
            own_addresses=tuple(ip for ip, place in self._places.items() if place == 0),
            gateway=gateway,
            gateway_mac=mac,
            questions=counting([run for run in self._questions if run]),
            services=tuple(sorted(self._services)),
            connections=tuple(c for known in self._connections.values() for c in known),
            repeats_ids=self._repeats_ids,
            templates=tuple(self._told(*each, places) for each in kept.items()),
            repeats=self._repeats.repeats(),
            macs=tuple(sorted(self._macs)),
            addresses=tuple(sorted(self._addresses)),
            words=tuple(sorted(word.decode("latin-1") for word in self._words)),
        )

    def _told(self, template: Template, count: int, places: dict[int, int]) -> Template:
        """A template with what is known when all captures are read."""
        before = self._succession.before(self._numbers[template], places)
        return template.model_copy(update={"count": count, "before": before})

    def _gateway(self) -> tuple[int, str]:
        """Place and MAC address of the host behind which most others are."""
        others = [notes for notes in self._hosts[1:] if "." in notes.ip]
        home = self._hosts[0].ip.rpartition(".")[0]
        far = Counter(notes.mac for notes in others if notes.ip.rpartition(".")[0] != home)
        mac = max(far, key=far.__getitem__, default="")
        near = [n for n in others if n.mac == mac and n.ip.rpartition(".")[0] == home]
        if not near:
            return 0, mac
        return self._hosts.index(max(near, key=lambda notes: notes.ttl.total())), mac


def _begins_anew(packet: _Packet, conversation: Conversation) -> bool:
    flags = packet.frame[packet.layout.transport + 13]
    stage = conversation.stage(packet.outgoing)
    return flags & (SYN | ACK) == SYN and stage not in (Stage.NEW, Stage.ASKING, Stage.ANSWERED)


def _follow(packet: _Packet, stream: _Stream) -> tuple[bool, Speech | None, bool]:
    """Follow a connection by one segment.

    Returns:
        Whether it is known where the segment stands, what TLS it says, and whether it probes.
    """
    frame, layout, conversation = packet.frame, packet.layout, stream.conversation
    at, me = layout.transport, conversation.ends[packet.outgoing]
    flags, sequence = frame[at + 13], int.from_bytes(frame[at + 4 : at + 8])
    payload = frame[layout.payload : layout.end]
    size = len(payload)
    if packet.length > len(frame):
        size += packet.length - len(frame)
    ahead = (sequence - me.next) % 2**32 if me.said else 0
    marks = flags & (SYN | FIN | RST)
    probes = ahead == 2**32 - 1 and size <= 1 and not marks
    again = ahead >= _HALF and (size > 0 or marks > 0)
    conversation.see(packet.outgoing, flags)
    if not flags & RST and not (again and marks):
        said = (flags, *struct.unpack_from("!I2xH", frame, at + 8))
        stream.windows[packet.outgoing].append(said)
    if flags & SYN:
        stream.firsts[packet.outgoing][:] = [sequence]
    if flags & ACK:
        heard = int.from_bytes(frame[at + 8 : at + 12])
        stream.unacknowledged.acknowledge(packet.outgoing, heard, packet.time_ns)
    if stamps := timestamps_at(frame, layout):
        seen = stream.stamps[packet.outgoing]
        seen[1:] = [(packet.time_ns, int.from_bytes(frame[stamps : stamps + 4]))]
    if probes:
        return True, None, True
    if again and size:
        return False, None, False
    if not again and not flags & RST:
        me.next = (sequence + size + bool(flags & SYN) + bool(flags & FIN)) % 2**32
        if me.next != sequence:
            stream.unacknowledged.send(packet.outgoing, me.next, packet.time_ns)
    # between two segments that show TLS may be one that does not, on a port that nobody knows
    speaks = packet.protocols & TLS or me.phase != Phase.SILENT or payload[:2] == b"\x16\x03"
    if not speaks or not payload:
        return True, None, False
    speech = read_records(payload, me.phase, 0 if ahead else me.owed)
    me.phase, me.owed = (speech.phase, speech.left) if speech else (Phase.CIPHERED, 0)
    if speech and speech.version:
        conversation.version = speech.version
    return speech is not None or not packet.protocols & TLS, speech, False


def _text(raw: bytes) -> str:
    return str(ipaddress.ip_address(raw)) if len(raw) in (4, 16) else ""
