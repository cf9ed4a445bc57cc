"""What the adversaries that are an LSTM share: its sizes, its training, its scores.

An LSTM reads the window packet by packet, and its last state decides by cross-entropy. What of a
packet it sees is up to the adversary: categories, which have an embedding each, and numbers.

Shapes: N windows, L packets each, F categories a packet, M numbers a packet, E embedding width.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from iotflowgen.adversaries.adversary import check_both_kinds
from iotflowgen.nn.training import seeded
from iotflowgen.settings import Settings
from iotflowgen.traffic import Windows

__all__ = ["LSTMAdversary", "LSTMConfig"]


class LSTMConfig(Settings):
    """Size and training; the defaults are those of `packet-metadata`."""

    embedding: int = Field(default=16, gt=0, le=4096)
    """E, numbers that stand for a category."""
    hidden: int = Field(default=64, gt=0, le=4096)
    """Width of the LSTM."""
    dense: int = Field(default=0, ge=0, le=4096)
    """Width of a layer between the LSTM and the decision; 0: there is none."""
    epochs: int = Field(default=30, gt=0)
    """Passes over the training windows."""
    batch: int = Field(default=64, gt=0)
    """Windows a step."""
    learning_rate: float = Field(default=3e-3, gt=0)
    """Adam's."""
    initial: Literal["torch", "keras"] = "torch"
    """Whose initial weights: PyTorch's, or those of Keras, whose LSTM begins by remembering."""


class LSTMAdversary(ABC):
    """An LSTM over what `_see` makes of packets."""

    name: str
    needs_headers = False
    stretch_ns: int = 0
    CONFIG: ClassVar[LSTMConfig] = LSTMConfig()

    def __init__(self, config: LSTMConfig | None = None, *, seed: int = 0) -> None:
        self.config = config or self.CONFIG
        self.seed = seed

    @abstractmethod
    def _look(self, windows: Windows, synthetic: NDArray[np.bool_]) -> Sequence[int]:
        """Learn scales from the training windows (N), and how many values each category has (F)."""

    @abstractmethod
    def _see(self, windows: Windows) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Categories (N, L, F), 0 where one says nothing, and numbers (N, L, M)."""

    def fit(self, windows: Windows, synthetic: NDArray[np.bool_]) -> Self:
        """Learn from windows (N) and which of them are synthetic (N).

        Raises:
            EvaluationError: All of them are, or none is.
        """
        check_both_kinds(synthetic)
        config = self.config
        sizes = self._look(windows, synthetic)
        categories_NLF, numbers_NLM = self._tensors(windows)
        labels_N = torch.from_numpy(synthetic.astype(np.int64))
        rng = torch.Generator().manual_seed(self.seed)
        with seeded(rng):
            self._network = _Network(sizes, numbers_NLM.shape[-1], config)
        optimizer = torch.optim.Adam(self._network.parameters(), lr=config.learning_rate)
        for _ in range(config.epochs):
            order = torch.randperm(len(labels_N), generator=rng)
            for pick in torch.split(order, config.batch):
                optimizer.zero_grad()
                logits_N2 = self._network(categories_NLF[pick], numbers_NLM[pick])
                loss = F.cross_entropy(logits_N2, labels_N[pick])
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        return self

    @torch.no_grad()
    def score(self, windows: Windows) -> NDArray[np.float64]:
        """The probability (N) that each window is synthetic."""
        logits_N2: Tensor = self._network(*self._tensors(windows))
        return logits_N2.double().softmax(dim=1)[:, 1].numpy()

    def _tensors(self, windows: Windows) -> tuple[Tensor, Tensor]:
        categories_NLF, numbers_NLM = self._see(windows)
        return torch.from_numpy(categories_NLF), torch.from_numpy(numbers_NLM).float()


class _Network(nn.Module):
    def __init__(self, sizes: Sequence[int], numbers: int, config: LSTMConfig) -> None:
        super().__init__()
        # padding keeps what says nothing at the origin
        self.embeddings = nn.ModuleList(
            nn.Embedding(size + 1, config.embedding, padding_idx=0) for size in sizes
        )
        width = len(sizes) * config.embedding + numbers
        self.lstm = nn.LSTM(width, config.hidden, batch_first=True)
        self.dense = nn.Sequential()
        if config.dense:
            self.dense = nn.Sequential(nn.Linear(config.hidden, config.dense), nn.ReLU())
        self.decide = nn.Linear(config.dense or config.hidden, 2)
        if config.initial == "keras":
            for module in (self.lstm, *self.dense, self.decide):
                _as_keras(module)

    def forward(self, categories_NLF: Tensor, numbers_NLM: Tensor) -> Tensor:
        embedded = [e(categories_NLF[..., f]) for f, e in enumerate(self.embeddings)]
        _, (state_1NH, _) = self.lstm(torch.cat([*embedded, numbers_NLM], dim=-1))
        decision: Tensor = self.decide(self.dense(state_1NH[-1]))
        return decision


@torch.no_grad()
def _as_keras(module: nn.Module) -> None:
    """Draw Keras' initial weights: Glorot's, orthogonal from state to state; forget gates at 1."""
    for name, weight in module.named_parameters():
        if name.startswith("weight_hh"):
            nn.init.orthogonal_(weight)
        elif weight.ndim > 1:
            nn.init.xavier_uniform_(weight)
        else:
            nn.init.zeros_(weight)
        if name.startswith("bias_ih"):
            # gates are input, forget, cell and output, one after the other
            nn.init.ones_(weight.chunk(4)[1])
