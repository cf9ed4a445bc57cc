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
            str(d["windows"]),
            str(d["signatures"]),
            f"{d['codes_used']:.0%}",
            f"{d['reconstruction_mean']:.3f}",
            f"{d['unique_share']['real']:.0%}",
            f"{d['unique_share']['generated']:.0%}",
            str(d["malformed"]),
            f"{d['seconds']['fit']:.0f}",
            f"{d['peak_memory_mb']:.0f}",
        )
        for d in devices
    ]
    median = statistics.median(d["seconds"]["fit"] for d in devices)
    generate = max(d["seconds"]["generate_10000_windows"] for d in devices)
    heads = "device, packets, windows, signatures, codes used, reconstruction, unique real, "
    heads += "unique generated, malformed, fit s, peak MB"
    return _table(heads.split(", "), rows) + (
        f"\nMedian fit {median:.0f} s, on one thread with another fit beside it; 10,000 windows "
        f"take at most {generate:.0f} s to generate.\n"
    )


def reconstruction() -> str:
    """Share of each field's tokens that come back from their codes, on captures set aside."""
    devices = _devices("fit.json")
    fields = list(devices[0]["reconstruction"])
    rows = [
        (
            d["device"],
            *(f"{d['reconstruction'][field]:.3f}" for field in fields),
            f"{d['reconstruction_mean']:.3f}",
            f"{d['length_accuracy']:.3f}",
        )
        for d in devices
    ]
    return _table(["device", *fields, "mean", "frame length"], rows)


def settings() -> str:
    """The two named configurations side by side."""
    laptop = {d["device"]: d for d in _devices("fit.json")}
    rows = []
    for authors in _devices("authors.json"):
        for name, d in (("laptop", laptop[authors["device"]]), ("authors", authors)):
            rows.append(
                (
                    d["device"],
                    name,
                    f"{d['detection']:.3f}",
                    f"{d['nll_pretrained']:.2f}",
                    f"{d['nll']:.2f}",
                    f"{d['variety']:.2f}",
                    f"{d['seconds']['fit']:.0f}",
                )
            )
    heads = "device, settings, adversary's accuracy, NLL pre-trained, NLL after, variety, fit s"
    return _table(heads.split(", "), rows)


TABLES: dict[str, Callable[[], str]] = {
    "fit": fit,
    "reconstruction": reconstruction,
    "settings": settings,
}


def filled(text: str) -> str:
    """A page with its tables as the results have them."""
    return _TABLE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


def _devices(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((RESULTS / name).read_text())["devices"]
    return found


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
