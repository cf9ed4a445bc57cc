"""Captures to `Headers`: each frame becomes a template, and who sends what way is noted.

Payload that is sent again makes no template, nor does what no TLS record begins with after a gap:
where that stands in its stream would not be known.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from iotflowgen.packets.captured import Packet, packets_of
from iotflowgen.packets.counters import counting
from iotflowgen.packets.delays import LeavingCounts
from iotflowgen.packets.endings import EndingCounts
from iotflowgen.packets.headers import Connection, Headers, Template
from iotflowgen.packets.identifiers import words_in
from iotflowgen.packets.layout import ACK, FIN, SYN, with_true_lengths
from iotflowgen.packets.mask import mask
from iotflowgen.packets.meetings import Meeting, learn_stays
from iotflowgen.packets.notes import Hosts
from iotflowgen.packets.plain import Plain
from iotflowgen.packets.ready import kind_of, service_of
from iotflowgen.packets.repeats import RepeatCounts
from iotflowgen.packets.selves import addresses_apart
from iotflowgen.packets.streams import Said, Stream
from iotflowgen.packets.succession import NOTHING, Before, Succession, Thread, heard, thread_of
from iotflowgen.traffic import Trace
from iotflowgen.wire.frames import Frames

__all__ = ["learn_headers"]

_MOST_TEMPLATES = 2048
"""Of one length, direction, protocol configuration, service and stage."""
_MOST_CONNECTIONS = 8
"""Of one service and peer, whose SYNs have the same windows."""
_SERVERS = {53, 67, 123}
"""Ports of DNS, DHCP and NTP: whoever asks there is no service itself."""


def learn_headers(captures: Iterable[tuple[Trace, Frames]]) -> Headers | None:
    """Learn from the frames of traces, as `capture.read_frames` gives them.

    Returns:
        None where the device sent no frame: there is nothing to learn.
    """
    read = [packets_of(trace, f.tolist()) for trace, f in captures if f.size.any()]
    sent = (packet for packets in read for packet in packets if packet.outgoing)
    own = Counter((packet.frame[6:12].hex(":"), packet.addresses[0]) for packet in sent)
    if not own:
        return None
    plain = Plain([(_message(p), p.payload) for p in packets] for packets in read)
    hosts = Hosts(own, addresses_apart(read, [pair for pair, _ in own.most_common()]))
    learner = _Learner(
        hosts, _services(read), plain, _recurring(read), repeats_ids=_repeats_ids(read)
    )
    for packets in read:
        learner.read(packets)
    return learner.headers()


def _services(captures: Iterable[Sequence[Packet]]) -> frozenset[int]:
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


def _repeats_ids(captures: Iterable[Sequence[Packet]]) -> bool:
    """Whether the device's questions to DNS have the same few ids: programs count from their start.

    Each id has to be there twice, on average.
    """
    asked = (packet.question_id for packets in captures for packet in packets)
    ids = [each for each in asked if each is not None]
    return 0 < 2 * len(set(ids)) <= len(ids)


def _recurring(captures: Iterable[Sequence[Packet]]) -> frozenset[bytes]:
    """Transaction ids of BOOTP that are in captures more than one."""
    seen = Counter(each for packets in captures for each in {p.lease_id for p in packets})
    return frozenset(each for each, captured in seen.items() if captured > 1 and each)


def _message(packet: Packet) -> tuple[int, ...]:
    """What messages of one kind share; the higher port is mostly not the service's."""
    service = min(packet.src_port, packet.dst_port)
    return packet.length, packet.outgoing, packet.protocols, service


_Ends = tuple[tuple[str, int], tuple[str, int]]


def _ends(packet: Packet) -> _Ends:
    """Address and port of the peer, and of the device."""
    sender, receiver = zip(packet.addresses, (packet.src_port, packet.dst_port), strict=True)
    return (receiver, sender) if packet.outgoing else (sender, receiver)


def _awaited(packets: Sequence[Packet]) -> dict[_Ends, list[int]]:
    """By the ends of TCP connections, what of either is acknowledged first.

    It is -1 if nothing is, or if that is the first byte, or the FIN, of a segment that is there.
    """
    found: defaultdict[_Ends, list[int]] = defaultdict(lambda: [-1, -1])
    segments = [packet for packet in packets if packet.layout.protocol == 6]
    for packet in segments:
        first = found[_ends(packet)]
        if packet.flags & ACK and first[not packet.outgoing] < 0:
            first[not packet.outgoing] = packet.acknowledged
    for packet in segments:
        first, is_more = found[_ends(packet)], packet.payload or packet.flags & (SYN | FIN)
        if is_more and first[packet.outgoing] == (packet.sequence + 1) % 2**32:
            first[packet.outgoing] = -1
    return found


