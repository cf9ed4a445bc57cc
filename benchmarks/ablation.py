"""What each ingredient of `sessions` brings: `held-out` excess without it, two splits a device.

Gradient boosting attacks, the quickest adversary that finds nearly all. Devices that are done are
not measured again.

    python benchmarks/ablation.py CAPTURES --devices Withings,WeMoLink
"""

import argparse
import json
import sys
import warnings
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed, parallel_config

from iotflowgen.adversaries import Boosting
from iotflowgen.capture import read_captures
from iotflowgen.errors import IoTFlowGenError
from iotflowgen.evaluation import trials
from iotflowgen.evaluation.metrics import copied_share
from iotflowgen.files import whole_file
from iotflowgen.generators import Sessions, SessionsConfig, versions
from iotflowgen.traffic import cut_windows, every_place

SEED = 0
VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "ports of the captures recur": {"ports": {"recurrence": 0.6, "ephemeral": "recur"}},
    "times are the captures'": {"redraw": ["lengths", "order"]},
    "lengths are the captures'": {"redraw": ["times", "order"]},
    "order is the captures'": {"redraw": ["times", "lengths"]},
    "any capture at every step": {"follow": 0},
    "no preference for like positions": {"reach": 1e9},
    "windows of 8 sessions": {"sessions": 8},
    "order 3": {"order": 3},
}


def measure(folder: Path) -> dict[str, Any]:
    """Accuracy of the control and of every variant, an entry a split."""
    rng = np.random.default_rng([SEED, zlib.crc32(folder.name.encode())])
    make = partial(Boosting, seed=SEED)
    found: dict[str, Any] = {"device": folder.name, "control": [], "copies_real": []}
    found["variants"] = {name: {"accuracy": [], "copies": []} for name in VARIANTS}
    for trial, ground in enumerate(trials("held-out", read_captures([folder]), rng)):
        train = cut_windows(ground.train, every_place(ground.train, ground.real.size))
        found["control"].append(ground.attack_control(make).mean)
        for name, settings in VARIANTS.items():
            generator = Sessions(SessionsConfig.model_validate(settings), seed=SEED)
            drawn = generator.fit(ground.train).sample(
                len(ground.real), np.random.default_rng([SEED, trial])
            )
            copies = copied_share(ground.real, drawn, train)
            found["variants"][name]["accuracy"].append(ground.attack(make, drawn).mean)
            found["variants"][name]["copies"].append(copies["synthetic"])
        found["copies_real"].append(copies["real"])
    return found


def take(folder: Path, out: Path) -> str:
    """Measure a device, unless that was done."""
    path = out / f"{folder.name}.json"
    if not path.exists():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                found = measure(folder)
            except IoTFlowGenError as error:
                return f"{folder.name}: {error}"
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(found) + "\n")
    return folder.name


def main() -> None:
    """Measure each device, at most two at a time, and join what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="one folder a device")
    parser.add_argument("--devices", required=True, help="names of folders, with commas between")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/ablation"))
    chosen = parser.parse_args()
    folders = [chosen.root / name for name in chosen.devices.split(",")]
    with parallel_config("loky", n_jobs=chosen.processes, inner_max_num_threads=1):
        steps = (delayed(take)(folder, chosen.out) for folder in folders)
        for said in Parallel(return_as="generator_unordered")(steps):
            print(said, file=sys.stderr)
    devices = [
        json.loads((chosen.out / f"{folder.name}.json").read_text())
        for folder in folders
        if (chosen.out / f"{folder.name}.json").exists()
    ]
    joined = {"seed": SEED, "variants": VARIANTS, "versions": versions(), "devices": devices}
    with whole_file(chosen.out.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(joined, indent=1) + "\n")


if __name__ == "__main__":
    main()
