"""What a file is by its first bytes, whatever its name.

Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, and Wireshark's wiretap for the others.
"""

import shlex
from pathlib import Path
from typing import Final

from iotflowgen.compression import beginning
from iotflowgen.wire.pcap import MAGIC_NUMBERS

__all__ = ["is_capture", "other_format"]

_UNPACK: Final = "unpack it first"
_CONVERT: Final = "make a pcapng of it: editcap {name} {stem}.pcapng"
_OTHERS: Final = (
    (0, b"version https://git-lfs", "a Git LFS pointer, not the file", "get it: git lfs pull"),
    (0, b"\x28\xb5\x2f\xfd", "packed by Zstandard", "unpack it first: zstd -d {name}"),
    (0, b"\x04\x22\x4d\x18", "packed by LZ4", "unpack it first: lz4 -d {name}"),
    (0, b"\x1f\x9d", "packed by compress", "unpack it first: uncompress {name}"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (257, b"ustar", "a tar archive", "unpack it first: tar xf {name}"),
    (0, b"snoop\0\0\0", "a snoop capture", _CONVERT),
    (0, b"btsnoop\0", "a Bluetooth capture", "capture the network that the device is in"),
    (0, b"GMBU", "a capture of Microsoft's Network Monitor", _CONVERT),
    (0, b"RTSS", "a capture of Microsoft's Network Monitor", _CONVERT),
    (0, b"iptrace ", "an iptrace capture", _CONVERT),
    (0, b"<!DOCTYPE", "a web page", "download the file itself"),
    (0, b"<html", "a web page", "download the file itself"),
)
"""Where their magic number stands, that, what they are, and what to do."""
_SUFFIXES: Final = {".erf": ("an ERF capture", _CONVERT)}
"""Of formats without a magic number."""
_MOST: Final = 512
"""Bytes that all of these are told by."""


def is_capture(path: Path) -> bool:
    """Whether the file is pcap or pcapng, plain or packed (`compression`), by its magic number.

    Raises:
        NotRegular: It is a pipe or a device.
        OSError: It cannot be read.
    """
    return beginning(path, 4) in MAGIC_NUMBERS


def other_format(path: Path) -> str:
    """What a file is that is no capture, and what to do with it; empty if that is not known.

    Raises:
        NotRegular: It is a pipe or a device.
        OSError: It cannot be read.
    """
    start = beginning(path, _MOST)
    known = [(what, do) for at, magic, what, do in _OTHERS if start.startswith(magic, at)]
    known += [named for suffix, named in _SUFFIXES.items() if path.suffix.lower() == suffix]
    for what, do in known[:1]:
        return f"is {what}; {do.format(name=shlex.quote(path.name), stem=shlex.quote(path.stem))}"
    return ""
