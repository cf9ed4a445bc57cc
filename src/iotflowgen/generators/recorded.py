"""Generators that keep the captures they were fitted on, and learn from them again when loaded.

Shapes: P packets of all captures.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from iotflowgen.errors import ModelError, TooShort
from iotflowgen.generators.model_file import (
    ModelMetadata,
    StoredModel,
    read_model,
    versions,
    write_model,
)
from iotflowgen.generators.redrawn import numbered
from iotflowgen.progress import Progress, silent
from iotflowgen.recording import Groups, Recording
from iotflowgen.settings import Accelerator, Settings
from iotflowgen.traffic import STATES, State, Trace, Windows, every_window_start

__all__ = ["Recorded", "RecordedConfig", "known_fixed", "known_states", "unfinished"]

_MIXER = 0x9E3779B97F4A7C1
_OF_BYTES = ("states", "fixed")  # columns of traces that are known where packets were read


class RecordedConfig(Settings):
    """Settings that all of them have."""

    window: int = Field(default=20, ge=2)
    """L, packets a window."""


class Recorded:
    """The captures, and the model file that holds them."""

    name: ClassVar[str]
    Config: ClassVar[Any]

    def __init__(
        self,
        config: Any = None,  # noqa: ANN401 - each method has settings of its own
        *,
        seed: int = 0,
        accelerator: Accelerator = "auto",  # noqa: ARG002 - as every generator; nothing to speed up
    ) -> None:
        self.config = config or self.Config()
        self.seed = seed

    def fit(self, traces: Sequence[Trace], *, progress: Progress = silent) -> Self:
        """Keep the captures.

        Raises:
            TooShort: No capture holds a window.
        """
        every_window_start(traces, self.config.window)
        self._traces = list(traces)
        progress("record", 1, 1)
        return self

    def save(self, path: Path, recording: Recording | None = None) -> None:
        """Write the model file, whole or not at all.

        Times of day are left out: a generator knows durations only.

        Raises:
            OutputError: The file cannot be written.
        """
        metadata = ModelMetadata(
            generator=self.name,
            seed=self.seed,
            config=self.config.model_dump(mode="json"),
            vocabularies=self._vocabularies(),
            report={},
            captures=tuple(map(len, self._traces)),
            versions=versions(),
        )
        columns = {
            name: np.concatenate([getattr(trace, name) for trace in self._traces])
            for name in Windows.columns()
        }
        # after its last packet a piece of a capture has one, too
        ends = np.cumsum([*map(len, self._traces)]) - 1
        columns["duration_ns"][ends] = [trace.silence_ns for trace in self._traces]
        for name in _OF_BYTES:
            known = [getattr(trace, name) for trace in self._traces]
            if all(column is not None for column in known):
                columns[name] = np.concatenate(known)
        columns |= self._more_tensors()
        write_model(path, metadata, columns, recording)

    def _more_tensors(self) -> dict[str, NDArray[Any]]:
        """What else is known of the captures than their packets."""
        return {}

    def _vocabularies(self) -> dict[str, Any]:
        """What numbers in these tensors stand for."""
        return {}

    def _fit_again(self, traces: Sequence[Trace], stored: StoredModel) -> Self:  # noqa: ARG002 - for those that store more
        """Learn from captures that were stored."""
        return self.fit(traces)

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

        Each capture starts at time 0, its TCP payload not known.

        Raises:
            ModelError: Its parts do not fit together.
        """
        metadata = stored.metadata
        try:
            config = cls.Config.model_validate(metadata.config)
            traces = _traces(stored.tensors, metadata.captures)
            fitted = cls(config, seed=metadata.seed, accelerator=accelerator)
            return fitted._fit_again(traces, stored)
        except (ValidationError, KeyError, ValueError, TooShort) as error:
            raise ModelError(f"{stored.path} holds parts that do not fit; fit it again") from error


def _traces(tensors: Mapping[str, NDArray[Any]], captures: Sequence[int]) -> list[Trace]:
    names = *Windows.columns(), *(set(_OF_BYTES) & tensors.keys())
    columns = {name: tensors[name] for name in names}
    if any(column.shape[:1] != (sum(captures),) for column in columns.values()):
        raise ValueError(f"the columns do not hold the {sum(captures)} packets of the captures")
    traces = []
    for number, (size, end) in enumerate(zip(captures, np.cumsum(captures), strict=True)):
        packets: dict[str, Any] = {n: column[end - size : end] for n, column in columns.items()}
        duration_ns = packets.pop("duration_ns")
        traces.append(
            Trace(
                name=str(number),
                time_ns=np.cumsum(duration_ns) - duration_ns,
                tcp_payload=np.zeros(size, dtype=np.int32),
                silence_ns=int(duration_ns[-1]),
                **packets,
            )
        )
    return traces


def known_states(traces: Sequence[Trace], protocols: Sequence[State]) -> NDArray[np.int64]:
    """Protocol states, a column each (P, S); none if some traces lack them."""
    columns = [STATES.index(protocol) for protocol in protocols]
    known = [trace.states[:, columns] for trace in traces if trace.states is not None]
    if len(known) < len(traces):
        return np.zeros((sum(map(len, traces)), 0), dtype=np.int64)
    return np.concatenate(known)


def known_fixed(traces: Sequence[Trace]) -> NDArray[np.bool_]:
    """Packets (P) that are known to have no other length than the captured one."""
    return np.concatenate(
        [
            np.zeros(len(trace), dtype=bool) if trace.fixed is None else trace.fixed
            for trace in traces
        ]
    )


def unfinished(states: NDArray[np.int64], pair: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for all that is unfinished after each packet, between all `pair`s of ports (P).

    A walk that goes over while others wait for what is to come has to find it there.
    """
    groups = Groups(pair)
    is_last = np.zeros(len(pair), dtype=bool)
    is_last[np.unique(pair[::-1], return_index=True)[1]] = True
    is_last = is_last[::-1]
    number = numbered([np.zeros_like(pair), *np.minimum(states, 0).T])
    none = np.all(states >= 0, axis=1) | is_last
    number = np.where(none, 0, (1 + number) * _MIXER >> 8)
    return np.cumsum(number - groups.previous(number, 0))
