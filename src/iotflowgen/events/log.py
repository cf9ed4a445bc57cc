"""Logs of events: CSV files, comments of packets in pcapng, folders of captures."""

import csv
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Final

from iotflowgen.errors import ArgumentError
from iotflowgen.events.times import read_moment
from iotflowgen.files import parsed_text, printable
from iotflowgen.traffic import Event, Trace
from iotflowgen.wire import read_comments

__all__ = [
    "BECAUSE",
    "COMMENT",
    "EventLog",
    "EventWarning",
    "by_comments",
    "by_folders",
    "read_log",
]

COMMENT: Final = "event:"
"""What a comment of a packet begins with that says what happened just before."""
BECAUSE: Final = "because of:"
"""And one of what followed, in captures that were generated."""
_MOST: Final = 10**6
"""Events of a file."""
_LONGEST: Final = 100
"""Characters of a name."""


class EventWarning(UserWarning):
    """Events do not go with their captures as they should; each is told of."""


@dataclass(frozen=True)
class EventLog:
    """What somebody, or something, has noted; one clock and one way of noting."""

    name: str
    """Of the file, and what it calls the log."""
    events: tuple[Event, ...]
    """In order of time."""
    to_minutes: bool = False
    """Times are of minutes, and may be as much too early."""
    is_exact: bool = False
    """Times are those of the packets themselves."""


def read_log(path: Path, zone: tzinfo | None = None, device: str | None = None) -> list[EventLog]:
    """Read a CSV file of events: columns `time` and `event`, and `log` and `device` where it has.

    Args:
        path: The file. Its columns may stand in any order, with others among them.
        zone: That of times which name none.
        device: Whose events are meant, where a column tells several apart.

    Returns:
        A log each that the column `log` names; one without that column.

    Warns:
        EventWarning: Clocks have shown a time twice, or never.

    Raises:
        ArgumentError: The file cannot be read, lacks columns or events, or a row makes no sense.
    """
    try:
        rows = parsed_text(
            path, lambda text: [*csv.reader(text.removeprefix("\ufeff").splitlines())]
        )
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from error
    except (ValueError, csv.Error) as error:
        raise _wrong(path, f"is no CSV: {error}") from error
    head = [name.strip().lower() for name in rows[0]] if rows else []
    if not {"time", "event"} <= {*head}:
        has = f"has {', '.join(head)}" if head else "is empty"
        raise _wrong(path, f"needs the columns time and event in its first line; it {has}")
    if len(rows) > _MOST:
        raise _wrong(path, f"has more than {_MOST:,} events; take those of the captures' time")
    found = [_row(path, line, head, row) for line, row in enumerate(rows[1:], 2) if any(row)]
    return _logs(path, _of_device(path, found, device), zone)


def by_comments(traces: Sequence[Trace], paths: Sequence[Path]) -> EventLog:
    """Events that comments of packets tell, such as `event: on`, at the times of these packets.

    Args:
        traces: The captures.
        paths: The file of each.

    Warns:
        EventWarning: There are other comments, too.

    Raises:
        ArgumentError: There is no such comment.
    """
    events, others = [], 0
    for path in dict.fromkeys(paths):
        for time_ns, text in read_comments(path):
            said = text.strip().splitlines()[0] if text.strip() else ""
            if said.lower().startswith(COMMENT):
                name = said[len(COMMENT) :].strip()
                events.append(Event(time_ns, _name(name, f"a comment in {path.name}")))
            else:
                others += not said.lower().startswith(BECAUSE)
    if not events:
        has = f"; there are {others} others" if others else ""
        raise ArgumentError(
            f"no packet of {len(traces)} captures has a comment such as `event: on`{has}", "events"
        )
    if others:
        _warn(f"{others} comments of packets do not begin with `{COMMENT}`, and are no events")
    return EventLog("comments", tuple(sorted(events)), is_exact=True)


def by_folders(traces: Sequence[Trace], paths: Sequence[Path]) -> EventLog:
    """An event a capture, which is called as the folder is that the capture is in.

    It happens when the capture begins.

    Args:
        traces: The captures.
        paths: The file of each.

    Raises:
        ArgumentError: All captures are in one folder.
    """
    names = [printable(path.absolute().parent.name) for path in paths]
    if len({*names}) < 2:
        raise ArgumentError(
            f"all captures are in one folder, {names[0]}; name one for each event", "events"
        )
    events = [
        Event(int(trace.time_ns[0]), _name(name, f"the folder {name}"))
        for trace, name in zip(traces, names, strict=True)
    ]
    return EventLog("folders", tuple(sorted(events)), is_exact=True)


_Row = tuple[int, str, str, str, str]
"""Number of the line; time, event, log and device as they are written."""


def _row(path: Path, line: int, head: Sequence[str], row: Sequence[str]) -> _Row:
    if len(row) != len(head):
        raise _wrong(path, f"line {line}: {len(row)} columns, not {len(head)}")
    said = dict(zip(head, (each.strip() for each in row), strict=True))
    name = _name(said["event"], f"{path}, line {line}")
    return line, said["time"], name, said.get("log", ""), said.get("device", "")


def _of_device(path: Path, rows: Sequence[_Row], device: str | None) -> list[_Row]:
    there = sorted({row[4] for row in rows})
    if device is None and len(there) > 1:
        raise ArgumentError(
            f"{path} tells of several devices; say whose events with --events-device: "
            f"{', '.join(there)}",
            "events",
        )
    if device is not None and device not in there:
        raise ArgumentError(
            f"{path} tells nothing of {device!r}, but of: {', '.join(filter(None, there))}",
            "events_device",
        )
    own = [row for row in rows if device in (None, row[4])]
    if not own:
        raise _wrong(path, "has no events")
    return own


def _logs(path: Path, rows: Iterable[_Row], zone: tzinfo | None) -> list[EventLog]:
    logs: dict[str, list[Event]] = {}
    to_minutes: dict[str, bool] = {}
    strange: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for line, text, event, log, _ in rows:
        try:
            moment = read_moment(text, zone)
        except ValueError as error:
            hint = "" if zone else "; say which with --events-zone, such as Europe/Berlin or UTC"
            at_all = hint if "names no time zone" in str(error) else ""
            raise _wrong(path, f"line {line}: {error}{at_all}") from error
        logs.setdefault(log, []).append(Event(moment.time_ns, event))
        to_minutes[log] = to_minutes.get(log, True) and moment.to_minutes
        strange[moment.shown].append(text)
    if strange[0]:
        _warn(
            f"{path}: clocks have never shown {len(strange[0])} of the times, since they went "
            f"forward ({strange[0][0]}): those are taken that clocks would have shown otherwise"
        )
    if strange[2]:
        _warn(
            f"{path}: clocks have shown {len(strange[2])} of the times twice, since they went back "
            f"({strange[2][0]}): the first is taken; write an offset such as +01:00 for the other"
        )
    own = printable(path.name)
    return [
        EventLog(f"{own} ({log})" if log else own, tuple(sorted(events)), to_minutes[log])
        for log, events in logs.items()
    ]


def _name(name: str, where: str) -> str:
    if not name or len(name) > _LONGEST or not name.isprintable() or "@" in name:
        raise ArgumentError(
            f"{where}: {name[:_LONGEST]!r} is no name of an event: 1 to {_LONGEST} characters "
            "without @",
            "events",
        )
    return name


def _wrong(path: Path, what: str) -> ArgumentError:
    return ArgumentError(f"{path}{',' if what.startswith('line') else ''} {what}", "events")


def _warn(message: str) -> None:
    warnings.warn(message, EventWarning, stacklevel=4)
