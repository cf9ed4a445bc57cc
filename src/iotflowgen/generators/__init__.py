"""Generators: fit on captures, draw windows, save and load; one method a file.

Methods are imported when they are asked for: those of the paper take PyTorch, which takes seconds.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iotflowgen.errors import ModelError
from iotflowgen.generators.generator import Generator
from iotflowgen.generators.model_file import Model, StoredModel, read_model, versions
from iotflowgen.generators.streams import (
    apart,
    check_told,
    first_packets,
    first_seconds,
    starting_at,
)
from iotflowgen.recording import Recording
from iotflowgen.settings import Accelerator

if TYPE_CHECKING:
    from iotflowgen.generators.doppelganger import (
        DoppelGANger,
        DoppelGANgerConfig,
        DoppelGANgerReport,
    )
    from iotflowgen.generators.iotflow import FitWarning, IoTFlow, IoTFlowConfig, IoTFlowReport
    from iotflowgen.generators.markov import Markov, MarkovConfig
    from iotflowgen.generators.replay import Replay, ReplayConfig
    from iotflowgen.generators.sessions import Sessions, SessionsConfig

__all__ = [
    "GENERATORS",
    "DoppelGANger",
    "DoppelGANgerConfig",
    "DoppelGANgerReport",
    "FitWarning",
    "Generator",
    "IoTFlow",
    "IoTFlowConfig",
    "IoTFlowReport",
    "Markov",
    "MarkovConfig",
    "Model",
    "Replay",
    "ReplayConfig",
    "Sessions",
    "SessionsConfig",
    "StoredModel",
    "apart",
    "check_told",
    "first_packets",
    "first_seconds",
    "load_generator",
    "read_model",
    "starting_at",
    "versions",
]

_MODULES = {
    "doppelganger": ("DoppelGANger", "DoppelGANgerConfig", "DoppelGANgerReport"),
    "iotflow": ("IoTFlow", "IoTFlowConfig", "IoTFlowReport", "FitWarning"),
    "markov": ("Markov", "MarkovConfig"),
    "replay": ("Replay", "ReplayConfig"),
    "sessions": ("Sessions", "SessionsConfig"),
}
"""What each module has; the method, which the module is named for, comes first."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever has that name
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"iotflowgen.generators.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Methods(Mapping[str, type[Generator]]):
    def __getitem__(self, name: str) -> type[Generator]:
        method: type[Generator] = __getattr__(_MODULES[name][0])
        return method

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


GENERATORS: Mapping[str, type[Generator]] = _Methods()
"""Every method, by the name that `fit --generator` takes."""


def load_generator(
    path: Path, *, accelerator: Accelerator = "auto"
) -> tuple[Generator, Recording | None]:
    """Read a model file, whichever method wrote it.

    Returns:
        The generator; and the captured packets, where the file holds them.

    Raises:
        ModelError: It is damaged, of another version, or of a method unknown here.
    """
    stored = read_model(path)
    name = stored.model.generator
    if name not in GENERATORS:
        raise ModelError(f"{path} is a model of {name}, which this version lacks")
    return GENERATORS[name].restore(stored, accelerator=accelerator), stored.recording
