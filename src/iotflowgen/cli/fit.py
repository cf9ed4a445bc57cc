"""`iotflowgen fit`."""

import tomllib
from pathlib import Path
from typing import Annotated

import typer

from iotflowgen.cli.console import err, one_thread, progress_display, reports_errors
from iotflowgen.cli.options import AcceleratorOption, Captures, DeviceOption, Seed

__all__ = ["fit"]


@reports_errors
def fit(
    captures: Captures,
    out: Annotated[Path, typer.Option("--out", "-o", help="Model file to write.")],
    generator: Annotated[str, typer.Option(help="Which method learns.")] = "iotflow",
    device: DeviceOption = None,
    window: Annotated[
        int | None, typer.Option(min=2, help="Packets a window.", show_default="20")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Settings of the method.", show_default=False),
    ] = None,
    seed: Seed = 0,
    accelerator: Annotated[
        AcceleratorOption, typer.Option(help="Where PyTorch runs.")
    ] = AcceleratorOption.auto,
) -> None:
    """Learn how one device talks from its captures.

    Examples:
    `iotflowgen fit captures/plug --out plug.model`,
    `iotflowgen fit captures/ --device 02:00:5e:10:00:01 --window 10 --out plug.model`
    """
    from pydantic import ValidationError

    from iotflowgen.capture import read_captures
    from iotflowgen.generators import GENERATORS

    if generator not in GENERATORS:
        known = ", ".join(sorted(GENERATORS))
        raise typer.BadParameter(f"{generator!r} is none of: {known}", param_hint="--generator")
    one_thread()
    method = GENERATORS[generator]
    settings = _read_settings(config)
    if window is not None:
        settings["window"] = window
    try:
        chosen = method.Config.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise typer.BadParameter(f"{where}: {first['msg']}", param_hint="--config") from error
    with progress_display() as progress:
        traces = read_captures(captures, device, progress=progress)
        fitted = method(chosen, seed=seed, accelerator=accelerator.value)
        fitted.fit(traces, progress=progress)
    fitted.save(out)
    err.print(f"learnt from {len(traces)} captures; next: iotflowgen generate {out} --windows 500")


def _read_settings(config: Path | None) -> dict[str, object]:
    if config is None:
        return {}
    try:
        return tomllib.loads(config.read_text())
    except OSError as error:
        reason = f"cannot read {config}: {error.strerror}"
        raise typer.BadParameter(reason, param_hint="--config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{config} is no TOML: {error}", param_hint="--config") from error
