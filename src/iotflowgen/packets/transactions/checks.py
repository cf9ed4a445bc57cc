"""Checksums within payload over what other codecs write.

Shapes: E packets.
"""

import zlib
from typing import Final

import numpy as np

from iotflowgen.packets.transactions import dnp3
from iotflowgen.recording import Packets
from iotflowgen.wire.arrays import Integers

__all__ = ["set_crcs", "set_fingerprints"]

_ATTRIBUTE: Final = b"\x80\x28\0\4"
_XOR: Final = 0x5354554E
_SIZE: Final = 4


def set_fingerprints(packets: Packets, which: Integers) -> None:
    """Write the fingerprints of those packets (E) that are messages of STUN and end with one.

    It is the CRC-32 of the message before it, XOR 0x5354554e (RFC 8489, section 14.7).
    """
    data = packets.frames.data
    for row in which.tolist():
        start = int(packets.frames.start[row])
        first = start + int(packets.layers.payload[row])
        last = start + int(packets.layers.end[row]) - _SIZE
        if data[last - _SIZE : last].tobytes() == _ATTRIBUTE:
            crc = zlib.crc32(data[first : last - _SIZE].tobytes()) ^ _XOR
            data[last : last + _SIZE] = [*crc.to_bytes(_SIZE)]


def set_crcs(packets: Packets, which: Integers) -> None:
    """Write the checksums in those packets (E) that are frames of DNP3."""
    data = packets.frames.data
    for row in which.tolist():
        start = int(packets.frames.start[row])
        part = slice(start + int(packets.layers.payload[row]), start + int(packets.layers.end[row]))
        payload = bytearray(data[part].tobytes())
        dnp3.set_crcs(payload)
        data[part] = np.frombuffer(payload, np.uint8)
