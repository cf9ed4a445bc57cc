"""Which stage of the paper's method gives its windows away, and how hard its codes are to learn.

Real windows are put through one stage after the other and attacked under `paper`, the rest kept as
it was: to tokens and back with true lengths, the same with true ports or true durations, to the
codes of the VQ-STAE and back; then windows of SeqGAN's codes, and of a back-off Markov chain over
the real ones, which is what the same codes are worth to another sequence model. The ports of a real
window come from captures other than its own, or the window would find itself.

The entropies, bits a packet: what a code tells beyond its own packet's tokens, that is of the rest
of its window, and what it does not tell of them; and the share of distinct runs of four, of tokens,
of real codes and of SeqGAN's.

Devices that are done are not measured again. Without `--networks` nothing is fitted: seconds.

    python benchmarks/stages.py CAPTURES --devices WeMoLink,HomeMaticPlug
    python benchmarks/stages.py CAPTURES --devices WeMoLink,HomeMaticPlug --networks
"""

import zlib
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from by_device import arguments, taken
from numpy.typing import NDArray

from iotflowgen.adversaries import PacketMetadata
from iotflowgen.capture import read_captures
from iotflowgen.encoding import Codec, CodecConfig
from iotflowgen.evaluation import Trial, trials
from iotflowgen.generators import IoTFlow
from iotflowgen.generators.port_numbers import PortNumbers
from iotflowgen.generators.walking.chain import END, Chain, padded
from iotflowgen.traffic import (
    Windows,
    WindowStarts,
    cut_windows,
    draw_window_starts,
    every_window_start,
)

SEED = 0
WINDOWS = 1500
"""That the codec is fitted on, as `iotflow` is."""
RUN = 4
"""Packets of a run whose variety is measured."""
ORDER = 6
"""Of the Markov chain over codes."""


def measure(folder: Path, *, networks: bool) -> dict[str, Any]:
    """Accuracy of the paper's adversary by stage, and the entropies of codes."""
    torch.set_num_threads(1)
    seed = [SEED, zlib.crc32(folder.name.encode())]
    rng = np.random.default_rng(seed)
    ground = trials("paper", read_captures([folder]), rng)[0]
    n, size = len(ground.real), ground.real.size
    # the trial draws real windows, then those of the control
    starts = draw_window_starts(ground.train, 2 * n, size, np.random.default_rng(seed))[n:]
    windows = cut_windows(ground.train, starts)
    learnt = draw_window_starts(
        ground.train, min(WINDOWS, len(every_window_start(ground.train, size))), size, rng
    )
    codec = Codec.fit(ground.train, learnt, CodecConfig(), SEED)
    tokens = codec.encode(ground.train, starts)
    back = codec.decode(tokens, codec.length_classes(windows.length), rng)
    back = _numbered(replace(back, length=windows.length), codec, ground, starts, rng)
    ports = {name: getattr(windows, name) for name in ("src_port", "dst_port")}
    stages = {
        "genuine": windows,
        "tokens and back": back,
        "the same, true ports": replace(back, **ports),
        "the same, true durations": replace(back, duration_ns=windows.duration_ns),
    }
    found: dict[str, Any] = {"device": folder.name, "windows": n}
    if networks:
        generator = IoTFlow(seed=SEED).fit(ground.train)
        codes = generator.encode(ground.train, starts)
        drawn = generator.sample_codes(n, rng)
        chained = _chained(generator.encode(ground.train, learnt), n, rng)
        stages["through the VQ-STAE"] = generator.decode(codes, rng)
        stages["SeqGAN's codes"] = generator.decode(drawn, rng)
        stages["a Markov chain's codes"] = generator.decode(chained, rng)
        of_learnt = generator.encode(ground.train, learnt)
        own = _numbers(generator.codec.encode(ground.train, learnt))
        found["entropies"] = {
            "code beyond its packet": _entropy(own, of_learnt) - _entropy(own),
            "packet beyond its code": _entropy(own, of_learnt) - _entropy(of_learnt),
            "distinct runs, tokens": _distinct(own[:n]),
            "distinct runs, codes": _distinct(of_learnt[:n]),
            "distinct runs, SeqGAN": _distinct(drawn),
        }
    attack = partial(ground.attack, partial(PacketMetadata, seed=SEED))
    return found | {"accuracy": {name: attack(each).mean for name, each in stages.items()}}


def _numbered(
    windows: Windows,
    codec: Codec,
    ground: Trial[Windows],
    starts: WindowStarts,
    rng: np.random.Generator,
) -> Windows:
    """Windows with ephemeral ports of captures other than the one that each was cut from."""
    parts, order = [], []
    for of in np.unique(starts.trace).tolist():
        others = [trace for i, trace in enumerate(ground.train) if i != of]
        rows = np.flatnonzero(starts.trace == of)
        parts.append(PortNumbers.fit(others, codec.ports, windows.size).draw(windows[rows], rng))
        order.append(rows)
    return Windows.concatenate(parts)[np.argsort(np.concatenate(order))]


def _chained(codes_NL: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """As many windows of codes (n, L) as asked for, by a Markov chain over others (N, L)."""
    size = codes_NL.shape[1]
    symbol = padded([row + 1 for row in codes_NL], ends=ORDER)
    chain = Chain(symbol, symbol != END, ORDER)
    walks: list[NDArray[np.int64]] = []
    while sum(map(len, walks)) < n:
        # all begin after an end, where windows do
        start = np.full(n, ORDER)
        walk = chain.symbol[np.stack(list(islice(chain.walk(start, rng), size)), axis=1)]
        walks.append(walk[(walk != END).all(axis=1)] - 1)
    return np.concatenate(walks)[:n]


def _numbers(tokens_NLF: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number (N, L) for what a packet's tokens are together."""
    rows = tokens_NLF.reshape(-1, tokens_NLF.shape[-1])
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(tokens_NLF.shape[:2])


def _entropy(*columns: NDArray[np.int64]) -> float:
    """Of what stands in several columns together, bits, from its frequencies."""
    rows = np.stack([column.ravel() for column in columns], axis=-1)
    count = np.unique(rows, axis=0, return_counts=True)[1]
    share = count / count.sum()
    return float(-(share * np.log2(share)).sum())


def _distinct(numbers_NL: NDArray[np.int64]) -> float:
    """Distinct runs of `RUN` packets, as a share of all."""
    runs = np.lib.stride_tricks.sliding_window_view(numbers_NL, RUN, axis=1).reshape(-1, RUN)
    return len(np.unique(runs, axis=0)) / len(runs)


def main() -> None:
    """Measure the devices that the command line names."""
    out = Path("benchmarks/results/stages")
    parser = arguments(out, __doc__)
    parser.add_argument("--networks", action="store_true", help="fit the networks, too: minutes")
    chosen = parser.parse_args()
    taken(partial(measure, networks=chosen.networks), chosen, seed=SEED, networks=chosen.networks)


if __name__ == "__main__":
    main()
