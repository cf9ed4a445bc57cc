"""Capture files with whole nanoseconds: pcap (draft-ietf-opsawg-pcap) and pcapng (-pcapng).

Times never pass through a float, which holds only microseconds. Nothing that a file says of itself
is believed before it is checked. What is written are Ethernet frames, little endian.

Shapes: P packets.
"""

import gzip
import struct
import zlib
from array import array
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from iotflowgen.errors import UnreadableCapture
from iotflowgen.wire.arrays import Integers
from iotflowgen.wire.blocks import BLOCKS, Damage, Place, find_in_blocks
from iotflowgen.wire.frames import Frames, copy_ranges

__all__ = [
    "ETHERNET",
    "FORMATS",
    "LONGEST_FRAME",
    "CaptureFormat",
    "Records",
    "read_records",
    "records_bytes",
]

LONGEST_FRAME: Final = 262_144
"""Bytes of the longest frame that Wireshark reads."""
ETHERNET: Final = 1
"""The link type."""

_GZIP: Final = b"\x1f\x8b"
_PIECE: Final = 2**16
"""Bytes of a gzip file that are unzipped at once."""
_MOST_UNZIPPED: Final = 2**32
"""Bytes that are unzipped of a file: what else says how many there are?"""
_PCAP: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
"""Order of bytes and nanoseconds of a unit, by how a file of pcap begins."""
_FILE, _RECORD = 24, 16
"""Bytes of the header of a file, and of a record."""
_COLUMNS: Final = 5
"""Of the places of packets."""


class CaptureFormat(NamedTuple):
    """How a capture file is written."""

    header: bytes
    """What the file begins with."""
    end_ns: int
    """The first time that the format cannot hold."""
    in_blocks: bool
    """Records are the blocks of pcapng."""


class Records(NamedTuple):
    """What a capture holds, in its order."""

    link: Integers
    """(P) link types."""
    time_ns: Integers
    """(P) nanoseconds since the epoch, rounded down; 0 where the format has no room for a time."""
    length: Integers
    """(P) bytes on the wire, at most `LONGEST_FRAME`."""
    frames: Frames
    """What was captured of them; `data` is the file and cannot be written to."""
    complaint: str = ""
    """What is wrong with the file after the last of these packets; empty if nothing is."""


def read_records(path: Path) -> Records:
    """Read a capture: pcap or pcapng, or either zipped by gzip (RFC 1952).

    Of one that is damaged or cut short there are the packets before that, and a complaint.

    Raises:
        UnreadableCapture: It cannot be read, or is neither pcap nor pcapng.
    """
    try:
        content, complaint = _unzipped(path.read_bytes())
    except OSError as error:
        raise UnreadableCapture(f"cannot read {path}: {error.strerror or error}") from error
    if content[:4] == BLOCKS:
        found = find_in_blocks(content, LONGEST_FRAME)
    elif content[:4] in _PCAP:
        found = _find_records(content)
    else:
        raise UnreadableCapture(f"{path} is not a pcap or pcapng capture")
    places = array("q")
    try:
        for place in found:
            places.extend(place)
    except Damage as damage:
        at, what = damage.args
        complaint = complaint or (
            f"{what} after {len(places) // _COLUMNS} packets; "
            f"the last {len(content) - at} of {len(content)} bytes are not read"
        )
    columns = np.frombuffer(places, np.int64).reshape(-1, _COLUMNS)
    link, time_ns, length, start, size = np.ascontiguousarray(columns.T)
    frames = Frames(np.frombuffer(content, np.uint8), start, size)
    return Records(link, time_ns, length, frames, complaint)


