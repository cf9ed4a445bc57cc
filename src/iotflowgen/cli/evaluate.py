"""`iotflowgen evaluate`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

import iotflowgen as iot
from iotflowgen.cli.console import one_thread, progress_display, reports_errors, say
from iotflowgen.cli.console import out as stdout
from iotflowgen.cli.options import (
    HOW,
    HOW_MUCH,
    AdversaryName,
    DeviceOption,
    DissectorOption,
    JsonOption,
    Seed,
    check_not_read,
    no_folder,
)
from iotflowgen.cli.summary import show_summary

__all__ = ["SeveralValues", "evaluate"]


class SeveralValues(TyperCommand):
    """A command whose options take several values in a row, as the shell's `*` gives them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer's own Click
        """Repeat the option before each of its values, which is what Typer reads."""
        several = {name for param in self.params if param.multiple for name in param.opts}
        rest: list[str] = super().parse_args(ctx, list(_repeat_options(args, several)))
        return rest


def _repeat_options(args: Sequence[str], several: set[str]) -> Iterator[str]:
    option = ""
    for i, arg in enumerate(args):
        if arg.startswith("-"):
            option = arg if arg in several else ""
        elif option and args[i - 1] != option:
            yield option
        yield arg


@reports_errors
def evaluate(
    real: Annotated[
        list[Path],
        typer.Option(metavar="CAPTURE...", help="Captures of the device, or folders of them."),
    ],
    fake: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE...",
            help="Generated traffic, whatever made it: .parquet, .csv, pcap or pcapng.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Results file (JSON) to write.", callback=no_folder),
    ] = None,
    device: DeviceOption = None,
    protocol: Annotated[
        Literal["paper", "held-out"],
        typer.Option(
            help="paper: over windows of all captures; held-out: by capture, with a control.",
            rich_help_panel=HOW,
        ),
    ] = "paper",
    adversary: Annotated[
        list[AdversaryName] | None,
        typer.Option(
            help="Who attacks, one or several; packet-metadata is the paper's, published its "
            "authors' code's; headers reads packets, rhythm looks at hours: FILE is a pcap then.",
            show_default="all that can",
            rich_help_panel=HOW,
        ),
    ] = None,
    window: Annotated[
        int, typer.Option(min=2, help="Packets a window.", rich_help_panel=HOW_MUCH)
    ] = 20,
    windows: Annotated[
        int,
        typer.Option(
            min=5, help="Real windows, and as many generated ones.", rich_help_panel=HOW_MUCH
        ),
    ] = 500,
    splits: Annotated[
        int,
        typer.Option(min=2, help="Splits of the captures, held-out.", rich_help_panel=HOW_MUCH),
    ] = 2,
    dissector: DissectorOption = "builtin",
    seed: Seed = 0,
    as_json: JsonOption = False,
) -> None:
    """Measure how well adversaries tell generated traffic of a device from its captures.

    Under `paper` the figure is the accuracy, 50 % being a guess. Under `held-out` it is the
    excess: accuracy minus that of a control, one half of the captures against the other. There,
    what made the synthetic traffic should not have seen the captures it is told from.

    `--device` is for the captures; in each pcap of `--fake` the most common IP address is taken.

    Examples:
    ```
    iotflowgen evaluate --real captures/plug --fake windows.parquet
    iotflowgen evaluate --real later --fake a.pcap b.pcap --protocol held-out
    iotflowgen evaluate --real captures/plug --fake a.pcap --out results.json
    ```
    """
    if out is not None:
        check_not_read(out, *real, *fake)
    one_thread()
    with progress_display() as progress:
        found = iot.evaluate(
            real,
            fake,
            protocol=protocol,
            adversaries=adversary,
            device=device,
            dissector=dissector,
            window=window,
            windows=windows,
            splits=splits,
            seed=seed,
            progress=progress,
        )
    if out is not None:
        found.to_json(out)
    if as_json:
        show_summary("", found.summary(), as_json=True)
    else:
        _show(found.results)
    if out is not None:
        say(f"all figures in {out}; as a page: iotflowgen report {out} -o report.html")


def _show(results: "iot.Results") -> None:
    from rich.table import Table

    columns = ["adversary", "accuracy", "95 % interval", "ROC AUC", "control", "excess"]
    (sample, *_) = results.samples
    table = Table(*columns, title=f"{sample.protocol}, {sample.windows} windows of each kind")
    for cell in results.cells:
        for attack in cell.attacks:
            low, high = attack.detection.interval
            table.add_row(
                cell.adversary,
                f"{attack.detection.mean:.1%}",
                f"{low:.1%} to {high:.1%}",
                f"{attack.detection.roc_auc:.3f}",
                f"{attack.control.mean:.1%}",
                f"{100 * attack.excess:+.1f}",
            )
        if len(cell.attacks) > 1 and cell.excess is not None:
            table.add_row("", "", "", "", "mean", f"{100 * cell.excess:+.1f}", end_section=True)
    for column in table.columns[1:]:
        column.justify = "right"
    table.title_justify = table.caption_justify = "left"
    table.caption = (
        "accuracy: 50 % is guessing; control: real windows told from real ones; excess: accuracy "
        "less control, in points. 0 is as hard to tell as real traffic; far below 0 is chance, or "
        "captures that differ more from each other than the synthetic traffic from them"
        + "; a row a split of the captures"
        * (len(results.cells[0].attacks) > 1)
    )
    stdout.print(table)
