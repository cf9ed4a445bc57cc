"""The tables of what writing packets takes: heads, and rows."""

import statistics
from collections.abc import Sequence
from typing import Any

__all__ = ["membership", "privacy", "round_trip", "speed", "startup", "streaming"]

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def speed(results: dict[str, Any]) -> Table:
    """Packets a second on one core, and times as many as with plain Scapy."""
    heads = "device, drawn, sessions written, windows written, plain Scapy, times Scapy, "
    heads += "times Scapy (windows), time to record"
    rows = []
    for device in results["devices"]:
        found = device["speed"]
        kinds = ("drawn", "sessions", "windows", "scapy")
        rates = [f"{found[f'{kind}_per_second']:,}" for kind in kinds]
        ratios = [str(found[f"{kind}_ratio"]) for kind in ("sessions", "windows")]
        rows.append((device["device"], *rates, *ratios, f"{device['recording_seconds']:.2f} s"))
    targets = ["200,000", "200,000", "150,000", "", "120", "", "30 s"]
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


def startup(results: dict[str, Any]) -> Table:
    """What short commands cost."""
    heads = "command, seconds, of one core, peak memory"
    rows = [
        (
            f"`{run['command']}`",
            f"{run['seconds']:.2f}",
            f"{run['cpu_seconds']:.2f}",
            f"{run['peak_memory_mb']} MB",
        )
        for run in results["runs"]
    ]
    return heads.split(", "), rows


def round_trip(results: dict[str, Any]) -> Table:
    """Segments whose numbers are restored from their references."""
    heads = "device, segments, restored, with SACK, restored, with timestamps, restored"
    devices = results["devices"]
    counted = ("segments", "all_same", "with_blocks", "same_blocks", "with_stamps", "same_stamps")
    every = dict.fromkeys((*counted, "mentions", "on_an_edge"), 0)
    rows = []
    for found in devices:
        # of a segment without blocks none are lost
        lost = found["segments"] - found["same"]["blocks"]
        counts = found | {"same_blocks": found["with_blocks"] - lost}
        every = {name: count + counts[name] for name, count in every.items()}
        rows.append(_references(found["device"], counts, counted))
    rows.append(_references("**all**", every, counted))
    return [*heads.split(", "), "references at an edge"], rows


def _references(name: str, counts: dict[str, Any], counted: Sequence[str]) -> Sequence[str]:
    share = counts["on_an_edge"] / counts["mentions"]
    return name, *(f"{counts[each]:,}" for each in counted), f"{share:.2%}"


def membership(results: dict[str, Any]) -> Table:
    """How well captures that were learnt from are told from others."""
    heads = "device, captures, own strings, AUC (honeydata), of G, of H, AUC (model), of G, of H"
    rows = []
    for device in results["devices"]:
        row = [device["device"], str(device["captures"]), f"{device['own']:,}"]
        for place in ("output", "model"):
            splits = [split[place] for split in device["splits"]]
            aucs = ", ".join(f"{split['auc']:.2f}" for split in splits)
            means = (
                sum(split[half] for split in splits) / len(splits) for half in ("learnt", "unseen")
            )
            row += [aucs, *(f"{mean:.3%}" for mean in means)]
        rows.append(tuple(row))
    targets = ["", "", "0.60", "", "", "0.60", "", ""]
    return heads.split(", "), [*rows, ("**target, at most**", *targets)]


def privacy(results: dict[str, Any]) -> Table:
    """What windows of each generator tell of the captures learnt from; means over devices."""
    heads = "generator, membership AUC, found at 1 % false positives, distance to G, of H, "
    heads += "copied packets in a row, of H, copied bytes of payload, of H, identifiers"
    devices = [device["generators"] for device in results["devices"]]
    rows = []
    for of in zip(*devices, strict=True):
        means = {
            (metric, figure): statistics.mean(each[metric][figure] for each in of)
            for metric in ("membership", "distance", "run", "payload_run")
            for figure in of[0][metric]
        }
        rows.append(
            (
                f"`{of[0]['generator']}`",
                f"{means['membership', 'auc']:.2f}",
                f"{means['membership', 'tpr']:.1%}",
                f"{means['distance', 'synthetic']:.2f}",
                f"{means['distance', 'real']:.2f}",
                f"{means['run', 'synthetic']:.1f}",
                f"{means['run', 'real']:.1f}",
                f"{means['payload_run', 'synthetic']:,.0f}",
                f"{means['payload_run', 'real']:,.0f}",
                str(sum(each["identifiers"] for each in of)),
            )
        )
    return heads.split(", "), rows
