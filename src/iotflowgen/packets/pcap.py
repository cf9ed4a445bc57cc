"""Capture files with whole nanoseconds: pcap (draft-ietf-opsawg-pcap) and pcapng (-pcapng).

Ethernet frames, little endian. Times never pass through a float, which holds only microseconds.
"""

import struct
from collections.abc import Callable
from typing import Final, NamedTuple

__all__ = ["FORMATS", "LONGEST_FRAME", "CaptureFormat"]

LONGEST_FRAME: Final = 262_144
"""Bytes of the longest frame that Wireshark reads."""

_ETHERNET: Final = 1


class CaptureFormat(NamedTuple):
    """How a capture file is written."""

    header: bytes
    """What the file begins with."""
    record: Callable[[int, bytes], bytes]
    """Nanoseconds since the epoch and a frame, as bytes of the file."""
    end_ns: int
    """The first time that the format cannot hold."""


_RECORD: Final = struct.Struct("<IIII")


def _pcap_record(time_ns: int, frame: bytes) -> bytes:
    seconds, nanoseconds = divmod(time_ns, 10**9)
    return _RECORD.pack(seconds, nanoseconds, len(frame), len(frame)) + frame


def _pcapng_record(time_ns: int, frame: bytes) -> bytes:
    """An enhanced packet block of the first interface."""
    captured = struct.pack("<IIIII", 0, time_ns >> 32, time_ns & 0xFFFFFFFF, len(frame), len(frame))
    return _pcapng_block(6, captured + frame)


def _pcapng_block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


# 0xA1B23C4D instead of 0xA1B2C3D4: nanoseconds instead of microseconds
_PCAP_HEADER: Final = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, LONGEST_FRAME, _ETHERNET)

_SECTION: Final = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
# option 9 (if_tsresol) of one byte, 10^-9 seconds, and the end of the options
_INTERFACE: Final = struct.pack("<HHI", _ETHERNET, 0, LONGEST_FRAME) + struct.pack(
    "<HHB3xHH", 9, 1, 9, 0, 0
)
_PCAPNG_HEADER: Final = _pcapng_block(0x0A0D0D0A, _SECTION) + _pcapng_block(1, _INTERFACE)

FORMATS: Final = {
    ".pcap": CaptureFormat(_PCAP_HEADER, _pcap_record, end_ns=2**32 * 10**9),
    ".pcapng": CaptureFormat(_PCAPNG_HEADER, _pcapng_record, end_ns=2**63),
}
"""Capture formats by the suffix of the file."""
