"""Packets from templates: headers as learnt, connections that add up, identifiers replaced.

What stays of the paper's section 4.5 is that encrypted payload is random. All else of a frame is as
the device and its peers were seen to send it (`headers`), or follows from the packets before it:
ports, sequence numbers, timestamps, IP IDs, transaction ids, checksums. A packet without a template
borrows the headers of a similar one, and at last is fuzzed; both are counted.
"""

import random
from collections import OrderedDict
from collections.abc import Sequence
from itertools import count

import numpy as np

from iotflowgen.packets.bodies import follow, rests
from iotflowgen.packets.build import Frame, PacketFeatures
from iotflowgen.packets.choices import (
    ANYTHING,
    Choices,
    Kind,
    Need,
    Ready,
    Wanted,
    kind_of,
    name_in,
)
from iotflowgen.packets.connections import ANYBODY, UNKNOWN, Conversation, Stage
from iotflowgen.packets.counters import Numbers
from iotflowgen.packets.drafts import Draft, Finisher
from iotflowgen.packets.fields import write_echo, write_lease, write_ntp
from iotflowgen.packets.fuzz import FuzzBuilder
from iotflowgen.packets.headers import Headers
from iotflowgen.packets.layout import ACK, FIN, RST, SYN
from iotflowgen.packets.lookahead import Ahead, Carries, Flow, contacts, flow_of, look_ahead
from iotflowgen.packets.lookups import Lookups
from iotflowgen.packets.mask import DNS, HTTP, LEASE, NTP, TLS
from iotflowgen.packets.occupied import Occupied
from iotflowgen.packets.persona import Persona
from iotflowgen.packets.receiving import Receivers
from iotflowgen.packets.recognition import FIRST, PICTURE, REST, WHOLE, asks, recognise
from iotflowgen.packets.records import Phase, go_on
from iotflowgen.packets.repeats import Repeats
from iotflowgen.packets.segments import Segment, acks_to_come, waiting
from iotflowgen.packets.stopgaps import Stopgaps
from iotflowgen.packets.succession import NOTHING, Before, Thread, heard, thread_of
from iotflowgen.packets.times import write_times
from iotflowgen.traffic import protocol_mask

__all__ = ["TemplateBuilder"]

_JOINED = "sent in a connection whose beginning is not there"
_ENDED = "would end a connection that goes on"
_REOPENED = "opens a connection that is open"
_OUT_OF_TURN = "out of turn in its connection"
_UNASKED = "answers another question than was asked"
_FUZZED = "of a kind that was not seen, fuzzed"

_TCP = protocol_mask(["tcp"])
_MOST_CONVERSATIONS = 5000
_FIRST_WORDS = ((Phase.CIPHERED, 0), (Phase.SILENT, 0))
"""What TLS says first in a window, by preference: most windows begin long after the handshake."""
_BODY = bytes.maketrans(b"\xff\n", b"\xfe\v")
"""Random bytes of a body begin no marker in a picture, and end no line of a head."""
_OPENED_IN = (
    (Stage.NEW, Stage.ASKING, Stage.ANSWERED),
    (Stage.NEW, Stage.ASKED, Stage.ANSWERED),
)
"""Stages in which a SYN, and one with ACK, belong to the connection as it is."""


