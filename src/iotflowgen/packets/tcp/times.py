"""When a session takes place, by the clocks of captured hosts.

Shapes: P captured packets; C captures; E packets of a block.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.packets.tcp.lines import Integers
from iotflowgen.recording import Packets, Recording

__all__ = ["Captures", "Times"]

_BASE, _BEGUN = "session.capture", "session.begun"
_ALONE_NS = 60e9
"""Between a capture and a session, where there is no other capture."""


@dataclass(frozen=True)
class Times:
    """How the times of sessions lie to those of captures, packet by packet (E)."""

    base: Integers
    """The capture that the session is near."""
    ahead_ns: Integers
    """What its times lack to be among those of captures."""

    def take(self, which: NDArray[Any]) -> "Times":
        """Those of an array of indices."""
        return Times(self.base[which], self.ahead_ns[which])


class Captures:
    """The captures of a recording, as far as sessions are near them."""

    def __init__(self, recording: Recording) -> None:
        """Note when they began."""
        self._capture = recording.capture
        count = int(recording.capture.max(initial=0)) + 1
        first = np.searchsorted(recording.capture, np.arange(count))
        self._begun_ns = recording.time_ns[first]
        gaps = np.diff(np.sort(self._begun_ns))
        self._gap_ns = float(np.median(gaps)) if len(gaps) else _ALONE_NS

    def times(self, packets: Packets, memory: Memory, noise: Noise) -> Times:
        """The times of a block (E), which is to have all packets; memory keeps where they begin."""
        begins = np.diff(packets.session, prepend=-1) != 0
        first = np.flatnonzero(begins)
        session = packets.session[first]
        base = memory.recall(_BASE, session, self._capture[packets.source[first]])
        begun_ns = memory.recall(_BEGUN, session, packets.time_ns[first])
        memory.keep(_BASE, session, base)
        memory.keep(_BEGUN, session, begun_ns)
        # no copy of the capture, but one more, about as far from it as captures are
        shift_ns = self._gap_ns * (0.5 + noise.uniform("session", session))
        ahead_ns = self._begun_ns[base] + shift_ns.astype(np.int64) - begun_ns
        number = np.cumsum(begins) - 1
        return Times(base[number], ahead_ns[number])
