"""`iotflowgen evaluate`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from iotflowgen.cli.console import one_thread, progress_display, reports_errors, say
from iotflowgen.cli.console import out as stdout
from iotflowgen.cli.options import DeviceOption, Seed
from iotflowgen.progress import Progress

if TYPE_CHECKING:
    from iotflowgen.evaluation import Detection, HeldOutResult, PaperResult
    from iotflowgen.traffic import Windows

__all__ = ["SeveralValues", "evaluate"]

SCHEMA = 1
_TABLES = (".parquet", ".csv")


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
        typer.Option(metavar="NAME...", help="Who attacks.", show_default="all"),
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

    Example: `iotflowgen evaluate --real captures/plug --fake honeydata.pcap --out results.json`
    """
    import numpy as np

    from iotflowgen.adversaries import ADVERSARIES
    from iotflowgen.capture import read_captures
    from iotflowgen.evaluation import given, held_out, paper
    from iotflowgen.traffic import Windows

    names = list(dict.fromkeys(adversary or ADVERSARIES))
    if unknown := [name for name in names if name not in ADVERSARIES]:
        known = ", ".join(ADVERSARIES)
        raise typer.BadParameter(f"{unknown[0]!r} is none of: {known}", param_hint="--adversary")
    one_thread()
    attackers = [partial(ADVERSARIES[name], seed=seed) for name in names]
    rng = np.random.default_rng(seed)
    result: PaperResult | HeldOutResult
    with progress_display() as progress:
        traces = read_captures(real, device, progress=progress)
        synthetic = Windows.concatenate([_read_fake(path, window, progress) for path in fake])
        attack = partial(
            paper if protocol == "paper" else partial(held_out, splits=splits),
            window=window,
            windows=windows,
            progress=progress,
        )
        result = attack(traces, given(synthetic), attackers, rng)
    _write(
        out,
        {
            "schema_version": SCHEMA,
            "seed": seed,
            "window": window,
            "real": [{"name": t.name, "sha256": t.sha256, "packets": len(t)} for t in traces],
            "fake": [path.name for path in fake],
            "fake_windows": len(synthetic),
            "result": asdict(result),
        },
    )
    _show(result)
    say(f"figures, folds and captures in {out}")


def _read_fake(path: Path, window: int, progress: Progress) -> "Windows":
    """Windows of a synthetic file, consecutive packets of it."""
    from iotflowgen.capture import find_captures, read_captures
    from iotflowgen.tables import read_windows
    from iotflowgen.traffic import Windows

    if path.suffix.lower() in _TABLES:
        return _consecutive(read_windows(path), path, window)
    parts = []
    # one by one, for in each the device has other addresses
    for capture in find_captures([path]):
        (trace,) = read_captures([capture], progress=progress)
        columns = {name: getattr(trace, name)[None] for name in Windows.columns()}
        parts.append(_consecutive(Windows(**columns), capture, window))
    return Windows.concatenate(parts)


def _consecutive(sequences: "Windows", path: Path, window: int) -> "Windows":
    """Cut longer sequences into windows, one after the other; what is left over is dropped."""
    from iotflowgen.errors import TooShort
    from iotflowgen.traffic import Windows

    if sequences.size < window:
        raise TooShort(
            f"{path} has {sequences.size} packets in a row, a window needs {window}; choose "
            f"--window {sequences.size} or less"
        )
    whole = sequences.size // window * window
    columns = (getattr(sequences, name)[:, :whole] for name in Windows.columns())
    return Windows(*(column.reshape(-1, window) for column in columns))


def _write(path: Path, results: dict[str, object]) -> None:
    from iotflowgen.files import whole_file

    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(results, indent=2, allow_nan=False) + "\n")


def _show(result: "PaperResult | HeldOutResult") -> None:
    from rich.table import Table

    from iotflowgen.evaluation import PaperResult

    columns = ["adversary", "accuracy", "95 % interval", "ROC AUC"]
    if isinstance(result, PaperResult):
        table = Table(*columns, title=f"paper, {result.windows} windows of each kind")
        for found in result.detections:
            table.add_row(*_figures(found))
        caption = "50 % is guessing"
    else:
        table = Table(*columns, "control", "by capture", "excess", title="held-out")
        for attacked in result.adversaries:
            for split in attacked.splits:
                controls = (split.control.mean, split.control_by_capture.mean)
                table.add_row(
                    *_figures(split.detection),
                    *(f"{share:.1%}" for share in controls),
                    f"{split.excess:+.1%}",
                )
            table.add_row("", "", "", "", "", "mean", f"{attacked.excess:+.1%}", end_section=True)
        caption = "an excess of 0 is as hard to tell as real captures"
    for column in table.columns[1:]:
        column.justify = "right"
    table.title_justify = table.caption_justify = "left"
    table.caption = caption
    stdout.print(table)


def _figures(found: "Detection") -> tuple[str, ...]:
    low, high = found.interval
    return found.adversary, f"{found.mean:.1%}", f"{low:.1%} to {high:.1%}", f"{found.roc_auc:.3f}"
