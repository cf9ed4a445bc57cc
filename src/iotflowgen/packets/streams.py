"""TCP connections while captures are read, segment by segment: what both ends say, and how."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from iotflowgen.packets.captured import Packet
from iotflowgen.packets.connections import Conversation, Stage
from iotflowgen.packets.delays import Unacknowledged
from iotflowgen.packets.headers import Connection, Kind, of_any_length
from iotflowgen.packets.layout import ACK, FIN, RST, SYN, TIMESTAMPS, option_at
from iotflowgen.packets.mask import HTTP, TLS
from iotflowgen.packets.receiving import window_of
from iotflowgen.packets.records import Nonces, Phase, Speech, read_records
from iotflowgen.packets.repeats import RepeatCounts
from iotflowgen.packets.succession import NOTHING, Before

__all__ = ["Said", "Stream"]

_HALF = 2**31


class Said(NamedTuple):
    """What is known of a packet by its connection; of one without TCP, nothing."""

    stage: int = 0
    """How far the connection was before it."""
    speech: Speech | None = None
    """What it says in TLS; what follows is 0 if that is nothing."""
    before: tuple[int, int] = (0, 0)
    """How far its sender's TLS was: phase, and bytes of the last record to come."""
    version: int = 0
    """Of TLS in the connection before it."""
    new_version: int = 0
    """After it."""
    nonces: tuple[int, ...] = ()
    """Where in its payload nonces stand that count up."""
    from_zero: bool = False
    """They did so from 0 on."""
    probes: bool = False
    """It asks whether the other end is alive."""
    is_placed: bool = True
    """It is known where it stands in its stream."""
    early: int = 0
    """Bytes that lie before it and came later."""


