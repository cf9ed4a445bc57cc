"""What the processes of decoys share: how they begin, and how they talk to who started them."""

import contextlib
import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["be_quick", "cannot_use", "hear", "say", "tell"]


def hear() -> dict[str, Any]:
    """What a process is to do: a line of JSON on standard input, of which no more is read."""
    found: dict[str, Any] = json.loads(sys.stdin.buffer.raw.readline())  # type: ignore[union-attr]
    return found


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
