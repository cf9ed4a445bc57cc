"""Units: stretches of one flow with a pause before and after, in which nothing is outstanding.

A keep-alive and its answer, a query of DNS, a whole short connection: what a flow says at a time.
Long connections have thousands of them, and a look-up and the connection that it is for are two.
Packets without ports are flows by their protocols, as ARP and EAPOL.

Shapes: P packets of all captures; U units.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iotflowgen.generators.redrawn import numbered
from iotflowgen.recording import Groups

__all__ = ["Units", "find_units"]

_PAUSE_NS = 2 * 10**9
"""So long a pause ends a unit, if nothing is outstanding."""
_LONG_PAUSE_NS = 30 * 10**9
"""And so long a one anyway: what is answered, is answered within less."""


@dataclass(frozen=True, eq=False)
class Units:
    """Stretches of flows (U), in the order in which they begin."""

    of: NDArray[np.int64]
    """Which unit each packet is of (P)."""
    first: NDArray[np.int64]
    """The first packet of each (U)."""
    begin_ns: NDArray[np.int64]
    """When it begins (U)."""
    end_ns: NDArray[np.int64]
    """And ends (U)."""
    kind: NDArray[np.int64]
    """What it is, by its service, which end begins, and its size (U)."""
    continues: NDArray[np.bool_]
    """Whether its flow was there before it (U)."""

    def __len__(self) -> int:
        return len(self.first)


def find_units(
    time_ns: NDArray[np.int64],
    flow: NDArray[np.int64],
    service: NDArray[np.int64],
    outgoing: NDArray[np.bool_],
    length: NDArray[np.int32],
    outstanding: NDArray[np.bool_],
) -> Units:
    """Cut the flows of captures.

    Args:
        time_ns: When each packet was captured, on a clock that all captures share (P).
        flow: Which flow it is of; no two captures share one (P).
        service: What that is used for (P).
        outgoing: Whether the device sent it (P).
        length: Its length (P).
        outstanding: Whether it leaves its flow waiting for something (P).
    """
    groups = Groups(flow)
    pause_ns = time_ns - groups.previous(time_ns, 0)
    waits = groups.previous(outstanding, first=False)
    begins = groups.is_first | (pause_ns > np.where(waits, _LONG_PAUSE_NS, _PAUSE_NS))
    own = numbered([flow, groups.sum(begins.astype(np.int64))])
    # in the order in which they begin
    first = np.full(own.max(initial=-1) + 1, len(own))
    np.minimum.at(first, own, np.arange(len(own)))
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    of, first = rank[own], first[order]
    end_ns = np.zeros(len(first), dtype=np.int64)
    np.maximum.at(end_ns, of, time_ns)
    size = np.bincount(of, weights=length)
    classes = np.rint(np.log2(np.maximum(size, 1))).astype(np.int64)
    continues = ~groups.is_first[first]
    kind = numbered([service[first], outgoing[first], continues, classes])
    return Units(of, first, time_ns[first], end_ns, kind, continues)
