"""What is remembered of the packets written before: numbers by name and key.

Nothing of it depends on the blocks that packets are written in.
"""

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Memory"]

_MOST = 2**14
"""Keys that are remembered of one name, the last used."""


class Memory:
    """Numbers of hosts, sessions and connections, as they were when they were last heard of."""

    def __init__(self) -> None:
        self._of: defaultdict[str, dict[int, int]] = defaultdict(dict)

    def recall(self, name: str, key: NDArray[Any], default: NDArray[Any]) -> NDArray[np.int64]:
        """What was kept under each key (E); `default` (E) where nothing was."""
        known = self._of[name]
        if not known:
            return default.astype(np.int64)
        unique, which = np.unique(key, return_inverse=True)
        there = np.array([each in known for each in unique.tolist()], dtype=bool)
        value = np.array([known.get(each, 0) for each in unique.tolist()], dtype=np.int64)
        recalled: NDArray[np.int64] = np.where(there[which], value[which], default)
        return recalled

    def keep(self, name: str, key: NDArray[Any], value: NDArray[Any]) -> None:
        """Remember values (E) by their keys (E); of one key, the last."""
        unique, last = np.unique(key[::-1], return_index=True)
        known = self._of[name]
        for each, new in zip(unique.tolist(), value[::-1][last].tolist(), strict=True):
            known.pop(each, None)
            known[each] = new
        for each in list(known)[: max(0, len(known) - _MOST)]:
            del known[each]
