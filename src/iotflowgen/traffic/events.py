"""Events: what was done to a device, or about it, and when: a switch, a command, a motion."""

from typing import NamedTuple

__all__ = ["Event"]


class Event(NamedTuple):
    """Something that a device answers by traffic; events sort by time."""

    time_ns: int
    """When, on the clock of the captures: nanoseconds since the epoch."""
    name: str
    """What, such as `on` or `door_opened`; events of one name are of one kind."""
