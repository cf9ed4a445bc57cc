"""Generators: fit on captures, draw windows, save and load; one method a file."""

from pathlib import Path

from iotflowgen.errors import ModelError
from iotflowgen.generators.doppelganger import (
    DoppelGANger,
    DoppelGANgerConfig,
    DoppelGANgerReport,
)
from iotflowgen.generators.generator import Generator
from iotflowgen.generators.iotflow import FitWarning, IoTFlow, IoTFlowConfig, IoTFlowReport
from iotflowgen.generators.markov import Markov, MarkovConfig
from iotflowgen.generators.model_file import Model, add_headers, read_model, versions
from iotflowgen.generators.replay import Replay, ReplayConfig
from iotflowgen.generators.sessions import Sessions, SessionsConfig
from iotflowgen.generators.streams import (
    apart,
    check_told,
    first_packets,
    first_seconds,
    starting_at,
)
from iotflowgen.nn import Accelerator

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
    "add_headers",
    "apart",
    "check_told",
    "first_packets",
    "first_seconds",
    "load_generator",
    "read_model",
    "starting_at",
    "versions",
]

GENERATORS: dict[str, type[Generator]] = {
    method.name: method for method in (IoTFlow, DoppelGANger, Markov, Replay, Sessions)
}
"""Every method, by the name that `fit --generator` takes."""


def load_generator(path: Path, *, accelerator: Accelerator = "auto") -> Generator:
    """Read a model file, whichever method wrote it.

    Raises:
        ModelError: It is damaged, of another version, or of a method unknown here.
    """
    model, _ = read_model(path)
    if model.generator not in GENERATORS:
        raise ModelError(f"{path} is a model of {model.generator}, which this version lacks")
    return GENERATORS[model.generator].load(path, accelerator=accelerator)
