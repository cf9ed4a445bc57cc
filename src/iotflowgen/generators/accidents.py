"""What belongs to one capture alone, drawn anew for another session.

The exact time between two packets, an ephemeral port, a length that one capture alone shows: the
next capture has others, not far from these. To hand them out again gives a copy away. Each is drawn
between the values next to it in rank among its like, so that what is always the same stays, and
what is spread stays as spread.

Lengths follow Good and Turing (Good 1953): values seen in one capture alone are as frequent as
values that the next one is the first to show.

Shapes: P packets of all captures; E packets of all sessions, one session after another.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Connections", "Lengths", "Ports", "Spread", "numbered"]

_SHORTEST = 1024  # of ephemeral ports
_LONGEST = 65535
_FEW = 64  # a stack that counts opens ports at most so far from one before (RFC 6056)
_COUNTS = 0.2  # share of ports opened near one before, below which it is chance
_LONE_PORT = 2000
_RUNS = 8  # of ports that count on from each other, kept a service
_LONE_BYTES = 4
_MOST_BYTES = 40


def numbered(columns: Sequence[NDArray[np.generic]]) -> NDArray[np.int64]:
    """A number (P) for what stands in several columns (P): the same where all are the same."""
    _, number = np.unique(np.stack(columns), axis=1, return_inverse=True)
    return number.ravel().astype(np.int64)


class Spread:
    """Values (P), each with those next to it in rank among its kind (P).

    The first and the last of a kind have half the step on their other side, one that is alone has
    `lone`; no step is longer than `most`.
    """

    def __init__(
        self,
        value: NDArray[np.float64],
        kind: NDArray[np.int64],
        *,
        lone: float,
        most: float = np.inf,
    ) -> None:
        order = np.lexsort((value, kind))
        step = np.where(np.diff(kind[order]) == 0, np.diff(value[order]), np.nan)
        down, up = np.append(np.nan, step), np.append(step, np.nan)
        ends = np.where(np.isnan(down), up, down) / 2
        self._value = value
        self._down, self._up = np.empty_like(value), np.empty_like(value)
        for side, steps in ((self._down, down), (self._up, up)):
            side[order] = np.nan_to_num(np.where(np.isnan(steps), ends, steps), nan=lone).clip(
                max=most
            )

    def draw(self, place: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Values between the neighbours of those at `place`, in its shape."""
        shift = rng.uniform(-1, 1, place.shape)
        step = np.where(shift < 0, self._down[place], self._up[place])
        drawn: NDArray[np.float64] = self._value[place] + shift * step
        return drawn


class Lengths:
    """Frame lengths (P): those that recur, and those of one capture."""

    def __init__(
        self,
        length: NDArray[np.int32],
        kind: NDArray[np.int64],
        capture: NDArray[np.int64],
        *,
        redraw: bool = True,
    ) -> None:
        """Sort lengths.

        Args:
            length: Of each packet (P).
            kind: What each packet is beside its length (P).
            capture: Which each is of (P).
            redraw: Whether to draw anew those of one capture; otherwise all count as recurring.
        """
        each, self._which = np.unique(np.stack([kind, length]), axis=1, return_inverse=True)
        self._which = self._which.ravel()
        shown = np.unique(np.stack([self._which, capture]), axis=1)
        once = redraw & (np.bincount(shown[0]) == 1)
        self._length = length
        self._range = int(length.min()), int(length.max())
        self.rare = once[self._which]
        """Which packets (P) have a length that one capture alone shows."""
        self.symbol = np.where(self.rare, -1 - np.floor(np.log2(length)).astype(int), length)
        """Lengths that recur as they are, the others by their power of two (P)."""
        rare = np.flatnonzero(once)
        self._place = np.full(len(once), -1)
        self._place[rare] = np.arange(len(rare))
        self._spread = Spread(
            each[1, rare].astype(np.float64), each[0, rare], lone=_LONE_BYTES, most=_MOST_BYTES
        )

    def draw(
        self, packet: NDArray[np.int64], session: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int32]:
        """Lengths (E) of packets like `packet` (E); the same one wherever a session repeats it."""
        lengths = self._length[packet].copy()
        rare = np.flatnonzero(self.rare[packet])
        if len(rare):
            same = numbered([session[rare], self._which[packet[rare]]])
            _, first = np.unique(same, return_index=True)
            drawn = self._spread.draw(self._place[self._which[packet[rare[first]]]], rng)
            lengths[rare] = np.clip(np.rint(drawn), *self._range)[same]
        return lengths


