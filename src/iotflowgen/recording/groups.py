"""Grouped columns: what came before within the same flow, host or direction, for all rows at once.

Rows of a group are interleaved with others, in the order of time. Everything here is a stable sort
and a sum or a maximum along it, without a loop over rows.

Shapes: E rows.
"""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["Groups"]


class Groups:
    """Groups of rows (E): those with equal keys."""

    def __init__(self, key: Integers) -> None:
        """Sort by `key` (E), keeping the order of rows within a group."""
        self._order = np.argsort(key, kind="stable")
        rising = key[self._order]
        self._begins = np.ones(len(key), dtype=bool)
        self._begins[1:] = rising[1:] != rising[:-1]

    def __len__(self) -> int:
        return len(self._order)

    @cached_property
    def _group(self) -> Integers:
        """Numbers of groups, along the order."""
        group: Integers = np.cumsum(self._begins) - 1
        return group

    @cached_property
    def _starts(self) -> Integers:
        """Where the group of each place of the order begins."""
        return np.flatnonzero(self._begins)[self._group]

    @cached_property
    def number(self) -> Integers:
        """The number of each row's group, from 0 on (E)."""
        return self._back(self._group)

    @cached_property
    def is_first(self) -> Flags:
        """Whether no row of its group comes before (E)."""
        return self._back(self._begins)

    def _back(self, along: NDArray[Any]) -> NDArray[Any]:
        """What stands along the order, row by row."""
        rows = np.empty_like(along)
        rows[self._order] = along
        return rows

    def sum(self, value: Integers) -> Integers:
        """The sum of `value` (E) over the rows of the group up to each, itself included (E)."""
        along = value[self._order]
        total: Integers = np.cumsum(along)
        return self._back(total - (total - along)[self._starts])

    def previous(self, value: NDArray[Any], first: Any) -> NDArray[Any]:  # noqa: ANN401
        """The value (E) of the row before in the group; `first` where there is none."""
        along = value[self._order]
        before = np.empty_like(along)
        before[1:] = along[:-1]
        return self._back(np.where(self._begins, first, before).astype(value.dtype))

    def latest(self, where: Flags) -> Integers:
        """The latest row of the group, itself included, that `where` (E) names; -1 for none (E)."""
        place = np.where(where[self._order], np.arange(len(self)), -1)
        found = np.maximum.accumulate(place)
        found = np.where(found >= self._starts, found, -1)
        return self._back(np.where(found >= 0, self._order[found], -1))

    def greatest(self, value: Integers) -> Integers:
        """The greatest value (E) of the group up to each row, itself included (E).

        Values of a group must be less than 2^33 apart: no flow has 8 GB between two of its packets.
        """
        along = value[self._order]
        # each group is lifted above the one before, so that one running maximum serves all
        base = along[self._starts]
        lift = (self._group + 1) << 34
        raised = np.maximum.accumulate(along - base + lift)
        return self._back(raised - lift + base)

    def clamped(self, low: Integers, high: Integers, step: Integers) -> Integers:
        """What grows by `step` from row to row of a group, and is kept from `low` to `high` (E).

        In the first row of a group it is `low`, which is to be `high` there.
        """
        low, high, step = (column[self._order] for column in (low, high, step))
        # such steps, one after another, make one of their kind
        reach = 1
        while reach < len(self) and (low < high).any():
            before = (low[:-reach], high[:-reach], step[:-reach])
            least, most = (
                np.clip(bound + step[reach:], low[reach:], high[reach:]) for bound in before[:2]
            )
            total = before[2] + step[reach:]
            low, high, step = (
                np.concatenate([column[:reach], joined])
                for column, joined in ((low, least), (high, most), (step, total))
            )
            reach *= 2
        return self._back(low)
