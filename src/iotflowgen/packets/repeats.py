"""What a host says again: payload that it takes for lost, and the same acknowledgment.

The latter opens the window, or says again what is missing or came twice (RFC 9293, 3.8.6; RFC 5681,
3.2; RFC 2883).

Of each kind of segment it is learnt how often it says again what its sender said last, and after
how long: right after its like; payload also after others, if it is of the kind that its sender said
last; and an acknowledgment also after others, if its sender has heard something twice. Of an
acknowledgment that depends on whether there is something new to acknowledge. When it is written,
that is drawn. Payload whose kind was never where it might have been said again is said again as
often as payload of any length.
"""

import random
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from iotflowgen.packets.connections import Sent, Side
from iotflowgen.packets.headers import Kind, Repeat, of_any_length
from iotflowgen.packets.kinds import Usual
from iotflowgen.packets.lookahead import Flow
from iotflowgen.packets.ready import Ready

__all__ = ["Case", "RepeatCounts", "Repeats"]

Case = tuple[Kind, bool, bool]
"""Of what kind a segment is, whether it comes right after its like, and whether it is an
acknowledgment that has something new to acknowledge."""

_MOST: Final = 5000
"""Connections, and kinds, that are known; of more, those used longest ago are forgotten."""
_ABOUT: Final = 2
"""Times as soon or as late as was seen, something may be said again."""


class RepeatCounts:
    """Counts repetitions while captures are read."""

    def __init__(self) -> None:
        self._after_ns: defaultdict[tuple[Case, bool], list[int]] = defaultdict(list)

    def see(self, case: Case, after_ns: int, *, again: bool) -> None:
        """Note a segment that may say again what its sender said last.

        Args:
            case: What it is, and when.
            after_ns: How long ago that was.
            again: It does say that.
        """
        self._after_ns[case, again].append(after_ns)

    def repeats(self) -> tuple[Repeat, ...]:
        """What was repeated, how often; and what might have been, and was not."""
        return tuple(map(self._repeat, dict.fromkeys(case for case, _ in self._after_ns)))

    def _repeat(self, case: Case) -> Repeat:
        repeated, others = (self._after_ns.get((case, again), []) for again in (True, False))
        soonest_ns = min(repeated, default=0) // _ABOUT
        latest_ns = max(repeated, default=0) * _ABOUT
        count = len(repeated) + sum(soonest_ns <= ns <= latest_ns for ns in others)
        kind, follows, waits = case
        return Repeat(
            kind=kind,
            follows=follows,
            waits=waits,
            soonest_ns=soonest_ns,
            latest_ns=latest_ns,
            share=len(repeated) / max(count, 1),
        )


class _End:
    """What one end of a connection has said and heard."""

    sent_ns: int = -1
    """When it sent its last segment; -1 before the first."""
    payload: Kind | None = None
    """Of its last segment with payload."""
    payload_ns: int = 0
    """When it sent that."""
    heard_twice: int = 0
    """How many times it has, and has not said so."""
    unheard: int = 0
    """Segments that the other has sent since it acknowledged."""


class _Exchange:
    """A connection as far as it was planned: of the peer, and of the device."""

    __slots__ = ("ends", "latest")

    def __init__(self) -> None:
        self.ends = [_End(), _End()]
        self.latest: Kind | None = None
        """Of its last segment."""


class Repeats:
    """Draws repetitions while segments are written.

    Args:
        repeats: How often each kind is repeated.
        draws: Draws.
    """

    def __init__(self, repeats: Sequence[Repeat], draws: random.Random) -> None:
        self._known = {(each.kind, each.follows, each.waits): each for each in repeats}
        self._repeated = {repeat.kind for repeat in repeats if repeat.share}
        self._may_repeat = lru_cache(_MOST)(self._find_may_repeat)
        self._draws = draws
        self._exchanges: OrderedDict[Flow, _Exchange] = OrderedDict()

    def begin(self) -> None:
        """A run begins, which knows nothing of the connections before it."""
        self._exchanges.clear()

    def plan(
        self,
        flows: Sequence[Flow],
        kinds: Sequence[Kind],
        usual: Sequence[Usual],
        times_ns: Sequence[int],
    ) -> list[bool]:
        """Draw which packets of a run say again what their senders said last.

        Args:
            flows: Of which connections the packets are.
            kinds: Of which kinds.
            usual: What most packets of these are.
            times_ns: When they are sent.
        """
        if not self._known:
            return [False] * len(flows)
        return [*map(self._says_again, flows, kinds, usual, times_ns)]

    def _says_again(self, flow: Flow, kind: Kind, usual: Usual, time_ns: int) -> bool:
        """Whether the next packet does."""
        exchange = self._exchange(flow)
        mine, other = exchange.ends[kind[1]], exchange.ends[not kind[1]]
        follows, is_bare = exchange.latest == kind, usual.is_bare
        if is_bare:
            said_ns, may = mine.sent_ns, mine.sent_ns >= 0 and (follows or mine.heard_twice > 0)
        else:
            said_ns, may = mine.payload_ns, mine.payload == kind
        waits = is_bare and mine.unheard > 0
        repeat = self._known.get((kind, follows, waits)) if may else None
        if may and repeat is None and not is_bare:
            repeat = self._known.get((of_any_length(kind), follows, waits))
        says_again = repeat is not None and (
            repeat.soonest_ns <= time_ns - said_ns <= repeat.latest_ns
            and self._draws.random() < repeat.share
        )
        if says_again and is_bare:
            mine.heard_twice -= 1
        elif says_again:
            other.heard_twice += 1
        elif is_bare:
            mine.unheard -= mine.unheard > 0
        else:
            mine.unheard, other.unheard = 0, other.unheard + 1
        # an acknowledgment is hardly said three times
        exchange.latest = None if says_again and is_bare else kind
        mine.sent_ns = time_ns
        if not is_bare:
            mine.payload, mine.payload_ns = kind, time_ns
        return says_again

    def _exchange(self, flow: Flow) -> _Exchange:
        """The connection that a packet goes on with, or begins."""
        exchange = self._exchanges.get(flow)
        if exchange is None:
            exchange = self._exchanges[flow] = _Exchange()
        self._exchanges.move_to_end(flow)
        if len(self._exchanges) > _MOST:
            self._exchanges.popitem(last=False)
        return exchange

    def note(self, side: Side, kind: Kind, ready: Ready, data: bytearray) -> None:
        """Note payload that may be sent again."""
        side.sent = Sent(kind, ready, data) if self._may_repeat(kind) else None

    def _find_may_repeat(self, kind: Kind) -> bool:
        """Whether payload of a kind may be said again."""
        return kind in self._repeated or of_any_length(kind) in self._repeated