@dataclass
class Stream:
    """A TCP connection; pairs are of the peer and of the device."""

    conversation: Conversation = field(default_factory=Conversation)
    windows: tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]] = field(
        default_factory=lambda: ([], [])
    )
    """Flags, acknowledgment number and window of each segment."""
    stamps: tuple[list[tuple[int, int]], list[tuple[int, int]]] = field(
        default_factory=lambda: ([], [])
    )
    """First and last time, nanoseconds, and timestamp."""
    echoes: tuple[list[tuple[int, int]], list[tuple[int, int]]] = field(
        default_factory=lambda: ([], [])
    )
    """The first timestamp that the other end echoes of either, and when it did."""
    firsts: tuple[list[tuple[int, int]], list[tuple[int, int]]] = field(
        default_factory=lambda: ([], [])
    )
    """When the SYN was sent, nanoseconds, and its sequence number."""
    asked: list[int] = field(default_factory=lambda: [0, 0])
    """Windows in their SYNs, if these open it."""
    ttls: tuple[dict[bool, int], dict[bool, int]] = field(default_factory=lambda: ({}, {}))
    """Time to live of a first segment of IPv4, by whether it is a SYN."""
    own: int = 0
    """Place of the device's end in `Headers.hosts`."""
    awaited: Sequence[int] = (-1, -1)
    """What the other end of either acknowledges first in the capture; -1 if it never does."""
    nonces: tuple[Nonces, Nonces] = field(default_factory=lambda: (Nonces(), Nonces()))
    shows: list[bool] = field(default_factory=lambda: [False, False])
    """The last message of HTTP holds a picture."""
    ids: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    """IP IDs."""
    spared: tuple[list[bool], list[bool]] = field(default_factory=lambda: ([], []))
    """Of FINs that answer the other's, but not at once, whether that is what they acknowledge."""
    answers: list[bool] = field(default_factory=lambda: [False, False])
    """Anything was sent since the other's FIN."""
    segments: list[tuple[Kind, int]] = field(default_factory=list)
    """Their kinds and flags."""
    latest: Kind | None = None
    """Of its last segment; None after a probe, and after an acknowledgment that was said again."""
    probed: bool = False
    """Its last segment asked whether the other end is alive."""
    acknowledged: list[int | None] = field(default_factory=lambda: [None, None])
    """By the last segment of either end."""
    heard_twice: list[int] = field(default_factory=lambda: [0, 0])
    """How many times either has heard payload again that it has not said so of."""
    payload: list[tuple[Kind | None, int]] = field(default_factory=lambda: [(None, 0), (None, 0)])
    """The kinds of their last segments with payload, and when these were sent."""
    sent_ns: list[int] = field(default_factory=lambda: [0, 0])
    """When either sent its last segment."""
    early: list[tuple[Packet, Said] | None] = field(default_factory=lambda: [None, None])
    """What either has sent before what lies before it, and what was known of it then."""
    unacknowledged: Unacknowledged = field(default_factory=Unacknowledged)
    before: Before = NOTHING
    """The last templates, by their numbers."""

    def is_over(self, packet: Packet) -> bool:
        """Whether a segment opens another connection on the same ports."""
        stage = self.conversation.stage(packet.outgoing)
        opens = packet.flags & (SYN | ACK) == SYN
        reopens = opens and stage not in (Stage.NEW, Stage.ASKING, Stage.ANSWERED)
        return reopens and not self.conversation.asks_again(packet.outgoing)

    def ends_with(self, packet: Packet) -> bool:
        """Whether it is the last acknowledgment that a segment, not followed yet, has to give."""
        me, other = (self.conversation.ends[way] for way in (packet.outgoing, not packet.outgoing))
        return me.fin and other.fin and not packet.payload

    def count_repeat(self, packet: Packet, kind: Kind, counts: RepeatCounts) -> bool:
        """Count whether a segment, not followed yet, says again what its sender said last.

        Returns:
            Whether it does, as its kind may.
        """
        sender, flags, is_bare = packet.outgoing, packet.flags, not packet.payload
        me, follows, probed = self.conversation.ends[sender], self.latest == kind, self.probed
        sequence, acknowledged = packet.sequence, packet.acknowledged
        behind = (me.next - sequence) % 2**32 if me.said else 0
        before, self.acknowledged[sender] = self.acknowledged[sender], acknowledged
        before_ns, self.sent_ns[sender] = self.sent_ns[sender], packet.time_ns
        self.latest, self.probed = None, False
        if flags & (SYN | RST):
            self.acknowledged[sender] = acknowledged if flags & ACK else None
            return False
        closes = is_bare and flags & FIN
        if is_bare:
            self.probed = not closes and (behind == 1 or self._joins_with_probe(packet))
            # a FIN, a probe and the answer to one are of the same kind, and others
            again = acknowledged == before and not (closes or self.probed or probed)
            may = before is not None and (follows or self.heard_twice[sender])
            waits = self.unacknowledged.waits(not sender)
            self.heard_twice[sender] -= bool(self.heard_twice[sender] and again)
        else:
            again = 0 < behind <= _HALF
            (said, before_ns), waits = self.payload[sender], False
            may = said == kind
            self.heard_twice[not sender] += again
            self.payload[sender] = kind, packet.time_ns
        if may:
            for like in (kind,) if is_bare else (kind, of_any_length(kind)):
                counts.see((like, follows, waits), packet.time_ns - before_ns, again=again)
        self.latest = None if self.probed or closes or (is_bare and again) else kind
        return bool(may and again)

    def _joins_with_probe(self, packet: Packet) -> bool:
        """Whether a segment without payload, its sender's first, is one byte before what is next.

        Before the first packet of a connection that is joined only the answer tells.
        """
        is_first = not self.conversation.ends[packet.outgoing].said
        return is_first and self.awaited[packet.outgoing] == (packet.sequence + 1) % 2**32

    def follow(self, packet: Packet, *, early: bool = False) -> Said:
        """Follow the connection by one segment; `early`: what lies before it is still to come."""
        outgoing, conversation, flags = packet.outgoing, self.conversation, packet.flags
        me, stage = conversation.ends[outgoing], conversation.stage(outgoing)
        sequence = packet.sequence
        size = len(packet.payload) + max(0, packet.length - len(packet.frame))
        ahead = (sequence - me.next) % 2**32 if me.said else 0
        marks = flags & (SYN | FIN | RST)
        probes = ahead == 2**32 - 1 and size <= 1 and not marks
        if not me.said and not size and not marks:
            probes = self._joins_with_probe(packet)
        again = ahead >= _HALF and (size > 0 or marks > 0)
        conversation.see(outgoing, flags)
        self._note_header(packet, sequence, is_late=bool(again and marks))
        if early:
            self.early[outgoing] = packet, Said(stage, before=(me.phase, me.owed), early=ahead)
            return Said(stage, is_placed=False)
        if probes:
            me.next = (sequence + 1) % 2**32
            return Said(stage, probes=True)
        if again and size:
            return Said(stage, is_placed=False)
        if not again and not flags & RST:
            me.next = (sequence + size + bool(flags & SYN) + bool(flags & FIN)) % 2**32
            if me.next != sequence:
                self.unacknowledged.send(outgoing, me.next, packet.time_ns)
        return self._listen(packet, stage, is_gap=ahead > 0)

    def hear_early(self, outgoing: bool, time_ns: int) -> tuple[Packet, Said] | None:
        """What a side has sent early, and what it says, once what lies before it is there."""
        me, early = self.conversation.ends[outgoing], self.early[outgoing]
        if early is None or early[0].sequence != me.next:
            return None
        self.early[outgoing] = None
        packet, was = early
        me.next = (me.next + len(packet.payload)) % 2**32
        self.unacknowledged.send(outgoing, me.next, time_ns)
        said = self._listen(packet, was.stage, is_gap=False)
        return packet, said._replace(before=was.before, early=was.early)

    def _note_header(self, packet: Packet, sequence: int, *, is_late: bool) -> None:
        """Note what a segment says of windows, numbers and timestamps."""
        frame, at, outgoing = packet.frame, packet.layout.transport, packet.outgoing
        flags, acknowledged = packet.flags, packet.acknowledged
        window = int.from_bytes(frame[at + 14 : at + 16])
        if not flags & RST and not is_late:
            self.windows[outgoing].append((flags, acknowledged, window))
        if packet.layout.is_ip4 and not flags & RST:
            self.ttls[outgoing].setdefault(bool(flags & SYN), frame[packet.layout.network + 8])
        if flags & (SYN | ACK) == SYN:
            self.asked[outgoing] = window
        if flags & SYN and not (first := self.firsts[outgoing]):
            first.append((packet.time_ns, sequence))
        if flags & ACK:
            is_new = self.unacknowledged.acknowledge(outgoing, acknowledged, packet.time_ns)
            if self.conversation.ends[not outgoing].fin:
                if flags & FIN and not packet.payload and self.answers[outgoing]:
                    self.spared[outgoing].append(is_new)
                self.answers[outgoing] = True
        if stamps := option_at(frame, packet.layout, TIMESTAMPS):
            stamp, echo = struct.unpack_from("!II", frame, stamps)
            self.stamps[outgoing][1:] = [(packet.time_ns, stamp)]
            if flags & ACK and not (echoes := self.echoes[not outgoing]):
                echoes.append((packet.time_ns, echo))

    def _listen(self, packet: Packet, stage: int, *, is_gap: bool) -> Said:
        """What the payload of a segment says; where there is a gap before it, no record goes on."""
        conversation, payload = self.conversation, packet.payload
        if packet.protocols & HTTP and b"\r\n\r\n" in payload:
            self.shows[packet.outgoing] = b"image/" in payload
        me, version = conversation.ends[packet.outgoing], conversation.version
        # between two segments that show TLS may be one that does not, on a port that nobody knows
        speaks = packet.protocols & TLS or me.phase != Phase.SILENT or payload[:2] == b"\x16\x03"
        if not speaks or not payload:
            return Said(stage)
        before = me.phase, me.owed
        speech = read_records(payload, me.phase, 0 if is_gap else me.owed)
        if speech is None:
            me.phase, me.owed = Phase.CIPHERED, 0
            return Said(stage, is_placed=not packet.protocols & TLS)
        me.phase, me.owed = speech.phase, speech.left
        conversation.version = speech.version or version
        counts, from_zero = self.nonces[packet.outgoing].follow(payload, speech.bodies)
        nonces = speech.bodies if counts else ()
        return Said(stage, speech, before, version, conversation.version, nonces, from_zero)

    def connection(self, service: int, peer: int) -> Connection:
        """What is kept of it."""
        windows = window_of(self.windows[0]), window_of(self.windows[1])
        return Connection(service=service, peer=peer, windows=windows)
