"""Which event it was, by what came after it: a classifier that is trained on real traffic.

A random forest, as in IoT Sentinel, over how many packets of each kind come in the seconds after an
event, or after a moment at which nothing happened. Trained on G, it is scored on H, and on
generated events: these are taken for what they are as often as real ones, where they look alike.

Shapes: V moments, K kinds of packets.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score

from iotflowgen.errors import EvaluationError
from iotflowgen.traffic import Event, Trace, find_bursts

__all__ = ["IDLE", "EventClassifier", "idle_moments"]

IDLE: Final = "idle"
"""What moments are called at which nothing happened."""
_WINDOW_NS: Final = 15 * 10**9
_BEFORE_NS: Final = 2 * 10**9
_APART_NS: Final = 60 * 10**9
_STEP: Final = 16
"""Bytes of a length that are taken for the same."""
_KINDS: Final = 200
_LEAST: Final = 5
"""Events of a name, to learn it from."""


def idle_moments(
    trace: Trace, events: Sequence[Event], n: int, rng: np.random.Generator
) -> list[Event]:
    """Moments of a capture that are a minute from every event, `n` at most."""
    times = np.array([event.time_ns for event in events], dtype=np.int64)
    drawn = np.sort(rng.integers(trace.time_ns[0], trace.time_ns[-1], 20 * n))
    apart = [t for t in drawn.tolist() if np.all(np.abs(times - t) > _APART_NS)]
    chosen = rng.permutation(len(apart))[:n]
    return [Event(apart[i], IDLE) for i in sorted(chosen.tolist())]


class EventClassifier:
    """Tells events, and moments without any, by their packets."""

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, trace: Trace, moments: Sequence[Event]) -> Self:
        """Learn from moments (V) of a capture; names of fewer than five are let be.

        Raises:
            EvaluationError: There are not two names left.
        """
        count = Counter(moment.name for moment in moments)
        self.names = tuple(sorted(name for name, n in count.items() if n >= _LEAST))
        if len(self.names) < 2:
            raise EvaluationError(
                f"fewer than {_LEAST} events of a name are too few to learn it; give more"
            )
        known = [moment for moment in moments if moment.name in self.names]
        kinds = _kinds(trace)[_near(trace, known)]
        self._kinds = np.array([kind for kind, _ in Counter(kinds.tolist()).most_common(_KINDS)])
        self._forest = RandomForestClassifier(class_weight="balanced", random_state=self.seed)
        self._forest.fit(self._rows(trace, known), [moment.name for moment in known])
        return self

    def score(self, trace: Trace, moments: Sequence[Event]) -> float | None:
        """Share of moments (V) told right, the mean over the names that were learnt; 0 to 1.

        None where there are no such moments.
        """
        known = [moment for moment in moments if moment.name in self.names]
        if not known:
            return None
        said = self._forest.predict(self._rows(trace, known))
        return float(balanced_accuracy_score([moment.name for moment in known], said))

    def _rows(self, trace: Trace, moments: Sequence[Event]) -> NDArray[np.int64]:
        """How many packets of each kind, and in all, each moment has (V, K + 1)."""
        kinds = _kinds(trace)
        rows = np.zeros((len(moments), len(self._kinds) + 1), dtype=np.int64)
        for row, moment in zip(rows, moments, strict=True):
            own = kinds[_window(trace, moment)]
            row[:-1] = (own[:, None] == self._kinds).sum(axis=0)
            row[-1] = len(own)
        return rows


def _kinds(trace: Trace) -> NDArray[np.int64]:
    """What service packets are of, by whom, and about how long."""
    service = find_bursts(trace).service
    kinds: NDArray[np.int64] = (service * 2 + trace.outgoing) * 2**14 + trace.length // _STEP
    return kinds


def _near(trace: Trace, moments: Sequence[Event]) -> NDArray[np.int64]:
    """Packets that come after the moments."""
    places = [np.arange(*_window(trace, each).indices(len(trace))) for each in moments]
    return np.concatenate([np.zeros(0, dtype=np.int64), *places])


def _window(trace: Trace, moment: Event) -> slice:
    bounds = moment.time_ns - _BEFORE_NS, moment.time_ns + _WINDOW_NS
    return slice(*np.searchsorted(trace.time_ns, bounds).tolist())
