"""The nouns: protocols, traces (captures as columns), generated sessions, windows and events."""

from iotflowgen.traffic.bursts import Bursts, find_bursts, flow_of, service_name
from iotflowgen.traffic.events import Event
from iotflowgen.traffic.periods import Period, find_periods
from iotflowgen.traffic.pieces import in_pieces, quiet_places, spread_stretches, within
from iotflowgen.traffic.protocols import PROTOCOLS, pack_protocols, protocol_mask, unpack_protocols
from iotflowgen.traffic.session import Session
from iotflowgen.traffic.stretches import Stretches, cut_stretches
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
    "Bursts",
    "Event",
    "Period",
    "Session",
    "State",
    "Stretches",
    "Trace",
    "WindowStarts",
    "Windows",
    "check_columns",
    "cut_column",
    "cut_stretches",
    "cut_windows",
    "draw_window_starts",
    "every_window_start",
    "find_bursts",
    "find_periods",
    "flow_by_ports",
    "flow_of",
    "in_pieces",
    "pack_protocols",
    "protocol_mask",
    "quiet_places",
    "service_name",
    "spread_stretches",
    "unpack_protocols",
    "within",
]
