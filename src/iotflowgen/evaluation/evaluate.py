"""Generated windows, whatever made them, against the captures of one device."""

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from iotflowgen.adversaries import ADVERSARIES
from iotflowgen.evaluation.day import Day, typical_day
from iotflowgen.evaluation.description import describe, measure
from iotflowgen.evaluation.long_trials import as_many_stretches, long_trials
from iotflowgen.evaluation.results import Attack, Cell, Device, Results, Sample
from iotflowgen.evaluation.trials import EvaluationWarning, Protocol, Trial, trials
from iotflowgen.generators import versions
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Stretches, Trace, Windows, cut_stretches

__all__ = ["evaluate", "long_pairs"]


def evaluate(
    traces: Sequence[Trace],
    synthetic: Windows,
    protocol: Protocol,
    adversaries: Sequence[str],
    *,
    device: str,
    generator: str,
    streams: Sequence[Trace] = (),
    seed: int = 0,
    windows: int = 500,
    splits: int = 2,
    progress: Progress = silent,
) -> Results:
    """Attack synthetic windows under a protocol, and describe them.

    It cannot be known here what they were made from: under `held-out`, that this was nothing of
    the captures that they are told from is for the caller to see to.

    Args:
        traces: Captures of the device.
        synthetic: Windows that imitate it; as many as are needed are drawn for each trial.
        protocol: How the captures are dealt into trials.
        adversaries: Names of those who attack.
        device: What to call the device.
        generator: What to call whatever made the windows.
        streams: The synthetic traffic as it comes, for adversaries that look at hours of it.
        seed: Decides everything that is drawn.
        windows: Windows of each kind; fewer where there are fewer.
        splits: How often `held-out` splits the captures.
        progress: Told after every fit of an adversary.

    Warns:
        EvaluationWarning: There are fewer windows, or a capture is shorter than one.

    Raises:
        TooShort: There is too little to evaluate.
    """
    rng = np.random.default_rng(seed)
    grounds = trials(
        protocol,
        traces,
        rng,
        window=synthetic.size,
        windows=min(windows, len(synthetic)),
        splits=splits,
    )
    if len(synthetic) < windows:
        warnings.warn(
            f"{len(synthetic)} windows of each kind are used, not {windows}: the synthetic traffic "
            "has no more; generate more of it, for figures that depend less on chance",
            EvaluationWarning,
            stacklevel=2,
        )
    drawn = [synthetic[rng.permutation(len(synthetic))[: len(g.real)]] for g in grounds]
    tell = _Count(progress, len(adversaries) * 2 * len(grounds))
    names = {"device": device, "protocol": protocol, "generator": generator}
    cells = []
    for adversary in adversaries:
        pairs: list[tuple[Trial[Any], Any]] = [*zip(grounds, drawn, strict=True)]
        if length_ns := ADVERSARIES[adversary].stretch_ns:
            pairs = long_pairs(protocol, traces, streams, length_ns, seed=seed, splits=splits)
        attacks = tuple(_attack(*pair, adversary, seed, tell) for pair in pairs)
        cells.append(Cell(**names, adversary=adversary, attacks=attacks))
    samples = []
    for i, (ground, other) in enumerate(zip(grounds, drawn, strict=True)):
        progress("measure", i, len(grounds))
        samples.append(
            Sample(
                **names,
                trial=i,
                windows=len(other),
                train=tuple(trace.name for trace in ground.train),
                unseen=tuple(trace.name for trace in ground.unseen),
                metrics=measure(ground, other),
                profiles=describe(ground, other) if i == 0 else {},
                days=_days(traces, streams) if i == 0 else {},
            )
        )
    progress("measure", len(grounds), len(grounds))
    return Results(
        made_with={
            "seed": seed,
            "window": synthetic.size,
            "windows": windows,
            "splits": splits,
            "synthetic_windows": len(synthetic),
            "versions": versions(),
        },
        devices=(
            Device(
                name=device,
                captures={trace.name: trace.sha256 for trace in traces},
                packets=sum(map(len, traces)),
            ),
        ),
        cells=tuple(cells),
        samples=tuple(samples),
    )


def long_pairs(
    protocol: Protocol,
    traces: Sequence[Trace],
    streams: Sequence[Trace],
    length_ns: int,
    *,
    seed: int = 0,
    splits: int = 2,
) -> list[tuple[Trial[Stretches], Stretches]]:
    """Trials of long stretches, and synthetic ones for each.

    Raises:
        TooShort: The captures or the synthetic traffic are too short for that.
    """
    rng = np.random.default_rng([seed, length_ns])
    found, _ = cut_stretches(streams, length_ns)
    grounds = long_trials(protocol, traces, length_ns, rng, most=len(found), splits=splits)
    return [*zip(grounds, as_many_stretches(grounds, streams, rng), strict=True)]


def _attack(
    ground: Trial[Any],
    synthetic: Any,  # noqa: ANN401 - what the adversary is shown
    adversary: str,
    seed: int,
    progress: "_Count",
) -> Attack:
    make = partial(ADVERSARIES[adversary], seed=seed)
    detection = ground.attack(make, synthetic, progress=progress)
    return Attack(detection=detection, control=ground.attack_control(make, progress=progress))


def _days(real: Sequence[Trace], synthetic: Sequence[Trace]) -> dict[str, Day]:
    """A day of each, where both last so long."""
    days = {"real": typical_day(real), "synthetic": typical_day(synthetic)}
    known = {name: day for name, day in days.items() if day is not None}
    return known if len(known) == len(days) else {}


class _Count:
    """Progress of many attacks, told as progress of one stage."""

    def __init__(self, progress: Progress, attacks: int) -> None:
        self._progress, self._attacks, self._over = progress, attacks, 0

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Fold `done` of `total` of the attack that is on."""
        self._progress(stage, self._over * total + done, self._attacks * total, note)
        self._over += done == total
