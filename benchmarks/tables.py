"""Write the tables of README and docs from the committed results, between their markers.

python benchmarks/tables.py            # write
python benchmarks/tables.py --check    # fail where a table is not what its results say
"""

import json
import re
import statistics
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import fit_tables
import live_tables
import packet_tables
import realism_tables
import scan_tables
import stream_tables
import week_tables

from iotflowgen.evaluation import Results, read_results
from iotflowgen.report import PAPER_TABLE_1

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGES = ("README.md", *(str(p.relative_to(ROOT)) for p in sorted(ROOT.glob("docs/**/*.md"))))
_TABLE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def reading() -> str:
    """Captures read, next to bare tshark."""
    rows = [
        (
            r["device"],
            f"{r['packets']:,}",
            *(f"{r[name]:.2f}" for name in ("bare", "builtin")),
            f"{r['times']:.0f}",
            *(f"{r[name]:.2f}" for name in ("extract", "extract_tshark")),
        )
        for r in _results("capture.json")["reading"]
    ]
    heads = ["device", "packets", "tshark alone, s", "ours, s", "times as fast"]
    return _table([*heads, "`extract`, s", "with `--dissector tshark`, s"], rows)


def agreement() -> str:
    """Packets of which we say what tshark says not, of the Aalto devices together."""
    found, devices = _results("capture.json")["agreement"], _results("capture.json")["direction"]
    aalto = {each["device"] for each in devices}
    kinds = {each["of"]: each["of"] for each in found if each["of"] not in aalto}
    kinds = {f"{len(aalto)} devices of Aalto": "", **kinds}
    rows = []
    for title, name in kinds.items():
        of = [each for each in found if each["of"] == name or (not name and each["of"] in aalto)]
        packets, different = (sum(each[key] for each in of) for key in ("packets", "different"))
        rows.append((title, f"{packets:,}", f"{different:,}", f"{1 - different / packets:.3%}"))
    return _table(["captures", "packets", "different", "equal in all columns"], rows)


def direction() -> str:
    """Packets turned the wrong way by the paper's rule alone, and by ours."""
    found = _results("capture.json")["direction"]
    packets, bare, wrong = (sum(d[key] for d in found) for key in ("packets", "bare", "wrong"))
    rows = [
        ("IP address only, as in the paper", f"{bare:,}", f"{bare / packets:.1%}"),
        ("IP address and its MAC address", f"{wrong:,}", f"{wrong / packets:.1%}"),
    ]
    return _table([f"{len(found)} devices, {packets:,} packets", "wrong direction", "share"], rows)


def summary() -> str:
    """What adversaries find of captures they were not fitted on: five rows, for the README."""
    adversaries = {"packet-metadata": "LSTM", "boosting": "gradient boosting"}
    adversaries["rocket"] = "MiniRocket"
    generators = {
        "sessions": "**iotflowgen**",
        "replay": "replay of captured windows, durations jittered",
        "iotflow": "the paper's method",
        "doppelganger": "DoppelGANger",
    }
    real = [_share("", _mean(_controls("held-out", name))) for name in adversaries]
    rows = [["real traffic", *real]]
    for generator, title in generators.items():
        found = [_by_device("held-out", generator, name, "accuracy") for name in adversaries]
        rows.append([title, *(_share("", _mean([*of.values()])) for of in found)])
    return _table(["windows of", *adversaries.values()], rows)


def table_1() -> str:
    """The paper's Table 1 beside ours, and the excess under `held-out`; the paper's adversary."""
    results = _benchmark()
    generators = results.made_with["generators"]
    columns: dict[str, dict[str, float]] = {
        "paper: IoTG": {name: found.iotg for name, found in PAPER_TABLE_1.items()},
        "paper: DG": {name: found.dg for name, found in PAPER_TABLE_1.items()},
    }
    columns["`iotflow`, as their code measures"] = _by_device(
        "paper", "iotflow", "published", "accuracy"
    )
    for name in generators:
        columns[f"`{name}`"] = _by_device("paper", name, "packet-metadata", "accuracy")
    for name in generators:
        columns[f"excess `{name}`"] = _by_device("held-out", name, "packet-metadata", "excess")
    devices = [device.name for device in results.devices]
    rows = [
        (device, *(_share(name, of.get(device)) for name, of in columns.items()))
        for device in devices
    ]
    means = [
        _share(name, _mean([of[d] for d in devices if d in of])) for name, of in columns.items()
    ]
    return _table(["device", *columns], [*rows, ("**mean**", *means)])


