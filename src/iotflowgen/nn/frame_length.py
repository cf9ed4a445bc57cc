"""Frame lengths (paper, section 4.5): frame tokens and codes to lengths of packets.

A frame token is a place in a packet-level signature, which leaves a range of lengths open. A
multi-layer perceptron decides: it sees a sliding window of frame tokens and of codes around the
packet, looks behind on its own previous predictions, and takes random noise as an input.
Cross-entropy, Adam. A length is a class, an index into the lengths that training has seen.

Deviations:

- Only lengths that the packet's frame token allows can be predicted; the others are masked, in
  training too.
- The prediction is drawn from the softmax. Cross-entropy teaches a network to ignore its noise, and
  the likeliest length alone would lose the variety that the paper adds the noise for.
- Widths of the windows and the network are not given; the defaults were chosen on unseen captures.

Shapes: N windows, L packets, T frame tokens, C length classes, W = 2 x window + 1 neighbours,
B look-behind, E embedding.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from iotflowgen.nn.training import Curve, TrainingConfig, draw, seeded, train
from iotflowgen.progress import Progress, silent
from iotflowgen.settings import Settings

__all__ = [
    "FrameLengthConfig",
    "FrameLengthModel",
    "FrameLengthReport",
    "FrameRows",
    "fit_frame_lengths",
]

_UNKNOWN = -1
"""The class of a length that training has not seen."""


class FrameLengthConfig(Settings):
    """Size and training of the frame-length model."""

    window: int = Field(2, ge=0)
    """Neighbours on each side whose frame tokens and codes are seen."""
    look_behind: int = Field(3, gt=0, le=4096)
    """B, previous predictions that are seen."""
    embedding: int = Field(16, gt=0, le=4096)
    """E, numbers that stand for a frame token, a code or a length class."""
    noise: int = Field(8, gt=0, le=4096)
    """Random inputs, standard normal."""
    hidden: int = Field(128, gt=0, le=4096)
    """Width of the two hidden layers."""
    training: TrainingConfig = TrainingConfig(epochs=12, batch=32, learning_rate=3e-3, patience=3)
    """How it is trained."""


@dataclass(frozen=True)
class FrameLengthReport:
    """How well lengths are told."""

    curve: Curve
    """Cross-entropy, nats a packet."""
    accuracy: float
    """Share of packets of unseen captures whose likeliest length, after the true previous ones, is
    the true one; over lengths that training has seen."""
    known: float
    """Share of packets of unseen captures whose length training has seen."""


class FrameRows(NamedTuple):
    """Windows of real packets, (N, L) each, int64."""

    frame_tokens: Tensor
    """From the encoding."""
    codes: Tensor
    """From the VQ-STAE's encoder."""
    classes: Tensor
    """Length classes; -1 for a length that training has not seen."""


