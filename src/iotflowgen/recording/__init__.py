"""What is learnt of a device: its packets as columns, and which flows they are of."""

from iotflowgen.recording.flows import find_flows
from iotflowgen.recording.groups import Groups

__all__ = ["Groups", "find_flows"]
