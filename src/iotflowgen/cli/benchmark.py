"""`iotflowgen benchmark`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iotflowgen.cli.console import counted, one_thread, progress_display, reports_errors, say
from iotflowgen.cli.console import out as stdout
from iotflowgen.cli.options import Seed, check_not_read, known, no_file

if TYPE_CHECKING:
    from iotflowgen.evaluation import Results

__all__ = ["benchmark"]

_Names = typer.Option(metavar="A,B,...", show_default="all")


@reports_errors
def benchmark(
    root: Annotated[Path, typer.Argument(help="One folder of captures a device.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.", callback=no_file)],
    devices: Annotated[str | None, _Names] = None,
    generators: Annotated[str | None, _Names] = None,
    adversaries: Annotated[
        str | None, typer.Option(metavar="A,B,...", show_default="all shown windows of packets")
    ] = None,
    protocols: Annotated[str | None, _Names] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="One device, 60 windows, hardly any training: does it run?"),
    ] = False,
    processes: Annotated[
        int, typer.Option(min=1, help="Steps at a time; each takes one core.")
    ] = 2,
    seed: Seed = 0,
) -> None:
    """Measure generators on devices, attacked by adversaries under both protocols.

    Every step leaves a file: what was stopped is taken up by the same command, and one more
    generator costs only its own steps. A step that fails is recorded, and the rest goes on. All
    that was found is joined in `results.json`, which `iotflowgen report` shows.

    Examples:
    ```
    iotflowgen benchmark captures/ --out out/benchmark
    iotflowgen benchmark captures/ --devices plug --generators markov -o out
    ```
    """
    from iotflowgen.adversaries import of_features, of_windows
    from iotflowgen.errors import CaptureError
    from iotflowgen.evaluation import PROTOCOLS, Benchmark, BenchmarkConfig
    from iotflowgen.generators import GENERATORS

    if not root.is_dir():
        raise CaptureError(f"there is no folder {root}; name one that has a folder a device")
    check_not_read(out, root)
    folders = sorted(path.name for path in root.iterdir() if path.is_dir())
    if not folders:
        raise CaptureError(f"{root} has no folders; put the captures of each device into one")
    config = BenchmarkConfig(
        devices=tuple(_chosen(devices, folders, "--devices")),
        generators=tuple(_chosen(generators, GENERATORS, "--generators")),
        adversaries=tuple(_chosen(adversaries, of_features(), "--adversaries", of_windows())),
        protocols=tuple(p for p in PROTOCOLS if p in _chosen(protocols, PROTOCOLS, "--protocols")),
        seed=seed,
    )
    one_thread()
    with progress_display() as progress:
        run = Benchmark(config.quick() if quick else config, root, out)
        results = run.run(processes=processes, progress=progress)
    _show(results)
    failed = [sample.error for sample in results.samples if sample.error]
    failed += [cell.error for cell in results.cells if cell.error]
    if failed:
        say(f"{counted(len(failed), 'step')} failed; the first: {failed[0]}", "warning", "yellow")
    say(f"all figures in {out / 'results.json'}; as a page: iotflowgen report {out} -o report.html")


def _chosen(
    asked: str | None, names: Iterable[str], option: str, usual: Iterable[str] | None = None
) -> list[str]:
    by_default = names if usual is None else usual
    return known(asked.split(",") if asked else by_default, names, option)


def _show(results: "Results") -> None:
    """Means over the devices."""
    from statistics import mean

    from rich.table import Table

    table = Table("generator", "protocol", "adversary", "accuracy", "excess", "worst excess")
    rows = dict.fromkeys((c.generator, c.protocol, c.adversary) for c in results.cells)
    for generator, protocol, adversary in rows:
        cells = list(results.select(generator=generator, protocol=protocol, adversary=adversary))
        accuracies = [cell.accuracy for cell in cells if cell.accuracy is not None]
        excesses = [cell.excess for cell in cells if cell.excess is not None]
        if not cells:
            table.add_row(generator, protocol, adversary, "failed", "", "")
            continue
        table.add_row(
            generator,
            protocol,
            adversary,
            f"{mean(accuracies):.1%}",
            f"{mean(excesses):+.1%}",
            f"{max(excesses):+.1%}",
        )
    for column in table.columns[3:]:
        column.justify = "right"
    table.title = f"{counted(len(results.devices), 'device')}, means"
    table.title_justify = "left"
    stdout.print(table)
