"""Figures of long traffic: hours, days and weeks of it."""

from iotflowgen.evaluation.long_run.beacons import Beacon, beacons, found_again
from iotflowgen.evaluation.long_run.events import IDLE, EventClassifier, idle_moments
from iotflowgen.evaluation.long_run.repeats import Repeats, repeats
from iotflowgen.evaluation.long_run.signatures import (
    EventSignature,
    Matches,
    event_signatures,
    matched,
)

__all__ = [
    "IDLE",
    "Beacon",
    "EventClassifier",
    "EventSignature",
    "Matches",
    "Repeats",
    "beacons",
    "event_signatures",
    "found_again",
    "idle_moments",
    "matched",
    "repeats",
]
