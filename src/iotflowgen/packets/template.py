"""Packets from templates: headers as learnt, connections that add up, identifiers replaced.

What stays of the paper's section 4.5 is that encrypted payload is random. All else of a frame is as
the device and its peers were seen to send it (`headers`), or follows from the packets before it:
ports, sequence numbers, timestamps, IP IDs, transaction ids, checksums. A packet without a template
borrows the headers of a similar one, and at last is fuzzed; both are counted.
"""

import random
from collections.abc import Sequence
from itertools import count
from operator import or_

import numpy as np

from iotflowgen.packets.bodies import follow, rests
from iotflowgen.packets.build import Frame, PacketFeatures
from iotflowgen.packets.choices import Choices
from iotflowgen.packets.chooser import Chooser, Turn
from iotflowgen.packets.connections import ANYBODY, UNKNOWN, Conversation, Sent, Stage
from iotflowgen.packets.conversations import Conversations
from iotflowgen.packets.drafts import Draft, Finisher
from iotflowgen.packets.endings import Endings
from iotflowgen.packets.filler import Filler
from iotflowgen.packets.fuzz import FuzzBuilder
from iotflowgen.packets.headers import Headers, Kind
from iotflowgen.packets.kinds import Kinds
from iotflowgen.packets.layout import ACK, FIN, RST, SYN
from iotflowgen.packets.lookahead import (
    Ahead,
    Carries,
    Flow,
    contacts,
    flow_of,
    followers,
    look_ahead,
    within_records,
)
from iotflowgen.packets.lookups import Lookups
from iotflowgen.packets.mask import HTTP, TLS
from iotflowgen.packets.persona import Persona
from iotflowgen.packets.ready import Ready, kind_of
from iotflowgen.packets.receiving import Receivers
from iotflowgen.packets.recognition import asks
from iotflowgen.packets.records import HEADER, Phase, lengthen
from iotflowgen.packets.repeats import Repeats
from iotflowgen.packets.segments import Segment, Way, leave, to_acknowledge
from iotflowgen.packets.stopgaps import Stopgaps
from iotflowgen.packets.succession import Thread, thread_of
from iotflowgen.traffic import protocol_mask

__all__ = ["TemplateBuilder"]

_FUZZED = "of a kind that was not seen, fuzzed"

