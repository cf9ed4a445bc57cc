"""DoppelGANger's networks and their game (Lin, Jain, Wang, Fanti and Sekar 2020, IMC).

"Using GANs for Sharing Networked Time Series Data: Challenges, Initial Promise, and Open
Questions", and the authors' published code (fjxmlzn/DoppelGANger), whose sizes are the defaults. A
perceptron draws a series' attributes from noise: the middle and the half-width of its continuous
values (auto-normalisation). An LSTM, told the attributes and fresh noise at every step, writes
several packets a step (batched generation). Two Wasserstein critics with gradient penalty judge:
one the whole, an auxiliary one the attributes alone.

Deviations:

- All series are of one length, so there is no flag that ends one.
- The critic sees each packet through a linear map, the same for all packets, before its perceptron:
  a first layer over all numbers of a window takes most of the time and learns slower.
- The generator begins with the categories' frequencies, and takes its step on the series that the
  critics have just seen instead of on others.
- Windows are drawn from a running mean of the generator's weights (Yazici et al. 2019, "The Unusual
  Effectiveness of Averaging in GAN Training").

Shapes: N windows, B of a batch, L packets, K categorical fields, C their categories in all,
F = C + 1 numbers a packet: a softmax a field and one continuous value; A attributes, T steps of the
LSTM, S packets a step, Z noise, H hidden, E numbers that the map makes of a packet, R = L x E + A.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam

from iotflowgen.errors import TrainingError
from iotflowgen.nn.training import seeded
from iotflowgen.progress import Progress, silent
from iotflowgen.settings import Settings

__all__ = [
    "Critic",
    "Series",
    "SeriesCritic",
    "SeriesGANConfig",
    "SeriesGANReport",
    "SeriesGenerator",
    "critic_loss",
    "fit_series_gan",
]

_BETAS = (0.5, 0.999)
"""Adam's, the authors'."""
_CURVE = 100
"""Entries of a curve."""


class SeriesGANConfig(Settings):
    """Sizes and training of the networks."""

    packets: int = Field(5, gt=0, le=64)
    """S, packets a step of the LSTM."""
    noise: int = Field(5, gt=0, le=4096)
    """Z, random inputs a step, and of the attributes."""
    hidden: int = Field(100, gt=0, le=4096)
    """H, width of the LSTM and of the perceptron that draws attributes."""
    critic_hidden: int = Field(128, gt=0, le=4096)
    """Width of the critics' hidden layers."""
    critic_layers: int = Field(4, ge=2, le=64)
    """Layers of each critic's perceptron, the output among them."""
    embedding: int = Field(48, gt=0, le=4096)
    """E, numbers that the critic's linear map makes of a packet."""
    steps: int = Field(3500, gt=0)
    """Steps of the critics, each followed by one of the generator."""
    batch: int = Field(64, gt=1)
    """B, windows a step."""
    learning_rate: float = Field(1e-3, gt=0)
    """Adam's, of generator and critics."""
    penalty: float = Field(10.0, ge=0)
    """Weight of the gradient penalty."""
    auxiliary: float = Field(1.0, ge=0)
    """Weight of the auxiliary critic in the generator's loss."""
    averaging: float = Field(0.995, ge=0, lt=1)
    """How much of itself the running mean of the generator's weights keeps a step; 0 for none."""


@dataclass(frozen=True)
class SeriesGANReport:
    """How a training went; a curve's entry is a mean over a hundredth of the steps."""

    steps: int
    """Steps played."""
    critic: tuple[float, ...]
    """Loss of the critic of whole series."""
    wasserstein: tuple[float, ...]
    """Its estimate of the Wasserstein distance between real and generated series."""
    auxiliary: tuple[float, ...]
    """Loss of the auxiliary critic."""
    auxiliary_wasserstein: tuple[float, ...]
    """Its estimate for the attributes."""
    generator: tuple[float, ...]
    """Loss of the generator."""


class Series(NamedTuple):
    """Windows as the networks see them; numbers are between 0 and 1."""

    tokens: Tensor
    """A category a field of each packet (N, L, K), int64."""
    value: Tensor
    """The continuous value of each packet (N, L)."""
    attributes: Tensor
    """Attributes of each window (N, A)."""


