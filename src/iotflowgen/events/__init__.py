"""Events: what was done to a device, or is to be; read, aligned with captures, drawn, told of."""

from iotflowgen.events.align import Aligned, LogAlignment, align
from iotflowgen.events.labels import Labels, labels_path, write_labels
from iotflowgen.events.log import EventLog, EventWarning, by_comments, by_folders, read_log
from iotflowgen.events.schedule import Habit, Schedule, read_schedule
from iotflowgen.events.times import iso, local, nanoseconds, read_moment, zone_of

__all__ = [
    "Aligned",
    "EventLog",
    "EventWarning",
    "Habit",
    "Labels",
    "LogAlignment",
    "Schedule",
    "align",
    "by_comments",
    "by_folders",
    "iso",
    "labels_path",
    "local",
    "nanoseconds",
    "read_log",
    "read_moment",
    "read_schedule",
    "write_labels",
    "zone_of",
]
