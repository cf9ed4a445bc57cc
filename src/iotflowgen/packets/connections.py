"""What both ends of a TCP connection have said: the same when headers are learnt and written.

RFC 9293, section 3. The numbers of segments, which only writing needs, are in `segments`.
"""

from collections import deque
from typing import TYPE_CHECKING, Final

from iotflowgen.packets.headers import Kind, Template
from iotflowgen.packets.layout import FIN, RST, SYN
from iotflowgen.packets.receiving import Receiving
from iotflowgen.packets.succession import NOTHING

if TYPE_CHECKING:
    from iotflowgen.packets.ready import Ready

__all__ = ["ANYBODY", "NEAREST", "UNKNOWN", "Conversation", "Sent", "Side", "Stage"]

UNKNOWN: Final = 2**31
"""As much as anybody may ask for: what was said before the first packet that there is."""
ANYBODY: Final = -2
"""A peer who is not settled yet."""


class Stage:
    """How far a connection is, as the one sees it who sends next.

    Plain numbers: members of an enum are looked up and hashed by code of their own, which takes
    longer than what is done with them.
    """

    NEW: Final = 0
    """Nobody has said anything."""
    ASKED: Final = 1
    """The other wants to open it."""
    ASKING: Final = 2
    """Wants to open it; no answer yet."""
    ANSWERED: Final = 3
    """Has sent its SYN, and has heard."""
    OPEN: Final = 4
    LEFT: Final = 5
    """The other has sent FIN."""
    LEAVING: Final = 6
    """Has sent FIN."""
    RESET: Final = 7
    """Either has sent RST."""


NEAREST: Final[dict[int, tuple[int, ...]]] = {
    Stage.NEW: (Stage.OPEN, Stage.ANSWERED, Stage.ASKED, Stage.LEFT, Stage.LEAVING, Stage.RESET),
    Stage.ASKED: (Stage.OPEN, Stage.ANSWERED, Stage.RESET, Stage.NEW),
    Stage.ASKING: (Stage.NEW, Stage.ANSWERED, Stage.OPEN, Stage.RESET),
    Stage.ANSWERED: (Stage.OPEN, Stage.ASKING, Stage.RESET, Stage.NEW),
    Stage.OPEN: (Stage.ANSWERED, Stage.LEFT, Stage.LEAVING, Stage.RESET, Stage.NEW, Stage.ASKED),
    Stage.LEFT: (Stage.OPEN, Stage.LEAVING, Stage.RESET, Stage.NEW, Stage.ASKED),
    Stage.LEAVING: (Stage.OPEN, Stage.LEFT, Stage.RESET, Stage.NEW, Stage.ASKED),
    Stage.RESET: (Stage.NEW, Stage.LEAVING, Stage.LEFT, Stage.OPEN, Stage.ASKED),
}
"""Stages in which what is sent comes nearest to fit, where nothing was seen in the stage itself.

A sequence of packets may start in the middle of a connection, which at first is `NEW` all the same.
"""


_MOST_STAMPS: Final = 256


class Sent:
    """A segment with payload."""

    def __init__(self, kind: Kind, ready: "Ready", data: bytearray) -> None:
        self.kind = kind
        self.ready = ready
        self.data = data