def adversaries() -> str:
    """Every adversary: mean over the devices, and the worst device."""
    made_with = _benchmark().made_with
    rows = []
    for protocol, figure in (
        ("paper", "accuracy"),
        ("held-out", "accuracy"),
        ("held-out", "excess"),
    ):
        for adversary in made_with["adversaries"]:
            if not any(_benchmark().select(protocol=protocol, adversary=adversary)):
                continue
            row = [f"{protocol}, {figure}", f"`{adversary}`"]
            for name in made_with["generators"]:
                found = list(_by_device(protocol, name, adversary, figure).values())
                worst = _share(figure, max(found, default=None))
                row.append(f"{_share(figure, _mean(found))} ({worst})" if found else "")
            row.append(_share("", _mean(_controls(protocol, adversary))))
            rows.append(row)
    heads = [f"`{name}`" for name in made_with["generators"]]
    return _table(["mean (worst)", "adversary", *heads, "control"], rows)


def identification() -> str:
    """A classifier of device types, trained on real windows."""
    rows = []
    for name in _benchmark().made_with["generators"]:
        entries = [e for e in _benchmark().identification if e.generator == name and not e.error]
        kinds = ("accuracy", "acceptance", "train_on_synthetic")
        shares = [
            _share("", _mean([v for entry in entries for v in getattr(entry, kind).values()]))
            for kind in kinds
        ]
        ratio = _mean([entry.ratio for entry in entries if entry.ratio is not None])
        rows.append((f"`{name}`", *shares, "" if ratio is None else f"{ratio:.2f}"))
    heads = "generator, real windows of H, synthetic windows, H after training on synthetic, ratio"
    return _table(heads.split(", "), rows)


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


def metrics() -> str:
    """Copying, variety and fields under `held-out`, means over devices and splits."""
    generators = _benchmark().made_with["generators"]
    rows = []
    for title, (metric, figure, genuine, form) in _METRICS.items():
        of = {name: _metric(name, metric, figure) for name in generators}
        row = [title, *("" if of[n] is None else form.format(of[n]) for n in generators)]
        beside = _metric(generators[0], metric, genuine) if genuine else None
        rows.append([*row, "" if beside is None else form.format(beside)])
    return _table(["metric", *(f"`{name}`" for name in generators), "real"], rows)


def costs() -> str:
    """Seconds of one core that a fit and its windows took."""
    rows = []
    for name in _benchmark().made_with["generators"]:
        of = [s for s in _benchmark().samples if s.generator == name and s.error is None]
        fits = [s.fit_seconds for s in of if s.fit_seconds is not None]
        draws = [s.sample_seconds for s in of if s.sample_seconds is not None]
        median, longest = statistics.median(fits), max(fits)
        rows.append((f"`{name}`", f"{median:.1f}", f"{longest:.1f}", f"{max(draws):.1f}"))
    return _table(["generator", "fit, median, s", "fit, longest, s", "draw, longest, s"], rows)


