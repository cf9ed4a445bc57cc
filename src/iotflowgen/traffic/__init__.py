"""The nouns: protocols, traces (captures as columns), generated sessions, windows and events."""

from iotflowgen.traffic.events import Event
from iotflowgen.traffic.pieces import quiet_places, spread_stretches
from iotflowgen.traffic.protocols import PROTOCOLS, pack_protocols, protocol_mask, unpack_protocols
from iotflowgen.traffic.session import Session
from iotflowgen.traffic.trace import STATES, State, Trace, check_columns
from iotflowgen.traffic.windows import (
    Windows,
    WindowStarts,
    cut_column,
    cut_windows,
    draw_window_starts,
    every_window_start,
    flow_by_ports,
)

__all__ = [
    "PROTOCOLS",
    "STATES",
    "Event",
    "Session",
    "State",
    "Trace",
    "WindowStarts",
    "Windows",
    "check_columns",
    "cut_column",
    "cut_windows",
    "draw_window_starts",
    "every_window_start",
    "flow_by_ports",
    "pack_protocols",
    "protocol_mask",
    "quiet_places",
    "spread_stretches",
    "unpack_protocols",
]
