"""Gradient boosting over hours, or minutes: what a device does when, rather than packet by packet.

A decoy that repeats itself, or that does the right things at wrong times, is found by whoever
watches long enough, however good its packets are. Of each stretch, and of each service in it, this
one sees how much is sent and received, how far apart bursts begin, and how they keep to the period,
and in phase, that the real traffic has. Which phase that is against the clock it does not see: that
is of when a device was switched on, and says which one it is, not whether it is real.

Shapes: N stretches, P packets of all of them, B bins of a stretch, K services, F features.
"""

from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from iotflowgen.adversaries.adversary import check_both_kinds
from iotflowgen.adversaries.boosting import BoostedTrees
from iotflowgen.traffic import Stretches, find_periods

__all__ = ["Rhythm", "RhythmOfMinutes"]

_BINS: Final = 60
"""Parts of a stretch: minutes of an hour."""
_SERVICES: Final = 12
"""That are looked at by themselves: those with most bursts."""
_HOUR_NS: Final = 3600 * 10**9
_DIGITS: Final = 3
_QUANTILES: Final = (0, 0.25, 0.5, 0.75, 0.9, 1)


class _Known(NamedTuple):
    """A service, and the period that stands out most in it, in seconds."""

    service: int
    period: float | None


class Rhythm(BoostedTrees[Stretches]):
    """Histogram gradient boosting over hours."""

    name = "rhythm"
    stretch_ns = _HOUR_NS
    leaf = 5  # a week has 168 hours, not thousands

    def fit(self, windows: Stretches, synthetic: NDArray[np.bool_]) -> Self:
        """Learn from stretches (N) and which of them are synthetic (N).

        Raises:
            EvaluationError: All of them are, or none is.
        """
        check_both_kinds(synthetic)
        self._known = _known(windows[~synthetic])
        return super().fit(windows, synthetic)

    def rows(self, windows: Stretches) -> NDArray[np.float64]:
        """What trees learn from (N, F)."""
        columns = [*_totals(windows), *_amounts(windows)]
        for known in self._known:
            columns += _of_service(windows, known)
        return np.column_stack(columns)


class RhythmOfMinutes(Rhythm):
    """The same over five minutes."""

    name = "rhythm-minutes"
    stretch_ns = _HOUR_NS // 12


def _known(stretches: Stretches) -> list[_Known]:
    """The services with most bursts, and their periods."""
    begins = np.flatnonzero(stretches.begins)
    services, count = np.unique(stretches.service[begins], return_counts=True)
    chosen = services[np.argsort(-count, kind="stable")[:_SERVICES]]
    time_ns = stretches.start_ns[stretches.stretch[begins]] + stretches.time_ns[begins]
    known = []
    for service in chosen.tolist():
        own_ns = np.sort(time_ns[stretches.service[begins] == service])
        periods = find_periods((own_ns - own_ns[0]) / 1e9)
        known.append(_Known(service, periods[0].seconds if periods else None))
    return known


def _totals(stretches: Stretches) -> list[NDArray[np.float64]]:
    """The hour of the day, and how packets and bursts lie in time: each (N)."""
    n, stretch = len(stretches), stretches.stretch
    hour = stretches.start_ns % (24 * _HOUR_NS) / _HOUR_NS
    begins = np.flatnonzero(stretches.begins)
    pairs = np.unique(np.stack([stretch, stretches.service]), axis=1)[0]
    return [
        hour,
        stretches.packets.astype(np.float64),
        np.bincount(stretch[begins], minlength=n).astype(np.float64),
        np.bincount(pairs, minlength=n).astype(np.float64),
        *_gaps(stretch, stretches.time_ns, n),
        *_gaps(stretch[begins], stretches.time_ns[begins], n),
    ]


def _amounts(stretches: Stretches) -> list[NDArray[np.float64]]:
    """Packets and bytes of each direction by the minute, summed up: each (N)."""
    n, columns = len(stretches), []
    width_ns = stretches.length_ns // _BINS
    place = stretches.stretch * _BINS + np.minimum(stretches.time_ns // width_ns, _BINS - 1)
    for side in (stretches.outgoing, ~stretches.outgoing):
        for weight in (np.ones(side.sum()), stretches.length[side].astype(np.float64)):
            of_NB = np.bincount(place[side], weight, minlength=n * _BINS).reshape(n, _BINS)
            logs_NB = np.log1p(of_NB)
            later, earlier = logs_NB[:, 1:], logs_NB[:, :-1]
            columns += [
                of_NB.sum(axis=1),
                of_NB.max(axis=1),
                logs_NB.mean(axis=1),
                logs_NB.std(axis=1),
                (of_NB == 0).mean(axis=1),
                np.abs(later - earlier).mean(axis=1),
                *np.quantile(of_NB, _QUANTILES[1:-1], axis=1),
            ]
    return columns


def _of_service(stretches: Stretches, known: _Known) -> list[NDArray[np.float64]]:
    """How much of a service there is, when its bursts begin, how they keep its period: each (N)."""
    n = len(stretches)
    own = np.flatnonzero(stretches.service == known.service)
    begins = own[stretches.begins[own]]
    stretch, time_ns = stretches.stretch[begins], stretches.time_ns[begins]
    columns: list[NDArray[Any]] = [
        np.bincount(stretches.stretch[rows], weight, minlength=n)
        for rows, weight in (
            (begins, None),
            (own, None),
            *((side, stretches.length[side]) for side in _sides(own, stretches.outgoing)),
        )
    ]
    columns += _gaps(stretch, time_ns, n)
    if known.period is not None:
        period_ns = known.period * 1e9
        turn = np.exp(2j * np.pi * time_ns / period_ns)
        count = np.maximum(np.bincount(stretch, minlength=n), 1)
        phase = np.bincount(stretch, turn.real, n) + 1j * np.bincount(stretch, turn.imag, n)
        follows = np.diff(stretch) == 0
        off = np.abs(np.diff(time_ns)[follows] / period_ns - 1)
        of, gaps = stretch[1:][follows], np.maximum(count - 1, 1)
        columns += [
            np.abs(phase) / count,
            np.bincount(of, off < 0.01, n) / gaps,
            np.bincount(of, off < 0.1, n) / gaps,
        ]
    return [column.astype(np.float64) for column in columns]


def _sides(
    rows: NDArray[np.int64], outgoing: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return rows[outgoing[rows]], rows[~outgoing[rows]]


def _gaps(
    stretch: NDArray[np.int64], time_ns: NDArray[np.int64], n: int
) -> list[NDArray[np.float64]]:
    """Quantiles of the times between some packets: each (N); NaN, for missing, without any."""
    follows = np.diff(stretch) == 0
    # rounded, for the resolution of a clock is the capture's, not the device's
    logs = np.round(np.log10(np.maximum(np.diff(time_ns)[follows], 1000)), _DIGITS)
    of = stretch[1:][follows]
    order = np.lexsort((logs, of))
    logs, count = logs[order], np.bincount(of, minlength=n)
    begin = np.cumsum(count) - count
    columns = []
    for quantile in _QUANTILES:
        at = begin + np.rint(quantile * np.maximum(count - 1, 0)).astype(np.int64)
        value = logs[np.minimum(at, len(logs) - 1)] if len(logs) else np.zeros(n)
        columns.append(np.where(count > 0, value, np.nan))
    return columns
