"""SDV's PARSynthesizer: a probabilistic autoregressive model of sequences (Zhang et al. 2022)."""

import warnings
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from sdv.metadata import Metadata
from sdv.sequential import PARSynthesizer

from rivals.rival import CATEGORIES, DURATION, WINDOW, Rival

__all__ = ["Par"]

_TABLE = "packets"


class Par(Rival):
    """PARSynthesizer with its own settings."""

    name: ClassVar[str] = "par"

    def fit_table(self, table: pd.DataFrame) -> None:
        """Learn from windows, each a sequence."""
        types = {WINDOW: "id", DURATION: "numerical"} | dict.fromkeys(CATEGORIES, "categorical")
        metadata = Metadata.load_from_dict(
            {
                "tables": {
                    _TABLE: {
                        "columns": {name: {"sdtype": kind} for name, kind in types.items()},
                        "sequence_key": WINDOW,
                    }
                }
            }
        )
        settings = {} if self.config.epochs is None else {"epochs": self.config.epochs}
        self._model = PARSynthesizer(metadata, cuda=self.cuda, **settings)
        torch.manual_seed(self.seed)
        np.random.seed(self.seed)  # noqa: NPY002 - what it draws from
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._model.fit({_TABLE: table})

    def sample_table(self, n: int, seed: int) -> pd.DataFrame:
        """Draw windows of L packets."""
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - what it draws from
        return self._model.sample_sequences(n, sequence_length=self.config.window)[_TABLE]
