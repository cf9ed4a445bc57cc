"""Traces and windows to tables and back.

A row is a packet: `sequence` (which window or capture), `position` in it, `duration` (seconds until
the next packet of the same capture), `length` (bytes), `outgoing`, `src_port`, `dst_port`, and a
column for each of `PROTOCOLS`. Sessions add `time_ns`, traces that, `capture` (file name) and
`tcp_payload`.

Time is whole nanoseconds inside; in a table `duration` is float64 seconds. Going out and coming
back is exact for durations under 26 days, whose nanoseconds a float64 of seconds tells apart.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from iotflowgen.errors import TableError
from iotflowgen.tables.files import Columns, join_table, read_table, write_tables
from iotflowgen.traffic import PROTOCOLS, Session, Trace, Windows, pack_protocols, unpack_protocols

__all__ = [
    "read_traces",
    "read_windows",
    "sessions_table",
    "traces_table",
    "windows_table",
    "write_sessions_table",
    "write_traces",
    "write_windows",
]

_WINDOWS = {
    "sequence": pa.int32(),
    "position": pa.int32(),
    "duration": pa.float64(),
    "length": pa.int32(),
    "outgoing": pa.bool_(),
    "src_port": pa.int32(),
    "dst_port": pa.int32(),
    **dict.fromkeys(PROTOCOLS, pa.bool_()),
}
_SESSIONS = {**_WINDOWS, "time_ns": pa.int64()}
_TRACES = {
    **_WINDOWS,
    "capture": pa.string(),
    "time_ns": pa.int64(),
    "tcp_payload": pa.int32(),
}
_SECOND = 1e9


def write_windows(windows: Windows, path: Path) -> None:
    """Write windows as Parquet or CSV, by the suffix; `sequence` numbers them from 0.

    Raises:
        OutputError: The file cannot be written, or has another suffix.
    """
    write_tables([_windows_rows(windows)], _WINDOWS, path)


def windows_table(windows: Windows) -> pa.Table:
    """Windows as the table that `write_windows` writes."""
    return join_table([_windows_rows(windows)], _WINDOWS)


def _windows_rows(windows: Windows) -> Columns:
    sequence, position = np.indices(windows.length.shape)
    packets = {name: getattr(windows, name).reshape(-1) for name in Windows.columns()}
    return _to_table(sequence.ravel(), position.ravel(), packets)


def write_sessions_table(sessions: Iterable[Session | Trace], path: Path) -> tuple[int, bool]:
    """Write sessions as Parquet or CSV, by the suffix; `sequence` numbers them from 0.

    A session that has the name of the one before goes on with it. Memory does not grow with the
    number of packets. An interrupted run (Ctrl-C) ends the file, if there is anything in it.

    Returns:
        How many packets were written, and whether they end early.

    Raises:
        OutputError: The file cannot be written, or has another suffix.
    """
    rows = (_rows(*piece) for piece in _pieces(sessions))
    return write_tables(rows, _SESSIONS, path, stoppable=True)


def sessions_table(sessions: Iterable[Session | Trace]) -> pa.Table:
    """Sessions as the table that `write_sessions_table` writes; all of it is in memory."""
    return join_table((_rows(*piece) for piece in _pieces(sessions)), _SESSIONS)


def _pieces(sessions: Iterable[Session | Trace]) -> Iterator[tuple[Session | Trace, int, int, int]]:
    """Each, its sequence, the position of its first packet, and when the packet after it comes."""
    held: Session | Trace | None = None
    sequence = position = 0
    for session in filter(len, sessions):
        if held is not None:
            goes_on = session.name == held.name
            yield held, sequence, position, (session if goes_on else held[-1:]).time_ns[0]
            sequence, position = (sequence, position + len(held)) if goes_on else (sequence + 1, 0)
        held = session
    if held is not None:
        yield held, sequence, position, held.time_ns[-1]


def _rows(session: Session | Trace, sequence: int, position: int, end_ns: int) -> Columns:
    names = {*Windows.columns(), "time_ns"} - {"duration_ns"}
    columns: Columns = {name: getattr(session, name) for name in names}
    columns["duration_ns"] = np.diff(session.time_ns, append=end_ns)
    numbers = position + np.arange(len(session))
    return _to_table(np.full(len(session), sequence), numbers, columns)


def read_windows(path: Path) -> Windows:
    """Read windows in order of `sequence`, from Parquet or CSV by the suffix.

    Raises:
        TableError: It is no such table, columns are missing, a value is impossible, or sequences
            differ in length.
    """
    columns, bounds = read_table(path, _WINDOWS)
    sizes = np.diff(bounds)
    if np.any(ragged := sizes != sizes[0]):
        odd = int(np.argmax(ragged))
        raise TableError(
            f"{path}: windows are of one length, but sequence {columns['sequence'][0]} has "
            f"{sizes[0]} packets and sequence {columns['sequence'][bounds[odd]]} has {sizes[odd]}"
        )
    packets = _from_table(columns)
    return Windows(**{name: packets[name].reshape(-1, sizes[0]) for name in Windows.columns()})


def write_traces(traces: Sequence[Trace], path: Path) -> None:
    """Write traces as Parquet or CSV, by the suffix; `sequence` numbers the captures from 0.

    Raises:
        OutputError: The file cannot be written, or has another suffix.
    """
    write_tables([_traces_rows(traces)], _TRACES, path)


def traces_table(traces: Sequence[Trace]) -> pa.Table:
    """Traces as the table that `write_traces` writes."""
    return join_table([_traces_rows(traces)], _TRACES)


def _traces_rows(traces: Sequence[Trace]) -> Columns:
    sizes = [len(trace) for trace in traces]
    columns = (*Windows.columns(), "time_ns", "tcp_payload")
    packets = {name: np.concatenate([getattr(t, name) for t in traces]) for name in columns}
    packets["capture"] = np.repeat([trace.name for trace in traces], sizes)
    sequence = np.repeat(np.arange(len(traces)), sizes)
    position = np.concatenate([np.arange(size) for size in sizes])
    return _to_table(sequence, position, packets)


def read_traces(path: Path) -> list[Trace]:
    """Read traces in order of `sequence`; their time is `time_ns`, and `duration` follows from it.

    Raises:
        TableError: It is no such table, columns are missing, a value is impossible, or time goes
            backwards.
    """
    columns, bounds = read_table(path, _TRACES)
    packets = _from_table(columns)
    names = [*Windows.columns(), "time_ns", "tcp_payload"]
    names.remove("duration_ns")
    traces = []
    try:
        for start, end in pairwise(bounds):
            values: dict[str, Any] = {name: packets[name][start:end] for name in names}
            traces.append(Trace(name=str(columns["capture"][start]), **values))
    except ValueError as error:
        raise TableError(f"{path}: {error}") from error
    return traces


def _to_table(sequence: NDArray[Any], position: NDArray[Any], packets: Columns) -> Columns:
    present = unpack_protocols(packets["protocols"])
    return {
        **packets,
        "sequence": sequence,
        "position": position,
        "duration": packets["duration_ns"] / _SECOND,
        **{name: present[:, i] for i, name in enumerate(PROTOCOLS)},
    }


def _from_table(columns: Columns) -> Columns:
    return {
        **columns,
        "duration_ns": np.rint(columns["duration"] * _SECOND).astype(np.int64),
        "protocols": pack_protocols(np.stack([columns[name] for name in PROTOCOLS], axis=-1)),
    }
