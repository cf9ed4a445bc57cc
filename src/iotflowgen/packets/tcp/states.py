"""What connections of TCP have come to, beyond what their packets' features show.

Shapes: P packets of a capture.
"""

from typing import Final

import numpy as np

from iotflowgen.recording import Groups, Packets
from iotflowgen.recording.arrays import Integers
from iotflowgen.wire import FIN, RST, tcp_flags

__all__ = ["closed_sides"]

_RESETS: Final = 4  # times the bits of a side whose FIN was sent


def closed_sides(packets: Packets) -> Integers:
    """Which ends have closed the connection of TCP after each packet of one capture (P).

    The sum of 1 if the device has sent a FIN, 2 if its peer has, 4 if the device has sent a RST,
    and 8 if its peer has (RFC 9293, section 3.6); 0 for none, and for other packets.
    """
    is_tcp = packets.layers.is_tcp
    groups = Groups(np.where(is_tcp, packets.flow, -1))
    flags = np.where(is_tcp, tcp_flags(packets.frames, packets.layers), 0)
    side = np.where(packets.outgoing, 1, 2)
    closed = np.zeros(len(packets), dtype=np.int64)
    for flag, scale in ((FIN, 1), (RST, _RESETS)):
        for end in (1, 2):
            sent = groups.latest((flags & flag > 0) & (side == end)) >= 0
            closed += np.where(sent, scale * end, 0)
    return np.where(is_tcp, closed, 0)
