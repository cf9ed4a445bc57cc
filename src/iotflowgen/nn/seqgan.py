"""SeqGAN's two networks (paper, sections 2.1 and 4.4): who writes windows of codes, who judges.

After Yu et al. 2016, "SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient", and the
authors' published code (LantaoYu/SeqGAN): an LSTM generator, and a discriminator of convolutions
over the codes, a highway layer and dropout. How they are trained is `nn.adversarial`.

Deviations:

- The start token is an index of its own; the authors' code starts from token 0, which is a code.
- Roll-outs of all positions and samples run as one growing batch instead of one after another; the
  distribution is the same.

Shapes: N windows, B windows of a batch, L packets, K codes, E embedding, H hidden, S roll-outs of
a prefix, P = L - 1 prefixes, C features of the discriminator,
R = width x E numbers of a run of codes.
"""

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from iotflowgen.nn.training import TrainingConfig, draw, seeded
from iotflowgen.settings import Settings

__all__ = ["AUTHORS", "LAPTOP", "CodeGenerator", "Discriminator", "Highway", "SeqGANConfig"]

State = tuple[Tensor, Tensor]
"""An LSTM's hidden and cell state, each (1, N, H)."""


class SeqGANConfig(Settings):
    """Sizes and training of SeqGAN; the defaults are `LAPTOP`."""

    embedding: int = Field(64, gt=0, le=4096)
    """E, numbers that stand for a code in the generator."""
    hidden: int = Field(128, gt=0, le=4096)
    """H, size of the generator's LSTM."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Share of the generator's inputs and outputs hidden in maximum-likelihood training."""
    pretraining: TrainingConfig = TrainingConfig(
        epochs=30, batch=32, learning_rate=5e-3, patience=5
    )
    """Maximum-likelihood training, stopped early on windows of unseen captures."""

    filters: tuple[tuple[int, int], ...] = ((1, 32), (2, 64), (3, 64), (4, 64), (6, 32), (10, 32))
    """The discriminator's convolutions: packets wide, how many. Those wider than L are left out."""
    discriminator_embedding: int = Field(32, gt=0, le=4096)
    """Numbers that stand for a code in the discriminator."""
    discriminator_dropout: float = Field(0.25, ge=0, lt=1)
    """Share of the discriminator's features hidden in training."""
    discriminator_l2: float = Field(0.2, ge=0)
    """Weight of the output layer's squares in the discriminator's loss."""
    discriminator_learning_rate: float = Field(1e-3, gt=0)
    """Adam's, for the discriminator."""
    discriminator_bfloat16: bool = False
    """Convolve in bfloat16, several times as fast on processors with units for it."""
    discriminator_windows: int = Field(512, gt=0)
    """Real windows that one draw shows the discriminator, and as many generated ones."""
    discriminator_epochs: int = Field(2, gt=0)
    """Passes over each draw."""
    discriminator_pretraining: int = Field(5, ge=0)
    """Draws before the adversarial rounds."""

    rounds: int = Field(12, ge=0)
    """Adversarial rounds."""
    rollouts: int = Field(4, gt=0)
    """S, Monte Carlo continuations of each prefix."""
    batch: int = Field(64, gt=0)
    """B, windows a step, of the generator and of the discriminator."""
    learning_rate: float = Field(1e-3, gt=0)
    """Adam's, for the policy gradient."""
    update_rate: float = Field(0.8, ge=0, lt=1)
    """How much of its own weights the delayed copy, which rolls out, keeps a round."""
    discriminator_draws: int = Field(1, gt=0)
    """Draws the discriminator is trained on after each policy gradient."""
    baseline: bool = True
    """Take the batch's mean reward at each position off the rewards (not in SeqGAN)."""
    teacher_forcing: int = Field(1, ge=0)
    """Maximum-likelihood steps on real windows after each policy gradient (not in SeqGAN)."""
    variety_floor: float = Field(0.5, ge=0, lt=1)
    """A generator whose variety is below this share of the real windows' has collapsed."""


