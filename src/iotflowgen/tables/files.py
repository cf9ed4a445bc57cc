"""Tables of packets as Parquet or CSV files: columns in, columns out, checked.

A row is a packet. `sequence` says which window or capture it belongs to, `position` its place
there, from 0.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv, parquet

from iotflowgen.errors import OutputError, TableError
from iotflowgen.files import uninterrupted, whole_file

__all__ = ["Columns", "join_table", "read_table", "write_tables"]

Columns = dict[str, NDArray[Any]]

_COUNT = (0, 2**31 - 1)
_BOUNDS = {
    "duration": (0, 9e9),  # as many seconds as 64 bits of nanoseconds hold
    "length": _COUNT,
    "src_port": (0, 2**16 - 1),
    "dst_port": (0, 2**16 - 1),
    "tcp_payload": _COUNT,
}


def write_tables(
    parts: Iterable[Columns],
    types: Mapping[str, pa.DataType],
    path: Path,
    *,
    stoppable: bool = False,
) -> tuple[int, bool]:
    """Write the columns that `types` names, in its order, part by part.

    Parquet or CSV by the file's suffix. Memory does not grow with the number of parts.

    Args:
        parts: Columns of as many rows each.
        types: What is written, and as what.
        path: Ends in `.parquet` or `.csv`.
        stoppable: Whether an interrupted run (Ctrl-C) ends the file, if there is anything in it;
            otherwise it leaves none.

    Returns:
        How many rows were written, and whether they end early.

    Raises:
        OutputError: The file cannot be written, or has another suffix.
    """
    schema, suffix, rows = pa.schema(types), path.suffix.lower(), 0
    if suffix not in (".parquet", ".csv"):
        raise OutputError(f"cannot write {path} as a table; name it .parquet or .csv")
    with whole_file(path) as whole:
        if suffix == ".csv":
            options = csv.WriteOptions(quoting_style="needed")
            writer = csv.CSVWriter(whole, schema, write_options=options)
        else:
            writer = parquet.ParquetWriter(whole, schema)
        with writer:
            try:
                for columns in parts:
                    table = join_table([columns], types)
                    with uninterrupted():
                        writer.write_table(table)
                        rows += table.num_rows
            except KeyboardInterrupt:
                if not (stoppable and rows):
                    raise
                return rows, True
    return rows, False


def join_table(parts: Iterable[Columns], types: Mapping[str, pa.DataType]) -> pa.Table:
    """The columns that `types` names, in its order, of all parts."""
    schema = pa.schema(types)
    tables = (
        pa.table([pa.array(part[name], type=kind) for name, kind in types.items()], schema=schema)
        for part in parts
    )
    return pa.concat_tables([schema.empty_table(), *tables])


def read_table(path: Path, types: Mapping[str, pa.DataType]) -> tuple[Columns, NDArray[np.int64]]:
    """Read the columns that `types` names, sorted by sequence and position; others are let be.

    Returns:
        The columns (P), and where in them the S sequences start and the last one ends (S + 1).

    Raises:
        TableError: It is no table, columns are missing, a value is missing or impossible, or the
            positions of a sequence are not 0, 1, 2 and so on.
    """
    table = _load(path, types)
    columns = {name: table[name].to_numpy() for name in types}
    _check_bounds(columns, path)
    order = np.lexsort((columns["position"], columns["sequence"]))
    columns = {name: column[order] for name, column in columns.items()}

    sequence = columns["sequence"]
    starts = np.unique(sequence, return_index=True)[1]
    bounds = np.append(starts, len(sequence))
    expected = np.arange(len(sequence)) - np.repeat(starts, np.diff(bounds))
    if np.any(wrong := columns["position"] != expected):
        raise TableError(
            f"{path}: the positions of sequence {sequence[np.argmax(wrong)]} are not 0, 1, 2 and "
            "so on, each once"
        )
    return columns, bounds


def _load(path: Path, types: Mapping[str, pa.DataType]) -> pa.Table:
    suffix = path.suffix.lower()
    if suffix not in (".parquet", ".csv"):
        raise TableError(f"{path} is not a table: its name must end in .parquet or .csv")
    try:
        path.stat()  # pyarrow does not say what is wrong with a path
        if suffix == ".csv":
            options = csv.ConvertOptions(column_types=types)
            table = csv.read_csv(path, convert_options=options)
        else:
            table = parquet.read_table(path)
        if missing := [name for name in types if name not in table.column_names]:
            raise TableError(f"{path} lacks the columns {', '.join(missing)}")
        table = table.select(list(types)).cast(pa.schema(types))
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror or error}") from error
    except (pa.ArrowException, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise TableError(f"{path} is not a table of packets: {reason}") from error
    if not table.num_rows:
        raise TableError(f"{path} holds no packets")
    if empty := [name for name in types if table[name].null_count]:
        raise TableError(f"{path} lacks values in the columns {', '.join(empty)}")
    return table


def _check_bounds(columns: Columns, path: Path) -> None:
    for name, (least, most) in _BOUNDS.items():
        if name not in columns:
            continue
        column = columns[name]
        if np.any(wrong := ~((column >= least) & (column <= most))):  # as written, NaN is wrong too
            row = int(np.argmax(wrong))
            raise TableError(
                f"{path}: {name} {column[row]} in row {row} is not between {least} and {most:.0f}"
            )
