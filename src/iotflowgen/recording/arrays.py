"""Types of columns."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Flags", "Integers"]

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
