"""Frames of the link layer of DNP3 (IEEE 1815, section 9.2).

Shapes: W frames.
"""

from typing import Final

from iotflowgen.wire.arrays import Integers

__all__ = ["START", "TRANSPORT_AT", "set_crcs", "sizes_of"]

START: Final = 0x0564
"""The two bytes that a frame begins with; then comes how many there are but for checksums."""
TRANSPORT_AT: Final = 10
"""Where the transport function has its header, after that of the link."""
_HEAD, _BLOCK, _CRC = 8, 16, 2
_UNCOUNTED: Final = 5
"""Bytes of a head that its length counts."""
_POLYNOMIAL: Final = 0xA6BC


def sizes_of(length: Integers) -> Integers:
    """Bytes of frames (W) by what they say of their length (W); 0 where that is too short."""
    data = length - _UNCOUNTED
    return (data >= 0) * (TRANSPORT_AT + data + -(-data // _BLOCK) * _CRC)


def set_crcs(payload: bytearray) -> None:
    """Write the checksums of the frames that a payload begins with, as far as blocks are whole."""
    at = 0
    while at + _HEAD <= len(payload) and int.from_bytes(payload[at : at + 2]) == START:
        left, size = payload[at + 2] - _UNCOUNTED, _HEAD
        while size > 0 and at + size + _CRC <= len(payload):
            payload[at + size : at + size + _CRC] = _crc(payload[at : at + size])
            at += size + _CRC
            size = min(left, _BLOCK)
            left -= size
        if size > 0:
            return


def _crc(block: bytearray) -> bytes:
    value = 0
    for byte in block:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return (value ^ 0xFFFF).to_bytes(_CRC, "little")


def _entry(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ _POLYNOMIAL * (value & 1)
    return value


_TABLE: Final = tuple(map(_entry, range(256)))
