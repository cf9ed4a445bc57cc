"""The time of a session among the captures, by the clocks of captured hosts.

Shapes: P captured packets; C captures; E packets of a block.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.recording import Packets, Recording
from iotflowgen.wire.arrays import Integers

__all__ = ["CLOSE_NS", "Captures", "Times"]

CLOSE_NS = 6 * 3600 * 10**9
"""Between captures, for a host hardly to have started anew."""
_BASE, _BEGUN = "session.capture", "session.begun"
_ALONE_NS = 60 * 10**9
"""From a capture to the next, where no two are close together."""


@dataclass(frozen=True)
class Times:
    """How the times of sessions lie to those of captures, packet by packet (E)."""

    base: Integers
    """The capture that the session is near."""
    _ahead_ns: Integers
    """What its times lack to be near that."""
    _begun_ns: Integers
    """When captures began (C)."""

    def take(self, which: NDArray[Any]) -> "Times":
        """Those of an array of indices."""
        return Times(self.base[which], self._ahead_ns[which], self._begun_ns)

    def ahead_ns(self, capture: Integers) -> Integers:
        """What the times of sessions lack to be among those of a capture each (E).

        Where it was made long before or after the one that the session is near, who is heard
        there has hardly been on all the time, and the session is taken to be near this one.
        """
        apart_ns = self._begun_ns[capture] - self._begun_ns[self.base]
        ahead_ns: Integers = self._ahead_ns + np.where(np.abs(apart_ns) < CLOSE_NS, 0, apart_ns)
        return ahead_ns


class Captures:
    """The captures of a recording that sessions may be near in time."""

    def __init__(self, recording: Recording) -> None:
        """Note when they began."""
        self._capture = recording.capture
        count = int(recording.capture.max(initial=0)) + 1
        first = np.searchsorted(recording.capture, np.arange(count))
        self._begun_ns = recording.time_ns[first]
        order = np.argsort(self._begun_ns)
        gaps = np.diff(self._begun_ns[order])
        close = gaps[gaps < CLOSE_NS]
        usual = int(np.median(close)) if len(close) else _ALONE_NS
        self._gap_ns = np.full(count, usual)
        self._gap_ns[order[:-1]] = np.where(gaps < CLOSE_NS, gaps, usual)

    def times(self, packets: Packets, memory: Memory, noise: Noise) -> Times:
        """The times of a block (E), which is to have all packets; memory keeps where they begin."""
        begins = np.diff(packets.session, prepend=-1) != 0
        first = np.flatnonzero(begins)
        session = packets.session[first]
        base = memory.recall(_BASE, session, self._capture[packets.source[first]])
        begun_ns = memory.recall(_BEGUN, session, packets.time_ns[first])
        memory.keep(_BASE, session, base)
        memory.keep(_BEGUN, session, begun_ns)
        # no copy of the capture, but one more between it and the next
        shift_ns = self._gap_ns[base] * noise.uniform("session", session)
        ahead_ns = self._begun_ns[base] + shift_ns.astype(np.int64) - begun_ns
        number = np.cumsum(begins) - 1
        return Times(base[number], ahead_ns[number], self._begun_ns)
