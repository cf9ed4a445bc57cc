"""`iotflowgen fit`."""

from pathlib import Path
from typing import Annotated

import typer

from iotflowgen.cli.console import one_thread, progress_display, reports_errors, say
from iotflowgen.cli.options import (
    AcceleratorOption,
    Captures,
    DeviceOption,
    Seed,
    Settings,
    read_settings,
)

__all__ = ["fit"]


@reports_errors
def fit(
    captures: Captures,
    out: Annotated[Path, typer.Option("--out", "-o", help="Model file to write.")],
    generator: Annotated[str, typer.Option(help="Which method learns.")] = "sessions",
    device: DeviceOption = None,
    window: Annotated[
        int | None, typer.Option(min=2, help="Packets a window.", show_default="20")
    ] = None,
    config: Settings = None,
    seed: Seed = 0,
    accelerator: AcceleratorOption = "auto",
) -> None:
    """Learn how one device talks from its captures.

    Examples:
    `iotflowgen fit captures/plug --out plug.model`,
    `iotflowgen fit captures/plug --generator iotflow --out plug.model`,
    `iotflowgen fit captures/ --device 02:00:5e:10:00:01 --window 10 --out plug.model`
    """
    from iotflowgen.capture import read_captures, read_frames
    from iotflowgen.generators import GENERATORS, add_headers
    from iotflowgen.packets import learn_headers

    if generator not in GENERATORS:
        known = ", ".join(sorted(GENERATORS))
        raise typer.BadParameter(f"{generator!r} is none of: {known}", param_hint="--generator")
    one_thread()
    method = GENERATORS[generator]
    chosen = read_settings(method.Config, config, window)
    with progress_display() as progress:
        traces = read_captures(captures, device, progress=progress)
        fitted = method(chosen, seed=seed, accelerator=accelerator)
        fitted.fit(traces, progress=progress)
    headers = learn_headers(read_frames(captures, traces))
    fitted.save(out)
    if headers:
        add_headers(out, headers)
    else:
        say(
            "no headers learnt, for these are no Ethernet captures, so generated packets will be "
            "fuzzed; capture an interface, not `any` or a tunnel"
        )
    amount = "--sessions 10" if generator == "sessions" else "--windows 500"
    say(
        f"learnt from {len(traces)} captures; next: iotflowgen generate {out} {amount} "
        "--out honeydata.pcap"
    )
