"""Periods: what returns by a clock of its own, as beacons and keep-alives do.

The starts of a service are a point process. Its autocorrelogram, how often a start follows another
after a time, stands out over that of a Poisson process of the same rate where there is a period
(Perkel, Gerstein and Moore 1967, "Neuronal spike trains and stochastic point processes"). Of
periods that explain about as much the shortest is taken, as its multiples explain as much; what
keeps to it is set aside, and what is left is looked at again, as in BAYWATCH (Hu et al., DSN 2016).

Unlike the peaks of a periodogram, this stands jitter that adds up, beats that are missed, and
starts in between.

Shapes: S starts in order of time, D differences between two of them.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Period", "find_periods"]

_NEAR: Final = 0.05
"""Of a period: so much earlier or later is still a beat."""
_BIN: Final = 0.01
"""Width of the correlogram's bins, as a share of the time."""
_ORDERS: Final = 32
"""A start is compared with so many after it."""
_LEAST: Final = 8
"""Fewer starts have no period to speak of."""
_SHARE: Final = 0.25
"""Of starts, beyond chance, that another follows one period later."""
_SIGMAS: Final = 5.0
"""That so many are beyond chance; all times that are tried are a few hundred."""
_MISSED: Final = 0.5
"""Of beats: what misses more is the pace inside of something, not a clock."""
_AS_GOOD: Final = 0.8
_CANDIDATES: Final = 12
_PERIODS: Final = 4


class Period(NamedTuple):
    """Something that returns."""

    seconds: float
    jitter: float
    """How far single intervals are off: their standard deviation by the median absolute one, s."""
    missed: float
    """Share of beats, from the first to the last, that there was nothing at."""
    beats: int
    """Starts that keep to it."""
    drift: float
    """How much longer the period of the last quarter of its beats is than that of the first, as a
    share of the period."""


def find_periods(seconds: NDArray[np.float64]) -> list[Period]:
    """Periods of starts (S), in the order in which they stand out; none where there are few.

    Args:
        seconds: When each start is, in order.
    """
    found: list[Period] = []
    while len(seconds) >= _LEAST and len(found) < _PERIODS:
        period = _strongest(seconds)
        if period is None:
            break
        keeps = _followed(seconds, period) | _followed(-seconds[::-1], period)[::-1]
        found.append(_described(seconds[keeps], period))
        seconds = seconds[~keeps]
    return [period for period in found if period.missed < _MISSED]


def _strongest(seconds: NDArray[np.float64]) -> float | None:
    """The shortest of the periods that explain most; None where none does."""
    candidates = [_refined(seconds, each) for each in _peaks(seconds)]
    beyond = [_beyond_chance(seconds, each) for each in candidates]
    best = max(beyond, default=0.0)
    good = [p for p, share in zip(candidates, beyond, strict=True) if share >= _AS_GOOD * best]
    return min(good) if best >= _SHARE else None


def _differences(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each start and those next after it (D)."""
    orders = range(1, min(_ORDERS, len(seconds) - 1) + 1)
    found = np.concatenate([seconds[order:] - seconds[:-order] for order in orders])
    positive: NDArray[np.float64] = found[found > 0]
    return positive


def _peaks(seconds: NDArray[np.float64]) -> list[float]:
    """Times at which the correlogram, on a logarithmic axis, is highest over chance."""
    logs = np.log(_differences(seconds)) / _BIN
    if not len(logs):
        return []
    least = int(np.floor(logs.min()))
    width = 2 * round(_NEAR / _BIN) + 1
    bins = np.bincount((logs - least).astype(np.int64), minlength=width)
    # a triangle has its top where the differences are; a box is as high all around them
    triangle = np.bartlett(width + 2)[1:-1]
    count = np.convolve(bins, triangle, mode="same")
    time = np.exp((np.arange(len(count)) + least + 0.5) * _BIN)
    rate = (len(seconds) - 1) / max(float(np.ptp(seconds)), 1e-9)
    height: NDArray[np.float64] = count / len(seconds) - _NEAR * time * rate
    peaks = []
    for _ in range(_CANDIDATES):
        top = int(np.argmax(height))
        if height[top] <= 0:
            break
        peaks.append(float(time[top]))
        height[max(0, top - width) : top + width + 1] = -np.inf
    return peaks


def _refined(seconds: NDArray[np.float64], period: float) -> float:
    """The median of the differences near a period."""
    differences = _differences(seconds)
    for _ in range(3):
        near = differences[np.abs(differences - period) <= _NEAR * period]
        if len(near):
            period = float(np.median(near))
    return period


def _followed(seconds: NDArray[np.float64], period: float) -> NDArray[np.bool_]:
    """Whether another follows each start (S) one period later."""
    first, last = (
        np.searchsorted(seconds, seconds + (1 + sign * _NEAR) * period) for sign in (-1, 1)
    )
    followed: NDArray[np.bool_] = last > first
    return followed


def _beyond_chance(seconds: NDArray[np.float64], period: float) -> float:
    """Share of starts that another follows one period later, less the share by chance.

    0 where that may be chance. Multiples of a period have more of chance in them.
    """
    could = seconds <= seconds[-1] - (1 + _NEAR) * period
    n = int(np.count_nonzero(could))
    if n < _LEAST // 2:
        return 0.0
    rate = (len(seconds) - 1) / float(np.ptp(seconds))
    chance = -np.expm1(-rate * 2 * _NEAR * period)
    share = float(np.mean(_followed(seconds, period)[could]))
    sigma = np.sqrt(chance * (1 - chance) / n)
    if share - chance < _SIGMAS * sigma:
        return 0.0
    return share - float(chance)


def _described(seconds: NDArray[np.float64], period: float) -> Period:
    """A period, by the starts that keep to it (S)."""
    gaps = np.diff(seconds)
    steps = np.rint(gaps / period)
    beats = gaps[np.abs(gaps - period) <= 2 * _NEAR * period]
    deviation = np.abs(beats - np.median(beats)) if len(beats) else np.zeros(1)
    quarter = max(1, len(beats) // 4)
    ends = (np.mean(beats[-quarter:]), np.mean(beats[:quarter])) if len(beats) else (0.0, 0.0)
    return Period(
        seconds=period,
        jitter=1.4826 * float(np.median(deviation)),
        missed=float(np.maximum(steps - 1, 0).sum() / max(1.0, steps.sum())),
        beats=len(seconds),
        drift=float((ends[0] - ends[1]) / period),
    )
