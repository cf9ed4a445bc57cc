import pytest
import torch
from safetensors.torch import load, save
from vector_quantize_pytorch import VectorQuantize

from iotflowgen.nn import VQSTAE, TrainingConfig, VQSTAEConfig, codebook_use, fit_vq_stae, seeded
from iotflowgen.nn.vq_stae import _swapped

SIZES = {"frame": 12, "direction": 2, "port": 5}
CONFIG = VQSTAEConfig(
    width=32,
    layers=1,
    heads=2,
    codebook_size=64,
    code_width=8,
    training=TrainingConfig(epochs=25, batch=32, learning_rate=5e-3, patience=25),
)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def windows(n: int, seed: int) -> torch.Tensor:
    """Windows of 8 packets; direction and port follow from the frame, but for one bit."""
    g = rng(seed)
    frame = torch.randint(12, (n, 8), generator=g)
    direction = torch.randint(2, (n, 8), generator=g)
    return torch.stack([frame, direction, (frame + direction) % 5], dim=-1)


@pytest.fixture(scope="module")
def fitted():
    return fit_vq_stae(windows(300, 0), windows(100, 1), SIZES, CONFIG, rng=rng())


def test_unseen_windows_survive_the_way_to_codes_and_back(fitted):
    model, report = fitted
    assert report.mean_accuracy > 0.97
    unseen = windows(100, 1)
    codes = model.encode(unseen)
    assert codes.shape == (100, 8)
    assert codes.dtype == torch.int64
    right = (model.decode(codes) == unseen).float().mean(dim=(0, 1))
    assert right.tolist() == pytest.approx(list(report.accuracy.values()))


def test_batches_do_not_change_the_codes(fitted):
    model, _ = fitted
    x = windows(30, 2)
    codes = model.encode(x)
    assert torch.equal(codes, model.encode(x, batch=7))
    assert torch.equal(model.decode(codes), model.decode(codes, batch=7))


def test_codebook_use_is_reported(fitted):
    model, report = fitted
    assert (report.codebook_used, report.codebook_perplexity) == codebook_use(
        model.encode(windows(300, 0)), 64
    )
    # 24 kinds of packets need as many codes
    assert report.codebook_perplexity > 20


def test_codebook_use_by_hand():
    used, perplexity = codebook_use(torch.tensor([[0, 0, 1, 1]]), 8)
    assert used == pytest.approx(0.25)
    assert perplexity == pytest.approx(2)


def test_same_seed_same_weights_to_the_bit():
    short = CONFIG.model_copy(
        update={"training": TrainingConfig(epochs=2, batch=32, learning_rate=5e-3)}
    )
    a, b, c = (
        fit_vq_stae(windows(100, 0), windows(20, 1), SIZES, short, rng=rng(seed))[0].state_dict()
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)


def test_a_saved_model_is_restored_exactly_codebook_included(fitted):
    model, _ = fitted
    config = VQSTAEConfig.model_validate_json(CONFIG.model_dump_json())
    again = VQSTAE(SIZES, 8, config)
    again.load_state_dict(load(save(model.state_dict())))
    x = windows(20, 3)
    assert torch.equal(model.encode(x), again.encode(x))
    assert torch.equal(model.decode(model.encode(x)), again.decode(again.encode(x)))


def quantizer(dead_below: float) -> VectorQuantize:
    """The model's own quantiser, its codes near 0 but for the first 4."""
    config = CONFIG.model_copy(update={"dead_below": dead_below, "width": 8, "codebook_size": 16})
    with seeded(rng()):
        vq = VQSTAE(SIZES, 8, config).quantizer
    vq._codebook.initted.fill_(True)
    return vq


@pytest.mark.parametrize(("dead_below", "revived"), [(0.0, False), (0.5, True)])
def test_dead_codes_are_revived(dead_below, revived):
    # the packets lie far from every code: one code takes them all, the others die
    vq = quantizer(dead_below)
    packets = 50 + 10 * torch.randn(4, 8, 8, generator=rng())
    with seeded(rng()):
        for _ in range(60):
            vq(packets)
    _, codes, _ = vq.eval()(packets)
    assert (codes.unique().numel() > 8) == revived


def test_the_gradient_passes_straight_through_the_quantiser():
    vq = quantizer(0.0)
    vq.commitment_weight, vq.has_commitment_loss = 0.0, False
    x = torch.randn(2, 3, 8, generator=rng(), requires_grad=True)
    quantized, _, _ = vq(x)
    weight = torch.randn(2, 3, 8, generator=rng(1))
    (quantized * weight).sum().backward()
    assert torch.allclose(x.grad, weight)


def test_swapped_tokens_come_from_their_own_field():
    x = windows(50, 0)
    with seeded(rng()):
        assert torch.equal(_swapped(x, 0.0), x)
        swapped = _swapped(x, 0.5)
    assert 0.2 < (swapped != x).float().mean() < 0.5
    for f in range(3):
        assert set(swapped[..., f].unique().tolist()) <= set(x[..., f].unique().tolist())


def test_without_context_a_packet_has_the_same_code_wherever_it_stands():
    config = CONFIG.model_copy(update={"context": False})
    model, report = fit_vq_stae(windows(300, 0), windows(100, 1), SIZES, config, rng=rng())
    assert report.mean_accuracy > 0.97
    unseen = windows(100, 1)
    order = torch.randperm(800, generator=rng())
    moved = unseen.flatten(0, 1)[order].view_as(unseen)
    assert torch.equal(model.encode(moved).flatten(), model.encode(unseen).flatten()[order])
