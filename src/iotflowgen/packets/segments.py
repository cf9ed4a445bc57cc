"""Sequence and acknowledgment numbers: nothing acknowledged that was not sent, nothing said twice.

RFC 9293, section 3.4. All segments of a run are chosen before the first gets its numbers, for what
one of them acknowledges depends on how many acknowledgments are still to come.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from iotflowgen.packets.connections import Conversation, Side, Stage
from iotflowgen.packets.delays import JUST_NS, STEADY
from iotflowgen.packets.layout import ACK, FIN, RST, SYN

__all__ = ["HELD_NS", "PROBED_NS", "Left", "Segment", "Way", "leave", "number", "to_acknowledge"]

HELD_NS: Final = 60 * 10**9
"""How long something may be left unacknowledged, so that a later acknowledgment has something."""
PROBED_NS: Final = 10**9
"""The same, if that may rather ask whether the other end is alive, as others of its kind do."""
_PROMPT_NS: Final = 100_000_000
"""After which a FIN is acknowledged, whatever comes."""
_MOST_SAID: Final = 2
"""Segments with payload that go before a lone acknowledgment and leave something for it."""
_SILENT_NS: Final = 500_000_000
"""How long a host may wait to acknowledge what it has heard (RFC 9293, section 3.8.6.3)."""
_MOST_KEPT: Final = 8192
"""Segments that are kept for the other end to acknowledge, should it be silent."""
_SOONER: Final = 0.997
"""Of the time in which a SYN was answered, hardly anything is acknowledged in less."""
_SOONEST: Final = 0.5
"""Of the time in which a host acknowledges, the answer to a FIN may take."""
_MAXIMUM_SIZE: Final = 1460
"""Bytes of the segments that were sent before the first one that there is."""


@dataclass(frozen=True)
class Way:
    """How a host acknowledges."""

    delay_ns: int = 0
    """What it acknowledges is older than this, where captures are made."""
    stride: int = 1
    """How many segments it acknowledges at once, where there are several."""
    pace: float = 1
    """How many of several it acknowledges at once on the whole."""
    is_steady: bool = False
    """It hears everything after that delay, and does not hear it bit by bit."""
    spares_fin: bool = False
    """It leaves a FIN for its own to acknowledge."""

    def where_answered(self, answered_ns: int) -> "Way":
        """The way in a connection whose SYN it answered after so long; -1 if it did not.

        It acknowledges no sooner than that, if that was soon.
        """
        if answered_ns < 0:
            return self
        most_ns = self.delay_ns * (STEADY if self.is_steady else 1)
        return replace(self, delay_ns=int(min(_SOONER * answered_ns, most_ns)))


_USUAL: Final = Way()


class Left:
    """Of the other's segments, how many a segment leaves unacknowledged."""

    least: int
    """So that every acknowledgment that is still to come says something new."""
    most: float
    """So that what its sender says before it falls silent can still acknowledge all."""

    def __init__(
        self,
        least: int = 0,
        most: float = 0,
    ) -> None:
        self.least = least
        self.most = most


_NOTHING_LEFT: Final = Left()


