"""Who generated packets show and when, from a file and from the command line."""

from collections.abc import Mapping
from pathlib import Path

import typer

import iotflowgen as iot
from iotflowgen.cli.options import read_toml

__all__ = ["who_and_when"]


def who_and_when(
    file: Path | None, flags: Mapping[str, str | None]
) -> tuple["iot.Persona", str | None]:
    """The persona, and the start, by the flags `mac`, `ip`, `ip6`, `gateway` and `start`.

    What no flag says, the same keys of a TOML file may.

    Raises:
        typer.BadParameter: The file says something else, or a value is none of its kind.
        ArgumentError: A flag is none of its kind.
    """
    said = {key: str(value) for key, value in read_toml(file, "--persona").items()}
    for key, value in said.items():
        if key not in flags:
            reason = f"{file}: {key!r} is none of: {', '.join(flags)}"
            raise typer.BadParameter(reason, param_hint="--persona")
        try:
            if flags[key] is None:
                _check(key, value)
        except iot.ArgumentError as error:
            reason = f"{file}: {key}: {error}"
            raise typer.BadParameter(reason, param_hint="--persona") from error
    shown = {key: said.get(key) if flag is None else flag for key, flag in flags.items()}
    start = shown.pop("start")
    return iot.Persona(**shown), start


def _check(key: str, value: str) -> None:
    from iotflowgen.library.times import nanoseconds_of

    if key == "start":
        nanoseconds_of(value)
    else:
        iot.Persona(**{key: value})
