"""`iotflowgen demo`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from iotflowgen.cli.console import err, one_thread, out, progress_display, reports_errors
from iotflowgen.cli.options import Seed

__all__ = ["demo"]

_WINDOWS = 500  # the paper's n


@reports_errors
def demo(
    sample: Annotated[str, typer.Option(help="Which sample device: plug or camera.")] = "plug",
    samples: Annotated[Path, typer.Option(help="Folder of the sample captures.")] = Path("samples"),
    out_dir: Annotated[Path, typer.Option("--out", help="Folder to write to.")] = Path("out/demo"),
    seed: Seed = 0,
) -> None:
    """Learn a sample device, generate its honeydata, and attack it: the whole way in one command.

    Example: `iotflowgen demo --sample camera`
    """
    import numpy as np
    from rich.table import Table

    from iotflowgen.adversaries import PacketMetadata
    from iotflowgen.capture import read_captures
    from iotflowgen.errors import CaptureError
    from iotflowgen.evaluation import cross_validate
    from iotflowgen.generators import IoTFlow
    from iotflowgen.packets import write_capture
    from iotflowgen.tables import write_windows
    from iotflowgen.traffic import cut_windows, draw_places

    folder = samples / sample
    if not folder.is_dir():
        raise CaptureError(
            f"there is no folder {folder}; run the demo where the repository lies, or say "
            "--samples FOLDER"
        )
    one_thread()
    rng = np.random.default_rng(seed)
    seconds: dict[str, float] = {}
    with progress_display() as progress:
        start = time.monotonic()
        traces = read_captures([folder], progress=progress)
        seconds["read"] = time.monotonic() - start

        start = time.monotonic()
        generator = IoTFlow(seed=seed).fit(traces, progress=progress)
        generator.save(out_dir / "iotflow.model")
        seconds["learn"] = time.monotonic() - start

        start = time.monotonic()
        honeydata = generator.sample(_WINDOWS, rng)
        write_windows(honeydata, out_dir / "honeydata.parquet")
        begin = int(time.time()) * 10**9
        written = write_capture(
            honeydata, out_dir / "honeydata.pcap", rng, start_ns=begin, progress=progress
        )
        seconds["generate"] = time.monotonic() - start

        start = time.monotonic()
        # as many real windows, drawn from the same captures: the paper's own protocol
        places = draw_places(traces, _WINDOWS, generator.config.window, rng)
        detection = cross_validate(
            lambda: PacketMetadata(seed=seed),
            cut_windows(traces, places),
            honeydata,
            rng,
            progress=progress,
        )
        seconds["attack"] = time.monotonic() - start

    report = generator.report
    table = Table(title=f"Honeydata of the sample {sample}", title_justify="left")
    table.add_column("step")
    table.add_column("seconds", justify="right")
    table.add_column("result")
    table.add_row(
        "read captures",
        f"{seconds['read']:.0f}",
        f"{sum(map(len, traces))} packets in {len(traces)} captures",
    )
    table.add_row(
        "learn",
        f"{seconds['learn']:.0f}",
        f"{report.signatures} packet-level signatures; {report.reconstruction_mean:.0%} of the "
        "fields of unseen captures come back from their codes",
    )
    table.add_row(
        "generate",
        f"{seconds['generate']:.0f}",
        f"{_WINDOWS} windows, {written.packets} packets",
    )
    table.add_row(
        "attack",
        f"{seconds['attack']:.0f}",
        f"the paper's adversary tells {detection.mean:.1%} right (50% is guessing)",
    )
    out.print(table)
    out.print(f"Written: {', '.join(sorted(str(p) for p in out_dir.iterdir()))}")
    out.print(
        "Look at it:    tshark -r out/demo/honeydata.pcap | head\n"
        "Your captures: iotflowgen fit CAPTURES --out my.model\n"
        "               iotflowgen generate my.model --windows 500 --out honeydata.pcap",
        markup=False,
    )
    err.print(f"done in {sum(seconds.values()):.0f} s")
