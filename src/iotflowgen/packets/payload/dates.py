"""Times of day in payload follow the honeydata's packets, not the captured ones.

A time is recognised by its format and by being near the packet's own. Its difference in seconds is
kept, so a wrong clock or another time zone stays; differences below a minute are the same in a
whole session.

Shapes: P captured packets; E packets of a block; R times in them.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.packets.payload.streams import says_tls
from iotflowgen.packets.ranges import Shift, begins_of, expand
from iotflowgen.recording import Groups, Packets, Recording
from iotflowgen.wire import payload_size
from iotflowgen.wire.arrays import Integers

__all__ = ["Dates"]

_EARLIEST, _LATEST = -2 * 86_400, 2 * 366 * 86_400
"""Seconds from the packet: a cookie may last for years, what is older happened before."""
_NOW: Final = 60
"""Seconds that a clock may be wrong for what it tells to be the time of the packet."""
_SECOND: Final = 10**9
_SKEW: Final = "dates.skew"


class _Form(NamedTuple):
    size: int
    read: Callable[[str], datetime]
    write: Callable[[datetime], str]


def _dated(size: int, pattern: str) -> _Form:
    return _Form(
        size,
        lambda text: datetime.strptime(text, pattern).replace(tzinfo=UTC),
        lambda time: time.strftime(pattern),
    )


_FORMS: Final = (
    _dated(29, "%a, %d %b %Y %H:%M:%S GMT"),  # RFC 9110, section 5.6.7
    _dated(27, "%a, %d-%b-%y %H:%M:%S GMT"),  # of cookies before RFC 6265
    _dated(19, "%Y-%m-%dT%H:%M:%S"),  # ISO 8601
    _dated(14, "%Y%m%d%H%M%S"),
    # seconds since the epoch; of milliseconds the last three digits stay
    _Form(
        10,
        lambda text: datetime.fromtimestamp(int(text), UTC),
        lambda time: f"{int(time.timestamp()):010d}",
    ),
)
_SHAPES: Final = re.compile(
    rb"([A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT)"
    rb"|([A-Z][a-z]{2}, \d\d-[A-Z][a-z]{2}-\d\d [\d:]{8} GMT)"
    rb"|(\d{4}-\d\d-\d\dT[\d:]{8})"
    rb"|(?<!\d)(20\d{12})(?!\d)"
    rb"|(?<![\d.])(1\d{9})(?=(?:\d{3})?(?!\d))"
)


class Dates:
    """Times of day that messages tell."""

    name: ClassVar[str] = "dates"

    def __init__(self, recording: Recording) -> None:
        """Take the times of all packets (P)."""
        told = recording.of(self.name)
        self._begin = begins_of(told["packet"], len(recording))
        self._at, self._form, self._after = told["at"].astype(np.int64), told["form"], told["after"]
        self._size = recording.frames.size
        spot = recording.references.get("random.spot", recording.layers.end)
        self._spot = spot.astype(np.int64)

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """Where in its `packet` a time stands (`at`), its `form`, and how many seconds `after`.

        Each has shape (R).
        """
        layers, frames = packets.layers, packets.frames
        has = layers.has_ports & (payload_size(layers) > 0) & ~says_tls(packets)
        known: dict[bytes, list[tuple[int, int, int]]] = {}
        found: list[tuple[int, int, int, int]] = []
        view = frames.data.data
        for packet in np.flatnonzero(has).tolist():
            start, payload = int(frames.start[packet]), int(layers.payload[packet])
            message = bytes(view[start + payload : start + int(layers.end[packet])])
            if message not in known:
                known[message] = _times_in(message)
            sent = int(packets.time_ns[packet]) // _SECOND
            for at, form, time in known[message]:
                if _EARLIEST < time - sent < _LATEST:
                    found.append((packet, payload + at, form, time - sent))
                    first = start + payload + at
                    frames.data[first : first + _FORMS[form].size] = 0
        columns = np.array(found, dtype=np.int32).reshape(-1, 4).T
        return dict(zip(("packet", "at", "form", "after"), columns, strict=True))

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:  # noqa: ARG002
        """Write times by when the packets are sent."""
        which, row = expand(self._begin, packets.source)
        if not len(which):
            return
        at = Shift.of(packets, self._spot, self._size).firsts(which, self._at[row])
        after = self._after[row].astype(np.int64)
        after += _by_clock(packets, which, after, memory)
        time = packets.time_ns[which] // _SECOND + after
        for form, (size, _, write) in enumerate(_FORMS):
            inside = at + size <= packets.frames.size[which]
            own = np.flatnonzero((self._form[row] == form) & inside)
            if not len(own):
                continue
            second, of = np.unique(time[own], return_inverse=True)
            texts = [write(datetime.fromtimestamp(each, UTC)) for each in second.tolist()]
            letters = np.frombuffer("".join(texts).encode(), dtype=np.uint8).reshape(-1, size)
            place = packets.frames.start[which[own]] + at[own]
            packets.frames.data[place[:, None] + np.arange(size)] = letters[of]


def _times_in(message: bytes) -> list[tuple[int, int, int]]:
    """Where times stand, their forms, and seconds since the epoch."""
    found = []
    for match in _SHAPES.finditer(message):
        form = (match.lastindex or 1) - 1
        try:
            time = _FORMS[form].read(match[0].decode())
        except ValueError:
            continue
        found.append((match.start(), form, int(time.timestamp())))
    return found


def _by_clock(
    packets: Packets, which: Integers, after: Integers, memory: Memory
) -> NDArray[np.int64]:
    """What to add to times (R) so that a host's clock is wrong by the same in a whole session.

    Captures differ in how far it is off, so that one session would show it going back.
    """
    near = np.flatnonzero(np.abs(after) <= _NOW)
    packet, first = np.unique(which[near], return_index=True)
    some = packets.take(packet)
    source = some.layers.network + np.where(some.layers.is_ip4, 12, 20)
    host = np.where(some.outgoing, 0, some.frames.number(source, 4))
    key = (some.session << 32) + host
    off = after[near[first]]
    groups = Groups(key)
    opens = np.where(groups.is_first, off, 0)
    skew = memory.recall(_SKEW, key, groups.sum(opens))
    memory.keep(_SKEW, key, skew)
    added = np.zeros(len(packets), dtype=np.int64)
    added[packet] = skew - off
    return np.where(np.abs(after) <= _NOW, added[which], 0)
