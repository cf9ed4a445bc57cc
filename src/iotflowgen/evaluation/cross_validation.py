"""The synthetic-data-aware adversary (paper, section 5.2), cross-validated.

Over windows as in the paper, or with whole groups of windows (captures) kept on one side.

The 95 % interval is a percentile bootstrap over groups: windows of one capture overlap and share
its ports, so counting them as independent (Wilson) would promise far too much. Groups of real and
of synthetic windows are drawn anew, with replacement, among those that were scored; the adversary
is not fitted again. Few groups make it too narrow still, and where every window is told right it
has no width: read it beside the spread over splits.

Shapes: N windows, G groups, B resamples.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, StratifiedKFold

from iotflowgen.adversaries import Adversary
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Stretches, Windows

__all__ = ["Detection", "Seen", "cross_validate", "cross_validate_groups"]

_RESAMPLES = 2000
Seen = TypeVar("Seen", Windows, Stretches)
"""What an adversary is shown."""
_Split = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Detection:
    """How well an adversary told synthetic windows from real ones.

    Accuracy is the mean of the share of real and the share of synthetic windows told right. It is
    the plain accuracy where both are as many, and guessing gives 0.5 where a fold is uneven.
    """

    adversary: str
    mean: float
    """Accuracy over all windows; with folds of one size the mean over folds, as in Table 1."""
    interval: tuple[float, float]
    """95 % interval of that accuracy, over groups."""
    roc_auc: float
    """Area under the ROC curve, mean over folds: scores of different fits do not compare."""
    accuracy: tuple[float, ...]
    """Accuracy, an entry a fold."""


def cross_validate(
    make: Callable[[], Adversary[Seen]],
    real: Seen,
    synthetic: Seen,
    rng: np.random.Generator,
    *,
    captures: NDArray[np.integer] | None = None,
    folds: int = 5,
    progress: Progress = silent,
) -> Detection:
    """Stratified cross-validation over windows, an equal number of both (section 5.2).

    Args:
        make: Makes a fresh adversary for each fold.
        real: Real windows (N).
        synthetic: As many synthetic ones.
        rng: Decides the folds and the resamples.
        captures: Which capture each real window is of (N), for the interval; by default each
            window counts as independent.
        folds: How many parts the windows are cut into.
        progress: Told after every fold.

    Raises:
        ValueError: The two are not equally many, so guessing would not give 0.5.
    """
    _check(real, synthetic)
    labels = np.arange(2 * len(real)) >= len(real)
    split = StratifiedKFold(folds, shuffle=True, random_state=int(rng.integers(2**31)))
    fold = _fold_of_each(split.split(labels, labels), len(labels))
    each = np.arange(len(real))
    groups = (each if captures is None else captures, each)
    return _attack(make, (real, synthetic), groups, fold, rng, progress)


def cross_validate_groups(
    make: Callable[[], Adversary[Seen]],
    real: Seen,
    synthetic: Seen,
    rng: np.random.Generator,
    *,
    groups: tuple[NDArray[np.integer], NDArray[np.integer]],
    folds: int = 5,
    progress: Progress = silent,
) -> Detection:
    """Cross-validation with whole groups kept together, groups dealt so that folds are even.

    Args:
        make: Makes a fresh adversary for each fold.
        real: Real windows (N).
        synthetic: As many synthetic ones.
        rng: Decides the resamples; the folds follow from the groups.
        groups: Which group each real (N) and each synthetic window (N) is of. Where groups of both
            are of the same sizes, so are the folds.
        folds: How many parts at most; fewer where there are fewer groups.
        progress: Told after every fold.

    Raises:
        ValueError: The two are not equally many, or one has fewer than two groups.
    """
    _check(real, synthetic)
    fewest = min(len(np.unique(group)) for group in groups)
    if fewest < 2:
        raise ValueError("cross-validation needs two groups of real and of synthetic windows")
    split = GroupKFold(min(folds, fewest))
    fold = [_fold_of_each(split.split(group, groups=group), len(group)) for group in groups]
    return _attack(make, (real, synthetic), groups, np.concatenate(fold), rng, progress)


def _check(real: Seen, synthetic: Seen) -> None:
    if len(real) != len(synthetic):
        raise ValueError(f"{len(real)} real and {len(synthetic)} synthetic windows; give as many")


def _fold_of_each(split: Iterable[_Split], n: int) -> NDArray[np.int64]:
    """In which fold each of `n` windows is scored (N), from scikit-learn's pairs of indices."""
    fold = np.empty(n, dtype=np.int64)
    for i, (_, test) in enumerate(split):
        fold[test] = i
    return fold


def _attack(
    make: Callable[[], Adversary[Seen]],
    pair: tuple[Seen, Seen],
    groups: tuple[NDArray[np.integer], NDArray[np.integer]],
    fold: NDArray[np.int64],
    rng: np.random.Generator,
    progress: Progress,
) -> Detection:
    """Fit on all folds but one, score that one, for each of them."""
    windows, n = type(pair[0]).concatenate(pair), len(pair[0])
    labels = np.arange(len(windows)) >= n
    right = np.empty(len(windows), dtype=bool)
    folds = int(fold.max()) + 1
    accuracy: list[float] = []
    areas: list[float] = []
    name = ""
    for i in range(folds):
        test = fold == i
        adversary = make().fit(windows[~test], labels[~test])
        scores = adversary.score(windows[test])
        right[test] = (scores > 0.5) == labels[test]
        accuracy.append(_accuracy(right[test], labels[test]))
        areas.append(float(roc_auc_score(labels[test], scores)))
        name = adversary.name
        progress("attack", i + 1, folds, f"{name}: accuracy {np.mean(accuracy):.2f}")
    resampled = [
        _resampled(right[side], group, rng)
        for side, group in zip((slice(0, n), slice(n, None)), groups, strict=True)
    ]
    low, high = np.quantile(np.mean(resampled, axis=0), [0.025, 0.975])
    return Detection(
        adversary=name,
        mean=_accuracy(right, labels),
        interval=(float(low), float(high)),
        roc_auc=float(np.mean(areas)),
        accuracy=tuple(accuracy),
    )


def _accuracy(right: NDArray[np.bool_], labels: NDArray[np.bool_]) -> float:
    return float(right[labels].mean() + right[~labels].mean()) / 2


def _resampled(
    right: NDArray[np.bool_], group: NDArray[np.integer], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Share of windows told right, had other groups been captured (B)."""
    if np.all(group == group[0]):
        group = np.arange(len(group))  # one capture alone says nothing of others
    _, place = np.unique(group, return_inverse=True)
    windows_G, right_G = np.bincount(place), np.bincount(place, weights=right)
    pick_BG = rng.integers(len(windows_G), size=(_RESAMPLES, len(windows_G)))
    share: NDArray[np.float64] = right_G[pick_BG].sum(axis=1) / windows_G[pick_BG].sum(axis=1)
    return share