class FrameLengthModel(nn.Module):
    """The perceptron.

    Args:
        allowed_TC: Which length classes each frame token may become; at least one each.
        codes: K, the codebook's size.
        config: Sizes inside.

    Raises:
        ValueError: A frame token allows no length.
    """

    allowed: Tensor

    def __init__(self, allowed_TC: Tensor, codes: int, config: FrameLengthConfig) -> None:
        super().__init__()
        if not bool(allowed_TC.any(dim=1).all()):
            raise ValueError("every frame token must allow a length")
        tokens, classes = allowed_TC.shape
        E, neighbours = config.embedding, 2 * config.window + 1
        self.window, self.look_behind, self.noise = config.window, config.look_behind, config.noise
        # one index more: beyond the edge of the window
        self.tokens = nn.Embedding(tokens + 1, E)
        self.codes = nn.Embedding(codes + 1, E)
        self.behind = nn.Embedding(classes + 1, E)
        self.perceptron = nn.Sequential(
            nn.Linear((2 * neighbours + config.look_behind) * E + config.noise, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, classes),
        )
        self.register_buffer("allowed", allowed_TC.clone())

    def _neighbours(self, tokens_NL: Tensor, codes_NL: Tensor) -> Tensor:
        """Embedded frame tokens and codes around each packet (N, L, 2 W E)."""
        views = []
        for indices_NL, embedding in ((tokens_NL, self.tokens), (codes_NL, self.codes)):
            edge = embedding.num_embeddings - 1
            padded = F.pad(indices_NL, (self.window, self.window), value=edge)
            views.append(embedding(padded.unfold(1, 2 * self.window + 1, 1)).flatten(2))
        return torch.cat(views, dim=-1)

    def _logits(self, around: Tensor, behind: Tensor, tokens: Tensor) -> Tensor:
        """Logits (..., C) from neighbours (..., 2 W E), previous classes (..., B), own token."""
        noise = torch.randn(*around.shape[:-1], self.noise, device=around.device)
        seen = torch.cat([around, self.behind(behind).flatten(-2), noise], dim=-1)
        logits: Tensor = self.perceptron(seen)
        return logits.masked_fill(~self.allowed[tokens], -torch.inf)

    def _behind(self, classes_NL: Tensor) -> Tensor:
        """Each packet's previous B classes (N, L, B), the nearest last."""
        none = self.behind.num_embeddings - 1
        known_NL = classes_NL.where(classes_NL != _UNKNOWN, none)
        return F.pad(known_NL[:, :-1], (self.look_behind, 0), value=none).unfold(
            1, self.look_behind, 1
        )

    def forward(self, tokens_NL: Tensor, codes_NL: Tensor, classes_NL: Tensor) -> Tensor:
        """Logits (N, L, C) of each packet's length, given the true lengths before it."""
        around = self._neighbours(tokens_NL, codes_NL)
        return self._logits(around, self._behind(classes_NL), tokens_NL)

    def loss(self, tokens_NL: Tensor, codes_NL: Tensor, classes_NL: Tensor) -> Tensor:
        """Mean cross-entropy, nats; unknown lengths cost nothing."""
        logits_NLC = self(tokens_NL, codes_NL, classes_NL)
        total = F.cross_entropy(
            logits_NLC.flatten(0, 1), classes_NL.flatten(), ignore_index=_UNKNOWN, reduction="sum"
        )
        return total / classes_NL.numel()

    @torch.no_grad()
    def predict(
        self, tokens_NL: Tensor, codes_NL: Tensor, rng: torch.Generator, batch: int = 2048
    ) -> Tensor:
        """Draw length classes (N, L), packet after packet, all windows of a batch at once."""
        self.eval()
        with seeded(rng):
            parts = zip(torch.split(tokens_NL, batch), torch.split(codes_NL, batch), strict=True)
            return torch.cat([self._predict(tokens, codes) for tokens, codes in parts])

    def _predict(self, tokens_NL: Tensor, codes_NL: Tensor) -> Tensor:
        around = self._neighbours(tokens_NL, codes_NL)
        N, L = tokens_NL.shape
        none = self.behind.num_embeddings - 1
        # the first B columns stand before the window
        classes = tokens_NL.new_full((N, self.look_behind + L), none)
        for position in range(L):
            behind_NB = classes[:, position : position + self.look_behind]
            logits_NC = self._logits(around[:, position], behind_NB, tokens_NL[:, position])
            classes[:, position + self.look_behind] = draw(logits_NC)
        return classes[:, self.look_behind :]


def fit_frame_lengths(
    rows: FrameRows,
    unseen: FrameRows,
    allowed_TC: Tensor,
    codes: int,
    config: FrameLengthConfig,
    *,
    rng: torch.Generator,
    progress: Progress = silent,
) -> tuple[FrameLengthModel, FrameLengthReport]:
    """Train on real windows, each packet after the true lengths before it.

    Args:
        rows: Windows to learn from; the model stays on their device.
        unseen: Windows of captures that are not among them. A length that its frame token does not
            allow counts as unknown.
        allowed_TC: Which length classes each frame token may become.
        codes: K, the codebook's size.
        config: Sizes and training.
        rng: Decides all that is drawn.
        progress: Told after every epoch.

    Raises:
        ValueError: A frame token allows no length, or not the one a training packet has.
        TrainingError: There are no windows, or the loss is no number.
    """
    if not bool(_allows(allowed_TC, rows).all()):
        raise ValueError("a packet in training has a length that its frame token does not allow")
    unseen = unseen._replace(classes=unseen.classes.where(_allows(allowed_TC, unseen), _UNKNOWN))
    with seeded(rng):
        model = FrameLengthModel(allowed_TC, codes, config).to(rows.codes.device)
        curve = train(
            model,
            model.loss,
            rows,
            unseen,
            config.training,
            rng=rng,
            stage="frame lengths",
            progress=progress,
        )
        with torch.no_grad():
            likeliest_NL = model(*unseen).argmax(dim=-1)
    known_NL = unseen.classes != _UNKNOWN
    right = (likeliest_NL == unseen.classes)[known_NL].float()
    accuracy = float(right.mean()) if len(right) else 0.0
    return model, FrameLengthReport(curve, accuracy, float(known_NL.float().mean()))


def _allows(allowed_TC: Tensor, rows: FrameRows) -> Tensor:
    known_NL = rows.classes != _UNKNOWN
    return known_NL & allowed_TC[rows.frame_tokens, rows.classes.clamp(min=0)]
