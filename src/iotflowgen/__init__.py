"""Honeydata for IoT decoys: learn how a device talks, then generate traffic that never happened.

::

    import iotflowgen as iot

    model = iot.fit("captures/plug")
    model.generate(sessions=10, seed=1).to_pcap("honeydata.pcap")
    iot.evaluate(real="captures/plug-later", fake="honeydata.pcap", protocol="held-out").excess

Names are imported when they are first used, so that `import iotflowgen` takes no time.
"""

from typing import TYPE_CHECKING

from iotflowgen import errors
from iotflowgen.extras import lazy_names

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
        LedgerError,
        ModeCollapse,
        ModelError,
        NetworkError,
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
    "LedgerError",
    "ModeCollapse",
    "Model",
    "ModelError",
    "NetworkError",
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

__getattr__ = lazy_names(
    __name__,
    {
        "capture": ("CaptureWarning",),
        "errors": errors.__all__,
        "evaluation": ("EvaluationWarning", "Results", "read_results"),
        "generators": ("FitWarning",),
        "library": (
            *("Captures", "Evaluation", "Honeydata", "HoneydataWarning", "Model", "Persona"),
            *("Written", "evaluate", "fit", "load", "read_captures"),
        ),
        "progress": ("Progress",),
        "traffic": ("PROTOCOLS", "Session", "Trace"),
    },
)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
