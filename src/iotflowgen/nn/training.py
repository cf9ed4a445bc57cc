"""What every network here shares: where it runs, what seeds it, and the loop over epochs.

Shapes: R rows of data, whatever follows; a batch is B of them.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from iotflowgen.errors import TrainingError
from iotflowgen.progress import Progress, silent
from iotflowgen.settings import Accelerator, Settings

__all__ = [
    "Curve",
    "TrainingConfig",
    "device_for",
    "draw",
    "generator_from",
    "mean_loss",
    "seeded",
    "train",
]


class TrainingConfig(Settings):
    """How a network is trained."""

    epochs: int = Field(gt=0)
    """Passes over the training rows at most."""
    batch: int = Field(64, gt=0)
    """Rows a step."""
    learning_rate: float = Field(gt=0)
    """Adam's, at its highest."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Cosine: the rate rises over the first twentieth of the steps, then falls to 0."""
    patience: int = Field(10, gt=0)
    """Epochs without a better loss on unseen captures after which training stops."""
    clip: float = Field(1.0, gt=0)
    """The gradient is scaled down to this norm."""


@dataclass(frozen=True)
class Curve:
    """How a training went."""

    training: tuple[float, ...]
    """Mean loss on the training rows, an entry an epoch."""
    unseen: tuple[float, ...]
    """Mean loss on rows of unseen captures, an entry an epoch."""
    best_epoch: int
    """The epoch, from 0, whose weights were kept: the lowest loss on unseen captures."""


def device_for(accelerator: Accelerator) -> torch.device:
    """The device that `accelerator` names.

    Raises:
        TrainingError: A GPU is asked for and PyTorch sees none.
    """
    available = torch.cuda.is_available()
    if accelerator == "cuda" and not available:
        raise TrainingError("PyTorch finds no CUDA GPU; choose --accelerator cpu or auto")
    return torch.device("cuda" if available and accelerator != "cpu" else "cpu")


def generator_from(rng: np.random.Generator) -> torch.Generator:
    """A generator for PyTorch that follows from `rng`."""
    return torch.Generator().manual_seed(int(rng.integers(2**63)))


@contextmanager
def seeded(rng: torch.Generator) -> Iterator[None]:
    """Inside, PyTorch's global generators follow from `rng`; afterwards they are as they were.

    Initial weights, dropout and vector_quantize_pytorch take no generator: they draw from the
    global ones.
    """
    seed = int(torch.randint(2**62, (), generator=rng))
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def draw(logits_RK: Tensor) -> Tensor:
    """Draw an index (R) from each row's softmax, by the inverse of its distribution function.

    One uniform number a row, which is several times as fast as `torch.multinomial`'s K.
    """
    cumulative_RK = logits_RK.softmax(dim=-1).cumsum(dim=-1)
    uniform_R1 = torch.rand(len(logits_RK), 1, device=logits_RK.device) * cumulative_RK[:, -1:]
    # right=True never lands on an index of probability 0; the clamp is for a uniform rounded up
    index_R1 = torch.searchsorted(cumulative_RK, uniform_R1, right=True)
    last_R1 = (cumulative_RK < cumulative_RK[:, -1:]).sum(dim=-1, keepdim=True)
    return torch.minimum(index_R1, last_R1).squeeze(1)


Loss = Callable[..., Tensor]
"""Mean loss of a batch, from its rows of each tensor."""


def train(
    model: nn.Module,
    loss: Loss,
    rows: Sequence[Tensor],
    unseen: Sequence[Tensor],
    config: TrainingConfig,
    *,
    rng: torch.Generator,
    stage: str,
    progress: Progress = silent,
) -> Curve:
    """Train with Adam; the weights of the best epoch on unseen captures are the ones kept.

    Args:
        model: Changed in place; left in evaluation mode.
        loss: Called with the rows of one batch.
        rows: Tensors of R training rows each.
        unseen: The same of captures that are not in training.
        config: How to train.
        rng: Decides the order of the rows.
        stage: What `progress` calls this.
        progress: Told after every epoch.

    Raises:
        TrainingError: There are no rows, or the loss is no number.
    """
    n = len(rows[0])
    if not n or not len(unseen[0]):
        raise TrainingError(
            f"{stage} needs windows to train on and windows of unseen captures to stop by, and has "
            f"{n} and {len(unseen[0])}; give more or longer captures"
        )
    steps = -(-n // config.batch)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    cosine = config.schedule == "cosine"
    share = _warm_cosine(config.epochs * steps) if cosine else lambda _: 1.0
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
    training: list[float] = []
    unseen_losses: list[float] = []
    best: tuple[float, int, dict[str, Tensor]] = (math.inf, -1, {})
    for epoch in range(config.epochs):
        model.train()
        total = 0.0
        order = torch.randperm(n, generator=rng).to(rows[0].device)
        for pick in order.tensor_split(steps):
            optimizer.zero_grad()
            batch_loss = loss(*(tensor[pick] for tensor in rows))
            batch_loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            optimizer.step()
            rate.step()
            total += float(batch_loss.detach()) * len(pick)
        training.append(total / n)
        unseen_losses.append(mean_loss(model, loss, unseen))
        if unseen_losses[-1] < best[0]:
            best = (unseen_losses[-1], epoch, copy.deepcopy(model.state_dict()))
        progress(stage, epoch + 1, config.epochs, f"loss {unseen_losses[-1]:.3f}")
        if epoch - best[1] >= config.patience:
            progress(stage, epoch + 1, epoch + 1, f"stopped, loss {best[0]:.3f}")
            break
    if best[1] < 0:
        raise TrainingError(f"the loss of {stage} is not a number; lower its learning_rate")
    model.load_state_dict(best[2])
    model.eval()
    return Curve(tuple(training), tuple(unseen_losses), best[1])


@torch.no_grad()
def mean_loss(model: nn.Module, loss: Loss, rows: Sequence[Tensor], batch: int = 512) -> float:
    """Mean loss over all rows, in evaluation mode; leaves the model in that mode."""
    model.eval()
    parts = list(zip(*(torch.split(tensor, batch) for tensor in rows), strict=True))
    total = sum(float(loss(*part)) * len(part[0]) for part in parts)
    return total / len(rows[0])


def _warm_cosine(steps: int) -> Callable[[int], float]:
    """The share of the highest learning rate at each step."""
    warm = max(1, steps // 20)

    def share(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

    return share
