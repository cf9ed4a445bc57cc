"""Turns: what comes by a clock of its own, or by that on the wall.

Shapes: A activities of the captures, in order of time; G of them of one kind.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from iotflowgen.generators.activities.clock import DAY_NS, HOUR_NS

__all__ = [
    "ALIKE",
    "CLOCK",
    "NEAR",
    "by_clocks",
    "by_hours",
    "by_turns",
    "cycle_of",
    "pauses",
    "pauses_alike",
    "turns_taken",
]

ALIKE = 0.02
"""Pauses that differ by less are of one clock."""
_TURNS, _CLOCK_SHARE = 10, 0.3  # pauses that are alike, of what may be a clock
CLOCK = 0.7
"""Share of pauses that are alike, of a clock."""
_NEAR_TURN = 0.04  # of a period, that a turn is early or late
_GAIN = 0.5  # of its activities, that another kind of the same clock adds
NEAR = 72
"""Of a cycle of the clock on the wall, the part within which times of it are alike."""
_IN_PHASE = 0.25  # of other hours' activities, that come at like minutes: of four an hour
_HOURS = 8  # with activities, to know their minutes by
_MOST = 1000  # activities of a kind that are looked at


def pauses(begin_ns: NDArray[np.int64], run: NDArray[np.int64]) -> NDArray[np.int64]:
    """How long after the one before of its run of captures each activity (of G) begins."""
    within: NDArray[np.int64] = np.diff(begin_ns)[np.diff(run) == 0]
    return within


def pauses_alike(pause_ns: NDArray[np.int64]) -> tuple[float, int]:
    """The greatest share of pauses that are within 2 %, and the least of these."""
    if not len(pause_ns):
        return 0.0, 0
    rising = np.sort(pause_ns)
    within = np.searchsorted(rising, rising * (1 + ALIKE)) - np.arange(len(rising))
    return float(within.max() / len(rising)), int(rising[within.argmax()])


def by_clocks(
    kinds: Sequence[NDArray[np.int64]], begin_ns: NDArray[np.int64], run: NDArray[np.int64]
) -> list[NDArray[np.int64]]:
    """Activities by what starts them: kinds, joined where one clock starts several.

    A clock of which one kind shows only some turns has pauses that are more alike with those others
    that come in between.

    Args:
        kinds: Activities of each kind.
        begin_ns: When activities begin (A).
        run: Of which run of captures these are (A).
    """
    groups = sorted(kinds, key=len, reverse=True)
    kept = list[tuple[NDArray[np.int64], int]]()
    for own in groups:
        alike = _turns(own, begin_ns, run)
        joined = False
        for at, (other, turns) in enumerate(kept):
            if turns < max(_TURNS, _CLOCK_SHARE * len(other)):
                continue
            both = np.sort(np.concatenate([other, own]))
            together = _turns(both, begin_ns, run)
            if together >= turns + alike + _GAIN * len(own):
                kept[at] = both, together
                joined = True
                break
        if not joined:
            kept.append((own, alike))
    return [own for own, _ in kept]


def by_turns(
    groups: Sequence[NDArray[np.int64]], begin_ns: NDArray[np.int64], run: NDArray[np.int64]
) -> list[NDArray[np.int64]]:
    """The same, with those apart that are of a clock's kinds, and come at other times.

    Others come when it is a clock's turn, and none of its kinds comes: they are that clock's.
    """
    clocks, others = list[NDArray[np.int64]](), list[NDArray[np.int64]]()
    for own in groups:
        if _turns(own, begin_ns, run) < max(_TURNS, _CLOCK_SHARE * len(own)):
            others.append(own)
            continue
        is_turn = _in_turn(begin_ns[own], run[own])
        clocks.append(own[is_turn])
        others.append(own[~is_turn])
    for at, own in enumerate(clocks):
        gaps_ns = pauses(begin_ns[own], run[own])
        period_ns = pauses_alike(gaps_ns)[1]
        for place, other in enumerate(others):
            before = np.searchsorted(begin_ns[own], begin_ns[other], side="right")
            last, following = own[np.maximum(before - 1, 0)], np.append(own, own[-1])[before]
            turns = (begin_ns[other] - begin_ns[last]) / period_ns
            missing = (begin_ns[following] - begin_ns[other] > period_ns / 2) | (following == last)
            taken = (before > 0) & (np.abs(turns - 1) < _NEAR_TURN) & missing
            others[place] = other[~taken]
            clocks[at] = np.sort(np.append(clocks[at], other[taken]))
    return [own for own in (*clocks, *others) if len(own)]


def _in_turn(begin_ns: NDArray[np.int64], run: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which activities (G) are as far from one before, or after, as most are."""
    gaps_ns = pauses(begin_ns, run)
    usual_ns = int(pauses_alike(gaps_ns)[1] * (1 + ALIKE / 2))
    in_turn = np.zeros(len(begin_ns), dtype=bool)
    for away_ns in (usual_ns, -usual_ns):
        near = sorted((away_ns * (1 - ALIKE), away_ns * (1 + ALIKE)))
        first, last = (np.searchsorted(begin_ns, begin_ns + int(each)) for each in near)
        in_turn |= last > first
    return in_turn


