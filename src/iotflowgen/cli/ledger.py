"""`iotflowgen ledger`."""

from pathlib import Path
from typing import Annotated

import typer

from iotflowgen.cli.console import reports_errors
from iotflowgen.cli.options import JsonOption, check_not_read, ends_in
from iotflowgen.cli.summary import show_summary

__all__ = ["ledger"]


def _ends_in(path: Path | None) -> Path | None:
    return None if path is None else ends_in(".pcap", ".pcapng")(path)


@reports_errors
def ledger(
    capture: Annotated[Path, typer.Argument(help="pcap or pcapng, of a network with decoys.")],
    ledgers: Annotated[
        list[Path],
        typer.Argument(
            metavar="LEDGER...", help="Ledger of `iotflowgen live`: its folder, or .jsonl files."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Write the capture without what is fake: .pcap or .pcapng.",
            callback=_ends_in,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what share of a capture is fake, and leave it out.

    What is left has what others asked decoys, and what these answered.

    Examples:
    ```
    iotflowgen ledger monday.pcap /var/log/iotflowgen
    iotflowgen ledger monday.pcap /var/log/iotflowgen --out without.pcap
    ```
    """
    from iotflowgen.live import without_fakes

    if out is not None:
        check_not_read(out, capture, *ledgers)
    show_summary("ledger", without_fakes(capture, ledgers, out), as_json=as_json)
