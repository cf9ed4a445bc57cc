"""FINGERPRINT of STUN: CRC-32 of the message before it, XOR 0x5354554e (RFC 8489, section 14.7).

Shapes: E packets.
"""

import zlib
from typing import Final

from iotflowgen.recording import Packets
from iotflowgen.wire.arrays import Integers

__all__ = ["set_fingerprints"]

_ATTRIBUTE: Final = b"\x80\x28\0\4"
_XOR: Final = 0x5354554E
_SIZE: Final = 4


def set_fingerprints(packets: Packets, which: Integers) -> None:
    """Write the fingerprints of those packets (E) that are messages of STUN and end with one."""
    data = packets.frames.data
    for row in which.tolist():
        start = int(packets.frames.start[row])
        first = start + int(packets.layers.payload[row])
        last = start + int(packets.layers.end[row]) - _SIZE
        if data[last - _SIZE : last].tobytes() == _ATTRIBUTE:
            crc = zlib.crc32(data[first : last - _SIZE].tobytes()) ^ _XOR
            data[last : last + _SIZE] = [*crc.to_bytes(_SIZE)]
