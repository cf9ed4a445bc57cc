"""State kept between blocks of packets: numbers by name and key.

It does not depend on the size of the blocks.
"""

from collections import defaultdict
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Memory"]

_MOST = 2**14
"""Keys that are remembered of one name, the last used."""


class Memory:
    """The latest numbers of hosts, sessions and connections."""

    def __init__(self) -> None:
        self._of: defaultdict[str, dict[int, int]] = defaultdict(dict)

    def recall(self, name: str, key: NDArray[Any], default: NDArray[Any]) -> NDArray[np.int64]:
        """What was kept under each key (E); `default` (E) where nothing was."""
        known = self._of[name]
        if not known:
            return default.astype(np.int64)
        found = map(known.get, key.tolist(), default.tolist())
        return np.fromiter(found, dtype=np.int64, count=len(key))

    def keep(self, name: str, key: NDArray[Any], value: NDArray[Any]) -> None:
        """Remember values (E) by their keys (E); of one key, the last."""
        known = self._of[name]
        for each, number in zip(key.tolist(), value.tolist(), strict=True):
            # the last used stand last
            known.pop(each, None)
            known[each] = number
        for each in [*islice(known, max(0, len(known) - _MOST))]:
            del known[each]
