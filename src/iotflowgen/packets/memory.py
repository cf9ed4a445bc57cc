"""State kept between blocks of packets: numbers by name and key.

It does not depend on the size of the blocks.

Shapes: E packets, or what there is of them; K keys of a name.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire.arrays import Integers

__all__ = ["Memory"]

_MOST: Final = 2**14
"""Keys that are remembered of one name, the last used."""


class _Known(NamedTuple):
    """Columns, not a dictionary: many decoys remember much, and so 24 bytes a key suffice."""

    key: Integers
    """(K), rising."""
    value: Integers
    """(K)"""
    used: Integers
    """When each was kept last (K), by a number that rises."""


_NOTHING: Final = _Known(*np.empty((3, 0), np.int64))


class Memory:
    """The latest numbers of hosts, sessions and connections.

    Args:
        most: Keys that are remembered of one name, the last used.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._of: dict[str, _Known] = {}

    def recall(self, name: str, key: NDArray[Any], default: NDArray[Any]) -> Integers:
        """What was kept under each key (E); `default` (E) where nothing was."""
        known = self._of.get(name, _NOTHING)
        found: Integers = default.astype(np.int64)
        if len(known.key):
            place = np.minimum(np.searchsorted(known.key, key), len(known.key) - 1)
            is_known = known.key[place] == key
            found[is_known] = known.value[place[is_known]]
        return found

    def keep(self, name: str, key: NDArray[Any], value: NDArray[Any]) -> None:
        """Remember values (E) by their keys (E); of one key, the last."""
        if not len(key):
            return
        known = self._of.get(name, _NOTHING)
        keys = np.concatenate([known.key, key])
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        last = order[np.append(keys[1:] != keys[:-1], [True])]
        used = np.concatenate([known.used, known.used.max(initial=0) + 1 + np.arange(len(key))])
        if len(last) > self._most:
            least = np.partition(used[last], len(last) - self._most)[len(last) - self._most]
            last = last[used[last] >= least]
        columns = np.concatenate([known.key, key]), np.concatenate([known.value, value]), used
        self._of[name] = _Known(*(column[last].astype(np.int64) for column in columns))
