"""Packets from templates: headers as learnt, connections that add up, identifiers replaced.

What stays of the paper's section 4.5 is that encrypted payload is random. All else of a frame is as
the device and its peers were seen to send it (`headers`), or follows from the packets before it:
ports, sequence numbers, timestamps, IP IDs, transaction ids, checksums. A packet without a template
borrows the headers of a similar one, and at last is fuzzed; both are counted.
"""

import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, count
from operator import or_
from typing import Final

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
from iotflowgen.packets.kinds import Kinds, Usual
from iotflowgen.packets.layout import ACK, FIN, RST, SYN
from iotflowgen.packets.lookahead import (
    Ahead,
    Carries,
    Flow,
    contacts,
    flow_of,
    followers,
    look_ahead,
    payload_after,
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

_FUZZED: Final = "of a kind that was not seen, fuzzed"

_TCP: Final = protocol_mask(["tcp"])
_MOST_WAYS: Final = 2**12
_OPENED_IN: Final = (
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
        # the same for all segments of a connection
        self._way_of = lru_cache(_MOST_WAYS)(self._find_way)
        self._leaves = dict(headers.leaves)
        self._finisher = Finisher(headers.hosts, persona, headers.begun_ns, draws)
        self._ips = self._finisher.ips
        self._kinds = Kinds(ready)
        self._any_early = any(template.early for template in headers.templates)
        self._choices = Choices(ready)
        self._lookups = Lookups(self._ips, ready, self._choices, draws)
        ones = {place for place, host in enumerate(headers.hosts) if host.is_one}
        self._chooser = Chooser(self._choices, self._lookups, headers.stays, ones, draws)
        self._filler = Filler(headers, self._lookups, draws)
        self._stopgaps = Stopgaps(self._choices, rng, draws)
        self._fuzz = FuzzBuilder(rng, persona.home)
        self._receivers = Receivers(headers.connections, draws)
        self._endings = Endings(headers.endings, self._kinds.is_bare, draws)
        self._repeats = Repeats(headers.repeats, draws)
        self._conversations = Conversations(self._ips, draws)
        self._last_told: tuple[Sequence[PacketFeatures], list[Kind], list[Flow]] = ((), [], [])

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
            self._repeats.begin()
            self._filler.begin()
            self._finisher.begin(times_ns[0] if times_ns else 0)
        drafts = [*map(self._draft, self._turns(packets, times_ns, following))]
        left = leave([draft.segment for draft in drafts])
        return [*map(self._finisher.finish, drafts, times_ns, left)]

    def _turns(
        self,
        packets: Sequence[PacketFeatures],
        times_ns: Sequence[int],
        following: Sequence[PacketFeatures],
    ) -> Iterator[Turn]:
        """Packets with what is known of each before the first one is written."""
        kinds, flows = self._told(packets)
        usual = [*map(self._kinds.usual, kinds)]
        again = self._repeats.plan(flows, kinds, usual, times_ns)
        carried = [
            Carries.THE_SAME if says_again else each.carries
            for each, says_again in zip(usual, again, strict=True)
        ]
        opens = _opens(packets, flows, usual)

        def heard(i: int) -> tuple[int, int] | None:
            return self._heard(flows[i], times_ns[i], opens=opens[i])

        def ending(places: Sequence[int]) -> Sequence[int]:
            return self._endings.draw([kinds[place] for place in places])

        continued, threads = self._next(following)
        ahead = look_ahead(packets, flows, carried, opens, times_ns, heard, ending, continued)
        goes_on = [each.goes_on for each in usual]
        silent = [*map(or_, again, (each.is_interim for each in usual))]
        rest = [(0, 0)] * len(packets)
        for place, left in chain(
            rests(packets, flows, goes_on, silent), within_records(packets, flows, carried)
        ):
            rest[place] = left
        then: list[Kind | None] = [None] * len(packets)
        for place, kind in followers(kinds, threads):
            then[place] = kind
        contact: list[Kind | None] = [None] * len(packets)
        for place, contacted in contacts(packets, flows, self._conversations):
            contact[place] = kinds[contacted]
        later = payload_after(packets, flows, carried) if self._any_early else [0] * len(packets)
        return map(Turn, packets, times_ns, kinds, usual, flows, ahead, rest, then, contact, later)

    def _told(self, packets: Sequence[PacketFeatures]) -> tuple[list[Kind], list[Flow]]:
        """Kinds of packets, and flows; the next piece of a run is looked at before it comes."""
        if self._last_told[0] is not packets:
            kinds = [kind_of(packet, self._services) for packet in packets]
            self._last_told = packets, kinds, [*map(flow_of, packets)]
        return self._last_told[1:]

    def _next(self, following: Sequence[PacketFeatures]) -> tuple[set[Flow], dict[Thread, Kind]]:
        """Of the next piece of a run, connections that go on, and the first of each thread."""
        kinds, flows = self._told(following)
        first: dict[Flow, Kind] = {}
        later: dict[Thread, Kind] = {}
        for flow, kind in zip(flows, kinds, strict=True):
            first.setdefault(flow, kind)
            if not kind[2] & _TCP:
                later.setdefault(thread_of(kind), kind)
        return {flow for flow, kind in first.items() if not self._kinds.usual(kind).opens}, later

    def _heard(self, flow: Flow, time_ns: int, *, opens: bool) -> tuple[int, int] | None:
        """What both ends have to acknowledge when a packet comes; None if it opens."""
        conversation = self._conversations.get(flow)
        if conversation is None:
            # who joins has all to acknowledge that was said before
            return None if opens else (UNKNOWN, UNKNOWN)
        peer, device = conversation.ends
        return to_acknowledge(peer, time_ns), to_acknowledge(device, time_ns)

    def _draft(self, turn: Turn) -> Draft:
        """A frame without what follows from the packets around it, chosen by those before it."""
        packet, time_ns, kind, flow = turn.packet, turn.time_ns, turn.kind, turn.flow
        conversation = self._conversations.take_up(flow)
        stage = conversation.stage(packet.outgoing) if packet.protocols & _TCP else Stage.NEW
        notes: list[str] = []
        me = conversation.ends[packet.outgoing]
        owed = me.owed + len(me.due)
        repeats = turn.ahead.again and me.said
        if repeats and me.sent and me.sent.kind == kind:
            return self._again(turn, conversation, me.sent)
        ready = self._chooser.choose(turn, conversation, stage, notes, repeats=repeats)
        if ready is not None:
            data = self._filler.fill(ready, packet, conversation, time_ns)
        elif ready := self._stopgaps.borrow(packet, kind, stage, conversation):
            data, ends = bytearray(ready.frame), not turn.rest[0]
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
        segment = Segment(
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
        host = max(0, conversation.own if outgoing else conversation.peer)
        return self._way_of(host, conversation.ends[outgoing].delay_ns)

    def _find_way(self, host: int, answered_ns: int) -> Way:
        return self._ways[host].where_answered(answered_ns)

    def _meet(self, ready: Ready, turn: Turn, conversation: Conversation) -> None:
        """Settle who is at the other end, if it is the first packet that says so."""
        if conversation.peer != ANYBODY or ready.peer < 0 or ready.quotes:
            return
        conversation.peer, conversation.own = ready.peer, ready.template.own
        self._chooser.meet(turn, ready.peer)
        named = conversation.address = self._lookups.address(ready.peer)
        if turn.packet.protocols & _TCP:
            ip = named or self._ips[ready.peer]
            conversation.address = self._conversations.vacant(turn.flow, ip, is_known=bool(named))

    def _segment(
        self,
        data: bytearray,
        ready: Ready,
        turn: Turn,
        conversation: Conversation,
        stage: int,
        *,
        repeats: bool,
    ) -> Segment:
        """What a TCP segment is in its connection; its flags are written."""
        outgoing = turn.packet.outgoing
        early = ready.template.early if ready.comes_early(turn.later) else 0
        _note_speech(ready, outgoing, conversation, stage, early=early > 0)
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
        segment = Segment(
            conversation,
            outgoing,
            flags,
            0 if probes else ready.size,
            probes=probes,
            repeats=repeats and plain and not ready.size,
            time_ns=turn.time_ns,
            held_ns=turn.usual.held_ns,
            way=self._way(conversation, outgoing=outgoing),
            leaves=self._leaves.get(turn.kind, 0),
            early=early,
        )
        if flags & FIN and not ready.size:
            # what is sent again after it would have to lie before it
            conversation.ends[outgoing].sent = None
        elif plain and ready.size:
            self._repeats.note(segment.me, turn.kind, ready, data)
        return segment


def _opens(
    packets: Sequence[PacketFeatures], flows: Sequence[Flow], usual: Sequence[Usual]
) -> list[bool]:
    """Which packets are SYNs that open a connection.

    A SYN may be as long as an acknowledgment with options. Where the other end goes on with
    anything but what answers a SYN, it is none.
    """
    opens, answered = [each.opens for each in usual], dict[tuple[Flow, bool], bool]()
    if not any(each.may_open for each in usual):
        return opens
    for place in range(len(packets) - 1, -1, -1):
        flow, outgoing, each = flows[place], packets[place].outgoing, usual[place]
        if each.may_open:
            opens[place] = answered.get((flow, not outgoing), True)
        answered[flow, outgoing] = each.accepts
    return opens


def _follow_payload(
    data: bytearray, ready: Ready, turn: Turn, conversation: Conversation, owed: int
) -> None:
    """Have what a segment begins go on in the next ones; `owed` is what TLS owed before it."""
    protocols, rest, outgoing = turn.packet.protocols, turn.rest, turn.packet.outgoing
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


def _note_speech(
    ready: Ready, outgoing: bool, conversation: Conversation, stage: int, *, early: bool
) -> None:
    """Note what a segment says in TLS; what comes early, after what lies before it."""
    me, other = conversation.ends[outgoing], conversation.ends[not outgoing]
    if early:
        me.early = ready.template
        return
    said = [ready.template]
    if me.early and ready.size:
        said.append(me.early)
        me.early = None
    for template in said:
        if template.phase:
            me.phase, me.owed = template.phase, template.left
            conversation.version = template.new_version or conversation.version
            if stage == Stage.NEW and me.phase == Phase.CIPHERED:
                other.phase = Phase.CIPHERED


def _flags(ready: Ready, ahead: Ahead, stage: int) -> int:
    """The flags of TCP: a template's, but for FIN, which depends on what comes."""
    is_bare = ready.template.probes or not ready.size
    if ahead.forbidden & FIN:
        return ready.flags & ~FIN
    may_close = is_bare and stage != Stage.LEAVING and ready.flags & (SYN | RST | ACK) == ACK
    return ready.flags | FIN if ahead.needed & FIN and may_close else ready.flags
