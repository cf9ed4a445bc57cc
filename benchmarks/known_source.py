"""What the number of captures costs: captures of a known source, and sessions learnt from so many.

Under `held-out` even a generator that is right about everything but what it was not shown is found
out. How much that is cannot be told from captures, since nobody knows the source of these. So
`sessions`, learnt from all captures of a device, is taken for the device: it makes captures G and
H, and more. Adversaries then tell H from sessions learnt from 8 of them, as in the benchmark,
from 32, and from the source itself, whose excess is that of a perfect generator.

Devices that are done are not measured again.

    python benchmarks/known_source.py CAPTURES --devices Withings,WeMoLink
"""

import zlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from by_device import measured

import iotflowgen as iot
from iotflowgen.adversaries import ADVERSARIES, of_windows
from iotflowgen.evaluation import trials
from iotflowgen.generators import Sessions
from iotflowgen.packets import with_states

SEED = 0
CAPTURES = (8, 32)
"""That sessions are learnt from; of the fewest are G, and as many are H."""


def measure(folder: Path) -> dict[str, Any]:
    """Accuracy of each adversary, an entry a split: of the control, and by what was learnt from."""
    torch.set_num_threads(1)
    rng = np.random.default_rng([SEED, zlib.crc32(folder.name.encode())])
    source = Sessions(seed=SEED).fit(with_states(iot.read_captures(folder).with_frames()))
    fewest, most = CAPTURES[0], CAPTURES[-1]
    made = [session.as_trace() for session in source.sessions(2 * fewest, rng)]
    more = [session.as_trace() for session in source.sessions(most - fewest, rng)]
    found: dict[str, Any] = {"device": folder.name, "accuracy": {}}
    for name in of_windows():
        found["accuracy"][name] = {each: [] for each in ("control", *map(str, CAPTURES), "source")}
    for trial, ground in enumerate(trials("held-out", made, rng)):
        learnt = {
            str(n): Sessions(seed=SEED).fit([*ground.train, *more[: n - fewest]]) for n in CAPTURES
        }
        drawn = {
            name: generator.sample(len(ground.real), np.random.default_rng([SEED, trial]))
            for name, generator in {**learnt, "source": source}.items()
        }
        for name, accuracy in found["accuracy"].items():
            make = partial(ADVERSARIES[name], seed=SEED)
            accuracy["control"].append(ground.attack_control(make).mean)
            for each, windows in drawn.items():
                accuracy[each].append(ground.attack(make, windows).mean)
    return found


if __name__ == "__main__":
    measured(
        measure, Path("benchmarks/results/known_source"), __doc__, seed=SEED, captures=CAPTURES
    )
