"""Labels: which generated packets each event has caused."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.events.log import BECAUSE, COMMENT
from iotflowgen.events.times import iso
from iotflowgen.files import whole_file
from iotflowgen.traffic import Event, Session

__all__ = ["Labels", "labels_path", "write_labels"]

_COLUMNS: Final = ("time", "event", "packets", "flows", "frames")


def labels_path(path: Path) -> Path:
    """The file of labels beside one of packets: `honeydata.events.csv` for `honeydata.pcap`."""
    return path.with_suffix(".events.csv")


class Labels:
    """Takes note of sessions as they come, packet by packet of a file, from 1 on.

    Args:
        events: Those that sessions were drawn with, in that order.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = tuple(events)
        self._packets = 0
        self._frame: list[NDArray[np.int64]] = []
        self._event: list[NDArray[np.int64]] = []
        self._flow: list[NDArray[np.int64]] = []
        self._begun: set[int] = set()

    def of(self, sessions: Iterable[Session]) -> Iterator[Session]:
        """The same sessions; what there is to note of each is noted before it is passed on."""
        for session in sessions:
            if session.event is not None:
                caused = np.flatnonzero(session.event >= 0)
                self._frame.append(1 + self._packets + caused)
                self._event.append(session.event[caused])
                self._flow.append(session.flow[caused])
            self._packets += len(session)
            yield session

    def comments(self, numbers: NDArray[np.int64]) -> dict[int, str]:
        """What to say of some consecutive packets (E), by their places among them.

        Args:
            numbers: Which packets of the file they are, from 0 on (E). None is asked for twice.
        """
        frame, event, _ = self._columns()
        first, last = np.searchsorted(frame, [1 + numbers[0], 2 + numbers[-1]])
        said: dict[int, str] = {}
        for at, cause in zip(
            (frame[first:last] - 1 - numbers[0]).tolist(), event[first:last].tolist(), strict=True
        ):
            begins = COMMENT if cause not in self._begun else BECAUSE
            self._begun.add(cause)
            said[at] = f"{begins} {self._events[cause].name}"
        return said

    def write(self, path: Path, packets: int) -> None:
        """Write them as CSV, a row an event, also of those that caused nothing.

        Args:
            path: Of the file of labels.
            packets: So many have been written: others are left out.

        Raises:
            OutputError: The file cannot be written.
        """
        frame, event, flow = self._columns()
        written = frame <= packets
        write_labels(path, self._events, frame[written], event[written], flow[written])

    def _columns(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Numbers of packets that events have caused, which events, and of which flows."""
        lists = (self._frame, self._event, self._flow)
        for each in lists:
            each[:] = [np.concatenate([*each, np.empty(0, dtype=np.int64)])]
        return self._frame[0], self._event[0], self._flow[0]


def write_labels(
    path: Path,
    events: Sequence[Event],
    frame: NDArray[np.int64],
    event: NDArray[np.int64],
    flow: NDArray[np.int64],
    decoys: Sequence[str] | None = None,
) -> None:
    """Write labels as CSV, a row an event, in order of time, also of those that caused nothing.

    Args:
        path: Of the file of labels.
        events: All that have happened.
        frame: Numbers, from 1 on, of packets that they have caused (E), rising.
        event: Which event has caused each (E).
        flow: Which flow each is of, -1 for none (E).
        decoys: To whom each event has happened, where there are several.

    Raises:
        OutputError: The file cannot be written.
    """
    order = np.argsort(event, kind="stable")
    frame, event, flow = frame[order], event[order], flow[order]
    bounds = np.searchsorted(event, np.arange(len(events) + 1))
    with whole_file(path) as temporary, temporary.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_COLUMNS if decoys is None else (*_COLUMNS, "device"))
        for number in sorted(range(len(events)), key=lambda each: events[each]):
            own, (time_ns, name) = slice(bounds[number], bounds[number + 1]), events[number]
            flows = np.unique(flow[own])
            row = (iso(time_ns), name, len(frame[own]), int((flows >= 0).sum()))
            who = () if decoys is None else (decoys[number],)
            table.writerow((*row, _ranges(frame[own]), *who))


def _ranges(numbers: NDArray[np.int64]) -> str:
    """Rising numbers, those that follow each other together: `3-5 9`."""
    begins = np.flatnonzero(np.diff(numbers, prepend=-1) != 1)
    ends = np.append(begins[1:], len(numbers))[: len(begins)] - 1
    pairs = zip(numbers[begins].tolist(), numbers[ends].tolist(), strict=True)
    return " ".join(f"{first}-{last}" if first < last else str(first) for first, last in pairs)
