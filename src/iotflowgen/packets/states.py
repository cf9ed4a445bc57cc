"""What connections have come to by the bytes of their packets, for generators to go on with.

Shapes: P packets of a capture; S kinds of states.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from iotflowgen.packets.datagrams import open_questions
from iotflowgen.packets.payload import handshakes
from iotflowgen.packets.record import as_captured
from iotflowgen.packets.tcp import closed_sides, find_references
from iotflowgen.recording import Packets
from iotflowgen.recording.arrays import Integers
from iotflowgen.traffic import STATES, Trace
from iotflowgen.wire import Frames

__all__ = ["with_states"]

_OF: Final[Mapping[str, Callable[[Packets], Integers]]] = {
    "dns": open_questions,
    "tcp": closed_sides,
    "tls": handshakes,
}


def with_states(captures: Iterable[tuple[Trace, Frames]]) -> list[Trace]:
    """Traces with their `states` (P, S), by the frames that `capture.read_frames` gives."""
    traces = []
    for trace, frames in captures:
        packets = as_captured([(trace, frames)]).packets
        find_references(packets)
        states = np.stack([_OF[name](packets) for name in STATES], axis=1)
        traces.append(replace(trace, states=states))
    return traces
