"""IoTFlowGenerator, the paper's method, whole (section 4).

Fitting: captures are split, windows cut, packets coded as tokens (`encoding`), the VQ-STAE turns
each packet into one code (section 4.3), SeqGAN learns windows of codes (4.4), and a perceptron
learns frame lengths (4.5). Sampling walks the same way back.

Deviations: training stops early on captures set aside for that (`unseen`), where the paper names no
criterion; each module names its own.

Shapes: N windows, L packets each, F fields.
"""

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError, model_validator
from torch import Tensor, nn

from iotflowgen.encoding import Codec, CodecConfig
from iotflowgen.errors import ModeCollapse, ModelError, TooShort
from iotflowgen.generators.model_file import (
    ModelMetadata,
    StoredModel,
    read_model,
    versions,
    write_model,
)
from iotflowgen.generators.port_numbers import PortNumbers
from iotflowgen.nn import (
    AUTHORS,
    LAPTOP,
    VQSTAE,
    CodeGenerator,
    FrameLengthConfig,
    FrameLengthModel,
    FrameRows,
    SeqGANConfig,
    SeqGANReport,
    VQSTAEConfig,
    device_for,
    fit_frame_lengths,
    fit_seqgan,
    fit_vq_stae,
    generator_from,
    variety,
)
from iotflowgen.progress import Progress, silent
from iotflowgen.recording import Recording
from iotflowgen.settings import Accelerator, Settings
from iotflowgen.traffic import Trace, Windows, WindowStarts, cut_windows, draw_window_starts

__all__ = ["FitWarning", "IoTFlow", "IoTFlowConfig", "IoTFlowReport"]

_CHECKED = 100
"""Windows whose variety is looked at before any are used."""
_CHANCE = 0.8
"""How far below the floor of the fit, which looks at more windows, those may fall by chance."""
_BATCH = 2048
"""Windows drawn at a time."""


class FitWarning(UserWarning):
    """A fit did not use all it was given, or fell back to an earlier state."""


class IoTFlowConfig(Settings):
    """Settings of the paper's method."""

    window: int = Field(default=20, ge=2)
    """L, packets a window."""
    windows: int = Field(default=1500, ge=1)
    """n, windows drawn at random to learn from; fewer where the captures hold fewer."""
    unseen: float = Field(default=0.2, gt=0, lt=1)
    """Share of the captures set aside to stop training by; one at least."""
    codec: CodecConfig = CodecConfig()
    """How packets become tokens (section 4.2)."""
    vq_stae: VQSTAEConfig = VQSTAEConfig()
    """How tokens become codes (section 4.3)."""
    seqgan: SeqGANConfig = LAPTOP
    """How windows of codes are learnt (section 4.4)."""
    frame_length: FrameLengthConfig = FrameLengthConfig()
    """How frame lengths are chosen (section 4.5)."""

    @model_validator(mode="after")
    def _filters_fit(self) -> "IoTFlowConfig":
        if min(width for width, _ in self.seqgan.filters) > self.window:
            raise ValueError("every filter of seqgan.filters is wider than a window")
        return self


@dataclass(frozen=True)
class IoTFlowReport:
    """How a fit went."""

    windows: int
    """Windows learnt from."""
    unseen_windows: int
    """Windows of the captures set aside."""
    signatures: int
    """Packet-level signatures that cover some packet."""
    vocabulary: dict[str, int]
    """Tokens of each field."""
    codes_used: float
    """Share of the codebook that the windows learnt from use."""
    codes_perplexity: float
    """Of that use, in codes."""
    reconstruction: dict[str, float]
    """Share of packets of the captures set aside whose token comes back from its code, by field."""
    reconstruction_mean: float
    """Mean of that over the fields."""
    length_accuracy: float
    """Share of known frame lengths of the captures set aside that the likeliest class hits."""
    lengths_known: float
    """Share of the frame lengths of the captures set aside that training has seen."""
    nll_pretrained: float
    """Of the codes of the captures set aside after maximum-likelihood pre-training, nats a code."""
    nll: float
    """The same after the adversarial rounds."""
    variety: float
    """Variety of generated windows over that of as many real ones (section 4.4)."""
    warning: str | None
    """What the user should know: a collapse that was undone."""


