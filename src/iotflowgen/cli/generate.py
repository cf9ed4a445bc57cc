"""`iotflowgen generate`."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import iotflowgen as iot
from iotflowgen.cli.console import (
    interrupted_status,
    one_thread,
    progress_display,
    reports_errors,
    say,
)
from iotflowgen.cli.live import home_to_file
from iotflowgen.cli.options import (
    HOW_MUCH,
    WHAT,
    WHEN,
    WHO,
    AcceleratorOption,
    JsonOption,
    Seed,
    check_not_read,
    ends_in,
)
from iotflowgen.cli.persona import who_and_when
from iotflowgen.cli.summary import show_summary

__all__ = ["generate"]


@reports_errors
def generate(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL|HOME.toml",
            help="Model file of `iotflowgen fit`; or a home of decoys, as of `iotflowgen live`.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="File to write: .pcap, .pcapng, .parquet or .csv.",
            callback=ends_in(".pcap", ".pcapng", ".parquet", ".csv"),
        ),
    ],
    sessions: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of sessions, each from first packet to last, a minute apart.",
            show_default="1",
            rich_help_panel=HOW_MUCH,
        ),
    ] = None,
    packets: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of packets of one endless session.", rich_help_panel=HOW_MUCH
        ),
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Duration of one endless session: 90s, 30m, 24h or 7d.",
            rich_help_panel=HOW_MUCH,
        ),
    ] = None,
    windows: Annotated[
        int | None,
        typer.Option(
            "--windows",
            "-n",
            min=1,
            max=10**6,
            help="Number of windows, as in the paper.",
            rich_help_panel=HOW_MUCH,
        ),
    ] = None,
    mac: Annotated[
        str | None,
        typer.Option(
            metavar="MAC",
            help="MAC address of the device.",
            show_default="drawn, same vendor",
            rich_help_panel=WHO,
        ),
    ] = None,
    ip: Annotated[
        str | None,
        typer.Option(
            metavar="IP",
            help="IPv4 address of the device.",
            show_default="drawn",
            rich_help_panel=WHO,
        ),
    ] = None,
    ip6: Annotated[
        str | None,
        typer.Option(
            metavar="IP",
            help="IPv6 address of the device.",
            show_default="drawn",
            rich_help_panel=WHO,
        ),
    ] = None,
    gateway: Annotated[
        str | None,
        typer.Option(
            metavar="IP",
            help="IPv4 address of the gateway.",
            show_default="drawn",
            rich_help_panel=WHO,
        ),
    ] = None,
    persona: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            help="File with any of the keys mac, ip, ip6, gateway and start; options come first.",
            rich_help_panel=WHO,
        ),
    ] = None,
    keep_identifiers: Annotated[
        bool,
        typer.Option(
            "--keep-identifiers",
            help="Show the addresses, serial numbers and names that the model has.",
            rich_help_panel=WHO,
        ),
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Time of the first packet, such as 2026-01-01T08:00, UTC unless it names a zone; "
            "only with a fixed one do files repeat to the byte.",
            show_default="now",
            rich_help_panel=WHEN,
        ),
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME@TIME",
            help="What is to happen, such as on@18:30 or on@2026-01-01T18:30:05; may be repeated.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    schedule: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            help="Events by the hour and the day, drawn by the seed.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE",
            help="Time zone of --event, such as Europe/Berlin.",
            show_default="UTC",
            rich_help_panel=WHAT,
        ),
    ] = None,
    comments: Annotated[
        bool,
        typer.Option(
            "--comments",
            help="Have packets say which event has caused them, as comments in .pcapng.",
            rich_help_panel=WHAT,
        ),
    ] = False,
    payload: Annotated[
        Literal["recorded", "fuzz"],
        typer.Option(
            help="Content of packets beyond their features: as captured, or random as in the paper."
        ),
    ] = "recorded",
    seed: Seed = 0,
    accelerator: AcceleratorOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Generate honeydata: traffic that never happened, in whole sessions or in windows.

    Sessions take a model of `fit --generator sessions`, the default; without an amount one is
    drawn. Writing can be stopped with Ctrl-C: the file then holds what was written so far.

    Examples:
    ```
    iotflowgen generate plug.model --out honeydata.pcap
    iotflowgen generate plug.model --sessions 10 --ip 10.0.0.7 --out decoy.pcap
    iotflowgen generate plug.model --duration 24h --start 2026-01-01 -o day.pcap
    iotflowgen generate plug.model --sessions 10 --persona decoy.toml -o a.pcap
    iotflowgen generate plug.model --windows 500 --seed 1 --out windows.parquet
    iotflowgen generate plug.model --event on@18:30 --event off@23:10 -o a.pcap
    iotflowgen generate plug.model --schedule week.toml --duration 7d -o a.pcap
    iotflowgen generate home.toml --duration 24h --out home.pcap
    ```
    """
    check_not_read(out, model, persona, schedule)
    how_much: dict[str, Any] = {"sessions": sessions, "packets": packets, "windows": windows}
    happens: dict[str, Any] = {"events": event, "schedule": schedule, "zone": zone}
    content: dict[str, Any] = {"keep_identifiers": keep_identifiers, "comments": comments}
    if model.suffix.lower() == ".toml":
        others: dict[str, Any] = {"mac": mac, "ip": ip, "ip6": ip6, "gateway": gateway}
        others |= {"persona": persona}
        others |= {"seed": seed, "payload": payload == "fuzz", **how_much, **happens, **content}
        found = home_to_file(model, out, start, duration, others)
        return show_summary("generated", found, as_json=as_json)
    flags = {"mac": mac, "ip": ip, "ip6": ip6, "gateway": gateway, "start": start}
    shown, start = who_and_when(persona, flags)
    one_thread()
    honeydata = iot.load(model, accelerator=accelerator).generate(
        duration=duration, seed=seed, start=start, **how_much, **happens
    )
    written = _write(honeydata, out, shown, {"payload": payload, **content})
    show_summary("generated", {**written.summary(), "seed": seed}, as_json=as_json)
    if written.stopped:
        say("interrupted; the file is whole up to there", "stopped", "yellow")
        raise typer.Exit(interrupted_status())
    return None


def _write(
    honeydata: "iot.Honeydata", out: Path, shown: "iot.Persona", content: dict[str, Any]
) -> "iot.Written":
    """Write honeydata to a capture, or to a table by the suffix; `content` is that of packets."""
    with progress_display() as progress:
        if out.suffix.lower() not in (".parquet", ".csv"):
            return honeydata.to_pcap(out, persona=shown, progress=progress, **content)
        if shown != iot.Persona():
            say("a table has no addresses; those asked for come out in captures only")
        if content["comments"]:
            raise iot.ArgumentError(f"{out} has no comments; name a .pcapng", "comments")
        write = honeydata.to_csv if out.suffix.lower() == ".csv" else honeydata.to_parquet
        return write(out, progress=progress)
