"""`iotflowgen generate`."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from iotflowgen.cli.console import (
    interrupted_status,
    one_thread,
    progress_display,
    reports_errors,
    say,
)
from iotflowgen.cli.options import AcceleratorOption, Seed
from iotflowgen.cli.persona import Shown, who_and_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator

    from iotflowgen.generators import SessionGenerator
    from iotflowgen.packets import Renders
    from iotflowgen.progress import Progress
    from iotflowgen.recording import Recording
    from iotflowgen.traffic import Session, Windows

__all__ = ["generate"]


@reports_errors
def generate(
    model: Annotated[Path, typer.Argument(help="Model file of `iotflowgen fit`.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="File to write: .pcap, .pcapng, .parquet or .csv.")
    ],
    windows: Annotated[
        int | None, typer.Option("--windows", "-n", min=1, max=10**6, help="So many windows.")
    ] = None,
    sessions: Annotated[
        int | None,
        typer.Option(min=1, help="So many sessions, from first packet to last, a minute apart."),
    ] = None,
    packets: Annotated[
        int | None, typer.Option(min=1, help="So many packets of one session without end.")
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="So long of it: 90s, 30m, 24h or 7d."),
    ] = None,
    seed: Seed = 0,
    accelerator: AcceleratorOption = "auto",
    start: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="When the first packet is sent, such as 2026-01-01T08:00, in UTC unless it says "
            "another zone; give it for a file that repeats to the byte.",
            show_default="now",
        ),
    ] = None,
    payload: Annotated[
        Literal["recorded", "fuzz"],
        typer.Option(
            help="What a capture's packets hold beside their features: what the device's packets "
            "were seen to hold, or random values as in the paper."
        ),
    ] = "recorded",
    mac: Annotated[
        str | None,
        typer.Option(metavar="MAC", help="The device's.", show_default="drawn, same vendor"),
    ] = None,
    ip: Annotated[
        str | None, typer.Option(metavar="IP", help="The device's IPv4.", show_default="drawn")
    ] = None,
    gateway: Annotated[
        str | None, typer.Option(metavar="IP", help="The gateway's IPv4.", show_default="drawn")
    ] = None,
    persona: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            help="The keys mac, ip, gateway and start, all of them optional; what the command "
            "line says goes before the file.",
        ),
    ] = None,
    keep_identifiers: Annotated[
        bool,
        typer.Option(
            "--keep-identifiers",
            help="Let the captured addresses, serial numbers and names come out as they are.",
        ),
    ] = False,
) -> None:
    """Generate honeydata: traffic that never happened, in windows or in whole sessions.

    Sessions take a model that draws them, as `fit` makes by default. Writing them can be stopped
    with Ctrl-C: the file then holds all up to there.

    Examples: `iotflowgen generate plug.model --sessions 10 --out honeydata.pcap`,
    `iotflowgen generate plug.model --duration 24h --start 2026-01-01 --out honeydata.pcapng`,
    `iotflowgen generate plug.model --sessions 10 --persona decoy.toml --out honeydata.pcap`,
    `iotflowgen generate plug.model --windows 500 --seed 1 --out honeydata.parquet`
    """
    import numpy as np

    from iotflowgen.generators import SessionGenerator, load_generator
    from iotflowgen.packets import check_time, sessions_of, write_sessions

    captures, tables = (".pcap", ".pcapng"), (".parquet", ".csv")
    suffix = out.suffix.lower()
    if suffix not in captures + tables:
        kinds = ", ".join(captures + tables)
        raise typer.BadParameter(f"{out} must end in one of {kinds}", param_hint="--out")
    unit, amount = _how_much(
        {
            "--windows": windows,
            "--sessions": sessions,
            "--packets": packets,
            "--duration": None if duration is None else _seconds(duration),
        }
    )
    shown = who_and_when(persona, {"mac": mac, "ip": ip, "gateway": gateway, "start": start})
    if any(shown.addresses.values()):
        _check_addressed(keep_identifiers or payload == "fuzz", suffix in tables)
    one_thread()
    fitted, recording = load_generator(model, accelerator=accelerator)
    if unit != "--windows" and not isinstance(fitted, SessionGenerator):
        reason = f"{model} is of {fitted.name}, which draws windows only; say --windows"
        raise typer.BadParameter(reason, param_hint=unit)
    # packets have draws of their own: the same seed is the same traffic in every format
    rng, of_packets = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    renderer = None
    if suffix in captures:
        # rather now than after as many packets as fit in
        check_time(out, shown.start_ns + int(amount * 10**9) * (unit == "--duration"))
        recording = recording if payload == "recorded" else None
        if recording is None and payload == "recorded":
            say("the model knows no packets, so they are fuzzed; fit it on Ethernet again")
        renderer = _renderer(recording, of_packets, keep_identifiers, shown)
    with progress_display() as progress:
        if isinstance(fitted, SessionGenerator) and unit != "--windows":
            drawn = _drawn(fitted, unit, amount, shown.start_ns, rng, progress)
        else:
            honeydata = fitted.sample(int(amount), rng, progress=progress)
            if renderer is None:
                from iotflowgen.tables import write_windows

                write_windows(honeydata, out)
                _end(honeydata.length.size, out)
                return
            drawn = sessions_of(_matched(recording, honeydata, of_packets), shown.start_ns)
        if renderer is None:
            from iotflowgen.tables import write_sessions_table

            written, stopped = write_sessions_table(drawn, out)
        else:
            report = write_sessions(drawn, out, renderer, progress=progress)
            written, stopped = report.packets, report.stopped
            for what, count in renderer.compromises.most_common():
                say(f"{count} packets: {what}")
    _end(written, out, stopped=stopped)


def _matched(recording: "Recording | None", windows: "Windows", rng: "Generator") -> "Windows":
    """Windows whose packets repeat captured ones, where there are any like them."""
    from iotflowgen.recording import match

    if recording is None:
        return windows
    found, counts = match(recording, windows, rng)
    if fuzzed := counts.get("none"):
        say(f"{fuzzed} packets: nothing like them was captured, so they are fuzzed")
    return found


def _how_much(asked: "dict[str, float | None]") -> tuple[str, float]:
    chosen = [(unit, amount) for unit, amount in asked.items() if amount is not None]
    if len(chosen) != 1:
        raise typer.BadParameter("how much? Say one of these", param_hint=", ".join(asked))
    return chosen[0]


def _check_addressed(impossible: bool, is_table: bool) -> None:
    if impossible:
        reason = "addresses go with --payload recorded only, and not with --keep-identifiers"
        raise typer.BadParameter(reason, param_hint="--mac, --ip, --gateway, --persona")
    if is_table:
        say("a table has no addresses; those asked for come out in captures only")


def _renderer(
    recording: "Recording | None", rng: "Generator", keep: bool, shown: Shown
) -> "Renders":
    from iotflowgen.packets import Fuzzer, Persona, Renderer

    if recording is None:
        return Fuzzer(rng)
    persona = Persona(recording.identities, rng, keep=keep, **shown.addresses)
    return Renderer(recording, persona, rng)


def _drawn(
    fitted: "SessionGenerator",
    unit: str,
    amount: float,
    start_ns: int,
    rng: "Generator",
    progress: "Progress",
) -> "Iterator[Session]":
    from iotflowgen.generators import (
        apart,
        check_told,
        first_packets,
        first_seconds,
        starting_at,
    )

    if unit == "--sessions":
        drawn = apart(fitted, int(amount), rng, progress=progress)
    elif unit == "--packets":
        drawn = first_packets(fitted.stream(rng), int(amount), progress=progress)
    else:
        check_told(start_ns + int(amount * 10**9))
        drawn = first_seconds(fitted.stream(rng), amount, progress=progress)
    return starting_at(drawn, start_ns)


def _end(written: int, out: Path, *, stopped: bool = False) -> None:
    say(f"{written} packets in {out}")
    if stopped:
        say("interrupted; the file is whole up to there", "stopped", "yellow")
        raise typer.Exit(interrupted_status())


def _seconds(text: str) -> float:
    # more digits than these are more seconds than there are
    found = re.fullmatch(r"(\d{1,18}(?:\.\d{1,9})?)([smhd])", text)
    if not found or not float(found[1]):
        raise typer.BadParameter(
            f"{text} is no time such as 90s, 30m, 24h or 7d", param_hint="--duration"
        )
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]
