"""Are the periods of a device those of what imitates it?"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from iotflowgen.traffic import Period, Session, Trace, find_bursts, find_periods, service_name

__all__ = ["Beacon", "beacons", "found_again"]

_NEAR = 0.02
"""Of a period: so much apart is the same."""


class Beacon(NamedTuple):
    """A period of a real service, and the same of generated traffic, where it has one."""

    service: str
    real: Period
    generated: Period | None


def beacons(packets: Trace | Session) -> dict[str, list[Period]]:
    """Periods of starts of bursts, by service, the busiest service first."""
    bursts = find_bursts(packets)
    services, count = np.unique(bursts.service[bursts.begins], return_counts=True)
    found = {}
    for service in services[np.argsort(-count, kind="stable")].tolist():
        own = bursts.begins & (bursts.service == service)
        time_ns = packets.time_ns[own]
        if periods := find_periods((time_ns - time_ns[0]) / 1e9):
            found[service_name(service)] = periods
    return found


def found_again(
    real: Mapping[str, list[Period]], generated: Mapping[str, list[Period]]
) -> list[Beacon]:
    """Each real period, and the nearest of the same service that is within 2 % of it."""
    pairs = []
    for service, periods in real.items():
        for period in periods:
            near = [
                other
                for other in generated.get(service, ())
                if abs(other.seconds - period.seconds) <= _NEAR * period.seconds
            ]
            nearest = min(near, key=lambda other: abs(other.seconds - period.seconds), default=None)
            pairs.append(Beacon(service, period, nearest))
    return pairs
