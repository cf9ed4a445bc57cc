"""What connections have come to by the bytes of their packets, for generators to go on with.

Shapes: P packets of a capture; S protocols.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.datagrams import open_questions
from iotflowgen.recording import Groups, find_flows
from iotflowgen.traffic import STATES, Trace
from iotflowgen.wire import FIN, RST, Frames, Layers, find_layers, tcp_flags

__all__ = ["closed_sides", "with_states"]

_RESETS: Final = 4  # times the bits of a side whose FIN was sent

_State = Callable[[Frames, Layers, NDArray[np.bool_], NDArray[np.uint16]], NDArray[np.int64]]


def closed_sides(
    frames: Frames,
    layers: Layers,
    outgoing: NDArray[np.bool_],
    protocols: NDArray[np.uint16],  # noqa: ARG001 - as other states
) -> NDArray[np.int64]:
    """Which ends have closed the connection of TCP after each packet of one capture (P).

    The sum of 1 if the device has sent a FIN, 2 if its peer has, 4 if the device has sent a RST,
    and 8 if its peer has (RFC 9293, section 3.6); 0 for none, and for other packets.
    """
    flow = find_flows(frames, layers, np.zeros(len(frames), dtype=np.int64), outgoing)
    groups = Groups(np.where(layers.is_tcp, flow, -1))
    flags = np.where(layers.is_tcp, tcp_flags(frames, layers), 0)
    side = np.where(outgoing, 1, 2)
    closed = np.zeros(len(frames), dtype=np.int64)
    for flag, scale in ((FIN, 1), (RST, _RESETS)):
        for end in (1, 2):
            sent = groups.latest((flags & flag > 0) & (side == end)) >= 0
            closed += np.where(sent, scale * end, 0)
    return np.where(layers.is_tcp, closed, 0)


_OF: Final[Mapping[str, _State]] = {"dns": open_questions, "tcp": closed_sides}


def with_states(captures: Iterable[tuple[Trace, Frames]]) -> list[Trace]:
    """Traces with their `states` (P, S), by the frames that `capture.read_frames` gives."""
    traces = []
    for trace, frames in captures:
        layers = find_layers(frames)
        of = (_OF[name](frames, layers, trace.outgoing, trace.protocols) for name in STATES)
        traces.append(replace(trace, states=np.stack(list(of), axis=1)))
    return traces