def targets() -> str:
    """Targets under one configuration for all devices, and what `sessions` reaches."""
    rows = []
    accuracy = _by_device("paper", "sessions", "packet-metadata", "accuracy")
    above = sum(accuracy[name] > found.iotg for name, found in PAPER_TABLE_1.items())
    rows.append(
        _target("accuracy, `paper`, `packet-metadata`", "63.9% (76.8%)", accuracy, 0.55, 0.6)
    )
    rows.append(("devices above the paper's own accuracy", "", "0", str(above), _met(above == 0)))
    for adversary, mean, worst in (
        ("packet-metadata", 0.03, 0.1),
        ("boosting", 0.06, 0.15),
        ("rocket", 0.05, None),
    ):
        excess = _by_device("held-out", "sessions", adversary, "excess")
        rows.append(_target(f"excess, `held-out`, `{adversary}`", "", excess, mean, worst))
        guess = _excess_of_guessing(adversary)
        is_mean, is_worst = statistics.mean(guess.values()), max(guess.values())
        found = f"{_share('excess', is_mean)} ({_share('excess', is_worst)})"
        rows.append(("the same, if the adversary only guesses", "", "", found, ""))
    entries = [e for e in _benchmark().identification if e.generator == "sessions"]
    ratio = statistics.mean(e.ratio for e in entries if e.ratio is not None)
    rows.append(
        ("identification, ratio to real windows", "", "0.97", f"{ratio:.2f}", _met(ratio >= 0.97))
    )
    made, real = (
        _metric("sessions", "copied_share", figure) or 0.0 for figure in ("synthetic", "real")
    )
    more = f"{100 * (made - real):+.1f}"
    rows.append(
        ("copied windows above those of H, points", "", "+5.0", more, _met(made - real <= 0.05))
    )
    cover, control = (
        _metric("sessions", "density_coverage", figure) or 0.0
        for figure in ("coverage", "coverage_control")
    )
    share = cover / control
    rows.append(("coverage, relative to that by G", "", "0.9", f"{share:.2f}", _met(share >= 0.9)))
    seconds = [s.fit_seconds for s in _benchmark().samples if s.generator == "sessions"]
    fit = statistics.median(s for s in seconds if s is not None)
    rows.append(("fit, median, seconds of one core", "", "120", f"{fit:.2f}", _met(fit <= 120)))
    return _table(["mean (worst)", "paper", "target", "`sessions`", "met"], rows)


def iotflow_targets() -> str:
    """What the paper's method reaches under the paper's protocol, first draws."""
    rows = []
    for adversary, paper, mean, worst in (
        ("packet-metadata", "63.9% (76.8%)", 0.58, 0.75),
        ("published", "", 0.55, 0.62),
    ):
        accuracy = _by_device("paper", "iotflow", adversary, "accuracy")
        rows.append(_target(f"accuracy, `{adversary}`", paper, accuracy, mean, worst))
    accuracy = _by_device("paper", "iotflow", "packet-metadata", "accuracy")
    below = sum(accuracy[name] < found.iotg for name, found in PAPER_TABLE_1.items())
    rows.append(("devices below the paper's own accuracy", "", "", f"{below} of 18", ""))
    excess = _by_device("held-out", "iotflow", "boosting", "excess")
    rows.append(_target("excess, `held-out`, `boosting`", "", excess, 0.2, None))
    fits = [
        s.fit_seconds
        for s in _benchmark().samples
        if (s.generator, s.protocol) == ("iotflow", "paper") and s.fit_seconds is not None
    ]
    fit = statistics.median(fits)
    rows.append(("fit, median, seconds of one core", "", "180", f"{fit:.0f}", _met(fit <= 180)))
    return _table(["mean (worst)", "paper", "target", "`iotflow`", "met"], rows)


def rivals() -> str:
    """Generators of time series from PyPI beside ours, under `paper`, and what fits take."""
    found, ours = read_results(RESULTS / "rivals.json"), _benchmark()
    columns: dict[str, dict[str, float | None]] = {}
    for results, name in (
        (ours, "iotflow"),
        (ours, "doppelganger"),
        (found, "par"),
        (found, "dgan"),
    ):
        for adversary in ("packet-metadata", "published"):
            cells = results.select(protocol="paper", generator=name, adversary=adversary)
            if accuracy := {cell.device: cell.accuracy for cell in cells}:
                columns[f"`{name}`, `{adversary}`"] = dict(accuracy)
        columns[f"`{name}`, fit, s"] = {
            s.device: s.fit_seconds
            for s in results.samples
            if (s.generator, s.protocol) == (name, "paper")
        }
    rows = [
        (
            device.name,
            *(_second_or_share(name, of.get(device.name)) for name, of in columns.items()),
        )
        for device in found.devices
    ]
    return _table(["device", *columns], rows)


