"""Replay: windows of the training captures, their durations jittered.

No serious decoy, but a check on the protocols of evaluation: where windows of one capture stand
both in training and in the attack, copying wins, and a replay cannot be told from real traffic.

Shapes: N windows, L packets each.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, ValidationError
from torch import Tensor

from iotflowgen.errors import ModelError, TooShort
from iotflowgen.generators.model_file import (
    Capture,
    Model,
    captures_of,
    read_model,
    versions,
    write_model,
)
from iotflowgen.nn.training import Accelerator, Settings
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Trace, Windows, cut_windows, draw_places, every_place

__all__ = ["Replay", "ReplayConfig", "jitter", "load_traces", "save_traces"]


class ReplayConfig(Settings):
    """Settings of the replay."""

    window: int = Field(default=20, ge=2)
    """L, packets a window."""
    noise: float = Field(default=0.1, ge=0, lt=1)
    """Most that a duration is changed by, as a share of it (section 4.5)."""


_C = TypeVar("_C", bound=ReplayConfig)


class Replay:
    """Real windows with durations that are not quite the real ones."""

    name: ClassVar[str] = "replay"
    Config: ClassVar = ReplayConfig

    def __init__(
        self,
        config: ReplayConfig | None = None,
        *,
        seed: int = 0,
        accelerator: Accelerator = "auto",  # noqa: ARG002 - as every generator; nothing to speed up
    ) -> None:
        self.config = config or ReplayConfig()
        self.seed = seed

    def fit(self, traces: Sequence[Trace], *, progress: Progress = silent) -> Self:
        """Keep the captures.

        Raises:
            TooShort: No capture holds a window.
        """
        every_place(traces, self.config.window)
        self._traces = list(traces)
        progress("record", 1, 1)
        return self

    def sample(self, n: int, rng: np.random.Generator, *, progress: Progress = silent) -> Windows:
        """Draw `n` windows of the captures, each once while they last."""
        places = draw_places(self._traces, n, self.config.window, rng)
        windows = cut_windows(self._traces, places)
        columns = {name: getattr(windows, name) for name in Windows.columns()}
        columns["duration_ns"] = jitter(windows.duration_ns, self.config.noise, rng)
        progress("sample", n, n)
        return Windows(**columns)

    def save(self, path: Path) -> None:
        """Write the model file, whole or not at all.

        Raises:
            OutputError: The file cannot be written.
        """
        save_traces(path, self.name, self.seed, self.config, self._traces)

    @classmethod
    def load(cls, path: Path, *, accelerator: Accelerator = "auto") -> Self:
        """Read a model file that `save` wrote.

        Raises:
            ModelError: It is damaged, of another version, or of another generator.
        """
        config, seed, traces = load_traces(path, cls.name, ReplayConfig)
        return cls(config, seed=seed, accelerator=accelerator).fit(traces)


def jitter(
    duration_ns: NDArray[np.int64], noise: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Durations, each longer or shorter by at most `noise` of itself, in the same shape."""
    factor = 1 + rng.uniform(-noise, noise, duration_ns.shape)
    return np.rint(duration_ns * factor).astype(np.int64)


def save_traces(
    path: Path, generator: str, seed: int, config: ReplayConfig, traces: Sequence[Trace]
) -> None:
    """Write the model of a generator that keeps the captures, whole or not at all.

    Times of day are left out: a generator knows durations only.

    Raises:
        OutputError: The file cannot be written.
    """
    model = Model(
        generator=generator,
        seed=seed,
        config=config.model_dump(mode="json"),
        vocabularies={},
        report={},
        captures=captures_of(traces),
        versions=versions(),
    )
    columns = {
        name: np.concatenate([getattr(trace, name) for trace in traces])
        for name in Windows.columns()
    }
    columns["protocols"] = columns["protocols"].astype(np.int32)  # PyTorch has hardly any uint16
    write_model(path, model, {name: torch.from_numpy(c) for name, c in columns.items()})


def load_traces(path: Path, generator: str, config: type[_C]) -> tuple[_C, int, list[Trace]]:
    """The configuration, the seed and the captures that `save_traces` wrote.

    Each capture starts at time 0, its TCP payload not known.

    Raises:
        ModelError: The file is damaged, of another version, or of another generator.
    """
    model, tensors = read_model(path)
    if model.generator != generator:
        raise ModelError(f"{path} is a model of {model.generator}, not of {generator}")
    try:
        settings = config.model_validate(model.config)
        traces = _traces(tensors, model.captures)
        every_place(traces, settings.window)
    except (ValidationError, KeyError, ValueError, TooShort) as error:
        raise ModelError(f"{path} holds parts that do not fit; fit it again") from error
    return settings, model.seed, traces


def _traces(tensors: Mapping[str, Tensor], captures: Sequence[Capture]) -> list[Trace]:
    columns = {name: tensors[name].numpy() for name in Windows.columns()}
    sizes = [capture.packets for capture in captures]
    if any(column.shape != (sum(sizes),) for column in columns.values()):
        raise ValueError(f"the columns do not hold the {sum(sizes)} packets of the captures")
    columns["protocols"] = columns["protocols"].astype(np.uint16)
    traces = []
    for capture, end in zip(captures, np.cumsum(sizes), strict=True):
        packets = {name: column[end - capture.packets : end] for name, column in columns.items()}
        duration_ns = packets.pop("duration_ns")
        traces.append(
            Trace(
                name=capture.name,
                sha256=capture.sha256,
                time_ns=np.cumsum(duration_ns) - duration_ns,
                tcp_payload=np.zeros(capture.packets, dtype=np.int32),
                **packets,
            )
        )
    return traces
