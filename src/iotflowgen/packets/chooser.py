"""Which template a packet gets: what has to be said next in its conversation, and to whom.

TLS goes on with its records, HTTP with its messages, and answers of DNS with what was asked; a TCP
segment is or is no FIN by what is still to come.
"""

import random
from collections.abc import Container, Iterator, Sequence
from functools import lru_cache, partial
from typing import Final

from iotflowgen.packets.build import PacketFeatures
from iotflowgen.packets.choices import ANYTHING, Asker, Choices, Need, Wanted, asker_of, name_in
from iotflowgen.packets.connections import ANYBODY, UNKNOWN, Conversation, Stage
from iotflowgen.packets.headers import Kind, Stay
from iotflowgen.packets.kinds import Usual
from iotflowgen.packets.layout import ACK, SYN
from iotflowgen.packets.lookahead import Ahead, Flow
from iotflowgen.packets.lookups import Lookups
from iotflowgen.packets.mask import DNS, HTTP, TLS
from iotflowgen.packets.meetings import Meetings
from iotflowgen.packets.ready import Ready
from iotflowgen.packets.recognition import FIRST, PICTURE, REST, WHOLE
from iotflowgen.packets.records import Phase
from iotflowgen.packets.segments import to_acknowledge
from iotflowgen.packets.succession import NOTHING, Before, Thread, heard, thread_of
from iotflowgen.traffic import protocol_mask

__all__ = ["Chooser", "Turn"]

_JOINED: Final = "sent in a connection whose beginning is not there"
_ENDED: Final = "would end a connection that goes on"
_REOPENED: Final = "opens a connection that is open"
_OUT_OF_TURN: Final = "out of turn in its connection"
_UNASKED: Final = "answers another question than was asked"

_TCP: Final = protocol_mask(["tcp"])
_ICMP: Final = protocol_mask(["icmp", "icmpv6"])
_MOST_WANTED: Final = 2**10
_FIRST_WORDS: Final = ((Phase.CIPHERED, 0), (Phase.SILENT, 0))
"""What TLS says first in a window, by preference: most windows begin long after the handshake."""


class Turn:
    """A packet of a run, and what is known of it before the first one is written."""

    packet: PacketFeatures
    time_ns: int
    kind: Kind
    usual: Usual
    """What most packets of its kind are."""
    flow: Flow
    ahead: Ahead
    rest: tuple[int, int]
    """Of a message of HTTP, or of the last record of TLS, the segments that go on with it, and the
    bytes of their frames."""
    then: Kind | None
    """Without TCP, the kind of the next packet of the same protocols and service."""
    contact: Kind | None
    """Of a question to DNS, the kind of packet with which the device contacts somebody next."""
    later: int
    """Length of the next packet of its connection that its sender puts payload in; 0 if none is."""

    def __init__(
        self,
        packet: PacketFeatures,
        time_ns: int,
        kind: Kind,
        usual: Usual,
        flow: Flow,
        ahead: Ahead,
        rest: tuple[int, int],
        then: Kind | None,
        contact: Kind | None,
        later: int,
    ) -> None:
        self.packet = packet
        self.time_ns = time_ns
        self.kind = kind
        self.usual = usual
        self.flow = flow
        self.ahead = ahead
        self.rest = rest
        self.then = then
        self.contact = contact
        self.later = later


