"""Connections that outlast activities: which one each activity of a stream goes on with.

Shapes: X connections of activities, in the order in which they are first used; P packets.
"""

from collections.abc import Container
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Portions", "Threads"]

_NONE = -1
_NO_THREAD = _NONE, 0
_AFTER_NS = 10**8  # that a connection is used again after
_OPENING_NS = 10 * 10**9  # that it takes at most to open one


@dataclass(frozen=True, eq=False)
class Portions:
    """What captured packets say of the connection that they are of, for one that begins there."""

    service: NDArray[np.int64]
    """What it is used for (P); -1 where it does not outlast an activity."""
    continues: NDArray[np.bool_]
    """Whether it was there before the packet's activity (P)."""
    lasts: NDArray[np.bool_]
    """Whether it goes on in another activity, after the one that ends with the packet (P)."""
    must: NDArray[np.bool_]
    """Whether it has to be there before, where it was (P): with TCP."""


class Threads:
    """Connections that are open, by their services."""

    def __init__(self, portions: Portions, *, there_before: bool, may_open: Container[int]) -> None:
        """Begin with none, or with one of each service that was there before.

        Args:
            portions: What captured packets say of connections.
            there_before: Whether connections were open before the first activity.
            may_open: Services with an activity that opens a connection.
        """
        self._of = portions
        self._open: dict[int, tuple[int, int]] = {}
        """The latest connection of each service, and when it was used last."""
        self._there_before, self._may_open = there_before, may_open
        self._begun: set[int] = set()
        self._count = 0

    @property
    def open(self) -> set[int]:
        """Numbers of those that are open."""
        return {number for number, _ in self._open.values()}

    def link(
        self,
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        begin_ns: NDArray[np.int64],
        end_ns: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Say which connections activities go on with.

        Args:
            first: First packets of their connections (X).
            last: And last ones (X).
            begin_ns: When these are used first (X).
            end_ns: And last (X).

        Returns:
            Numbers of connections (X), -1 where there is none to go on with; how much later it is,
            where it is in use till then, nanoseconds (X); and whether it is to be opened instead,
            because it was closed (X).
        """
        of = self._of
        columns = of.service[first], of.continues[first], of.must[first], of.lasts[last]
        numbers, late, instead = list[int](), list[int](), list[bool]()
        for service, continues, must, lasts, begins_ns, ends_ns in zip(
            *(column.tolist() for column in (*columns, begin_ns, end_ns)), strict=True
        ):
            number, used_ns = self._open.get(service, _NO_THREAD) if continues else _NO_THREAD
            later_ns = max(0, used_ns + _AFTER_NS - begins_ns) if number != _NONE else 0
            if number == _NONE:
                # what no capture opens was open before
                may_be_older = self._there_before or service not in self._may_open
                missing = continues and must
                missing &= service in self._begun or not may_be_older
                opens = missing and service in self._may_open
                instead.append(opens)
                if missing and not opens:
                    numbers.append(_NONE)
                    late.append(0)
                    continue
                number = self._count
                self._count += 1
                later_ns = opens * _OPENING_NS
            else:
                instead.append(False)
            if service != _NONE:
                self._begun.add(service)
                if lasts or instead[-1]:
                    self._open[service] = number, ends_ns + later_ns
                elif self._open.get(service, _NO_THREAD)[0] == number:
                    del self._open[service]
            numbers.append(number)
            late.append(0 if instead[-1] else later_ns)
        return (
            np.array(numbers, dtype=np.int64),
            np.array(late, dtype=np.int64),
            np.array(instead, dtype=bool),
        )

    def single(self, count: int) -> NDArray[np.int64]:
        """Numbers of connections that end with their activity."""
        numbers = np.arange(self._count, self._count + count)
        self._count += count
        return numbers