class Segment:
    """What is known of a segment before it has its numbers."""

    me: Side
    """Who sends it."""
    other: Side
    flags: int
    size: int
    """Bytes of payload."""
    again: bool
    """It says what its sender has said before."""
    probes: bool
    """It asks whether the other end is alive (RFC 9293, section 3.8.4)."""
    refuses: bool
    """It answers a SYN with RST."""
    is_new: bool
    """The other has to acknowledge it."""
    time_ns: int
    held_ns: int
    """How long something may have been left for it."""
    way: Way
    """Its sender's."""
    leaves: int
    """How many segments it leaves unacknowledged, of several heard just before it."""
    early: int
    """Bytes before it that come later, in its sender's next segment with payload."""

    def __init__(
        self,
        conversation: Conversation,
        outgoing: bool,
        flags: int,
        size: int,
        *,
        probes: bool = False,
        repeats: bool = False,
        time_ns: int = 0,
        held_ns: int = HELD_NS,
        way: Way = _USUAL,
        leaves: int = 0,
        early: int = 0,
    ) -> None:
        """The next segment of a connection, which is noted there.

        Args:
            conversation: The connection.
            outgoing: The device sends it.
            flags: Of TCP.
            size: Bytes of payload.
            probes: It asks whether the other end is alive.
            repeats: It says what its sender's last one said, which was no SYN.
            time_ns: When it is sent.
            held_ns: How long something may have been left for it to acknowledge.
            way: How its sender acknowledges.
            leaves: How many segments it leaves unacknowledged, of several heard just before it.
            early: Bytes before it that come later: until then the other acknowledges again what it
                has acknowledged before.
        """
        me, other = conversation.ends[outgoing], conversation.ends[not outgoing]
        said_before = (flags & SYN and me.syn) or (flags & FIN and me.fin and not size)
        self.me, self.other = me, other
        self.flags, self.size = flags, size
        self.again, self.probes = repeats or bool(said_before), probes
        self.refuses = bool(flags & RST) and conversation.stage(outgoing) == Stage.ASKED
        self.is_new = not (self.again or probes) and bool(size or flags & (SYN | FIN))
        self.time_ns, self.held_ns = time_ns, held_ns
        self.way, self.leaves, self.early = way, leaves, early
        conversation.see(outgoing, flags)
        if flags & SYN:
            if flags & ACK and me.heard_ns:
                me.delay_ns = time_ns - me.heard_ns[-1]
            me.to_acknowledge, other.to_acknowledge = 0, 1
            me.heard_ns, other.heard_ns = [], [time_ns]
        else:
            self._acknowledge()

    @property
    def ends(self) -> bool:
        """Whether it does nothing but acknowledge, once both FINs have their numbers."""
        return self.me.closed and self.other.closed and not (self.size or self.flags & FIN)

    def _acknowledge(self) -> None:
        """Note what its sender has acknowledged by it, and the other has to."""
        me, time_ns = self.me, self.time_ns
        to_acknowledge(me, time_ns, self.held_ns)
        late = _up_to(me.heard_ns, time_ns - HELD_NS)
        if self.probes or self.is_new:
            _hear(me, self.other, time_ns, probes=self.probes)
        elif me.to_acknowledge and not self.again:
            late = max(late, 1)
        me.to_acknowledge -= late
        del me.heard_ns[:late]
        if me.begun_ns < 0:
            me.begun_ns = time_ns
        elif time_ns - me.begun_ns > self.held_ns:
            # what was said before the first packet has been acknowledged by now
            me.to_acknowledge = len(me.heard_ns)
        me.sent_ns, me.held = time_ns, len(me.heard_ns)


def _up_to(times_ns: Sequence[int], time_ns: int) -> int:
    """How many of ascending times are no later than one, which mostly none is."""
    return bisect_right(times_ns, time_ns) if times_ns and times_ns[0] <= time_ns else 0


