"""Output files that appear whole or not at all."""

import errno
import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iotflowgen.errors import OutputError

__all__ = ["INTERRUPTS", "uninterrupted", "whole_file"]

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks a program to end: Ctrl-C, `kill` and whoever stops services, a terminal that closes."""

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the name `path` only if the block ends well.

    Yields:
        A temporary path in the same folder; folders that are missing are made.

    Raises:
        OutputError: The folder or the file cannot be written (no right, no room, a folder).
    """
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder; name a file in it")
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unused = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        os.close(os.open(unused, os.O_CREAT | os.O_EXCL, 0o666))
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