def _early(packets: Sequence[Packet]) -> set[int]:
    """Places of TCP segments with payload before which another one lies that came next.

    What is acknowledged without having come was not captured.
    """
    found: set[int] = set()
    next_: dict[tuple[_Ends, bool], int] = {}
    waiting: dict[tuple[_Ends, bool], int] = {}
    for place, packet in enumerate(packets):
        if packet.layout.protocol != 6:
            continue
        ends, flags, sequence = _ends(packet), packet.flags, packet.sequence
        me, other = (ends, packet.outgoing), (ends, not packet.outgoing)
        if flags & ACK and other in next_ and _is_behind(next_[other], packet.acknowledged):
            next_[other] = packet.acknowledged
            waiting.pop(other, None)
        end = (sequence + len(packet.payload) + bool(flags & (SYN | FIN))) % 2**32
        if flags & SYN or me not in next_:
            next_[me] = end
            waiting.pop(me, None)
        elif packet.payload and not flags & FIN and _is_behind(next_[me], sequence):
            waiting[me] = place
        elif sequence == next_[me] != end:
            next_[me] = end
            early = waiting.pop(me, None)
            if early is not None and packets[early].sequence == end:
                found.add(early)
                next_[me] = (end + len(packets[early].payload)) % 2**32
    return found


def _is_behind(number: int, other: int) -> bool:
    """Whether another sequence number is behind one."""
    return 0 < (other - number) % 2**32 < 2**31


