"""VQ-STAE (paper, section 4.3): windows of packets to windows of discrete codes, and back.

A vector-quantised auto-encoder (van den Oord et al. 2017) whose encoder and decoder are sequence
transformers over multivariate tokens. Every field has an embedding and an output head of its own;
each packet becomes one code, which is what SeqGAN learns.

Deviations and what the paper leaves open:

- Its sizes are not given; the defaults were chosen by accuracy on unseen captures in the time of a
  laptop (docs/decisions/002).
- The codebook follows the encoder by moving averages instead of a loss of its own, starts from
  k-means over encoder outputs, and dead codes are revived (vector_quantize_pytorch).
- In training, a few tokens are swapped for other packets': a window of an unseen capture combines
  fields as no window in training did.

Shapes: N windows, L packets, F fields, D width, K codes.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F
from vector_quantize_pytorch import VectorQuantize

from iotflowgen.nn.training import Curve, TrainingConfig, seeded, train
from iotflowgen.progress import Progress, silent
from iotflowgen.settings import Settings

if loguru := sys.modules.get("loguru"):
    # its remark on fewer windows than codes would reach the terminal in a form of its own
    loguru.logger.disable("vector_quantize_pytorch")

__all__ = ["VQSTAE", "VQSTAEConfig", "VQSTAEReport", "codebook_use", "fit_vq_stae"]


class VQSTAEConfig(Settings):
    """Size and training of the VQ-STAE."""

    width: int = Field(96, gt=0, le=4096)
    """D, numbers that stand for a packet inside the transformers."""
    layers: int = Field(1, gt=0, le=64)
    """Transformer layers of the encoder, and as many of the decoder."""
    heads: int = Field(4, gt=0, le=64)
    """Attention heads; divides `width`."""
    context: bool = False
    """Whether a code may tell of the rest of its window, too; if not, the encoder sees each packet
    by itself, wherever it stands, and the decoder alone sees windows."""
    codebook_size: int = Field(1024, gt=1, le=2**16)
    """K, codes."""
    code_width: int = Field(16, gt=0, le=4096)
    """Numbers a code has; the encoder's output is projected down to it."""
    decay: float = Field(0.9, gt=0, lt=1)
    """Of the moving averages that the codes are."""
    dead_below: float = Field(0.1, ge=0)
    """A code whose moving average of packets a batch falls below this is replaced by a packet of
    the batch; must stay well under batch x L / K."""
    commitment: float = Field(0.25, ge=0)
    """Weight of the loss that keeps encoder outputs near their codes."""
    swap: float = Field(0.03, ge=0, lt=1)
    """Share of training tokens that are swapped for the same field's of another packet."""
    training: TrainingConfig = TrainingConfig(epochs=30, batch=64, learning_rate=3e-3, patience=8)
    """How it is trained."""

    @model_validator(mode="after")
    def _heads_divide(self) -> "VQSTAEConfig":
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) does not divide width ({self.width})")
        return self


@dataclass(frozen=True)
class VQSTAEReport:
    """How well windows survive the way to codes and back."""

    curve: Curve
    """Sum of the fields' cross-entropies, nats a packet; in training, the commitment loss too."""
    accuracy: dict[str, float]
    """Share of packets of unseen captures whose token comes back, by field."""
    codebook_used: float
    """Share of the codes that the training windows use."""
    codebook_perplexity: float
    """Of that use, in codes."""

    @property
    def mean_accuracy(self) -> float:
        """Mean of `accuracy` over the fields."""
        return sum(self.accuracy.values()) / len(self.accuracy)


