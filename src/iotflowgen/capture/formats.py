"""What a capture file is by its first bytes, whatever its name.

Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, RFC 1952 (gzip).
"""

import zlib
from pathlib import Path

__all__ = ["is_capture"]

_GZIP = b"\x1f\x8b"
_PCAPNG = b"\x0a\x0d\x0d\x0a"
# microseconds and nanoseconds, in both orders of bytes
_PCAP = (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d")


def is_capture(path: Path) -> bool:
    """Whether the file is pcap or pcapng, plain or gzipped, by its magic number.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(4096)
    magic = _unzipped(start)[:4]
    return magic == _PCAPNG or magic in _PCAP


def _unzipped(content: bytes) -> bytes:
    """The content of a gzip file as far as it goes; of any other file, itself."""
    if not content.startswith(_GZIP):
        return content
    try:
        return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(content)
    except zlib.error:
        return b""
