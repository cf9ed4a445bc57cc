"""Synthetic traffic from files, whatever made them, as windows."""

from collections.abc import Sequence
from pathlib import Path

from iotflowgen.capture import find_captures, read_captures
from iotflowgen.errors import TooShort
from iotflowgen.progress import Progress, silent
from iotflowgen.tables import read_windows
from iotflowgen.traffic import Windows

__all__ = ["read_honeydata"]

_TABLES = (".parquet", ".csv")


def read_honeydata(paths: Sequence[Path], window: int, *, progress: Progress = silent) -> Windows:
    """Windows of consecutive packets, one after the other; what is left over is dropped.

    Args:
        paths: Parquet or CSV tables, captures, or folders of captures. In each capture the most
            common IP address is the device's: synthetic ones have addresses of their own.
        window: L, packets a window.
        progress: Told after each capture.

    Raises:
        TableError: A table lacks columns or holds impossible values.
        CaptureError: A capture cannot be used.
        TooShort: A file has fewer packets in a row than a window.
    """
    return Windows.concatenate([_read(path, window, progress) for path in paths])


def _read(path: Path, window: int, progress: Progress) -> Windows:
    if path.suffix.lower() in _TABLES:
        return _consecutive(read_windows(path), path, window)
    parts = []
    for capture in find_captures([path]):
        (trace,) = read_captures([capture], progress=progress)
        columns = {name: getattr(trace, name)[None] for name in Windows.columns()}
        parts.append(_consecutive(Windows(**columns), capture, window))
    return Windows.concatenate(parts)


def _consecutive(sequences: Windows, path: Path, window: int) -> Windows:
    if sequences.size < window:
        raise TooShort(
            f"{path} has {sequences.size} packets in a row, a window needs {window}; choose "
            f"--window {sequences.size} or less"
        )
    whole = sequences.size // window * window
    columns = (getattr(sequences, name)[:, :whole] for name in Windows.columns())
    return Windows(*(column.reshape(-1, window) for column in columns))