_TCP = protocol_mask(["tcp"])
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
        draws = random.Random(rng.bytes(16))  # noqa: S311 - honeydata, no secrets
        self._persona = persona
        frames = persona.disguise([template.frame for template in headers.templates])
        ready = [*map(Ready.of, headers.templates, frames, count())]
        self._services = frozenset(headers.services)
        self._ways = [
            Way(host.delay_ns, host.stride, host.pace, host.is_steady, host.spares_fin)
            for host in headers.hosts
        ]
        self._leaves = dict(headers.leaves)
        self._finisher = Finisher(headers.hosts, persona, headers.begun_ns, draws)
        self._ips = self._finisher.ips
        self._kinds = Kinds(ready)
        self._choices = Choices(ready)
        self._lookups = Lookups(self._ips, ready, self._choices, draws)
        ones = {place for place, host in enumerate(headers.hosts) if host.is_one}
        self._chooser = Chooser(
            self._choices, self._kinds, self._lookups, headers.stays, ones, draws
        )
        self._filler = Filler(headers, self._lookups, draws)
        self._stopgaps = Stopgaps(self._choices, rng, draws)
        self._fuzz = FuzzBuilder(rng, persona.home)
        self._receivers = Receivers(headers.connections, draws)
        self._endings = Endings(headers.endings, self._kinds.is_bare, draws)
        self._repeats = Repeats(headers.repeats, self._kinds, draws)
        self._conversations = Conversations(self._ips, draws)

    @property
    def device_mac(self) -> str:
        """The MAC address of the device."""
        return self._persona.device_mac

    @property
    def device_ip(self) -> str:
        """The IPv4 address of the device."""
        return self._persona.device_ip

    def build(
        self,
        packets: Sequence[PacketFeatures],
        times_ns: Sequence[int],
        *,
        begins: bool = True,
        following: Sequence[PacketFeatures] = (),
    ) -> list[Frame]:
        """One frame a packet, in order."""
        if begins:
            self._conversations.forget()
            self._lookups.forget()
            self._chooser.begin()
            self._filler.begin()
            self._finisher.begin(times_ns[0] if times_ns else 0)
        kinds = [kind_of(packet, self._services) for packet in packets]
        flows = [*map(flow_of, packets)]
        again = self._repeats.plan(flows, kinds, times_ns, self._conversations.get)
        carried = [*map(self._carries, kinds, again)]

        def heard(i: int) -> tuple[int, int] | None:
            return self._heard(flows[i], kinds[i], times_ns[i])

        def ending(places: Sequence[int]) -> Sequence[int]:
            return self._endings.draw([kinds[place] for place in places])

        opens = [*map(self._kinds.opens, kinds)]
        continued = self._continued(following)
        ahead = look_ahead(packets, flows, carried, opens, times_ns, heard, ending, continued)
        goes_on = [*map(self._kinds.goes_on, kinds)]
        silent = [*map(or_, again, map(self._kinds.is_interim, kinds))]
        for place, rest in rests(packets, flows, goes_on, silent):
            ahead[place] = ahead[place]._replace(rest=rest)
        for place, rest in within_records(packets, flows, carried):
            ahead[place] = ahead[place]._replace(rest=rest)
        for place, then in followers(kinds, self._later(following)):
            ahead[place] = ahead[place]._replace(then=then)
        for place, contact in contacts(packets, flows, self._conversations):
            ahead[place] = ahead[place]._replace(contact=kinds[contact])
        drafts = [*map(self._draft, map(Turn, packets, times_ns, kinds, flows, ahead))]
        left = leave([draft.segment for draft in drafts])
        return [*map(self._finisher.finish, drafts, times_ns, left)]

    def _continued(self, following: Sequence[PacketFeatures]) -> set[Flow]:
        """Connections that go on in the next piece of a run."""
        first: dict[Flow, PacketFeatures] = {}
        for packet in following:
            first.setdefault(flow_of(packet), packet)
        return {
            flow
            for flow, packet in first.items()
            if not self._kinds.opens(kind_of(packet, self._services))
        }

    def _later(self, following: Sequence[PacketFeatures]) -> dict[Thread, Kind]:
        """What comes first of each thread in the next piece of a run."""
        first: dict[Thread, Kind] = {}
        for packet in following:
            if not packet.protocols & _TCP:
                kind = kind_of(packet, self._services)
                first.setdefault(thread_of(kind), kind)
        return first

    def _carries(self, kind: Kind, again: bool) -> Carries:
        """What a packet of a kind carries, which may repeat the one before it."""
        if again:
            return Carries.THE_SAME
        if self._kinds.is_bare(kind):
            return Carries.A_PROBE if self._kinds.may_probe(kind) else Carries.NOTHING
        return Carries.THE_END if self._kinds.closes(kind) else Carries.PAYLOAD

    def _heard(self, flow: Flow, kind: Kind, time_ns: int) -> tuple[int, int] | None:
        """What both ends have to acknowledge when a packet comes; None if it opens."""
        conversation = self._conversations.get(flow)
        if conversation is None:
            # who joins has all to acknowledge that was said before
            return None if self._kinds.opens(kind) else (UNKNOWN, UNKNOWN)
        peer, device = conversation.ends
        return to_acknowledge(peer, time_ns), to_acknowledge(device, time_ns)

    def _draft(self, turn: Turn) -> Draft:
        """A frame without what follows from the packets around it, chosen by those before it."""
        packet, time_ns, kind, flow, ahead = turn
        conversation = self._conversations.take_up(flow)
        stage = conversation.stage(packet.outgoing) if packet.protocols & _TCP else Stage.NEW
        notes: list[str] = []
        me = conversation.ends[packet.outgoing]
        owed = me.owed + len(me.due)
        repeats, conversation.latest = ahead.again and me.said, kind
        if repeats and me.sent and me.sent.kind == kind:
            return self._again(turn, conversation, me.sent)
        ready = self._chooser.choose(turn, conversation, stage, notes, repeats=repeats)
        if ready is not None:
            data = self._filler.fill(ready, packet, conversation, time_ns)
        elif ready := self._stopgaps.borrow(packet, kind, stage, conversation):
            data, ends = bytearray(ready.frame), not ahead.rest[0]
            self._stopgaps.fill(data, packet, kind, ready, conversation, notes, ends=ends)
        elif ready := self._stopgaps.pad(kind, stage, notes):
            data = self._filler.fill(ready, packet, conversation, time_ns)
        else:
            (frame,) = self._fuzz.build([packet])
            notes += [*frame.compromises, _FUZZED]
            return Draft(bytearray(frame.data), None, packet, conversation, None, notes)
        reopens = ready.flags & SYN and stage not in _OPENED_IN[bool(ready.flags & ACK)]
        if reopens and not conversation.asks_again(packet.outgoing):
            conversation = self._conversations.begin(flow)
        if ready.pings and conversation.peer not in (ANYBODY, ready.peer):
            conversation = self._conversations.begin(flow)
        self._meet(ready, turn, conversation)
        segment = None
        if ready.layout.protocol == 6:
            segment = self._segment(data, ready, turn, conversation, stage, repeats=repeats)
        else:
            self._filler.match(data, ready, packet, conversation, time_ns)
        self._chooser.note(ready, turn, conversation)
        _follow_payload(data, ready, turn, conversation, owed)
        return Draft(data, ready, packet, conversation, segment, notes)

    def _again(self, turn: Turn, conversation: Conversation, sent: Sent) -> Draft:
        """The payload that was sent last."""
        packet, ready, data = turn.packet, sent.ready, sent.data[:]
        conversation.ends[packet.outgoing].sent = sent._replace(time_ns=turn.time_ns)
        segment = Segment.of(
            conversation,
            packet.outgoing,
            data[ready.layout.transport + 13],
            ready.size,
            repeats=True,
            time_ns=turn.time_ns,
            way=self._way(conversation, outgoing=packet.outgoing),
        )
        return Draft(data, ready, packet, conversation, segment, [])

    def _way(self, conversation: Conversation, *, outgoing: bool) -> Way:
        """How the sender acknowledges."""
        way = self._ways[max(0, conversation.own if outgoing else conversation.peer)]
        return way.where_answered(conversation.ends[outgoing].delay_ns)

    def _meet(self, ready: Ready, turn: Turn, conversation: Conversation) -> None:
        """Settle who is at the other end, if it is the first packet that says so."""
        if conversation.peer != ANYBODY or ready.peer < 0 or ready.quotes:
            return
        conversation.peer, conversation.own = ready.peer, ready.template.own
        self._chooser.meet(turn, ready.peer)
        conversation.address = self._lookups.address(ready.peer)
        if turn.packet.protocols & _TCP:
            ip = conversation.address or self._ips[ready.peer]
            conversation.address = self._conversations.vacant(turn.flow, ip)

    def _segment(
        self,
        data: bytearray,
        ready: Ready,
        turn: Turn,
        conversation: Conversation,
        stage: Stage,
        *,
        repeats: bool,
    ) -> Segment:
        """What a TCP segment is in its connection; its flags are written."""
        outgoing = turn.packet.outgoing
        _note_speech(ready, outgoing, conversation, stage)
        if conversation.receiving[outgoing] is None:
            conversation.receiving[outgoing] = self._receivers.draw(
                turn.kind[3],
                conversation.peer,
                outgoing=outgoing,
                opening=ready.opening,
                joined=conversation.joined,
            )
        flags, probes = _flags(ready, turn.ahead, stage), ready.template.probes
        data[ready.layout.transport + 13] = flags
        plain = not probes and not flags & (SYN | RST | (0 if ready.size else FIN))
        segment = Segment.of(
            conversation,
            outgoing,
            flags,
            0 if probes else ready.size,
            probes=probes,
            repeats=repeats and plain and not ready.size,
            time_ns=turn.time_ns,
            held_ns=self._kinds.held_ns(turn.kind),
            way=self._way(conversation, outgoing=outgoing),
            leaves=self._leaves.get(turn.kind, 0),
        )
        if flags & FIN and not ready.size:
            # what is sent again after it would have to lie before it
            conversation.ends[outgoing].sent = None
        elif plain and ready.size:
            self._repeats.note(conversation, turn.kind, ready, data, turn.time_ns)
        return segment