class VQSTAE(nn.Module):
    """The auto-encoder.

    Args:
        sizes: Vocabulary of each field, by name, in the order of the tokens' last axis.
        length: L, packets a window.
        config: Sizes inside.
    """

    def __init__(self, sizes: Mapping[str, int], length: int, config: VQSTAEConfig) -> None:
        super().__init__()
        D = config.width
        self.swap, self._context = config.swap, config.context
        self.embeddings = nn.ModuleList(nn.Embedding(size, D) for size in sizes.values())
        self.encoder_position_LD = nn.Parameter(0.02 * torch.randn(length, D))
        self.encoder = _transformer(config)
        self.quantizer = VectorQuantize(
            dim=D,
            codebook_dim=config.code_width,
            codebook_size=config.codebook_size,
            kmeans_init=True,
            decay=config.decay,
            threshold_ema_dead_code=config.dead_below,
            commitment_weight=config.commitment,
            rotation_trick=False,  # the straight-through gradient of van den Oord et al.
        )
        self.decoder_position_LD = nn.Parameter(0.02 * torch.randn(length, D))
        self.decoder = _transformer(config)
        self.heads = nn.ModuleList(nn.Linear(D, size) for size in sizes.values())

    def _encoded(self, tokens_NLF: Tensor) -> Tensor:
        embedded_NLD = sum(e(tokens_NLF[..., f]) for f, e in enumerate(self.embeddings))
        if self._context:
            encoded_NLD: Tensor = self.encoder(embedded_NLD + self.encoder_position_LD)
        else:
            # each packet is a window of its own
            encoded_NLD = self.encoder(embedded_NLD.flatten(0, 1)[:, None]).view_as(embedded_NLD)
        return encoded_NLD

    def _decoded(self, quantized_NLD: Tensor) -> list[Tensor]:
        hidden_NLD = self.decoder(quantized_NLD + self.decoder_position_LD)
        return [head(hidden_NLD) for head in self.heads]

    def loss(self, tokens_NLF: Tensor) -> Tensor:
        """Cross-entropies summed over the fields, mean over packets, plus the commitment loss."""
        if self.training:
            tokens_NLF = _swapped(tokens_NLF, self.swap)
        quantized_NLD, _, commitment = self.quantizer(self._encoded(tokens_NLF))
        logits_FNLV = self._decoded(quantized_NLD)
        losses = [
            F.cross_entropy(logits_NLV.flatten(0, 1), tokens_NLF[..., f].flatten())
            for f, logits_NLV in enumerate(logits_FNLV)
        ]
        total: Tensor = torch.stack(losses).sum() + commitment
        return total

    @torch.no_grad()
    def encode(self, tokens_NLF: Tensor, batch: int = 512) -> Tensor:
        """Tokens to codes (N, L)."""
        self.eval()
        return torch.cat(
            [self.quantizer(self._encoded(x))[1] for x in torch.split(tokens_NLF, batch)]
        )

    @torch.no_grad()
    def decode(self, codes_NL: Tensor, batch: int = 512) -> Tensor:
        """Codes to the likeliest tokens (N, L, F)."""
        self.eval()
        parts = []
        for part_NL in torch.split(codes_NL, batch):
            logits_FNLV = self._decoded(self.quantizer.get_output_from_indices(part_NL))
            parts.append(torch.stack([x.argmax(dim=-1) for x in logits_FNLV], dim=-1))
        return torch.cat(parts)


def _transformer(config: VQSTAEConfig) -> nn.Sequential:
    layers = [
        nn.TransformerEncoderLayer(
            d_model=config.width,
            nhead=config.heads,
            dim_feedforward=4 * config.width,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        for _ in range(config.layers)
    ]
    return nn.Sequential(*layers, nn.LayerNorm(config.width))


def _swapped(tokens_NLF: Tensor, share: float) -> Tensor:
    """Some tokens swapped for their field's of other packets; from PyTorch's global generator."""
    N, L, F_ = tokens_NLF.shape
    # an order of all packets for each field
    other_PF = torch.rand(N * L, F_, device=tokens_NLF.device).argsort(dim=0)
    drawn_NLF = tokens_NLF.flatten(0, 1).gather(0, other_PF).view(N, L, F_)
    chosen_NLF = torch.rand(N, L, F_, device=tokens_NLF.device) < share
    return drawn_NLF.where(chosen_NLF, tokens_NLF)


def codebook_use(codes_NL: Tensor, codebook_size: int) -> tuple[float, float]:
    """Share of the codebook that windows use, and the perplexity of that use.

    The perplexity is the number of codes that, used equally often, would carry as much.
    """
    share_K = torch.bincount(codes_NL.flatten(), minlength=codebook_size) / codes_NL.numel()
    entropy = -torch.xlogy(share_K, share_K).sum()
    return float((share_K > 0).float().mean()), float(entropy.exp())


def fit_vq_stae(
    tokens_NLF: Tensor,
    unseen_NLF: Tensor,
    sizes: Mapping[str, int],
    config: VQSTAEConfig,
    *,
    rng: torch.Generator,
    progress: Progress = silent,
) -> tuple[VQSTAE, VQSTAEReport]:
    """Train on windows of tokens, until windows of unseen captures no longer gain.

    Args:
        tokens_NLF: Windows to learn from, int64; the model stays on their device.
        unseen_NLF: Windows of captures that are not among them.
        sizes: Vocabulary of each field, by name, in order.
        config: Sizes and training.
        rng: Decides all that is drawn.
        progress: Told after every epoch.

    Raises:
        TrainingError: There are no windows, or the loss is no number.
    """
    with seeded(rng):
        model = VQSTAE(sizes, tokens_NLF.shape[1], config).to(tokens_NLF.device)
        curve = train(
            model,
            model.loss,
            [tokens_NLF],
            [unseen_NLF],
            config.training,
            rng=rng,
            stage="VQ-STAE",
            progress=progress,
        )
    right_NLF = model.decode(model.encode(unseen_NLF)) == unseen_NLF
    accuracy_F = right_NLF.float().mean(dim=(0, 1)).tolist()
    used, perplexity = codebook_use(model.encode(tokens_NLF), config.codebook_size)
    return model, VQSTAEReport(curve, dict(zip(sizes, accuracy_F, strict=True)), used, perplexity)
