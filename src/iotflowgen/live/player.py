"""One decoy's traffic: drawn and rendered a minute at a time, from what all of its model share.

Shapes: E packets.
"""

import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

import numpy as np

from iotflowgen.errors import ArgumentError
from iotflowgen.events import Schedule
from iotflowgen.library import load
from iotflowgen.live.answering.discovery import Sayings, find_sayings
from iotflowgen.live.answering.reflexes import learn_reflexes
from iotflowgen.live.happening import Ahead
from iotflowgen.live.home import Decoy
from iotflowgen.live.leasing.composed import Settled
from iotflowgen.live.leasing.learn import learn_asking
from iotflowgen.packets import Disguise, Remembered, Renderer, Rows, Templates
from iotflowgen.traffic import Event, Session
from iotflowgen.wire import Frames
from iotflowgen.wire.arrays import Columns, Flags, Integers

__all__ = ["Device", "Part", "Player", "Said", "seed_of"]

_PIECE: Final = 1000
"""Packets of a decoy that are drawn together: there may be a thousand decoys."""
_TURN_NS: Final = 60 * 10**9
"""Of a decoy, so much is composed together at least."""
_LONGEST_NS: Final = 300 * 10**9
"""And at most: what is composed does not know yet that all has become later."""
_TURN: Final = 512
"""So many packets, between these: fewer hardly take less time."""
_FIRST_NS: Final = 5 * 10**9
"""At first less: all begin together."""
_PART: Final = 128
"""Packets that are kept together until all of them are taken."""
_REMEMBERED: Final = Remembered(packets=2048, keys=2048)


@dataclass(frozen=True, eq=False)
class Said(Columns):
    """What decoys and their peers send in some time (E), in the order of time."""

    time_ns: Integers
    """When, nanoseconds since the epoch (E)."""
    far: Flags
    """Sent by a peer of the decoy, not by the decoy itself (E)."""
    frames: Frames
    """What (E)."""
    event: Integers
    """Which event has caused it, by the numbers that it was given, -1 for none (E)."""
    flow: Integers
    """Which of the decoy's flows it is of, -1 for none (E)."""

    @classmethod
    def concatenate(cls, parts: "Sequence[Said]") -> "Said":
        """All parts, one after the other."""
        some = [part for part in parts if len(part)]
        return cls(
            np.concatenate([np.empty(0, np.int64), *(part.time_ns for part in some)]),
            np.concatenate([np.empty(0, bool), *(part.far for part in some)]),
            Frames.concatenate([part.frames for part in some]),
            np.concatenate([np.empty(0, np.int64), *(part.event for part in some)]),
            np.concatenate([np.empty(0, np.int64), *(part.flow for part in some)]),
        )


class Device:
    """What decoys of one model share.

    Raises:
        ModelError: The model is absent or damaged.
        ArgumentError: It draws no sessions, or knows no packets to repeat.
    """

    def __init__(self, path: Path) -> None:
        model = load(path)
        if model.recording is None:
            raise ArgumentError(f"{path} knows no packets; fit it on Ethernet captures")
        self.model = model
        self._recording = model.recording
        self.identities = model.recording.identities
        self.templates = Templates(model.recording)
        self.stream = model.streams(at_once=_PIECE)
        self.settled = Settled(model.recording)
        self.asks = learn_asking(model.recording)
        """How it gets its address."""

    @cached_property
    def _sayings(self) -> Sayings:
        return find_sayings(self._recording)

    @cached_property
    def reflexes(self) -> dict[str, Any]:
        """How it answers, in types that JSON has."""
        return learn_reflexes(self._recording, self._sayings).model_dump(mode="json")

    def discovery(self, disguise: Disguise) -> dict[str, Any]:
        """What a decoy says to who looks for it, in types that JSON has."""
        return self._sayings.shown(disguise).model_dump(mode="json")

    def asking(self, disguise: Disguise) -> dict[str, Any]:
        """How a decoy gets its address, in types that JSON has."""
        packets = self.asks.packets
        rows = np.array([*packets.values()], np.int64)
        shown = disguise.frames(rows).tolist()
        frames = {kind: frame.hex() for kind, frame in zip(packets, shown, strict=True)}
        return {**self.asks.model_dump(mode="json"), "frames": frames}


@dataclass(frozen=True)
class Part:
    """Who a decoy is, in a network."""

    disguise: Disguise
    resolver: IPv4Address | None
    schedule: Schedule
    """What happens to it by itself."""
    note: Callable[[Event], int]
    """Told of each event that comes about; gives it a number."""
    is_leased: bool = False
    """Its DHCP is real, and so not composed."""


