"""Gradient boosting over the flattened window and a summary of it.

Stronger than the paper's LSTM where there is little to learn from: trees need no scaling, and the
summary gives them what an LSTM would have to find. scikit-learn's histogram gradient boosting with
its own settings; none is tuned.

Shapes: N windows, or stretches of time; F features of each.
"""

from abc import ABC, abstractmethod
from typing import Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from iotflowgen.adversaries.adversary import check_both_kinds
from iotflowgen.adversaries.features import features
from iotflowgen.traffic import Stretches, Windows

__all__ = ["BoostedTrees", "Boosting"]

_Seen = TypeVar("_Seen", Windows, Stretches)


class BoostedTrees(ABC, Generic[_Seen]):
    """Histogram gradient boosting over numbers that sum up what it is shown."""

    name: str
    needs_headers = False
    stretch_ns: int = 0
    leaf: int = 20
    """Windows that a leaf has at least; scikit-learn's own."""

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, windows: _Seen, synthetic: NDArray[np.bool_]) -> Self:
        """Learn from windows (N) and which of them are synthetic (N).

        Raises:
            EvaluationError: All of them are, or none is.
        """
        check_both_kinds(synthetic)
        rows_NF = self.rows(windows)
        # columns that say nothing take time and change no tree
        missing_NF = np.isnan(rows_NF)
        same_NF = (rows_NF == rows_NF[0]) | (missing_NF & missing_NF[0])
        self._varies = ~same_NF.all(axis=0)
        # early stopping would set windows aside that overlap those it learns from
        self._trees = HistGradientBoostingClassifier(
            early_stopping=False, min_samples_leaf=self.leaf, random_state=self.seed
        )
        self._trees.fit(rows_NF[:, self._varies], synthetic)
        return self

    def score(self, windows: _Seen) -> NDArray[np.float64]:
        """The probability (N) that each window is synthetic."""
        rows_NF = self.rows(windows)[:, self._varies]
        scores: NDArray[np.float64] = self._trees.predict_proba(rows_NF)[:, 1]
        return scores

    @abstractmethod
    def rows(self, windows: _Seen) -> NDArray[np.float64]:
        """What trees learn from (N, F)."""


class Boosting(BoostedTrees[Windows]):
    """Histogram gradient boosting over the flattened window and its summary."""

    name = "boosting"

    def rows(self, windows: Windows) -> NDArray[np.float64]:
        """What trees learn from (N, F)."""
        return features(windows)
