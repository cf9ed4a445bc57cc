import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from iotflowgen.errors import TrainingError
from iotflowgen.nn import (
    Critic,
    Series,
    SeriesCritic,
    SeriesGANConfig,
    SeriesGenerator,
    critic_loss,
    fit_series_gan,
    seeded,
)

SMALL = SeriesGANConfig(
    packets=2,
    hidden=24,
    critic_hidden=24,
    critic_layers=3,
    embedding=6,
    steps=400,
    batch=32,
    learning_rate=3e-3,
    averaging=0.95,
)
SIZES = (3, 3, 2)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made(build, seed: int = 0):
    with seeded(rng(seed)):
        return build()


def series(windows: int = 300, length: int = 4) -> Series:
    """The first category is half, a third and a sixth of the windows; the second always follows it.

    The third alternates from window to window, and so does the middle of their values.
    """
    with seeded(rng(9)):
        first = torch.tensor([0, 0, 0, 1, 1, 2])[torch.arange(windows)[:, None] % 6]
        kind = torch.arange(windows)[:, None] % 2
        value = torch.rand(windows, length)
    tokens = torch.stack([f.expand(-1, length) for f in (first, first, kind)], dim=-1)
    attributes = torch.cat([0.2 + 0.6 * kind, torch.full((windows, 1), 0.1)], dim=1)
    return Series(tokens, value, attributes)


@settings(max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    length=st.integers(2, 9),
    packets=st.integers(1, 12),
    n=st.integers(1, 5),
)
def test_packets_are_distributions_whatever_the_packets_a_step(sizes, length, packets, n):
    config = SMALL.model_copy(update={"packets": packets})
    generator = made(lambda: SeriesGenerator(sizes, length, 2, config)).eval()
    with torch.no_grad(), seeded(rng()):
        drawn, attributes = generator(n)
    assert drawn.shape == (n, length, sum(sizes) + 1)
    assert attributes.shape == (n, 2)
    *fields, value = drawn.split([*sizes, 1], dim=-1)
    for field in fields:
        assert torch.allclose(field.sum(dim=-1), torch.ones(n, length), atol=1e-5)
    assert ((value >= 0) & (value <= 1)).all()
    assert ((attributes >= 0) & (attributes <= 1)).all()
    sampled = generator.sample(n, rng())
    assert sampled.tokens.shape == (n, length, len(sizes))
    assert (sampled.tokens < torch.tensor(sizes)).all()


def test_packets_teach_the_attributes_nothing():
    generator = made(lambda: SeriesGenerator(SIZES, 4, 2, SMALL))
    generator(8)[0].sum().backward()
    assert all(weight.grad is None for weight in generator.attributes.parameters())
    assert generator.lstm.weight_ih_l0.grad is not None


def test_the_critics_slope_is_that_of_the_packets_and_attributes():
    critic = made(lambda: SeriesCritic(9, 4, 2, SMALL))
    packets = torch.rand(5, 4, 9, generator=rng(1)).requires_grad_()
    attributes = torch.rand(5, 2, generator=rng(2)).requires_grad_()
    points = critic.reduce(packets, attributes)
    score = critic(points).sum()
    by_packet, by_attribute = torch.autograd.grad(score, (packets, attributes), retain_graph=True)
    (by_point,) = torch.autograd.grad(score, points)
    expected = by_packet.square().sum(dim=(1, 2)) + by_attribute.square().sum(dim=1)
    assert torch.allclose(critic.squared_slope(by_point), expected, rtol=1e-4)


class Slope(Critic):
    """A critic whose slope is (3, 4) everywhere: of norm 5."""

    def __init__(self):
        super().__init__(2, SMALL)

    def forward(self, points):
        return points @ torch.tensor([3.0, 4.0])


def test_a_critics_loss_by_hand():
    real = torch.tensor([[1.0, 0.0], [1.0, 2.0]])
    fake = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    loss, distance = critic_loss(Slope(), real, fake, penalty=10.0)
    assert float(distance) == pytest.approx((3 + 11) / 2 - (4 + 0) / 2)
    assert float(loss) == pytest.approx(10 * (5 - 1) ** 2 - 5)


def test_a_critic_learns_how_far_two_points_are_apart():
    # the Wasserstein distance of two points is their Euclidean one
    real, fake = torch.zeros(32, 2), torch.tensor([[1.5, 2.0]]).expand(32, 2)
    critic = made(lambda: Critic(2, SMALL))
    steps = torch.optim.Adam(critic.parameters(), lr=5e-3)
    with seeded(rng()):
        for _ in range(200):
            loss, distance = critic_loss(critic, real, fake, penalty=10.0)
            steps.zero_grad()
            loss.backward()
            steps.step()
    assert float(distance) == pytest.approx(2.5, rel=0.15)


@pytest.fixture(scope="module")
def fitted():
    return fit_series_gan(series(), SIZES, SMALL, rng=rng())


def test_frequencies_and_what_goes_together_are_learnt(fitted):
    generator, _ = fitted
    drawn = generator.sample(2000, rng(1))
    first, second, _ = drawn.tokens.unbind(dim=-1)
    share = torch.bincount(first.flatten(), minlength=3) / first.numel()
    assert share.tolist() == pytest.approx([1 / 2, 1 / 3, 1 / 6], abs=0.25)
    assert (first == second).float().mean() > 0.7
    assert 0.1 < (drawn.attributes[:, 0] > 0.5).float().mean() < 0.9


def test_a_fit_tells_its_curves(fitted):
    _, report = fitted
    assert report.steps == SMALL.steps
    curves = (report.critic, report.wasserstein, report.auxiliary, report.auxiliary_wasserstein)
    assert all(len(curve) == 100 for curve in (*curves, report.generator))
    assert max(report.wasserstein) > report.wasserstein[-1] > 0


def test_training_begins_with_the_frequencies():
    config = SMALL.model_copy(update={"steps": 1})
    generator, _ = fit_series_gan(series(), SIZES, config, rng=rng())
    with torch.no_grad(), seeded(rng()):
        packets, _ = generator(500)
    assert packets.mean(dim=(0, 1))[:3].tolist() == pytest.approx([1 / 2, 1 / 3, 1 / 6], abs=0.08)


def test_the_same_generator_of_chance_gives_the_same_fit():
    config = SMALL.model_copy(update={"steps": 5})
    before = torch.get_rng_state()
    first, again, other = (
        fit_series_gan(series(), SIZES, config, rng=rng(seed))[0].state_dict() for seed in (0, 0, 1)
    )
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["output.weight"], other["output.weight"])


def test_without_averaging_the_last_weights_are_kept():
    config = SMALL.model_copy(update={"steps": 5, "averaging": 0.0})
    last, mean = (
        fit_series_gan(series(), SIZES, c, rng=rng())[0].output.weight
        for c in (config, SMALL.model_copy(update={"steps": 5}))
    )
    assert not torch.equal(last, mean)


def test_a_loss_that_is_no_number_ends_the_fit():
    config = SMALL.model_copy(update={"learning_rate": 1e20})
    with pytest.raises(TrainingError, match="lower its learning_rate"):
        fit_series_gan(series(), SIZES, config, rng=rng())