class Player:
    """One decoy: a session that goes on for as long as it is asked, or one each time it is on."""

    def __init__(self, decoy: Decoy, device: Device, part: Part, start_ns: int) -> None:
        self._decoy, self._device, self._part = decoy, device, part
        self._seed = seed_of(decoy)
        self._powered = decoy.powered(start_ns)
        # those that begin together do not all have their turns at the same time
        self._turn_ns = _FIRST_NS + (_TURN_NS * self._seed[1] >> 32)
        self._composed_ns, self._ready = start_ns, deque[Said]()
        self._boot()

    def until(self, end_ns: int, shift_ns: int) -> Said:
        """What comes next, before a time; more is composed at once, and comes later.

        Args:
            end_ns: That time.
            shift_ns: How much later than drawn it comes to be sent.
        """
        if self._composed_ns < end_ns:
            # to compose twice as much hardly takes longer; but what is composed, no event changes
            turn_ns = 0 if self._device.model.events else self._turn_ns
            since_ns, self._composed_ns = (
                self._composed_ns,
                max(self._composed_ns + turn_ns, end_ns),
            )
            more = Said.concatenate([*self._compose(self._composed_ns, shift_ns)])
            each_ns = (self._composed_ns - since_ns) // max(len(more), 1)
            self._turn_ns = min(max(_TURN * each_ns, _TURN_NS), _LONGEST_NS)
            for first in range(0, len(more), _PART):
                part = more.take(np.arange(first, min(first + _PART, len(more))))
                self._ready.append(replace(part, frames=part.frames.packed()))
        return Said.concatenate([*self._taken(end_ns)])

    def _taken(self, end_ns: int) -> Iterator[Said]:
        """What is composed, and comes before a time."""
        while self._ready and self._ready[0].time_ns[0] < end_ns:
            first = self._ready.popleft()
            inside = int(np.searchsorted(first.time_ns, end_ns))
            yield first.take(slice(None, inside))
            if inside < len(first):
                self._ready.appendleft(first.take(slice(inside, None)))

    def command(self, event: Event) -> None:
        """Have something happen, not before what was asked for already.

        Raises:
            ArgumentError: The model knows no such event, or the decoy is switched off then.
        """
        if not self._on_ns <= event.time_ns < self._off_ns:
            raise ArgumentError(f"{self._decoy.name} is switched off then")
        self._ahead.command(event)

    def _compose(self, end_ns: int, shift_ns: int) -> Iterator[Said]:
        while True:
            yield self._session(min(end_ns, self._off_ns), shift_ns)
            if end_ns <= self._off_ns:
                return
            self._boot()

    def _boot(self) -> None:
        self._on_ns, self._off_ns = on_ns, _ = next(self._powered)
        # another start is another session: nobody is to see one again
        seed = (*self._seed, on_ns)
        start, rest_ns = datetime.fromtimestamp(on_ns // 10**9, UTC), on_ns % 10**9

        def later(piece: Session) -> Session:
            return replace(piece, time_ns=piece.time_ns + rest_ns)

        pieces = map(later, self._device.stream(seed, start))
        part, model = self._part, self._device.model
        self._ahead = Ahead(pieces, model, part.schedule, on_ns, note=part.note, seed=self._seed)
        self._done = 0
        rng = np.random.default_rng([*seed, 1])
        templates = self._device.templates
        self._renderer = Renderer(templates, self._part.disguise, rng, _REMEMBERED)

    def _session(self, end_ns: int, shift_ns: int) -> Said:
        part, first = self._ahead.until(end_ns), self._done
        rows = Rows.of([replace(part, time_ns=part.time_ns + shift_ns)], first, [0])
        self._done += len(rows)
        if not len(rows):
            return Said.concatenate([])
        self._renderer.foresee(rows, np.zeros(len(rows), np.int64))
        rows, frames = self._settled(rows, self._renderer.render(rows))
        event = part.caused_by[rows.number - first]
        # without what only stood beside them
        time_ns, far = rows.time_ns - shift_ns, ~rows.outgoing
        return Said(time_ns, far, frames.packed(), event, rows.flow)

    def _settled(self, rows: Rows, frames: Frames) -> tuple[Rows, Frames]:
        """Composed packets, as they are in this network."""
        part, settled = self._part, self._device.settled
        # packets of renewals are made of captured ones
        origin = np.append(self._device.templates.origin, -1)
        rows = replace(rows, source=origin[rows.source])
        if part.resolver is not None:
            settled.resolved_by(part.resolver, rows, frames)
        return settled.without_leases(rows, frames) if part.is_leased else (rows, frames)


def seed_of(decoy: Decoy) -> tuple[int, int]:
    """Decoys of one model and seed are not twins."""
    return decoy.seed, zlib.crc32(decoy.name.encode())
