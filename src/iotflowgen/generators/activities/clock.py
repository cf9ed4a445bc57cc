"""The clock that captures share, and which of them are one: a long one, cut in pieces.

Shapes: C captures; P packets of all captures.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from iotflowgen.traffic import Trace

__all__ = ["DAY_NS", "HOUR_NS", "LONG_NS", "MONDAY_NS", "begins", "runs"]

HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS
_WEEK_NS = 7 * DAY_NS
LONG_NS = HOUR_NS
"""Setting up a device takes minutes: what is longer shows what it does afterwards."""
MONDAY_NS = 4 * DAY_NS
"""The first one, since the epoch."""


def begins(traces: Sequence[Trace]) -> NDArray[np.int64]:
    """When each capture begins (C), nanoseconds since a Monday's first hour."""
    first_ns = np.array([trace.time_ns[0] for trace in traces], dtype=np.int64)
    earliest = first_ns.min() - MONDAY_NS
    since: NDArray[np.int64] = first_ns - MONDAY_NS - earliest // _WEEK_NS * _WEEK_NS
    return since


def runs(traces: Sequence[Trace]) -> NDArray[np.int64]:
    """Which run each capture (C) is of, from 0 on: pieces of a long one are one."""
    ends_one = np.array([trace.silence_ns == 0 for trace in traces])
    run: NDArray[np.int64] = np.cumsum(ends_one) - ends_one
    return run
