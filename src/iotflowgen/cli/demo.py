"""`iotflowgen demo`."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iotflowgen.cli.console import one_thread, out, progress_display, reports_errors, say
from iotflowgen.cli.options import Seed, Settings, read_settings
from iotflowgen.errors import CaptureError
from iotflowgen.plugins import ADVERSARIES, GENERATORS

if TYPE_CHECKING:
    from numpy.random import Generator as Draws

    from iotflowgen.generators import Sessions
    from iotflowgen.packets import Persona
    from iotflowgen.progress import Progress
    from iotflowgen.traffic import Session, Trace, Windows
    from iotflowgen.wire import Frames

__all__ = ["demo"]

_SESSIONS = 16
_WINDOWS = 500  # the paper's n
_HELD_OUT = 300  # of each half of the captures that were not learnt, also of the small ones


@reports_errors
def demo(
    sample: Annotated[str, typer.Option(help="Which sample device: plug or camera.")] = "plug",
    samples: Annotated[
        Path | None,
        typer.Option(help="Folder of the sample captures.", show_default="those installed"),
    ] = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder to write to.")] = Path("out/demo"),
    config: Settings = None,
    seed: Seed = 0,
) -> None:
    """Learn a sample device, write whole sessions of it, and attack them; then the paper's way.

    `--config` is for the paper's method, `iotflow`.

    Example: `iotflowgen demo --sample camera`
    """
    import numpy as np

    from iotflowgen.capture import read_captures, read_frames
    from iotflowgen.generators import Sessions
    from iotflowgen.packets import with_states

    captures = _captures(samples, sample)
    complete = not (GENERATORS.missing() or ADVERSARIES.missing())
    settings = read_settings(GENERATORS["iotflow"].Config, config) if complete else None
    written = [folder / name for name in ("sessions.model", "sessions.pcap")]
    model, capture = written
    one_thread()
    rng = np.random.default_rng(seed)
    steps = _Steps()
    with progress_display() as progress:
        with steps.step("read"):
            traces = read_captures([captures], progress=progress)
            steps.result = f"{sum(map(len, traces))} packets in {len(traces)} captures"
        with steps.step("sessions: learn"):
            found = [*read_frames([captures], traces[::2])]
            sessions = Sessions(seed=seed).fit(learnt := with_states(found), progress=progress)
            steps.result = f"from every other capture, {len(learnt)}"
        with steps.step("sessions: generate"):
            drawn, shown = _write(sessions, found, (model, capture), rng)
            steps.result = (
                f"{len(drawn)} sessions, {sum(map(len, drawn))} packets of {shown.device_ip}, "
                f"{shown.device_mac}"
            )
        if complete:
            with steps.step("sessions: attack"):
                steps.result = _attack_held_out(traces[1::2], drawn, rng, progress)
            written += _as_in_the_paper(traces, settings, folder, seed, steps, rng, progress)
    ways = "by sessions, and as in the paper (iotflow)" if complete else "by sessions"
    steps.show(f"Honeydata of the sample {sample}: {ways}")
    if not complete:
        say("no attack, and not the paper's method: these need pip install 'iotflowgen[all]'")
    out.print("Written:", *written, sep="\n  ", markup=False)
    command = sys.argv[0]
    out.print(
        f"Look at it, and at a real one:\n  tshark -r {capture} | head -40\n"
        f"  tshark -r {captures / traces[0].name} | head -40\n"
        f"With your own captures:\n  {command} fit CAPTURES --out my.model\n"
        f"  {command} generate my.model --sessions 10 --out honeydata.pcap",
        markup=False,
        soft_wrap=True,
    )


def _write(
    sessions: "Sessions",
    found: "list[tuple[Trace, Frames]]",
    files: tuple[Path, Path],
    rng: "Draws",
) -> "tuple[list[Session], Persona]":
    """Sessions, and their packets as the device sends them; `files` are the model and these."""
    from iotflowgen.generators import apart, starting_at
    from iotflowgen.packets import Persona, Renderer, record, write_sessions

    recording = record(found)
    if recording is None:
        raise CaptureError("the device has sent no frame in these captures; choose other captures")
    model, capture = files
    sessions.save(model, recording)
    persona = Persona(recording.identities, rng)
    drawn = [*starting_at(apart(sessions, _SESSIONS, rng), int(time.time()) * 10**9)]
    write_sessions(drawn, capture, Renderer(recording, persona, rng))
    return drawn, persona


def _captures(samples: Path | None, sample: str) -> Path:
    """The captures of a sample: in a folder named, in a clone, or as they were installed."""
    places = [samples] if samples else [Path("samples"), *_installed()]
    for place in places:
        if (place / sample).is_dir():
            return place / sample
    raise CaptureError(f"there is no folder {places[0] / sample}; say --samples FOLDER")


def _installed() -> Iterator[Path]:
    """The folder of samples that was installed with the package, wherever the installer put it."""
    for file in files("iotflowgen") or ():
        if file.parts[-5:-2] == ("share", "iotflowgen", "samples"):
            yield Path(str(file.locate())).resolve().parents[1]
            return


def _as_in_the_paper(
    traces: "list[Trace]",
    settings: Any,  # noqa: ANN401 - those of the method, which needs PyTorch
    folder: Path,
    seed: int,
    steps: "_Steps",
    rng: "Draws",
    progress: "Progress",
) -> list[Path]:
    """Learn, generate and attack as the paper does; the files that were written."""
    from iotflowgen.tables import write_windows

    model, table = folder / "iotflow.model", folder / "windows.parquet"
    with steps.step("iotflow: learn"):
        paper = GENERATORS["iotflow"](settings, seed=seed).fit(traces, progress=progress)
        paper.save(model)
        report = paper.report
        steps.result = (
            f"{report.signatures} packet-level signatures; of captures set aside, "
            f"{report.reconstruction_mean:.0%} of the fields come back from their codes"
        )
    with steps.step("iotflow: generate"):
        windows = paper.sample(_WINDOWS, rng)
        write_windows(windows, table)
        steps.result = f"{len(windows)} windows of {windows.size} packets"
    with steps.step("iotflow: attack"):
        steps.result = _attack_as_published(traces, windows, seed, rng, progress)
    return [model, table]


def _attack_held_out(
    unseen: "list[Trace]", sessions: "list[Session]", rng: "Draws", progress: "Progress"
) -> str:
    """What the paper's adversary makes of sessions, beside captures that were not learnt."""
    from iotflowgen.evaluation import evaluate
    from iotflowgen.traffic import cut_windows, draw_places

    windows = cut_windows(sessions, draw_places(sessions, _WINDOWS, 20, rng))
    results = evaluate(
        unseen,
        windows,
        "held-out",
        ["packet-metadata"],
        device="sample",
        generator="sessions",
        windows=_HELD_OUT,
        progress=progress,
    )
    (cell,) = results.cells
    return (
        f"of captures not learnt from, the paper's adversary tells {cell.accuracy:.1%} of the "
        f"windows right, {100 * (cell.excess or 0):+.1f} points more than real ones from real ones"
    )


def _attack_as_published(
    traces: "list[Trace]", honeydata: "Windows", seed: int, rng: "Draws", progress: "Progress"
) -> str:
    """What the paper's adversary makes of windows that were learnt from the same captures."""
    from iotflowgen.adversaries import PacketMetadata
    from iotflowgen.evaluation import cross_validate
    from iotflowgen.traffic import cut_windows, draw_places

    # as many real windows of the same captures
    real = cut_windows(traces, draw_places(traces, _WINDOWS, honeydata.size, rng))
    detection = cross_validate(
        lambda: PacketMetadata(seed=seed), real, honeydata, rng, progress=progress
    )
    return (
        f"of the captures learnt from, it tells {detection.mean:.1%} of the windows right; "
        "50% is guessing"
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
