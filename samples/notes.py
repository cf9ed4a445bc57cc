"""What was done to the device, and when: a line an event, noted by whoever does it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["Notes", "read_notes", "write_events"]


class Notes:
    """Notes of the device's and the owner's programs, in one file of a recording."""

    def __init__(self, work: Path) -> None:
        self._path = _path(work)

    def note(self, event: str) -> None:
        """Somebody does this now."""
        # a line is written at once, so that those of two programs do not mix
        with self._path.open("a") as file:
            file.write(f"{time.time_ns()} {event}\n")


def read_notes(work: Path, first_ns: int, last_ns: int) -> list[tuple[int, str]]:
    """Events of a recording from its first to its last packet: nanoseconds and names, in order."""
    path = _path(work)
    lines = path.read_text().splitlines() if path.exists() else []
    noted = ((int(at), event) for at, event in map(str.split, lines))
    return sorted((at, event) for at, event in noted if first_ns <= at <= last_ns)


def write_events(events: list[tuple[int, str]], path: Path) -> None:
    """Write events as `iotflowgen fit --events` reads them, with times to the millisecond."""
    rows = ["time,event"]
    for at, event in events:
        time_ = datetime.fromtimestamp(at // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        rows.append(f"{time_}.{at % 10**9 // 10**6:03}Z,{event}")
    path.write_text("\n".join(rows) + "\n")


def _path(work: Path) -> Path:
    return work / "notes"
