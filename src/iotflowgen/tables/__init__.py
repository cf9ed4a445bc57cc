"""Traces, windows and sessions as tables, in Parquet or CSV."""

from iotflowgen.extras import naming_extras

with naming_extras():
    from iotflowgen.tables.packets import (
        read_traces,
        read_windows,
        sessions_table,
        traces_table,
        windows_table,
        write_sessions_table,
        write_traces,
        write_windows,
    )

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
