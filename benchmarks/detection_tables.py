"""The tables that `benchmark.json` fills, alone or beside others: heads, and rows."""

import statistics
from collections.abc import Sequence
from typing import Any

from figures import mean, share

from iotflowgen.evaluation import Results
from iotflowgen.report import PAPER_TABLE_1

__all__ = [
    "adversaries",
    "costs",
    "identification",
    "iotflow_targets",
    "metrics",
    "summary",
    "table_1",
    "targets",
]

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def summary(results: Results) -> Table:
    """What adversaries find of captures they were not fitted on: five rows, for the README."""
    adversaries = {"packet-metadata": "LSTM", "boosting": "gradient boosting"}
    adversaries["rocket"] = "MiniRocket"
    generators = {
        "sessions": "**iotflowgen**",
        "replay": "replay of captured windows, durations jittered",
        "iotflow": "the paper's method",
        "doppelganger": "DoppelGANger",
    }
    real = [share("", mean(_controls(results, "held-out", name))) for name in adversaries]
    rows = [["real traffic", *real]]
    for generator, title in generators.items():
        found = [
            _by_device(results, "held-out", generator, name, "accuracy") for name in adversaries
        ]
        rows.append([title, *(share("", mean([*of.values()])) for of in found)])
    return ["windows of", *adversaries.values()], rows


def table_1(results: Results) -> Table:
    """The paper's Table 1 beside ours, and the excess under `held-out`; the paper's adversary."""
    generators = results.made_with["generators"]
    columns: dict[str, dict[str, float]] = {
        "paper: IoTG": {name: found.iotg for name, found in PAPER_TABLE_1.items()},
        "paper: DG": {name: found.dg for name, found in PAPER_TABLE_1.items()},
    }
    columns["`iotflow`, as their code measures"] = _by_device(
        results, "paper", "iotflow", "published", "accuracy"
    )
    for name in generators:
        columns[f"`{name}`"] = _by_device(results, "paper", name, "packet-metadata", "accuracy")
    for name in generators:
        columns[f"excess `{name}`"] = _by_device(
            results, "held-out", name, "packet-metadata", "excess"
        )
    devices = [device.name for device in results.devices]
    rows = [
        (device, *(share(name, of.get(device)) for name, of in columns.items()))
        for device in devices
    ]
    means = [share(name, mean([of[d] for d in devices if d in of])) for name, of in columns.items()]
    return ["device", *columns], [*rows, ("**mean**", *means)]


def adversaries(results: Results) -> Table:
    """Every adversary: mean over the devices, and the worst device."""
    made_with = results.made_with
    rows = []
    for protocol, figure in (
        ("paper", "accuracy"),
        ("held-out", "accuracy"),
        ("held-out", "excess"),
    ):
        for adversary in made_with["adversaries"]:
            if not any(results.select(protocol=protocol, adversary=adversary)):
                continue
            row = [f"{protocol}, {figure}", f"`{adversary}`"]
            for name in made_with["generators"]:
                found = list(_by_device(results, protocol, name, adversary, figure).values())
                worst = share(figure, max(found, default=None))
                row.append(f"{share(figure, mean(found))} ({worst})" if found else "")
            row.append(share("", mean(_controls(results, protocol, adversary))))
            rows.append(row)
    heads = [f"`{name}`" for name in made_with["generators"]]
    return ["mean (worst)", "adversary", *heads, "control"], rows


def identification(results: Results) -> Table:
    """A classifier of device types, trained on real windows."""
    rows = []
    for name in results.made_with["generators"]:
        entries = [e for e in results.identification if e.generator == name and not e.error]
        kinds = ("accuracy", "acceptance", "train_on_synthetic")
        shares = [
            share("", mean([v for entry in entries for v in getattr(entry, kind).values()]))
            for kind in kinds
        ]
        ratio = mean([entry.ratio for entry in entries if entry.ratio is not None])
        rows.append((f"`{name}`", *shares, "" if ratio is None else f"{ratio:.2f}"))
    heads = "generator, real windows of H, synthetic windows, H after training on synthetic, ratio"
    return heads.split(", "), rows


_METRICS = {
    "copied windows": ("copied_share", "synthetic", "real", "{:.1%}"),
    "longest copied run, packets": ("copied_run", "synthetic", "real", "{:.1f}"),
    "distance to G, ratio": ("nearest_distance", "ratio", None, "{:.2f}"),
    "membership AUC": ("membership_inference", "auc", None, "{:.2f}"),
    "distinct windows": ("unique_share", "synthetic", "real", "{:.1%}"),
    "precision": ("precision_recall", "precision", "precision_control", "{:.2f}"),
    "recall": ("precision_recall", "recall", "recall_control", "{:.2f}"),
    "density": ("density_coverage", "density", "density_control", "{:.2f}"),
    "coverage": ("density_coverage", "coverage", "coverage_control", "{:.2f}"),
    "lengths, Jensen-Shannon": ("field_distance", "length", "length_control", "{:.2f}"),
    "source ports": ("field_distance", "src_port", "src_port_control", "{:.2f}"),
    "destination ports": ("field_distance", "dst_port", "dst_port_control", "{:.2f}"),
    "protocols": ("field_distance", "protocols", "protocols_control", "{:.2f}"),
    "directions": ("field_distance", "outgoing", "outgoing_control", "{:.2f}"),
    "durations, decades": ("duration_distance", "decades", "decades_control", "{:.2f}"),
    "autocorrelation of durations": ("duration_autocorrelation", "mean", "mean_control", "{:.2f}"),
    "signatures found": ("signature_rates", "found", None, "{:.1%}"),
    "rate of signatures, difference": (
        "signature_rates",
        "difference",
        "difference_control",
        "{:.3f}",
    ),
}


