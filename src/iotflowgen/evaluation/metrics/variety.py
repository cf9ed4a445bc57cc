# ruff: noqa: ARG001 - one signature for all; not every metric looks at all three sets
"""Is the synthetic traffic as varied as the real, and does it stay within it?

Precision and its kin stand beside the same figure for as many windows of `train`, `_control`: what
real traffic of the same device scores, which for few windows is well below 1.

Shapes: N windows, D coordinates of a point (`features.embed`).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist  # type: ignore[import-untyped]

from iotflowgen.evaluation.metrics.features import embed, evenly
from iotflowgen.traffic import Windows

__all__ = ["density_coverage", "precision_recall", "unique_share"]

_PRECISION_NEIGHBOURS = 3  # as in Kynkäänniemi et al.
_DENSITY_NEIGHBOURS = 5  # as in Naeem et al.


def unique_share(real: Windows, synthetic: Windows, train: Windows) -> dict[str, float]:
    """Distinct sequences of (length, direction, protocols) a window, above 0 to 1.

    1 where no two windows are the same; the share falls with the number of windows, so compare
    `synthetic` with `real` for as many.
    """
    return {"synthetic": _unique(synthetic), "real": _unique(real)}


def precision_recall(real: Windows, synthetic: Windows, train: Windows) -> dict[str, float]:
    """How much of each set lies where the other does, 0 to 1.

    A set's place is the union of balls around its windows, each as wide as to its third nearest.
    `precision` is the share of synthetic windows in the place of real ones, `recall` the share of
    real windows in the place of synthetic ones.

    Source: Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric for Assessing
    Generative Models".
    """
    return _beside_control(_precision_recall, real, synthetic, train)


def density_coverage(real: Windows, synthetic: Windows, train: Windows) -> dict[str, float]:
    """Precision and recall that outliers, real or synthetic, sway less.

    `density`, from 0, is how many of the balls around real windows, each as wide as to its fifth
    nearest, hold a synthetic window, over 5: 1 is expected of new real windows, and more is
    possible where real ones stand close. `coverage`, 0 to 1, is the share of those balls that hold
    a synthetic window.

    Source: Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for Generative Models".
    """
    return _beside_control(_density_coverage, real, synthetic, train)


def _unique(windows: Windows) -> float:
    columns = (windows.length, windows.outgoing, windows.protocols)
    rows = np.concatenate([column.astype(np.int64) for column in columns], axis=1)
    return len(np.unique(rows, axis=0)) / len(windows)


def _beside_control(
    compare: Callable[[NDArray[np.float64], NDArray[np.float64]], dict[str, float]],
    real: Windows,
    synthetic: Windows,
    train: Windows,
) -> dict[str, float]:
    real_ND = embed(real, real)
    figures = compare(real_ND, embed(synthetic, real))
    control = compare(real_ND, embed(evenly(train, len(synthetic)), real))
    return figures | {f"{name}_control": value for name, value in control.items()}


def _precision_recall(
    real_ND: NDArray[np.float64], other_ND: NDArray[np.float64]
) -> dict[str, float]:
    distance = cdist(real_ND, other_ND)
    around_real = _radii(real_ND, _PRECISION_NEIGHBOURS)
    around_other = _radii(other_ND, _PRECISION_NEIGHBOURS)
    return {
        "precision": float((distance <= around_real[:, None]).any(axis=0).mean()),
        "recall": float((distance <= around_other).any(axis=1).mean()),
    }


def _density_coverage(
    real_ND: NDArray[np.float64], other_ND: NDArray[np.float64]
) -> dict[str, float]:
    within = cdist(real_ND, other_ND) <= _radii(real_ND, _DENSITY_NEIGHBOURS)[:, None]
    return {
        "density": float(within.sum(axis=0).mean() / _DENSITY_NEIGHBOURS),
        "coverage": float(within.any(axis=1).mean()),
    }


def _radii(points_ND: NDArray[np.float64], neighbours: int) -> NDArray[np.float64]:
    """Distance (N) from each point to its `neighbours`-th nearest other; to the last of fewer."""
    distance = cdist(points_ND, points_ND)
    radii: NDArray[np.float64] = np.sort(distance, axis=1)[:, : neighbours + 1][:, -1]
    return radii
