"""Sequence and acknowledgment numbers and SACK blocks, as references and back.

RFC 9293, section 3.4; RFC 2018. Only the relation of a number to what was sent before has a
meaning. Each direction of a connection is a line of numbers with *edges*: its initial sequence
number, and each highest number to which something has advanced it. A reference is how many edges a
number lies back from the last one (`back`), and its offset in bytes from that edge (`off`):

    a segment of new data     0 back, 0 off
    a retransmission          as many back as segments were sent since
    a keep-alive probe        0 back, -1 off
    one that arrives early    0 back, as many off as the segments that are still missing
    an acknowledgment         as many back as it leaves segments unacknowledged

None of these is a special case. Sequence numbers advance the line of their sender, by what they
carry; an acknowledgment of what the capture has lost advances that of its receiver. As edges count
segments and not bytes, references hold where segments have other lengths than captured. A SYN whose
number is not where its line began, as after a challenge ACK of an older connection (RFC 5961),
begins another line.

Shapes: P packets of TCP, in the order of time; M mentions of numbers, two a packet (its own
number, then the one that it acknowledges).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.tcp.number_spaces import Edges, Mentions, signed, unwrapped
from iotflowgen.recording import Groups
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["MOST_BLOCKS", "Numbers", "References", "decode", "encode", "initial_numbers"]

MOST_BLOCKS = 4
"""Blocks of SACK that the options of a segment have room for (RFC 2018, section 3)."""
_LOST = 1 << 24
"""Bytes that a capture may have lost in a row; a number farther ahead is none of the line's."""
_FAR = 1 << 40
"""More edges than there are."""


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What the headers of P segments say."""

    sequence: Integers
    """(P)"""
    acknowledgment: Integers
    """(P); 0 without the flag ACK, as RFC 9293 has it."""
    acknowledges: Flags
    """The flag ACK (P)."""
    opens: Flags
    """The flag SYN (P)."""
    taken: Integers
    """Sequence numbers that a segment takes: bytes of payload, and one each for SYN and FIN (P)."""
    blocks: Integers
    """Left and right edges of SACK blocks (P, 2 * MOST_BLOCKS); -1 where there is none."""


@dataclass(frozen=True, kw_only=True)
class References:
    """The references of P segments; each entry is of a mention."""

    back: NDArray[np.int32]
    """Edges back (P, 2), of the sequence and the acknowledgment number."""
    off: NDArray[np.int32]
    """Bytes off that edge (P, 2)."""
    advances: Flags
    """Whether it advances its line (P, 2)."""
    renews: Flags
    """Whether its sequence number begins another line of its direction (P)."""
    rises: NDArray[np.int8]
    """Whether the acknowledgment number is beyond those before (1), the last one again (0), or
    behind it (-1) (P)."""
    blocks_back: NDArray[np.int32]
    """(P, 2 * MOST_BLOCKS); -1 where there is none."""
    blocks_off: NDArray[np.int32]
    """(P, 2 * MOST_BLOCKS)"""


def initial_numbers(
    flow: Integers, outgoing: Flags, numbers: Numbers, references: References
) -> Integers:
    """Where the lines began that each segment mentions (P, 2): its own, and the other end's.

    Where the capture began later than the connection, it is the first number that was mentioned.
    """
    mentions = Mentions(flow, outgoing, numbers.acknowledges, references.renews)
    return mentions.pairs(mentions.begun(mentions.of(numbers.sequence, numbers.acknowledgment)))


def _renews(flow: Integers, outgoing: Flags, numbers: Numbers) -> Flags:
    """SYNs (P) whose numbers are neither where their line began nor that of the SYN before."""
    mentions = Mentions(flow, outgoing, numbers.acknowledges)
    number = mentions.of(numbers.sequence, numbers.acknowledgment)
    opens = mentions.of(numbers.opens, np.zeros_like(numbers.opens))
    groups = mentions.groups
    known = groups.latest(opens | groups.is_first)
    renews: Flags = opens & ~groups.is_first & (number[groups.previous(known, 0)] != number)
    return mentions.pairs(renews)[:, 0]


def encode(flow: Integers, outgoing: Flags, numbers: Numbers) -> References:
    """Numbers of segments of connections `flow` (P), as references."""
    renews = _renews(flow, outgoing, numbers)
    mentions = Mentions(flow, outgoing, numbers.acknowledges, renews)
    groups = mentions.groups
    relative = unwrapped(mentions.of(numbers.sequence, numbers.acknowledgment), groups)
    is_own = mentions.rows % 2 == 0
    taken = mentions.of(numbers.taken, np.zeros_like(numbers.taken))
    sent = groups.greatest(np.where(is_own, relative + taken, 0))
    # what acknowledges far more than was ever sent is of another connection
    end = np.where(is_own, sent, np.where(relative < sent + _LOST, relative, 0))
    highest = groups.greatest(np.maximum(end, 0))
    before = groups.previous(highest, 0)
    advances = highest > before
    edges = Edges(groups, advances, highest)
    back, off = edges.refer(np.arange(len(relative)), relative)
    back = np.where(advances, 0, back)
    off = np.where(advances, relative - before, off)
    # where the capture begins with a probe, an edge stands there, too
    probes = is_own & (taken == 0) & (relative == before - 1)
    back, off = np.where(probes, 0, back), np.where(probes, -1, off)

    block_packet, block = np.nonzero(numbers.blocks >= 0)
    blocks_back = np.full(numbers.blocks.shape, -1, dtype=np.int32)
    blocks_off = np.zeros(numbers.blocks.shape, dtype=np.int32)
    mention = np.searchsorted(mentions.rows, 2 * block_packet + 1)
    has = mention < len(mentions.rows)
    has[has] = mentions.rows[mention[has]] == 2 * block_packet[has] + 1
    block_packet, block, mention = block_packet[has], block[has], mention[has]
    # edges of blocks lie by the acknowledgment number of their segment
    ahead = numbers.blocks[block_packet, block] - numbers.acknowledgment[block_packet]
    at = relative[mention] + signed(ahead)
    blocks_back[block_packet, block], blocks_off[block_packet, block] = edges.refer(mention, at)

    return References(
        back=mentions.pairs(back.astype(np.int32)),
        off=mentions.pairs(off.astype(np.int32)),
        advances=mentions.pairs(advances),
        renews=renews,
        rises=_rises(relative, mentions),
        blocks_back=blocks_back,
        blocks_off=blocks_off,
    )


def _rises(relative: Integers, mentions: Mentions) -> NDArray[np.int8]:
    """The relation of each acknowledgment number to the highest before (P); 1 for the first."""
    is_acknowledged = mentions.rows % 2 == 1
    said = relative[is_acknowledged]
    groups = Groups(mentions.line[mentions.rows[is_acknowledged]])
    last = groups.previous(groups.greatest(said), 0)
    rises = np.where(groups.is_first, 1, np.sign(said - last)).astype(np.int8)
    pairs = np.zeros(len(mentions.rows), dtype=np.int8)
    pairs[is_acknowledged] = rises
    column: NDArray[np.int8] = mentions.pairs(pairs)[:, 1]
    return column


def decode(
    mentions: Mentions,
    references: References,
    acknowledges: Flags,
    opens: Flags,
    taken: Integers,
    initial: Integers,
) -> tuple[Numbers, Integers]:
    """Numbers of segments (P) that refer to what was sent in their connections.

    Args:
        mentions: What segments mention, lines that are renewed told apart.
        references: Of each segment.
        acknowledges: The flag ACK (P).
        opens: The flag SYN (P).
        taken: Sequence numbers that each segment takes now (P).
        initial: Where its own line and the other end's begin, for each segment (P, 2).

    Returns:
        The numbers; and the last edge before each mention, as a number (P, 2): where its line
        would begin, were it the first to be known of it.
    """
    groups, rows = mentions.groups, mentions.rows
    back = references.back.ravel()[rows].astype(np.int64)
    off = references.off.ravel()[rows].astype(np.int64)
    advances = references.advances.ravel()[rows]
    taken_M = mentions.of(taken, np.zeros_like(taken))
    reached = groups.sum(np.where(advances, np.maximum(off + taken_M, 0), 0))
    edges = Edges(groups, advances, reached)
    relative = edges.at(np.arange(len(rows)), back, off)
    which = np.flatnonzero(rows % 2 == 1)
    relative[which] = _in_order(
        which,
        relative[which],
        edges,
        references.rises[rows[which] // 2],
        Groups(mentions.line[rows[which]]),
    )
    first = initial.ravel()[rows]
    numbers = mentions.pairs((relative + first) % 2**32)
    last = edges.at(np.arange(len(rows)), np.zeros_like(back), first) % 2**32

    packet, block = np.nonzero(references.blocks_back >= 0)
    mention = np.searchsorted(rows, 2 * packet + 1)
    at = edges.at(
        mention,
        references.blocks_back[packet, block].astype(np.int64),
        references.blocks_off[packet, block].astype(np.int64),
    )
    blocks = np.full(references.blocks_back.shape, -1, dtype=np.int64)
    blocks[packet, block] = (at + first[mention]) % 2**32
    decoded = Numbers(
        sequence=numbers[:, 0],
        acknowledgment=numbers[:, 1],
        acknowledges=acknowledges,
        opens=opens,
        taken=taken,
        blocks=blocks,
    )
    return decoded, mentions.pairs(last)


def _in_order(
    mention: Integers, relative: Integers, edges: Edges, rises: NDArray[np.int8], groups: Groups
) -> Integers:
    """Acknowledgment numbers (A) that advance exactly where they did when captured.

    After a switch between captures, how much a segment leaves unacknowledged and whether it
    advances may contradict each other. The second is kept: the other side, and any observer, acts
    on it. A number that would wrongly not advance acknowledges one segment more than the last;
    where all is acknowledged, the last number is repeated.
    """
    edge, highest = edges.below(mention, relative)
    off = relative - edges.number(edge)
    is_new, is_whole = rises > 0, off == 0
    low = np.where(is_new, edge, -_FAR)
    high = np.where(is_new, highest, _FAR)
    low, high = (np.where(groups.is_first, edge, bound) for bound in (low, high))
    last = groups.clamped(low, high, (is_new & is_whole).astype(np.int64))
    said = edges.number(last) + np.where(is_new & (last == edge), off, 0)
    said = np.where(groups.is_first, relative, said)
    said = said[groups.latest(is_new | groups.is_first)]
    return np.where(rises < 0, np.minimum(relative, said), said)
