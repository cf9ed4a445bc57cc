"""What a capture file is by its first bytes, and where its last whole packet ends.

tshark reads the packets. This is for what it does not say: whether a file is a capture at all,
whatever its name, and how much of a capture that was cut short is lost.

Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, RFC 1952 (gzip).
"""

import struct
import zlib
from pathlib import Path

__all__ = ["is_capture", "lost_bytes"]

_GZIP = b"\x1f\x8b"
_PCAPNG = b"\x0a\x0d\x0d\x0a"
_PCAP = {  # microseconds and nanoseconds, in both byte orders
    b"\xd4\xc3\xb2\xa1": "<",
    b"\x4d\x3c\xb2\xa1": "<",
    b"\xa1\xb2\xc3\xd4": ">",
    b"\xa1\xb2\x3c\x4d": ">",
}


def is_capture(path: Path) -> bool:
    """Whether the file is pcap or pcapng, plain or gzipped, by its magic number.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(4096)
    magic = _unzipped(start)[:4]
    return magic == _PCAPNG or magic in _PCAP


def lost_bytes(path: Path) -> tuple[int, int]:
    """Bytes after the last whole packet, and bytes in all (unzipped), of a pcap or pcapng file."""
    content = _unzipped(path.read_bytes())
    end = _end_of_blocks(content) if content.startswith(_PCAPNG) else _end_of_records(content)
    return len(content) - end, len(content)


def _unzipped(content: bytes) -> bytes:
    """The content of a gzip file as far as it goes; of any other file, itself."""
    if not content.startswith(_GZIP):
        return content
    try:
        return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(content)
    except zlib.error:
        return b""


def _end_of_records(content: bytes) -> int:
    """pcap: a file header of 24 bytes, then records, each with a header of 16."""
    header = struct.Struct(_PCAP.get(content[:4], "<") + "8x I 4x")
    end = 24
    while end + header.size <= len(content):
        (captured,) = header.unpack_from(content, end)
        if end + header.size + captured > len(content):
            break
        end += header.size + captured
    return min(end, len(content))


def _end_of_blocks(content: bytes) -> int:
    """pcapng: blocks, each with its total length as its second word."""
    order = "<" if content[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
    end = 0
    while end + 12 <= len(content):
        (length,) = struct.unpack_from(order + "I", content, end + 4)
        if length < 12 or end + length > len(content):
            break
        end += length
    return end
