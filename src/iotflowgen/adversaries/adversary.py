"""The interface of adversaries."""

from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from iotflowgen.errors import EvaluationError
from iotflowgen.traffic import Windows

__all__ = ["Adversary", "check_both_kinds"]


class Adversary(Protocol):
    """Learns to tell synthetic windows from real ones; the same seed gives the same scores."""

    name: str
    needs_headers: bool
    """Whether it reads headers, which only windows of packets have."""

    def fit(self, windows: Windows, synthetic: NDArray[np.bool_]) -> Self:
        """Learn from windows (N) and which of them are synthetic (N).

        Raises:
            EvaluationError: All of them are, or none is.
        """

    def score(self, windows: Windows) -> NDArray[np.float64]:
        """The probability (N) that each window is synthetic."""


def check_both_kinds(synthetic: NDArray[np.bool_]) -> None:
    """There is nothing to tell apart where all windows are of one kind.

    Raises:
        EvaluationError: All windows (N) are synthetic, or none is.
    """
    if synthetic.all() or not synthetic.any():
        raise EvaluationError(
            "an adversary learns from real and synthetic windows, and was given one kind only; "
            "give more captures, or more windows"
        )
