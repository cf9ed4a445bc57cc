"""Where in the traffic of captures events show: how far a log is off, and what follows its events.

What follows events is told from what is there anyway by kinds of packets: of one direction,
protocols, service and about one length. At each lag after events it is counted how many of them
such a packet follows; what chance would allow is the number by that kind's rate. The sum, over
kinds, of the logarithms of likelihoods of either (Poisson) says how much events show at a lag.

Shapes: P packets of all captures, in order of time; N events; K kinds; B bins of lags.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.events.matching import matched_in_order
from iotflowgen.traffic import Trace

__all__ = ["Onsets", "Traffic"]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_BIN_NS: Final = 250 * 10**6
_BURST_NS: Final = 2 * 10**9
"""What an event causes begins within so long."""
_LASTS_NS: Final = 10 * 10**9
"""And shows within so long what it is, with pauses: a device that wakes up waits for a lease."""
_CLASSES: Final = 8
"""Classes of lengths, of which the longest is e times the shortest."""
_MOST: Final = 2000
"""Events, spread over all, by which a lag is found."""
_CLEAR: Final = 20.0
"""Nats: what shows as much is no chance."""
_HOURS: Final = tuple(hour for half in range(1, 29) for hour in (-half / 2, half / 2))
"""By which a log may be off whose zone is another."""


@dataclass(frozen=True, eq=False)
class Onsets:
    """What events of one log show in the traffic."""

    lag_ns: Integers
    """From each event to the first packet that it causes (N); 0 where it causes none."""
    has_traffic: NDArray[np.bool_]
    """Whether it causes any (N)."""


class Traffic:
    """Packets of captures, by kinds."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        time_ns = np.concatenate([trace.time_ns for trace in traces])
        self._order = np.argsort(time_ns, kind="stable")
        self.time_ns: Integers = time_ns[self._order]
        kind = np.concatenate([_kinds(trace) for trace in traces])[self._order]
        self._kind = np.unique(kind, axis=0, return_inverse=True)[1].reshape(-1)
        self._kinds = int(self._kind.max()) + 1
        lasts = (int(trace.time_ns[-1] - trace.time_ns[0]) for trace in traces)
        self._lasts_ns = max(sum(lasts), 1)

    def score(
        self, times_ns: Integers, reach_ns: int, blur_ns: int = _BURST_NS
    ) -> tuple[Floats, Integers]:
        """How much events of one name show in what comes at lags from `-reach_ns` to `reach_ns`.

        Args:
            times_ns: When they were noted (N).
            reach_ns: The lags.
            blur_ns: Within so long after a lag, what they cause comes.

        Returns:
            Scores (B), in nats, and the lags (B).
        """
        some = times_ns[:: 1 + len(times_ns) // _MOST]
        after = int(blur_ns // _BIN_NS)
        bins = int(2 * reach_ns // _BIN_NS) + after
        counts, rate = self._counts(some, -reach_ns, bins, blur_ns)
        together = np.cumsum(np.pad(counts, ((0, 0), (1, 0))), axis=1)
        seen = together[:, after:] - together[:, :-after]
        chance = rate[:, None] * len(some) * blur_ns + 0.5
        with np.errstate(divide="ignore", invalid="ignore"):
            gained = np.where(seen > chance, seen * np.log(seen / chance) - (seen - chance), 0)
        lags = -reach_ns + np.arange(seen.shape[1]) * _BIN_NS
        return gained.sum(axis=0), lags

    def hours_off(self, events: Sequence[Integers], reach_ns: int) -> float:
        """By how many hours, 0 for none, a log would have to be later to show far more.

        Args:
            events: Times of the events of each name.
            reach_ns: Lags, at each hour.
        """

        def shows(hours: float) -> float:
            later = (times_ns + int(hours * 3600e9) for times_ns in events)
            return float(np.sum([self.score(each, reach_ns)[0] for each in later], axis=0).max())

        there = {hours: shows(hours) for hours in _HOURS}
        best = max(there, key=lambda hours: there[hours])
        usual = max(shows(0), float(np.median([*there.values()])))
        return best if there[best] > max(2 * usual, _CLEAR) else 0.0

    def onsets(
        self,
        times_ns: Integers,
        name: Integers,
        lag_ns: int,
        blur_ns: int,
        before_ns: int,
        after_ns: int,
    ) -> Onsets:
        """What follows events (N) of one log that begin to show `lag_ns` after their times.

        No two are of the same traffic, and what was done first shows first.

        Args:
            times_ns: When they were noted (N).
            name: What they are, by numbers (N).
            lag_ns: The lag that they have in common.
            blur_ns: On the whole they come within so long.
            before_ns: How much sooner each may show.
            after_ns: How much later.
        """
        parts = []
        for each in np.unique(name).tolist():
            own = np.flatnonzero(name == each)
            event, *found = self._beginnings(times_ns[own] + lag_ns, blur_ns, before_ns, after_ns)
            parts.append((own[event], *found))
        event, packet, shows = (np.concatenate(column) for column in zip(*parts, strict=True))
        rank = np.argsort(np.argsort(times_ns, kind="stable"))
        order = np.lexsort((packet, rank[event]))
        event, packet, shows = event[order], packet[order], shows[order]
        of = matched_in_order(rank[event], packet, shows)
        best, lags = np.zeros(len(times_ns)), np.zeros(len(times_ns), dtype=np.int64)
        best[event[of]] = shows[of]
        lags[event[of]] = self.time_ns[packet[of]] - times_ns[event[of]]
        has = np.zeros(len(times_ns), dtype=bool)
        for each in np.unique(name[best > 0]).tolist():
            own = name == each
            has[own] = best[own] > max(0.25 * np.median(best[own & (best > 0)]), 1.0)
        return Onsets(np.where(has, lags, 0), has)

    def _beginnings(
        self, due_ns: Integers, blur_ns: int, before_ns: int, after_ns: int
    ) -> tuple[Integers, Integers, Floats]:
        """Where traffic begins that events (N) of one name may cause.

        Returns:
            Events, packets, and how much these show that it is so.
        """
        weight = self._weights(due_ns, before_ns, after_ns)
        telling = weight[self._kind]
        # what is there anyway, but by chance more often, does not begin it; nor what goes on, where
        # it is not known to some seconds when something begins
        strong = np.flatnonzero((telling > 0) & (2 * telling >= weight.max(initial=0)))
        is_vague = before_ns + after_ns > _LASTS_NS
        pause_ns = np.diff(self.time_ns[strong], prepend=-(2**62))
        starts = strong[pause_ns > (_BURST_NS if is_vague else 0)]
        start_ns = self.time_ns[starts]
        # amid other traffic it is soon unclear what still is of it
        after_silence = np.diff(start_ns, prepend=-(2**62)) > _BURST_NS
        lasts_ns = np.where(after_silence, _LASTS_NS, _BURST_NS)
        first = np.searchsorted(start_ns, due_ns - before_ns)
        size = np.searchsorted(start_ns, due_ns + after_ns, side="right") - first
        event = np.repeat(np.arange(len(due_ns)), size)
        start = (first - np.cumsum(size) + size)[event] + np.arange(len(event))
        shows = np.zeros(len(starts))
        for at in np.unique(start).tolist():
            end = np.searchsorted(self.time_ns, start_ns[at] + lasts_ns[at])
            shows[at] = weight[np.unique(self._kind[starts[at] : end])].sum()
        # of two that show as much, the one that is due
        off_ns = np.abs(start_ns[start] - due_ns[event] - blur_ns // 2) - blur_ns // 2
        off = np.maximum(off_ns, 0) / (before_ns + after_ns)
        return event, starts[start], shows[start] / (1 + off)

    def _weights(self, times_ns: Integers, before_ns: int, after_ns: int) -> Floats:
        """How much packets of each kind (K) tell of events: the logarithm of a likelihood ratio."""
        bins = max(1, int((before_ns + after_ns) // _BIN_NS))
        some = times_ns[:: 1 + len(times_ns) // _MOST]
        counts, rate = self._counts(some, -before_ns, bins, bins * _BIN_NS)
        seen, chance = counts.sum(axis=1), rate * len(some) * bins * _BIN_NS
        often = seen / len(some)
        ratio = np.log((seen + 0.5) / (chance + 0.5))
        return np.where((often > 0.1) & (seen >= 2), ratio, 0).clip(0)

    def _counts(
        self, times_ns: Integers, from_ns: int, bins: int, apart_ns: int
    ) -> tuple[Floats, Floats]:
        """Events that packets of a kind follow, by kinds and lags (K, B), and rates of kinds (K).

        Those packets count before which there is none of their kind for so long: a burst tells as
        much as one packet.
        """
        groups = np.argsort(self._kind, kind="stable")
        pause_ns = np.diff(self.time_ns[groups], prepend=-(2**62))
        is_new = np.diff(self._kind[groups], prepend=-1) != 0
        alone = np.sort(groups[is_new | (pause_ns > apart_ns)])
        alone_ns, kind = self.time_ns[alone], self._kind[alone]
        first = np.searchsorted(alone_ns, times_ns + from_ns)
        size = np.searchsorted(alone_ns, times_ns + from_ns + bins * _BIN_NS) - first
        event = np.repeat(np.arange(len(times_ns)), size)
        packet = (first - np.cumsum(size) + size)[event] + np.arange(len(event))
        lag = (alone_ns[packet] - times_ns[event] - from_ns) // _BIN_NS
        counts = np.zeros((self._kinds, bins))
        np.add.at(counts, (kind[packet], lag), 1)
        return counts, np.bincount(kind, minlength=self._kinds) / self._lasts_ns


def _kinds(trace: Trace) -> Integers:
    """What tells kinds of packets apart (P, 4)."""
    service = np.minimum(trace.src_port, trace.dst_port)
    length = np.rint(np.log(np.maximum(trace.length, 1)) * _CLASSES)
    columns = (trace.outgoing, trace.protocols, service, length)
    return np.stack([column.astype(np.int64) for column in columns], axis=1)