def turns_taken(
    begin_ns: NDArray[np.int64],
    run: NDArray[np.int64],
    from_ns: NDArray[np.int64],
    until_ns: NDArray[np.int64],
) -> NDArray[np.int64]:
    """How many turns of a clock it is from each of its activities to the next (G).

    It is more than one where the turns between fall within others, which then hold what the clock
    starts. Turns at which there is nothing are missed by the device. It is 0 where the pause is of
    another length, and others begin in it: they have set the clock anew. Where pauses are not those
    of a clock, and from one run of captures to the next, each is one turn.

    Args:
        begin_ns: When its activities begin (G).
        run: The run of captures that each is of (G).
        from_ns: When others begin, in order.
        until_ns: When these have last used a connection.
    """
    gap_ns = np.diff(begin_ns, append=begin_ns[-1:])
    gap_ns[np.diff(run, append=-1) != 0] = 0
    alike, usual_ns = pauses_alike(gap_ns[gap_ns > 0])
    turns: NDArray[np.int64] = np.ones(len(begin_ns), dtype=np.int64)
    if alike < CLOCK or not len(from_ns):
        return turns
    turns = np.maximum(np.rint(gap_ns / usual_ns), 1).astype(np.int64)
    between = np.searchsorted(from_ns, begin_ns + gap_ns) > np.searchsorted(from_ns, begin_ns)
    turns[(np.abs(gap_ns / usual_ns - turns) > _NEAR_TURN) & between] = 0
    until_ns = np.maximum.accumulate(until_ns)
    near_ns = int(_NEAR_TURN * usual_ns)
    for at in np.flatnonzero(turns > 1).tolist():
        due_ns = begin_ns[at] + np.arange(1, turns[at]) * (gap_ns[at] // turns[at])
        last = np.searchsorted(from_ns, due_ns + near_ns) - 1
        if np.any((last < 0) | (until_ns[last] < due_ns - near_ns)):
            turns[at] = 1
    return turns


def cycle_of(begin_ns: NDArray[np.int64]) -> int:
    """The cycle of the clock on the wall that activities (G) keep to: an hour, or else a day."""
    return HOUR_NS if _in_phase(begin_ns, begin_ns) >= _IN_PHASE else DAY_NS


def _in_phase(begin_ns: NDArray[np.int64], other_ns: NDArray[np.int64]) -> float:
    """Which share of others, of other hours, begin at like minutes as activities do.

    By chance it is the 36th part. 0 where there are too few to tell.
    """
    own, other = (each[:: 1 + len(each) // _MOST] for each in (begin_ns, other_ns))
    if min(len(np.unique(each // HOUR_NS)) for each in (own, other)) < _HOURS:
        return 0.0
    apart_ns = np.abs(own[:, None] - other)
    late_ns = (apart_ns + HOUR_NS // 2) % HOUR_NS - HOUR_NS // 2
    far = apart_ns > HOUR_NS // 2
    return float(np.count_nonzero(far & (np.abs(late_ns) <= HOUR_NS // NEAR)) / far.sum())


def by_hours(
    groups: Sequence[NDArray[np.int64]], begin_ns: NDArray[np.int64]
) -> list[NDArray[np.int64]]:
    """Activities by what starts them: groups, joined where they come at the same minutes of hours.

    What a device does at a quarter past differs from hour to hour, and is still one clock's.
    """
    kept = list[NDArray[np.int64]]()
    for own in sorted(groups, key=len, reverse=True):
        for at, other in enumerate(kept):
            pairs = ((other, other), (own, own), (own, other))
            if all(_in_phase(begin_ns[a], begin_ns[b]) >= _IN_PHASE for a, b in pairs):
                kept[at] = np.sort(np.append(other, own))
                break
        else:
            kept.append(own)
    return kept


def _turns(own: NDArray[np.int64], begin_ns: NDArray[np.int64], run: NDArray[np.int64]) -> int:
    """How many pauses between activities are alike."""
    gaps_ns = pauses(begin_ns[own], run[own])
    return round(pauses_alike(gaps_ns)[0] * len(gaps_ns))
