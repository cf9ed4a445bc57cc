"""Adversaries: fit on labelled windows, then score windows by how synthetic they look."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from iotflowgen import plugins
from iotflowgen.adversaries.adversary import Adversary
from iotflowgen.extras import lazy_names

if TYPE_CHECKING:
    from iotflowgen.adversaries.boosting import Boosting
    from iotflowgen.adversaries.headers import HeaderBoosting
    from iotflowgen.adversaries.lstm import LSTMConfig
    from iotflowgen.adversaries.packet_metadata import PacketMetadata
    from iotflowgen.adversaries.published import Published
    from iotflowgen.adversaries.rhythm import Rhythm, RhythmOfMinutes
    from iotflowgen.adversaries.rocket import Rocket

__all__ = [
    "ADVERSARIES",
    "Adversary",
    "Boosting",
    "HeaderBoosting",
    "LSTMConfig",
    "PacketMetadata",
    "Published",
    "Rhythm",
    "RhythmOfMinutes",
    "Rocket",
    "of_features",
    "of_windows",
]

ADVERSARIES: Mapping[str, type[Adversary[Any]]] = plugins.ADVERSARIES
"""Every method, by the name that `evaluate --adversary` takes; each makes one from a `seed`."""

__getattr__ = lazy_names(
    __name__,
    {
        "boosting": ("Boosting",),
        "headers": ("HeaderBoosting",),
        "lstm": ("LSTMConfig",),
        "packet_metadata": ("PacketMetadata",),
        "published": ("Published",),
        "rhythm": ("Rhythm", "RhythmOfMinutes"),
        "rocket": ("Rocket",),
    },
)


def of_features() -> tuple[str, ...]:
    """Those that need no packets, only their features, and whose libraries are installed."""
    names = (name for name in plugins.ADVERSARIES if name not in plugins.ADVERSARIES.missing())
    return tuple(name for name in names if not plugins.ADVERSARIES[name].needs_headers)


def of_windows() -> tuple[str, ...]:
    """Those of them that are shown windows of packets, so that short captures will do."""
    return tuple(name for name in of_features() if not plugins.ADVERSARIES[name].stretch_ns)
