"""What a host says again: payload that it takes for lost, and the same acknowledgment.

The latter opens the window, or says again what is missing or came twice (RFC 9293, 3.8.6; RFC 5681,
3.2; RFC 2883).

Of each kind of segment it is learnt how often it says again what its sender said last: right after
its like; payload also after others, if it is of the kind that its sender said last; and an
acknowledgment also after others, if its sender has heard something twice. When it is written, that
is drawn.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence

from iotflowgen.packets.connections import Conversation, Sent
from iotflowgen.packets.headers import Kind, Repeat
from iotflowgen.packets.kinds import Kinds
from iotflowgen.packets.lookahead import Flow
from iotflowgen.packets.ready import Ready

__all__ = ["RepeatCounts", "Repeats"]


class RepeatCounts:
    """Counts repetitions while captures are read."""

    def __init__(self) -> None:
        self._rows: Counter[tuple[Kind, bool]] = Counter()
        self._again: Counter[tuple[Kind, bool]] = Counter()

    def see(self, kind: Kind, *, follows: bool, again: bool) -> None:
        """Note a segment that may say again what its sender said last.

        Args:
            kind: Its kind.
            follows: It comes right after its like.
            again: It does say that.
        """
        self._rows[kind, follows] += 1
        self._again[kind, follows] += again

    def repeats(self) -> tuple[Repeat, ...]:
        """What was repeated, how often."""
        return tuple(
            Repeat(kind=row[0], follows=row[1], share=count / self._rows[row])
            for row, count in self._again.items()
            if count
        )


class Repeats:
    """Draws repetitions while segments are written.

    Args:
        repeats: How often each kind is repeated.
        kinds: Tells which are without payload, and may probe.
        draws: Draws.
    """

    def __init__(self, repeats: Sequence[Repeat], kinds: Kinds, draws: random.Random) -> None:
        self._shares = {(repeat.kind, repeat.follows): repeat.share for repeat in repeats}
        self._repeated = {repeat.kind for repeat in repeats}
        self._kinds = kinds
        self._draws = draws

    def plan(
        self,
        flows: Sequence[Flow],
        kinds: Sequence[Kind],
        known: Callable[[Flow], Conversation | None],
    ) -> list[bool]:
        """Draw which packets of a run say again what their senders said last.

        Args:
            flows: Of which connections the packets are.
            kinds: Of which kinds.
            known: Tells connections from before.
        """
        if not self._shares:
            return [False] * len(flows)
        latest, payload = self._before(flows, known)
        heard_twice: Counter[tuple[Flow, bool]] = Counter()
        again: list[bool] = []
        for flow, kind in zip(flows, kinds, strict=True):
            mine, follows = (flow, kind[1]), latest.get(flow) == kind
            is_bare = self._kinds.is_bare(kind)
            if is_bare:
                may = mine in payload and (follows or heard_twice[mine] > 0)
            else:
                may = payload.get(mine) == kind
            share = self._shares.get((kind, follows), 0) if may else 0
            says_again = share > 0 and self._draws.random() < share
            if says_again and is_bare:
                heard_twice[mine] -= 1
            elif says_again:
                heard_twice[flow, not kind[1]] += 1
            # an acknowledgment is hardly said three times
            latest[flow] = None if says_again and is_bare else kind
            payload[mine] = payload.get(mine) if is_bare else kind
            again.append(says_again)
        return again

    def _before(
        self, flows: Sequence[Flow], known: Callable[[Flow], Conversation | None]
    ) -> tuple[dict[Flow, Kind | None], dict[tuple[Flow, bool], Kind | None]]:
        """The kinds of connections' last segments, and of either end's last with payload."""
        latest: dict[Flow, Kind | None] = {}
        payload: dict[tuple[Flow, bool], Kind | None] = {}
        for flow in set(flows):
            if conversation := known(flow):
                latest[flow] = conversation.latest
                for outgoing, side in enumerate(conversation.ends):
                    if side.said:
                        payload[flow, bool(outgoing)] = side.sent and side.sent.kind
        return latest, payload

    def note(self, conversation: Conversation, kind: Kind, ready: Ready, data: bytearray) -> None:
        """Note payload that may be sent again."""
        repeated = kind in self._repeated
        conversation.ends[kind[1]].sent = Sent(kind, ready, data) if repeated else None
