import dataclasses
import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.errors import ModeCollapse, TrainingError
from iotflowgen.nn import (
    CodeGenerator,
    Discriminator,
    SeqGANConfig,
    TrainingConfig,
    fit_seqgan,
    policy_loss,
    rewards,
    seeded,
    variety,
)

CODES = 6
CONFIG = SeqGANConfig(
    embedding=8,
    hidden=24,
    dropout=0.0,
    pretraining=TrainingConfig(epochs=20, batch=32, learning_rate=0.02, patience=20),
    filters=((1, 8), (2, 16), (3, 16)),
    discriminator_embedding=8,
    discriminator_windows=128,
    discriminator_pretraining=2,
    rounds=3,
    rollouts=2,
    batch=32,
)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cycles(n: int, seed: int, length: int = 8) -> torch.Tensor:
    """The grammar: each code is the one before it plus 1, or, one time in four, plus 2."""
    g = rng(seed)
    steps = 1 + (torch.rand(n, length, generator=g) < 0.25).long()
    steps[:, 0] = torch.randint(CODES, (n,), generator=g)
    return steps.cumsum(1) % CODES


def valid(codes: torch.Tensor) -> float:
    """Share of windows that keep the grammar."""
    step = (codes[:, 1:] - codes[:, :-1]) % CODES
    return float(((step == 1) | (step == 2)).all(dim=1).float().mean())


def fit(seed: int = 0, **changes):
    config = CONFIG.model_copy(update=changes)
    return fit_seqgan(cycles(300, 0), cycles(100, 1), CODES, config, rng=rng(seed))


def test_pre_training_learns_a_grammar():
    generator, report = fit(rounds=0, discriminator_pretraining=0)
    assert valid(generator.sample(500, rng())) > 0.95
    # the entropy of the grammar: ln 6 for the first of 8 codes, H(1/4) for the others
    entropy = (math.log(6) + 7 * -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))) / 8
    assert report.nll_before == pytest.approx(entropy, abs=0.05)
    assert report.rounds == ()


def test_adversarial_rounds_improve_a_generator_that_learnt_too_little():
    config = CONFIG.model_copy(
        update={
            "pretraining": TrainingConfig(epochs=4, batch=32, learning_rate=0.02),
            "rounds": 60,
            "rollouts": 4,
            "learning_rate": 5e-3,
            "discriminator_pretraining": 10,
            "discriminator_learning_rate": 5e-3,
            "teacher_forcing": 0,
        }
    )
    before, _ = fit_seqgan(
        cycles(300, 0),
        cycles(100, 1),
        CODES,
        config.model_copy(update={"rounds": 0}),
        rng=rng(),
    )
    after, report = fit_seqgan(cycles(300, 0), cycles(100, 1), CODES, config, rng=rng())
    assert report.collapsed_round is None
    assert valid(after.sample(500, rng())) > valid(before.sample(500, rng())) + 0.05


def test_policy_loss_by_hand():
    log = torch.tensor([[-1.0, -2.0], [-3.0, -4.0]], requires_grad=True)
    reward = torch.tensor([[1.0, 0.5], [0.0, 0.5]])
    loss = policy_loss(log, reward, baseline=False)
    assert loss.item() == pytest.approx((1 + 1 + 0 + 2) / 2)
    loss.backward()
    assert torch.equal(log.grad, -reward / 2)
    # against the mean of each position: +0.5, 0 and -0.5, 0
    assert policy_loss(log, reward, baseline=True).item() == pytest.approx((0.5 - 1.5) / 2)


