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

import detection_tables
import fit_tables
import live_tables
import packet_tables
import realism_tables
import scan_tables
import stream_tables
import week_tables
from figures import mean, share

from iotflowgen.evaluation import Results, read_results

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


def detecting(name: str) -> str:
    """A table of what adversaries find."""
    return _table(*getattr(detection_tables, name)(_benchmark()))


def rivals() -> str:
    """Generators of time series from PyPI beside ours."""
    return _table(*detection_tables.rivals(_benchmark(), read_results(RESULTS / "rivals.json")))


def known_source() -> str:
    """Excess by how many captures of a known source were learnt from, beside the benchmark's."""
    return _table(*detection_tables.known_source(_benchmark(), _devices("known_source.json")))


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
        mean, worst = (share("excess", value) for value in (statistics.mean(excess), max(excess)))
        rows.append((name, mean, worst, f"{copies:.1%}"))
    genuine = statistics.mean(statistics.mean(d["copies_real"]) for d in devices)
    rows.append(("real windows of H", "", "", f"{genuine:.1%}"))
    return _table(["`sessions`", "excess", "worst", "copied windows"], rows)


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
            *(share("excess", found[kind][name]) for kind in kinds),
        )
        for name in accuracy
    ]
    controls = [accuracy[name] - found[kinds[0]][name] for name in accuracy]
    means = [share("excess", mean([*found[kind].values()])) for kind in kinds]
    worst = [share("excess", max(found[kind].values())) for kind in kinds]
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
    **{name.replace("_", "-"): partial(detecting, name) for name in detection_tables.__all__},
    "rivals": rivals,
    "known-source": known_source,
    "ablation": ablation,
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
