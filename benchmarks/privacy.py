"""What windows of each generator tell of the captures that it was learnt from.

Of each device half of the captures, G, are learnt from, and half, H, are not: the first split of
`held-out`, with the settings of the benchmark. 500 windows are drawn and written to a pcap, and

- membership: windows of G are told from those of H by how near a generated one is; the share of G's
  that is told where 1 % of H's are wrongly told;
- distance to the nearest window of G, beside that of windows of H;
- the longest run of packets, by length and direction, that stands in G, the mean over windows,
  beside that of H;
- the longest run of payload, in bytes, that stands in a message of G, beside the longest of H;
- identifiers of the captures that `audit.py` finds in the pcap.

After the dimensions of the evaluation of Tran et al. 2025 (arXiv 2511.20497). Devices that are done
are not measured again.

    python benchmarks/privacy.py CAPTURES --devices HueBridge,WeMoLink
"""

import tempfile
import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import audit
import numpy as np
from by_device import arguments, taken
from membership import payload_of
from numpy.typing import NDArray

import iotflowgen as iot
from iotflowgen.capture import read_captures
from iotflowgen.evaluation import BenchmarkConfig, Trial, trials
from iotflowgen.evaluation.metrics import copied_run, membership_inference, nearest_distance
from iotflowgen.library.honeydata import OfWindows
from iotflowgen.traffic import Windows, cut_windows, every_window_start

SEED = 0
GENERATORS = ("iotflow", "doppelganger", "markov", "replay", "sessions", "activities")
_BASE = 0x9E3779B97F4A7C15
"""Of the polynomial by which runs are told apart; odd, so that it has an inverse modulo 2^64."""


class Texts:
    """Messages, whose runs of any length can be compared with those of others."""

    def __init__(self, messages: Sequence[bytes]) -> None:
        """Hash all beginnings; no run spans two messages."""
        size = np.array([len(message) for message in messages], np.int64)
        octets = np.frombuffer(b"".join(messages), np.uint8).astype(np.uint64) + np.uint64(1)
        self._end = np.repeat(np.cumsum(size), size)
        with np.errstate(over="ignore"):
            power, self._inverse = (
                np.cumprod(np.full(len(octets), base, np.uint64), dtype=np.uint64)
                for base in (_BASE, pow(_BASE, -1, 2**64))
            )
            self._sums = np.cumsum(octets * power, dtype=np.uint64)

    def runs(self, size: int) -> NDArray[np.uint64]:
        """A number for each distinct run of so many bytes."""
        first = np.flatnonzero(np.arange(len(self._end)) + size <= self._end)
        before = np.where(first > 0, self._sums[first - 1], np.uint64(0))
        with np.errstate(over="ignore"):
            # moved to where every run would begin, so that its number depends on its bytes alone
            moved = (self._sums[first + size - 1] - before) * self._inverse[first]
        found: NDArray[np.uint64] = np.unique(moved)
        return found


def longest_run(one: Texts, other: Texts) -> int:
    """Bytes of the longest run that stands in messages of both."""
    low, high = 0, 65536
    while low < high:
        middle = (low + high + 1) // 2
        if np.isin(one.runs(middle), other.runs(middle), assume_unique=True).any():
            low = middle
        else:
            high = middle - 1
    return low


def of_generator(
    name: str,
    folder: Path,
    ground: Trial[Windows],
    learnt_texts: Texts,
    needles: Mapping[bytes, tuple[str, str, str]],
) -> dict[str, Any]:
    """What a generator that has learnt from G tells of it."""
    settings = BenchmarkConfig(devices=(folder.name,)).method("held-out", name)
    learnt = [folder / trace.name for trace in ground.train]
    model = iot.fit(learnt, generator=name, config=settings, seed=SEED)
    honey = model.generate(windows=len(ground.real), seed=SEED, start="2026-01-01")
    assert isinstance(honey, OfWindows)  # noqa: S101 - windows were asked for
    windows = honey.windows()
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "made.pcap"
        honey.to_pcap(out)
        made = Texts(payload_of(out))
        left = audit.leaks(audit.streams(out), needles)
    train = cut_windows(ground.train, every_window_start(ground.train, windows.size))
    metrics = {
        "membership": membership_inference,
        "distance": nearest_distance,
        "run": copied_run,
    }
    return {
        "generator": name,
        **{key: metric(ground.real, windows, train) for key, metric in metrics.items()},
        "payload_run": longest_run(made, learnt_texts),
        "identifiers": len({(kind, value) for kind, *_, value in left}),
    }


def measure(folder: Path, of: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """All generators on a device."""
    rng = np.random.default_rng([SEED, zlib.crc32(folder.name.encode())])
    ground = trials("held-out", read_captures([folder]), rng)[0]
    learnt, unseen = (
        Texts([text for trace in traces for text in payload_of(folder / trace.name)])
        for traces in (ground.train, ground.unseen)
    )
    needles = audit.written(audit.identifiers(folder.name, of))
    step = partial(of_generator, folder=folder, ground=ground, learnt_texts=learnt, needles=needles)
    real = longest_run(unseen, learnt)
    found = [step(name) for name in GENERATORS]
    for each in found:
        each["payload_run"] = {"synthetic": each["payload_run"], "real": real}
    return {"device": folder.name, "generators": found}


def main() -> None:
    """Measure the devices that the command line names."""
    chosen = arguments(Path("benchmarks/results/privacy"), __doc__).parse_args()
    of = audit.read_all(chosen.root, chosen.out / "read", chosen.processes)
    taken(partial(measure, of=of), chosen, seed=SEED)


if __name__ == "__main__":
    main()
