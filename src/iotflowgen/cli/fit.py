"""`iotflowgen fit`."""

from pathlib import Path
from typing import Annotated

import typer

from iotflowgen.cli.console import one_thread, progress_display, reports_errors, say
from iotflowgen.cli.options import (
    AcceleratorOption,
    Captures,
    DeviceOption,
    DissectorOption,
    Seed,
    Settings,
    next_step,
    read_settings,
)

__all__ = ["fit"]

_FEW = 5  # captures


@reports_errors
def fit(
    captures: Captures,
    out: Annotated[Path, typer.Option("--out", "-o", help="Model file to write.")],
    generator: Annotated[
        str,
        typer.Option(
            help="Which method learns: sessions; iotflow (the paper); doppelganger; markov; replay."
        ),
    ] = "sessions",
    device: DeviceOption = None,
    dissector: DissectorOption = "builtin",
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
    from iotflowgen.generators import GENERATORS
    from iotflowgen.packets import record, with_states

    if generator not in GENERATORS:
        known = ", ".join(sorted(GENERATORS))
        raise typer.BadParameter(f"{generator!r} is none of: {known}", param_hint="--generator")
    if out.is_dir():
        raise typer.BadParameter(f"{out} is a folder; name a file in it", param_hint="--out")
    one_thread()
    method = GENERATORS[generator]
    chosen = read_settings(method.Config, config, window)
    with progress_display() as progress:
        traces = read_captures(captures, device, dissector=dissector, progress=progress)
        found = [*read_frames(captures, traces)]
        traces = with_states(found)
        fitted = method(chosen, seed=seed, accelerator=accelerator)
        fitted.fit(traces, progress=progress)
    recording = record(found)
    fitted.save(out, recording)
    if recording is None:
        say(
            "no packets kept, for these are no Ethernet captures, so generated packets will be "
            "fuzzed; capture an interface, not `any` or a tunnel"
        )
    if len(traces) < _FEW:
        say("few captures to learn from; with 5 to 20 what it generates is much more varied")
    captures_learnt = f"{len(traces)} capture{'s' * (len(traces) > 1)}"
    say(f"learnt from {captures_learnt}; next: {next_step(out, generator)}")