def test_a_reward_is_the_mean_over_continuations_and_the_last_the_windows_own():
    with seeded(rng()):
        roller = CodeGenerator(CODES, 4, CONFIG)
        judge = Discriminator(CODES, 4, CONFIG)
    codes = torch.randint(CODES, (3, 4), generator=rng())
    with seeded(rng(1)):
        given_rewards = rewards(codes, roller, judge, samples=5)
    with seeded(rng(1)):
        rolled = roller.roll_out(codes, 5)
    assert given_rewards.shape == (3, 4)
    assert torch.equal(given_rewards[:, 3], judge.probability(codes))
    for p in range(3):
        for b in range(3):
            expected = judge.probability(rolled[p, b]).mean().item()
            assert given_rewards[b, p].item() == pytest.approx(expected, abs=1e-6)


def test_variety_by_hand():
    one = torch.tensor([[0, 1, 2, 3]])
    assert variety(one.repeat(9, 1)) == pytest.approx(1)
    assert variety(torch.cat([one, one + 1, one + 2])) == pytest.approx(3)
    # frequencies 3/4 and 1/4
    expected = math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert variety(torch.cat([one.repeat(3, 1), one + 1])) == pytest.approx(expected)
    # windows shorter than a run are runs themselves
    assert variety(torch.tensor([[0, 1], [1, 0]])) == pytest.approx(2)


@given(st.integers(1, 40), st.integers(4, 12), st.integers(0, 2**32))
def test_variety_counts_at_most_every_run(n, length, seed):
    codes = torch.randint(4, (n, length), generator=rng(seed))
    assert 1 - 1e-9 <= variety(codes) <= n * (length - 3) + 1e-6


def test_a_collapse_is_undone_and_said():
    # steps this large leave weights that repeat one code for ever
    healthy, _ = fit(rounds=0)
    generator, report = fit(rounds=8, learning_rate=30.0, teacher_forcing=0)
    assert report.collapsed_round is not None
    assert len(report.rounds) == report.collapsed_round - 1
    assert "fell back" in report.warning
    assert variety(generator.sample(300, rng())) >= 0.5 * report.variety_real
    if report.collapsed_round == 1:
        assert torch.equal(generator.sample(50, rng()), healthy.sample(50, rng()))
        assert "pre-trained" in report.warning


def test_a_pre_trained_generator_that_repeats_itself_is_refused():
    # training windows that are all the same but a few: likelihood learns the one, the few vary
    same = torch.zeros(40, 8, dtype=torch.int64)
    config = CONFIG.model_copy(update={"variety_floor": 0.9})
    varied = torch.cat([same, cycles(60, 0)])
    with pytest.raises(ModeCollapse, match="give more captures"):
        fit_seqgan(
            varied,
            same,
            CODES,
            config.model_copy(
                update={"pretraining": TrainingConfig(epochs=1, batch=100, learning_rate=50.0)}
            ),
            rng=rng(),
        )


def test_same_seed_same_weights_and_samples_to_the_bit():
    (a, ra), (b, rb), (c, _) = fit(rounds=2), fit(rounds=2), fit(rounds=2, seed=1)
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert torch.equal(a.sample(20, rng()), b.sample(20, rng()))
    assert ra == rb
    assert not torch.equal(a.output.weight, c.output.weight)


def test_the_report_is_json():
    _, report = fit(rounds=1)
    assert json.loads(json.dumps(dataclasses.asdict(report)))["collapsed_round"] is None
    assert report.warning is None


def test_no_windows_of_unseen_captures_is_an_error():
    with pytest.raises(TrainingError, match="unseen"):
        fit_seqgan(cycles(30, 0), cycles(0, 1), CODES, CONFIG, rng=rng())


def test_every_stage_reports_progress():
    heard = []
    fit_seqgan(
        cycles(64, 0),
        cycles(30, 1),
        CODES,
        CONFIG.model_copy(update={"variety_floor": 0.0}),
        rng=rng(),
        progress=lambda stage, done, total, note="": heard.append((stage, done, total)),
    )
    assert ("SeqGAN likelihood", 1, 20) in heard
    assert ("SeqGAN discriminator", 2, 2) in heard
    assert ("SeqGAN rounds", 3, 3) in heard
