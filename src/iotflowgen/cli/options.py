"""Arguments and options that several commands take."""

import tomllib
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from iotflowgen.errors import ArgumentError
from iotflowgen.files import parsed_text
from iotflowgen.plugins import ADVERSARIES, GENERATORS

__all__ = [
    "HOW",
    "HOW_MUCH",
    "WHAT",
    "WHEN",
    "WHO",
    "AcceleratorOption",
    "AdversaryName",
    "Captures",
    "DeduplicateOption",
    "DeviceOption",
    "DissectorOption",
    "GeneratorName",
    "JsonOption",
    "Seed",
    "Settings",
    "WindowOption",
    "check_not_read",
    "ends_in",
    "known",
    "next_step",
    "no_file",
    "no_folder",
    "read_toml",
]

WHO, HOW_MUCH, WHEN, WHAT, HOW = "Who", "How much", "When", "What happens", "How"
"""Panels that `--help` shows options in."""

if TYPE_CHECKING:
    GeneratorName = str
    AdversaryName = str
else:
    # what is installed beside us adds names, so that these are known at run time only
    GeneratorName = StrEnum("GeneratorName", {name: name for name in GENERATORS})
    AdversaryName = StrEnum("AdversaryName", {name: name for name in ADVERSARIES})

AcceleratorOption = Annotated[
    Literal["auto", "cpu", "cuda"],
    typer.Option(
        "--accelerator",
        help="Where PyTorch runs; auto takes a GPU if there is one.",
        rich_help_panel=HOW,
    ),
]
Captures = Annotated[
    list[Path],
    typer.Argument(
        metavar="CAPTURE...",
        help="pcap or pcapng, plain or packed, or a folder of them.",
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
        rich_help_panel=WHO,
    ),
]
DeduplicateOption = Annotated[
    bool,
    typer.Option(
        "--deduplicate",
        help="Take packets once that stand twice, as where two ports are mirrored.",
        rich_help_panel=WHO,
    ),
]
DissectorOption = Annotated[
    Literal["builtin", "tshark"],
    typer.Option(
        "--dissector",
        help="Who tells what packets are; tshark, as the paper does.",
        rich_help_panel=HOW,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="Same seed, same result.", rich_help_panel=HOW)
]
Settings = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE.toml",
        help="Settings of the method.",
        show_default=False,
        rich_help_panel=HOW,
    ),
]
WindowOption = Annotated[
    int | None,
    typer.Option(min=2, help="Packets a window.", show_default="20", rich_help_panel=HOW),
]


def no_folder(path: Path | None) -> Path | None:
    """Check, as the callback of an option, that a path is none of a folder.

    Raises:
        typer.BadParameter: It is.
    """
    if path is not None and path.is_dir():
        raise typer.BadParameter(f"{path} is a folder; name a file in it")
    return path


def no_file(path: Path) -> Path:
    """Check, as the callback of an option, that a path is none of a file.

    Raises:
        typer.BadParameter: It is.
    """
    if path.exists() and not path.is_dir():
        raise typer.BadParameter(f"{path} is a file; name a folder")
    return path


def check_not_read(out: Path, *read: Path | None) -> None:
    """Check that what is to be written is none of the files that are read, folders' captures too.

    Raises:
        ArgumentError: It is.
    """
    from iotflowgen.capture import is_capture

    for path in read:
        if path is None or not (out.exists() and path.exists()):
            continue
        is_inside = path.is_dir() and out.is_file() and out.resolve().parent == path.resolve()
        if path.samefile(out) or (is_inside and is_capture(out)):
            reason = f"{out} is read, and would be written over; choose another name"
            raise ArgumentError(reason, "out")


def ends_in(*suffixes: str) -> Callable[[Path], Path]:
    """A callback of an option: a check that a path's name says what is to be written there."""

    def check(path: Path) -> Path:
        if path.suffix.lower() not in suffixes:
            raise typer.BadParameter(f"{path} must end in one of {', '.join(suffixes)}")
        return path

    return check


def next_step(model: Path, generator: str) -> str:
    """The command that generates from a model."""
    from iotflowgen.generators import SessionGenerator

    draws_sessions = issubclass(GENERATORS[generator], SessionGenerator)
    amount = "--sessions 10" if draws_sessions else "--windows 500"
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


def read_toml(path: Path | None, option: str) -> dict[str, Any]:
    """What a TOML file says; nothing without one.

    Raises:
        typer.BadParameter: It cannot be read; `option` is what named it.
    """
    if path is None:
        return {}
    try:
        said: dict[str, Any] = parsed_text(path, tomllib.loads)
        return said
    except OSError as error:
        reason = f"cannot read {path}: {error.strerror}"
        raise typer.BadParameter(reason, param_hint=option) from error
    except ValueError as error:
        raise typer.BadParameter(f"{path} is no TOML: {error}", param_hint=option) from error
