"""`iotflowgen extract`."""

from pathlib import Path
from typing import Annotated

import typer

from iotflowgen.cli.console import progress_display, reports_errors, say
from iotflowgen.cli.options import Captures, DeviceOption, DissectorOption

__all__ = ["extract"]


@reports_errors
def extract(
    captures: Captures,
    out: Annotated[Path, typer.Option("--out", "-o", help="Parquet or CSV file to write.")],
    device: DeviceOption = None,
    dissector: DissectorOption = "builtin",
) -> None:
    """Read the packets' features from captures into a table.

    Example: `iotflowgen extract captures/plug --out packets.parquet`
    """
    from iotflowgen.capture import read_captures

    with progress_display() as progress:
        traces = read_captures(captures, device, dissector=dissector, progress=progress)
    from iotflowgen.tables import write_traces

    write_traces(traces, out)
    say(f"{sum(map(len, traces))} packets of {len(traces)} captures in {out}")
