"""What every metric is: a pure function of three sets of windows."""

from typing import Protocol

from iotflowgen.traffic import Windows

__all__ = ["Metric"]


class Metric(Protocol):
    """Compares synthetic windows with real ones.

    A metric gives figures by name; wherever the figure of perfect traffic is not known beforehand,
    the same figure for real traffic stands beside it, under `real`, or under the figure's name and
    `_control`.
    """

    def __call__(self, real: Windows, synthetic: Windows, train: Windows) -> dict[str, float]:
        """Compare.

        Args:
            real: Windows of captures that the generator has not seen (H).
            synthetic: Windows that it drew.
            train: Windows of the captures that it was fitted on (G).
        """
