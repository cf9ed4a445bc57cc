"""What the processes of decoys share: how they begin, and how they talk to who started them."""

import contextlib
import gc
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["Requests", "be_quick", "cannot_use", "hear", "say", "tell"]


def hear() -> dict[str, Any]:
    """What a process is to do: a line of JSON on standard input, of which no more is read.

    Nothing, where whoever started it is gone.
    """
    said = sys.stdin.buffer.raw.readline()  # type: ignore[union-attr]
    found: dict[str, Any] = json.loads(said or b"{}")
    return found


class Requests:
    """What a process is asked later on, in lines of JSON on standard input.

    Attributes:
        are_over: Whoever asked is gone.
    """

    def __init__(self) -> None:
        self._rest = b""
        self.are_over = False

    def fileno(self) -> int:
        """They can be read from here."""
        return 0

    def read(self) -> Iterator[dict[str, Any]]:
        """All that have come by now; waits for one, or the end, if there is none."""
        said = os.read(0, 2**16)
        self.are_over = not said
        *lines, self._rest = (self._rest + said).split(b"\n")
        yield from map(json.loads, lines)


def tell(found: dict[str, Any]) -> None:
    """Tell who started this process, in a line of JSON."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


def say(line: str) -> None:
    """Say a line to whoever reads standard error."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def cannot_use(interface: str, error: OSError) -> None:
    """Tell why no raw packets can be sent or heard on an interface, and what would help."""
    help_ = "; run as root, or with CAP_NET_RAW" if isinstance(error, PermissionError) else ""
    tell({"error": f"cannot use {interface}: {error.strerror}{help_}"})


def be_quick(priority: int) -> bool:
    """Wake up on time: without slack or collections of garbage, and before usual processes.

    Returns:
        Whether the last was allowed.
    """
    gc.disable()
    with contextlib.suppress(OSError):
        Path("/proc/self/timerslack_ns").write_text("1")
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except PermissionError:
        return False
    return True