class TemplateBuilder:
    """Builds packets from what was learnt.

    Args:
        headers: What was learnt.
        persona: Who is shown.
        rng: Draws templates, random bytes, and the numbers that connections begin with.
    """

    def __init__(self, headers: Headers, persona: Persona, rng: np.random.Generator) -> None:
        self._rng = rng
        self._draws = random.Random(rng.bytes(16))  # noqa: S311 - honeydata, no secrets
        self._persona = persona
        frames = persona.disguise([template.frame for template in headers.templates])
        ready = [*map(Ready.of, headers.templates, frames, count())]
        self._choices = Choices(ready)
        self._stopgaps = Stopgaps(self._choices, rng, self._draws)
        self._services = frozenset(headers.services)
        self._receivers = Receivers(headers.connections, self._draws)
        self._finisher = Finisher(headers.hosts, persona, self._draws)
        self._ips = self._finisher.ips
        self._questions = Numbers(headers.questions, self._draws)
        self._repeats_ids = headers.repeats_ids
        self._latest: dict[Thread, Before] = {}
        """The last templates without TCP, by places."""
        self._fuzz = FuzzBuilder(rng, persona.home)
        self._conversations: OrderedDict[Flow, Conversation] = OrderedDict()
        self._occupied = Occupied(frozenset(self._ips), self._draws)
        self._lookups = Lookups(self._ips, ready, self._choices, self._draws)
        self._repeats = Repeats(headers.repeats, self._draws)
        self._lease = b""

    @property
    def device_mac(self) -> str:
        """The MAC address of the device."""
        return self._persona.device_mac

    @property
    def device_ip(self) -> str:
        """The IPv4 address of the device."""
        return self._persona.device_ip

    def build(
        self, packets: Sequence[PacketFeatures], times_ns: Sequence[int], *, begins: bool = True
    ) -> list[Frame]:
        """One frame a packet, in order."""
        if begins:
            self._remember()
            self._lookups.forget()
            self._lease = b""
            self._latest = {}
            self._finisher.begin()
            self._questions.begin()
        kinds = [kind_of(packet, self._services) for packet in packets]
        flows = [*map(flow_of, packets)]
        again = self._repeats.plan(flows, kinds)
        carried = [*map(self._carries, kinds, again)]

        def heard(i: int) -> tuple[int, int] | None:
            return self._heard(flows[i], kinds[i], times_ns[i])

        ahead = look_ahead(packets, flows, carried, times_ns, heard)
        goes_on = [*map(self._choices.goes_on, kinds)]
        for place, rest in rests(packets, flows, goes_on):
            ahead[place] = ahead[place]._replace(rest=rest)
        for place, contact in contacts(packets, flows, self._conversations):
            ahead[place] = ahead[place]._replace(contact=kinds[contact])
        drafts = [*map(self._draft, packets, times_ns, kinds, flows, ahead)]
        to_come = acks_to_come([draft.segment for draft in drafts])
        return [*map(self._finisher.finish, drafts, times_ns, to_come)]

    def _carries(self, kind: Kind, again: bool) -> Carries:
        """What a packet of a kind carries, which may repeat the one before it."""
        if again:
            return Carries.THE_SAME
        if self._choices.is_bare(kind):
            return Carries.NOTHING
        return Carries.THE_END if self._choices.closes(kind) else Carries.PAYLOAD

    def _heard(self, flow: Flow, kind: Kind, time_ns: int) -> tuple[int, int] | None:
        """What both ends have to acknowledge when a packet comes; None if it opens."""
        conversation = self._conversations.get(flow)
        if conversation is None:
            # who joins has all to acknowledge that was said before
            return None if self._choices.opens(kind) else (UNKNOWN, UNKNOWN)
        peer, device = conversation.ends
        return waiting(peer, time_ns), waiting(device, time_ns)

    def _draft(
        self, packet: PacketFeatures, time_ns: int, kind: Kind, flow: Flow, ahead: Ahead
    ) -> Draft:
        """A frame without what follows from the packets around it, chosen by those before it."""
        conversation = self._conversations.get(flow) or self._converse(flow)
        self._conversations.move_to_end(flow)
        notes: list[str] = []
        stage = Stage.NEW
        if packet.protocols & _TCP:
            stage = conversation.stage(packet.outgoing)
        latest, me = self._repeats.latest(flow), conversation.ends[packet.outgoing]
        latest = latest if ahead.again else None
        if latest and latest[0].size:
            return self._again(packet, kind, flow, conversation, latest, time_ns)
        ready = self._choose(packet, time_ns, kind, conversation, stage, ahead, latest, notes)
        if ready is not None:
            data = self._filled(ready, packet, conversation, time_ns)
        elif ready := self._stopgaps.borrow(packet, kind, stage, conversation):
            data = bytearray(ready.frame)
            self._stopgaps.fill(data, packet, kind, ready, me, conversation.version, notes)
        else:
            (frame,) = self._fuzz.build([packet])
            notes += [*frame.compromises, _FUZZED]
            return Draft(bytearray(frame.data), None, packet, conversation, None, notes)
        segment = None
        if ready.layout.protocol == 6:
            reopens = ready.flags & SYN and stage not in _OPENED_IN[bool(ready.flags & ACK)]
            if reopens and not conversation.asks_again(packet.outgoing):
                conversation = self._converse(flow)
            self._settle(ready, packet, kind[3], conversation, stage)
            flags, probes = _flags(ready, ahead, stage), ready.template.probes
            data[ready.layout.transport + 13] = flags
            plain = not probes and not flags & (SYN | RST | (0 if ready.size else FIN))
            segment = Segment.of(
                conversation,
                packet.outgoing,
                flags,
                0 if probes else ready.size,
                probes=probes,
                repeats=latest is not None and plain and not ready.size,
                time_ns=time_ns,
            )
            if plain:
                self._repeats.note(flow, kind, ready, data)
        else:
            self._settle(ready, packet, kind[3], conversation, stage)
            self._message(data, ready, packet, conversation, time_ns)
        self._note_said(ready, packet, kind[3], conversation)
        if packet.protocols & HTTP:
            start, end = ready.layout.payload, ready.layout.end
            conversation.known |= asks(data[start:end])
            # before the first request nobody takes a message for more than its first segment
            rest = ahead.rest if conversation.known else (0, 0)
            follow(data, start, end, me, conversation.ends[not packet.outgoing], rest)
            me.body *= conversation.known
        elif packet.protocols & TLS:
            conversation.known = True
        return Draft(data, ready, packet, conversation, segment, notes)

    def _note_said(
        self, ready: Ready, packet: PacketFeatures, service: int, conversation: Conversation
    ) -> None:
        """Note what was said, for that on which it depends what is said next."""
        if ready.layout.protocol != 6:
            thread = thread_of(packet.protocols, service, outgoing=packet.outgoing)
            self._latest[thread] = ready.place, 0
            return
        is_bare = ready.template.probes or not ready.size
        conversation.before = heard(
            conversation.before, ready.place, outgoing=packet.outgoing, is_bare=is_bare
        )

    def _again(
        self,
        packet: PacketFeatures,
        kind: Kind,
        flow: Flow,
        conversation: Conversation,
        latest: tuple[Ready, bytearray],
        time_ns: int,
    ) -> Draft:
        """The payload that was sent last."""
        ready, data = latest[0], bytearray(latest[1])
        flags = data[ready.layout.transport + 13]
        segment = Segment.of(
            conversation, packet.outgoing, flags, ready.size, repeats=True, time_ns=time_ns
        )
        self._repeats.note(flow, kind, ready, data)
        return Draft(data, ready, packet, conversation, segment, [])

    def _filled(
        self, ready: Ready, packet: PacketFeatures, conversation: Conversation, time_ns: int
    ) -> bytearray:
        """A template's frame with random bytes where they belong, and the time of day."""
        data, me = bytearray(ready.frame), conversation.ends[packet.outgoing]
        start, end = ready.layout.payload, ready.layout.end
        if ranges := ready.template.random:
            is_http = packet.protocols & HTTP
            for first, last in ranges:
                noise = self._draws.randbytes(min(last, len(data)) - first)
                data[first:last] = noise.translate(_BODY) if is_http else noise
            if ranges[0][0] == start:
                recognise(data, *ranges[0], packet.protocols, ready.template.phase)
        if ready.template.times:
            write_times(data, start, ready.template.times, time_ns)
        if me.due and ready.layout.protocol == 6:
            data[start:end] = go_on(me, ready.size, conversation.version, self._draws.randbytes)
        return data

    def _converse(self, flow: Flow) -> Conversation:
        """A new conversation; of very many the one is forgotten that was silent for longest."""
        if before := self._conversations.pop(flow, None):
            self._note_used(flow, before)
        elif len(self._conversations) >= _MOST_CONVERSATIONS:
            self._note_used(*self._conversations.popitem(last=False))
        draw = self._draws.getrandbits
        conversation = self._conversations[flow] = Conversation((draw(32), draw(32)))
        return conversation

    def _choose(
        self,
        packet: PacketFeatures,
        time_ns: int,
        kind: Kind,
        conversation: Conversation,
        stage: Stage,
        ahead: Ahead,
        latest: tuple[Ready, bytearray] | None,
        notes: list[str],
    ) -> Ready | None:
        """The template of a packet, and what there is to note about it."""
        needs: tuple[Need, ...] = (None,)
        wanted = ANYTHING
        me = conversation.ends[packet.outgoing]
        if packet.protocols & TLS:
            if not conversation.known:
                # nobody takes the rest of a record for TLS who has not seen its beginning
                me.owed, me.due = 0, b""
            if me.due:
                return None
            silent = me.phase == Phase.SILENT and (conversation.joined or stage == Stage.NEW)
            speech = (me.phase, me.owed)
            needs = _FIRST_WORDS if silent else ((*speech, conversation.version), speech)
        elif me.phase:
            speech = (me.phase, me.owed)
            needs = ((*speech, conversation.version), speech, None)
        elif packet.protocols & HTTP:
            begins = (FIRST, WHOLE) if ahead.rest[0] else (WHOLE, FIRST)
            needs = (*begins, None) if not me.body else (PICTURE if me.shows else REST, None)
        elif packet.protocols & DNS and not packet.protocols & _TCP:
            # who asks more than one question at once does so about one name
            unanswered = tuple(conversation.asked)
            names: tuple[Need, ...] = (*map(name_in, unanswered), ahead.reply, None)
            needs = (*unanswered, None) if kind[-1] else names
            asked = Wanted(asked=self._lookups.but(ahead.contact), waiting=unanswered)
            wanted = ANYTHING if kind[-1] else asked
        if packet.protocols & _TCP:
            forbidden = FIN * (ahead.data or ahead.closes is False) | RST * ahead.more
            closing = FIN if ahead.more else FIN | RST
            needed = closing * (bool(ahead.closes) and not me.fin)
            wanted = Wanted(forbidden, needed, not (latest or waiting(me, time_ns)))
        is_open = conversation.peer == ANYBODY
        peer = self._choices.whom(kind, stage, self._lookups) if is_open else conversation.peer
        is_tcp = packet.protocols & _TCP
        thread = thread_of(packet.protocols, kind[3], outgoing=packet.outgoing)
        before = conversation.before if is_tcp else self._latest.get(thread, NOTHING)
        ready = self._choices.draw(kind, stage, needs, peer, self._draws, wanted, before)
        if ready is None or not (ready.begins or me.body):
            return None
        if (
            me.phase
            and ready.size
            and not ready.template.probes
            and not ready.goes_on(me, conversation.version)
        ):
            return None
        if ready.flags & wanted.forbidden:
            notes.append(_ENDED)
        if packet.protocols & _TCP and ready.template.stage != stage:
            _note_turn(ready, stage, notes)
            conversation.joined |= stage == Stage.NEW
        if kind[-1] and conversation.asked and ready.question not in conversation.asked:
            notes.append(_UNASKED)
        return ready

    def _settle(
        self,
        ready: Ready,
        packet: PacketFeatures,
        service: int,
        conversation: Conversation,
        stage: Stage,
    ) -> None:
        """Who is at the other end, if it is the first packet that says so, and what TLS says."""
        if conversation.peer == ANYBODY and ready.peer >= 0:
            conversation.peer = ready.peer
            conversation.address = ip = self._lookups.address(ready.peer)
            if packet.protocols & _TCP:
                ip = ip or self._ips[ready.peer]
                conversation.address = self._occupied.another(flow_of(packet), ip) or ip
        if ready.layout.protocol != 6:
            return
        if conversation.receiving[packet.outgoing] is None:
            conversation.receiving[packet.outgoing] = self._receivers.draw(
                service,
                conversation.peer,
                outgoing=packet.outgoing,
                opening=ready.opening,
                joined=conversation.joined,
            )
        template = ready.template
        if template.phase:
            me, other = conversation.ends[packet.outgoing], conversation.ends[not packet.outgoing]
            me.phase, me.owed = template.phase, template.left
            conversation.version = template.new_version or conversation.version
            if stage == Stage.NEW and me.phase == Phase.CIPHERED:
                other.phase = Phase.CIPHERED

    def _remember(self) -> None:
        """Begin anew, and note the connections that there were."""
        for flow, conversation in self._conversations.items():
            self._note_used(flow, conversation)
        self._conversations = OrderedDict()
        self._repeats.forget()

    def _note_used(self, flow: Flow, conversation: Conversation) -> None:
        if flow[0] & _TCP and conversation.peer >= 0:
            address = conversation.address or self._ips[conversation.peer]
            self._occupied.note(flow, address)

    def _message(
        self,
        data: bytearray,
        ready: Ready,
        packet: PacketFeatures,
        conversation: Conversation,
        time_ns: int,
    ) -> None:
        """The fields of UDP and of what it carries, and those of an echo."""
        layout = ready.layout
        at, payload = layout.transport, layout.payload
        if layout.protocol in (1, 58):
            write_echo(data, layout, conversation, self._draws)
        if layout.protocol != 17:
            return
        data[at : at + 4] = (packet.src_port << 16 | packet.dst_port).to_bytes(4)
        if packet.protocols & DNS:
            if ready.template.from_service:
                self._lookups.note(data, payload)
                number = conversation.asked.pop(ready.question, self._draws.getrandbits(16))
            else:
                kept = self._repeats_ids and ready.place >= 0
                said = int.from_bytes(data[payload : payload + 2])
                number = said if kept else self._questions.next()
                conversation.asked[ready.question] = number
                self._lookups.asked[ready.question] = None
            data[payload : payload + 2] = number.to_bytes(2)
        elif packet.protocols & NTP:
            write_ntp(data, payload, conversation, time_ns, self._draws)
        elif packet.protocols & LEASE:
            self._lease = write_lease(data, payload, self._lease, self._draws)


def _flags(ready: Ready, ahead: Ahead, stage: Stage) -> int:
    """The flags of TCP: a template's, but for FIN, which depends on what comes."""
    is_bare = ready.template.probes or not ready.size
    if ahead.data or ahead.closes is False:
        return ready.flags & ~FIN
    may_close = is_bare and stage != Stage.LEAVING and ready.flags & (SYN | RST | ACK) == ACK
    return ready.flags | FIN if ahead.closes and may_close else ready.flags


def _note_turn(ready: Ready, stage: Stage, notes: list[str]) -> None:
    opens = ready.flags & (SYN | ACK) == SYN
    if stage == Stage.NEW:
        notes.append(_JOINED)
    elif opens and stage not in (Stage.RESET, Stage.LEAVING):
        notes.append(_REOPENED)
    elif not opens and not {stage, ready.template.stage} <= {Stage.OPEN, Stage.LEFT, Stage.LEAVING}:
        notes.append(_OUT_OF_TURN)
