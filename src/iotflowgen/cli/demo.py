"""`iotflowgen demo`."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import files
from pathlib import Path
from typing import Annotated, Any

import typer

import iotflowgen as iot
from iotflowgen.cli.console import one_thread, out, progress_display, reports_errors, say
from iotflowgen.cli.options import Seed, Settings, no_file, read_toml
from iotflowgen.plugins import ADVERSARIES, GENERATORS

__all__ = ["demo"]

_SESSIONS = 64  # as many windows as the adversary is given, and more
_WINDOWS = 500  # the paper's n
_HELD_OUT = 300  # of each half of the captures that were not learnt, also of the small ones
_ADVERSARY = "packet-metadata"  # the paper's


@reports_errors
def demo(
    sample: Annotated[str, typer.Option(help="Which sample device: plug or camera.")] = "plug",
    samples: Annotated[
        Path | None,
        typer.Option(help="Folder of the sample captures.", show_default="those installed"),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--out", help="Folder to write to.", callback=no_file)
    ] = Path("out/demo"),
    config: Settings = None,
    seed: Seed = 0,
) -> None:
    """Learn a sample device, write whole sessions of it, and attack them; then the paper's way.

    `--config` is for the paper's method, `iotflow`.

    Examples:
    ```
    iotflowgen demo
    iotflowgen demo --sample camera
    ```
    """
    folder_of_captures = _captures(samples, sample)
    complete = _has_extras()
    settings = read_toml(config, "--config")
    one_thread()
    steps = _Steps()
    with progress_display() as progress:
        with steps.step("read"):
            captures = iot.read_captures(folder_of_captures, progress=progress)
            steps.result = f"{captures.packets} packets in {len(captures)} captures"
        written = _sessions(captures, folder, seed, steps, progress)
        if complete:
            _attack_sessions(captures, written[-1], seed, steps, progress)
            written += _as_published(captures, folder, settings, seed, steps, progress)
    ways = "by sessions, and as in the paper (iotflow)" if complete else "by sessions"
    steps.show(f"Honeydata of the sample {sample}: {ways}")
    if not complete:
        say("no attack, and not the paper's method: these need pip install 'iotflowgen[all]'")
    out.print("Written:", *written, sep="\n  ", markup=False)
    out.print(
        f"Look at it, and at a real one:\n  tshark -r {folder / 'sessions.pcap'} | head -40\n"
        f"  tshark -r {folder_of_captures / captures[0].name} | head -40\n"
        f"With your own captures:\n  {sys.argv[0]} fit CAPTURES --out my.model\n"
        f"  {sys.argv[0]} generate my.model --sessions 10 --out honeydata.pcap",
        markup=False,
        soft_wrap=True,
    )


def _captures(samples: Path | None, sample: str) -> Path:
    """The captures of a sample: in a folder named, in a clone, or as they were installed."""
    places = [samples] if samples else [Path("samples"), *_installed()]
    for place in places:
        if (place / sample).is_dir():
            return place / sample
    raise iot.CaptureError(f"there is no folder {places[0] / sample}; say --samples FOLDER")


def _has_extras() -> bool:
    """Whether all is installed that attacks and the paper's method take."""
    try:
        import iotflowgen.evaluation  # noqa: F401

        return bool(GENERATORS["iotflow"] and ADVERSARIES[_ADVERSARY])
    except iot.ExtraMissing:
        return False


def _installed() -> Iterator[Path]:
    """The folder of samples that was installed with the package, wherever the installer put it."""
    for file in files("iotflowgen") or ():
        if file.parts[-5:-2] == ("share", "iotflowgen", "samples"):
            yield Path(str(file.locate())).resolve().parents[1]
            return


def _sessions(
    captures: "iot.Captures", folder: Path, seed: int, steps: "_Steps", progress: "iot.Progress"
) -> list[Path]:
    """Learn from every other capture, and write sessions."""
    model_file, capture = folder / "sessions.model", folder / "sessions.pcap"
    with steps.step("sessions: learn"):
        model = iot.fit(captures[::2], seed=seed, progress=progress)
        model.save(model_file)
        steps.result = f"from every other capture, {len(model.captures)}"
    with steps.step("sessions: generate"):
        written = model.generate(sessions=_SESSIONS, seed=seed).to_pcap(capture)
        steps.result = (
            f"{written.sessions} sessions, {written.packets} packets of {written.device_ip}, "
            f"{written.device_mac}"
        )
    return [model_file, capture]


def _attack_sessions(
    captures: "iot.Captures", capture: Path, seed: int, steps: "_Steps", progress: "iot.Progress"
) -> None:
    """Have sessions told from the captures that were not learnt from."""
    with steps.step("sessions: attack"):
        found = iot.evaluate(
            captures[1::2],
            capture,
            protocol="held-out",
            adversaries=[_ADVERSARY],
            windows=_HELD_OUT,
            seed=seed,
            progress=progress,
        )
        steps.result = (
            f"of captures not learnt from, the paper's adversary tells "
            f"{found.accuracy[_ADVERSARY]:.1%} of the windows right, "
            f"{100 * found.excess[_ADVERSARY]:+.1f} points more than real ones from real ones"
        )


def _as_published(
    captures: "iot.Captures",
    folder: Path,
    settings: dict[str, Any],
    seed: int,
    steps: "_Steps",
    progress: "iot.Progress",
) -> list[Path]:
    """Learn from all captures by the paper's method, and have windows told from the same."""
    model_file, table = folder / "iotflow.model", folder / "windows.parquet"
    with steps.step("iotflow: learn"):
        model = iot.fit(
            captures, generator="iotflow", config=settings, seed=seed, progress=progress
        )
        model.save(model_file)
        report = model.report
        steps.result = (
            f"{report['signatures']} packet-level signatures; of captures set aside, "
            f"{report['reconstruction_mean']:.0%} of the fields come back from their codes"
        )
    with steps.step("iotflow: generate"):
        honeydata = model.generate(windows=_WINDOWS, seed=seed)
        written = honeydata.to_parquet(table, progress=progress)
        size = written.packets // _WINDOWS
        steps.result = f"{written.sessions} windows of {size} packets"
    with steps.step("iotflow: attack"):
        found = iot.evaluate(
            captures,
            table,
            adversaries=[_ADVERSARY],
            window=size,
            windows=_WINDOWS,
            seed=seed,
            progress=progress,
        )
        steps.result = (
            f"of the captures learnt from, it tells {found.accuracy[_ADVERSARY]:.1%} of the "
            "windows right; 50% is guessing"
        )
    return [model_file, table]


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
