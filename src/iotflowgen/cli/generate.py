"""`iotflowgen generate`."""

import ipaddress
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from iotflowgen.cli.console import one_thread, progress_display, reports_errors, say
from iotflowgen.cli.options import AcceleratorOption, Seed

if TYPE_CHECKING:
    from iotflowgen.packets import PacketBuilder

__all__ = ["generate"]


@reports_errors
def generate(
    model: Annotated[Path, typer.Argument(help="Model file of `iotflowgen fit`.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="File to write: .pcap, .pcapng, .parquet or .csv.")
    ],
    windows: Annotated[int, typer.Option("--windows", "-n", min=1, help="How many windows.")],
    seed: Seed = 0,
    accelerator: AcceleratorOption = "auto",
    start: Annotated[
        datetime | None,
        typer.Option(
            metavar="TIME",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"],
            help="When the first packet of a capture is sent, UTC; give it for a file that "
            "repeats to the byte.",
            show_default="now",
        ),
    ] = None,
    payload: Annotated[
        Literal["template", "fuzz"],
        typer.Option(
            help="What a capture's packets hold beside their features: what the device's packets "
            "were seen to hold, or random values as in the paper."
        ),
    ] = "template",
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
    keep_identifiers: Annotated[
        bool,
        typer.Option(
            "--keep-identifiers",
            help="Let the captured addresses, serial numbers and names come out as they are.",
        ),
    ] = False,
) -> None:
    """Generate honeydata: windows of traffic that never happened.

    Examples: `iotflowgen generate plug.model --windows 500 --out honeydata.pcap`,
    `iotflowgen generate plug.model --windows 500 --seed 1 --out honeydata.parquet`
    """
    import numpy as np

    from iotflowgen.generators import load_generator, read_model
    from iotflowgen.packets import FuzzBuilder, Persona, TemplateBuilder, write_capture
    from iotflowgen.tables import write_windows

    captures, tables = (".pcap", ".pcapng"), (".parquet", ".csv")
    suffix = out.suffix.lower()
    if suffix not in captures + tables:
        kinds = ", ".join(captures + tables)
        raise typer.BadParameter(f"{out} must end in one of {kinds}", param_hint="--out")
    chosen = {"mac": _mac(mac), "ip": _ip(ip, "--ip"), "gateway": _ip(gateway, "--gateway")}
    if any(chosen.values()) and (keep_identifiers or payload == "fuzz"):
        reason = "goes with --payload template only, and not with --keep-identifiers"
        raise typer.BadParameter(reason, param_hint="--mac, --ip, --gateway")
    one_thread()
    fitted = load_generator(model, accelerator=accelerator)
    rng = np.random.default_rng(seed)
    with progress_display() as progress:
        honeydata = fitted.sample(windows, rng, progress=progress)
        if suffix in tables:
            write_windows(honeydata, out)
        else:
            begin = (start or datetime.now(UTC)).replace(tzinfo=UTC, microsecond=0)
            headers = read_model(model)[0].headers if payload == "template" else None
            if headers:
                persona = Persona(headers, rng, keep=keep_identifiers, **chosen)
                builder: PacketBuilder = TemplateBuilder(headers, persona, rng)
            else:
                builder = FuzzBuilder(rng)
                if payload == "template":
                    say("the model knows no headers, so they are fuzzed; fit it on Ethernet again")
            start_ns = int(begin.timestamp()) * 10**9
            report = write_capture(
                honeydata, out, rng, start_ns=start_ns, builder=builder, progress=progress
            )
            for what, count in report.compromises.items():
                say(f"{count} packets: {what}")
    say(f"{windows} windows of {honeydata.size} packets in {out}")


def _mac(text: str | None) -> str | None:
    if text is None:
        return None
    digits = text.lower().replace("-", ":")
    if not re.fullmatch(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}", digits):
        raise typer.BadParameter(f"{text} is no MAC address of a host", param_hint="--mac")
    return digits


def _ip(text: str | None, option: str) -> str | None:
    try:
        return text and str(ipaddress.IPv4Address(text))
    except ValueError as error:
        raise typer.BadParameter(f"{text} is no IPv4 address", param_hint=option) from error
