"""DGAN of gretel-synthetics: DoppelGANger (Lin et al. 2020) on PyTorch."""

from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from gretel_synthetics.timeseries_dgan.config import DGANConfig, OutputType
from gretel_synthetics.timeseries_dgan.dgan import DGAN

from rivals.rival import CATEGORIES, DURATION, Rival

__all__ = ["Dgan"]

_COLUMNS = [*CATEGORIES, DURATION]
_STEP = 5
"""S, packets a step of the LSTM, as DoppelGANger has here; the authors recommend few steps."""


class Dgan(Rival):
    """DGAN with its own settings."""

    name: ClassVar[str] = "dgan"

    def fit_table(self, table: pd.DataFrame) -> None:
        """Learn from windows, each an example."""
        length = self.config.window
        settings = {} if self.config.epochs is None else {"epochs": self.config.epochs}
        config = DGANConfig(
            max_sequence_len=length,
            sample_len=_STEP,
            cuda=self.cuda,
            **settings,
        )
        torch.manual_seed(self.seed)
        np.random.seed(self.seed)  # noqa: NPY002 - what it draws from
        self._model = DGAN(config)
        self._model.train_numpy(
            features=table[_COLUMNS].to_numpy(np.float64).reshape(-1, length, len(_COLUMNS)),
            feature_types=[OutputType.DISCRETE] * len(CATEGORIES) + [OutputType.CONTINUOUS],
        )

    def sample_table(self, n: int, seed: int) -> pd.DataFrame:
        """Draw windows of L packets."""
        torch.manual_seed(seed)
        _, features = self._model.generate_numpy(n)
        return pd.DataFrame(np.reshape(features, (-1, len(_COLUMNS))), columns=_COLUMNS)
