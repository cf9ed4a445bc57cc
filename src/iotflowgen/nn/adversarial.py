"""How SeqGAN is trained (paper, section 4.4): likelihood first, then against the discriminator.

Maximum-likelihood pre-training, discriminator pre-training, then rounds of one policy gradient,
whose reward for a code is the discriminator's mean probability that continuations of the prefix it
ends are real, and of training the discriminator on fresh windows (Yu et al. 2016, Algorithm 1).
Continuations are drawn from a delayed copy of the generator.

Mode collapse: the variety of the generated windows is measured against the real windows' after
every round, before they are used. A round that collapses is undone, and training ends there.

Deviations:

- Pre-training keeps the weights that are likeliest on windows of unseen captures; the authors
  train for a fixed number of epochs.
- Two stabilisers that SeqGAN lacks, off in `AUTHORS`: a reward baseline, and steps of maximum
  likelihood between the policy gradients.
- The discriminator sees as many generated windows a draw as there are real ones, at most
  `discriminator_windows`.

Shapes: N windows, B windows of a batch, L packets, K codes, S roll-outs, P = L - 1 prefixes.
"""

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Adam

from iotflowgen.errors import ModeCollapse
from iotflowgen.nn.seqgan import CodeGenerator, Discriminator, SeqGANConfig
from iotflowgen.nn.training import Curve, mean_loss, seeded, train
from iotflowgen.progress import Progress, silent

__all__ = ["Round", "SeqGANReport", "fit_seqgan", "policy_loss", "rewards", "variety"]

_RUN = 4
"""Codes in a row whose repetition `variety` looks at."""


_CLIP = 5.0
"""Largest norm of the generator's gradient, the authors'."""


@dataclass(frozen=True)
class Round:
    """One adversarial round."""

    reward: float
    """Mean probability of being real that the discriminator gave the generated windows."""
    variety: float
    """Of as many generated windows as there are real ones, after the policy gradient."""
    discriminator_loss: float
    """Mean loss of the discriminator's training."""


@dataclass(frozen=True)
class SeqGANReport:
    """How the training went."""

    pretraining: Curve
    """Maximum likelihood, nats a code."""
    nll_before: float
    """Negative log-likelihood of unseen captures after pre-training, nats a code."""
    nll_after: float
    """The same after the last round that was kept."""
    variety_real: float
    """Of the real windows, see `variety`."""
    variety_before: float
    """Of as many windows drawn after pre-training."""
    rounds: tuple[Round, ...]
    """The adversarial rounds that were kept."""
    collapsed_round: int | None
    """The round, from 1, that lost its variety and was undone; None where none did."""

    @property
    def warning(self) -> str | None:
        """One line on a collapse that was undone; None where all is well."""
        if self.collapsed_round is None:
            return None
        kept = self.collapsed_round - 1
        return (
            f"SeqGAN lost its variety in adversarial round {self.collapsed_round} and fell back to "
            + (f"round {kept}" if kept else "the pre-trained generator")
        )


def variety(codes_NL: Tensor) -> float:
    """How many different runs of four codes the windows hold, in effect.

    The exponential of the entropy of the runs' frequencies: it falls when windows repeat each other
    and also when few patterns fill different windows. It grows with the number of windows, so
    compare equal numbers only.
    """
    runs_R4 = codes_NL.unfold(1, min(_RUN, codes_NL.shape[1]), 1).flatten(0, 1)
    counts = torch.unique(runs_R4, dim=0, return_counts=True)[1].double()
    share = counts / counts.sum()
    return float((-(share * share.log()).sum()).exp())


def rewards(
    codes_BL: Tensor, roller: CodeGenerator, discriminator: Discriminator, samples: int
) -> Tensor:
    """The reward (B, L) of each code: how real the continuations of the prefix it ends look.

    Draws from PyTorch's global generator.
    """
    B, L = codes_BL.shape
    rolled_PBSL = roller.roll_out(codes_BL, samples)
    rolled_PB = discriminator.probability(rolled_PBSL.flatten(0, 2)).view(L - 1, B, samples).mean(2)
    # the last code ends the window: there is nothing to continue
    return torch.cat([rolled_PB.T, discriminator.probability(codes_BL)[:, None]], dim=1)


def policy_loss(log_probability_BL: Tensor, rewards_BL: Tensor, baseline: bool) -> Tensor:
    """What the policy gradient descends: minus the reward-weighted log-probability (Eq. 8).

    With `baseline`, a position's rewards count by how far they are from their mean in the batch.
    """
    if baseline:
        rewards_BL = rewards_BL - rewards_BL.mean(dim=0, keepdim=True)
    return -(log_probability_BL * rewards_BL).sum(dim=1).mean()


