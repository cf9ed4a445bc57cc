"""`iotflowgen generate`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from iotflowgen.cli.console import one_thread, progress_display, reports_errors, say
from iotflowgen.cli.options import AcceleratorOption, Seed

__all__ = ["generate"]


@reports_errors
def generate(
    model: Annotated[Path, typer.Argument(help="Model file of `iotflowgen fit`.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="File to write: .pcap, .pcapng, .parquet or .csv.")
    ],
    windows: Annotated[int, typer.Option("--windows", "-n", min=1, help="How many windows.")],
    seed: Seed = 0,
    accelerator: AcceleratorOption = "auto",
    start: Annotated[
        datetime | None,
        typer.Option(
            metavar="TIME",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"],
            help="When the first packet of a capture is sent, UTC; give it for a file that "
            "repeats to the byte.",
            show_default="now",
        ),
    ] = None,
) -> None:
    """Generate honeydata: windows of traffic that never happened.

    Examples: `iotflowgen generate plug.model --windows 500 --out honeydata.pcap`,
    `iotflowgen generate plug.model --windows 500 --seed 1 --out honeydata.parquet`
    """
    import numpy as np

    from iotflowgen.generators import load_generator
    from iotflowgen.packets import write_capture
    from iotflowgen.tables import write_windows

    captures, tables = (".pcap", ".pcapng"), (".parquet", ".csv")
    suffix = out.suffix.lower()
    if suffix not in captures + tables:
        kinds = ", ".join(captures + tables)
        raise typer.BadParameter(f"{out} must end in one of {kinds}", param_hint="--out")
    one_thread()
    fitted = load_generator(model, accelerator=accelerator)
    rng = np.random.default_rng(seed)
    with progress_display() as progress:
        honeydata = fitted.sample(windows, rng, progress=progress)
        if suffix in tables:
            write_windows(honeydata, out)
        else:
            begin = (start or datetime.now(UTC)).replace(tzinfo=UTC, microsecond=0)
            report = write_capture(
                honeydata, out, rng, start_ns=int(begin.timestamp()) * 10**9, progress=progress
            )
            for what, count in report.compromises.items():
                say(f"{count} packets: {what}")
    say(f"{windows} windows of {honeydata.size} packets in {out}")
