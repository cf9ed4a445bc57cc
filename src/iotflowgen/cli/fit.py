"""`iotflowgen fit`."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import iotflowgen as iot
from iotflowgen.cli.console import one_thread, progress_display, reports_errors, say
from iotflowgen.cli.options import (
    HOW,
    WHAT,
    AcceleratorOption,
    Captures,
    DeduplicateOption,
    DeviceOption,
    DissectorOption,
    GeneratorName,
    JsonOption,
    Seed,
    Settings,
    WindowOption,
    check_not_read,
    next_step,
    no_folder,
    read_toml,
)
from iotflowgen.cli.summary import show_summary

if TYPE_CHECKING:
    from iotflowgen.library.events import EventSource

__all__ = ["fit"]

_LARGE = 2**28
"""Bytes of captures from which on it is said what they will take."""
_READ_S, _LEARN_S = 8, 20
"""Seconds of a usual processor: for each gigabyte that is read, and for what is learnt from."""
_READ_GB, _LEARN_GB = 0.2, 0.8
"""Memory, alike."""


@reports_errors
def fit(
    captures: Captures,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Model file to write.", callback=no_folder)
    ],
    device: DeviceOption = None,
    deduplicate: DeduplicateOption = False,
    events: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE.csv|comments|folders",
            help="What was done to the device: CSV with the columns time and event; comments of "
            "packets, as `event: on`; or folders that are called as the event in their captures.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    events_zone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE",
            help="Time zone of events that name none, such as Europe/Berlin or +01:00.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    events_device: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Whose events are meant, where the files have a column `device`.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    generator: Annotated[
        GeneratorName | None,
        typer.Option(
            help="Generator to fit; iotflow is the paper's.",
            show_default="sessions; activities with events",
            rich_help_panel=HOW,
        ),
    ] = None,
    window: WindowOption = None,
    dissector: DissectorOption = "builtin",
    config: Settings = None,
    keep_identifiers: Annotated[
        bool,
        typer.Option(
            "--keep-identifiers",
            help="Keep captured addresses, serial numbers and names in the model.",
            rich_help_panel=HOW,
        ),
    ] = False,
    seed: Seed = 0,
    accelerator: AcceleratorOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Learn how one device talks from its captures: 5 to 20 of them, or a long one.

    A long one is cut into pieces where it is quiet, and it is said how.

    Examples:
    ```
    iotflowgen fit captures/plug --out plug.model
    iotflowgen fit captures/plug --generator iotflow --out plug.model
    iotflowgen fit week.pcap --device 02:00:5e:10:00:01 --out plug.model
    iotflowgen fit captures/plug --events events.csv --out plug.model
    ```
    """
    check_not_read(out, *captures, config, *map(Path, events or ()))
    _say_cost(captures)
    one_thread()
    with progress_display() as progress:
        model = iot.fit(
            captures,
            generator=generator,
            device=device,
            events=_source(events),
            events_zone=events_zone,
            events_device=events_device,
            window=window,
            deduplicate=deduplicate,
            dissector=dissector,
            keep_identifiers=keep_identifiers,
            config=read_toml(config, "--config"),
            seed=seed,
            accelerator=accelerator,
            progress=progress,
        )
    model.save(out)
    summary = {"file": str(out), **model.summary(), "next": next_step(out, model.generator.name)}
    show_summary("learnt", summary, as_json=as_json)


def _source(events: list[str] | None) -> "EventSource | None":
    """Where events stand, as the library takes it."""
    for word in ("comments", "folders"):
        if events == [word]:
            return word
        if word in (events or ()):
            raise iot.ArgumentError(f"either {word} or files, not both", "events")
    return events


def _say_cost(captures: Sequence[Path]) -> None:
    """Say what large captures will take, as measured by `benchmarks/large.py`."""
    from iotflowgen.capture import CaptureWarning, find_captures

    with warnings.catch_warnings():
        # what is left out is said when they are read
        warnings.simplefilter("ignore", CaptureWarning)
        sizes = [path.stat().st_size for path in find_captures(captures)]
    if sum(sizes) > _LARGE:
        seconds = _LEARN_S + _READ_S * sum(sizes) / 1e9
        say(
            f"{sum(sizes) / 1e9:.1f} GB of captures: learning from them will take about "
            f"{seconds:.0f} s and {_LEARN_GB + _READ_GB * max(sizes) / 1e9:.1f} GB of memory"
        )