def _second_or_share(name: str, value: float | None) -> str:
    if name.endswith(", s"):
        return "-" if value is None else f"{value:.0f}"
    return _share(name, value)


def _excess_of_guessing(adversary: str) -> dict[str, float]:
    """By device, how far controls are below 50 %: the excess of a guess."""
    cells = (
        cell
        for cell in _benchmark().cells
        if (cell.protocol, cell.generator, cell.adversary) == ("held-out", "sessions", adversary)
    )
    return {
        cell.device: statistics.mean(max(0, 0.5 - attack.control.mean) for attack in cell.attacks)
        for cell in cells
    }


def _target(
    title: str, paper: str, of: dict[str, float], mean: float, worst: float | None
) -> tuple[str, ...]:
    """A row: a mean over devices that is to be small, and perhaps its worst."""
    is_mean, is_worst = statistics.mean(of.values()), max(of.values())
    met = is_mean <= mean and (worst is None or is_worst <= worst)
    aim = _share(title, mean) + ("" if worst is None else f" ({_share(title, worst)})")
    return title, paper, aim, f"{_share(title, is_mean)} ({_share(title, is_worst)})", _met(met)


def _met(met: bool) -> str:
    return "yes" if met else "no"


def ablation() -> str:
    """`sessions` without each of its ingredients, against gradient boosting."""
    devices = _results("ablation.json")["devices"]
    rows = []
    for name in devices[0]["variants"]:
        of = {d["device"]: d["variants"][name] for d in devices}
        excess = [
            statistics.mean(of[d["device"]]["accuracy"]) - statistics.mean(d["control"])
            for d in devices
        ]
        copies = statistics.mean(statistics.mean(found["copies"]) for found in of.values())
        mean, worst = (_share("excess", value) for value in (statistics.mean(excess), max(excess)))
        rows.append((name, mean, worst, f"{copies:.1%}"))
    genuine = statistics.mean(statistics.mean(d["copies_real"]) for d in devices)
    rows.append(("real windows of H", "", "", f"{genuine:.1%}"))
    return _table(["`sessions`", "excess", "worst", "copied windows"], rows)


def known_source() -> str:
    """Excess by how many captures of a known source were learnt from, beside the benchmark's."""
    of = [device["accuracy"] for device in _devices("known_source.json")]
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
        name: [*_by_device("held-out", "sessions", name, "excess").values()] for name in adversaries
    }
    titles = {"source": "the source itself", "real": "half of the device's captures"}
    rows = [
        (
            titles.get(name, f"{name} captures that the source made"),
            *(
                f"{_share('excess', statistics.mean(each))} ({_share('excess', max(each))})"
                for each in by.values()
            ),
        )
        for name, by in found.items()
    ]
    return _table(["excess, fitted on", *(f"`{name}`" for name in adversaries)], rows)


def baseline() -> str:
    """DoppelGANger's training and its marginals, next to genuine windows."""
    rows = []
    for d in _results("doppelganger.json")["devices"]:
        curve, seen = d["report"]["training"]["wasserstein"], d["seen"]
        tenths = [statistics.mean(curve[i : i + 10]) for i in range(0, len(curve), 10)]
        marginals = [
            f"{seen['field_distance'][name]:.2f} ({seen['field_distance'][f'{name}_control']:.2f})"
            for name in ("length", "dst_port", "protocols", "outgoing")
        ]
        duration = seen["duration_distance"]
        marginals.append(f"{duration['decades']:.2f} ({duration['decades_control']:.2f})")
        curve_text = " ".join(f"{value:.1f}" for value in tenths)
        rows.append((d["device"], curve_text, *marginals, f"{d['seconds']['fit_cpu']:.0f}"))
    heads = "device, Wasserstein estimate by tenths of the steps, lengths, destination ports, "
    heads += "protocols, directions, durations, fit s"
    return _table(heads.split(", "), rows)


