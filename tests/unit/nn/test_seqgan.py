import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import nn
from torch.nn import functional as F

from iotflowgen.nn import AUTHORS, CodeGenerator, Discriminator, Highway, SeqGANConfig, seeded

SMALL = SeqGANConfig(
    embedding=6,
    hidden=8,
    filters=((1, 4), (2, 4), (3, 4), (20, 4)),
    discriminator_embedding=5,
)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def generator(codes: int = 7, length: int = 5, seed: int = 0, sharpness: float = 1.0):
    with seeded(rng(seed)):
        model = CodeGenerator(codes, length, SMALL)
        with torch.no_grad():
            for weight in model.parameters():
                nn.init.normal_(weight)
            model.output.weight *= sharpness
    return model


def rolled_naively(model: CodeGenerator, codes: torch.Tensor, samples: int) -> torch.Tensor:
    """One window, one prefix, one sample after another, each from its first code."""
    B, L = codes.shape
    out = torch.empty(L - 1, B, samples, L, dtype=torch.int64)
    for prefix in range(1, L):
        for b in range(B):
            for s in range(samples):
                window = codes[b].clone()
                for position in range(prefix, L):
                    logits = model(window[None])[0, position]
                    window[position] = torch.multinomial(logits.softmax(-1), 1)
                out[prefix - 1, b, s] = window
    return out


def test_a_batched_roll_out_is_the_naive_one_where_chance_has_no_say():
    model = generator(sharpness=1e4)
    codes = torch.randint(7, (4, 5), generator=rng(1))
    with torch.no_grad(), seeded(rng()):
        assert torch.equal(model.roll_out(codes, 3), rolled_naively(model, codes, 3))


def test_a_batched_roll_out_has_the_naive_ones_distribution():
    model = generator(codes=2, length=3)
    codes = torch.tensor([[0, 1, 1]])
    with torch.no_grad(), seeded(rng()):
        batched = model.roll_out(codes, 20_000)[:, 0]
        naive = rolled_naively(model, codes, 600)[:, 0]
    for p in range(2):
        a, b = (
            torch.bincount(x[p] @ torch.tensor([4, 2, 1]), minlength=8) / len(x[p])
            for x in (batched, naive)
        )
        assert a.tolist() == pytest.approx(b.tolist(), abs=0.06)
        # and the exact one
        expected = torch.zeros(8)
        for tail in range(2 ** (2 - p)):
            window = codes.clone()
            for k in range(2 - p):
                window[0, 2 - k] = tail >> k & 1
            log = model.log_probability(window)[0, p + 1 :].sum()
            expected[int(window[0] @ torch.tensor([4, 2, 1]))] = log.exp()
        assert a.tolist() == pytest.approx(expected.tolist(), abs=0.015)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 6), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32))
def test_a_roll_out_keeps_its_prefix(length, batch, samples, seed):
    model = generator(length=length)
    codes = torch.randint(7, (batch, length), generator=rng(seed))
    with seeded(rng(seed)):
        rolled = model.roll_out(codes, samples)
    assert rolled.shape == (length - 1, batch, samples, length)
    for p in range(length - 1):
        assert (rolled[p, ..., : p + 1] == codes[:, None, : p + 1]).all()
    assert (rolled >= 0).all()
    assert (rolled < 7).all()


def test_step_by_step_sampling_has_the_likelihood_of_the_whole():
    model = generator(codes=3, length=2)
    drawn = model.sample(20_000, rng())
    share = torch.bincount(drawn @ torch.tensor([3, 1]), minlength=9) / 20_000
    every = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    with torch.no_grad():
        expected = model.log_probability(every).sum(1).exp()
    assert expected.sum().item() == pytest.approx(1, abs=1e-5)
    assert share.tolist() == pytest.approx(expected.tolist(), abs=0.015)


