"""Types of columns."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bytes", "Flags", "Integers"]

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
