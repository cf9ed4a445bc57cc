"""What a table of the page is: rows of figures, and how figures are written.

Shares are shown in percent; an excess is a difference of shares, in percentage points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

__all__ = ["NONE", "Column", "Row", "Table", "Value", "number", "points", "share", "told"]


@dataclass(frozen=True)
class Value:
    """What stands in a cell."""

    text: str
    note: str = ""
    """In small print behind it."""
    shade: float = 0.0
    """How bad it is, 0 to 1."""


NONE = Value("–")


@dataclass(frozen=True)
class Column:
    """The head of a column."""

    name: str
    group: str = ""
    """What stands above it, and above its neighbours of the same group."""
    is_generator: bool = False
    in_words: bool = False
    """Cells hold words rather than figures."""


@dataclass(frozen=True)
class Row:
    """A row and its head."""

    name: str
    values: Sequence[Value]
    part: str = ""
    """The part of the table that it is of."""
    is_generator: bool = False


@dataclass(frozen=True)
class Table:
    """A table."""

    caption: str
    of: str
    """What the rows are."""
    columns: Sequence[Column]
    rows: Sequence[Row]
    foot: Sequence[Row] = ()

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Groups of columns and how many each spans."""
        return [(name, len(list(of))) for name, of in groupby(self.columns, lambda c: c.group)]

    @property
    def parts(self) -> list[tuple[str, list[Row]]]:
        """Parts of the table and their rows."""
        return [(name, list(of)) for name, of in groupby(self.rows, lambda row: row.part)]


def share(value: float | None) -> Value:
    """A share in percent."""
    return NONE if value is None else Value(f"{value:.1%}")


def told(value: float | None) -> Value:
    """An accuracy in percent, shaded from a guess to certainty."""
    return NONE if value is None else Value(f"{value:.1%}", shade=_bad(value - 0.5))


def points(value: float | None) -> Value:
    """An excess in percentage points, shaded likewise."""
    if value is None:
        return NONE
    rounded = round(100 * value, 1) + 0.0  # no minus before nothing
    return Value(_minus(f"{rounded:+.1f}"), shade=_bad(value))


def number(value: float | None, digits: int = 2) -> Value:
    """Any other figure."""
    return NONE if value is None else Value(_minus(f"{value:,.{digits}f}"))


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _bad(above_a_guess: float) -> float:
    return round(min(max(above_a_guess / 0.5, 0.0), 1.0), 2)
