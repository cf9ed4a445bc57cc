"""What captures and honeydata have in common as files and tables."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iotflowgen.errors import ArgumentError, ExtraMissing, OutputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AnyPath", "Paths", "check_not_read", "checked_path", "data_frame", "paths_of"]

AnyPath = str | PathLike[str]
Paths = AnyPath | Iterable[AnyPath]
"""A file, a folder, or several of either."""


def paths_of(paths: Paths) -> list[Path]:
    """One path, or several, as a list."""
    return [Path(paths)] if isinstance(paths, str | PathLike) else [Path(path) for path in paths]


def checked_path(path: AnyPath, *suffixes: str) -> Path:
    """A path to write to, whose name says what is written.

    Raises:
        OutputError: It ends in none of the suffixes.
    """
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise OutputError(f"{path} must end in {' or '.join(suffixes)}; rename it")
    return path


def check_not_read(out: AnyPath, *read: AnyPath | None) -> None:
    """Check that what is to be written is none of the files that are read, folders' captures too.

    Raises:
        ArgumentError: It is.
    """
    from iotflowgen.capture import is_capture

    out = Path(out)
    for path in [Path(each) for each in read if each is not None]:
        if not (out.exists() and path.exists()):
            continue
        is_inside = path.is_dir() and out.is_file() and out.resolve().parent == path.resolve()
        if path.samefile(out) or (is_inside and is_capture(out)):
            reason = f"{out} is read, and would be written over; choose another name"
            raise ArgumentError(reason, "out")


def data_frame(table: Any) -> "pd.DataFrame":  # noqa: ANN401 - of pyarrow, which has no types
    """An Arrow table in pandas.

    Raises:
        ExtraMissing: pandas is not installed.
    """
    try:
        frame: pd.DataFrame = table.to_pandas()
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            "pandas is not installed; install it with: pip install pandas", name="pandas"
        ) from error
    return frame
