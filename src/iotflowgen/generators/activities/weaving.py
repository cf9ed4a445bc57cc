"""Activities to come, as packets of one stream: with the connections that are open.

Shapes: B activities of a stretch of a stream; E packets of it; X connections.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from iotflowgen.generators.activities.captured import Captured, Stretch, connections
from iotflowgen.generators.activities.causes import Coming
from iotflowgen.generators.activities.threads import Threads

__all__ = ["weave"]

_NONE = -1


def weave(
    captured: Captured, coming: Sequence[Coming], threads: Threads, rng: np.random.Generator
) -> Stretch:
    """Packets of activities to come."""
    if not coming:
        return Stretch.nothing()
    which = np.array([each.activity for each in coming])
    begin_ns = np.array([each.time_ns for each in coming])
    event = np.array([each.event for each in coming])
    found, walk = captured.draw(which, begin_ns, rng)
    first, last, of = connections(found.flow)
    order = np.argsort(found.time_ns[first], kind="stable")
    first, last = first[order], last[order]
    ends = (
        *(found.packet[at] for at in (first, last)),
        *(found.time_ns[at] for at in (first, last)),
    )
    numbers, late_ns, instead = threads.link(*ends)
    later_ns = np.zeros(len(coming), dtype=np.int64)
    np.maximum.at(later_ns, walk[first], late_ns)
    rank = np.append(np.argsort(order), _NONE)[of]
    flow = np.where(of == _NONE, _NONE, np.append(numbers, _NONE)[rank])
    gone = (of != _NONE) & (flow == _NONE)
    stretch = Stretch(found.packet, flow, found.time_ns + later_ns[walk], event[walk])
    if not instead.any():
        return stretch.take(~gone)
    # connections that were closed are opened again
    closed = walk[first[instead]]
    gone |= np.isin(walk, closed)
    service = captured.portions.service[found.packet[first[instead]]]
    opened = _opened(captured, service, numbers[instead], begin_ns[closed], threads, rng)
    return stretch.take(~gone).and_then(opened)


def _opened(
    captured: Captured,
    service: NDArray[np.int64],
    number: NDArray[np.int64],
    begin_ns: NDArray[np.int64],
    threads: Threads,
    rng: np.random.Generator,
) -> Stretch:
    """Packets of activities (X) that open connections of services (X), by their numbers (X)."""
    among = [captured.openers[each] for each in service.tolist()]
    share = rng.random(len(among)).tolist()
    which = np.array([of[int(at * len(of))] for at, of in zip(share, among, strict=True)])
    found, walk = captured.draw(which, begin_ns, rng)
    first, _, of = connections(found.flow)
    numbers = threads.single(len(first))
    at = walk[first]
    # the last one of its service goes on
    is_it = captured.portions.service[found.packet[first]] == service[at]
    latest = np.full(len(which), _NONE)
    np.maximum.at(latest, at[is_it], np.flatnonzero(is_it))
    has = latest != _NONE
    numbers[latest[has]] = number[has]
    flow = np.where(of == _NONE, _NONE, np.append(numbers, _NONE)[of])
    return Stretch(found.packet, flow, found.time_ns, found.event)