def _follow_payload(
    data: bytearray, ready: Ready, turn: Turn, conversation: Conversation, owed: int
) -> None:
    """Have what a segment begins go on in the next ones; `owed` is what TLS owed before it."""
    protocols, rest, outgoing = turn.packet.protocols, turn.ahead.rest, turn.packet.outgoing
    me, other = conversation.ends[outgoing], conversation.ends[not outgoing]
    start, end = ready.layout.payload, ready.layout.end
    if protocols & HTTP:
        conversation.known |= asks(data[start:end])
        # before the first request nobody takes a message for more than its first segment
        follow(data, start, end, me, other, rest if conversation.known else (0, 0))
        me.body *= conversation.known
    elif protocols & TLS:
        conversation.known = True
        count, size = rest
        begun = ready.template.speech[1] if ready.template.phase else owed
        # of a header that began before this segment only the rest is here
        is_whole = begun >= 0 and not (me.owed or me.due)
        if count and me.phase == Phase.CIPHERED and is_whole:
            lengthen(data, start + begun, end, me, size - count * start + HEADER)


def _note_speech(ready: Ready, outgoing: bool, conversation: Conversation, stage: Stage) -> None:
    """Note what a segment says in TLS."""
    template = ready.template
    if not template.phase:
        return
    me, other = conversation.ends[outgoing], conversation.ends[not outgoing]
    me.phase, me.owed = template.phase, template.left
    conversation.version = template.new_version or conversation.version
    if stage == Stage.NEW and me.phase == Phase.CIPHERED:
        other.phase = Phase.CIPHERED


def _flags(ready: Ready, ahead: Ahead, stage: Stage) -> int:
    """The flags of TCP: a template's, but for FIN, which depends on what comes."""
    is_bare = ready.template.probes or not ready.size
    if ahead.forbidden & FIN:
        return ready.flags & ~FIN
    may_close = is_bare and stage != Stage.LEAVING and ready.flags & (SYN | RST | ACK) == ACK
    return ready.flags | FIN if ahead.needed & FIN and may_close else ready.flags
