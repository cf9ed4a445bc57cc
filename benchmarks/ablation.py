"""What each ingredient of `sessions` brings: `held-out` excess without it, two splits a device.

Gradient boosting attacks, the quickest adversary that finds nearly all. Devices that are done are
not measured again.

    python benchmarks/ablation.py CAPTURES --devices Withings,WeMoLink
"""

import zlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from by_device import measured

import iotflowgen as iot
from iotflowgen.adversaries import Boosting
from iotflowgen.evaluation import trials
from iotflowgen.evaluation.metrics import copied_share
from iotflowgen.generators import Sessions, SessionsConfig
from iotflowgen.packets import with_states
from iotflowgen.traffic import cut_windows, every_window_start

SEED = 0
VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "ports of the captures recur": {"ports": {"recurrence": 0.6, "ephemeral": "recur"}},
    "times are the captures'": {"redraw": ["lengths", "order"]},
    "lengths are the captures'": {"redraw": ["times", "order"]},
    "order is the captures'": {"redraw": ["times", "lengths"]},
    "any capture at every step": {"follow": 0},
    "any connection at every step": {"coherent": False},
    "no preference for like positions": {"reach": 1e7},
    "windows of 8 sessions": {"sessions": 8},
    "order 3": {"order": 3},
}


def measure(folder: Path) -> dict[str, Any]:
    """Accuracy of the control and of every variant, an entry a split."""
    rng = np.random.default_rng([SEED, zlib.crc32(folder.name.encode())])
    make = partial(Boosting, seed=SEED)
    found: dict[str, Any] = {"device": folder.name, "control": [], "copies_real": []}
    found["variants"] = {name: {"accuracy": [], "copies": []} for name in VARIANTS}
    for trial, ground in enumerate(
        trials("held-out", with_states(iot.read_captures(folder).with_frames()), rng)
    ):
        train = cut_windows(ground.train, every_window_start(ground.train, ground.real.size))
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


if __name__ == "__main__":
    out = Path("benchmarks/results/ablation")
    measured(measure, out, __doc__, seed=SEED, variants=VARIANTS)
