"""`iotflowgen info`."""

from pathlib import Path
from typing import Annotated

import typer

from iotflowgen.cli.console import reports_errors

__all__ = ["info"]


@reports_errors
def info(
    path: Annotated[Path, typer.Argument(metavar="MODEL|CAPTURE", help="What to look at.")],
) -> None:
    """Say what a model was made from and how well it learnt, or what captures hold.

    Examples: `iotflowgen info plug.model`, `iotflowgen info captures/plug`
    """
