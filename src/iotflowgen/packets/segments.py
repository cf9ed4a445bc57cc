"""Sequence and acknowledgment numbers: nothing acknowledged that was not sent, nothing said twice.

RFC 9293, section 3.4. All segments of a run are chosen before the first gets its numbers, for what
one of them acknowledges depends on how many acknowledgments are still to come.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from iotflowgen.packets.connections import Conversation, Side, Stage
from iotflowgen.packets.layout import ACK, FIN, RST, SYN

__all__ = ["Segment", "acks_to_come", "number"]

_MAXIMUM_SIZE = 1460
"""Bytes of the segments that were sent before the first one that there is."""


class Segment(NamedTuple):
    """What is known of a segment before it has its numbers."""

    me: Side
    """Who sends it."""
    other: Side
    flags: int
    size: int
    """Bytes of payload."""
    again: bool
    """It says a SYN or FIN that its sender has said before."""
    probes: bool
    """It asks whether the other end is alive (RFC 9293, section 3.8.4)."""
    refuses: bool
    """It answers a SYN with RST."""

    @classmethod
    def of(
        cls, conversation: Conversation, outgoing: bool, flags: int, size: int, *, probes: bool
    ) -> "Segment":
        """The next segment of a connection; `outgoing` if the device sends it."""
        me, other = conversation.ends[outgoing], conversation.ends[not outgoing]
        again = (flags & SYN and me.syn) or (flags & FIN and me.fin and not size)
        refuses = flags & RST and conversation.stage(outgoing) == Stage.ASKED
        conversation.see(outgoing, flags)
        if flags & SYN:
            me.waiting, other.waiting = 0, 1
        elif size or flags & FIN or probes:
            other.waiting += not again
        elif me.waiting:
            me.waiting -= 1
        return cls(me, other, flags, size, bool(again), probes, bool(refuses))


def acks_to_come(segments: Sequence[Segment | None]) -> list[int]:
    """For each packet of a run, how many of the other's segments its sender leaves unacknowledged.

    An acknowledgment that says nothing new is a duplicate, or an update of the window (RFC 5681,
    section 2). So whoever acknowledges more often later on than it hears segments in between leaves
    one of those that it has heard for each.
    """
    found: list[int] = []
    owed: defaultdict[int, int] = defaultdict(int)
    for segment in reversed(segments):
        if segment is None:
            found.append(0)
            continue
        me, other = id(segment.me), id(segment.other)
        found.append(owed[me])
        if segment.again:
            continue
        if segment.size or segment.probes or segment.flags & (SYN | FIN):
            owed[other] = max(0, owed[other] - 1)
        elif not segment.flags & RST:
            owed[me] += 1
    return found[::-1]


def _divide(side: Side, more: int) -> None:
    """Have a side's first unacknowledged bytes acknowledged in so many more steps."""
    size = (side.ends[0] - side.acknowledged) & 0xFFFFFFFF
    steps = min(more + 1, size)
    side.ends[:0] = [(side.acknowledged + size * i // steps) & 0xFFFFFFFF for i in range(1, steps)]


def number(segment: Segment, to_come: int) -> tuple[int, int]:
    """Sequence and acknowledgment number of a segment; `to_come` is of `acks_to_come`."""
    me, other, flags, size, again, probes, refuses = segment
    me.numbered += not again
    sequence, joins = me.next, me.numbered == 1 and not flags & SYN
    taken = size + bool(flags & SYN) + bool(flags & FIN)
    if again or probes:
        sequence = (me.next - 1) & 0xFFFFFFFF
        if probes:
            me.ends.append(me.next)
    elif taken:
        me.next = (me.next + taken) & 0xFFFFFFFF
        me.ends.append(me.next)
    if not flags & ACK:
        return sequence, 0
    if joins:
        # the middle of a connection: what the other said before is acknowledged bit by bit
        before = range(to_come - len(other.ends), -1, -1)
        begun = other.acknowledged
        other.ends[:0] = [(begun - _MAXIMUM_SIZE * i) & 0xFFFFFFFF for i in before]
    if not (taken or again or probes) and 0 < len(other.ends) <= to_come:
        _divide(other, to_come + 1 - len(other.ends))
    new = len(other.ends) - (0 if flags & SYN else to_come)
    if not taken:
        new = min(max(new, 1), len(other.ends))
    if new > 0 and not again:
        other.acknowledged = other.ends[new - 1]
        del other.ends[:new]
    return 0 if refuses else sequence, other.acknowledged
