"""DoppelGANger, the baseline of the paper (section 5, "Baseline Comparison").

The features are those that the paper gives it: frame length, direction, protocol configuration,
source and destination port of each packet as categories, and the min-max normalised duration. The
networks are `nn.doppelganger`'s.

Deviations from the paper, each to make the baseline stronger:

- Durations are normalised on a logarithmic axis; on a linear one, which `durations` chooses, all
  but the longest pauses are 0.
- Durations are then normalised again within each window (auto-normalisation, Lin et al. 2020),
  which the paper leaves open.
- Ports are coded by `encoding.ports`; `ports.recurrence = 0` makes each number a category.

Shapes: N windows, L packets each, K = 5 categorical fields, A = 2 attributes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from iotflowgen.encoding import PortConfig, PortEncoder, ProtocolEncoder
from iotflowgen.errors import ModelError
from iotflowgen.generators.model_file import (
    ModelMetadata,
    StoredModel,
    read_model,
    versions,
    write_model,
)
from iotflowgen.generators.port_numbers import PortNumbers
from iotflowgen.nn import (
    Series,
    SeriesGANConfig,
    SeriesGANReport,
    SeriesGenerator,
    device_for,
    fit_series_gan,
    generator_from,
)
from iotflowgen.progress import Progress, silent
from iotflowgen.recording import Recording
from iotflowgen.settings import Accelerator, Settings
from iotflowgen.traffic import Trace, Windows, cut_windows, draw_window_starts, every_window_start

__all__ = ["DoppelGANger", "DoppelGANgerConfig", "DoppelGANgerReport"]

_ATTRIBUTES = 2
_RESOLUTION_NS = 1000  # of captures; added to a duration, for 0 has no logarithm
_MARGIN = 1e-4  # the authors', on both sides of a window's values: none may be all alike
_BATCH = 2048
"""Windows drawn at a time."""


class DoppelGANgerConfig(Settings):
    """Settings of DoppelGANger."""

    window: int = Field(default=20, ge=2)
    """L, packets a window."""
    windows: int = Field(default=10_000, ge=1)
    """Windows drawn at random to learn from; fewer where the captures hold fewer."""
    durations: Literal["logarithmic", "linear"] = "logarithmic"
    """The axis that durations are normalised on; linear is the paper's."""
    ports: PortConfig = PortConfig()
    """How ports are coded."""
    networks: SeriesGANConfig = SeriesGANConfig()
    """Sizes and training of the networks."""


@dataclass(frozen=True)
class DoppelGANgerReport:
    """How a fit went."""

    windows: int
    """Windows learnt from."""
    vocabulary: dict[str, int]
    """Categories of each field."""
    training: SeriesGANReport
    """Losses."""


class DoppelGANger:
    """The paper's baseline."""

    name: ClassVar[str] = "doppelganger"
    Config: ClassVar = DoppelGANgerConfig

    def __init__(
        self,
        config: DoppelGANgerConfig | None = None,
        *,
        seed: int = 0,
        accelerator: Accelerator = "auto",
    ) -> None:
        self.config = config or DoppelGANgerConfig()
        self.seed = seed
        self._device = device_for(accelerator)

    def fit(self, traces: Sequence[Trace], *, progress: Progress = silent) -> Self:
        """Learn from the captures of one device.

        Raises:
            TooShort: No capture holds a window.
            TrainingError: Training came to nothing.
        """
        config, rng = self.config, np.random.default_rng(self.seed)
        n = min(config.windows, len(every_window_start(traces, config.window)))
        windows = cut_windows(traces, draw_window_starts(traces, n, config.window, rng))
        self._features = _Features.fit(traces, windows, config)
        series = Series(*(part.to(self._device) for part in self._features.encode(windows)))
        sizes = self._features.sizes
        self._generator, training = fit_series_gan(
            series,
            list(sizes.values()),
            config.networks,
            rng=generator_from(rng),
            progress=progress,
        )
        self._ports = PortNumbers.fit(traces, self._features.ports, config.window)
        self._captures: tuple[int, ...] = tuple(map(len, traces))
        self.report = DoppelGANgerReport(windows=n, vocabulary=sizes, training=training)
        return self

    def sample(self, n: int, rng: np.random.Generator, *, progress: Progress = silent) -> Windows:
        """Draw `n` synthetic windows."""
        torch_rng = generator_from(rng)
        parts = []
        for first in range(0, max(n, 1), _BATCH):
            size = min(_BATCH, n - first)
            # an LSTM takes no empty batch
            series = self._generator.sample(max(size, 1), torch_rng)
            parts.append(self._ports.draw(self._features.decode(series)[:size], rng))
            progress("sample", first + size, n)
        return Windows.concatenate(parts)

    def save(self, path: Path, recording: Recording | None = None) -> None:
        """Write the model file, whole or not at all.

        Raises:
            OutputError: The file cannot be written.
        """
        metadata = ModelMetadata(
            generator=self.name,
            seed=self.seed,
            config=self.config.model_dump(mode="json"),
            vocabularies=self._features.model_dump(mode="json"),
            report=asdict(self.report),
            captures=self._captures,
            versions=versions(),
        )
        learnt = {k: v.cpu().numpy() for k, v in self._generator.state_dict().items()}
        write_model(path, metadata, learnt | self._ports.tensors(), recording)

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
            config = DoppelGANgerConfig.model_validate(metadata.config)
            self = cls(config, seed=metadata.seed, accelerator=accelerator)
            self._captures = metadata.captures
            self.report = TypeAdapter(DoppelGANgerReport).validate_python(metadata.report)
            self._features = _Features.model_validate(metadata.vocabularies)
            sizes = list(self._features.sizes.values())
            self._generator = SeriesGenerator(sizes, config.window, _ATTRIBUTES, config.networks)
            self._ports = PortNumbers.restore(stored.tensors, self._features.ports, config.window)
            tensors = {
                name: torch.from_numpy(each)
                for name, each in stored.tensors.items()
                if not name.startswith("packets.")
            }
            self._generator.load_state_dict(tensors)
            self._generator.to(self._device).eval()
        except (ValidationError, RuntimeError, KeyError, ValueError) as error:
            raise ModelError(f"{stored.path} holds parts that do not fit; fit it again") from error
        return self


