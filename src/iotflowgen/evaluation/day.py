"""A day of traffic, small enough for a results file: when bursts of each service begin."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from iotflowgen.errors import TooShort
from iotflowgen.traffic import Session, Trace, cut_stretches, service_name

__all__ = ["MINUTES", "Day", "typical_day"]

MINUTES: Final = 24 * 60
_MINUTE_NS: Final = 60 * 10**9


class Day(BaseModel):
    """From midnight to midnight, UTC."""

    model_config = ConfigDict(frozen=True)

    starts: dict[str, tuple[int, ...]]
    """Minutes in which bursts of a service begin, 0 to 1439, by its name; the busiest first."""


def typical_day(traces: Sequence[Trace | Session]) -> Day | None:
    """Of whole days the one that has a median number of packets; None where there is none."""
    try:
        days, _ = cut_stretches(traces, MINUTES * _MINUTE_NS)
    except TooShort:
        return None
    middle = int(np.argsort(days.packets, kind="stable")[(len(days) - 1) // 2])
    day = days[middle : middle + 1]
    services, count = np.unique(day.service[day.begins], return_counts=True)
    starts = {}
    for service in services[np.argsort(-count, kind="stable")].tolist():
        own_ns = day.time_ns[day.begins & (day.service == service)]
        starts[service_name(service)] = tuple(np.unique(own_ns // _MINUTE_NS).tolist())
    return Day(starts=starts)