def test_samples_repeat_with_the_seed_and_number_as_asked():
    model = generator()
    assert torch.equal(model.sample(30, rng(3)), model.sample(30, rng(3)))
    assert not torch.equal(model.sample(30, rng(3)), model.sample(30, rng(4)))
    assert model.sample(0, rng()).shape == (0, 5)
    assert model.sample(9, rng(), batch=4).shape == (9, 5)


def test_a_saved_generator_is_restored_exactly():
    model = generator()
    again = CodeGenerator(7, 5, SeqGANConfig.model_validate_json(SMALL.model_dump_json()))
    again.load_state_dict(load(save(model.state_dict())))
    assert torch.equal(model.sample(30, rng(3)), again.sample(30, rng(3)))


def test_dropout_is_for_likelihood_training_only():
    model = generator().train()
    x = torch.randint(7, (8, 5), generator=rng())
    with torch.no_grad(), seeded(rng()):
        assert model.loss(x) != model.loss(x)
        assert torch.equal(model.log_probability(x), model.log_probability(x))
        assert torch.equal(model.eval().loss(x), model.loss(x))


def test_highway_by_hand():
    layer = Highway(2)
    with torch.no_grad():
        layer.transform.weight.copy_(torch.tensor([[2.0, 0.0], [0.0, -1.0]]))
        layer.transform.bias.zero_()
        layer.gate.weight.zero_()
        layer.gate.bias.copy_(torch.tensor([0.0, 0.0]))
    # gates of a half: 0.5 * relu(2 * 3) + 0.5 * 3, and 0.5 * relu(-4) + 0.5 * 4
    assert layer(torch.tensor([[3.0, 4.0]])).tolist() == [[4.5, 2.0]]


def test_a_new_highway_carries_its_input_through():
    with seeded(rng()):
        layer = Highway(64)
        x = torch.randn(100, 64)
    assert F.cosine_similarity(layer(x), x).mean() > 0.9


def test_filters_wider_than_a_window_are_left_out():
    model = Discriminator(7, 5, SMALL)
    assert model.widths == [1, 2, 3]
    assert model(torch.zeros(3, 5, dtype=torch.int64)).shape == (3, 2)


def test_the_discriminators_loss_has_the_output_layers_squares():
    with seeded(rng()):
        model = Discriminator(7, 5, SMALL.model_copy(update={"discriminator_l2": 0.2})).eval()
    x, real = torch.randint(7, (6, 5), generator=rng()), torch.tensor([0, 1, 0, 1, 1, 0])
    squares = sum(p.square().sum().item() for p in model.output.parameters())
    expected = F.cross_entropy(model(x), real).item() + 0.2 * squares / 2
    assert model.loss(x, real).item() == pytest.approx(expected)


def test_the_authors_settings():
    assert [width for width, _ in AUTHORS.filters] == [*range(1, 11), 15, 20]
    assert sum(count for _, count in AUTHORS.filters) == 1720
    assert (AUTHORS.pretraining.epochs, AUTHORS.rounds, AUTHORS.rollouts) == (120, 200, 16)
    assert (AUTHORS.teacher_forcing, AUTHORS.baseline) == (0, False)


@pytest.mark.parametrize("bfloat16", [False, True])
def test_the_discriminator_convolves_as_conv1d_does(bfloat16):
    config = SeqGANConfig(filters=((3, 5),), discriminator_bfloat16=bfloat16)
    model = Discriminator(codes=7, length=9, config=config).eval()
    convolution = torch.nn.Conv1d(config.discriminator_embedding, 5, 3)
    with torch.no_grad():
        convolution.weight.copy_(model.convolutions[0].weight.view(5, -1, 3))
        convolution.bias.copy_(model.convolutions[0].bias)
        codes = torch.randint(7, (4, 9), generator=torch.Generator().manual_seed(0))
        maxima = convolution(model.embedding(codes).transpose(1, 2)).relu().amax(dim=-1)
        expected = model.output(model.highway(maxima))
        torch.testing.assert_close(
            model(codes), expected, rtol=0.05 if bfloat16 else 1e-5, atol=0.05 if bfloat16 else 1e-5
        )
