"""`iotflowgen fit`."""

from pathlib import Path
from typing import Annotated

import typer

import iotflowgen as iot
from iotflowgen.cli.console import one_thread, progress_display, reports_errors
from iotflowgen.cli.options import (
    HOW,
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

__all__ = ["fit"]


@reports_errors
def fit(
    captures: Captures,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Model file to write.", callback=no_folder)
    ],
    device: DeviceOption = None,
    deduplicate: DeduplicateOption = False,
    generator: Annotated[
        GeneratorName,
        typer.Option(help="Generator to fit; iotflow is the paper's.", rich_help_panel=HOW),
    ] = "sessions",
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
    ```
    """
    check_not_read(out, *captures, config)
    one_thread()
    with progress_display() as progress:
        model = iot.fit(
            captures,
            generator=generator,
            device=device,
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
    summary = {"file": str(out), **model.summary(), "next": next_step(out, generator)}
    show_summary("learnt", summary, as_json=as_json)