LAPTOP = SeqGANConfig()
"""What fits two cores: chosen on measurements, see docs/decisions/003."""

AUTHORS = SeqGANConfig(
    embedding=32,
    hidden=32,
    dropout=0.0,
    pretraining=TrainingConfig(
        epochs=120, batch=64, learning_rate=0.01, patience=120, clip=5.0, schedule="constant"
    ),
    filters=tuple(
        zip(
            (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20),
            (100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160),
            strict=True,
        )
    ),
    discriminator_embedding=64,
    discriminator_learning_rate=1e-4,
    discriminator_windows=1000,
    discriminator_epochs=3,
    discriminator_pretraining=50,
    rounds=200,
    rollouts=16,
    learning_rate=0.01,
    discriminator_draws=5,
    baseline=False,
    teacher_forcing=0,
)
"""The settings of IoTFlowGenerator's published code: SeqGAN's, but 1,000 windows a draw."""


class CodeGenerator(nn.Module):
    """An LSTM over codes: the policy, whose action is the next packet's code.

    Args:
        codes: K, the codebook's size.
        length: L, packets a window.
        config: Sizes inside.
    """

    def __init__(self, codes: int, length: int, config: SeqGANConfig) -> None:
        super().__init__()
        self.start = codes
        self.length = length
        self.embedding = nn.Embedding(codes + 1, config.embedding)
        self.lstm = nn.LSTM(config.embedding, config.hidden, batch_first=True)
        self.output = nn.Linear(config.hidden, codes)
        self.dropout = config.dropout

    def forward(self, codes_NL: Tensor, dropout: float = 0.0) -> Tensor:
        """Logits (N, L, K) of each code, given those before it."""
        inputs_NL = F.pad(codes_NL[:, :-1], (1, 0), value=self.start)
        hidden_NLH, _ = self.lstm(F.dropout(self.embedding(inputs_NL), dropout))
        logits_NLK: Tensor = self.output(F.dropout(hidden_NLH, dropout))
        return logits_NLK

    def loss(self, codes_NL: Tensor) -> Tensor:
        """Mean negative log-likelihood of a code, nats; with dropout only while training."""
        logits_NLK = self(codes_NL, self.dropout if self.training else 0.0)
        return F.cross_entropy(logits_NLK.flatten(0, 1), codes_NL.flatten())

    def log_probability(self, codes_NL: Tensor) -> Tensor:
        """Log-probability (N, L) of each code, given those before it."""
        log_NLK = self(codes_NL).log_softmax(dim=-1)
        log_NL: Tensor = log_NLK.gather(-1, codes_NL[..., None]).squeeze(-1)
        return log_NL

    def _step(self, codes_N: Tensor, state: State | None) -> tuple[Tensor, State]:
        hidden_N1H, state = self.lstm(self.embedding(codes_N[:, None]), state)
        return self.output(hidden_N1H[:, 0]), state

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator, batch: int = 4096) -> Tensor:
        """Draw `n` windows of codes (N, L)."""
        self.eval()
        with seeded(rng):
            sizes = [min(batch, n - done) for done in range(0, n, batch)]
            drawn = [self._draw(size) for size in sizes]
        return torch.cat(drawn) if drawn else self._draw(0)

    def _draw(self, n: int) -> Tensor:
        device = self.output.weight.device
        codes_N = torch.full((n,), self.start, device=device)
        codes_NL = torch.empty(n, self.length, dtype=torch.int64, device=device)
        state: State | None = None
        for position in range(self.length):
            logits_NK, state = self._step(codes_N, state)
            codes_N = codes_NL[:, position] = draw(logits_NK)
        return codes_NL

    @torch.no_grad()
    def roll_out(self, codes_BL: Tensor, samples: int) -> Tensor:
        """Continue every prefix of every window `samples` times (P, B, S, L).

        Entry p keeps the first p + 1 codes of its window. Draws from PyTorch's global generator.
        """
        B, L = codes_BL.shape
        rolled_PBSL = codes_BL[None, :, None].expand(L - 1, B, samples, L).clone()
        _, prefix = self._step(codes_BL.new_full((B,), self.start), None)
        running: State = (prefix[0][:, :0], prefix[1][:, :0])
        for t in range(1, L):
            # prefixes that end here join those that are already being continued: their next input
            # is still the window's own code, the others' is the one drawn in the step before
            joining = [s.repeat_interleave(samples, dim=1) for s in prefix]
            state = (torch.cat([running[0], joining[0]], 1), torch.cat([running[1], joining[1]], 1))
            logits, running = self._step(rolled_PBSL[:t, ..., t - 1].flatten(), state)
            rolled_PBSL[:t, ..., t] = draw(logits).view(t, B, samples)
            _, prefix = self._step(codes_BL[:, t - 1], prefix)
        return rolled_PBSL


