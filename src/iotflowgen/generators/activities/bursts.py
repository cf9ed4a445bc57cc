"""Activities: units that start together, again and again.

Units of two kinds belong together if most of either begin while, or just after, the other kind does
something. By chance, what a clock starts meets everything else now and then, and stays alone.

Shapes: U units; A activities; K kinds of activities.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iotflowgen.generators.activities.units import Units
from iotflowgen.generators.redrawn import numbered

__all__ = ["Bursts", "find_bursts"]

_TOGETHER_NS = 10**9
"""A unit that begins so soon after another has ended may belong to it."""
_BEFORE = 8
"""Units before each one that it is compared with."""
_MOSTLY = 0.4
"""Of the units of a kind are near one of another kind, where these belong together."""
_FEW = 3
"""Activities of a kind, at least; fewer are of the kind that is next in size."""


@dataclass(frozen=True, eq=False)
class Bursts:
    """Activities that captures show (A), in the order in which they begin."""

    of_unit: NDArray[np.int64]
    """Which activity each unit is of (U)."""
    begin_ns: NDArray[np.int64]
    """When it begins (A)."""
    end_ns: NDArray[np.int64]
    """And ends (A)."""
    kind: NDArray[np.int64]
    """What it is (A), from 0 to K - 1."""

    def __len__(self) -> int:
        return len(self.begin_ns)


def find_bursts(units: Units, capture: NDArray[np.int64]) -> Bursts:
    """Join units that belong together, of captures (U)."""
    number = np.arange(len(units))
    pairs = _near(units, capture)
    joined = pairs[:, _belong(units.kind, pairs)]
    root = _components(number, joined)
    _, of_unit = np.unique(root, return_inverse=True)
    begin_ns = np.full(of_unit.max(initial=-1) + 1, np.iinfo(np.int64).max)
    end_ns = np.zeros_like(begin_ns)
    np.minimum.at(begin_ns, of_unit, units.begin_ns)
    np.maximum.at(end_ns, of_unit, units.end_ns)
    return Bursts(of_unit, begin_ns, end_ns, _kinds(units, of_unit))


def _near(units: Units, capture: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of units (2, X), the earlier one first, that may belong together."""
    found = []
    for back in range(1, _BEFORE + 1):
        later = np.arange(back, len(units))
        earlier = later - back
        near = units.begin_ns[later] <= units.end_ns[earlier] + _TOGETHER_NS
        near &= units.begin_ns[later] <= units.begin_ns[earlier] + 10 * _TOGETHER_NS
        near &= capture[later] == capture[earlier]
        found.append(np.stack([earlier[near], later[near]]))
    return np.concatenate(found, axis=1)


def _belong(kind: NDArray[np.int64], pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether pairs of units (2, X) are of kinds that are mostly found together (X)."""
    count = np.bincount(kind)
    earlier, later = kind[pairs]
    both = numbered([earlier, later])
    # a unit counts once, however many of the other kind are near
    shares = []
    for side, own in zip(pairs, (earlier, later), strict=True):
        one = np.unique(np.stack([both, side]), axis=1)[0]
        shares.append(np.bincount(one, minlength=both.max(initial=-1) + 1)[both] / count[own])
    belong: NDArray[np.bool_] = np.maximum(*shares) >= _MOSTLY
    return belong


def _components(number: NDArray[np.int64], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The least unit (U) that each is joined to by pairs (2, X), directly or by others."""
    root = number.copy()
    while True:
        least = root.copy()
        np.minimum.at(least, pairs[1], root[pairs[0]])
        np.minimum.at(least, pairs[0], root[pairs[1]])
        least = least[least]
        if np.array_equal(least, root):
            return root
        root = least


def _kinds(units: Units, of_unit: NDArray[np.int64]) -> NDArray[np.int64]:
    """The kind of each activity (A): by the kinds of its units, or the nearest that recurs."""
    activities = int(of_unit.max(initial=-1)) + 1
    rows = np.unique(np.stack([of_unit, units.kind]), axis=1)
    # a set of kinds is told by the sum of a number drawn for each
    code = np.random.default_rng(0).integers(2**62, size=units.kind.max(initial=-1) + 1)
    told = np.zeros(activities, dtype=np.int64)
    np.add.at(told, rows[0], code[rows[1]] >> 8)
    kind = numbered([told])
    count = np.bincount(kind)
    rare = count[kind] < _FEW
    if not rare.any():
        return kind
    # of its leading unit's kind: that of the first one
    lead = np.full(activities, len(units))
    np.minimum.at(lead, of_unit, np.arange(len(units)))
    leads = units.kind[lead]
    for each in np.unique(leads[rare]).tolist():
        own = leads == each
        common = kind[own & ~rare]
        to = np.bincount(common).argmax() if len(common) else kind[own & rare][0]
        kind[own & rare] = to
    return numbered([kind])
