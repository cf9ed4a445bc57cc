"""What every adversary does."""

from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from iotflowgen.traffic import Windows

__all__ = ["Adversary"]


class Adversary(Protocol):
    """Learns to tell synthetic windows from real ones; the same seed gives the same scores."""

    name: str

    def fit(self, windows: Windows, synthetic: NDArray[np.bool_]) -> Self:
        """Learn from windows (N) and which of them are synthetic (N)."""

    def score(self, windows: Windows) -> NDArray[np.float64]:
        """The probability (N) that each window is synthetic."""
