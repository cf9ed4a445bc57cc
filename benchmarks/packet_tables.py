"""The tables of what writing packets takes: heads, and rows."""

import statistics
from collections.abc import Sequence
from typing import Any

__all__ = ["references", "speed", "streaming"]

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def speed(interpreted: dict[str, Any], compiled: dict[str, Any]) -> Table:
    """Packets a second on one core, and times as many as with plain Scapy."""
    heads = "device, drawn, sessions written, windows written, plain Scapy, times Scapy, "
    heads += "times Scapy (windows), headers learnt"
    rows = []
    for results in (interpreted, compiled):
        for device in results["devices"]:
            found = device["speed"]
            kinds = ("drawn", "sessions", "windows", "scapy")
            rates = [f"{found[f'{kind}_per_second']:,}" for kind in kinds]
            ratios = [str(found[f"{kind}_ratio"]) for kind in ("sessions", "windows")]
            name = device["device"] + ", compiled" * results["compiled"]
            rows.append((name, *rates, *ratios, f"{device['learning_seconds']:.2f} s"))
    median = statistics.median(device["learning_seconds"] for device in interpreted["devices"])
    targets = ["", "50,000", "50,000", "", "20", "20", f"30 s, median {median:.2f}"]
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


def references(results: dict[str, Any]) -> Table:
    """Segments whose numbers come back from what they refer to."""
    heads = "device, segments of TCP, come back, with SACK, come back, references on an edge"
    devices = results["devices"]
    rows = []
    for found in devices:
        counts = [f"{found[name]:,}" for name in ("segments", "all_same", "with_blocks")]
        # a segment that has no blocks is none whose blocks are lost
        lost = found["segments"] - found["same"]["blocks"]
        share = f"{found['on_an_edge'] / found['mentions']:.2%}"
        rows.append((found["device"], *counts, f"{found['with_blocks'] - lost:,}", share))
    segments, same, blocks, mentions, on_an_edge = (
        sum(found[name] for found in devices)
        for name in ("segments", "all_same", "with_blocks", "mentions", "on_an_edge")
    )
    lost = segments - sum(found["same"]["blocks"] for found in devices)
    every = [f"{count:,}" for count in (segments, same, blocks, blocks - lost)]
    return heads.split(", "), [*rows, ("**all**", *every, f"{on_an_edge / mentions:.2%}")]
