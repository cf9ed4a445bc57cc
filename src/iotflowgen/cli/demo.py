"""`iotflowgen demo`."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from iotflowgen.cli.console import one_thread, out, progress_display, reports_errors
from iotflowgen.cli.options import Seed, Settings, read_settings

__all__ = ["demo"]

_WINDOWS = 500  # the paper's n


@reports_errors
def demo(
    sample: Annotated[str, typer.Option(help="Which sample device: plug or camera.")] = "plug",
    samples: Annotated[Path, typer.Option(help="Folder of the sample captures.")] = Path("samples"),
    folder: Annotated[Path, typer.Option("--out", help="Folder to write to.")] = Path("out/demo"),
    config: Settings = None,
    seed: Seed = 0,
) -> None:
    """Learn a sample device, generate its honeydata, and attack it: the whole way in one command.

    Example: `iotflowgen demo --sample camera`
    """
    import numpy as np

    from iotflowgen.adversaries import PacketMetadata
    from iotflowgen.capture import read_captures
    from iotflowgen.errors import CaptureError
    from iotflowgen.evaluation import cross_validate
    from iotflowgen.generators import IoTFlow
    from iotflowgen.packets import write_capture
    from iotflowgen.tables import write_windows
    from iotflowgen.traffic import cut_windows, draw_places

    if not (samples / sample).is_dir():
        raise CaptureError(
            f"there is no folder {samples / sample}; run the demo where the repository lies, or "
            "say --samples FOLDER"
        )
    settings = read_settings(IoTFlow.Config, config)
    model, table, capture = (
        folder / name for name in ("iotflow.model", "honeydata.parquet", "honeydata.pcap")
    )
    one_thread()
    rng = np.random.default_rng(seed)
    steps = _Steps()
    with progress_display() as progress:
        with steps.step("read"):
            traces = read_captures([samples / sample], progress=progress)
            steps.result = f"{sum(map(len, traces))} packets in {len(traces)} captures"
        with steps.step("learn"):
            generator = IoTFlow(settings, seed=seed).fit(traces, progress=progress)
            generator.save(model)
            report = generator.report
            steps.result = (
                f"{report.signatures} packet-level signatures; of captures set aside, "
                f"{report.reconstruction_mean:.0%} of the fields come back from their codes"
            )
        with steps.step("generate"):
            honeydata = generator.sample(_WINDOWS, rng)
            write_windows(honeydata, table)
            now_ns = int(time.time()) * 10**9
            written = write_capture(honeydata, capture, rng, start_ns=now_ns, progress=progress)
            steps.result = f"{_WINDOWS} windows, {written.packets} packets"
        with steps.step("attack"):
            # as many real windows of the same captures: the paper's own protocol
            places = draw_places(traces, _WINDOWS, honeydata.size, rng)
            real = cut_windows(traces, places)
            detection = cross_validate(
                lambda: PacketMetadata(seed=seed), real, honeydata, rng, progress=progress
            )
            steps.result = (
                f"the paper's adversary is right about {detection.mean:.1%} of the windows; "
                "50% is guessing"
            )
    steps.show(f"Honeydata of the sample {sample}")
    out.print("Written:", model, table, capture, sep="\n  ", markup=False)
    command = sys.argv[0]
    out.print(
        f"Look at it:\n  tshark -r {capture} | head\n"
        f"With your own captures:\n  {command} fit CAPTURES --out my.model\n"
        f"  {command} generate my.model --windows 500 --out honeydata.pcap",
        markup=False,
        soft_wrap=True,
    )


class _Steps:
    """What was done, how long it took, what came of it."""

    def __init__(self) -> None:
        self.result = ""
        self._rows: list[tuple[str, str, str]] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step, which leaves what came of it in `result`."""
        start = time.monotonic()
        yield
        self._rows.append((name, f"{time.monotonic() - start:.0f}", self.result))

    def show(self, title: str) -> None:
        """Print the steps as a table."""
        from rich.table import Table

        table = Table("step", "seconds", "result", title=title, title_justify="left")
        table.columns[1].justify = "right"
        for row in self._rows:
            table.add_row(*row)
        out.print(table)
