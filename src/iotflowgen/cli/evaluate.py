"""`iotflowgen evaluate`."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from iotflowgen.cli.console import one_thread, progress_display, reports_errors, say
from iotflowgen.cli.console import out as stdout
from iotflowgen.cli.options import DeviceOption, Seed, adversaries_named

if TYPE_CHECKING:
    from iotflowgen.evaluation import Results

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
            help="Synthetic traffic, whatever made it: .parquet, .csv, pcap or pcapng.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON file to write.")],
    protocol: Annotated[
        Literal["paper", "held-out"],
        typer.Option(help="Over windows of all captures, or by capture with a control."),
    ] = "paper",
    adversary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME...",
            help="Who attacks: packet-metadata (the paper), published (their code), boosting, "
            "rocket, headers. The last reads packets: FILE is a pcap or pcapng then.",
            show_default="all that can",
        ),
    ] = None,
    device: DeviceOption = None,
    window: Annotated[int, typer.Option(min=2, help="Packets a window.")] = 20,
    windows: Annotated[int, typer.Option(min=5, help="Windows of each kind.")] = 500,
    splits: Annotated[int, typer.Option(min=2, help="Splits of the captures, held-out.")] = 2,
    seed: Seed = 0,
) -> None:
    """Say how well adversaries tell synthetic traffic of a device from its captures.

    Under `paper` the figure is the accuracy, 50 % being a guess. Under `held-out` it is the
    excess: accuracy minus that of a control, one half of the captures against the other. There,
    what made the synthetic traffic should not have seen the captures it is told from.

    `--device` is for the captures; in each pcap of `--fake` the most common IP address is taken.

    Examples: `iotflowgen evaluate --real captures/plug --fake windows.parquet --out results.json`,
    `iotflowgen evaluate --real captures/plug-later --fake honeydata.pcap --protocol held-out
    --out results.json`
    """
    from iotflowgen import evaluation
    from iotflowgen.adversaries import OF_FEATURES
    from iotflowgen.capture import read_captures, with_headers
    from iotflowgen.errors import HeadersMissing

    adversaries = adversaries_named(adversary)
    one_thread()
    with progress_display() as progress:
        traces = read_captures(real, device, progress=progress)
        read = partial(evaluation.read_honeydata, fake, window, progress=progress)
        try:
            if with_all := not set(adversaries) <= set(OF_FEATURES):
                traces = with_headers(real, traces)
            honeydata = read(headers=with_all)
        except HeadersMissing as error:
            if adversary:
                raise
            say(f"the adversary headers is left out: {error}")
            adversaries, honeydata = list(OF_FEATURES), read()
        results = evaluation.evaluate(
            traces,
            honeydata,
            protocol,
            adversaries,
            device=_name(real[0]),
            generator=", ".join(path.name for path in fake),
            seed=seed,
            windows=windows,
            splits=splits,
            progress=progress,
        )
    results.write(out)
    _show(results)
    say(f"figures, folds and captures in {out}; as a page: iotflowgen report {out} -o report.html")


def _name(capture: Path) -> str:
    """The folder that the captures are in."""
    folder = capture if capture.is_dir() else capture.parent
    return folder.resolve().name


def _show(results: "Results") -> None:
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
                f"{attack.excess:+.1%}",
            )
        if len(cell.attacks) > 1:
            table.add_row("", "", "", "", "mean", f"{cell.excess:+.1%}", end_section=True)
    for column in table.columns[1:]:
        column.justify = "right"
    table.title_justify = table.caption_justify = "left"
    table.caption = "accuracy: 50 % is guessing; excess over the control: 0 is as hard as real"
    stdout.print(table)
