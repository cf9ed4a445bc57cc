"""What captures and honeydata have in common as files and tables."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iotflowgen.errors import ExtraMissing, OutputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AnyPath", "Paths", "checked_path", "data_frame", "paths_of"]

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
