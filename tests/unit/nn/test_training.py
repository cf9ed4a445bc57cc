import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn
from torch.nn import functional as F

from iotflowgen.errors import TrainingError
from iotflowgen.nn import TrainingConfig, device_for, draw, generator_from, seeded, train


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_seeded_repeats_itself_and_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    with seeded(rng(1)):
        first = torch.rand(3)
    with seeded(rng(1)):
        again = torch.rand(3)
    with seeded(rng(2)):
        other = torch.rand(3)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


def test_seeded_restores_the_global_generator_after_an_interruption():
    before = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt), seeded(rng()):
        torch.rand(3)
        raise KeyboardInterrupt
    assert torch.equal(before, torch.get_rng_state())


def test_a_numpy_generator_decides_the_torch_one():
    a, b = (generator_from(np.random.default_rng(5)) for _ in range(2))
    assert torch.equal(torch.rand(4, generator=a), torch.rand(4, generator=b))


def test_draw_follows_the_softmax():
    logits = torch.log(torch.tensor([0.5, 0.0, 0.2, 0.3]))
    with seeded(rng()):
        drawn = draw(logits.expand(20_000, 4))
    share = torch.bincount(drawn, minlength=4) / 20_000
    assert share[1] == 0
    assert share.tolist() == pytest.approx([0.5, 0, 0.2, 0.3], abs=0.015)


@given(
    allowed=st.lists(st.booleans(), min_size=1, max_size=9).filter(any),
    seed=st.integers(0, 2**32),
)
def test_draw_never_lands_on_a_masked_index(allowed, seed):
    mask = torch.tensor(allowed)
    with seeded(rng(seed)):
        logits = (30 * torch.randn(50, len(mask))).masked_fill(~mask, -math.inf)
        assert mask[draw(logits)].all()


def line(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.linspace(-1, 1, rows)[:, None]
    return x, 3 * x + 1


def fit_line(epochs: int = 60, unseen_slope: float = 1.0, seed: int = 0, **settings):
    x, y = line(64)
    with seeded(rng(seed)):
        model = nn.Linear(1, 1)
    config = TrainingConfig(epochs=epochs, batch=16, learning_rate=0.1, **settings)
    curve = train(
        model,
        lambda x, y: F.mse_loss(model(x), y),
        [x, y],
        [x, unseen_slope * y],
        config,
        rng=rng(seed),
        stage="line",
    )
    return model, curve


def test_training_finds_a_line():
    model, curve = fit_line()
    assert model.weight.item() == pytest.approx(3, abs=0.05)
    assert curve.unseen[curve.best_epoch] == min(curve.unseen)
    assert not model.training


def test_training_stops_when_unseen_captures_get_worse_and_keeps_the_best():
    # the unseen rows want the opposite slope: every step makes them worse
    model, curve = fit_line(unseen_slope=-1.0, patience=3)
    assert len(curve.unseen) == curve.best_epoch + 1 + 3
    x, y = line(64)
    assert F.mse_loss(model(x), -y).item() == pytest.approx(min(curve.unseen), rel=1e-5)


def test_training_is_repeatable_to_the_bit():
    (a, _), (b, _), (c, _) = fit_line(5), fit_line(5), fit_line(5, seed=1)
    assert torch.equal(a.weight, b.weight)
    assert not torch.equal(a.weight, c.weight)


def test_training_without_windows_says_what_to_do():
    model = nn.Linear(1, 1)
    config = TrainingConfig(epochs=1, learning_rate=0.1)
    x, _ = line(8)
    with pytest.raises(TrainingError, match="give more or longer captures"):
        train(model, lambda x: model(x).mean(), [x], [x[:0]], config, rng=rng(), stage="line")


def test_training_that_diverges_says_what_to_do():
    model = nn.Linear(1, 1)
    config = TrainingConfig(epochs=2, learning_rate=0.1)
    x, _ = line(8)
    with pytest.raises(TrainingError, match="lower its learning_rate"):
        train(
            model, lambda x: model(x).mean() * math.nan, [x], [x], config, rng=rng(), stage="line"
        )


def test_progress_hears_of_every_epoch_and_may_interrupt():
    heard = []

    def progress(stage, done, total, note=""):
        heard.append((stage, done, total))
        if done == 2:
            raise KeyboardInterrupt

    x, y = line(8)
    model = nn.Linear(1, 1)
    config = TrainingConfig(epochs=5, learning_rate=0.1)
    with pytest.raises(KeyboardInterrupt):
        train(
            model,
            lambda x, y: F.mse_loss(model(x), y),
            [x, y],
            [x, y],
            config,
            rng=rng(),
            stage="line",
            progress=progress,
        )
    assert heard == [("line", 1, 5), ("line", 2, 5)]


def test_settings_refuse_what_they_do_not_know():
    with pytest.raises(ValidationError):
        TrainingConfig(epochs=1, learning_rate=0.1, momentum=0.9)
    with pytest.raises(ValidationError):
        TrainingConfig(epochs=0, learning_rate=0.1)


def test_the_accelerator_is_the_processor_unless_there_is_a_gpu():
    assert device_for("cpu") == torch.device("cpu")
    assert device_for("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    if not torch.cuda.is_available():
        with pytest.raises(TrainingError, match="--accelerator cpu"):
            device_for("cuda")
