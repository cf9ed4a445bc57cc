"""`iotflowgen info`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import iotflowgen as iot
from iotflowgen.cli.console import out, reports_errors, show_table
from iotflowgen.cli.options import DeviceOption, DissectorOption, next_step
from iotflowgen.files import printable

if TYPE_CHECKING:
    from iotflowgen.capture import Dissector

__all__ = ["info"]


@reports_errors
def info(
    path: Annotated[
        Path, typer.Argument(metavar="MODEL|CAPTURE", help="Model, capture, or folder of captures.")
    ],
    device: DeviceOption = None,
    dissector: DissectorOption = "builtin",
) -> None:
    """Show what a model was fitted on and how, or what captures hold.

    Examples:
    ```
    iotflowgen info plug.model
    iotflowgen info captures/plug
    ```
    """
    from iotflowgen.capture import is_capture

    if path.is_dir() or (path.is_file() and is_capture(path)):
        _describe_captures(path, device, dissector)
    else:
        _describe_model(path)


def _describe_captures(path: Path, device: str | None, dissector: "Dissector") -> None:
    from iotflowgen.capture import describe

    found = describe([path], device, dissector=dissector)
    rows = {
        "captures": str(found.captures),
        "packets": str(found.packets),
        "time": f"{found.seconds:.0f} s",
        "link": ", ".join(found.links),
    }
    for place, host in enumerate(found.hosts, 1):
        rows[f"host {place}"] = str(host)
    if found.device is None:
        rows["device"] = "not clear: name it with --device MAC|IP"
    else:
        known = [address for address in (found.device.ip, found.device.mac) if address]
        rows["device"] = f"{', '.join(known)} (another: --device MAC|IP)"
        iot.read_captures(path, device=known[-1], dissector=dissector).doubt()
    show_table(str(path), rows)


def _describe_model(path: Path) -> None:
    from iotflowgen.generators import read_model
    from iotflowgen.packets import remaining

    _, model, _, recording = read_model(path)
    rows = {
        "generator": model.generator,
        "made by": ", ".join(f"{name} {number}" for name, number in model.versions.items()),
        "seed": str(model.seed),
        "captures": f"{len(model.captures)} with {sum(model.captures)} packets",
    }
    if recording is not None:
        rows["packets kept"] = f"{len(recording)} with {len(recording.frames.data)} bytes"
    show_table(str(path), rows)
    if recording is not None:
        show_table("what it holds of the home it was learnt in", remaining(recording))
    if model.report:
        show_table("how the fit went", _flat(model.report))
    show_table("settings", _flat(model.config))
    out.print(printable(f"next: {next_step(path, model.generator)}"), markup=False)


def _flat(nested: object, prefix: str = "") -> dict[str, str]:
    """Nested settings, as TOML would name them."""
    if not isinstance(nested, dict):
        return {prefix: f"{nested:.4g}" if isinstance(nested, float) else str(nested)}
    rows: dict[str, str] = {}
    for key, value in nested.items():
        rows |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
    return rows
