"""The two protocols for adversaries that look longer: hours, or minutes, in place of windows.

What is kept together is a capture; where fewer than four are long enough, a day of one. Under
`held-out` G are the first days and H the last ones, and in the next trial the other way round: what
changes with time stands between the halves of the control, too.

Shapes: N stretches.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.errors import TooShort
from iotflowgen.evaluation.trials import Protocol, Trial
from iotflowgen.generators import SessionGenerator, first_seconds, shifted_to
from iotflowgen.traffic import Session, Stretches, Trace, cut_stretches

__all__ = ["as_many_stretches", "long_trials", "streamed_stretches"]

_DAY_NS: Final = 24 * 3600 * 10**9
_LEAST: Final = 4
"""Captures, or days: two in each half."""
_FOLDS: Final = 5


def long_trials(
    protocol: Protocol,
    traces: Sequence[Trace],
    length_ns: int,
    rng: np.random.Generator,
    *,
    most: int | None = None,
    splits: int = 2,
) -> tuple[Trial[Stretches], ...]:
    """Deal the captures of one device, or the days of one, into trials.

    Args:
        protocol: How.
        traces: The captures.
        length_ns: Of a stretch.
        rng: Decides which stretches are taken, the groups, and the splits after the second.
        most: N, stretches of each kind; by default as many as there are.
        splits: How often `held-out` splits the captures.

    Raises:
        TooShort: There are too few stretches, or fewer than four captures or days have one.
    """
    found, capture = cut_stretches(traces, length_ns)
    if protocol == "paper":
        n = _enough(len(found) // 2, most)
        order = rng.permutation(len(found))
        real, control = np.sort(order[:n]), np.sort(order[n : 2 * n])
        return (_trial(traces, traces, found, capture, (real, control), None, rng),)
    group = _days(found, capture)
    groups = np.unique(group)
    if len(groups) < _LEAST:
        raise TooShort(
            f"{len(groups)} captures, or days, have stretches of {length_ns / 6e10:g} minutes, and "
            f"held-out needs {_LEAST}: two in each half; capture for days"
        )
    dealt = []
    for split in range(splits):
        if split % 2 == 0:
            order = rng.permutation(groups) if split else groups
            first, second = order[: (len(order) + 1) // 2], order[(len(order) + 1) // 2 :]
        else:
            first, second = second, first
        of_g, of_h = (np.flatnonzero(np.isin(group, half)) for half in (first, second))
        n = _enough(min(len(of_g), len(of_h)), most)
        chosen = tuple(np.sort(rng.permutation(of)[:n]) for of in (of_h, of_g))
        train, unseen = (_of_stretches(traces, found[of], capture[of]) for of in (of_g, of_h))
        groups_of_real = rng.permutation(group[chosen[0]])
        dealt.append(_trial(train, unseen, found, group, chosen, groups_of_real, rng))
    return tuple(dealt)


def as_many_stretches(
    trials: Sequence[Trial[Stretches]],
    synthetic: Sequence[Trace | Session],
    rng: np.random.Generator,
) -> list[Stretches]:
    """Stretches of synthetic traffic, drawn for each trial: as many as it has of each kind.

    Raises:
        TooShort: There are fewer.
    """
    found, _ = cut_stretches(synthetic, trials[0].real.length_ns)
    if len(found) < (wanted := max(len(trial.real) for trial in trials)):
        raise TooShort(
            f"the synthetic traffic has {len(found)} stretches of {found.length_ns / 6e10:g} "
            f"minutes, {wanted} are needed; generate more of it"
        )
    return [found[np.sort(rng.permutation(len(found))[: len(trial.real)])] for trial in trials]


def streamed_stretches(
    trial: Trial[Stretches], generator: SessionGenerator, rng: np.random.Generator
) -> Stretches:
    """As many stretches as a trial has, of a stream that begins when H does."""
    length_ns, n = trial.real.length_ns, len(trial.real)
    lasts_ns = (n + 1) * length_ns
    start_ns = int(trial.unseen[0].time_ns[0])
    stream = shifted_to(first_seconds(generator.stream(rng), lasts_ns / 1e9), start_ns)
    whole = Session.merged([*stream]).as_trace()
    silent = replace(whole, silence_ns=start_ns + lasts_ns - int(whole.time_ns[-1]))
    return as_many_stretches([trial], [silent], rng)[0]


def _days(found: Stretches, capture: NDArray[np.int64]) -> NDArray[np.int64]:
    """What is kept together (N): captures, or their days, by numbers in order of time."""
    if len(np.unique(capture)) >= _LEAST:
        return capture
    first = np.searchsorted(capture, capture)
    day = (found.start_ns - found.start_ns[first]) // _DAY_NS
    groups: NDArray[np.int64] = np.unique(capture * (day.max() + 1) + day, return_inverse=True)[1]
    return groups


def _of_stretches(
    traces: Sequence[Trace], found: Stretches, capture: NDArray[np.int64]
) -> tuple[Trace, ...]:
    """What the captures hold of stretches: each capture's, as far as these follow each other."""
    parts = []
    ends = np.flatnonzero(
        (np.diff(capture, append=-1) != 0) | (np.diff(found.start_ns, append=0) != found.length_ns)
    )
    first = 0
    for end in ends.tolist():
        trace = traces[capture[end]]
        bounds_ns = found.start_ns[[first, end]] + (0, found.length_ns)
        part = trace[slice(*np.searchsorted(trace.time_ns, bounds_ns).tolist())]
        if len(part):
            parts.append(part)
        first = end + 1
    return tuple(parts)


def _enough(n: int, most: int | None) -> int:
    if n < _FOLDS:
        raise TooShort(
            f"there are {n} stretches of each kind, {_FOLDS} folds need one each; give captures of "
            "days, and synthetic traffic as long"
        )
    return n if most is None else min(n, most)


def _trial(
    train: Sequence[Trace],
    unseen: Sequence[Trace],
    found: Stretches,
    group: NDArray[np.int64],
    chosen: Sequence[NDArray[np.int64]],
    dealt: NDArray[np.int64] | None,
    rng: np.random.Generator,
) -> Trial[Stretches]:
    """A trial of those that are chosen, of H and of G."""
    real, control = chosen
    return Trial(
        train=tuple(train),
        unseen=tuple(unseen),
        real=found[real],
        capture=group[real],
        control=found[control],
        control_capture=group[control],
        dealt=dealt,
        seed=int(rng.integers(2**31)),
    )
