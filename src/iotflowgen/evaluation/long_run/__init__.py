"""Figures of long traffic: hours, days and weeks of it."""

from iotflowgen.evaluation.long_run.beacons import Beacon, beacons, found_again
from iotflowgen.evaluation.long_run.repeats import Repeats, repeats

__all__ = ["Beacon", "Repeats", "beacons", "found_again", "repeats"]