class SeriesGenerator(nn.Module):
    """Attributes from noise, then packets, several a step.

    Args:
        sizes: Categories of each field.
        length: L, packets a window.
        attributes: A, numbers that describe a window.
        config: Sizes inside.
    """

    def __init__(
        self, sizes: Sequence[int], length: int, attributes: int, config: SeriesGANConfig
    ) -> None:
        super().__init__()
        H, self.noise, self.hidden = config.hidden, config.noise, config.hidden
        self.sizes, self.length = tuple(sizes), length
        self.steps = math.ceil(length / config.packets)
        self.attributes = nn.Sequential(
            nn.Linear(config.noise, H),
            nn.ReLU(),
            nn.BatchNorm1d(H),
            nn.Linear(H, H),
            nn.ReLU(),
            nn.BatchNorm1d(H),
            nn.Linear(H, attributes),
            nn.Sigmoid(),
        )
        self.lstm = nn.LSTM(attributes + config.noise, H, batch_first=True)
        self.output = nn.Linear(H, config.packets * (sum(sizes) + 1))

    def forward(self, n: int) -> tuple[Tensor, Tensor]:
        """Draw packets (N, L, F) and attributes (N, A) from PyTorch's global generator."""
        device = self.output.weight.device
        attributes_NA = self.attributes(torch.randn(n, self.noise, device=device))
        noise_NTZ = torch.randn(n, self.steps, self.noise, device=device)
        # as in the authors' code, what the packets are worth teaches the attributes nothing
        told_NTA = attributes_NA.detach()[:, None].expand(-1, self.steps, -1)
        state = torch.randn(2, 1, n, self.hidden, device=device).unbind()
        hidden_NTH, _ = self.lstm(torch.cat([told_NTA, noise_NTZ], dim=-1), state)
        packets = self.output(hidden_NTH).view(n, -1, sum(self.sizes) + 1)[:, : self.length]
        *fields, value_NL1 = packets.split([*self.sizes, 1], dim=-1)
        categories = [field.softmax(dim=-1) for field in fields]
        return torch.cat([*categories, value_NL1.sigmoid()], dim=-1), attributes_NA

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator) -> Series:
        """Draw `n` series, each category the likeliest of its softmax."""
        self.eval()
        with seeded(rng):
            packets_NLF, attributes_NA = self(n)
        *fields, value_NL1 = packets_NLF.split([*self.sizes, 1], dim=-1)
        tokens_NLK = torch.stack([field.argmax(dim=-1) for field in fields], dim=-1)
        return Series(tokens_NLK, value_NL1.squeeze(-1), attributes_NA)


class Critic(nn.Module):
    """A perceptron that scores points (N, R): the higher, the more real."""

    def __init__(self, inputs: int, config: SeriesGANConfig) -> None:
        super().__init__()
        widths = [inputs, *[config.critic_hidden] * (config.critic_layers - 1)]
        layers: list[nn.Module] = []
        for width, following in pairwise(widths):
            layers += [nn.Linear(width, following), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, points_NR: Tensor) -> Tensor:
        """Scores (N)."""
        scores_N1: Tensor = self.layers(points_NR)
        return scores_N1.squeeze(-1)

    def squared_slope(self, gradient_NR: Tensor) -> Tensor:
        """The squared norm (N) of the gradient in the space of what is judged."""
        return gradient_NR.square().sum(dim=1)


class SeriesCritic(Critic):
    """Judges packets (N, L, F) and attributes (N, A), which `reduce` makes points of."""

    def __init__(self, numbers: int, length: int, attributes: int, config: SeriesGANConfig) -> None:
        super().__init__(length * config.embedding + attributes, config)
        self.inside = (length, config.embedding)
        self.packet = nn.Linear(numbers, config.embedding, bias=False)

    def reduce(self, packets_NLF: Tensor, attributes_NA: Tensor) -> Tensor:
        """Points (N, R): each packet through the linear map, then the attributes."""
        return torch.cat([self.packet(packets_NLF).flatten(1), attributes_NA], dim=1)

    def squared_slope(self, gradient_NR: Tensor) -> Tensor:
        """Of the gradient by packets and attributes, from the one by points.

        The map is linear: |g W|^2 = g (W W^T) g^T, without the F numbers of each packet.
        """
        L, E = self.inside
        packets_NLE = gradient_NR[:, : L * E].reshape(-1, L, E)
        within_EE = self.packet.weight @ self.packet.weight.T
        squares_N: Tensor = ((packets_NLE @ within_EE) * packets_NLE).sum(dim=(1, 2))
        return squares_N + gradient_NR[:, L * E :].square().sum(dim=1)


def critic_loss(
    critic: Critic, real_NR: Tensor, fake_NR: Tensor, penalty: float
) -> tuple[Tensor, Tensor]:
    """What a critic descends, and its estimate of the Wasserstein distance (Gulrajani et al. 2017).

    The gradient at points drawn between real and generated ones is to have norm 1. Draws from
    PyTorch's global generator.
    """
    real_score, fake_score = critic(torch.cat([real_NR, fake_NR])).view(2, -1).mean(dim=1)
    distance = real_score - fake_score
    share_N1 = torch.rand(len(real_NR), 1, device=real_NR.device)
    between_NR = torch.lerp(real_NR, fake_NR, share_N1)
    if not between_NR.requires_grad:
        between_NR.requires_grad_()
    (slope_NR,) = torch.autograd.grad(critic(between_NR).sum(), between_NR, create_graph=True)
    # the norm has no derivative at 0
    steepness_N = (critic.squared_slope(slope_NR) + 1e-8).sqrt()
    return penalty * (steepness_N - 1).square().mean() - distance, distance.detach()


