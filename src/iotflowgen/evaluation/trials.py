"""Two protocols of evaluation: the paper's, and one under which copying does not win.

A protocol deals a device's captures into trials. A trial names the captures a generator may learn
from, and holds the real windows to tell the generated ones from, and as many other real windows in
place of generated ones: the control. Nothing in it depends on a generator, so all are attacked
alike, and one control serves for all of them.

`paper` draws windows from all captures and cross-validates over windows, so windows of one capture
are on both sides of a fold and the adversary learns values that are specific to a capture. It is
comparable with Table 1. `held-out` splits the captures into halves G and H: the generator learns
from G, and the adversary tells its windows from windows of H.

The figure is the excess: accuracy minus that of the control. Under `held-out` the control is G
against H, with whole captures kept together, so that no capture is on both sides of a fold.
Generated windows have no capture; they are dealt at random to as many groups as H has captures, of
the same sizes, which makes folds even. Windows that share values of one capture, above all its
ephemeral ports, are then on both sides: a generator that replays G is detected by that, though no
single window is wrong. Copying is meant to show. Folds of a control may have uneven classes, hence
the balanced accuracy of `Detection`.

Nothing is selected by a figure: every window is a first draw. All adversaries attack the same
windows in the same folds, so naming more of them changes no figure.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal

import numpy as np
from numpy.typing import NDArray

from iotflowgen.adversaries import Adversary
from iotflowgen.errors import TooShort
from iotflowgen.evaluation.cross_validation import (
    Detection,
    Seen,
    cross_validate,
    cross_validate_groups,
)
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import (
    Trace,
    Windows,
    WindowStarts,
    cut_windows,
    draw_window_starts,
    every_window_start,
    in_pieces,
)

__all__ = [
    "PROTOCOLS",
    "EvaluationWarning",
    "Protocol",
    "Trial",
    "trials",
]

Protocol = Literal["paper", "held-out"]
PROTOCOLS: tuple[Protocol, ...] = ("paper", "held-out")
"""By the names that `evaluate --protocol` takes."""

_FOLDS = 5
_LEAST = 4  # captures: two in each half, so that either can be cross-validated by capture


class EvaluationWarning(UserWarning):
    """An evaluation did not use all it was given, or found less than it asked for."""


@dataclass(frozen=True, eq=False)
class Trial(Generic[Seen]):
    """One attack's ground: N real windows, and as many genuine ones for the control.

    What adversaries see are windows of packets, or, of those who look longer, stretches of time.
    """

    train: tuple[Trace, ...]
    """G, the captures to learn from; under `paper`, all of them."""
    unseen: tuple[Trace, ...]
    """H, the captures that the real windows are of; under `paper`, all of them."""
    real: Seen
    """Windows of H (N)."""
    capture: NDArray[np.int64]
    """Which capture of H each is of (N)."""
    control: Seen
    """Windows of G (N)."""
    control_capture: NDArray[np.int64]
    """Which capture of G each is of (N)."""
    dealt: NDArray[np.int64] | None
    """The group of each synthetic window (N); none where folds are over windows."""
    seed: int
    """Of the folds and of the interval."""

    def attack(
        self, make: Callable[[], Adversary[Seen]], synthetic: Seen, *, progress: Progress = silent
    ) -> Detection:
        """Tell N synthetic windows from the real ones.

        Raises:
            ValueError: There are not N.
        """
        return self._attack(make, synthetic, self.dealt, progress)

    def attack_control(
        self, make: Callable[[], Adversary[Seen]], *, progress: Progress = silent
    ) -> Detection:
        """Tell genuine windows from the real ones, under `held-out` whole captures together."""
        groups = None if self.dealt is None else self.control_capture
        return self._attack(make, self.control, groups, progress)

    def _attack(
        self,
        make: Callable[[], Adversary[Seen]],
        other: Seen,
        groups: NDArray[np.int64] | None,
        progress: Progress,
    ) -> Detection:
        rng = np.random.default_rng(self.seed)
        if groups is None:
            return cross_validate(
                make,
                self.real,
                other,
                rng,
                captures=self.capture,
                folds=_FOLDS,
                progress=progress,
            )
        return cross_validate_groups(
            make,
            self.real,
            other,
            rng,
            groups=(self.capture, groups),
            folds=_FOLDS,
            progress=progress,
        )


def trials(
    protocol: Protocol,
    traces: Sequence[Trace],
    rng: np.random.Generator,
    *,
    window: int = 20,
    windows: int = 500,
    splits: int = 2,
) -> tuple[Trial[Windows], ...]:
    """Deal the captures of one device into trials.

    `paper` makes one trial (section 5.2). `held-out` makes one a split. Splits come in pairs, the
    second with the halves of the first exchanged, so that with two every capture has been unseen
    once. Of fewer than four captures, long ones are cut into pieces, days as a rule, as `fit` cuts
    them.

    Args:
        protocol: How.
        traces: The captures.
        rng: Decides the splits, the windows and the groups.
        window: L, packets a window.
        windows: N, of each kind; fewer where the captures hold fewer.
        splits: How often `held-out` splits the captures.

    Warns:
        EvaluationWarning: A capture is shorter than a window, or there are fewer than N windows.

    Raises:
        TooShort: There are fewer than 5 windows, or under `held-out` fewer than 4 captures that
            hold one.
    """
    if protocol == "held-out" and len(traces) < _LEAST:
        traces = [piece for trace in traces for piece in in_pieces(trace)]
    usable = _long_enough(traces, window)
    if protocol == "paper":
        return (_paper_trial(usable, rng, window, windows),)
    if len(usable) < _LEAST:
        raise TooShort(
            f"held-out needs {_LEAST} captures of at least {window} packets, two in each half, and "
            f"there are {len(usable)}; give more captures, or choose --protocol paper"
        )
    dealt: list[Trial[Windows]] = []
    for i in range(splits):
        if i % 2 == 0:
            order = rng.permutation(len(usable))
            first, second = order[: len(order) // 2], order[len(order) // 2 :]
        else:
            first, second = second, first
        train, unseen = ([usable[j] for j in sorted(half)] for half in (first, second))
        dealt.append(_held_out_trial(train, unseen, rng, window, windows))
    return tuple(dealt)


def _paper_trial(
    traces: Sequence[Trace], rng: np.random.Generator, window: int, windows: int
) -> Trial[Windows]:
    n = _enough(len(every_window_start(traces, window)), windows)
    # one draw for both: no window is in both while the captures hold enough
    starts = draw_window_starts(traces, 2 * n, window, rng)
    real, control = starts[:n], starts[n:]
    return Trial(
        train=tuple(traces),
        unseen=tuple(traces),
        real=cut_windows(traces, real),
        capture=real.trace,
        control=cut_windows(traces, control),
        control_capture=control.trace,
        dealt=None,
        seed=int(rng.integers(2**31)),
    )


def _held_out_trial(
    train: Sequence[Trace],
    unseen: Sequence[Trace],
    rng: np.random.Generator,
    window: int,
    windows: int,
) -> Trial[Windows]:
    n = _enough(min(len(every_window_start(half, window)) for half in (train, unseen)), windows)
    real, control = (_draw_of_two(half, n, window, rng) for half in (unseen, train))
    return Trial(
        train=tuple(train),
        unseen=tuple(unseen),
        real=cut_windows(unseen, real),
        capture=real.trace,
        control=cut_windows(train, control),
        control_capture=control.trace,
        dealt=rng.permutation(real.trace),
        seed=int(rng.integers(2**31)),
    )


def _long_enough(traces: Sequence[Trace], window: int) -> list[Trace]:
    usable = [trace for trace in traces if len(trace) >= window]
    if usable and len(usable) < len(traces):
        _warn(
            f"{len(traces) - len(usable)} of {len(traces)} captures have fewer than {window} "
            "packets and are left out; a smaller --window would use them"
        )
    every_window_start(usable or traces, window)
    return usable


def _enough(n: int, asked: int) -> int:
    """How many windows of each kind there are, said aloud where that is not what was asked."""
    if min(n, asked) < _FOLDS:
        raise TooShort(
            f"there are {min(n, asked)} windows of each kind, {_FOLDS} folds need one each; give "
            "longer or more captures and synthetic files, or choose a smaller --window"
        )
    if n < asked:
        _warn(
            f"{n} windows of each kind are used, not {asked}: there are no more; more captures and "
            "synthetic traffic give more, and figures that depend less on chance"
        )
    return min(n, asked)


def _draw_of_two(
    traces: Sequence[Trace], n: int, window: int, rng: np.random.Generator
) -> WindowStarts:
    """Draw windows of two captures at least, which cross-validation by capture needs.

    Raises:
        TooShort: All windows are of one capture, which outweighs the others so far.
    """
    starts = draw_window_starts(traces, n, window, rng)
    if len(np.unique(starts.trace)) < 2:
        raise TooShort(
            f"all {n} windows of a half are of {traces[starts.trace[0]].name}, which outweighs the "
            "other captures; ask for more --windows, or give more captures"
        )
    return starts


def _warn(message: str) -> None:
    warnings.warn(message, EvaluationWarning, stacklevel=4)
