"""The interface of adversaries."""

from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from iotflowgen.errors import EvaluationError

__all__ = ["Adversary", "check_both_kinds"]

_Seen_contra = TypeVar("_Seen_contra", contravariant=True)
"""What it is shown: `Windows` of packets, or `Stretches` of time."""


class Adversary(Protocol[_Seen_contra]):
    """Learns to tell synthetic windows from real ones; the same seed gives the same scores."""

    name: str
    needs_headers: bool
    """Whether it reads headers, which only windows of packets have."""
    stretch_ns: int
    """Nanoseconds of the stretches that it is shown; 0 where it is shown windows of packets."""

    def __init__(self, *, seed: int = 0) -> None: ...

    def fit(self, windows: _Seen_contra, synthetic: NDArray[np.bool_]) -> Self:
        """Learn from windows (N) and which of them are synthetic (N).

        Raises:
            EvaluationError: All of them are, or none is.
        """

    def score(self, windows: _Seen_contra) -> NDArray[np.float64]:
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
