"""MiniRocket over the window as a multivariate series, and a ridge classifier.

Dempster, Schmidt and Webb (2021), "MiniRocket: a very fast (almost) deterministic transform for
time series classification", in aeon's implementation.

Each column of a window is a channel, and a value stands for its rank among the distinct values of
training: lengths a byte apart are as far apart as those a kilobyte apart, and ports do not outweigh
directions. Channels are few because a kernel sums some of them, drawn at random: one for each
protocol, or for ports that repeat, drowns the others.

20 packets have room for 168 kernels, dilated or not. MiniRocket draws channels once for each, and
makes its 10,000 features by some 60 thresholds on every one. Ten transforms of a tenth as many
features try ten times as many combinations of channels.

Shapes: N windows, C channels, L packets each.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import numpy as np
from aeon.transformations.collection.convolution_based import MiniRocket
from numpy.typing import NDArray
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from iotflowgen.adversaries.adversary import check_both_kinds
from iotflowgen.traffic import Windows

__all__ = ["Rocket"]

_TRANSFORMS = 10
_FEATURES = 1008  # of each transform: 12 of each of MiniRocket's 84 kernels
_SHORTEST = 9  # packets: a kernel's
_ALPHAS = np.logspace(-3, 3, 10)  # MiniRocket's authors choose among these


class Rocket:
    """Random convolutions over ranked columns, and a linear decision."""

    name = "rocket"
    needs_headers = False
    stretch_ns: int = 0

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, windows: Windows, synthetic: NDArray[np.bool_]) -> Self:
        """Learn from windows (N) and which of them are synthetic (N).

        Raises:
            EvaluationError: All of them are, or none is.
        """
        check_both_kinds(synthetic)
        self._vocabularies = {c: np.unique(getattr(windows, c)) for c in Windows.columns()}
        seeds = np.random.default_rng(self.seed).integers(2**31, size=_TRANSFORMS)
        # the ridge's strength follows from leaving each window out, which costs no further fit
        self._model = make_pipeline(
            make_union(*(MiniRocket(_FEATURES, random_state=int(seed)) for seed in seeds)),
            StandardScaler(),
            RidgeClassifierCV(_ALPHAS),
        )
        with _globals_kept():
            self._model.fit(self._channels(windows), synthetic)
        return self

    def score(self, windows: Windows) -> NDArray[np.float64]:
        """The probability (N) that each window is synthetic.

        A ridge has a side and a distance, no probability. The logistic function keeps both; it is
        not calibrated, which would need windows that overlap with none of training.
        """
        distance_N = self._model.decision_function(self._channels(windows)).astype(np.float64)
        scores: NDArray[np.float64] = 1 / (1 + np.exp(-distance_N))
        return scores

    def _channels(self, windows: Windows) -> NDArray[np.float64]:
        """Ranks in training (N, C, L), from -1 to 1; a value not seen there is between two.

        Windows too short for a kernel end in zeros, the middle of every channel.
        """
        channels = []
        for name, vocabulary in self._vocabularies.items():
            values_NL = getattr(windows, name)
            lower = np.searchsorted(vocabulary, values_NL)
            upper = np.searchsorted(vocabulary, values_NL, side="right")
            channels.append((lower + upper) / len(vocabulary) - 1)
        missing = max(0, _SHORTEST - windows.size)
        return np.pad(np.stack(channels, axis=1), ((0, 0), (0, 0), (0, missing)))


@contextmanager
def _globals_kept() -> Iterator[None]:
    """Afterwards NumPy's global generator and PyTorch's threads are as they were.

    MiniRocket seeds the one. numba, in its first parallel loop, has the OpenMP that PyTorch
    shares use all cores; where they are busy, an LSTM then takes many times as long.
    """
    torch = sys.modules.get("torch")
    state, threads = np.random.get_state(), torch and torch.get_num_threads()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
        if torch:
            torch.set_num_threads(threads)
