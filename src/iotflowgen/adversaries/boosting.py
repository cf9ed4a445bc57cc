"""Gradient boosting over the flattened window and a summary of it.

Stronger than the paper's LSTM where there is little to learn from: trees need no scaling, and the
summary gives them what an LSTM would have to find. scikit-learn's histogram gradient boosting with
its own settings; none is tuned.

Shapes: N windows, F features a window.
"""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from iotflowgen.adversaries.adversary import check_both_kinds
from iotflowgen.adversaries.features import features
from iotflowgen.traffic import Windows

__all__ = ["Boosting"]


class Boosting:
    """Histogram gradient boosting over the flattened window and its summary."""

    name = "boosting"
    needs_headers = False

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, windows: Windows, synthetic: NDArray[np.bool_]) -> Self:
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
        self._trees = HistGradientBoostingClassifier(early_stopping=False, random_state=self.seed)
        self._trees.fit(rows_NF[:, self._varies], synthetic)
        return self

    def score(self, windows: Windows) -> NDArray[np.float64]:
        """The probability (N) that each window is synthetic."""
        rows_NF = self.rows(windows)[:, self._varies]
        scores: NDArray[np.float64] = self._trees.predict_proba(rows_NF)[:, 1]
        return scores

    def rows(self, windows: Windows) -> NDArray[np.float64]:
        """What trees learn from (N, F)."""
        return features(windows)
