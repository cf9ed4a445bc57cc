import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from iotflowgen.nn import (
    FrameLengthConfig,
    FrameLengthModel,
    FrameRows,
    TrainingConfig,
    fit_frame_lengths,
    seeded,
)

CONFIG = FrameLengthConfig(
    embedding=8,
    hidden=32,
    training=TrainingConfig(epochs=15, batch=16, learning_rate=0.01, patience=15),
)
# token 0 is an orphan of one length; token 1 may become 1 or 2, token 2 may become 3, 4 or 5
ALLOWED = torch.tensor([[1, 0, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]).bool()


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(n: int, seed: int) -> FrameRows:
    """Token 1 copies the code's parity; token 2 is one longer than the packet before it was."""
    g = rng(seed)
    tokens = torch.randint(3, (n, 6), generator=g)
    codes = torch.randint(10, (n, 6), generator=g)
    classes = torch.zeros_like(tokens)
    for i in range(6):
        before = classes[:, i - 1] if i else torch.zeros(n, dtype=torch.int64)
        follows = 3 + (before % 3 + 1) % 3
        classes[:, i] = torch.where(tokens[:, i] == 1, 1 + codes[:, i] % 2, 0)
        classes[:, i] = torch.where(tokens[:, i] == 2, follows, classes[:, i])
    return FrameRows(tokens, codes, classes)


def test_lengths_that_neighbours_and_previous_lengths_decide_are_told():
    model, report = fit_frame_lengths(rows(400, 0), rows(100, 1), ALLOWED, 10, CONFIG, rng=rng())
    assert report.accuracy > 0.97
    assert report.known == 1
    tokens, codes, classes = rows(200, 2)
    predicted = model.predict(tokens, codes, rng())
    assert (predicted == classes).float().mean() > 0.95
    # the look-behind is on its own predictions: a chain of token 2 counts on
    chain = model.predict(torch.full((50, 6), 2), codes[:50], rng())
    assert (chain == torch.tensor([4, 5, 3, 4, 5, 3])).float().mean() > 0.9


def test_a_length_that_is_chance_keeps_its_distribution():
    tokens = torch.full((400, 6), 1)
    codes = torch.zeros_like(tokens)
    classes = 1 + (torch.rand(400, 6, generator=rng()) < 0.25).long()
    data = FrameRows(tokens, codes, classes)
    model, _ = fit_frame_lengths(data, data, ALLOWED, 10, CONFIG, rng=rng())
    share = (model.predict(tokens, codes, rng(1)) == 2).float().mean().item()
    assert share == pytest.approx(0.25, abs=0.05)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_prediction_never_leaves_its_tokens_range(seed):
    g = rng(seed)
    allowed = torch.rand(7, 9, generator=g) < 0.2
    allowed[torch.arange(7), torch.randint(9, (7,), generator=g)] = True
    with seeded(g):
        model = FrameLengthModel(allowed, 5, CONFIG)
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=20)
    tokens = torch.randint(7, (10, 4), generator=g)
    codes = torch.randint(5, (10, 4), generator=g)
    predicted = model.predict(tokens, codes, g)
    assert allowed[tokens, predicted].all()


def test_unknown_lengths_of_unseen_captures_are_counted_not_learnt():
    unseen = rows(50, 1)
    unseen.classes[:, 3] = -1
    _, report = fit_frame_lengths(rows(100, 0), unseen, ALLOWED, 10, CONFIG, rng=rng())
    assert report.known == pytest.approx(5 / 6)
    assert 0 <= report.accuracy <= 1


def test_a_training_length_outside_its_range_is_refused():
    data = rows(10, 0)
    data.frame_tokens[0, 0], data.classes[0, 0] = 1, 5
    with pytest.raises(ValueError, match="does not allow"):
        fit_frame_lengths(data, rows(5, 1), ALLOWED, 10, CONFIG, rng=rng())
    with pytest.raises(ValueError, match="must allow"):
        FrameLengthModel(torch.zeros(2, 3).bool(), 10, CONFIG)


def test_same_seed_same_lengths_and_a_saved_model_is_restored_exactly():
    short = CONFIG.model_copy(update={"training": TrainingConfig(epochs=2, learning_rate=0.01)})
    a, b = (
        fit_frame_lengths(rows(50, 0), rows(20, 1), ALLOWED, 10, short, rng=rng())[0]
        for _ in range(2)
    )
    state = load(save(a.state_dict()))
    again = FrameLengthModel(state["allowed"], 10, short)
    again.load_state_dict(state)
    tokens, codes, _ = rows(30, 2)
    first = a.predict(tokens, codes, rng(3))
    assert torch.equal(first, b.predict(tokens, codes, rng(3)))
    assert torch.equal(first, again.predict(tokens, codes, rng(3)))
    assert not torch.equal(first, a.predict(tokens, codes, rng(4)))
