"""`iotflowgen extract`."""

from pathlib import Path
from typing import Annotated

import typer

import iotflowgen as iot
from iotflowgen.cli.console import counted, progress_display, reports_errors, say
from iotflowgen.cli.options import Captures, DeviceOption, DissectorOption, check_not_read, ends_in

__all__ = ["extract"]


@reports_errors
def extract(
    captures: Captures,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="Parquet or CSV file to write.",
            callback=ends_in(".parquet", ".csv"),
        ),
    ],
    device: DeviceOption = None,
    dissector: DissectorOption = "builtin",
) -> None:
    """Read the packets' features from captures into a table.

    Examples:
    ```
    iotflowgen extract captures/plug --out packets.parquet
    ```
    """
    check_not_read(out, *captures)
    import iotflowgen.tables  # noqa: F401 - if it cannot be, that is said before all is read

    with progress_display() as progress:
        found = iot.read_captures(captures, device=device, dissector=dissector, progress=progress)
    write = found.to_csv if out.suffix.lower() == ".csv" else found.to_parquet
    write(out)
    say(f"{counted(found.packets, 'packet')} of {counted(len(found), 'capture')} in {out}")