class Side:
    """One end."""

    next: int = 0
    """Sequence number of what it sends next."""
    syn: bool = False
    fin: bool = False
    segments: int = 0
    """How many it has sent, SYNs left out."""
    phase: int = 0
    """How far its TLS is (`records.Phase`)."""
    owed: int = 0
    """Bytes of its last TLS record that are to come."""
    due: bytes = b""
    """Bytes that come before those: a record header that a segment cut in two."""
    nonce: int = -1
    """What its last TLS record began with; -1 until that is settled, or where it does not count."""
    shows: bool = False
    """It has announced a picture."""
    body: int = 0
    """Bytes of its last message of HTTP that are to come; -1 while that is open."""
    answers: bool = False
    """It has sent a response of HTTP, and so sends no requests."""
    ends: list[int]
    """Where its segments end that the other has not acknowledged."""
    ends_ns: list[int]
    """When it sent these."""
    acknowledged: int = 0
    """What the other has acknowledged last."""
    to_acknowledge: int = UNKNOWN
    """How many times it can acknowledge something new, as far as segments are chosen."""
    heard_ns: list[int]
    """When that was sent, as far as it was seen."""
    delay_ns: int = -1
    """After how long it has answered a SYN; -1 if it has not."""
    begun_ns: int = -1
    """When it first sent something but a SYN; -1 before."""
    sent_ns: int = 0
    """When it sent its last segment."""
    probes: int = 0
    """How many times it has asked whether the other is alive since it said something."""
    held: int = 0
    """How much of `heard_ns` it knew of then."""
    closed: bool = False
    """Its FIN has its number."""
    early: Template | None = None
    """What it has sent before what lies before it, while segments are chosen."""
    ahead: tuple[int, int] = (0, 0)
    """Where that begins and ends, in bytes from what it sends next, while these get numbers."""
    taken: int = 1
    """Sequence numbers that its last segment took which has to be acknowledged."""
    numbered: int = 0
    """How many of its segments have their numbers."""
    stamp: int = 0
    """The TCP timestamp that the other echoes."""
    stamps: deque[tuple[int, int, int]]
    """Of segments that the other has not heard yet: when they were sent, sequence numbers, and
    timestamps."""
    clock: int = -1
    """Which of its host's counts its timestamps; -1 while that is open, or where there is one."""
    ip_id: int = 0
    sent: Sent | None = None
    """Its last segment with payload, if it may send that again."""

    def __init__(self, first: int = 0) -> None:
        """`first` is the sequence number that it begins with."""
        self.next = self.acknowledged = first
        self.ends, self.ends_ns, self.heard_ns = [], [], []
        self.stamps = deque(maxlen=_MOST_STAMPS)

    def next_nonce(self) -> bytes:
        """What its next TLS record begins with, if that counts."""
        self.nonce = (self.nonce + 1) % 2**64
        return self.nonce.to_bytes(8)

    @property
    def said(self) -> bool:
        """It has sent anything at all."""
        return self.syn or self.segments > 0

    def echo(self, before: int, acknowledged: int, heard_ns: int) -> None:
        """Settle what the other echoes in its next segment (RFC 7323, section 4.3).

        Args:
            before: What the other has acknowledged before: the first segment from there on is
                echoed, until that is acknowledged.
            acknowledged: What it acknowledges now.
            heard_ns: It has heard what was sent up to then.
        """
        while self.stamps:
            sent_ns, start, stamp = self.stamps[0]
            if sent_ns > heard_ns and not 0 < (acknowledged - start) % 2**32 < UNKNOWN:
                break
            if (before - start) % 2**32 < UNKNOWN:
                self.stamp = stamp
            self.stamps.popleft()


class Conversation:
    """A connection's two ends: of the peer, and of the device, as `outgoing` says."""

    __slots__ = (
        "address",
        "before",
        "ends",
        "joined",
        "known",
        "own",
        "peer",
        "receiving",
        "reset",
        "transaction",
        "ttls",
        "unanswered",
        "version",
    )

    def __init__(self, first: tuple[int, int] = (0, 0)) -> None:
        """`first` are the sequence numbers that the two begin with."""
        # no tuple: of that, compiled code makes a new one wherever it looks up either
        self.ends = [*map(Side, first)]
        self.reset = False
        """Either has broken it off."""
        self.known = False
        """A message of its application was sent from its beginning on."""
        self.version = 0
        """Of TLS; 0 while that is open."""
        self.joined = False
        """It began before the first packet of it that there is."""
        self.address = b""
        """The peer's IP address, where it is not its usual one."""
        self.peer = ANYBODY
        self.own = 0
        """Place of the device's end in `Headers.hosts`."""
        self.receiving: list[Receiving | None] = [None, None]
        """What the window field of either says."""
        self.ttls: tuple[int, int] | None = None
        """Time to live of the peer's SYN and of what follows, for they take one way; None before
        the first."""
        self.before = NOTHING
        """What was said last, by places of templates."""
        self.unanswered: dict[bytes, int] = {}
        """Questions to DNS that are not answered, and their transaction ids."""
        self.transaction = 0
        """What an answer repeats: an echo's number, or when an NTP request was sent."""

    def stage(self, outgoing: bool) -> int:
        """How far it is for whoever sends next."""
        me, other = self.ends[outgoing], self.ends[not outgoing]
        if self.reset:
            stage = Stage.RESET
        elif me.fin:
            stage = Stage.LEAVING
        elif other.fin:
            stage = Stage.LEFT
        elif me.syn and not me.segments:
            stage = Stage.ANSWERED if other.said else Stage.ASKING
        elif other.syn and not me.said:
            stage = Stage.ASKED
        else:
            stage = Stage.OPEN if me.said or other.said else Stage.NEW
        return stage

    def asks_again(self, outgoing: bool) -> bool:
        """Forget that it was refused, if that is all, for whoever asks again on the same ports."""
        me, other = self.ends[outgoing], self.ends[not outgoing]
        is_refused = self.reset and me.syn and not me.segments and not other.syn
        if is_refused:
            self.reset = False
            other.segments = 0
        return is_refused

    def see(self, outgoing: bool, flags: int) -> None:
        """Note that a segment was sent."""
        me = self.ends[outgoing]
        if flags & SYN:
            me.syn = True
        else:
            me.segments += 1
        me.fin |= bool(flags & FIN)
        self.reset |= bool(flags & RST)