class Chooser:
    """Chooses a template for each packet in turn.

    Args:
        choices: All templates.
        lookups: Whom the device has looked up.
        stays: How many connections are with hosts that were met before.
        ones: Places of hosts whose SYNs have one window a run.
        draws: Draws.
    """

    def __init__(
        self,
        choices: Choices,
        lookups: Lookups,
        stays: Sequence[Stay],
        ones: Container[int],
        draws: random.Random,
    ) -> None:
        self._choices = choices
        self._lookups = lookups
        self._draws = draws
        self._latest: dict[Thread, Before] = {}
        """The last templates without TCP, by places."""
        self._meetings = Meetings(stays, draws)
        self._ones = ones
        self._openings: dict[Asker, int] = {}
        """The windows that these have in this run."""

    def begin(self) -> None:
        """A run begins of which the one before knows nothing."""
        self._latest.clear()
        self._meetings.begin()
        self._openings.clear()

    def choose(
        self,
        turn: Turn,
        conversation: Conversation,
        stage: int,
        notes: list[str],
        *,
        repeats: bool,
    ) -> Ready | None:
        """The template of a packet; None where none says what has to be said.

        Args:
            turn: The packet.
            conversation: What it goes on with, or begins.
            stage: How far that is for its sender.
            notes: Gets notes of what the template does not fit.
            repeats: It says what its sender said last.
        """
        packet, kind = turn.packet, turn.kind
        me = conversation.ends[packet.outgoing]
        if packet.protocols & TLS:
            if not conversation.known:
                # nobody takes the rest of a record for TLS who has not seen its beginning
                me.owed, me.due = 0, b""
            if me.due:
                return None
        needs = self._needs(turn, conversation, stage)
        wanted = self._wanted(turn, conversation, repeats=repeats)
        peer, before, then = conversation.peer, conversation.before, turn.then
        if packet.protocols & _ICMP:
            # without ports, what is asked of several hosts looks like one conversation
            peer, then = ANYBODY, None
        elif peer == ANYBODY:
            peer = self._choices.whom(kind, stage, self._candidates(turn, stage))
        if not packet.protocols & _TCP:
            before = self._latest.get(thread_of(kind), NOTHING)
        ready = self._choices.draw(kind, stage, needs, peer, self._draws, wanted, before, then)
        if ready is None or not (ready.begins or me.body):
            return None
        says = ready.size and not ready.template.probes
        if me.phase and says and not ready.goes_on(me, conversation.version, turn.later):
            return None
        if not me.phase and ready.ends_record and not packet.protocols & TLS:
            return None
        if ready.flags & wanted.forbidden:
            notes.append(_ENDED)
        if packet.protocols & _TCP and ready.template.stage != stage:
            _note_turn(ready, stage, notes)
            conversation.joined |= stage == Stage.NEW
        if kind[-1] and conversation.unanswered and ready.question not in conversation.unanswered:
            notes.append(_UNASKED)
        return ready

    def _candidates(self, turn: Turn, stage: int) -> Iterator[int]:
        """With whom a connection may be that begins, the likeliest first."""
        yield from self._lookups
        kind = turn.kind
        if turn.packet.protocols & _TCP:
            may_be = partial(self._choices.meets, kind, stage)
            yield from self._meetings.again(kind, is_bare=turn.usual.is_bare, may_be=may_be)

    def _needs(self, turn: Turn, conversation: Conversation, stage: int) -> tuple[Need, ...]:
        """What the packet has to say, the best first."""
        packet, ahead = turn.packet, turn.ahead
        me = conversation.ends[packet.outgoing]
        speech = (me.phase, me.owed)
        needs: tuple[Need, ...] = (None,)
        if packet.protocols & TLS:
            silent = me.phase == Phase.SILENT and (conversation.joined or stage == Stage.NEW)
            needs = _FIRST_WORDS if silent else ((*speech, conversation.version), speech)
        elif me.phase:
            needs = ((*speech, conversation.version), speech, None)
        elif packet.protocols & HTTP:
            begins = (FIRST, WHOLE) if turn.rest[0] else (WHOLE, FIRST)
            needs = (*begins, None) if not me.body else (PICTURE if me.shows else REST, None)
        elif packet.protocols & DNS and not packet.protocols & _TCP:
            # who asks more than one question at once does so about one name
            names = (*map(name_in, conversation.unanswered), ahead.reply)
            needs = (*(conversation.unanswered if turn.kind[-1] else names), None)
        return needs

    def _wanted(self, turn: Turn, conversation: Conversation, *, repeats: bool) -> Wanted:
        """What a TCP segment has to be and must not be, and what is not to be asked."""
        packet, ahead = turn.packet, turn.ahead
        if packet.protocols & _TCP:
            me = conversation.ends[packet.outgoing]
            heard = to_acknowledge(me, turn.time_ns, turn.usual.held_ns)
            is_open = not repeats and heard >= UNKNOWN // 2
            nothing_new = not (repeats or heard)
            openings = tuple(self._openings.items()) if turn.usual.opens else ()
            return _segment_wanted(ahead.forbidden, ahead.needed, nothing_new, is_open, openings)
        if packet.protocols & DNS and not turn.kind[-1]:
            unanswered = tuple(conversation.unanswered)
            return Wanted(asked=self._lookups.but(turn.contact), unanswered=unanswered)
        return ANYTHING

    def meet(self, turn: Turn, peer: int) -> None:
        """Note with whom a connection is."""
        if turn.packet.protocols & _TCP:
            self._meetings.note(turn.kind, peer, is_bare=turn.usual.is_bare)

    def note(self, ready: Ready, turn: Turn, conversation: Conversation) -> None:
        """Note what was said, for that on which it depends what is said next."""
        outgoing = turn.packet.outgoing
        if ready.layout.protocol != 6:
            self._latest[thread_of(turn.kind)] = ready.place, 0
            return
        asker = asker_of(ready)
        if asker and asker[1] in self._ones:
            self._openings.setdefault(asker, ready.opening)
        is_bare = ready.template.probes or not ready.size
        conversation.before = heard(
            conversation.before, ready.place, outgoing=outgoing, is_bare=is_bare
        )


@lru_cache(_MOST_WANTED)
def _segment_wanted(
    forbidden: int,
    needed: int,
    nothing_new: bool,
    may_probe: bool,
    openings: tuple[tuple[Asker, int], ...],
) -> Wanted:
    """One of a few."""
    return Wanted(forbidden, needed, nothing_new, may_probe, openings=openings)


def _note_turn(ready: Ready, stage: int, notes: list[str]) -> None:
    opens = ready.flags & (SYN | ACK) == SYN
    if stage == Stage.NEW:
        notes.append(_JOINED)
    elif opens and stage not in (Stage.RESET, Stage.LEAVING):
        notes.append(_REOPENED)
    elif not opens and not {stage, ready.template.stage} <= {Stage.OPEN, Stage.LEFT, Stage.LEAVING}:
        notes.append(_OUT_OF_TURN)
