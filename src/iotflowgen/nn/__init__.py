"""Networks: tensors in, tensors out (paper, sections 4.3 to 4.5)."""

from iotflowgen.nn.adversarial import Round, SeqGANReport, fit_seqgan, policy_loss, rewards, variety
from iotflowgen.nn.frame_length import (
    FrameLengthConfig,
    FrameLengthModel,
    FrameLengthReport,
    FrameRows,
    fit_frame_lengths,
)
from iotflowgen.nn.seqgan import (
    AUTHORS,
    LAPTOP,
    CodeGenerator,
    Discriminator,
    Highway,
    SeqGANConfig,
)
from iotflowgen.nn.training import (
    Accelerator,
    Curve,
    Settings,
    TrainingConfig,
    device_for,
    draw,
    generator_from,
    mean_loss,
    seeded,
    train,
)
from iotflowgen.nn.vq_stae import VQSTAE, VQSTAEConfig, VQSTAEReport, codebook_use, fit_vq_stae

__all__ = [
    "AUTHORS",
    "LAPTOP",
    "VQSTAE",
    "Accelerator",
    "CodeGenerator",
    "Curve",
    "Discriminator",
    "FrameLengthConfig",
    "FrameLengthModel",
    "FrameLengthReport",
    "FrameRows",
    "Highway",
    "Round",
    "SeqGANConfig",
    "SeqGANReport",
    "Settings",
    "TrainingConfig",
    "VQSTAEConfig",
    "VQSTAEReport",
    "codebook_use",
    "device_for",
    "draw",
    "fit_frame_lengths",
    "fit_seqgan",
    "fit_vq_stae",
    "generator_from",
    "mean_loss",
    "policy_loss",
    "rewards",
    "seeded",
    "train",
    "variety",
]
