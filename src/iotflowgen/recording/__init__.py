"""What is learnt of a device: its packets as columns, their flows, and identities."""

from iotflowgen.recording.flows import find_flows
from iotflowgen.recording.groups import Groups
from iotflowgen.recording.identities import Identities
from iotflowgen.recording.match import LEVELS, Matched, match
from iotflowgen.recording.packets import Packets, Told, once
from iotflowgen.recording.recording import Recording

__all__ = [
    "LEVELS",
    "Groups",
    "Identities",
    "Matched",
    "Packets",
    "Recording",
    "Told",
    "find_flows",
    "match",
    "once",
]
