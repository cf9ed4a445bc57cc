"""Who generated packets show and when, from a file and from the command line."""

from pathlib import Path

import typer

import iotflowgen as iot
from iotflowgen.cli.options import read_toml

__all__ = ["who_and_when"]

_ADDRESSES = ("mac", "ip", "gateway")


def who_and_when(
    file: Path | None, flags: dict[str, str | None], start: str | None
) -> tuple["iot.Persona", str | None]:
    """The persona and the start that a TOML file says; flags go before it.

    Raises:
        typer.BadParameter: A value is none of its kind, or the file is not such a file.
    """
    said = {key: str(value) for key, value in read_toml(file, "--persona").items()}
    keys = (*_ADDRESSES, "start")
    for key, value in said.items():
        if key not in keys:
            reason = f"{file}: {key!r} is none of: {', '.join(keys)}"
            raise typer.BadParameter(reason, param_hint="--persona")
        try:
            if key in _ADDRESSES and flags[key] is None:
                iot.Persona(**{key: value})
        except iot.ArgumentError as error:
            reason = f"{file}: {key}: {error}"
            raise typer.BadParameter(reason, param_hint="--persona") from error
    given = {key: flags[key] or said.get(key) for key in _ADDRESSES}
    return iot.Persona(**given), start or said.get("start")
