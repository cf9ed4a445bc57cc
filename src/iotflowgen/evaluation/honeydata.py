"""Generated traffic from files, whatever made them, as windows."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from iotflowgen.capture import Dissector, find_captures, read_captures, read_frames, with_headers
from iotflowgen.errors import EvaluationError, HeadersMissing, TooShort
from iotflowgen.progress import Progress, silent
from iotflowgen.tables import read_windows
from iotflowgen.traffic import Trace, Windows, WindowStarts, cut_windows

__all__ = ["read_honeydata", "read_streams"]

_TABLES = (".parquet", ".csv")


def read_honeydata(
    paths: Sequence[Path],
    window: int,
    *,
    headers: bool = False,
    dissector: Dissector = "builtin",
    progress: Progress = silent,
) -> Windows:
    """Windows of consecutive packets, one after the other; what is left over is dropped.

    Args:
        paths: Parquet or CSV tables, captures, or folders of captures. In each capture the most
            common IP address is the device's: synthetic ones have addresses of their own.
        window: L, packets a window.
        headers: Whether to read the headers, too.
        dissector: Who tells what the packets of captures are.
        progress: Told after each capture.

    Raises:
        TableError: A table lacks columns or holds impossible values.
        CaptureError: A capture cannot be used.
        HeadersMissing: They are asked for of a table, or of frames that are not Ethernet's.
        TooShort: A file has fewer packets in a row than a window.
    """
    read = partial(read_captures, dissector=dissector, progress=progress)
    return Windows.concatenate([_read(path, window, headers, read) for path in paths])


def read_streams(
    paths: Sequence[Path],
    *,
    dissector: Dissector = "builtin",
    progress: Progress = silent,
) -> list[Trace]:
    """Captures as they are, for those who look longer than a window.

    Args:
        paths: As for `read_honeydata`.
        dissector: Who tells what the packets of captures are.
        progress: Told after each capture.

    Raises:
        CaptureError: A capture cannot be used.
        EvaluationError: A file is a table, which does not say when packets come.
    """
    for path in paths:
        if path.suffix.lower() in _TABLES:
            raise EvaluationError(
                f"{path} is a table, and what looks at hours asks when packets come: give a pcap"
            )
    return [
        trace
        for path in find_captures(paths)
        for trace in read_captures([path], dissector=dissector, progress=progress)
    ]


def _read(
    path: Path, window: int, headers: bool, read: Callable[[Sequence[Path]], list[Trace]]
) -> Windows:
    if path.suffix.lower() in _TABLES:
        if headers:
            raise HeadersMissing(f"{path} is a table, and headers needs packets: give a pcap")
        sequences = read_windows(path)
        _check(sequences.size, path, window)
        whole = sequences.size // window * window
        columns = (getattr(sequences, name)[:, :whole] for name in Windows.columns())
        return Windows(*(column.reshape(-1, window) for column in columns))
    return Windows.concatenate(
        [_of_capture(each, window, headers, read) for each in find_captures([path])]
    )


def _of_capture(
    path: Path, window: int, headers: bool, read: Callable[[Sequence[Path]], list[Trace]]
) -> Windows:
    traces: Sequence[Trace] = read([path])
    if headers:
        traces = with_headers(read_frames([path], traces))
    (packets,) = map(len, traces)
    _check(packets, path, window)
    start = np.arange(0, packets - window + 1, window)
    return cut_windows(traces, WindowStarts(window, np.zeros_like(start), start))


def _check(packets: int, path: Path, window: int) -> None:
    if packets < window:
        raise TooShort(
            f"{path} has {packets} packets in a row, a window needs {window}; choose "
            f"--window {packets} or less"
        )