def fit_series_gan(
    series: Series,
    sizes: Sequence[int],
    config: SeriesGANConfig,
    *,
    rng: torch.Generator,
    progress: Progress = silent,
) -> tuple[SeriesGenerator, SeriesGANReport]:
    """Train a generator on series; it runs where they are.

    Args:
        series: What to learn from.
        sizes: Categories of each field.
        config: Sizes and training.
        rng: Decides all that is drawn.
        progress: Told a hundred times.

    Raises:
        TrainingError: The loss is no number.
    """
    with seeded(rng):
        game = _Game(series, sizes, config)
        curves: list[Tensor] = []
        ends = [round(config.steps * (i + 1) / _CURVE) for i in range(_CURVE)]
        for start, end in zip([0, *ends], ends, strict=False):
            if start == end:
                continue
            played = torch.stack([game.play() for _ in range(start, end)]).mean(dim=0)
            if not bool(played.isfinite().all()):
                raise TrainingError("DoppelGANger's loss is not a number; lower its learning_rate")
            curves.append(played)
            progress("DoppelGANger", end, config.steps, f"distance {float(played[1]):.3f}")
    curve = torch.stack(curves).T.tolist()
    return game.average.eval(), SeriesGANReport(config.steps, *map(tuple, curve))


class _Game:
    """Generator and critics; draws from PyTorch's global generators."""

    def __init__(self, series: Series, sizes: Sequence[int], config: SeriesGANConfig) -> None:
        device = series.tokens.device
        self.series, self.config = series, config
        length, attributes = series.value.shape[1], series.attributes.shape[1]
        self.offset_K = torch.tensor([0, *sizes[:-1]], device=device).cumsum(0)
        self.categories = sum(sizes)
        self.generator = SeriesGenerator(sizes, length, attributes, config).to(device)
        shares_C = _log_shares(series.tokens, sizes)
        with torch.no_grad():
            self.generator.output.bias.copy_(F.pad(shares_C, (0, 1)).repeat(config.packets))
        self.average = copy.deepcopy(self.generator)
        self.critic = SeriesCritic(self.categories + 1, length, attributes, config).to(device)
        self.auxiliary = Critic(attributes, config).to(device)
        judges = [*self.critic.parameters(), *self.auxiliary.parameters()]
        rate = config.learning_rate
        self.judge_steps = Adam(judges, lr=rate, betas=_BETAS, fused=True)
        self.draw_steps = Adam(self.generator.parameters(), lr=rate, betas=_BETAS, fused=True)

    def play(self) -> Tensor:
        """A step of the critics, then one of the generator; the figures of a report."""
        config, critic, auxiliary = self.config, self.critic, self.auxiliary
        fake = self.generator(config.batch)
        real, seen = self._real(), [part.detach() for part in fake]
        loss, distance = critic_loss(
            critic, critic.reduce(*real), critic.reduce(*seen), config.penalty
        )
        figures = critic_loss(auxiliary, real[1], seen[1], config.penalty)
        self.judge_steps.zero_grad()
        (loss + figures[0]).backward()  # type: ignore[no-untyped-call]
        self.judge_steps.step()

        score = critic(critic.reduce(*fake)).mean()
        drawn_loss = -score - config.auxiliary * auxiliary(fake[1]).mean()
        self.draw_steps.zero_grad()
        drawn_loss.backward(inputs=list(self.generator.parameters()))
        self.draw_steps.step()
        self._follow()
        return torch.stack([f.detach() for f in (loss, distance, *figures, drawn_loss)])

    def _real(self) -> tuple[Tensor, Tensor]:
        """Packets (B, L, F) and attributes (B, A) of windows drawn at random."""
        tokens_NLK, value_NL, attributes_NA = self.series
        pick = torch.randint(len(value_NL), (self.config.batch,), device=value_NL.device)
        shape = (self.config.batch, value_NL.shape[1], self.categories)
        hot_BLC = torch.zeros(shape, device=value_NL.device)
        hot_BLC.scatter_(-1, tokens_NLK[pick] + self.offset_K, 1.0)
        return torch.cat([hot_BLC, value_NL[pick][..., None]], dim=-1), attributes_NA[pick]

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the running mean towards the generator."""
        pairs = zip(
            self.average.state_dict().values(), self.generator.state_dict().values(), strict=True
        )
        for mean, weight in pairs:
            if mean.is_floating_point():
                mean.lerp_(weight, 1 - self.config.averaging)


def _log_shares(tokens_NLK: Tensor, sizes: Sequence[int]) -> Tensor:
    """The logarithm of the frequency (C) of each category of each field."""
    fields = zip(tokens_NLK.flatten(0, 1).T, sizes, strict=True)
    counts = [torch.bincount(tokens, minlength=size) + 0.5 for tokens, size in fields]
    return torch.cat([(count / count.sum()).log() for count in counts])