class Ports:
    """Ports of one side (P), the device's or its peers'."""

    def __init__(
        self,
        port: NDArray[np.int32],
        other: NDArray[np.int32],
        capture: NDArray[np.int64],
        constants: Iterable[int],
        slots: int,
    ) -> None:
        """Tell connections from each other.

        Args:
            port: Of this side (P).
            other: Of the other side (P); a constant one names the service.
            capture: Which each packet is of (P).
            constants: Ports that keep their number.
            slots: Ports of a service that are told apart.
        """
        constant = np.array(sorted(constants))
        self._port, self._slots = port, slots
        self._service = np.where(np.isin(other, constant), other, -1)
        self.token = port.astype(np.int64)
        """A constant port, or -1 - its rank among the service's recent ones; -1 - slots opens."""
        ephemeral = np.flatnonzero(~np.isin(port, constant))
        self.held = _held(port[ephemeral], capture[ephemeral], ephemeral, len(port))
        """How many ephemeral ports were used before each packet, and will be again (P)."""
        opened: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        recent: dict[tuple[int, int], list[int]] = defaultdict(list)
        for i in ephemeral.tolist():
            number, service, of = int(port[i]), int(self._service[i]), int(capture[i])
            ports = recent[service, of]
            if number in ports:
                self.token[i] = -1 - ports.index(number)
                ports.remove(number)
            else:
                self.token[i] = -1 - slots
                opened[service][of].append(number)
            ports.insert(0, number)
            del ports[slots:]
        self._openings = {
            service: _Opening(list(captures.values())) for service, captures in opened.items()
        }

    def draw(
        self,
        packet: NDArray[np.int64],
        session: NDArray[np.int64],
        rng: np.random.Generator,
        *,
        fresh: bool,
        connections: "Connections | None" = None,
    ) -> NDArray[np.int32]:
        """Ports (E) of packets like `packet` (E).

        Args:
            packet: Which packets.
            session: The session of each (E).
            rng: Draws the ports opened.
            fresh: Whether these are new ones, or the packets' own.
            connections: What is open from before, where sessions go on.
        """
        ports = self.token[packet]
        open_ = connections or Connections()
        for i in np.flatnonzero(ports < 0).tolist():
            service, rank = int(self._service[packet[i]]), -1 - int(ports[i])
            recent, runs = open_.of(int(session[i]), service)
            if rank < len(recent):
                number = recent.pop(rank)
            elif fresh:
                number = self._openings[service].draw(runs, rng)
            else:
                number = int(self._port[packet[i]])
            recent.insert(0, number)
            del recent[self._slots :], runs[_RUNS:]
            ports[i] = number
        return ports.astype(np.int32)


def _held(
    port: NDArray[np.int32],
    capture: NDArray[np.int64],
    place: NDArray[np.int64],
    packets: int,
) -> NDArray[np.int64]:
    """How many ports are in use across the start of each packet, from the places that use them."""
    _, first, which = np.unique(
        np.stack([capture, port]), axis=1, return_index=True, return_inverse=True
    )
    last = np.zeros(len(first), dtype=np.int64)
    np.maximum.at(last, which.ravel(), place)
    change = np.zeros(packets + 1, dtype=np.int64)
    np.add.at(change, place[first] + 1, 1)
    np.add.at(change, last + 1, -1)
    held: NDArray[np.int64] = np.cumsum(change)[:packets]
    return held


class Connections:
    """Ports in use on one side, for each session and service."""

    def __init__(self) -> None:
        self._ports: dict[tuple[int, int], tuple[list[int], list[int]]] = defaultdict(
            lambda: ([], [])
        )

    def of(self, session: int, service: int) -> tuple[list[int], list[int]]:
        """The recent ones, latest first, and the last of those that count on from each other."""
        return self._ports[session, service]


class _Opening:
    """How a host opens ports towards one service (RFC 6056, section 3.3).

    By algorithms 3 to 5 it counts on from one that it opened before, by 1 and 2 it draws any; which
    and in what range is learnt.
    """

    def __init__(self, opened: Sequence[Sequence[int]]) -> None:
        """Learn from the ports opened, a list a capture."""
        steps: list[int] = []
        first: list[int] = []
        could = 0
        for ports in opened:
            runs: list[int] = []
            for port in ports:
                near = [run for run in runs if 0 < port - run <= _FEW]
                could += bool(runs)
                if near:
                    steps.append(port - max(near))
                    runs.remove(max(near))
                else:
                    first.append(port)
                runs.insert(0, port)
        self._counts = len(steps) / could if could else 0.0
        if self._counts < _COUNTS:
            # near by chance
            first, steps, self._counts = [port for ports in opened for port in ports], [], 0.0
        self._steps = steps
        self._first = np.array(first, dtype=np.float64)
        self._spread = Spread(self._first, np.zeros(len(first), dtype=np.int64), lone=_LONE_PORT)

    def draw(self, runs: list[int], rng: np.random.Generator) -> int:
        """A port; `runs` are the last of those that count on from each other, latest first."""
        if runs and rng.random() < self._counts:
            port = runs.pop(0) + self._steps[rng.integers(len(self._steps))]
        else:
            port = round(float(self._spread.draw(rng.integers(len(self._first), size=1), rng)[0]))
        runs.insert(0, min(max(port, _SHORTEST), _LONGEST))
        return runs[0]
