"""Sessions to frames, and frames to a capture file.

`learn` keeps captured packets and their references, and adds to traces the states of their
connections; a `Renderer` makes packets that repeat captured ones; `Leases` are renewed in streams.
A `Fuzzer` needs only features, as in the paper (section 4.5).
"""

from iotflowgen.packets.anonymise import remaining
from iotflowgen.packets.datagrams import EXCHANGE_NS, Leases
from iotflowgen.packets.fuzz import Fuzzer
from iotflowgen.packets.identity import Disguise, Pseudonyms
from iotflowgen.packets.record import record
from iotflowgen.packets.render import Remembered, Renderer, Templates
from iotflowgen.packets.rows import Rows
from iotflowgen.packets.states import learn, with_states
from iotflowgen.packets.write import (
    DEFAULT_START_NS,
    SupportsRender,
    WriteReport,
    check_time,
    sessions_of,
    write_sessions,
)

__all__ = [
    "DEFAULT_START_NS",
    "EXCHANGE_NS",
    "Disguise",
    "Fuzzer",
    "Leases",
    "Pseudonyms",
    "Remembered",
    "Renderer",
    "Rows",
    "SupportsRender",
    "Templates",
    "WriteReport",
    "check_time",
    "learn",
    "record",
    "remaining",
    "sessions_of",
    "with_states",
    "write_sessions",
]