def records_bytes(
    capture: CaptureFormat, time_ns: Integers, frames: Frames, length: Integers | None = None
) -> memoryview:
    """Packets as records of a file.

    Args:
        capture: One of `FORMATS`.
        time_ns: (P) nanoseconds since the epoch, from 0 to below `capture.end_ns`.
        frames: (P) Ethernet frames of at most `LONGEST_FRAME` bytes.
        length: (P) bytes that they had on the wire; by default they are whole.
    """
    size = frames.size
    length = size if length is None else length
    fields: tuple[Integers | int, ...]
    if capture.in_blocks:
        # an enhanced packet block of the first interface
        whole = 32 + size + -size % 4
        fields = (6, whole, 0, time_ns >> 32, time_ns & 0xFFFFFFFF, size, length)
    else:
        whole = _RECORD + size
        seconds = time_ns // 10**9
        fields = (seconds, time_ns - seconds * 10**9, size, length)
    end = np.cumsum(whole)
    start = end - whole
    data = np.zeros(int(whole.sum()), np.uint8)
    words = np.ndarray((max(0, len(data) - 3),), "<u4", data.data, strides=(1,))
    for i, field in enumerate(fields):
        words[start + 4 * i] = field
    if capture.in_blocks:
        words[end - 4] = whole
    copy_ranges(frames.data, frames.start, data, start + 4 * len(fields), size)
    return data.data


def _unzipped(content: bytes) -> tuple[bytes, str]:
    """The content of a gzip file as far as it goes, and a complaint; of any other file, itself."""
    if not content.startswith(_GZIP):
        return content, ""
    file, parts, left = gzip.GzipFile(fileobj=BytesIO(content)), [], _MOST_UNZIPPED
    try:
        # in pieces, for what comes before damage is whole
        while piece := file.read1(min(left, _PIECE)):
            parts.append(piece)
            left -= len(piece)
    except EOFError:
        return b"".join(parts), "the gzip file is cut short"
    except (OSError, zlib.error) as error:
        return b"".join(parts), f"the gzip file is damaged ({error})"
    complaint = "" if left else f"the gzip file holds more than {_MOST_UNZIPPED} bytes"
    return b"".join(parts), complaint


def _find_records(content: bytes) -> Iterator[Place]:
    """The records of pcap."""
    order, unit_ns = _PCAP[content[:4]]
    if len(content) < _FILE:
        raise Damage(0, "the header of the file is cut short")
    # the upper half may say how long the frame check sequence is
    link = struct.unpack_from(f"{order}20xI", content)[0] & 0xFFFF
    read, at = struct.Struct(f"{order}IIII").unpack_from, _FILE
    while at < len(content):
        start = at + _RECORD
        if start > len(content):
            raise Damage(at, "a packet is cut short")
        seconds, fraction, size, length = read(content, at)
        if size > LONGEST_FRAME or length > LONGEST_FRAME:
            raise Damage(at, "a packet is too long")
        if start + size > len(content):
            raise Damage(at, "a packet is cut short")
        if fraction * unit_ns >= 10**9:
            raise Damage(at, "the time of a packet cannot be")
        yield link, seconds * 10**9 + fraction * unit_ns, length, start, size
        at = start + size


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


# 0xA1B23C4D instead of 0xA1B2C3D4: nanoseconds instead of microseconds
_PCAP_HEADER: Final = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, LONGEST_FRAME, ETHERNET)

_SECTION: Final = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
# option 9 (if_tsresol) of one byte, 10^-9 seconds, and the end of the options
_INTERFACE: Final = struct.pack("<HHI", ETHERNET, 0, LONGEST_FRAME) + struct.pack(
    "<HHB3xHH", 9, 1, 9, 0, 0
)
_PCAPNG_HEADER: Final = _block(0x0A0D0D0A, _SECTION) + _block(1, _INTERFACE)

FORMATS: Final = {
    ".pcap": CaptureFormat(_PCAP_HEADER, end_ns=2**32 * 10**9, in_blocks=False),
    ".pcapng": CaptureFormat(_PCAPNG_HEADER, end_ns=2**63, in_blocks=True),
}
"""Capture formats by the suffix of the file."""
