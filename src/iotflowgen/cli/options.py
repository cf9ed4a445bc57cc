"""Arguments and options that several commands take."""

import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

__all__ = [
    "AcceleratorOption",
    "Captures",
    "DeviceOption",
    "DissectorOption",
    "Seed",
    "Settings",
    "adversaries_named",
    "known",
    "next_step",
    "read_settings",
    "read_toml",
]

AcceleratorOption = Annotated[
    Literal["auto", "cpu", "cuda"],
    typer.Option("--accelerator", help="Where PyTorch runs; auto takes a GPU if there is one."),
]
Captures = Annotated[
    list[Path],
    typer.Argument(
        metavar="CAPTURE...",
        help="pcap or pcapng, either gzipped, or a folder of them.",
        show_default=False,
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="MAC|IP",
        help="The IoT device; by default the most common IP address.",
        show_default=False,
    ),
]
DissectorOption = Annotated[
    Literal["builtin", "tshark"],
    typer.Option("--dissector", help="Who tells what packets are; tshark, as the paper does."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Same seed, same result.")]
Settings = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE.toml", help="Settings of the method.", show_default=False
    ),
]


def next_step(model: Path, generator: str) -> str:
    """The command that generates from a model."""
    amount = "--sessions 10" if generator == "sessions" else "--windows 500"
    return f"iotflowgen generate {model} {amount} --out honeydata.pcap"


def known(asked: Iterable[str], names: Iterable[str], option: str) -> list[str]:
    """The names asked for, each once.

    Raises:
        typer.BadParameter: One is none of those that there are.
    """
    names = list(names)
    for name in asked:
        if name not in names:
            reason = f"{name!r} is none of: {', '.join(names)}"
            raise typer.BadParameter(reason, param_hint=option)
    return list(dict.fromkeys(asked))


def adversaries_named(asked: Sequence[str] | None) -> list[str]:
    """The adversaries asked for, or all."""
    from iotflowgen.adversaries import ADVERSARIES

    return known(asked or ADVERSARIES, ADVERSARIES, "--adversary")


def read_settings(method: Any, path: Path | None, window: int | None = None) -> Any:  # noqa: ANN401 - each method has settings of its own
    """The settings of a method, a pydantic model, from a file and the command line.

    Raises:
        typer.BadParameter: The file cannot be read or says what the method does not know.
    """
    from pydantic import ValidationError

    given = read_toml(path, "--config") if path else {}
    if window is not None:
        given["window"] = window
    try:
        return method.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        reason = f"{where}: {first['msg']}"
        if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
            reason = f"{where!r} is none of: {', '.join(method.model_fields)}"
        raise typer.BadParameter(reason, param_hint="--config") from error


def read_toml(path: Path, option: str) -> dict[str, Any]:
    """What a TOML file says.

    Raises:
        typer.BadParameter: It cannot be read; `option` is what named it.
    """
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        reason = f"cannot read {path}: {error.strerror}"
        raise typer.BadParameter(reason, param_hint=option) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} is no TOML: {error}", param_hint=option) from error
