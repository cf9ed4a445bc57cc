"""Files that are read have an end; files that are written appear whole or not at all."""

import errno
import os
import secrets
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from iotflowgen.errors import OutputError

__all__ = [
    "INTERRUPTS",
    "NotRegular",
    "open_regular",
    "parsed_text",
    "printable",
    "uninterrupted",
    "whole_file",
]

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks a program to end: Ctrl-C, `kill` and whoever stops services, a terminal that closes."""

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LARGEST_TEXT: Final = 2**28
"""Bytes of a file of settings or of results."""


class NotRegular(OSError):
    """What is to be read is a folder, a pipe or a device, and may have no end."""


def open_regular(path: Path) -> IO[bytes]:
    """Open a file that has an end.

    Raises:
        NotRegular: It is a folder, a pipe or a device.
        OSError: It cannot be read.
    """
    # a pipe that nobody writes to would never open
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    kind = os.fstat(file.fileno()).st_mode
    if stat.S_ISREG(kind):
        return file
    file.close()
    what = "a folder" if stat.S_ISDIR(kind) else "a pipe or a device"
    raise NotRegular(errno.EINVAL, f"it is {what}, not a file")


def printable(name: str) -> str:
    """The name of a file as text: Linux has names that are none."""
    return os.fsencode(name).decode(errors="backslashreplace")


def parsed_text(path: Path, parse: Callable[[str], Any]) -> Any:  # noqa: ANN401 - as `parse`
    """What a text file says, by a parser of TOML or JSON.

    Raises:
        ValueError: It is not what the parser reads, or is too deep or too large for anybody.
        OSError: It cannot be read.
    """
    with open_regular(path) as file:
        content = file.read(_LARGEST_TEXT + 1)
    if len(content) > _LARGEST_TEXT:
        raise ValueError(f"more than {_LARGEST_TEXT} bytes")
    try:
        return parse(content.decode())
    except RecursionError as error:
        raise ValueError("too many levels") from error


@contextmanager
def whole_file(path: Path, *, private: bool = False) -> Iterator[Path]:
    """A path to write to, which takes the name `path` only if the block ends well.

    Args:
        path: Of the file; folders that are missing are made.
        private: Whether nobody but its owner may read it, whatever the umask.

    Yields:
        A temporary path in the same folder.

    Raises:
        OutputError: The folder or the file cannot be written (no right, no room, a folder).
    """
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder; name a file in it")
    temporary: Path | None = None
    try:
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "it is a folder, a pipe or a device")
        path.parent.mkdir(parents=True, exist_ok=True)
        unused = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        os.close(os.open(unused, os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666))
        temporary = unused
        yield temporary
        temporary.replace(path)
        temporary = None
    except OSError as error:
        reason, room = error.strerror or str(error), error.errno in _NO_ROOM
        raise OutputError(
            f"cannot write {path}: {reason}; {'free room or ' * room}choose another place"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Have interrupts wait for the end of the block: what is noted in it is what was done."""
    # only the main thread hears of them
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    before = {number: signal.getsignal(number) for number in INTERRUPTS}
    # what was set outside of Python cannot be set again, and what is ignored stays so
    unheard = (None, signal.SIG_IGN)
    before = {number: handler for number, handler in before.items() if handler not in unheard}
    for interrupt in before:
        signal.signal(interrupt, lambda number, _: heard.append(number))
    try:
        yield
    finally:
        # Ctrl-C last, which may raise at once
        for interrupt, handler in reversed(before.items()):
            signal.signal(interrupt, handler)
    for number in heard[:1]:
        signal.raise_signal(number)
