"""Which template fits a packet.

A template fits if it is of the packet's kind (length, direction, protocols, service) and of the
connection's stage, if it says what has to be said next (the rest of a TLS record, the answer to a
question), and comes from the same peer as the packets before; in this order, what cannot be had is
done without.
"""

import random
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise, product
from typing import Final, NamedTuple

from iotflowgen.packets.connections import ANYBODY, NEAREST
from iotflowgen.packets.headers import Kind
from iotflowgen.packets.layout import ACK, SYN
from iotflowgen.packets.mask import HTTP
from iotflowgen.packets.ready import Ready
from iotflowgen.packets.recognition import (
    FIRST,
    PICTURE,
    REST,
    WHOLE,
    begins_picture,
    head_of,
    still_owed,
)
from iotflowgen.packets.records import Phase
from iotflowgen.packets.succession import UNSEEN, Before

__all__ = ["ANYTHING", "Asker", "Choices", "Need", "Wanted", "asker_of", "name_in"]

_TYPE_AND_CLASS: Final = 4
_MOST_ANSWERS: Final = 2**14
"""That are kept, to questions about templates."""

Need = tuple[int, int, int] | tuple[int, int] | bytes | int | None
"""What a template has to say: TLS from a phase on, after bytes that are owed, of a version; the
answer to a question; a question about a name, or whose answer has a length; what a message of HTTP
goes on with; anything."""


Asker = tuple[bool, int]
"""Whether the device sends a SYN, and the place of the host who does."""


def asker_of(ready: Ready) -> Asker | None:
    """Who opens a connection with a template; None where that opens none."""
    if ready.flags & (SYN | ACK) != SYN:
        return None
    return ready.template.outgoing, ready.template.own if ready.template.outgoing else ready.peer


class Wanted(NamedTuple):
    """What a TCP segment, or a question, has to be or must not be."""

    forbidden: int = 0
    """Flags of which it has none."""
    needed: int = 0
    """Flags of which it has one; 0 if it need not."""
    nothing_new: bool = False
    """There is nothing that it could acknowledge."""
    may_probe: bool = False
    """Whether there is, nobody knows: it may as well ask whether the other end is alive."""
    asked: tuple[bytes, ...] = ()
    """Questions that are not to be asked again while there are others."""
    unanswered: tuple[bytes, ...] = ()
    """Questions that have no answer yet."""
    openings: tuple[tuple[Asker, int], ...] = ()
    """Of hosts that have one, the window that their SYNs have in this run."""

    def fits(self, ready: Ready) -> bool:
        """Whether a template is as wanted."""
        if ready.flags & self.forbidden or (self.needed and not ready.flags & self.needed):
            return False
        if self.openings and (asker := asker_of(ready)):
            return dict(self.openings).get(asker, ready.opening) == ready.opening
        if ready.question in self.asked or ready.question in self.unanswered:
            return False
        if self.nothing_new:
            return not ready.acknowledges
        return self.may_probe or not ready.template.probes


ANYTHING: Final = Wanted()


class _Lot:
    """Templates to draw from, each as often as it was seen."""

    __slots__ = ("_after", "_ahead_of", "ready", "up_to")

    def __init__(self) -> None:
        self.ready: list[Ready] = []
        self.up_to: list[float] = []
        self._after: dict[Before | int, _Lot] = {}
        self._ahead_of: dict[Kind, _Lot | None] = {}

    def add(self, ready: Ready, times: float) -> None:
        self.ready.append(ready)
        self.up_to.append((self.up_to[-1] if self.up_to else 0) + times)

    def draw(self, draws: random.Random) -> Ready:
        """One of them."""
        return self.ready[bisect(self.up_to, draws.random() * self.up_to[-1])]

    def fitting(self, wanted: Wanted) -> "_Lot | None":
        """Those that are as wanted, if there are any."""
        if all(map(wanted.fits, self.ready)):
            return self
        lot = _Lot()
        for ready in filter(wanted.fits, self.ready):
            lot.add(ready, ready.template.count)
        return lot if lot.ready else None

    def after(self, before: Before) -> "_Lot":
        """Those that were seen after a template, as often as that was; all if there are none.

        Preferred are those before which the same was sent without payload.
        """
        if len(self.ready) == 1:
            return self
        if not self._after:
            lots: defaultdict[Before | int, _Lot] = defaultdict(_Lot)
            for ready in self.ready:
                for place, bare, times in ready.template.before:
                    lots[place, bare].add(ready, times)
                    lots[place].add(ready, times)
            self._after = {UNSEEN: self, **lots}
        return self._after.get(before) or self._after.get(before[0]) or self

    def ahead_of(self, then: Kind, followed: Mapping[int, Counter[Kind]]) -> "_Lot | None":
        """Those that were seen before a kind, by what follows each, if there are any.

        Each as often as it was seen, times the share of that kind in what follows it.
        """
        if then not in self._ahead_of:
            lot, up_to = _Lot(), [0, *self.up_to]
            for ready, (start, end) in zip(self.ready, pairwise(up_to), strict=True):
                follow = followed.get(ready.place)
                if follow and follow[then]:
                    lot.add(ready, (end - start) * follow[then] / follow.total())
            self._ahead_of[then] = lot if lot.ready else None
        return self._ahead_of[then]


