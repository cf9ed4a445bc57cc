"""What an event causes in a stream that is drawn already, and not sent yet.

Shapes: E packets that are added; X connections of these.
"""

import numpy as np
from numpy.typing import NDArray

from iotflowgen.generators.activities.captured import Captured, Stretch, connections
from iotflowgen.generators.activities.causes import Uniform
from iotflowgen.generators.activities.responses import Responses
from iotflowgen.traffic import Session

__all__ = ["added", "ports_of_flows"]

_NONE = -1
_FIRST_FLOW = 2**30
_FLOWS_NS = 10**7  # for each new flow at most
_FLOWS = 2**29  # before numbers come again


def added(
    captured: Captured,
    responses: Responses,
    ahead: Session,
    time_ns: int,
    name: str,
    rng: np.random.Generator,
) -> Stretch:
    """The packets that an event of a name causes at a time, in connections that are open then."""
    caused = responses.draw(name, Uniform(rng))
    if not caused:
        return Stretch.nothing()
    which, after_ns = (np.array(column) for column in zip(*caused, strict=True))
    begin_ns = np.maximum(time_ns + after_ns, int(ahead.time_ns[0]) if len(ahead) else 0)
    found, _ = captured.draw(which, begin_ns, rng)
    first, _, of = connections(found.flow)
    flow = _flows(captured, ahead, found.packet[first], found.time_ns[first], time_ns)
    flow_of = np.append(flow, _NONE)[of]
    gone = (of != _NONE) & (flow_of == _NONE)
    stretch = Stretch(found.packet, flow_of, found.time_ns, np.zeros_like(of)).take(~gone)
    return stretch.take(np.argsort(stretch.time_ns, kind="stable"))


def _flows(
    captured: Captured,
    ahead: Session,
    first: NDArray[np.int64],
    begin_ns: NDArray[np.int64],
    time_ns: int,
) -> NDArray[np.int64]:
    """Numbers of connections (X) by their first packets (X), and when they begin (X)."""
    of = captured.portions
    captured_too = (ahead.source != _NONE) & (ahead.source < len(of.service))
    there = np.flatnonzero((ahead.flow != _NONE) & captured_too)
    service = of.service[ahead.source[there]]
    closed = of.must[ahead.source[there]] & ~of.lasts[ahead.source[there]]
    numbers = np.full(len(first), _NONE)
    new = max(_FIRST_FLOW + time_ns // _FLOWS_NS % _FLOWS, int(ahead.flow.max(initial=_NONE)) + 1)
    for at, packet in enumerate(first.tolist()):
        if of.continues[packet]:
            alike = there[service == of.service[packet]]
            # the latest one before, or the first one after
            place = int(np.searchsorted(ahead.time_ns[alike], begin_ns[at], side="right"))
            if len(alike):
                one = alike[max(place - 1, 0)]
                if not closed[np.searchsorted(there, one)]:
                    numbers[at] = ahead.flow[one]
                    continue
            if of.must[packet]:
                continue
        numbers[at], new = new, new + 1
    return numbers


def ports_of_flows(session: Session) -> tuple[dict[int, int], dict[int, int]]:
    """The device's port of each flow, and the other one."""
    device = np.where(session.outgoing, session.src_port, session.dst_port)
    peer = np.where(session.outgoing, session.dst_port, session.src_port)
    flow = session.flow.tolist()
    return (
        dict(zip(flow, device.tolist(), strict=True)),
        dict(zip(flow, peer.tolist(), strict=True)),
    )