class _Features(BaseModel):
    """Windows of packets to series, and back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lengths: tuple[int, ...]
    """The frame lengths seen, rising; a category is a place in it."""
    protocols: ProtocolEncoder
    ports: PortEncoder
    logarithmic: bool
    """The axis of durations."""
    shortest: float
    """Of the durations seen, on that axis."""
    longest: float

    @classmethod
    def fit(
        cls, traces: Sequence[Trace], windows: Windows, config: DoppelGANgerConfig
    ) -> "_Features":
        """Collect what the windows hold; ports are sorted on whole captures."""
        logarithmic = config.durations == "logarithmic"
        durations_NL = _on_axis(windows.duration_ns, logarithmic)
        return cls(
            lengths=tuple(np.unique(windows.length).tolist()),
            protocols=ProtocolEncoder.fit(windows.protocols),
            ports=PortEncoder.fit(traces, config.ports),
            logarithmic=logarithmic,
            shortest=float(durations_NL.min()),
            longest=float(durations_NL.max()),
        )

    @property
    def sizes(self) -> dict[str, int]:
        """Categories of each field."""
        return {
            "length": len(self.lengths),
            "direction": 2,
            "protocols": self.protocols.size,
            "src_port": self.ports.size,
            "dst_port": self.ports.size,
        }

    def encode(self, windows: Windows) -> Series:
        """Series of windows that hold no length but those seen."""
        src_NL, dst_NL = self.ports.encode(windows.src_port, windows.dst_port)
        fields = [
            np.searchsorted(self._lengths, windows.length),
            windows.outgoing.astype(np.int64),
            self.protocols.encode(windows.protocols),
            src_NL,
            dst_NL,
        ]
        scaled_NL = (_on_axis(windows.duration_ns, self.logarithmic) - self.shortest) / self._range
        low_N1 = scaled_NL.min(axis=1, keepdims=True) - _MARGIN
        high_N1 = scaled_NL.max(axis=1, keepdims=True) + _MARGIN
        value_NL = (scaled_NL - low_N1) / (high_N1 - low_N1)
        attributes_N2 = np.concatenate([high_N1 + low_N1, high_N1 - low_N1], axis=1) / 2
        return Series(
            torch.from_numpy(np.stack(fields, axis=-1)),
            torch.from_numpy(value_NL).float(),
            torch.from_numpy(attributes_N2).float(),
        )

    def decode(self, series: Series) -> Windows:
        """Windows of series, with slots in the place of ephemeral ports."""
        tokens_NLK, value_NL, attributes_N2 = (part.cpu().numpy() for part in series)
        length, direction, protocols, src_tokens, dst_tokens = np.moveaxis(tokens_NLK, -1, 0)
        src_port, dst_port = self.ports.decode(src_tokens, dst_tokens)
        middle_N1, half_N1 = np.split(attributes_N2.astype(np.float64), 2, axis=1)
        scaled_NL = np.clip(middle_N1 + half_N1 * (2 * value_NL - 1), 0, 1)
        axis_NL = self.shortest + scaled_NL * self._range
        return Windows(
            duration_ns=_off_axis(axis_NL, self.logarithmic),
            length=self._lengths[length],
            outgoing=direction.astype(bool),
            src_port=src_port,
            dst_port=dst_port,
            protocols=self.protocols.decode(protocols),
        )

    @property
    def _range(self) -> float:
        return (self.longest - self.shortest) or 1.0

    @cached_property
    def _lengths(self) -> NDArray[np.int32]:
        return np.array(self.lengths, dtype=np.int32)


def _on_axis(duration_ns: NDArray[np.int64], logarithmic: bool) -> NDArray[np.float64]:
    """Durations, in the same shape, in seconds or as logarithms."""
    if logarithmic:
        logs: NDArray[np.float64] = np.log10(duration_ns + _RESOLUTION_NS)
        return logs
    return duration_ns / 1e9


def _off_axis(axis: NDArray[np.float64], logarithmic: bool) -> NDArray[np.int64]:
    """The inverse of `_on_axis`."""
    return np.rint(10**axis - _RESOLUTION_NS if logarithmic else axis * 1e9).astype(np.int64)
