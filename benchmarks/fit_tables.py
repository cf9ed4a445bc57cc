"""The tables that `fit.json`, `authors.json`, `stages.json` and `selection.json` fill."""

import statistics
from collections.abc import Sequence
from typing import Any

__all__ = ["budgets", "fit", "reconstruction", "selected", "settings", "stages"]

Device = dict[str, Any]
Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def fit(devices: Sequence[Device]) -> Table:
    """The 18 devices: what was learnt, at what cost."""
    rows = [
        (
            d["device"],
            f"{d['packets']:,}",
            f"{d['report']['windows']:,}",
            str(d["report"]["signatures"]),
            f"{d['report']['codes_used']:.0%}",
            f"{d['reconstruction_mean']:.3f}",
            f"{d['unique_share']['real']:.0%}",
            f"{d['unique_share']['synthetic']:.0%}",
            f"{d['detection']:.1%}",
            str(d["malformed"]),
            f"{d['seconds']['fit_cpu']:.0f}",
            f"{d['peak_memory_mb']:,.0f}",
        )
        for d in devices
    ]
    heads = "device, packets, windows, signatures, codes used, reconstruction, distinct real, "
    heads += "distinct generated, detected, malformed, fit s, peak MB"
    return heads.split(", "), rows


def budgets(devices: Sequence[Device]) -> Table:
    """Targets, and what was measured."""
    fits = [d["seconds"]["fit_cpu"] for d in devices]
    rows = [
        ("reconstruction, lowest", "0.95", f"{min(d['reconstruction_mean'] for d in devices):.3f}"),
        ("fit, median, seconds of one core", "180", f"{statistics.median(fits):.0f}"),
        ("fit, longest, seconds of one core", "360", f"{max(fits):.0f}"),
        (
            "10,000 windows, longest, seconds on a busy machine",
            "20",
            f"{max(d['seconds']['generate_10000_windows'] for d in devices):.0f}",
        ),
        ("peak memory, MB", "2,000", f"{max(d['peak_memory_mb'] for d in devices):,.0f}"),
        ("malformed packets", "0", str(sum(d["malformed"] for d in devices))),
        ("detected, mean", "", f"{statistics.mean(d['detection'] for d in devices):.1%}"),
    ]
    return ["over the 18 devices", "target", "measured"], rows


def reconstruction(devices: Sequence[Device]) -> Table:
    """Share of each field's tokens that come back, on captures that the fit never saw."""
    fields = list(devices[0]["reconstruction"])
    rows = [
        (
            d["device"],
            *(f"{d['reconstruction'][field]:.3f}" for field in fields),
            f"{d['reconstruction_mean']:.3f}",
            f"{d['report']['length_accuracy']:.3f}",
            f"{d['report']['lengths_known']:.3f}",
        )
        for d in devices
    ]
    return ["device", *fields, "mean", "lengths correct", "lengths known"], rows


def settings(devices: Sequence[Device], of_authors: Sequence[Device]) -> Table:
    """The two named configurations side by side."""
    laptop = {d["device"]: d for d in devices}
    rows = [
        (
            d["device"],
            name,
            f"{d['detection']:.1%}",
            f"{d['report']['nll_pretrained']:.2f}",
            f"{d['report']['nll']:.2f}",
            f"{d['report']['variety']:.2f}",
            f"{d['seconds']['fit_cpu']:,.0f}",
        )
        for authors in of_authors
        for name, d in (("laptop", laptop[authors["device"]]), ("authors", authors))
    ]
    heads = "device, settings, detected, NLL pre-trained, NLL after, variety, fit s"
    return heads.split(", "), rows


def stages(devices: Sequence[Device]) -> Table:
    """Accuracy of the paper's adversary by stage of its method."""
    names = list(dict.fromkeys(name for d in devices for name in d["accuracy"]))
    rows = [
        (d["device"], *(f"{d['accuracy'][n]:.1%}" if n in d["accuracy"] else "" for n in names))
        for d in devices
    ]
    return ["device", *names], rows


def selected(cells: Sequence[Device]) -> dict[str, dict[str, float]]:
    """Of each generator, by device, the least accuracy of all rounds and settings."""
    found: dict[str, dict[str, float]] = {}
    for cell in cells:
        of = found.setdefault(cell["generator"], {})
        of[cell["device"]] = min(cell["least"], of.get(cell["device"], 1.0))
    return found
