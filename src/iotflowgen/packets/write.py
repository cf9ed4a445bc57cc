"""Windows, or whole sessions, to a capture file (paper, section 4.5).

Windows are written whole or not at all. Sessions are written as they come, and whoever interrupts
that (Ctrl-C) has all up to then.
"""

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from iotflowgen.errors import OutputError
from iotflowgen.files import uninterrupted, whole_file
from iotflowgen.packets.build import FEATURES, PacketBuilder, PacketFeatures
from iotflowgen.packets.fuzz import FuzzBuilder
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Session, Trace, Windows
from iotflowgen.wire.frames import Frames
from iotflowgen.wire.pcap import FORMATS, CaptureFormat, records_bytes

__all__ = ["DEFAULT_START_NS", "WriteReport", "check_time", "write_capture", "write_sessions"]

DEFAULT_START_NS = 1_704_067_200 * 10**9
"""The first second of 2024, so that the same seed gives the same file."""

_BLOCK = 4096
"""Packets that are built before they are written: windows may be as long as a day."""


@dataclass(frozen=True)
class WriteReport:
    """What became of windows, or of sessions."""

    packets: int
    bytes: int
    """Of all frames, on the wire."""
    device_mac: str
    """Sender of every outgoing packet."""
    device_ip: str
    compromises: dict[str, int]
    """Packets that differ from their features, by what was done about them, most first; a packet
    may count under two."""
    stopped: bool = False
    """Interrupted (Ctrl-C): the file ends early."""


@contextmanager
def _settled() -> Iterator[None]:
    """Without looking for cycles among what is there before, all templates above all."""
    if gc.get_freeze_count():  # by somebody who would not have it thawed
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for cycles of objects, which a block has none of but very many objects."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@_settled()
def write_capture(
    windows: Windows,
    path: Path,
    rng: np.random.Generator,
    *,
    start_ns: int = DEFAULT_START_NS,
    builder: PacketBuilder | None = None,
    progress: Progress = silent,
) -> WriteReport:
    """Write windows one after the other as frames, to pcap or pcapng by the suffix of `path`.

    The duration of a window's last packet is the gap before the next window's first. Memory does
    not grow with the number of windows; an interrupted run leaves no file.

    Args:
        windows: What is to be seen in the capture.
        path: Ends in `.pcap` or `.pcapng`.
        rng: Draws addresses, payload, and what is fuzzed.
        builder: Builds the packets; by default fuzzes them, as the paper does.
        start_ns: Time of the first packet, nanoseconds since the epoch.
        progress: Told after each window.

    Raises:
        OutputError: The suffix is another, the file cannot be written, or a packet comes at a
            time that the format cannot hold.
    """
    capture = _format(path)
    ends_ns = start_ns + np.cumsum(windows.duration_ns.ravel())
    times_ns = (ends_ns - windows.duration_ns.ravel()).reshape(windows.length.shape)
    _check_times(times_ns, path)
    builder = builder or FuzzBuilder(rng)
    with whole_file(path) as temporary, temporary.open("wb") as file:
        output = _Output(file, capture, builder)
        for i in range(len(windows)):
            columns = [getattr(windows, name)[i] for name in FEATURES]
            for number, block in enumerate(_blocks(columns, times_ns[i])):
                output.write(*block, begins=not number)
            progress("write", i + 1, len(windows))
    return output.report()


