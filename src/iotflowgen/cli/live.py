"""`iotflowgen live`."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import iotflowgen as iot
from iotflowgen.cli.console import interrupted_status, out, reports_errors, say
from iotflowgen.cli.options import HOW_MUCH, WHEN, WHO, JsonOption, Seed, check_not_read
from iotflowgen.cli.summary import show_summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from iotflowgen.live import Home, Place

__all__ = ["home_to_file", "live"]

WHERE = "Where"
VERBS = ("status", "pause", "resume", "reload", "stop", "event")


@reports_errors
def live(
    what: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL|HOME.toml|VERB",
            help="One decoy, or a home of them; or to those that run: status, pause, resume, "
            "event, reload, stop; or check, which looks whether a network lets them through.",
        ),
    ],
    of: Annotated[
        str | None,
        typer.Argument(
            metavar="DECOY|HOME.toml",
            help="Which decoy to pause or resume, or has an event, or what to check.",
        ),
    ] = None,
    event: Annotated[
        str | None, typer.Argument(metavar="EVENT", help="What happens to the decoy.")
    ] = None,
    near: Annotated[
        str | None,
        typer.Option(
            metavar="INTERFACE",
            help="Where decoys are plugged in.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    far: Annotated[
        str | None,
        typer.Option(
            metavar="INTERFACE",
            help="Where the gateway is; frames of the decoys' peers are sent there.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    bridge: Annotated[
        str | None,
        typer.Option(
            metavar="BRIDGE",
            help="Instead of both, where this computer is the gateway: its bridge, on which decoys "
            "get a port of their own.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    confirm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="INTERFACE",
            help="An interface that decoys may use although it has a default route.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    rate: Annotated[
        int,
        typer.Option(help="Frames a second, at most.", rich_help_panel=HOW_MUCH),
    ] = 1000,
    duration: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="How long: 90s, 30m, 24h or 7d; of device time with --dry-run.",
            show_default="until Ctrl-C; 1h with --dry-run",
            rich_help_panel=HOW_MUCH,
        ),
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder for the ledger of fake flows: JSON lines, and Zeek's conn.log.",
        ),
    ] = None,
    metrics: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", help="Port of the loopback interface where Prometheus may ask."
        ),
    ] = None,
    socket: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="UNIX socket of the verbs.", show_default="/run/iotflowgen.sock"
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing, and write what would be sent.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File of a dry run: .pcap or .pcapng."),
    ] = None,
    mac: Annotated[
        str | None,
        typer.Option(metavar="MAC", help="MAC address of the decoy.", rich_help_panel=WHO),
    ] = None,
    ip: Annotated[
        str | None,
        typer.Option(
            metavar="IP",
            help="IPv4 address of the decoy; dhcp: the one that the network's server gives.",
            rich_help_panel=WHO,
        ),
    ] = None,
    gateway: Annotated[
        str | None,
        typer.Option(metavar="IP", help="IPv4 address of the gateway.", rich_help_panel=WHO),
    ] = None,
    gateway_mac: Annotated[
        str | None,
        typer.Option(metavar="MAC", help="MAC address of the gateway.", rich_help_panel=WHO),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Device time at which decoys are switched on, such as 2026-01-01T08:00.",
            show_default="now",
            rich_help_panel=WHEN,
        ),
    ] = None,
    pace: Annotated[
        float,
        typer.Option(min=0.001, max=1e5, help="Device seconds in a second.", rich_help_panel=WHEN),
    ] = 1.0,
    seed: Seed = 0,
    as_json: JsonOption = False,
) -> None:
    """Put decoys on a network: they talk as their devices do, for as long as this runs.

    What a decoy sends goes out at one interface, what its peers and its gateway send at another,
    where the network expects them. Needs the right to send raw packets (root, or CAP_NET_RAW).

    Examples:
    ```
    iotflowgen live plug.model --dry-run --duration 10m --out check.pcap
    iotflowgen live plug.model --near lan0 --far gw0 --ip 192.168.20.31
    iotflowgen live plug.model --bridge br0 --ip dhcp
    iotflowgen live home.toml --bridge br0 --ledger /var/log/iotflowgen
    iotflowgen live check home.toml --near lan0 --far gw0
    iotflowgen live pause plug
    iotflowgen live event plug on
    iotflowgen live reload
    ```
    """
    if str(what) in VERBS:
        return show_summary("decoys", _ask(str(what), of, event, socket), as_json=as_json)
    if (checks := str(what) == "check") and of is not None:
        what, of = Path(of), None
    if of is not None or event is not None or str(what) == "check":
        raise iot.ArgumentError(
            "only pause, resume and event take the name of a decoy, check a home"
        )
    if out is not None and not dry_run:
        raise iot.ArgumentError("a file is written with --dry-run only", "out")
    one = {"mac": mac, "address": ip, "seed": seed}
    home_of = partial(_home, what, one, {"gateway": gateway, "gateway_mac": gateway_mac})
    home = home_of()
    when = _start(start), duration
    how = {"rate": rate, "confirmed": confirm or [], "ledger": ledger}
    how |= {"metrics": metrics, "socket": socket}
    if checks:
        return _check(home, _place(near, far, bridge, how), as_json=as_json)
    if dry_run:
        summary = _write(home, out, *when)
    else:
        summary = _send(home, home_of, _place(near, far, bridge, how), pace, *when)
    show_summary("sent" if not dry_run else "would be sent", summary, as_json=as_json)
    if summary.get("stopped"):
        raise typer.Exit(interrupted_status())
    return None


def _ask(verb: str, decoy: str | None, event: str | None, socket: Path | None) -> dict[str, Any]:
    from iotflowgen.live import DEFAULT_SOCKET, ask

    if (verb in ("pause", "resume", "event")) != (decoy is not None):
        raise iot.ArgumentError("pause, resume and event take the name of a decoy, others none")
    if (verb == "event") != (event is not None):
        raise iot.ArgumentError(
            "event takes the names of a decoy and of what happens: event plug on"
        )
    return ask(socket or DEFAULT_SOCKET, {"ask": verb, "decoy": decoy, "event": event})


def _check(home: "Home", place: "Place", *, as_json: bool) -> None:
    from iotflowgen.live import check

    findings = check(home, place)
    if as_json:
        said = [{**each._asdict(), "ok": each.is_well} for each in findings]
        out.print(json.dumps(said, indent=2), markup=False, soft_wrap=True)
    for each in () if as_json else findings:
        line = f"{each.found}: {each.advice}" if each.advice else each.found
        kind = "ok" if each.is_well else "wrong"
        out.print(f"{kind:6} {each.check:14} {line}", markup=False, soft_wrap=True)
    if not all(each.is_well for each in findings):
        raise typer.Exit(1)


def home_to_file(
    home: Path,
    out: Path,
    start: str | None,
    duration: str | None,
    others: dict[str, Any],
) -> dict[str, Any]:
    """Write the traffic of a home to a capture file; `others` are options that have no place.

    Raises:
        ArgumentError: One of these is given, or the home cannot be.
        OutputError: The file cannot be written.
    """
    return _write(_home(home, others, {}), out, _start(start), duration)


def _home(what: Path, decoy: dict[str, Any], network: dict[str, Any]) -> "Home":
    from iotflowgen.live import read_home
    from iotflowgen.live.home import one_decoy

    if what.suffix.lower() == ".toml":
        given = {"ip" if name == "address" else name: decoy[name] for name in decoy} | network
        if options := [name for name, value in given.items() if value]:
            raise iot.ArgumentError(f"not with {what}, which says who decoys are", *options)
        return read_home(what)
    return one_decoy(what, decoy, network)


def _start(start: str | None) -> int | None:
    from iotflowgen.library.times import nanoseconds_of

    return None if start in (None, "now") else nanoseconds_of(start)


def _write(
    home: "Home", out: Path | None, start_ns: int | None, duration: str | None
) -> dict[str, Any]:
    from iotflowgen.library.times import nanoseconds_of, seconds_of
    from iotflowgen.live import dry_run

    if out is None or out.suffix.lower() not in (".pcap", ".pcapng"):
        raise iot.ArgumentError("name a file that ends in .pcap or .pcapng", "out")
    check_not_read(out, *(decoy.model for decoy in home.decoys))
    start_ns = nanoseconds_of(None) if start_ns is None else start_ns
    return dry_run(home, out, start_ns=start_ns, seconds=seconds_of(duration or "1h"))


def _place(near: str | None, far: str | None, bridge: str | None, how: dict[str, Any]) -> "Place":
    from iotflowgen.live import Place

    if bridge and (near or far):
        raise iot.ArgumentError("a bridge takes the place of both ends", "bridge")
    if not bridge and not (near and far):
        raise iot.ArgumentError(
            "name an interface for each, or --bridge; or say --dry-run", "near", "far"
        )
    said = {name: value for name, value in how.items() if value is not None}
    return Place(near=near or "", far=far or "", bridge=bridge or "", **said)


def _send(
    home: "Home",
    reread: "Callable[[], Home]",
    place: "Place",
    pace: float,
    start_ns: int | None,
    duration: str | None,
) -> dict[str, Any]:
    from iotflowgen.library.times import seconds_of
    from iotflowgen.live import run

    seconds = seconds_of(duration) if duration else float("inf")

    how = {"pace": pace, "seconds": seconds}
    return run(home, place, start_ns=start_ns, **how, reread=reread, say=say)
