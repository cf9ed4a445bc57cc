"""What a host says again: payload that it takes for lost, and the same acknowledgment.

The latter opens the window, or says again what is missing or came twice (RFC 9293, 3.8.6; RFC 5681,
3.2; RFC 2883).

Of each kind of segment it is learnt how often it says again what its sender said last, and after
how long: right after its like; payload also after others, if it is of the kind that its sender said
last; and an acknowledgment also after others, if its sender has heard something twice. Of an
acknowledgment that depends on whether there is something new to acknowledge. When it is written,
that is drawn.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from iotflowgen.packets.connections import Conversation, Sent
from iotflowgen.packets.headers import Kind, Repeat
from iotflowgen.packets.lookahead import Flow
from iotflowgen.packets.ready import Ready

__all__ = ["Case", "RepeatCounts", "Repeats"]

_Sender = tuple[Flow, bool]
"""One end of a connection: whether it is the device's."""

Case = tuple[Kind, bool, bool]
"""Of what kind a segment is, whether it comes right after its like, and whether it is an
acknowledgment that has something new to acknowledge."""

_NOTHING: tuple[Kind | None, int] = None, 0
"""Payload of which nothing is known, and when it was sent."""
_ABOUT = 2
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
        """What was repeated, how often."""
        return tuple(self._repeat(case) for case, again in [*self._after_ns] if again)

    def _repeat(self, case: Case) -> Repeat:
        repeated, others = (self._after_ns[case, again] for again in (True, False))
        soonest_ns, latest_ns = min(repeated) // _ABOUT, max(repeated) * _ABOUT
        count = len(repeated) + sum(soonest_ns <= ns <= latest_ns for ns in others)
        kind, follows, waits = case
        return Repeat(
            kind=kind,
            follows=follows,
            waits=waits,
            soonest_ns=soonest_ns,
            latest_ns=latest_ns,
            share=len(repeated) / count,
        )


class Repeats:
    """Draws repetitions while segments are written.

    Args:
        repeats: How often each kind is repeated.
        draws: Draws.
    """

    def __init__(self, repeats: Sequence[Repeat], draws: random.Random) -> None:
        self._known = {(each.kind, each.follows, each.waits): each for each in repeats}
        self._repeated = {repeat.kind for repeat in repeats}
        self._draws = draws

    def plan(
        self,
        flows: Sequence[Flow],
        kinds: Sequence[Kind],
        bare: Sequence[bool],
        times_ns: Sequence[int],
        known: Callable[[Flow], Conversation | None],
    ) -> list[bool]:
        """Draw which packets of a run say again what their senders said last.

        Args:
            flows: Of which connections the packets are.
            kinds: Of which kinds.
            bare: Which of them are without payload.
            times_ns: When they are sent.
            known: Tells connections from before.
        """
        if not self._known:
            return [False] * len(flows)
        latest, sent_ns, payload = self._before(flows, known)
        heard_twice: Counter[_Sender] = Counter()
        unheard: Counter[_Sender] = Counter()
        again: list[bool] = []
        for flow, kind, is_bare, time_ns in zip(flows, kinds, bare, times_ns, strict=True):
            mine, other, follows = (flow, kind[1]), (flow, not kind[1]), latest.get(flow) == kind
            said, said_ns = payload.get(mine, _NOTHING)
            if is_bare:
                said_ns = sent_ns.get(mine, 0)
                may = mine in payload and (follows or heard_twice[mine] > 0)
            else:
                may = said == kind
            waits = is_bare and unheard[mine] > 0
            repeat = self._known.get((kind, follows, waits)) if may else None
            says_again = repeat is not None and (
                repeat.soonest_ns <= time_ns - said_ns <= repeat.latest_ns
                and self._draws.random() < repeat.share
            )
            if says_again and is_bare:
                heard_twice[mine] -= 1
            elif says_again:
                heard_twice[other] += 1
            elif is_bare:
                unheard[mine] -= unheard[mine] > 0
            else:
                unheard[mine], unheard[other] = 0, unheard[other] + 1
            # an acknowledgment is hardly said three times
            latest[flow] = None if says_again and is_bare else kind
            sent_ns[mine] = time_ns
            payload[mine] = payload.get(mine, _NOTHING) if is_bare else (kind, time_ns)
            again.append(says_again)
        return again

    def _before(
        self, flows: Sequence[Flow], known: Callable[[Flow], Conversation | None]
    ) -> tuple[dict[Flow, Kind | None], dict[_Sender, int], dict[_Sender, tuple[Kind | None, int]]]:
        """The kinds of connections' last segments, when either end sent one, and with payload."""
        latest: dict[Flow, Kind | None] = {}
        sent_ns: dict[_Sender, int] = {}
        payload: dict[_Sender, tuple[Kind | None, int]] = {}
        for flow in set(flows):
            if conversation := known(flow):
                latest[flow] = conversation.latest
                for outgoing, side in enumerate(conversation.ends):
                    if side.said:
                        sent, mine = side.sent, (flow, bool(outgoing))
                        payload[mine] = (sent.kind, sent.time_ns) if sent else _NOTHING
                        sent_ns[mine] = side.sent_ns
        return latest, sent_ns, payload

    def note(
        self, conversation: Conversation, kind: Kind, ready: Ready, data: bytearray, time_ns: int
    ) -> None:
        """Note payload that may be sent again."""
        sent = Sent(kind, ready, data, time_ns) if kind in self._repeated else None
        conversation.ends[kind[1]].sent = sent
