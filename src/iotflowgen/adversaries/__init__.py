"""Adversaries: fit on labelled windows, then score windows by how synthetic they look."""

from collections.abc import Callable

from iotflowgen.adversaries.adversary import Adversary
from iotflowgen.adversaries.boosting import Boosting
from iotflowgen.adversaries.headers import HeaderBoosting
from iotflowgen.adversaries.lstm import LSTMConfig
from iotflowgen.adversaries.packet_metadata import PacketMetadata
from iotflowgen.adversaries.published import Published
from iotflowgen.adversaries.rocket import Rocket

__all__ = [
    "ADVERSARIES",
    "OF_FEATURES",
    "Adversary",
    "Boosting",
    "HeaderBoosting",
    "LSTMConfig",
    "PacketMetadata",
    "Published",
    "Rocket",
]

ADVERSARIES: dict[str, Callable[..., Adversary]] = {
    method.name: method for method in (PacketMetadata, Published, Boosting, Rocket, HeaderBoosting)
}
"""Every method, by the name that `evaluate --adversary` takes; each makes one from a `seed`."""

OF_FEATURES = tuple(name for name in ADVERSARIES if name != HeaderBoosting.name)
"""Those that need no packets, only their features."""
