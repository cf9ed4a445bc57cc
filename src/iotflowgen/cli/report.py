"""`iotflowgen report`."""

from pathlib import Path
from typing import Annotated

import typer

from iotflowgen.cli.console import progress_display, reports_errors, say
from iotflowgen.cli.options import check_not_read, no_folder

__all__ = ["report"]


@reports_errors
def report(
    results: Annotated[
        Path,
        typer.Argument(
            metavar="RESULTS",
            help="What evaluate wrote, or the folder of a benchmark.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="HTML file to write.", callback=no_folder)
    ],
) -> None:
    """Make one HTML page of results: tables, plots, and what they mean in words.

    The page needs nothing else, no network either: it can be mailed, printed, or put on a server.

    Examples:
    ```
    iotflowgen report results.json --out report.html
    ```
    """
    from iotflowgen.evaluation import read_results
    from iotflowgen.report import write_report

    path = results / "results.json" if results.is_dir() else results
    check_not_read(out, path)
    with progress_display() as progress:
        write_report(read_results(path), out, progress=progress)
    say(f"open {out} in a browser")
