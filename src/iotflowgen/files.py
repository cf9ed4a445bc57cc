"""Output files that appear whole or not at all."""

import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iotflowgen.errors import OutputError

__all__ = ["uninterrupted", "whole_file"]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the name `path` only if the block ends well.

    Yields:
        A temporary path in the same folder; folders that are missing are made.

    Raises:
        OutputError: The folder or the file cannot be written (no right, no room, a folder).
    """
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
        reason = error.strerror or str(error)
        raise OutputError(
            f"cannot write {path}: {reason}; free room or choose another place"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Have Ctrl-C wait for the end of the block, so that what is noted in it is what was done."""
    # only the main thread hears of it, and what was set outside of Python cannot be set again
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is None:
        yield
        return
    presses: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: presses.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    for number in presses[:1]:
        signal.raise_signal(number)
