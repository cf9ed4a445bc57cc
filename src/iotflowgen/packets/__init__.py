"""Windows to frames on the wire, and frames to a capture file (paper, section 4.5).

`learn_headers` takes from real frames what `TemplateBuilder` writes; `FuzzBuilder` needs nothing
but the windows, as in the paper.
"""

from iotflowgen.packets.build import Frame, PacketBuilder, PacketFeatures
from iotflowgen.packets.fuzz import FuzzBuilder
from iotflowgen.packets.headers import Headers
from iotflowgen.packets.learn import learn_headers
from iotflowgen.packets.persona import Persona
from iotflowgen.packets.template import TemplateBuilder
from iotflowgen.packets.write import (
    DEFAULT_START_NS,
    WriteReport,
    check_time,
    write_capture,
    write_sessions,
)

__all__ = [
    "DEFAULT_START_NS",
    "Frame",
    "FuzzBuilder",
    "Headers",
    "PacketBuilder",
    "PacketFeatures",
    "Persona",
    "TemplateBuilder",
    "WriteReport",
    "check_time",
    "learn_headers",
    "write_capture",
    "write_sessions",
]
