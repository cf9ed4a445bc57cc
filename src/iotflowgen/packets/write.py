"""Windows to a capture file: honeydata that can be looked at, or sent (paper, section 4.5)."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iotflowgen.errors import OutputError
from iotflowgen.files import whole_file
from iotflowgen.packets.build import PacketBuilder, PacketFeatures
from iotflowgen.packets.fuzz import FuzzBuilder
from iotflowgen.packets.pcap import FORMATS, CaptureFormat
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Windows

__all__ = ["DEFAULT_START_NS", "WriteReport", "write_capture"]

DEFAULT_START_NS = 1_704_067_200 * 10**9
"""The first second of 2024, so that the same seed gives the same file."""

_BLOCK = 4096
"""Packets that are built before they are written: windows may be as long as a day."""


@dataclass(frozen=True)
class WriteReport:
    """What became of the windows."""

    packets: int
    bytes: int
    """Of all frames, on the wire."""
    device_mac: str
    """Sender of every outgoing packet."""
    device_ip: str
    compromises: dict[str, int]
    """Packets that differ from their features, by what was done about them, most first; a packet
    may count under two."""


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
    _check_times(times_ns, path, capture)
    builder = builder or FuzzBuilder(rng)
    compromises: Counter[str] = Counter()
    size = 0
    with whole_file(path) as temporary, temporary.open("wb") as file:
        file.write(capture.header)
        for i in range(len(windows)):
            for start in range(0, windows.size, _BLOCK):
                block = slice(start, start + _BLOCK)
                times = times_ns[i, block].tolist()
                frames = builder.build(_packets(windows, i, block), times, begins=not start)
                for time_ns, frame in zip(times, frames, strict=True):
                    file.write(capture.record(time_ns, frame.data))
                    size += len(frame.data)
                    if frame.compromises:
                        compromises.update(frame.compromises)
            progress("write", i + 1, len(windows))
    return WriteReport(
        packets=windows.length.size,
        bytes=size,
        device_mac=builder.device_mac,
        device_ip=builder.device_ip,
        compromises=dict(compromises.most_common()),
    )


def _format(path: Path) -> CaptureFormat:
    if path.suffix.lower() not in FORMATS:
        raise OutputError(f"{path} is no capture; let it end in {' or '.join(FORMATS)}")
    return FORMATS[path.suffix.lower()]


def _check_times(times_ns: NDArray[np.int64], path: Path, capture: CaptureFormat) -> None:
    if times_ns.size and (times_ns.min() < 0 or times_ns.max() >= capture.end_ns):
        last = np.datetime64(0, "s") + np.timedelta64(capture.end_ns // 10**9, "s")
        raise OutputError(
            f"{path} holds times from 1970-01-01 to {last} only; choose another --start"
        )


def _packets(windows: Windows, i: int, block: slice) -> list[PacketFeatures]:
    """A block of window `i`, packet by packet."""
    columns = (getattr(windows, name)[i, block].tolist() for name in PacketFeatures._fields)
    return [PacketFeatures(*row) for row in zip(*columns, strict=True)]