def fit_seqgan(
    codes_NL: Tensor,
    unseen_NL: Tensor,
    codes: int,
    config: SeqGANConfig,
    *,
    rng: torch.Generator,
    progress: Progress = silent,
) -> tuple[CodeGenerator, SeqGANReport]:
    """Train a generator on windows of codes; it runs where the windows are.

    Args:
        codes_NL: Windows to learn from.
        unseen_NL: Windows of captures that are not among them.
        codes: K, the codebook's size.
        config: Sizes and training.
        rng: Decides all that is drawn.
        progress: Told after every epoch, draw and round.

    Raises:
        ModeCollapse: The pre-trained generator already repeats itself.
        TrainingError: There are no windows, or the loss is no number.
    """
    with seeded(rng):
        generator = CodeGenerator(codes, codes_NL.shape[1], config).to(codes_NL.device)
        pretraining = train(
            generator,
            generator.loss,
            [codes_NL],
            [unseen_NL],
            config.pretraining,
            rng=rng,
            stage="SeqGAN likelihood",
            progress=progress,
        )
        nll_before = mean_loss(generator, generator.loss, [unseen_NL])
        game = _Game(generator, codes_NL, config, rng)
        variety_before = game.variety()
        if not variety_before >= game.floor:
            raise ModeCollapse(
                f"after pre-training, SeqGAN's windows hold {variety_before:.0f} different runs of "
                f"codes in effect, as many real ones {game.variety_real:.0f}; give more captures, "
                "change the pre-training's learning_rate or patience, or lower variety_floor"
            )
        for done in range(config.discriminator_pretraining):
            note = f"loss {game.judge():.3f}"
            progress("SeqGAN discriminator", done + 1, config.discriminator_pretraining, note)
        rounds, collapsed = _play(game, progress)
    report = SeqGANReport(
        pretraining=pretraining,
        nll_before=nll_before,
        nll_after=mean_loss(generator, generator.loss, [unseen_NL]),
        variety_real=game.variety_real,
        variety_before=variety_before,
        rounds=rounds,
        collapsed_round=collapsed,
    )
    return generator, report


def _play(game: "_Game", progress: Progress) -> tuple[tuple[Round, ...], int | None]:
    """The adversarial rounds that kept their variety, and the number of the one that did not."""
    rounds: list[Round] = []
    for number in range(1, game.config.rounds + 1):
        varied = copy.deepcopy(game.generator.state_dict())
        reward = game.improve()
        variety_now = game.variety()
        if not variety_now >= game.floor:
            game.generator.load_state_dict(varied)
            return tuple(rounds), number
        losses = [game.judge() for _ in range(game.config.discriminator_draws)]
        rounds.append(Round(reward, variety_now, sum(losses) / len(losses)))
        note = f"reward {reward:.3f}, variety {variety_now / game.variety_real:.2f} of the real"
        progress("SeqGAN rounds", number, game.config.rounds, note)
    return tuple(rounds), None


class _Game:
    """Generator and discriminator; draws from `rng` and PyTorch's global generators."""

    def __init__(
        self,
        generator: CodeGenerator,
        codes_NL: Tensor,
        config: SeqGANConfig,
        rng: torch.Generator,
    ) -> None:
        self.generator, self.codes_NL, self.config, self.rng = generator, codes_NL, config, rng
        self.roller = copy.deepcopy(generator)
        self.discriminator = Discriminator(generator.start, codes_NL.shape[1], config)
        self.discriminator.to(codes_NL.device)
        self.policy_steps = Adam(generator.parameters(), lr=config.learning_rate)
        rate = config.discriminator_learning_rate
        self.judge_steps = Adam(self.discriminator.parameters(), lr=rate)
        self.variety_real = variety(codes_NL)
        self.floor = config.variety_floor * self.variety_real

    def variety(self) -> float:
        """Of as many windows as there are real ones; not a number for weights that are none."""
        if not all(bool(weight.isfinite().all()) for weight in self.generator.parameters()):
            return math.nan
        return variety(self.generator.sample(len(self.codes_NL), self.rng))

    def judge(self) -> float:
        """Train the discriminator on one draw of real and generated windows; the mean loss."""
        n = min(len(self.codes_NL), self.config.discriminator_windows)
        real_NL = self.codes_NL[self._pick(len(self.codes_NL), n)]
        windows_NL = torch.cat([real_NL, self.generator.sample(n, self.rng)])
        label_N = (torch.arange(2 * n, device=windows_NL.device) < n).long()
        steps = -(-2 * n // self.config.batch)
        losses = []
        self.discriminator.train()
        for _ in range(self.config.discriminator_epochs):
            for pick in self._pick(2 * n, 2 * n).tensor_split(steps):
                loss = self.discriminator.loss(windows_NL[pick], label_N[pick])
                _descend(loss, self.judge_steps)
                losses.append(float(loss.detach()))
        return sum(losses) / len(losses)

    def improve(self) -> float:
        """One policy gradient, then the steps of maximum likelihood; the mean reward."""
        config = self.config
        codes_BL = self.generator.sample(config.batch, self.rng)
        rewards_BL = rewards(codes_BL, self.roller, self.discriminator, config.rollouts)
        self.generator.train()
        log_BL = self.generator.log_probability(codes_BL)
        _descend(policy_loss(log_BL, rewards_BL, config.baseline), self.policy_steps, _CLIP)
        for _ in range(config.teacher_forcing):
            pick = self._pick(len(self.codes_NL), min(config.batch, len(self.codes_NL)))
            _descend(self.generator.loss(self.codes_NL[pick]), self.policy_steps, _CLIP)
        self._follow()
        return float(rewards_BL[:, -1].mean())

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the delayed copy towards the generator; embeddings at once, as the authors do."""
        delayed = dict(self.roller.named_parameters())
        for name, weight in self.generator.named_parameters():
            kept = 0.0 if name.startswith("embedding") else self.config.update_rate
            delayed[name].lerp_(weight, 1 - kept)

    def _pick(self, n: int, k: int) -> Tensor:
        return torch.randperm(n, generator=self.rng)[:k].to(self.codes_NL.device)


def _descend(loss: Tensor, optimizer: Adam, clip: float = math.inf) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], clip)
    optimizer.step()