def metrics(results: Results) -> Table:
    """Copying, variety and fields under `held-out`, means over devices and splits."""
    generators = results.made_with["generators"]
    rows = []
    for title, (metric, figure, genuine, form) in _METRICS.items():
        of = {name: _metric(results, name, metric, figure) for name in generators}
        row = [title, *("" if of[n] is None else form.format(of[n]) for n in generators)]
        beside = _metric(results, generators[0], metric, genuine) if genuine else None
        rows.append([*row, "" if beside is None else form.format(beside)])
    return ["metric", *(f"`{name}`" for name in generators), "real"], rows


def costs(results: Results) -> Table:
    """Seconds of one core that a fit and its windows took."""
    rows = []
    for name in results.made_with["generators"]:
        of = [s for s in results.samples if s.generator == name and s.error is None]
        fits = [s.fit_seconds for s in of if s.fit_seconds is not None]
        draws = [s.sample_seconds for s in of if s.sample_seconds is not None]
        median, longest = statistics.median(fits), max(fits)
        rows.append((f"`{name}`", f"{median:.1f}", f"{longest:.1f}", f"{max(draws):.1f}"))
    return ["generator", "fit, median, s", "fit, longest, s", "draw, longest, s"], rows


def targets(results: Results) -> Table:
    """Targets under one configuration for all devices, and what `sessions` reaches."""
    rows = []
    accuracy = _by_device(results, "paper", "sessions", "packet-metadata", "accuracy")
    above = sum(accuracy[name] > found.iotg for name, found in PAPER_TABLE_1.items())
    rows.append(
        _target("accuracy, `paper`, `packet-metadata`", "63.9% (76.8%)", accuracy, 0.55, 0.6)
    )
    rows.append(("devices above the paper's own accuracy", "", "0", str(above), _met(above == 0)))
    for adversary, aim, worst in (
        ("packet-metadata", 0.03, 0.1),
        ("boosting", 0.06, 0.15),
        ("rocket", 0.05, None),
    ):
        excess = _by_device(results, "held-out", "sessions", adversary, "excess")
        rows.append(_target(f"excess, `held-out`, `{adversary}`", "", excess, aim, worst))
        guess = _excess_of_guessing(results, adversary)
        is_mean, is_worst = statistics.mean(guess.values()), max(guess.values())
        found = f"{share('excess', is_mean)} ({share('excess', is_worst)})"
        rows.append(("the same, if the adversary only guesses", "", "", found, ""))
    entries = [e for e in results.identification if e.generator == "sessions"]
    ratio = statistics.mean(e.ratio for e in entries if e.ratio is not None)
    rows.append(
        ("identification, ratio to real windows", "", "0.97", f"{ratio:.2f}", _met(ratio >= 0.97))
    )
    made, real = (
        _metric(results, "sessions", "copied_share", figure) or 0.0
        for figure in ("synthetic", "real")
    )
    more = f"{100 * (made - real):+.1f}"
    rows.append(
        ("copied windows above those of H, points", "", "+5.0", more, _met(made - real <= 0.05))
    )
    cover, control = (
        _metric(results, "sessions", "density_coverage", figure) or 0.0
        for figure in ("coverage", "coverage_control")
    )
    reached = cover / control
    met = _met(reached >= 0.9)
    rows.append(("coverage, relative to that by G", "", "0.9", f"{reached:.2f}", met))
    seconds = [s.fit_seconds for s in results.samples if s.generator == "sessions"]
    fit = statistics.median(s for s in seconds if s is not None)
    rows.append(("fit, median, seconds of one core", "", "120", f"{fit:.2f}", _met(fit <= 120)))
    return ["mean (worst)", "paper", "target", "`sessions`", "met"], rows


