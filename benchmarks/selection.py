"""What picking the windows shown by the figure that is reported is worth; nothing else uses this.

The authors' published code (`evaluate.py` of josephzbao/IoTFlowGenerator-main) holds functions that
do: of a pool of synthetic windows as many are shown as there are real ones; one split, 67 to 33; in
each of 300 rounds some of those shown are swapped for others of the pool, 5 in the first third of
the rounds, 3 in the second, 1 in the last, and the adversary is trained anew. A set is kept unless
the test accuracy rises, and the least accuracy is the figure. Of six settings, codebooks of 500,
2,000 and 5,000 codes of 128 or 512 numbers, each with 25 clusters of durations, the best for each
device is reported.

So does this, with `published`, the adversary of that code, under `paper`. Beside the least accuracy
stand that of the first draws, and that of the set kept at last, where adversaries of other seeds
cross-validate it. DoppelGANger and the Markov chain have no such settings: they have one each.

Deviations: a rejected set is undone, which that code forgets to; a window that stays keeps its side
of the split; the pool is `POOL` windows, which that code leaves open; networks other than the
codebook have the sizes and training of our default.

Each cell, a device with a generator and a setting, leaves a file; those made with the same rounds,
seed and versions are not measured again. Fewer rounds than 300 are said in the results.

    python benchmarks/selection.py CAPTURES --devices WeMoLink,Withings --generators markov
    python benchmarks/selection.py CAPTURES --devices WeMoLink --rounds 60
"""

import json
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from by_device import arguments
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from iotflowgen.adversaries import Adversary, Published
from iotflowgen.capture import read_captures
from iotflowgen.errors import IoTFlowGenError
from iotflowgen.evaluation import trials
from iotflowgen.files import whole_file
from iotflowgen.generators import GENERATORS, versions
from iotflowgen.traffic import Windows

SEED = 0
ROUNDS = 300
SWAPS = (5, 3, 1)
"""Windows swapped in a round, in each third of the rounds."""
TEST = 0.33
"""Share of the windows that a round tests on."""
POOL = 5000
"""Synthetic windows to choose from."""
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "iotflow": {
        f"{codes}x{width}": {
            "codec": {"duration_clusters": 25},
            "vq_stae": {"codebook_size": codes, "code_width": width},
        }
        for codes in (500, 2000, 5000)
        for width in (128, 512)
    },
    "doppelganger": {"default": {}},
    "markov": {"default": {}},
}


def measure(folder: Path, generator: str, settings: dict[str, Any], rounds: int) -> dict[str, Any]:
    """Fit, draw a pool, and select."""
    torch.set_num_threads(1)
    rng = np.random.default_rng([SEED, zlib.crc32(folder.name.encode())])
    ground = trials("paper", read_captures([folder]), rng)[0]
    start = time.process_time()
    method = GENERATORS[generator]
    config = method.Config.model_validate({"window": ground.real.size, **settings})
    pool = method(config, seed=SEED).fit(ground.train).sample(POOL, rng)
    drawn = time.process_time()
    kept, accuracy = select(Published, ground.real, pool, rounds, rng)
    make = partial(Published, seed=rounds + 1)  # a seed that no round had
    return {
        "rounds": rounds,
        "first": accuracy[0],
        "least": min(accuracy),
        "accuracy": accuracy,
        "kept, judged anew": ground.attack(make, pool[kept]).mean,
        "seconds": {"draw": drawn - start, "select": time.process_time() - drawn},
    }


def select(
    make: Callable[..., Adversary[Windows]],
    real: Windows,
    pool: Windows,
    rounds: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], list[float]]:
    """Which windows of the pool are kept at last (N), and the test accuracy of each round.

    Args:
        make: Makes a fresh adversary from a `seed`.
        real: Real windows (N).
        pool: Synthetic windows, more than N.
        rounds: How often the adversary is trained; the first sees first draws.
        rng: Decides the split, the first draws and what is swapped.
    """
    n = len(real)
    synthetic = np.arange(2 * n) >= n
    train, test = train_test_split(
        np.arange(2 * n), test_size=TEST, random_state=int(rng.integers(2**31))
    )
    kept, least = np.arange(n), 1.0
    accuracies: list[float] = []
    for i in range(rounds):
        shown = kept if i == 0 else _swapped(kept, len(pool), SWAPS[3 * (i - 1) // rounds], rng)
        windows = Windows.concatenate([_bare(real), _bare(pool[shown])])
        adversary = make(seed=i).fit(windows[train], synthetic[train])
        right = (adversary.score(windows[test]) > 0.5) == synthetic[test]
        accuracies.append(float(right.mean()))
        if accuracies[-1] <= least:
            kept, least = shown, accuracies[-1]
    return kept, accuracies


def _swapped(
    shown: NDArray[np.int64], pool: int, swaps: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The windows shown (N), some of them in exchange for others of the pool."""
    swapped = shown.copy()
    others = np.setdiff1d(np.arange(pool), shown)
    swaps = min(swaps, len(others), len(shown))
    swapped[rng.choice(len(shown), swaps, replace=False)] = rng.choice(others, swaps, replace=False)
    return swapped


def _bare(windows: Windows) -> Windows:
    """Windows with features alone."""
    return Windows(**{name: getattr(windows, name) for name in Windows.columns()})


def take(folder: Path, generator: str, setting: str, rounds: int, cell: Path) -> str:
    """Measure a cell, unless that was done; what to say of it."""
    made_with = {"rounds": rounds, "seed": SEED, "versions": versions()}
    named = {"device": folder.name, "generator": generator, "setting": setting}
    if cell.exists() and json.loads(cell.read_text())["made_with"] == made_with:
        return f"{cell.stem}: done before"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            found = measure(folder, generator, SETTINGS[generator][setting], rounds)
        except IoTFlowGenError as error:
            return f"{cell.stem}: {error}"
    with whole_file(cell) as temporary:
        temporary.write_text(json.dumps({**named, **found, "made_with": made_with}) + "\n")
    return f"{cell.stem}: {found['first']:.3f}, least {found['least']:.3f}"


def join(cells: Iterable[Path], out: Path) -> None:
    """All cells that are there in one file."""
    found = [json.loads(cell.read_text()) for cell in cells if cell.exists()]
    with whole_file(out) as temporary:
        temporary.write_text(json.dumps({"pool": POOL, "cells": found}, indent=1) + "\n")


def main() -> None:
    """Measure the cells that the command line names, then join them."""
    parser = arguments(Path("benchmarks/results/selection"), __doc__)
    parser.add_argument("--generators", default=",".join(SETTINGS))
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="adversaries trained a cell")
    chosen = parser.parse_args()
    cells = {
        (device, generator, setting): chosen.out / f"{device}-{generator}-{setting}.json"
        for device in chosen.devices.split(",")
        for generator in chosen.generators.split(",")
        for setting in SETTINGS[generator]
    }
    steps = (
        delayed(take)(chosen.root / device, generator, setting, chosen.rounds, cell)
        for (device, generator, setting), cell in cells.items()
    )
    for said in Parallel(chosen.processes, return_as="generator_unordered")(steps):
        print(said, file=sys.stderr)
    # cells of earlier runs, too: a run may name a few
    join(sorted(chosen.out.glob("*.json")), chosen.out.with_suffix(".json"))


if __name__ == "__main__":
    main()