class Choices:
    """All templates, by what they fit."""

    def __init__(self, ready: Sequence[Ready]) -> None:
        self._lots: dict[Kind, defaultdict[tuple[int, Need, int], _Lot]] = {}
        self._messages: defaultdict[tuple[bool, int, bool, bool], list[tuple[int, int, bytes]]]
        self._messages = defaultdict(list)
        self._alike: defaultdict[tuple[bool, int], list[Ready]] = defaultdict(list)
        self._rests: defaultdict[int, set[bytes]] = defaultdict(set)
        """How handshake messages go on, by the bytes that are owed."""
        self._lefts: defaultdict[Kind, list[int]] = defaultdict(list)
        """Bytes of a record of data that are to come after a segment."""
        self._followed: defaultdict[int, Counter[Kind]] = defaultdict(Counter)
        """What kinds were seen after a template without TCP, and how often."""
        answers = _answers(ready)
        for each in ready:
            template = each.template
            kind = template.kind
            for place, _, times in template.before if each.layout.protocol != 6 else ():
                self._followed[place][kind] += times
            lots = self._lots.setdefault(kind, defaultdict(_Lot))
            for need in {None, *_needs(each, answers)}:
                for peer in {ANYBODY, each.peer}:
                    lots[template.stage, need, peer].add(each, template.count)
            self._alike[template.outgoing, template.protocols].append(each)
            message = each.frame[each.layout.payload : each.layout.end]
            if template.protocols & HTTP and message:
                head = len(head_of(message)) if each.begins else 0
                senders = (template.outgoing, template.protocols, template.from_service)
                if head or not each.begins:
                    self._messages[*senders, each.begins].append((template.length, head, message))
            phase, owed = template.speech
            if template.phase == Phase.CIPHERED and template.left >= 0:
                self._lefts[kind] += [template.left] * template.count
            if phase == Phase.HANDSHAKE and owed > 0:
                start, size = each.layout.payload, min(owed, each.size)
                self._rests[owed].add(each.frame[start : start + size])
        # the same few questions are asked for most packets
        self._fitting = lru_cache(_MOST_ANSWERS)(self._find)
        self._most_alike = lru_cache(_MOST_ANSWERS)(self._find_alike)
        self._met = lru_cache(_MOST_ANSWERS)(self._find_met)

    def draw(
        self,
        kind: Kind,
        stage: int,
        needs: tuple[Need, ...],
        peer: int,
        draws: random.Random,
        wanted: Wanted = ANYTHING,
        before: Before = (UNSEEN, 0),
        then: Kind | None = None,
    ) -> Ready | None:
        """Draw a template that fits, or comes nearest; None where none does.

        Args:
            kind: What it has to share with the packet that the frame is for.
            stage: How far its connection is for the sender.
            needs: What the template has to say, the best first.
            peer: Who is at the other end; ANYBODY where that is open.
            draws: Draws.
            wanted: What it has to be besides, if that can be had.
            before: What was written before, by places.
            then: What kind comes after it; None where that is open.
        """
        if kind not in self._lots:
            return None
        lot = self._fitting(kind, stage, needs, peer, wanted)
        if lot is None:
            return None
        after = lot.after(before)
        if then:
            fits = after.ahead_of(then, self._followed) or lot.ahead_of(then, self._followed)
            after = fits or after
        return after.draw(draws)

    def _find(
        self,
        kind: Kind,
        stage: int,
        needs: tuple[Need, ...],
        peer: int,
        wanted: Wanted,
    ) -> _Lot | None:
        """What to draw from."""
        lots, less = self._lots[kind], Wanted(wanted.forbidden, unanswered=wanted.unanswered)
        stages = (stage, *NEAREST[stage])
        for asked in dict.fromkeys((wanted, less, ANYTHING)):
            for need, where, who in product(needs, stages, (peer, ANYBODY)):
                lot = lots.get((where, need, who))
                if lot and (fitting := lot.fitting(asked)):
                    return fitting
        return None

    def whom(self, kind: Kind, stage: int, peers: Iterable[int]) -> int:
        """The first of some peers that packets of a kind were seen with; ANYBODY without."""
        met = self._met(kind, stage)
        return next((peer for peer in peers if peer in met), ANYBODY)

    def meets(self, kind: Kind, stage: int, peer: int) -> bool:
        """Whether packets of a kind were seen with a peer."""
        return peer in self._met(kind, stage)

    def _find_met(self, kind: Kind, stage: int) -> frozenset[int]:
        """With whom packets of a kind were seen."""
        lots = self._lots.get(kind, ())
        return frozenset(who for where, need, who in lots if where == stage and need is None)

    def rest(self, owed: int) -> bytes:
        """How a handshake message went on that owed as many bytes, to its end or nearly so."""
        rest = b""
        while pieces := self._rests.get(owed - len(rest)):
            rest += max(pieces, key=lambda piece: (len(piece), piece))
        return rest

    def left(self, kind: Kind, draws: random.Random) -> int:
        """How many bytes of a record may be to come after a packet of a kind."""
        return draws.choice(self._lefts.get(kind) or (0,))

    def message(self, kind: Kind, size: int, begins: bool) -> bytes:
        """An HTTP message, or what goes on with one, of the same sender and about as long.

        Its head is shorter than `size`; empty where none is.
        """
        length, outgoing, protocols, _, from_service = kind
        known = self._messages[outgoing, protocols, from_service, begins]
        found = [(abs(at - length), message) for at, head, message in known if head < size]
        return min(found, default=(0, b""))[1]

    def nearest(self, kind: Kind, stage: int) -> Ready | None:
        """The template of the same direction and protocols that lends its headers best."""
        length, outgoing, protocols, service, _ = kind
        alike = self._most_alike(outgoing, protocols, stage, service)
        return alike[min(alike, key=lambda each: abs(each - length))] if alike else None

    def shorter(self, kind: Kind, stage: int) -> Ready | None:
        """The longest template of the same direction and protocols that is shorter.

        Of TCP it carries nothing, and is of the stage if there is any.
        """
        length, outgoing, protocols, *_ = kind
        found = [
            ready
            for ready in self._alike.get((outgoing, protocols), ())
            if ready.template.length < length and not (ready.layout.protocol == 6 and ready.size)
        ]

        def fits(ready: Ready) -> tuple[bool, int]:
            return ready.template.stage == stage, ready.template.length

        return max(found, key=fits, default=None)

    def _find_alike(
        self, outgoing: bool, protocols: int, stage: int, service: int
    ) -> dict[int, Ready]:
        """Templates of a direction and protocols: with payload, of the stage, of the service.

        By their lengths, of each the first one.
        """

        def differs(ready: Ready) -> tuple[bool, bool, bool]:
            template = ready.template
            return not ready.size, template.stage != stage, template.service != service

        alike = self._alike.get((outgoing, protocols), ())
        least = min(map(differs, alike), default=None)
        found: dict[int, Ready] = {}
        for ready in alike:
            if differs(ready) == least:
                found.setdefault(ready.template.length, ready)
        return found


def _needs(ready: Ready, answers: dict[bytes, set[int]]) -> set[Need]:
    """What a template can be needed for."""
    if ready.template.phase:
        speech = ready.template.speech
        return {speech, (*speech, ready.template.version)}
    if ready.template.protocols & HTTP:
        body = ready.frame[ready.layout.payload : ready.layout.end]
        if ready.begins and body:
            return {FIRST if still_owed(body) else WHOLE}
        return {PICTURE if begins_picture(body) else REST}
    if ready.question:
        if ready.template.from_service:
            return {ready.question}
        return {*answers[ready.question], name_in(ready.question)}
    return set()


def name_in(question: bytes) -> bytes:
    """What a question of DNS asks about, whatever it asks."""
    return question[:-_TYPE_AND_CLASS]


def _answers(ready: Sequence[Ready]) -> defaultdict[bytes, set[int]]:
    """The lengths of the answers to each question."""
    found: defaultdict[bytes, set[int]] = defaultdict(set)
    for each in ready:
        if each.question and each.template.from_service:
            found[each.question].add(each.template.length)
    return found
