"""Activities: what a device does, when, and because of what."""

from iotflowgen.generators.activities.generator import Activities, ActivitiesConfig

__all__ = ["Activities", "ActivitiesConfig"]