def _hear(me: Side, other: Side, time_ns: int, *, probes: bool) -> None:
    """Note that a side has something new to acknowledge, or is asked whether it is alive."""
    if not probes:
        # who goes on after probes without an answer has them acknowledged with the rest
        unanswered = min(me.probes, len(other.heard_ns))
        del other.heard_ns[len(other.heard_ns) - unanswered :]
        other.to_acknowledge -= unanswered
        other.held = min(other.held, len(other.heard_ns))
    me.probes = me.probes + 1 if probes else 0
    other.to_acknowledge += 1
    other.heard_ns.append(time_ns)
    if len(other.heard_ns) > _MOST_KEPT:
        del other.heard_ns[: _MOST_KEPT // 2]
        other.held = max(0, other.held - _MOST_KEPT // 2)


def to_acknowledge(me: Side, time_ns: int, held_ns: int = HELD_NS) -> int:
    """How many times a side can acknowledge something new, as far as segments are chosen."""
    if me.held and time_ns - me.sent_ns > held_ns:
        # its last segment left nothing for one that comes so much later
        del me.heard_ns[: me.held]
        me.held, me.to_acknowledge = 0, len(me.heard_ns)
    return me.to_acknowledge


class _Ear:
    """What one side acknowledges, while a run is read from its end."""

    __slots__ = ("answers", "delay_ns", "hears_ns", "next_ns", "owed", "room", "said", "since_ns")

    def __init__(self) -> None:
        self.owed = 0
        """Acknowledgments of its own that are to come."""
        self.since_ns = 0
        """Before that, nothing is left for them."""
        self.said = 0
        """Segments with payload that it sends until the other does."""
        self.answers = False
        """It acknowledges without payload before anything new comes."""
        self.delay_ns = 0
        """What it acknowledges is older."""
        self.hears_ns: list[int] = []
        """When it hears something new."""
        self.room = 0.0
        """How much it can acknowledge later on."""
        self.next_ns = -1
        """When it sends its next segment; -1 if it sends none."""


def leave(segments: Sequence[Segment | None]) -> list[Left]:
    """For each packet of a run, how many of the other's segments its sender leaves unacknowledged.

    An acknowledgment that says nothing new is a duplicate, or an update of the window (RFC 5681,
    section 2). So whoever acknowledges more often later on than it hears segments in between leaves
    one of those that it has heard for each, but for nothing that it sends much later, nor for what
    comes after more payload of its own: that acknowledges all. Nor does it acknowledge more at once
    than it has to: a burst is acknowledged stride by stride.
    """
    ears: defaultdict[int, _Ear] = defaultdict(_Ear)
    for segment in segments:
        if segment:
            ears[id(segment.me)].delay_ns = segment.way.delay_ns
    for segment in segments:
        if segment and segment.is_new:
            other = ears[id(segment.other)]
            other.hears_ns.append(segment.time_ns + other.delay_ns)
    found = [
        _left(ears[id(segment.me)], ears[id(segment.other)], segment) if segment else _NOTHING_LEFT
        for segment in reversed(segments)
    ]
    return found[::-1]


def _left(me: _Ear, other: _Ear, segment: Segment) -> Left:
    """What the sender of a segment leaves, by what comes after it."""
    time_ns, way = segment.time_ns, segment.way
    if time_ns < me.since_ns:
        me.owed = 0
    me.since_ns = time_ns - segment.held_ns
    _wait(me, time_ns, is_steady=way.is_steady)
    left = Left(me.owed, me.room)
    if segment.is_new:
        other.room = max(0.0, other.room - 1)
    if segment.again:
        return left
    if segment.probes:
        other.owed -= other.answers and other.owed > 0
        return left
    if segment.is_new:
        me.said, other.said = me.said + 1, 0
        me.owed *= me.said <= _MOST_SAID
        other.owed -= other.owed > 0
        other.answers = False
    elif not segment.flags & RST:
        me.owed += 1
        me.answers = True
    if not segment.flags & RST and (way.is_steady or not segment.size):
        me.room += max(float(way.stride), way.pace)
    return left


def _wait(me: _Ear, time_ns: int, *, is_steady: bool) -> None:
    """Have a side that sends its next segment at some time send one before that.

    Who hears everything after the same delay has room to acknowledge later on until it hears
    something new; who hears bit by bit, until it falls silent.
    """
    then_ns, is_over = time_ns if me.next_ns < 0 else me.next_ns, False
    hears_ns = me.hears_ns
    while hears_ns and hears_ns[-1] > time_ns:
        is_over |= hears_ns.pop() <= then_ns and is_steady
    if is_over or then_ns - time_ns > _SILENT_NS:
        me.room = 0.0
    me.next_ns = time_ns


def _divide(side: Side, more: int) -> None:
    """Have a side's first unacknowledged bytes acknowledged in so many more steps."""
    size = (side.ends[0] - side.acknowledged) & 0xFFFFFFFF
    steps = min(more + 1, size)
    side.ends[:0] = [(side.acknowledged + size * i // steps) & 0xFFFFFFFF for i in range(1, steps)]
    side.ends_ns[:0] = side.ends_ns[:1] * (steps - 1)


def _closes(me: Side, other: Side, flags: int, time_ns: int) -> bool:
    """Whether the other's FIN, just heard, is acknowledged by one that is still to come."""
    is_alone = (other.ends[-1] - other.ends[-2]) & 0xFFFFFFFF == 1
    is_new = time_ns - other.ends_ns[-1] < _PROMPT_NS
    return other.closed and is_alone and is_new and me.fin and not (me.closed or flags & FIN)


def _forget_probes(me: Side) -> None:
    """Have what was asked without an answer acknowledged with what comes."""
    ends = me.ends
    while ends and ends[-1] == me.next:
        if me.next != me.acknowledged and me.next not in ends[-2:-1]:
            break
        del ends[-1], me.ends_ns[-1]


def _acknowledges(segment: Segment, left: Left, late: int) -> int:
    """How many of the other's segments a segment acknowledges, `late` ones in any case."""
    ends, ends_ns, way = segment.other.ends, segment.other.ends_ns, segment.way
    free = len(ends) - left.least
    heard = _up_to(ends_ns, segment.time_ns - way.delay_ns)
    if not heard and segment.other.closed and len(ends) == 1:
        # times of sessions are drawn: this is rather an answer to the FIN that came soon
        heard = int(segment.time_ns - ends_ns[0] > way.delay_ns * _SOONEST)
    new = max(late, min(heard, free))
    if segment.size or segment.flags & FIN:
        if segment.leaves and len(ends) > 1 and segment.time_ns - ends_ns[-1] < JUST_NS:
            new = max(late, min(new, len(ends) - segment.leaves))
        return new
    if free >= way.stride:
        said = new if way.is_steady else len(ends)
        new = max(late, way.stride, min(new, said - int(left.most)))
    new = min(max(new, 1), len(ends))
    is_last = way.spares_fin and new == len(ends) > 1
    if is_last and _closes(segment.me, segment.other, segment.flags, segment.time_ns):
        new -= 1
    return new


def number(segment: Segment, left: Left) -> tuple[int, int]:
    """Sequence and acknowledgment number of a segment; for `left` see `leave`."""
    me, other, flags, size = segment.me, segment.other, segment.flags, segment.size
    again, probes, time_ns = segment.again, segment.probes, segment.time_ns
    if other.ahead[1] and left.least:
        # one of those to come says no more than that something has come early
        left = Left(left.least - 1, left.most)
    to_come, delay_ns = left.least, segment.way.delay_ns
    me.numbered += not again
    sequence, joins = me.next, me.numbered == 1 and not flags & SYN and not other.syn
    taken = size + bool(flags & SYN) + bool(flags & FIN)
    if segment.early:
        sequence = (me.next + segment.early) & 0xFFFFFFFF
        me.ahead, taken = (segment.early, segment.early + size), 0
    elif again:
        sequence = (me.next - taken) & 0xFFFFFFFF
    elif probes:
        sequence = (me.next - 1) & 0xFFFFFFFF
    elif taken:
        _forget_probes(me)
        taken += me.ahead[1] - me.ahead[0]
        me.taken, me.ahead = taken, (0, 0)
        me.next = (me.next + taken) & 0xFFFFFFFF
    if probes or (taken and not again):
        me.ends.append(me.next)
        me.ends_ns.append(time_ns)
        if len(me.ends) > _MOST_KEPT:
            del me.ends[: _MOST_KEPT // 2], me.ends_ns[: _MOST_KEPT // 2]
    elif not (segment.early or again):
        sequence = (sequence + me.ahead[1]) & 0xFFFFFFFF
    me.closed |= bool(flags & FIN)
    if not flags & ACK:
        return 0 if segment.refuses else sequence, 0
    if joins:
        # the middle of a connection: what the other said before is acknowledged bit by bit
        before = range(to_come - len(other.ends), -1, -1)
        begun = other.acknowledged
        other.ends[:0] = [(begun - _MAXIMUM_SIZE * i) & 0xFFFFFFFF for i in before]
        other.ends_ns[:0] = [min((time_ns - delay_ns, *other.ends_ns[:1]))] * len(before)
    late = _up_to(other.ends_ns, time_ns - HELD_NS)
    if not (taken or again or probes or late or segment.early) and 0 < len(other.ends) <= to_come:
        _divide(other, to_come + 1 - len(other.ends))
    new = len(other.ends) if flags & SYN else _acknowledges(segment, left, late)
    if new > 0 and not again:
        other.acknowledged = other.ends[new - 1]
        del other.ends[:new], other.ends_ns[:new]
    return 0 if segment.refuses else sequence, other.acknowledged
