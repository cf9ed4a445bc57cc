"""Draws docs/images/day.svg: a day of the lock captured for a week, and one of `activities` below.

python benchmarks/day.py WEEKS/schlage-lock-01.pcap
"""

import argparse
import warnings
from pathlib import Path
from typing import Any

import iotflowgen as iot
from iotflowgen.evaluation import Sample, typical_day
from iotflowgen.report.day_plot import day_plots
from iotflowgen.report.palette import INKS, marks

NAME = "activities"


def main() -> None:
    """Learn from the capture, draw three days, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images/day.svg"))
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # it is one capture
    captures = iot.read_captures(chosen.capture, deduplicate=True)
    model = iot.fit(captures, generator=NAME)
    honey = model.generate(duration="3d", start="2026-01-05T00:00:00Z", seed=1)
    known: dict[str, Any] = {}
    known["days"] = {
        "real": typical_day(captures),
        "synthetic": typical_day([session.as_trace() for session in honey]),
    }
    sample = Sample.model_construct(**known)
    ((_, picture),) = day_plots(chosen.capture.stem, {NAME: sample}, marks([NAME]))
    # by itself it has no style sheet that says what colours are
    text = picture.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    for ink in INKS:
        text = text.replace(f"var(--{ink.name})", ink.light)
    chosen.out.write_text(f"{text}\n")


if __name__ == "__main__":
    main()