class IoTFlow:
    """The paper's method."""

    name: ClassVar[str] = "iotflow"
    Config: ClassVar = IoTFlowConfig
    SETTINGS: ClassVar[dict[str, IoTFlowConfig]] = {
        "laptop": IoTFlowConfig(),
        "authors": IoTFlowConfig(windows=500, seqgan=AUTHORS),
    }

    def __init__(
        self,
        config: IoTFlowConfig | None = None,
        *,
        seed: int = 0,
        accelerator: Accelerator = "auto",
    ) -> None:
        self.config = config or IoTFlowConfig()
        self.seed = seed
        self._device = device_for(accelerator)
        self._captures: tuple[int, ...] = ()
        self.codec: Codec
        """How packets become tokens, once it is fitted."""

    def fit(self, traces: Sequence[Trace], *, progress: Progress = silent) -> Self:
        """Learn from the captures of one device.

        Raises:
            TooShort: No capture holds a window, or the only one that does holds no second.
            ModeCollapse: The generator repeats itself before it has played a round.
            TrainingError: Training came to nothing.
        """
        config, rng = self.config, np.random.default_rng(self.seed)
        usable = [trace for trace in traces if len(trace) >= config.window]
        if 0 < len(usable) < len(traces):
            _warn(
                f"{len(traces) - len(usable)} of {len(traces)} captures have fewer than "
                f"{config.window} packets and are left out; a smaller --window would use them"
            )
        seen, unseen = _set_aside(usable, config, rng)
        starts = draw_window_starts(seen, _how_many(seen, config), config.window, rng)
        unseen_starts = draw_window_starts(unseen, _how_many(unseen, config), config.window, rng)
        codec = Codec.fit(seen, starts, config.codec, int(rng.integers(2**31)))
        tokens_NLF, classes_NL = self._rows(codec, seen, starts)
        unseen_NLF, unseen_classes_NL = self._rows(codec, unseen, unseen_starts)

        torch_rng = generator_from(rng)
        vq_stae, coded = fit_vq_stae(
            tokens_NLF, unseen_NLF, codec.sizes, config.vq_stae, rng=torch_rng, progress=progress
        )
        rows = FrameRows(tokens_NLF[..., 0], vq_stae.encode(tokens_NLF), classes_NL)
        unseen_rows = FrameRows(unseen_NLF[..., 0], vq_stae.encode(unseen_NLF), unseen_classes_NL)
        codes = config.vq_stae.codebook_size
        generator, played = fit_seqgan(
            rows.codes, unseen_rows.codes, codes, config.seqgan, rng=torch_rng, progress=progress
        )
        allowed_TC = torch.from_numpy(codec.allowed_classes).to(self._device)
        frame_length, told = fit_frame_lengths(
            rows,
            unseen_rows,
            allowed_TC,
            codes,
            config.frame_length,
            rng=torch_rng,
            progress=progress,
        )
        self.codec, self._vq_stae = codec, vq_stae
        self._ports = PortNumbers.fit(usable, codec.ports, config.window)
        self._generator, self._frame_length = generator, frame_length
        self._captures = tuple(map(len, usable))
        self._floor = _CHANCE * config.seqgan.variety_floor * variety(rows.codes[:_CHECKED])
        self.report = IoTFlowReport(
            windows=len(starts),
            unseen_windows=len(unseen_starts),
            signatures=len(codec.frames.signatures),
            vocabulary=codec.sizes,
            codes_used=coded.codebook_used,
            codes_perplexity=coded.codebook_perplexity,
            reconstruction=coded.accuracy,
            reconstruction_mean=coded.mean_accuracy,
            length_accuracy=told.accuracy,
            lengths_known=told.known,
            nll_pretrained=played.nll_before,
            nll=played.nll_after,
            variety=_variety(played) / played.variety_real,
            warning=played.warning,
        )
        if played.warning:
            _warn(played.warning)
        return self

    def reconstruction(self, traces: Sequence[Trace], rng: np.random.Generator) -> dict[str, float]:
        """Share of packets whose token comes back from its code, by field, on windows of `traces`.

        Raises:
            TooShort: No capture holds a window.
        """
        starts = draw_window_starts(traces, _how_many(traces, self.config), self.config.window, rng)
        tokens_NLF = torch.from_numpy(self.codec.encode(traces, starts)).to(self._device)
        back_NLF = self._vq_stae.decode(self._vq_stae.encode(tokens_NLF))
        right_F = (back_NLF == tokens_NLF).double().mean(dim=(0, 1))
        return dict(zip(self.codec.sizes, right_F.tolist(), strict=True))

    def sample(self, n: int, rng: np.random.Generator, *, progress: Progress = silent) -> Windows:
        """Draw `n` synthetic windows.

        Raises:
            ModeCollapse: They repeat themselves far more than real windows do (section 4.4).
        """
        parts = []
        for first in range(0, max(n, 1), _BATCH):
            codes_NL = self.sample_codes(min(_BATCH, n - first), rng)
            parts.append(self.decode(codes_NL, rng))
            progress("sample", first + len(codes_NL), n)
        return Windows.concatenate(parts)

    def sample_codes(self, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw `n` windows of codes (N, L), which `decode` makes packets of.

        Raises:
            ModeCollapse: They repeat themselves far more than real windows do (section 4.4).
        """
        # too few windows tell nothing of variety: draw some more beside them
        codes_NL = self._generator.sample(max(n, _CHECKED), generator_from(rng))
        if variety(codes_NL[:_CHECKED]) < self._floor:
            raise ModeCollapse("the generator repeats itself; fit it again with another --seed")
        return _array(codes_NL[:n])

    def encode(self, traces: Sequence[Trace], starts: WindowStarts) -> NDArray[np.int64]:
        """The codes (N, L) of the windows of `traces` that begin at `starts`."""
        tokens_NLF = torch.from_numpy(self.codec.encode(traces, starts)).to(self._device)
        return _array(self._vq_stae.encode(tokens_NLF))

    def decode(self, codes: NDArray[np.int64], rng: np.random.Generator) -> Windows:
        """Windows of codes (N, L); `rng` draws lengths, durations and ephemeral ports."""
        codes_NL = torch.from_numpy(codes).to(self._device)
        tokens_NLF = self._vq_stae.decode(codes_NL)
        classes_NL = self._frame_length.predict(tokens_NLF[..., 0], codes_NL, generator_from(rng))
        windows = self.codec.decode(_array(tokens_NLF), _array(classes_NL), rng)
        return self._ports.draw(windows, rng)

    def save(self, path: Path, recording: Recording | None = None) -> None:
        """Write the model file, whole or not at all.

        Raises:
            OutputError: The file cannot be written.
        """
        tensors = {
            f"{part}.{name}": tensor.cpu().numpy()
            for part, module in self._parts().items()
            for name, tensor in module.state_dict().items()
        }
        metadata = ModelMetadata(
            generator=self.name,
            seed=self.seed,
            config=self.config.model_dump(mode="json"),
            vocabularies=self.codec.model_dump(mode="json"),
            report=asdict(self.report),
            captures=self._captures,
            versions=versions(),
        )
        tensors |= self._ports.tensors()
        tensors["variety_floor"] = np.array([self._floor], dtype=np.float32)
        write_model(path, metadata, tensors, recording)

    @classmethod
    def load(cls, path: Path, *, accelerator: Accelerator = "auto") -> Self:
        """Read a model file that `save` wrote.

        Raises:
            ModelError: It is damaged, of another version, or of another generator.
        """
        return cls.restore(read_model(path, of=cls.name), accelerator=accelerator)

    @classmethod
    def restore(cls, stored: StoredModel, *, accelerator: Accelerator = "auto") -> Self:
        """The generator of a model file that was read.

        Raises:
            ModelError: Its parts do not fit together.
        """
        metadata = stored.metadata
        try:
            self = cls(
                IoTFlowConfig.model_validate(metadata.config),
                seed=metadata.seed,
                accelerator=accelerator,
            )
            self._captures = metadata.captures
            self.report = TypeAdapter(IoTFlowReport).validate_python(metadata.report)
            self._build(Codec.model_validate(metadata.vocabularies))
            self._ports = PortNumbers.restore(stored.tensors, self.codec.ports, self.config.window)
            self._floor = float(stored.tensors["variety_floor"].item())
            tensors = {name: torch.from_numpy(each) for name, each in stored.tensors.items()}
            for part, module in self._parts().items():
                own = {k: v for k, v in tensors.items() if k.startswith(f"{part}.")}
                module.load_state_dict({k.removeprefix(f"{part}."): v for k, v in own.items()})
                module.to(self._device).eval()
        except (ValidationError, RuntimeError, KeyError, ValueError) as error:
            raise ModelError(f"{stored.path} holds parts that do not fit; fit it again") from error
        return self

    def _build(self, codec: Codec) -> None:
        """Networks of the right sizes, without what they learnt."""
        config, codes = self.config, self.config.vq_stae.codebook_size
        self.codec = codec
        self._vq_stae = VQSTAE(codec.sizes, config.window, config.vq_stae)
        self._generator = CodeGenerator(codes, config.window, config.seqgan)
        allowed_TC = torch.from_numpy(codec.allowed_classes)
        self._frame_length = FrameLengthModel(allowed_TC, codes, config.frame_length)

    def _parts(self) -> dict[str, nn.Module]:
        return {
            "vq_stae": self._vq_stae,
            "generator": self._generator,
            "frame_length": self._frame_length,
        }

    def _rows(
        self, codec: Codec, traces: Sequence[Trace], starts: WindowStarts
    ) -> tuple[Tensor, Tensor]:
        """Tokens (N, L, F) and length classes (N, L) of windows."""
        tokens = codec.encode(traces, starts)
        classes = codec.length_classes(cut_windows(traces, starts).length)
        return torch.from_numpy(tokens).to(self._device), torch.from_numpy(classes).to(self._device)


def _set_aside(
    traces: Sequence[Trace], config: IoTFlowConfig, rng: np.random.Generator
) -> tuple[list[Trace], list[Trace]]:
    """Captures to learn from, and others to stop by; the end of the only one where there is one.

    Raises:
        TooShort: There is no capture of a window, or one only, and it holds no second.
    """
    L = config.window
    if len(traces) > 1:
        aside = min(max(1, round(config.unseen * len(traces))), len(traces) - 1)
        order = [traces[i] for i in rng.permutation(len(traces))]
        return order[aside:], order[:aside]
    if not traces or len(traces[0]) < 2 * L:
        raise TooShort(
            f"learning needs two captures of {L} packets or one of {2 * L}; record more, or choose "
            "a smaller --window"
        )
    cut = min(round((1 - config.unseen) * len(traces[0])), len(traces[0]) - L)
    return [traces[0][:cut]], [traces[0][cut:]]


def _how_many(traces: Sequence[Trace], config: IoTFlowConfig) -> int:
    """All windows, but no more than asked for."""
    return min(config.windows, sum(max(0, len(trace) - config.window + 1) for trace in traces))


def _variety(played: SeqGANReport) -> float:
    """Of the generator that was kept."""
    return played.rounds[-1].variety if played.rounds else played.variety_before


def _warn(message: str) -> None:
    warnings.warn(message, FitWarning, stacklevel=3)


def _array(tensor: Tensor) -> NDArray[np.int64]:
    array: NDArray[np.int64] = tensor.cpu().numpy()
    return array
