"""Packed files, unpacked as far as a bound: gzip (RFC 1952), bzip2, xz, and a zip of one file.

A megabyte of them may hold a gigabyte of nothing, and none says truly how much it holds. So the
bound is known before anything is unpacked.
"""

import bz2
import gzip
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from iotflowgen.files import open_regular

__all__ = ["LARGEST_FILE", "LARGEST_UNPACKED", "MOST_TIMES", "Content", "beginning"]

LARGEST_FILE: Final = 2**32
"""Bytes that are read of a file that is not packed."""
LARGEST_UNPACKED: Final = 2**30
"""Bytes that are unpacked of one."""
MOST_TIMES: Final = 30
"""A packed file holds at most so many times its own bytes, or `_SMALL` bytes: captures shrink to a
half or to a tenth."""
_SMALL: Final = 2**24
_PIECE: Final = 2**16
_WINDOW: Final = 2**20
_MEMORY: Final = 2**27
"""Bytes that xz may take for its dictionary: all of its presets do with less."""
_DAMAGE: Final = (
    *(OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, struct.error),
    *(RuntimeError, NotImplementedError, ValueError, OverflowError),
)
"""What the standard library raises for damaged files."""


class Content:
    """What a file holds, unpacked, through a window that moves on: it need not fit into memory.

    Args:
        path: The file, packed or not.
        step: Bytes that the window moves on by, at least.

    Raises:
        NotRegular: It is a pipe or a device.
        OSError: It cannot be read, or has more than `LARGEST_FILE` bytes.

    Attributes:
        window: The bytes that are seen.
        at: Where they begin in the content.
    """

    def __init__(self, path: Path, step: int = _WINDOW) -> None:
        self.window, self.at = b"", 0
        self._step, self._complaints = step, list[str]()
        self._pieces = _bounded(path, self._complaints)
        self.more()

    @property
    def complaint(self) -> str:
        """What is wrong with what comes after the window, which is not read; else no word."""
        return "".join(self._complaints)

    def more(self) -> bool:
        """Have the window reach farther, if the content does; whether it does."""
        parts, left = [self.window], self._step
        while left > 0 and (piece := next(self._pieces, b"")):
            parts.append(piece)
            left -= len(piece)
        self.window = b"".join(parts)
        return len(parts) > 1

    def drop(self, count: int) -> None:
        """Have the window begin so many bytes later."""
        self.window = self.window[count:]
        self.at += count

    @property
    def end(self) -> int:
        """Where the window ends in the content."""
        return self.at + len(self.window)

    def find_end(self) -> int:
        """How much the content is; nothing more of it is seen."""
        self.drop(len(self.window))
        while self.more():
            self.drop(len(self.window))
        return self.at


def _bounded(path: Path, complaints: list[str]) -> Iterator[bytes]:
    """What a file holds, piece by piece, as far as the bounds of this module, and no further.

    Args:
        path: The file.
        complaints: Where to say why there is no more, if something is wrong.
    """
    with _opened(path) as (file, kind, size):
        bound = min(LARGEST_UNPACKED, max(_SMALL, MOST_TIMES * size)) if kind else LARGEST_FILE
        if size > LARGEST_FILE:
            raise OSError(None, f"has more than {LARGEST_FILE} bytes; cut it with editcap -c")
        left = bound
        try:
            for piece in _pieces(file, kind):
                if left:
                    yield piece[:left]
                if len(piece) > left:
                    complaints.append(
                        f"it unpacks to more than {bound} bytes, of which no more are read"
                    )
                    return
                left -= len(piece)
        except _DAMAGE as error:
            if not kind:
                raise
            cut_short = isinstance(error, EOFError)
            how = "cut short" if cut_short else f"damaged ({error})"
            complaints.append(f"the {kind} file is {how}")


def beginning(path: Path, count: int) -> bytes:
    """The first bytes of what a file holds; of a damaged one, what there is.

    Raises:
        NotRegular: It is a pipe or a device.
        OSError: It cannot be read.
    """
    return Content(path, count).window[:count]


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], str, int]]:
    """A file, how it is packed ("" if it is not), and its size."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(6)
        file.seek(0)
        kind = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), "")
        yield file, kind, size


def _pieces(file: IO[bytes], kind: str) -> Iterator[bytes]:
    """What an open file holds, piece by piece: what comes before damage is whole."""
    if kind == "xz":
        yield from _pieces_of_xz(file)
        return
    opened: Any = file
    if kind == "gzip":
        opened = gzip.GzipFile(fileobj=file)
    elif kind == "bzip2":
        opened = bz2.BZ2File(file)
    elif kind == "zip":
        opened = _only_one(zipfile.ZipFile(file))
    read = getattr(opened, "read1", opened.read)
    while piece := read(_PIECE):
        yield piece


def _pieces_of_xz(file: IO[bytes]) -> Iterator[bytes]:
    """As `lzma.open`, with a bound on what the file may have it allocate."""
    more = file.read(_PIECE)
    while more:
        stream = lzma.LZMADecompressor(memlimit=_MEMORY)
        while not stream.eof:
            if stream.needs_input and not more:
                raise EOFError
            if piece := stream.decompress(more, max_length=_PIECE):
                yield piece
            more = file.read(_PIECE) if stream.needs_input else b""
        # streams may follow each other, with zeros between
        more = (stream.unused_data or file.read(_PIECE)).lstrip(b"\0")


def _only_one(archive: zipfile.ZipFile) -> IO[bytes]:
    """The file that is in a zip."""
    files = [each for each in archive.infolist() if not each.is_dir()]
    files = [each for each in files if not each.filename.startswith("__MACOSX/")]
    if len(files) != 1:
        raise zipfile.BadZipFile(f"it holds {len(files)} files; unpack it into a folder")
    # of other methods a file may say how much memory they take
    if files[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        raise zipfile.BadZipFile(f"method {files[0].compress_type} is not read; unpack it")
    return archive.open(files[0])


_MAGIC: Final = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"PK\x03\x04": "zip",
}
