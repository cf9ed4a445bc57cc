"""What a host says twice in a row: payload that it takes for lost, and the same acknowledgment.

The latter opens the window, or says again what is missing (RFC 9293, 3.8.6; RFC 5681, 3.2).

Of each kind of segment it is learnt how often one that follows its like, without anything between
in the connection, is the same again, and that is drawn when it is written.
"""

import random
from collections import Counter
from collections.abc import Sequence

from iotflowgen.packets.headers import Repeat
from iotflowgen.packets.lookahead import Flow
from iotflowgen.packets.ready import Kind, Ready

__all__ = ["RepeatCounts", "Repeats"]


class RepeatCounts:
    """Counts repetitions while captures are read."""

    def __init__(self) -> None:
        self._rows: Counter[Kind] = Counter()
        self._again: Counter[Kind] = Counter()

    def see(self, latest: Kind | None, kind: Kind, *, again: bool) -> None:
        """Note a segment that comes after another one of the connection."""
        if latest == kind:
            self._rows[kind] += 1
            self._again[kind] += again

    def repeats(self) -> tuple[Repeat, ...]:
        """What was repeated, how often."""
        return tuple(
            Repeat(kind=kind, share=count / self._rows[kind])
            for kind, count in self._again.items()
            if count
        )


class Repeats:
    """Draws repetitions while segments are written.

    Args:
        repeats: How often each kind is repeated.
        draws: Draws.
    """

    def __init__(self, repeats: Sequence[Repeat], draws: random.Random) -> None:
        self._shares = {repeat.kind: repeat.share for repeat in repeats}
        self._draws = draws
        self._latest: dict[Flow, tuple[Kind, Ready, bytearray]] = {}

    def plan(self, flows: Sequence[Flow], kinds: Sequence[Kind]) -> list[bool]:
        """Draw which packets of a run say again what the one before them in the connection said."""
        latest = {flow: kind for flow, (kind, *_) in self._latest.items()}
        again = []
        for flow, kind in zip(flows, kinds, strict=True):
            follows = latest.get(flow) == kind and kind in self._shares
            again.append(follows and self._draws.random() < self._shares[kind])
            latest[flow] = kind
        return again

    def latest(self, flow: Flow) -> tuple[Ready, bytearray] | None:
        """The segment of a connection that its next one may repeat; None where it cannot."""
        latest = self._latest.pop(flow, None)
        return latest and latest[1:]

    def note(self, flow: Flow, kind: Kind, ready: Ready, data: bytearray) -> None:
        """Note the latest segment of a connection."""
        if kind in self._shares:
            self._latest[flow] = kind, ready, data

    def forget(self) -> None:
        """Connections of the same ports are others from here on."""
        self._latest.clear()