def of_devices(make: Callable[..., tuple[Any, Any]], *files: str) -> str:
    """A table that the devices of some results fill."""
    return _table(*make(*map(_devices, files)))


def headers() -> str:
    """The adversary `headers` against packets: excess by device, and what was aimed at."""
    results = read_results(RESULTS / "headers.json")
    kinds = results.made_with["generators"]
    found = {
        kind: {c.device: c.excess or 0.0 for c in results.select(generator=kind)} for kind in kinds
    }
    accuracy = {cell.device: cell.accuracy or 0.0 for cell in results.select(generator=kinds[0])}
    rows = [
        (
            name,
            f"{accuracy[name]:.1%}",
            f"{accuracy[name] - found[kinds[0]][name]:.1%}",
            *(_share("excess", found[kind][name]) for kind in kinds),
        )
        for name in accuracy
    ]
    controls = [accuracy[name] - found[kinds[0]][name] for name in accuracy]
    means = [_share("excess", _mean([*found[kind].values()])) for kind in kinds]
    worst = [_share("excess", max(found[kind].values())) for kind in kinds]
    rows += [
        (
            "**mean**",
            f"{statistics.mean(accuracy.values()):.1%}",
            f"{statistics.mean(controls):.1%}",
            *means,
        ),
        ("**worst**", "", "", *worst),
        ("**target**, mean (worst)", "", "", "+10.0 (+25.0)", *[""] * (len(kinds) - 1)),
    ]
    titles = {
        "recorded": "excess, recorded",
        "fuzz": "fuzz",
        "captures": "captures rewritten",
        "known source": "of a known source",
    }
    heads = ["device", "accuracy", "control", *(titles[kind] for kind in kinds)]
    return _table(heads, rows)


def audit() -> str:
    """What identifies owners, in captures and in honeydata."""
    rows = [
        (
            d["device"],
            *(f"{d['sought'][kind]:,}" for kind in d["sought"]),
            f"{d['captured']:,}",
            f"{d['in_model']:,}",
            f"{sum(d['found'].values()) + d['addresses_in_fields']:,}",
        )
        for d in _devices("audit.json")
    ]
    heads = ["device", "MAC addresses", "IP addresses", "names", "other values"]
    heads += ["of these found in 3 captures", "in the model", "in honeydata"]
    return _table(heads, rows)


def packets(name: str) -> str:
    """A table of what writing packets takes."""
    file = "packets.json" if name == "speed" else f"{name}.json"
    return _table(*getattr(packet_tables, name)(_results(file)))


def large() -> str:
    """What a day of many packets takes to learn from, and an hour of it to generate."""
    found = _results("large.json")
    file = f"{found['packets']:,} packets, {found['gigabytes']} GB"
    rows = [
        (f"`fit` ({file})", found["fit"], 300, 2000),
        (f"`generate` of an hour ({found['hour']['packets']:,} packets)", found["hour"], 10, None),
    ]
    return _table(
        ("", "s of the processor", "target", "MB", "target"),
        [
            (
                what,
                f"{taken['seconds']:,}",
                f"{seconds}",
                f"{taken['megabytes']:,}",
                f"{most:,}" if most else "",
            )
            for what, taken, seconds, most in rows
        ],
    )


def of_weeks(name: str) -> str:
    """A table of what weeks of traffic show."""
    return _table(*getattr(week_tables, name)(_results("weeks.json")))


def fuzzing() -> str:
    """How commands end on damaged captures and hostile models."""
    found, rows = _results("fuzzing.json"), []
    for of in ("captures", "models"):
        each = found[of]
        defects = len(each["defects"]) - each["hangs"]
        counts = (each["mutations"], each["worked"], each["refused"], defects, each["hangs"])
        ends = f"{each['slowest_seconds']:.1f} s", f"{each['peak_memory_mb']} MB"
        rows.append((of, *(f"{count:,}" for count in counts), *ends))
    heads = ["mutations of", "number", "worked", "refused in one line", "tracebacks", "hangs"]
    return _table([*heads, "slowest command", "peak memory"], rows)


