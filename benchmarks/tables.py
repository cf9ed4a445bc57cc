"""Write the tables of README and docs from the committed results, between their markers.

python benchmarks/tables.py            # write
python benchmarks/tables.py --check    # fail where a table is not what its results say
"""

import json
import re
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGES = ("README.md", "docs/paper.md")
_TABLE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fit() -> str:
    """The 18 devices: what was learnt, at what cost."""
    devices = _devices("fit.json")
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
    return _table(heads.split(", "), rows) + "\n" + _budgets(devices)


def _budgets(devices: Sequence[dict[str, Any]]) -> str:
    """What was aimed at, and what came of it."""
    fits = [d["seconds"]["fit_cpu"] for d in devices]
    rows = [
        ("reconstruction, least", "0.95", f"{min(d['reconstruction_mean'] for d in devices):.3f}"),
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
    return _table(["over the 18 devices", "aim", "is"], rows)


def reconstruction() -> str:
    """Share of each field's tokens that come back, on captures that the fit never saw."""
    devices = _devices("fit.json")
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
    return _table(["device", *fields, "mean", "lengths told", "lengths known"], rows)


def settings() -> str:
    """The two named configurations side by side."""
    laptop = {d["device"]: d for d in _devices("fit.json")}
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
        for authors in _devices("authors.json")
        for name, d in (("laptop", laptop[authors["device"]]), ("authors", authors))
    ]
    heads = "device, settings, detected, NLL pre-trained, NLL after, variety, fit s"
    return _table(heads.split(", "), rows)


def reading() -> str:
    """Captures read by `extract`, next to bare tshark."""
    rows = [
        (r["device"], f"{r['bare']:.2f}", f"{r['extract']:.2f}", f"{r['ratio']:.2f}")
        for r in _results("capture.json")["reading"]
    ]
    return _table(["device", "bare tshark, s", "extract, s", "ratio"], rows)


def direction() -> str:
    """Packets turned the wrong way by the paper's rule alone, and by ours."""
    found = _results("capture.json")["direction"]
    packets, bare, wrong = (sum(d[key] for d in found) for key in ("packets", "bare", "wrong"))
    rows = [
        ("the address alone, as in the paper", f"{bare:,}", f"{bare / packets:.1%}"),
        ("and the MAC address that goes with it", f"{wrong:,}", f"{wrong / packets:.1%}"),
    ]
    return _table([f"{len(found)} devices, {packets:,} packets", "wrong", "share"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "fit": fit,
    "reconstruction": reconstruction,
    "settings": settings,
    "reading": reading,
    "direction": direction,
}


def filled(text: str) -> str:
    """A page with its tables as the results have them."""
    return _TABLE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


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
