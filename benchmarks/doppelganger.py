"""Is the baseline DoppelGANger trained as well as it can be? Its losses, its marginals, its cost.

A share of the captures is kept from the fit. `seen` compares generated windows with those of the
fit, `unseen` with those kept; a `_control` figure compares genuine windows of the fit instead.

    python benchmarks/doppelganger.py CAPTURES --devices Withings,WeMoLink,D-LinkCam
"""

import argparse
import json
import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from iotflowgen.capture import read_captures
from iotflowgen.evaluation.metrics import METRICS
from iotflowgen.files import whole_file
from iotflowgen.generators import DoppelGANger, DoppelGANgerConfig
from iotflowgen.generators.model_file import versions
from iotflowgen.traffic import Windows, cut_windows, draw_window_starts

WINDOWS = 500
"""n of the paper."""
KEPT = 0.2
"""Share of the captures that the fit does not see."""
MARGINALS = ("field_distance", "duration_distance", "duration_autocorrelation", "unique_share")


def measure(folder: Path, config: DoppelGANgerConfig, seed: int) -> dict[str, Any]:
    """Fit one device, generate, and compare field by field."""
    torch.set_num_threads(1)
    captures = read_captures([folder], processes=1)
    rng = np.random.default_rng(seed)
    order = [captures[i] for i in rng.permutation(len(captures))]
    kept = max(1, round(KEPT * len(captures)))
    unseen, traces = order[:kept], order[kept:]

    start = time.process_time()
    generator = DoppelGANger(config, seed=seed).fit(traces)
    fit_seconds, start = time.process_time() - start, time.process_time()
    synthetic = generator.sample(WINDOWS, rng)
    sample_seconds = time.process_time() - start
    real, again, of_kept = (
        cut_windows(half, draw_window_starts(half, WINDOWS, config.window, rng))
        for half in (traces, traces, unseen)
    )
    return {
        "device": folder.name,
        "captures": {"fit": len(traces), "unseen": len(unseen)},
        "report": asdict(generator.report),
        "seen": marginals(real, synthetic, again),
        "unseen": marginals(of_kept, synthetic, real),
        "seconds": {"fit_cpu": fit_seconds, f"sample_{WINDOWS}_windows_cpu": sample_seconds},
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def marginals(real: Windows, synthetic: Windows, train: Windows) -> dict[str, dict[str, float]]:
    """Every figure of `MARGINALS`, with its control."""
    return {name: METRICS[name](real, synthetic, train) for name in MARGINALS}


def main() -> None:
    """Measure each device in a fresh process, and write all that was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="one folder a device")
    parser.add_argument("--devices", default="Withings,WeMoLink,D-LinkCam")
    parser.add_argument("--config", type=Path, help="JSON of other settings than the defaults")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/doppelganger.json"))
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    config = DoppelGANgerConfig.model_validate(
        json.loads(chosen.config.read_text()) if chosen.config else {}
    )
    devices = []
    for name in chosen.devices.split(","):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            devices.append(pool.submit(measure, chosen.root / name, config, chosen.seed).result())
        print(f"{name:20} {devices[-1]['seconds']['fit_cpu']:.0f} s", file=sys.stderr)
    found = {
        "settings": config.model_dump(mode="json"),
        "seed": chosen.seed,
        "versions": versions(),
        "devices": devices,
    }
    with whole_file(chosen.out) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