def scanning(name: str) -> str:
    """A table of what scanners say."""
    return _table(*getattr(scan_tables, name)(_results("scanners.json")))


def living() -> str:
    """What decoys on a network were measured to do."""
    return _table(*live_tables.decoys(_results("live.json")))


TABLES: dict[str, Callable[[], str]] = {
    "reading": reading,
    "agreement": agreement,
    "direction": direction,
    "summary": summary,
    "table-1": table_1,
    "adversaries": adversaries,
    "identification": identification,
    "metrics": metrics,
    "costs": costs,
    "targets": targets,
    "iotflow-targets": iotflow_targets,
    "rivals": rivals,
    "ablation": ablation,
    "known-source": known_source,
    "baseline": baseline,
    "audit": audit,
    "headers": headers,
    "large": large,
    "decoys": living,
    "fuzzing": fuzzing,
    "fit": partial(of_devices, fit_tables.fit, "fit.json"),
    "budgets": partial(of_devices, fit_tables.budgets, "fit.json"),
    "reconstruction": partial(of_devices, fit_tables.reconstruction, "fit.json"),
    "settings": partial(of_devices, fit_tables.settings, "fit.json", "authors.json"),
    "stages": partial(of_devices, fit_tables.stages, "stages.json"),
    **{
        name: partial(of_devices, getattr(realism_tables, name), "realism.json")
        for name in realism_tables.__all__
    },
    "long-streams": partial(of_devices, stream_tables.long_streams, "streams.json"),
    **{name: partial(scanning, name) for name in scan_tables.__all__},
    **{name: partial(packets, name) for name in packet_tables.__all__},
    **{name.replace("_", "-"): partial(of_weeks, name) for name in week_tables.__all__},
}


def filled(text: str) -> str:
    """A page with its tables as the results have them."""
    return _TABLE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


@cache
def _benchmark() -> Results:
    return read_results(RESULTS / "benchmark.json")


def _by_device(protocol: str, generator: str, adversary: str, figure: str) -> dict[str, float]:
    cells = _benchmark().select(protocol=protocol, generator=generator, adversary=adversary)
    return {cell.device: getattr(cell, figure) for cell in cells}


def _controls(protocol: str, adversary: str) -> list[float]:
    """Of every device and trial: the same for all generators."""
    first = _benchmark().made_with["generators"][0]
    cells = _benchmark().select(protocol=protocol, generator=first, adversary=adversary)
    return [attack.control.mean for cell in cells for attack in cell.attacks]


def _metric(generator: str, metric: str, figure: str) -> float | None:
    found = [
        sample.metrics[metric][figure]
        for sample in _benchmark().samples
        if sample.generator == generator and metric in sample.metrics
    ]
    return _mean([value for value in found if value is not None])


def _mean(values: Sequence[float]) -> float | None:
    return statistics.mean(values) if values else None


def _share(name: str, value: float | None) -> str:
    """A share in percent; an excess with its sign, in points."""
    if value is None:
        return "failed"
    return f"{100 * value:+.1f}" if "excess" in name else f"{value:.1%}"


def _results(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / name).read_text())
    return found


def _devices(name: str) -> list[dict[str, Any]]:
    """The devices of a benchmark that did not fail."""
    return [device for device in _results(name)["devices"] if "error" not in device]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Write every page, or say which are stale."""
    stale = []
    for page in PAGES:
        path = ROOT / page
        text = path.read_text()
        if filled(text) != text:
            stale.append(page)
            if "--check" not in sys.argv:
                path.write_text(filled(text))
    if stale and "--check" in sys.argv:
        sys.exit(f"stale: {', '.join(stale)}; run python benchmarks/tables.py")


if __name__ == "__main__":
    main()
