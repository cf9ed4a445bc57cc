"""Sessions and windows to a capture file, block by block (paper, section 4.5).

Memory does not grow with the number of packets. The file appears whole or not at all, except that
an interrupted run (Ctrl-C) keeps all packets written so far.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from iotflowgen.errors import OutputError
from iotflowgen.files import uninterrupted, whole_file
from iotflowgen.packets.rows import Rows
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Session, Windows, flow_by_ports
from iotflowgen.wire import Frames
from iotflowgen.wire.arrays import Integers
from iotflowgen.wire.pcap import FORMATS, CaptureFormat, records_bytes

__all__ = [
    "DEFAULT_START_NS",
    "SupportsRender",
    "WriteReport",
    "check_time",
    "sessions_of",
    "write_sessions",
]

DEFAULT_START_NS: Final = 1_704_067_200 * 10**9
"""The first second of 2024, so that the same seed gives the same file."""
_BLOCK: Final = 2**15


class SupportsRender(Protocol):
    """Turns rows into frames."""

    device_mac: str
    """The MAC address of the device, from which every outgoing packet comes."""
    device_ip: str
    """Its IPv4 address; 0.0.0.0 where it has none."""

    @property
    def compromises(self) -> Counter[str]:
        """Packets whose features could not be kept, counted by the reason."""

    def foresee(self, rows: Rows, piece: Integers) -> None:
        """Be told of packets (E), and of which piece of a session each is, before `render`."""

    def render(self, rows: Rows) -> Frames:
        """Frames (E) of the next packets of a file."""


@dataclass(frozen=True)
class WriteReport:
    """What was written."""

    packets: int
    bytes: int
    """Of all frames, on the wire."""
    stopped: bool
    """Interrupted (Ctrl-C): the file ends early."""


def write_sessions(
    sessions: Iterable[Session],
    path: Path,
    renderer: SupportsRender,
    *,
    block: int = _BLOCK,
    total: int = 0,
    comments: Callable[[NDArray[np.int64]], Mapping[int, str]] | None = None,
    progress: Progress = silent,
) -> WriteReport:
    """Write sessions one after the other as frames, to pcap or pcapng by the suffix of `path`.

    An interrupted run (Ctrl-C) ends the file with its last whole block, if there is one.

    Args:
        sessions: Each at the times that it has. One with the name of the one before goes on with
            it, so that a session may come in pieces: its connections stay open.
        path: Ends in `.pcap` or `.pcapng`.
        renderer: Makes the frames.
        block: Packets that are rendered at once, at most.
        total: Packets that are going to be written, for `progress`; 0 where that is not known.
        comments: What is to be said of consecutive packets, whose numbers it is given, by their
            places among them; only pcapng has room for it.
        progress: Told after each block.

    Raises:
        OutputError: The suffix is another, the file cannot be written, or a packet comes before
            the last one, or at a time that the format cannot hold.
    """
    capture, packets, size, stopped = _format(path), 0, 0, False
    with whole_file(path) as temporary, temporary.open("wb") as file:
        end = file.write(capture.header)
        try:
            for rows in _blocks(sessions, block, renderer.foresee):
                for time_ns in (rows.time_ns[0], rows.time_ns[-1]):
                    check_time(path, int(time_ns))
                frames = renderer.render(rows)
                said = comments(rows.number) if comments else None
                records = records_bytes(capture, rows.time_ns, frames, comments=said)
                with uninterrupted():
                    end += file.write(records)
                    packets, size = packets + len(frames), size + int(frames.size.sum())
                progress("write", packets, total)
        except KeyboardInterrupt:
            if not packets:
                raise
            # what was written of a block that was interrupted is left out
            file.seek(end)
            file.truncate()
            stopped = True
    return WriteReport(packets=packets, bytes=size, stopped=stopped)


def sessions_of(windows: Windows, start_ns: int = DEFAULT_START_NS) -> Iterator[Session]:
    """Each window as a session, one after the other.

    The duration of a window's last packet is the gap before the next window's first.

    Args:
        windows: Those without captured packets repeat none; without flows, they have one for each
            pair of ports.
        start_ns: Time of the first packet, nanoseconds since the epoch.
    """
    ends_ns = start_ns + np.cumsum(windows.duration_ns.ravel()).reshape(windows.length.shape)
    columns = {name: getattr(windows, name) for name in Windows.columns()}
    columns["time_ns"] = ends_ns - columns.pop("duration_ns")
    none = np.full(windows.length.shape, -1)
    columns["source"] = none if windows.source is None else windows.source
    columns["flow"] = flow_by_ports(windows) if windows.flow is None else windows.flow
    for i in range(len(windows)):
        window = {name: column[i] for name, column in columns.items()}
        yield Session(name=f"window {i + 1}", **window)


def check_time(path: Path, time_ns: int) -> None:
    """Check that a capture file can hold a packet of that time, in nanoseconds since the epoch.

    Raises:
        OutputError: It cannot, or its suffix is that of no capture.
    """
    end_ns = _format(path).end_ns
    if not 0 <= time_ns < end_ns:
        last = np.datetime64(0, "s") + np.timedelta64(end_ns // 10**9, "s")
        raise OutputError(
            f"{path} holds times from 1970-01-01 to {last} only; choose another --start, or "
            "write less"
        )


def _format(path: Path) -> CaptureFormat:
    if path.suffix.lower() not in FORMATS:
        raise OutputError(
            f"{path} is not a capture file name; it must end in {' or '.join(FORMATS)}"
        )
    return FORMATS[path.suffix.lower()]


_Foresee = Callable[[Rows, Integers], None]


def _blocks(sessions: Iterable[Session], most: int, foresee: _Foresee) -> Iterator[Rows]:
    """The packets of sessions, as soon as there are enough for a block."""
    pieces: list[tuple[int, Session]] = []
    done = waiting = 0
    for piece in _numbered(sessions):
        pieces.append(piece)
        waiting += len(piece[1])
        if waiting >= most:
            yield from _cut(pieces, done, most, foresee)
            done, waiting, pieces = done + waiting, 0, []
    if pieces:
        yield from _cut(pieces, done, most, foresee)


def _numbered(sessions: Iterable[Session]) -> Iterator[tuple[int, Session]]:
    """Sessions, or pieces of them, and which session each is of."""
    number, before = -1, None
    for session in filter(len, sessions):
        if before and session.time_ns[0] < before.time_ns[-1]:
            raise OutputError(f"{session.name} begins before what comes first has ended")
        number += not before or session.name != before.name
        before = session
        yield number, session


def _cut(
    pieces: Iterable[tuple[int, Session]], done: int, most: int, foresee: _Foresee
) -> Iterator[Rows]:
    numbers, sessions = zip(*pieces, strict=True)
    rows = Rows.of(sessions, done, numbers)
    foresee(rows, np.repeat(np.arange(len(sessions)), [len(each) for each in sessions]))
    for start in range(0, len(rows), most):
        yield rows.take(slice(start, start + most))