class _Learner:
    def __init__(
        self,
        hosts: Hosts,
        services: frozenset[int],
        plain: Plain,
        leases: frozenset[bytes],
        *,
        repeats_ids: bool,
    ) -> None:
        self._hosts = hosts
        self._services = services
        self._plain = plain
        self._leases = leases
        self._repeats_ids = repeats_ids
        self._templates: Counter[Template] = Counter()
        self._numbers: dict[Template, int] = {}
        self._succession = Succession()
        self._latest: dict[Thread, Before] = {}
        """The last templates without TCP."""
        self._connections: dict[tuple[int, ...], list[Connection]] = defaultdict(list)
        self._repeats = RepeatCounts()
        self._leaving = LeavingCounts()
        self._endings = EndingCounts()
        self._words: set[bytes] = set()
        self._meetings: list[list[Meeting]] = []
        """With whom connections are, in order, a list a capture."""
        self._questions: list[list[int]] = []
        """Ids of the device's questions to DNS, a list a capture."""

    def read(self, packets: Sequence[Packet]) -> None:
        """Read one capture."""
        streams: dict[tuple[int, int, int], Stream] = {}
        self._hosts.begin(packets[0].time_ns if packets else 0)
        self._questions.append([])
        self._latest = {}
        self._meetings.append([])
        awaited, early = _awaited(packets), _early(packets)
        for place, packet in enumerate(packets):
            peer = self._hosts.peer(packet)
            stream = None
            if packet.layout.protocol == 6:
                service, from_service = service_of(packet.src_port, packet.dst_port, self._services)
                port = packet.dst_port if from_service else packet.src_port
                key = (service, port, peer)
                stream = streams.get(key)
                if stream is None or stream.is_over(packet):
                    if stream:
                        self._end(stream, service, peer)
                    kind = kind_of(packet.features, self._services)
                    self._meetings[-1].append((kind, not packet.payload, peer))
                    own, first = self._hosts.own(packet), awaited[_ends(packet)]
                    stream = streams[key] = Stream(own=own, awaited=first)
            self._hosts.see(packet, peer, stream)
            self._learn(packet, peer, stream, early=place in early)
        for (service, _, peer), stream in streams.items():
            self._end(stream, service, peer)

    def _learn(self, packet: Packet, peer: int, stream: Stream | None, *, early: bool) -> None:
        """Learn what a packet shows; `early`: what lies before it is still to come."""
        said = Said()
        if stream is not None:
            kind = kind_of(packet.features, self._services)
            if not stream.count_repeat(packet, kind, self._repeats):
                stream.segments.append((kind, packet.flags))
            if packet.outgoing and packet.payload:
                left = stream.unacknowledged.left(True, packet.acknowledged, packet.time_ns)
                if left is not None:
                    self._leaving.see(kind, left)
            said = stream.follow(packet, early=early)
        self._make(packet, peer, stream, said)
        heard_early = stream.hear_early(packet.outgoing, packet.time_ns) if stream else None
        if heard_early:
            self._make(heard_early[0], peer, stream, heard_early[1])

    def _make(self, packet: Packet, peer: int, stream: Stream | None, said: Said) -> None:
        """Make a template of a packet, if it is known where it stands in its stream."""
        layout, frame, payload = packet.layout, packet.frame, packet.payload
        # of a frame that was cut off only what was captured would be plain
        is_cut = len(frame) < packet.length
        if not said.is_placed or (is_cut and stream is None):
            return
        question_id = packet.question_id
        if question_id is not None and not self._repeats_ids:
            self._questions[-1].append(question_id)
        keeps_id = question_id is not None and self._repeats_ids
        # pieces of pictures, put together in another order, would be none
        is_piece = stream is not None and stream.shows[packet.outgoing]
        recurs = self._plain.recurs(payload) and not is_piece
        masked, random, times = mask(
            frame if is_cut else with_true_lengths(frame, layout),
            layout,
            packet.protocols,
            said.speech,
            packet.time_ns,
            range(len(payload)) if recurs else self._plain.head(_message(packet)),
            # its way is that of the whole connection
            keeps_ttl=stream is None or packet.outgoing or not layout.is_ip4 or peer < 0,
            keeps_id=keeps_id or packet.lease_id in self._leases,
        )
        if is_cut:
            random += ((len(frame), packet.length),)
        # in a certificate the bytes beside a text are structure, which may look like its end
        if said.speech is None:
            self._words.update(words_in(masked[layout.payload :]))
        service, from_service = service_of(packet.src_port, packet.dst_port, self._services)
        template = Template(
            length=packet.length,
            outgoing=packet.outgoing,
            protocols=packet.protocols,
            service=service,
            from_service=from_service,
            peer=peer,
            own=self._hosts.own(packet),
            stage=said.stage,
            speech=said.before,
            phase=said.speech.phase if said.speech else 0,
            left=said.speech.left if said.speech else 0,
            version=said.version,
            new_version=said.new_version,
            nonces=said.nonces,
            from_zero=bool(said.nonces) and said.from_zero,
            frame=masked,
            random=random,
            times=times,
            has_ip_id=packet.ip_id > 0,
            has_checksum=layout.protocol != 17 or any(frame[layout.transport + 6 :][:2]),
            probes=said.probes,
            early=said.early,
            count=0,
        )
        self._templates[template] += 1
        self._follow_on(template, stream, is_bare=said.probes or not payload)

    def _follow_on(self, template: Template, stream: Stream | None, *, is_bare: bool) -> None:
        """Note what came before a template, and that others come after it."""
        number = self._numbers.setdefault(template, len(self._numbers))
        thread = thread_of(template.kind)
        before = stream.before if stream else self._latest.get(thread, NOTHING)
        self._succession.see(before, number)
        if stream is None:
            self._latest[thread] = number, 0
        else:
            sent_by = template.outgoing
            stream.before = heard(before, number, outgoing=sent_by, is_bare=is_bare)

    def _end(self, stream: Stream, service: int, peer: int) -> None:
        """Note a connection of which all is read."""
        self._endings.see(stream.segments)
        connection = stream.connection(service, peer)
        openings = (window.opening for window in connection.windows)
        known = self._connections[service, peer, *openings]
        if len(known) < _MOST_CONNECTIONS:
            known.append(connection)
        self._hosts.see_ended(stream, service, peer)

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
        gateway, (mac, *others) = self._hosts.gateway()
        return Headers(
            hosts=self._hosts.hosts(),
            own_addresses=self._hosts.own_addresses(),
            gateway=gateway,
            gateway_mac=mac,
            other_gateways=tuple(others),
            questions=counting([run for run in self._questions if run]),
            services=tuple(sorted(self._services)),
            connections=tuple(c for known in self._connections.values() for c in known),
            repeats_ids=self._repeats_ids,
            templates=tuple(self._told(*each, places) for each in kept.items()),
            repeats=self._repeats.repeats(),
            leaves=self._leaving.leaves(),
            begun_ns=tuple(self._hosts.begun_ns),
            endings=self._endings.endings(),
            stays=learn_stays(self._meetings),
            macs=self._hosts.macs(),
            addresses=self._hosts.addresses(),
            words=tuple(sorted(word.decode("latin-1") for word in self._words)),
        )

    def _told(self, template: Template, count: int, places: dict[int, int]) -> Template:
        """A template with what is known when all captures are read."""
        before = self._succession.before(self._numbers[template], places)
        return replace(template, count=count, before=before)
