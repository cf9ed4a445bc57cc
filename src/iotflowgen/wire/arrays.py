"""Types of columns, and of what has several of them."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bytes", "Columns", "Flags", "Integers"]

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Columns:
    """A data class whose fields are columns of equal length, or have columns themselves."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def take(self, which: NDArray[Any] | slice) -> Self:
        """The rows of an array of indices, a mask or a slice."""
        if isinstance(which, np.ndarray) and which.dtype == bool:
            which = np.flatnonzero(which)
        columns = ((each.name, getattr(self, each.name)) for each in fields(self))
        rows: dict[str, Any] = {
            name: column[which] if isinstance(column, np.ndarray) else column.take(which)
            for name, column in columns
        }
        return replace(self, **rows)