@_settled()
def write_sessions(
    sessions: Iterable[Session | Trace],
    path: Path,
    builder: PacketBuilder,
    *,
    progress: Progress = silent,
) -> WriteReport:
    """Write sessions one after the other as frames, to pcap or pcapng by the suffix of `path`.

    Memory does not grow with the number of packets. An interrupted run (Ctrl-C) ends the file, if
    there is anything in it.

    Args:
        sessions: Each at the times that it has. One with the name of the one before goes on with
            it, so that a session may come in pieces: its connections stay open.
        path: Ends in `.pcap` or `.pcapng`.
        builder: Builds the packets.
        progress: Told after each few thousand packets; the total is 0, for it is not known.

    Raises:
        OutputError: The suffix is another, the file cannot be written, or a packet comes before
            the last one, or at a time that the format cannot hold.
    """
    capture = _format(path)
    last_ns, name, stopped = 0, None, False
    with whole_file(path) as temporary, temporary.open("wb") as file:
        output = _Output(file, capture, builder)
        try:
            for session in filter(len, sessions):
                _check_times(session.time_ns, path)
                if session.time_ns[0] < last_ns:
                    raise OutputError(f"{session.name} begins before what comes first has ended")
                columns = [getattr(session, name) for name in FEATURES]
                for number, block in enumerate(_blocks(columns, session.time_ns)):
                    output.write(*block, begins=not number and session.name != name)
                    progress("write", output.packets, 0)
                last_ns, name = int(session.time_ns[-1]), session.name
        except KeyboardInterrupt:
            if not output.packets:
                raise
            output.end()
            stopped = True
    return output.report(stopped=stopped)


class _Output:
    """A capture file that grows block by block."""

    def __init__(self, file: BinaryIO, capture: CaptureFormat, builder: PacketBuilder) -> None:
        self.packets = 0
        self._file = file
        self._capture = capture
        self._builder = builder
        self._bytes = 0
        self._compromises: Counter[str] = Counter()
        self._end = file.write(capture.header)

    @_uncollected()
    def write(
        self,
        packets: Sequence[PacketFeatures],
        times_ns: Sequence[int],
        following: Sequence[PacketFeatures],
        *,
        begins: bool,
    ) -> None:
        """Build packets, as `PacketBuilder.build` says, and append them."""
        frames = self._builder.build(packets, times_ns, begins=begins, following=following)
        data = Frames.of([frame.data for frame in frames])
        records = records_bytes(self._capture, np.array(times_ns, np.int64), data)
        compromises = Counter(chain.from_iterable(frame.compromises for frame in frames))
        with uninterrupted():
            self._end += self._file.write(records)
            self.packets += len(data)
            self._bytes += int(data.size.sum())
            self._compromises.update(compromises)

    def end(self) -> None:
        """Leave out what was written of a block that was interrupted."""
        self._file.seek(self._end)
        self._file.truncate()

    def report(self, *, stopped: bool = False) -> WriteReport:
        """What became of the packets."""
        return WriteReport(
            packets=self.packets,
            bytes=self._bytes,
            device_mac=self._builder.device_mac,
            device_ip=self._builder.device_ip,
            compromises=dict(self._compromises.most_common()),
            stopped=stopped,
        )


def _format(path: Path) -> CaptureFormat:
    if path.suffix.lower() not in FORMATS:
        raise OutputError(f"{path} is no capture; let it end in {' or '.join(FORMATS)}")
    return FORMATS[path.suffix.lower()]


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


def _check_times(times_ns: NDArray[np.int64], path: Path) -> None:
    for time_ns in (times_ns.min(), times_ns.max()) if times_ns.size else ():
        check_time(path, int(time_ns))


def _blocks(
    columns: Sequence[NDArray[np.generic]], times_ns: NDArray[np.int64]
) -> Iterator[tuple[list[PacketFeatures], list[int], list[PacketFeatures]]]:
    """Packets in blocks, their times, and the packets of the next block."""
    following = _packets(column[:_BLOCK] for column in columns)
    for start in range(0, len(times_ns), _BLOCK):
        packets, end = following, start + _BLOCK
        following = _packets(column[end : end + _BLOCK] for column in columns)
        yield packets, times_ns[start:end].tolist(), following


def _packets(columns: Iterable[NDArray[np.generic]]) -> list[PacketFeatures]:
    """Columns, in the order of `FEATURES`, packet by packet."""
    return [*map(PacketFeatures, *(column.tolist() for column in columns))]