class Highway(nn.Module):
    """One highway layer (Srivastava et al. 2015): a gate mixes a layer's output with its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.transform = nn.Linear(width, width)
        self.gate = nn.Linear(width, width)
        # the authors' bias: at the start nearly everything is carried through
        nn.init.constant_(self.gate.bias, -2.0)

    def forward(self, x_NC: Tensor) -> Tensor:
        """Features to features, (N, C) both."""
        gate_NC = self.gate(x_NC).sigmoid()
        mixed_NC: Tensor = gate_NC * self.transform(x_NC).relu() + (1 - gate_NC) * x_NC
        return mixed_NC


class Discriminator(nn.Module):
    """Convolutions of several widths over a window's codes, their maxima, a highway layer.

    Args:
        codes: K, the codebook's size.
        length: L, packets a window.
        config: Sizes inside.
    """

    def __init__(self, codes: int, length: int, config: SeqGANConfig) -> None:
        super().__init__()
        filters = [(width, count) for width, count in config.filters if width <= length]
        features = sum(count for _, count in filters)
        E = config.discriminator_embedding
        self.l2 = config.discriminator_l2
        self.embedding = nn.Embedding(codes, E)
        self.in_bfloat16 = config.discriminator_bfloat16
        self.widths = [width for width, _ in filters]
        # a matrix product over runs of codes: twice as fast as Conv1d in bfloat16, and no slower
        self.convolutions = nn.ModuleList(nn.Linear(E * width, count) for width, count in filters)
        self.highway = Highway(features)
        self.dropout = nn.Dropout(config.discriminator_dropout)
        self.output = nn.Linear(features, 2)

    def forward(self, codes_NL: Tensor) -> Tensor:
        """Logits (N, 2): generated, real."""
        embedded_NLE = self.embedding(codes_NL)
        maxima = []
        with torch.autocast(embedded_NLE.device.type, torch.bfloat16, enabled=self.in_bfloat16):
            for width, convolution in zip(self.widths, self.convolutions, strict=True):
                runs_NLR = embedded_NLE.unfold(1, width, 1).flatten(2)
                maxima.append(convolution(runs_NLR).amax(dim=1).relu())
        features_NC = self.dropout(self.highway(torch.cat(maxima, dim=1).float()))
        logits_N2: Tensor = self.output(features_NC)
        return logits_N2

    def loss(self, codes_NL: Tensor, real_N: Tensor) -> Tensor:
        """Cross-entropy, plus the weighted squares of the output layer."""
        squares = self.output.weight.square().sum() + self.output.bias.square().sum()
        return F.cross_entropy(self(codes_NL), real_N) + self.l2 * squares / 2

    @torch.no_grad()
    def probability(self, codes_NL: Tensor, batch: int = 2048) -> Tensor:
        """Probability (N) that a window is real."""
        self.eval()
        return torch.cat(
            [self(part).softmax(dim=-1)[:, 1] for part in torch.split(codes_NL, batch)]
        )
