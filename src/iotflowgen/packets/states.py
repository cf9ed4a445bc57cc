"""What connections have come to by the bytes of their packets, for generators to go on with.

Shapes: P packets of a capture; S protocols.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.datagrams import open_questions
from iotflowgen.traffic import STATES, Trace
from iotflowgen.wire import Frames, Layers, find_layers

__all__ = ["with_states"]

_State = Callable[[Frames, Layers, NDArray[np.bool_], NDArray[np.uint16]], NDArray[np.int64]]

_OF: Final[Mapping[str, _State]] = {"dns": open_questions}


def with_states(captures: Iterable[tuple[Trace, Frames]]) -> list[Trace]:
    """Traces with their `states` (P, S), by the frames that `capture.read_frames` gives."""
    traces = []
    for trace, frames in captures:
        layers = find_layers(frames)
        of = (_OF[name](frames, layers, trace.outgoing, trace.protocols) for name in STATES)
        traces.append(replace(trace, states=np.stack(list(of), axis=1)))
    return traces
