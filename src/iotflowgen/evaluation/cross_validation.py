"""The synthetic-data-aware adversary (paper, section 5.2), cross-validated over windows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedKFold

from iotflowgen.adversaries import Adversary
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Windows

__all__ = ["Detection", "cross_validate"]


@dataclass(frozen=True)
class Detection:
    """How well an adversary told synthetic windows from real ones."""

    adversary: str
    accuracy: tuple[float, ...]
    """Share of windows told right, an entry a fold; 0.5 is guessing."""

    @property
    def mean(self) -> float:
        """Mean accuracy over the folds, the figure of Table 1."""
        return float(np.mean(self.accuracy))


def cross_validate(
    make: Callable[[], Adversary],
    real: Windows,
    synthetic: Windows,
    rng: np.random.Generator,
    *,
    folds: int = 5,
    progress: Progress = silent,
) -> Detection:
    """Stratified cross-validation over windows, an equal number of both (section 5.2).

    Args:
        make: Makes a fresh adversary for each fold.
        real: Real windows.
        synthetic: As many synthetic ones.
        rng: Decides the folds.
        folds: How many parts the windows are cut into.
        progress: Told after every fold.

    Raises:
        ValueError: The two are not equally many, so guessing would not give 0.5.
    """
    if len(real) != len(synthetic):
        raise ValueError(f"{len(real)} real and {len(synthetic)} synthetic windows; give as many")
    windows = Windows.concatenate([real, synthetic])
    labels = np.arange(len(windows)) >= len(real)
    split = StratifiedKFold(folds, shuffle=True, random_state=int(rng.integers(2**31)))
    accuracy: list[float] = []
    name = ""
    for train, test in split.split(labels, labels):
        adversary = make().fit(windows[train], labels[train])
        told = adversary.score(windows[test]) > 0.5
        accuracy.append(float(np.mean(told == labels[test])))
        name = adversary.name
        progress("attack", len(accuracy), folds, f"accuracy {np.mean(accuracy):.2f}")
    return Detection(name, tuple(accuracy))
