"""`iotflowgen info`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import iotflowgen as iot
from iotflowgen.cli.console import out, reports_errors, show_table
from iotflowgen.cli.options import DeviceOption, DissectorOption, JsonOption, next_step
from iotflowgen.cli.summary import show_summary
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
    as_json: JsonOption = False,
) -> None:
    """Show what a model was fitted on and how, or what captures hold.

    Of `activities`, also what the device does, when, and because of what.

    Examples:
    ```
    iotflowgen info plug.model
    iotflowgen info captures/plug
    ```
    """
    from iotflowgen.capture import is_capture

    if path.is_dir() or (path.is_file() and is_capture(path)):
        _describe_captures(path, device, dissector, as_json=as_json)
    else:
        _describe_model(path, as_json=as_json)


def _describe_captures(
    path: Path, device: str | None, dissector: "Dissector", *, as_json: bool
) -> None:
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
    if as_json:
        show_summary(str(path), rows, as_json=True)
        return
    show_table(str(path), rows)


def _describe_model(path: Path, *, as_json: bool) -> None:
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
    activities, events = _activities(path, model.generator)
    if as_json:
        every = {"activities": activities, "events": events, "settings": model.config}
        show_summary(str(path), {**rows, **every}, as_json=True)
        return
    show_table(str(path), rows)
    if recording is not None:
        show_table("what it holds of the home it was learnt in", remaining(recording))
    if model.report:
        show_table("how the fit went", _flat(model.report))
    if activities:
        show_table("what it does", dict(map(_activity, activities)))
    if events:
        show_table("what events cause", dict(map(_event, events)))
    show_table("settings", _flat(model.config))
    out.print(printable(f"next: {next_step(path, model.generator)}"), markup=False)


def _activities(path: Path, generator: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the device does, and what it does because of events, if the method knows."""
    if generator != "activities":
        return [], []
    from iotflowgen.generators import Activities

    found = iot.load(path).generator
    if not isinstance(found, Activities):
        return [], []
    rows = [row._asdict() for row in found.activities()]
    return rows, [row._asdict() for row in found.answers()]


def _activity(row: dict[str, Any]) -> tuple[str, str]:
    often = f"{row['times']} times, {row['packets']:.0f} packets with {row['bytes']:.0f} bytes"
    return f"{row['cause']}: {row['name']}", often


def _event(row: dict[str, Any]) -> tuple[str, str]:
    missed = f"{100 * row['unanswered']:.0f} % without an answer"
    each = f"{row['activities']:.1f} activities each of the others"
    return row["name"], f"{row['times']} times, {missed}, {each}"


def _flat(nested: object, prefix: str = "") -> dict[str, str]:
    """Nested settings, as TOML would name them."""
    if not isinstance(nested, dict):
        return {prefix: f"{nested:.4g}" if isinstance(nested, float) else str(nested)}
    rows: dict[str, str] = {}
    for key, value in nested.items():
        rows |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
    return rows
