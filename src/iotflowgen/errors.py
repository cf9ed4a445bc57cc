"""Every error that iotflowgen raises on purpose; each message says what to do next.

::

    IoTFlowGenError
    ├── ArgumentError         an argument of a call, or an option, that cannot be
    ├── CaptureError          a capture cannot be used
    │   ├── TsharkMissing     tshark is not installed
    │   ├── UnreadableCapture empty, not a capture, or of a link type without addresses
    │   ├── DeviceNotFound    no packet of the device
    │   └── TooShort          fewer packets than a window needs
    ├── TableError            a Parquet or CSV file lacks columns or holds impossible values
    ├── ModelError            a model file is damaged, or of another version
    ├── EvaluationError       an evaluation came to nothing
    │   └── HeadersMissing    headers are asked for of what has none
    ├── ResultsError          a results file is damaged, or of another version
    ├── TrainingError         a fit or a sample came to nothing
    │   └── ModeCollapse      the generator repeats itself
    ├── OutputError           a file cannot be written
    ├── NetworkError          decoys cannot be on a network, or may not
    ├── LedgerError           a ledger of fake flows cannot be read
    ├── ExtraMissing          a library is not installed that an extra brings
    └── PluginError           what another distribution adds cannot be loaded
"""

__all__ = [
    "ArgumentError",
    "CaptureError",
    "DeviceNotFound",
    "EvaluationError",
    "ExtraMissing",
    "HeadersMissing",
    "IoTFlowGenError",
    "LedgerError",
    "ModeCollapse",
    "ModelError",
    "NetworkError",
    "OutputError",
    "PluginError",
    "ResultsError",
    "TableError",
    "TooShort",
    "TrainingError",
    "TsharkMissing",
    "UnreadableCapture",
]


class IoTFlowGenError(Exception):
    """The root: catching it catches whatever iotflowgen raises on purpose."""


class ArgumentError(IoTFlowGenError, ValueError):
    """An argument of a call, or an option of the command line, that cannot be.

    Args:
        reason: Why not.
        arguments: The names of those that it is about.
    """

    def __init__(self, reason: str, *arguments: str) -> None:
        super().__init__(reason)
        self.arguments = arguments


class CaptureError(IoTFlowGenError):
    """A capture cannot be used."""


class TsharkMissing(CaptureError):
    """The program tshark, which dissects the packets, is not installed."""


class UnreadableCapture(CaptureError):
    """A file is empty, is no capture, or has a link type without addresses."""


class DeviceNotFound(CaptureError):
    """No packet of the captures comes from or goes to the device."""


class TooShort(CaptureError):
    """The captures hold fewer packets in a row than a window needs."""


class TableError(IoTFlowGenError):
    """A Parquet or CSV file lacks columns or holds impossible values."""


class ModelError(IoTFlowGenError):
    """A model file is damaged, or was written by another version."""


class EvaluationError(IoTFlowGenError):
    """An evaluation came to nothing."""


class HeadersMissing(EvaluationError):
    """Headers are asked for of a table, of windows without them, or of frames of another link."""


class ResultsError(IoTFlowGenError):
    """A results file is damaged, or was written by another version."""


class TrainingError(IoTFlowGenError):
    """A fit or a sample came to nothing."""


class ModeCollapse(TrainingError):
    """The generated windows repeat themselves far more than the real ones (section 4.4)."""


class OutputError(IoTFlowGenError):
    """A file cannot be written."""


class NetworkError(IoTFlowGenError):
    """Decoys cannot be on a network (no right, no interface), or may not (somebody else's)."""


class LedgerError(IoTFlowGenError):
    """A ledger of fake flows cannot be read, or does not go with a capture."""


class ExtraMissing(IoTFlowGenError, ImportError):
    """A library is not installed that an extra of this distribution brings."""


class PluginError(IoTFlowGenError):
    """What another distribution adds by an entry point cannot be loaded."""
