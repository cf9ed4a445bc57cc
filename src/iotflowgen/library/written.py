"""What was written of honeydata, and sessions counted on their way there."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from iotflowgen.traffic import Session

__all__ = ["Tally", "Written"]


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written."""

    path: Path
    packets: int
    sessions: int | None
    """Or windows; None of an interrupted run."""
    bytes: int | None = None
    """Of all frames, on the wire; None of tables, which have no frames."""
    first_ns: int | None = None
    """Time of the first packet, nanoseconds since the epoch; None of windows in tables."""
    last_ns: int | None = None
    """Time of the last packet; None where that is not known, as of an interrupted run."""
    device_mac: str | None = None
    """The MAC address that the device shows; None of tables."""
    device_ip: str | None = None
    """The IPv4 address that it shows."""
    labels: Path | None = None
    """The file that says which packets each event has caused; None where there are no events."""
    compromises: Mapping[str, int] = field(default_factory=dict)
    """Packets that differ from what was drawn, by what was done about them."""
    stopped: bool = False
    """Interrupted (Ctrl-C): the file is whole, but ends early."""

    def summary(self) -> dict[str, Any]:
        """The same in types that JSON has; times are those of ISO 8601, and durations seconds."""
        found: dict[str, Any] = {
            "file": str(self.path),
            "packets": self.packets,
            "sessions": self.sessions,
            "bytes": self.bytes,
            "ip": self.device_ip,
            "mac": self.device_mac,
        }
        if self.first_ns is not None:
            found["first"] = _iso(self.first_ns)
            if self.last_ns is not None:
                found["last"] = _iso(self.last_ns)
                found["duration"] = (self.last_ns - self.first_ns) / 1e9
        if self.labels is not None:
            found["labels"] = str(self.labels)
        found |= {"compromises": dict(self.compromises), "stopped": self.stopped}
        return {name: value for name, value in found.items() if value not in (None, {})}


class Tally:
    """Sessions as they come, counted."""

    def __init__(self, sessions: Iterable[Session]) -> None:
        self._sessions = sessions
        self._count = 0
        self._first_ns: int | None = None
        self._last_ns: int | None = None

    def __iter__(self) -> Iterator[Session]:
        name: str | None = None
        for session in self._sessions:
            if len(session):
                self._count += session.name != name
                name = session.name
                if self._first_ns is None:
                    self._first_ns = int(session.time_ns[0])
                self._last_ns = int(session.time_ns[-1])
            yield session

    def found(self, *, stopped: bool) -> dict[str, Any]:
        """As `Written` has it; of what is drawn, an interrupted run has written some."""
        count, last_ns = (None, None) if stopped else (self._count, self._last_ns)
        return {
            "sessions": count,
            "first_ns": self._first_ns,
            "last_ns": last_ns,
            "stopped": stopped,
        }


def _iso(time_ns: int) -> str:
    """In UTC, to the second."""
    return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
