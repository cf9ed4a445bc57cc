"""The paper's adversary, packet metadata inference (sections 3.2 and 5.2).

Frame length, source and destination port, protocol configuration and direction are categories with
an embedding each, durations are continuous; an LSTM reads the window, and its last state decides
by cross-entropy. The paper gives no sizes; these are ours.

Shapes: N windows, L packets each, F categories a packet, E embedding width.
"""

from typing import Self

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

__all__ = ["PacketMetadata", "PacketMetadataConfig"]

_CATEGORIES = ("length", "src_port", "dst_port", "protocols", "outgoing")


class PacketMetadataConfig(Settings):
    """Size and training of the adversary."""

    embedding: int = Field(default=16, gt=0)
    """E, numbers that stand for a category."""
    hidden: int = Field(default=64, gt=0)
    """Width of the LSTM."""
    epochs: int = Field(default=30, gt=0)
    """Passes over the training windows."""
    batch: int = Field(default=64, gt=0)
    """Windows a step."""
    learning_rate: float = Field(default=3e-3, gt=0)
    """Adam's."""


class PacketMetadata:
    """LSTM over categorical packet metadata and log durations."""

    name = "packet-metadata"
    needs_headers = False

    def __init__(self, config: PacketMetadataConfig | None = None, *, seed: int = 0) -> None:
        self.config = config or PacketMetadataConfig()
        self.seed = seed

    def fit(self, windows: Windows, synthetic: NDArray[np.bool_]) -> Self:
        """Learn from windows (N) and which of them are synthetic (N).

        Raises:
            EvaluationError: All of them are, or none is.
        """
        check_both_kinds(synthetic)
        config = self.config
        self._vocabularies = [np.unique(getattr(windows, name)) for name in _CATEGORIES]
        logs = _log_seconds(windows)
        self._centre, self._spread = logs.mean(), logs.std() + 1e-6
        categories_NLF, timing_NL = self._encode(windows)
        labels_N = torch.from_numpy(synthetic.astype(np.int64))
        rng = torch.Generator().manual_seed(self.seed)
        with seeded(rng):
            self._network = _Network([len(v) for v in self._vocabularies], config)
        optimizer = torch.optim.Adam(self._network.parameters(), lr=config.learning_rate)
        for _ in range(config.epochs):
            order = torch.randperm(len(labels_N), generator=rng)
            for first in range(0, len(order), config.batch):
                pick = order[first : first + config.batch]
                optimizer.zero_grad()
                logits_N2 = self._network(categories_NLF[pick], timing_NL[pick])
                loss = F.cross_entropy(logits_N2, labels_N[pick])
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        return self

    @torch.no_grad()
    def score(self, windows: Windows) -> NDArray[np.float64]:
        """The probability (N) that each window is synthetic."""
        logits_N2: Tensor = self._network(*self._encode(windows))
        return logits_N2.double().softmax(dim=1)[:, 1].numpy()

    def _encode(self, windows: Windows) -> tuple[Tensor, Tensor]:
        """Categories (N, L, F), 0 where training has not seen the value, and timing (N, L)."""
        columns = []
        for name, vocabulary in zip(_CATEGORIES, self._vocabularies, strict=True):
            values = getattr(windows, name)
            place = np.searchsorted(vocabulary, values)
            columns.append(np.where(np.isin(values, vocabulary), place + 1, 0))
        timing = (_log_seconds(windows) - self._centre) / self._spread
        return torch.from_numpy(np.stack(columns, axis=-1)), torch.from_numpy(timing).float()


class _Network(nn.Module):
    def __init__(self, sizes: list[int], config: PacketMetadataConfig) -> None:
        super().__init__()
        # padding keeps "not seen" at the origin: it says nothing either way
        self.embeddings = nn.ModuleList(
            nn.Embedding(size + 1, config.embedding, padding_idx=0) for size in sizes
        )
        width = len(sizes) * config.embedding + 1
        self.lstm = nn.LSTM(width, config.hidden, batch_first=True)
        self.decide = nn.Linear(config.hidden, 2)

    def forward(self, categories_NLF: Tensor, timing_NL: Tensor) -> Tensor:
        embedded = [e(categories_NLF[..., f]) for f, e in enumerate(self.embeddings)]
        _, (state_1NH, _) = self.lstm(torch.cat([*embedded, timing_NL[..., None]], dim=-1))
        decision: Tensor = self.decide(state_1NH[-1])
        return decision


def _log_seconds(windows: Windows) -> NDArray[np.float64]:
    """Durations (N, L) on a logarithmic axis, a microsecond being where it begins to matter."""
    logs: NDArray[np.float64] = np.log10(windows.duration_ns / 1e9 + 1e-6)
    return logs
