"""Two protocols of evaluation: the paper's, and one that copying does not win.

`paper` draws windows from all captures and cross-validates over windows, so windows of one capture
stand on both sides of a fold and the adversary learns each capture's accidents. It is what Table 1
compares with. `held_out` splits the captures in halves G and H: whoever makes the synthetic windows
learns from G, and the adversary tells them from windows of H.

The figure of `held_out` is the excess: accuracy minus that of a control, the same adversary, H
against G. How windows are grouped moves that accuracy by up to 0.3: with whole captures of G kept
together, the adversary cannot learn the ports of the captures that it is scored on. Synthetic
windows have no capture to be kept together by. Dealt at random they stand on both sides of a fold,
and even a generator that hands out G itself would be found out more often than a control grouped
by capture. So windows of G are dealt as synthetic ones are, at random, to as many groups as H has
captures and of the same sizes, which makes every fold even too. The control grouped by capture is
given beside it: there a fold of one class may be larger, hence the `Detection`'s even accuracy.
A generator whose windows hang together less than those of a capture may have an excess below 0.

Nothing is selected by a figure: every window is a first draw. All adversaries of a run attack the
same windows in the same folds, so naming more of them changes no figure.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from iotflowgen.adversaries import Adversary
from iotflowgen.errors import TooShort
from iotflowgen.evaluation.cross_validation import Detection, cross_validate, cross_validate_groups
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Places, Trace, Windows, cut_windows, draw_places, every_place

__all__ = [
    "EvaluationWarning",
    "Excess",
    "Halves",
    "HeldOutResult",
    "HeldOutSplit",
    "PaperResult",
    "Source",
    "given",
    "held_out",
    "paper",
]

_FOLDS = 5
_LEAST = 4  # captures: two in each half, so that either can be cross-validated by capture

Adversaries = Sequence[Callable[[], Adversary]]


class EvaluationWarning(UserWarning):
    """An evaluation did not use all it was given, or found less than it asked for."""


class Source(Protocol):
    """Where synthetic windows come from."""

    def __call__(self, traces: Sequence[Trace], n: int, rng: np.random.Generator) -> Windows:
        """At most `n` windows of whatever has learnt from `traces` and from nothing else."""


@dataclass(frozen=True)
class PaperResult:
    """What `paper` found."""

    captures: tuple[str, ...]
    """Names of the captures that the real windows are of."""
    windows: int
    """Real windows, and as many synthetic ones."""
    detections: tuple[Detection, ...]
    """An entry an adversary."""
    protocol: Literal["paper"] = "paper"


@dataclass(frozen=True)
class Halves:
    """One split of the captures."""

    train: tuple[str, ...]
    """G: names of the captures to learn from."""
    unseen: tuple[str, ...]
    """H: names of the captures that synthetic windows are told from."""
    windows: int
    """Windows of H, and as many synthetic ones and of G."""


@dataclass(frozen=True)
class HeldOutSplit:
    """One adversary on one split."""

    detection: Detection
    """Synthetic windows against H."""
    control: Detection
    """G against H, grouped as the synthetic windows are."""
    control_by_capture: Detection
    """G against H, whole captures of G kept together."""
    excess: float
    """Accuracy minus that of the control."""


@dataclass(frozen=True)
class Excess:
    """One adversary on all splits."""

    adversary: str
    excess: float
    """Mean over the splits; 0 where synthetic windows are as hard to tell from H as G is."""
    spread: tuple[float, float]
    """Least and most of the splits."""
    splits: tuple[HeldOutSplit, ...]


@dataclass(frozen=True)
class HeldOutResult:
    """What `held_out` found."""

    halves: tuple[Halves, ...]
    """An entry a split."""
    adversaries: tuple[Excess, ...]
    protocol: Literal["held-out"] = "held-out"


def given(windows: Windows) -> Source:
    """A source that has its windows already, whatever they were learnt from."""

    def draw(traces: Sequence[Trace], n: int, rng: np.random.Generator) -> Windows:  # noqa: ARG001
        return windows[rng.permutation(len(windows))[:n]]

    return draw


def paper(
    traces: Sequence[Trace],
    source: Source,
    adversaries: Adversaries,
    rng: np.random.Generator,
    *,
    window: int = 20,
    windows: int = 500,
    progress: Progress = silent,
) -> PaperResult:
    """Stratified 5-fold cross-validation over windows drawn from all captures (section 5.2).

    Args:
        traces: Captures of one device.
        source: Makes the synthetic windows, given all of `traces`.
        adversaries: Each makes a fresh adversary.
        rng: Decides the windows and the folds.
        window: L, packets a window.
        windows: n, of each kind; fewer where the captures or the source have fewer.
        progress: Told after every fit of an adversary.

    Warns:
        EvaluationWarning: A capture is shorter than a window, or there are fewer than n windows.

    Raises:
        TooShort: There are fewer than 5 windows.
    """
    usable = _long_enough(traces, window)
    n = min(windows, len(every_place(usable, window)))
    synthetic = source(usable, n, rng)
    n = _agree(len(synthetic), windows)
    places = draw_places(usable, n, window, rng)
    real, seed = cut_windows(usable, places), int(rng.integers(2**31))
    found = tuple(
        cross_validate(
            make,
            real,
            synthetic,
            np.random.default_rng(seed),
            captures=places.trace,
            folds=_FOLDS,
            progress=_part(progress, i, len(adversaries)),
        )
        for i, make in enumerate(adversaries)
    )
    return PaperResult(captures=tuple(t.name for t in usable), windows=n, detections=found)


def held_out(
    traces: Sequence[Trace],
    source: Source,
    adversaries: Adversaries,
    rng: np.random.Generator,
    *,
    window: int = 20,
    windows: int = 500,
    splits: int = 2,
    progress: Progress = silent,
) -> HeldOutResult:
    """Synthetic windows learnt from half of the captures against windows of the other half.

    Splits come in pairs, the second with the halves of the first exchanged, so that with two
    splits every capture has been unseen once.

    Args:
        traces: Captures of one device.
        source: Makes the synthetic windows, given half of `traces`.
        adversaries: Each makes a fresh adversary.
        rng: Decides the splits, the windows and the groups.
        window: L, packets a window.
        windows: n, of each kind; fewer where a half or the source has fewer.
        splits: How often the captures are split.
        progress: Told after every fit of an adversary.

    Warns:
        EvaluationWarning: A capture is shorter than a window, or there are fewer than n windows.

    Raises:
        TooShort: Fewer than 4 captures hold a window, or there are fewer than 5 windows.
    """
    usable = _long_enough(traces, window)
    if len(usable) < _LEAST:
        raise TooShort(
            f"held-out needs {_LEAST} captures of at least {window} packets, two in each half, and "
            f"there are {len(usable)}; give more captures, or choose --protocol paper"
        )
    halves: list[Halves] = []
    found: list[tuple[HeldOutSplit, ...]] = []
    for i in range(splits):
        if i % 2 == 0:
            order = rng.permutation(len(usable))
            first, second = order[: len(order) // 2], order[len(order) // 2 :]
        else:
            first, second = second, first
        train, unseen = ([usable[j] for j in sorted(half)] for half in (first, second))
        telling = _part(progress, i, splits)
        split, detections = _one_split(
            (train, unseen), source, adversaries, rng, window, windows, telling
        )
        halves.append(split)
        found.append(detections)
    return HeldOutResult(
        halves=tuple(halves),
        adversaries=tuple(_over_splits(of_one) for of_one in zip(*found, strict=True)),
    )


def _one_split(
    halves: tuple[Sequence[Trace], Sequence[Trace]],
    source: Source,
    adversaries: Adversaries,
    rng: np.random.Generator,
    window: int,
    windows: int,
    progress: Progress,
) -> tuple[Halves, tuple[HeldOutSplit, ...]]:
    """Every adversary on one split: synthetic windows against H, and the two controls."""
    train, unseen = halves
    n = min(windows, *(len(every_place(half, window)) for half in halves))
    synthetic = source(train, n, rng)
    n = _agree(len(synthetic), windows)
    places, train_places = (_draw_of_two(half, n, window, rng) for half in (unseen, train))
    real, copied = cut_windows(unseen, places), cut_windows(train, train_places)
    dealt, seed = rng.permutation(places.trace), int(rng.integers(2**31))
    attacks = (
        (synthetic, dealt),
        (copied, dealt),
        (copied, train_places.trace),
    )
    found = []
    for i, make in enumerate(adversaries):
        detection, control, by_capture = (
            cross_validate_groups(
                make,
                real,
                other,
                np.random.default_rng(seed),
                groups=(places.trace, groups),
                folds=_FOLDS,
                progress=_part(progress, i * len(attacks) + j, len(adversaries) * len(attacks)),
            )
            for j, (other, groups) in enumerate(attacks)
        )
        excess = detection.mean - control.mean
        found.append(HeldOutSplit(detection, control, by_capture, excess))
    names = [tuple(trace.name for trace in half) for half in halves]
    return Halves(train=names[0], unseen=names[1], windows=n), tuple(found)


def _over_splits(splits: tuple[HeldOutSplit, ...]) -> Excess:
    each = [split.excess for split in splits]
    return Excess(
        adversary=splits[0].detection.adversary,
        excess=float(np.mean(each)),
        spread=(min(each), max(each)),
        splits=splits,
    )


def _long_enough(traces: Sequence[Trace], window: int) -> list[Trace]:
    usable = [trace for trace in traces if len(trace) >= window]
    if usable and len(usable) < len(traces):
        _warn(
            f"{len(traces) - len(usable)} of {len(traces)} captures have fewer than {window} "
            "packets and are left out; a smaller --window would use them"
        )
    every_place(usable or traces, window)
    return usable


def _agree(n: int, asked: int) -> int:
    """How many windows of each kind there are, `n`, said aloud where that is not what was asked."""
    if n < _FOLDS:
        raise TooShort(
            f"there are {n} windows of each kind, {_FOLDS} folds need one each; give longer or "
            "more captures and synthetic files, or choose a smaller --window"
        )
    if n < asked:
        _warn(f"{n} windows of each kind are used, not {asked}: there are no more")
    return n


def _draw_of_two(traces: Sequence[Trace], n: int, window: int, rng: np.random.Generator) -> Places:
    """Draw places of two captures at least, which cross-validation by capture needs.

    Raises:
        TooShort: All windows are of one capture, which outweighs the others so far.
    """
    places = draw_places(traces, n, window, rng)
    if len(np.unique(places.trace)) < 2:
        raise TooShort(
            f"all {n} windows of a half are of {traces[places.trace[0]].name}, which outweighs the "
            "other captures; ask for more --windows, or give more captures"
        )
    return places


def _part(progress: Progress, part: int, parts: int) -> Progress:
    """Progress of one of several parts, told as progress of the whole."""

    def tell(stage: str, done: int, total: int, note: str = "") -> None:
        progress(stage, part * total + done, parts * total, note)

    return tell


def _warn(message: str) -> None:
    warnings.warn(message, EvaluationWarning, stacklevel=3)
