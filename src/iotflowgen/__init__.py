"""Honeydata for IoT decoys: learn how a device talks, then generate traffic that never happened.

::

    import iotflowgen as iot

    model = iot.fit("captures/plug")
    model.generate(sessions=10, seed=1).to_pcap("honeydata.pcap")
    iot.evaluate(real="captures/plug-later", fake="honeydata.pcap", protocol="held-out").excess

Names are imported when they are first used, so that `import iotflowgen` takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iotflowgen.capture import CaptureWarning
    from iotflowgen.errors import (
        ArgumentError,
        CaptureError,
        DeviceNotFound,
        EvaluationError,
        ExtraMissing,
        HeadersMissing,
        IoTFlowGenError,
        ModeCollapse,
        ModelError,
        OutputError,
        PluginError,
        ResultsError,
        TableError,
        TooShort,
        TrainingError,
        TsharkMissing,
        UnreadableCapture,
    )
    from iotflowgen.evaluation import EvaluationWarning, Results, read_results
    from iotflowgen.generators import FitWarning
    from iotflowgen.library import (
        Captures,
        Evaluation,
        Honeydata,
        HoneydataWarning,
        Model,
        Persona,
        Written,
        evaluate,
        fit,
        load,
        read_captures,
    )
    from iotflowgen.progress import Progress
    from iotflowgen.traffic import PROTOCOLS, Session, Trace

__all__ = [
    "PROTOCOLS",
    "ArgumentError",
    "CaptureError",
    "CaptureWarning",
    "Captures",
    "DeviceNotFound",
    "Evaluation",
    "EvaluationError",
    "EvaluationWarning",
    "ExtraMissing",
    "FitWarning",
    "HeadersMissing",
    "Honeydata",
    "HoneydataWarning",
    "IoTFlowGenError",
    "ModeCollapse",
    "Model",
    "ModelError",
    "OutputError",
    "Persona",
    "PluginError",
    "Progress",
    "Results",
    "ResultsError",
    "Session",
    "TableError",
    "TooShort",
    "Trace",
    "TrainingError",
    "TsharkMissing",
    "UnreadableCapture",
    "Written",
    "evaluate",
    "fit",
    "load",
    "read_captures",
    "read_results",
]

_ROOMS = {
    "capture": {"CaptureWarning"},
    "evaluation": {"EvaluationWarning", "Results", "read_results"},
    "generators": {"FitWarning"},
    "progress": {"Progress"},
    "traffic": {"PROTOCOLS", "Session", "Trace"},
    "library": {
        *("Captures", "Evaluation", "Honeydata", "HoneydataWarning", "Model", "Persona", "Written"),
        *("evaluate", "fit", "load", "read_captures"),
    },
}
"""Where names come from; all others are errors."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever has that name
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = next((room for room, names in _ROOMS.items() if name in names), "errors")
    found = globals()[name] = getattr(import_module(f"{__name__}.{room}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