def iotflow_targets(results: Results) -> Table:
    """What the paper's method reaches under the paper's protocol, first draws."""
    rows = []
    for adversary, paper, aim, worst in (
        ("packet-metadata", "63.9% (76.8%)", 0.58, 0.75),
        ("published", "", 0.55, 0.62),
    ):
        accuracy = _by_device(results, "paper", "iotflow", adversary, "accuracy")
        rows.append(_target(f"accuracy, `{adversary}`", paper, accuracy, aim, worst))
    accuracy = _by_device(results, "paper", "iotflow", "packet-metadata", "accuracy")
    below = sum(accuracy[name] < found.iotg for name, found in PAPER_TABLE_1.items())
    rows.append(("devices below the paper's own accuracy", "", "", f"{below} of 18", ""))
    excess = _by_device(results, "held-out", "iotflow", "boosting", "excess")
    rows.append(_target("excess, `held-out`, `boosting`", "", excess, 0.2, None))
    fits = [
        s.fit_seconds
        for s in results.samples
        if (s.generator, s.protocol) == ("iotflow", "paper") and s.fit_seconds is not None
    ]
    fit = statistics.median(fits)
    rows.append(("fit, median, seconds of one core", "", "180", f"{fit:.0f}", _met(fit <= 180)))
    return ["mean (worst)", "paper", "target", "`iotflow`", "met"], rows


def rivals(results: Results, found: Results) -> Table:
    """Generators of time series from PyPI beside ours, under `paper`, and what fits take."""
    columns: dict[str, dict[str, float | None]] = {}
    for of, name in (
        (results, "iotflow"),
        (results, "doppelganger"),
        (found, "par"),
        (found, "dgan"),
    ):
        for adversary in ("packet-metadata", "published"):
            cells = of.select(protocol="paper", generator=name, adversary=adversary)
            if accuracy := {cell.device: cell.accuracy for cell in cells}:
                columns[f"`{name}`, `{adversary}`"] = dict(accuracy)
        columns[f"`{name}`, fit, s"] = {
            s.device: s.fit_seconds
            for s in of.samples
            if (s.generator, s.protocol) == (name, "paper")
        }
    rows = [
        (
            device.name,
            *(_second_or_share(name, of.get(device.name)) for name, of in columns.items()),
        )
        for device in found.devices
    ]
    return ["device", *columns], rows


def known_source(results: Results, devices: Sequence[dict[str, Any]]) -> Table:
    """Excess by how many captures of a known source were learnt from, beside the benchmark's."""
    of = [device["accuracy"] for device in devices]
    adversaries = [*of[0]]
    found = {
        name: {
            adversary: [
                statistics.mean(a[adversary][name]) - statistics.mean(a[adversary]["control"])
                for a in of
            ]
            for adversary in adversaries
        }
        for name in of[0][adversaries[0]]
        if name != "control"
    }
    found["real"] = {
        name: [*_by_device(results, "held-out", "sessions", name, "excess").values()]
        for name in adversaries
    }
    titles = {"source": "the source itself", "real": "half of the device's captures"}
    rows = [
        (
            titles.get(name, f"{name} captures that the source made"),
            *(
                f"{share('excess', statistics.mean(each))} ({share('excess', max(each))})"
                for each in by.values()
            ),
        )
        for name, by in found.items()
    ]
    return ["excess, fitted on", *(f"`{name}`" for name in adversaries)], rows


def _second_or_share(name: str, value: float | None) -> str:
    if name.endswith(", s"):
        return "-" if value is None else f"{value:.0f}"
    return share(name, value)


def _excess_of_guessing(results: Results, adversary: str) -> dict[str, float]:
    """By device, how far controls are below 50 %: the excess of a guess."""
    cells = (
        cell
        for cell in results.cells
        if (cell.protocol, cell.generator, cell.adversary) == ("held-out", "sessions", adversary)
    )
    return {
        cell.device: statistics.mean(max(0, 0.5 - attack.control.mean) for attack in cell.attacks)
        for cell in cells
    }


def _target(
    title: str, paper: str, of: dict[str, float], aim: float, worst: float | None
) -> tuple[str, ...]:
    """A row: a mean over devices that is to be small, and perhaps its worst."""
    is_mean, is_worst = statistics.mean(of.values()), max(of.values())
    met = is_mean <= aim and (worst is None or is_worst <= worst)
    wanted = share(title, aim) + ("" if worst is None else f" ({share(title, worst)})")
    return title, paper, wanted, f"{share(title, is_mean)} ({share(title, is_worst)})", _met(met)


def _met(met: bool) -> str:
    return "yes" if met else "no"


def _by_device(
    results: Results, protocol: str, generator: str, adversary: str, figure: str
) -> dict[str, float]:
    cells = results.select(protocol=protocol, generator=generator, adversary=adversary)
    return {cell.device: getattr(cell, figure) for cell in cells}


def _controls(results: Results, protocol: str, adversary: str) -> list[float]:
    """Of every device and trial: the same for all generators."""
    first = results.made_with["generators"][0]
    cells = results.select(protocol=protocol, generator=first, adversary=adversary)
    return [attack.control.mean for cell in cells for attack in cell.attacks]


def _metric(results: Results, generator: str, metric: str, figure: str) -> float | None:
    found = [
        sample.metrics[metric][figure]
        for sample in results.samples
        if sample.generator == generator and metric in sample.metrics
    ]
    return mean([value for value in found if value is not None])
