"""Captured packets for windows that only have features.

Each packet of such a window gets the first of these that exists:

- the packet that followed, in its captured flow, the last one used in this flow, if it is of the
  same kind: length, direction, protocols, service, and direction within it;
- one of the same kind at the same stage of a connection, followed in its flow by three packets, or
  one, of the same kinds as here;
- one of the same kind at the same stage;
- one of the same kind;
- one of the same kind except for its length, of the nearest length, if its payload can be resized;
- none.

Shapes: N windows, L packets each; P packets of the recording; S services.
"""

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.recording.kinds import (
    ANSWERS,
    CLOSES,
    NONE,
    OPENS,
    STAGES,
    TALKS,
    Kinds,
    codes_of,
    find_services,
    sequels,
    stages_of,
    successors_of,
)
from iotflowgen.recording.recording import Recording
from iotflowgen.traffic import Windows, flow_by_ports, protocol_mask
from iotflowgen.wire import dst_port, payload_size, src_port, tcp_flags
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["LEVELS", "Matched", "match"]

LEVELS: Final = ("successor", "sequel", "kind and stage", "kind", "nearest length", "none")
"""What a packet was given, best first, as in the head of this file."""
_SUCCESSOR, _SEQUEL, _STAGE, _KIND, _LENGTH, _NOTHING = range(len(LEVELS))

_RIGID = protocol_mask(["dns", "mdns", "dhcp", "bootp", "ntp"])
"""Messages that nobody makes longer or shorter."""
_LONGEST = 2**16 - 1  # bytes that IP can say a packet has
_UNSEEN, _SEEN = -1, -2  # a flow without packets so far, and one that none was found for


class Matched(NamedTuple):
    """Windows that name captured packets, and how well these fit."""

    windows: Windows
    counts: dict[str, int]
    """Packets by level, of `LEVELS`; empty where windows had their packets already."""


def match(recording: Recording, windows: Windows, rng: np.random.Generator) -> Matched:
    """Assign a captured packet to each packet of windows, and a flow by its ports.

    Windows that already have captured packets are returned as they are.
    """
    if windows.source is not None:
        return Matched(windows, {})
    flow = flow_by_ports(windows)
    source, level = _Captured(recording).draw(windows, flow, rng)
    found = np.bincount(level.ravel(), minlength=len(LEVELS)).tolist()
    counts = {name: count for name, count in zip(LEVELS, found, strict=True) if count}
    return Matched(replace(windows, source=source, flow=flow), counts)


class _Captured:
    """The packets of a recording by kind; columns are (P)."""

    def __init__(self, recording: Recording) -> None:
        frames, layers = recording.frames, recording.layers
        src, dst = src_port(frames, layers), dst_port(frames, layers)
        has_frame = frames.size > 0
        self._services = find_services(src, dst)
        self._code = np.where(has_frame, codes_of(recording, src, dst, self._services), -1)
        self._stage = stage = stages_of(tcp_flags(frames, layers))
        self._outgoing = recording.outgoing
        self._header = layers.payload
        self._successor = successors_of(recording.flow)
        # by their own kind, and by that and the kinds of what follows
        follow = sequels(self._code, self._successor)
        self._kinds = [Kinds.of(each, stage, has_frame & whole) for each, whole in follow]
        stretches = layers.has_ports & (payload_size(layers) > 0) & (stage == TALKS)
        stretches &= recording.protocols & _RIGID == 0
        self._flexible = Kinds.of(self._code, stage, stretches)

    def draw(
        self, windows: Windows, flow: Integers, rng: np.random.Generator
    ) -> tuple[Integers, NDArray[np.int8]]:
        """Captured packets (N, L) and how well they fit, as places in `LEVELS` (N, L)."""
        code = codes_of(windows, windows.src_port, windows.dst_port, self._services)
        follow = sequels(code.ravel(), successors_of(flow.ravel()))
        places = [
            np.where(is_whole, kinds.find(each), NONE).reshape(code.shape)
            for kinds, (each, is_whole) in zip(self._kinds, follow, strict=True)
        ]
        share = rng.random(code.shape)
        source = self._of_other_length(code, windows.length, share)
        level = np.where(source < 0, _NOTHING, _LENGTH).astype(np.int8)
        last = np.full(int(flow.max(initial=-1)) + 2, _UNSEEN)
        for step in range(windows.size):
            # packets of no flow share the last place, which tells them nothing
            of, now = flow[:, step], [place[:, step] for place in places]
            before = last[of]
            stage = self._next_stage(before, now[0], windows.outgoing[:, step])
            # at the beginning what follows tells more of the stage
            begins = before == _UNSEEN
            low, lists = np.where(begins, 0, stage), np.where(begins, STAGES, 1)
            for rank, found in (
                (_KIND, self._kinds[0].draw(now[0], share[:, step], STAGES)),
                (_STAGE, self._kinds[0].draw(now[0] + stage, share[:, step])),
                (_SEQUEL, self._kinds[1].draw(now[1] + low, share[:, step], lists)),
                (_SEQUEL, self._kinds[2].draw(now[2] + low, share[:, step], lists)),
                (_SUCCESSOR, self._follows(before, code[:, step])),
            ):
                has = found >= 0
                source[has, step], level[has, step] = found[has], rank
            taken = source[:, step]
            last[of] = np.where(taken >= 0, taken, np.where(before >= 0, before, _SEEN))
        return source, level

    def _follows(self, before: Integers, code: Integers) -> Integers:
        """What came after captured packets (N), if it is of these kinds (N); -1 where not."""
        follows = np.where(before >= 0, self._successor[before.clip(min=0)], -1)
        return np.where(self._code[follows] == code, follows, -1)

    def _next_stage(self, before: Integers, place: Integers, outgoing: Flags) -> Integers:
        """At which stage the next packet of a flow is (N).

        Args:
            before: The last one's captured packet (N), or _UNSEEN or _SEEN.
            place: Where the kind of the next one is (N).
            outgoing: Whether the device sends it (N).
        """
        stage = np.full(len(before), TALKS)
        # what begins a flow begins a connection, if its kind ever does
        for first in (ANSWERS, OPENS):
            stage[(before == _UNSEEN) & (self._kinds[0].count(place + first) > 0)] = first
        known, last = before >= 0, before.clip(min=0)
        reached = self._stage[last]
        opening = np.where(self._outgoing[last] == outgoing, OPENS, ANSWERS)
        stage = np.where(known & (reached == OPENS), opening, stage)
        return np.where(known & (reached == CLOSES), CLOSES, stage)

    def _of_other_length(
        self, code: Integers, length: NDArray[np.int32], share: NDArray[np.float64]
    ) -> Integers:
        """Those of the nearest length that can be made as long (N, L); -1 for none."""
        place = np.where(length <= _LONGEST, self._flexible.find_near(code), NONE)
        found = self._flexible.draw(place, share, STAGES)
        return np.where(length > self._header[found], found, -1)
