"""The tables that `packets.json` and `streaming.json` fill: heads, and rows."""

import statistics
from collections.abc import Sequence
from typing import Any

__all__ = ["speed", "streaming"]

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def speed(results: dict[str, Any]) -> Table:
    """Packets a second on one core, and times as many as with plain Scapy."""
    rows = []
    for device in results["devices"]:
        found = device["speed"]
        rates = [found[f"{what}_per_second"] for what in ("drawn", "sessions", "windows", "scapy")]
        ratios = [found[f"{what}_ratio"] for what in ("sessions", "windows")]
        fit = f"{device['learning_seconds']:.2f} s"
        rows.append((device["device"], *(f"{n:,}" for n in rates), *map(str, ratios), fit))
    median = statistics.median(device["learning_seconds"] for device in results["devices"])
    targets = ["", "50,000", "50,000", "", "20", "20", f"30 s, median {median:.2f}"]
    heads = "device, drawn, sessions written, windows written, plain Scapy, times Scapy, "
    heads += "times Scapy (windows), headers learnt"
    return heads.split(", "), [*rows, ("**target, at least**", *targets)]


def streaming(results: dict[str, Any]) -> Table:
    """What ever more packets cost."""
    heads = "packets, format, peak memory, file, seconds of one core, packets a second"
    rows = [
        (
            f"{run['packets']:,}",
            run["suffix"],
            f"{run['peak_memory_mb']} MB",
            f"{run['megabytes']:,} MB",
            f"{run['cpu_seconds']:,}",
            f"{run['packets'] / run['cpu_seconds']:,.0f}",
        )
        for run in results["runs"]
    ]
    return heads.split(", "), rows
