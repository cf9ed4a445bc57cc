"""The outcome of a command: a table for a person, or JSON for a program, with the same in it."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from rich.filesize import decimal

from iotflowgen.cli.console import out, show_table
from iotflowgen.files import printable

__all__ = ["show_summary"]

_SECONDS: Final = {"d": 86_400, "h": 3600, "min": 60}


def show_summary(title: str, summary: Mapping[str, Any], *, as_json: bool) -> None:
    """Print a summary on standard output; of a table, the `next` command comes after it."""
    if as_json:
        out.print(json.dumps(summary, indent=2), markup=False, soft_wrap=True)
        return
    show_table(title, dict(_rows({k: v for k, v in summary.items() if k != "next"})))
    if "next" in summary:
        out.print(printable(f"next: {summary['next']}"), markup=False, soft_wrap=True)


def _rows(summary: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in summary.items():
        label = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _rows(value, f"{label}: ")
        elif value is not False:
            yield label, _UNITS.get(name, _plain)(value)


def _plain(value: Any) -> str:  # noqa: ANN401 - whatever JSON has
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    if isinstance(value, bool):
        return "yes"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _long(seconds: float) -> str:
    """How long, in the largest unit that there is one of."""
    for unit, size in _SECONDS.items():
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


_UNITS: Final[dict[str, Callable[[Any], str]]] = {"duration": _long, "bytes": decimal, "seed": str}
