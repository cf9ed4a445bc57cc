"""Generators: fit on captures, draw windows, save and load; one method a file.

Methods are imported when they are asked for: those of the paper take PyTorch, which takes seconds.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from iotflowgen import plugins
from iotflowgen.extras import lazy_names
from iotflowgen.generators.generator import (
    EventGenerator,
    Generator,
    SessionGenerator,
    SideBySideGenerator,
)
from iotflowgen.generators.model_file import ModelMetadata, StoredModel, read_model, versions
from iotflowgen.generators.streams import (
    check_representable,
    first_packets,
    first_seconds,
    shifted_to,
    spaced,
)

if TYPE_CHECKING:
    from iotflowgen.generators.activities import Activities, ActivitiesConfig
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
    "Activities",
    "ActivitiesConfig",
    "DoppelGANger",
    "DoppelGANgerConfig",
    "DoppelGANgerReport",
    "EventGenerator",
    "FitWarning",
    "Generator",
    "IoTFlow",
    "IoTFlowConfig",
    "IoTFlowReport",
    "Markov",
    "MarkovConfig",
    "ModelMetadata",
    "Replay",
    "ReplayConfig",
    "SessionGenerator",
    "Sessions",
    "SessionsConfig",
    "SideBySideGenerator",
    "StoredModel",
    "check_representable",
    "first_packets",
    "first_seconds",
    "read_model",
    "shifted_to",
    "spaced",
    "versions",
]

GENERATORS: Mapping[str, type[Generator]] = plugins.GENERATORS
"""Every method, by the name that `fit --generator` takes."""

__getattr__ = lazy_names(
    __name__,
    {
        "activities": ("Activities", "ActivitiesConfig"),
        "doppelganger": ("DoppelGANger", "DoppelGANgerConfig", "DoppelGANgerReport"),
        "iotflow": ("IoTFlow", "IoTFlowConfig", "IoTFlowReport", "FitWarning"),
        "markov": ("Markov", "MarkovConfig"),
        "replay": ("Replay", "ReplayConfig"),
        "sessions": ("Sessions", "SessionsConfig"),
    },
)
