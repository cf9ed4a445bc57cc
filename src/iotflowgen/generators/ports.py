"""Ports of connections, redrawn for each generated session.

Which connection a packet belongs to is coded apart from the port number: the one its service used
most recently, the one before that, one of another service, or a new one. New numbers are drawn as
the host draws them.

Shapes: P packets of all captures; O of them open a port; E packets of all sessions, one session
after another.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from iotflowgen.generators.redrawn import Spread, numbered
from iotflowgen.packets.fuzz.ports import PORTS_ALIKE

__all__ = ["Connections", "Ports", "open_connections"]

_SHORTEST = 1024  # of ephemeral ports
_LONGEST = 65535
_STARTS, _ENDS = (_SHORTEST, 32768, 49152), (5000, 61000, _LONGEST)
"""Of the ranges of BSD, of Linux, and of IANA (RFC 6056, section 2.1)."""
_APART = 16384  # two ranges of a host are at least so far from each other
_FEW = 64  # a stack that counts opens ports at most so far from one before (RFC 6056)
_COUNTS = 0.2  # share of ports opened near one before, below which it is chance
_LONE = 2000  # half the spread of the only port of a service
_OPENED = 1024  # ports that a host opened last for a service, and does not open again
_RUNS = 8  # of ports that count on from each other, kept a service


class Connections:
    """Ports in use on one side, for each session and service, most recent first.

    A rank identifies the connection of a packet:

    - below `slots`, the port of the service that was used so many others ago;
    - `slots`, a new port;
    - above, a port of any service that was used so many others ago.

    A closed connection counts until another one of its service is used.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._of_service: dict[tuple[int, int], list[int]] = defaultdict(list)
        self._of_any: dict[int, list[int]] = defaultdict(list)
        self._over: set[tuple[int, int, int]] = set()
        """Session, service and port of connections that are over and still count."""
        self._together: dict[int, int] = defaultdict(lambda: -1)
        self._recurred: set[tuple[int, int, int]] = set()
        self.runs: dict[tuple[int, int], list[int]] = defaultdict(list)
        """The last ports of a session and service to count on from, latest first."""
        self._opened: dict[tuple[int, int], dict[int, None]] = defaultdict(dict)

    def rank(self, session: int, service: int, port: int) -> int:
        """The rank that tells the port."""
        recent, anyone = self._of_service[session, service], self._of_any[session]
        if port in recent:
            return recent.index(port)
        return self._slots + (1 + anyone.index(port) if port in anyone else 0)

    def others(self, session: int, service: int, rank: int) -> int | None:
        """The port of a rank that counts those of any service; None for any other rank.

        Where fewer are in use than the rank says, it is the one in use for longest. It is none
        that was opened for this service.
        """
        ports, at = self._of_any[session], rank - self._slots - 1
        if not ports or at < 0:
            return None
        port = ports[min(at, len(ports) - 1)]
        return None if port in self._opened[session, service] else port

    def open(
        self,
        session: int,
        service: int,
        drawn: int,
        captured: int,
        *,
        udp: bool = False,
        ends: Sequence[int] = (_SHORTEST, _LONGEST),
    ) -> int:
        """The port that is opened if this one is drawn, where another one was captured.

        It is the next one in the host's range, beyond the end from the beginning on, that was not
        opened for the service of late, and that Wireshark gives to a protocol of TCP, or of UDP, if
        it gave the captured one. Hosts know of no such ports. But what a packet was read as when
        captured, it is only read as on a port of the same kind.
        """
        opened, claimed = self._opened[session, service], PORTS_ALIKE["udp" if udp else "tcp"]
        alike = claimed.get(captured, ())  # these are few, and far apart: none may be left
        in_range = chain(range(drawn, ends[1] + 1), range(ends[0], drawn))
        others = (port for port in in_range if port not in claimed)
        near = chain(alike[bisect_left(alike, drawn) :], others)
        port = next((port for port in near if port not in opened), captured)
        opened[port] = None
        if len(opened) > _OPENED:
            del opened[next(iter(opened))]
        return port

    def may_recur(self, session: int, service: int, port: int, captures: int) -> bool:
        """Whether a port that these captures (a bit set) opened may recur; it is noted if so.

        Ports recur together, as random numbers from the same seed do, or connections that outlast a
        capture; no capture shows ports of two such occasions. None recurs again in a session.
        """
        together, key = self._together[session] & captures, (session, service, port)
        taken = self._of_any[session], self._opened[session, service]
        if not together or key in self._recurred or any(port in ports for ports in taken):
            return False
        self._together[session] = together
        self._recurred.add(key)
        self._opened[session, service][port] = None
        return True

    def use(self, session: int, service: int, port: int, *, ends: bool = False) -> None:
        """Make a port the most recent one; the oldest are forgotten."""
        of_service, of_any = self._of_service[session, service], self._of_any[session]
        latest = of_service[0] if of_service else port
        if latest != port and (session, service, latest) in self._over:
            self._over.remove((session, service, latest))
            del of_service[0]
            if latest in of_any:
                of_any.remove(latest)
        for ports in (of_service, of_any):
            if ports and ports[0] == port:
                continue
            if port in ports:
                ports.remove(port)
            ports.insert(0, port)
            del ports[self._slots :]
        if ends:
            self._over.add((session, service, port))
        else:
            self._over.discard((session, service, port))


class Ports:
    """Ports of one side (P), the device's or its peers'."""

    def __init__(
        self,
        port: NDArray[np.int32],
        other: NDArray[np.int32],
        capture: NDArray[np.int64],
        udp: NDArray[np.bool_],
        constants: Iterable[int],
        slots: int,
    ) -> None:
        """Tell connections apart.

        Args:
            port: Of this side (P).
            other: Of the other side (P); a constant one names the service.
            capture: Which each packet is of (P).
            udp: Whether these are ports of UDP, not of TCP (P).
            constants: Ports that keep their number.
            slots: Ports of a service that are told apart.
        """
        constant = np.array(sorted(constants))
        self._port, self._udp, self.slots = port.astype(np.int64), udp, slots
        service = np.where(np.isin(other, constant), other, -1)
        self.service = numbered([service, _range(port, service)])
        """What the port is used for (P)."""
        of_tcp, of_udp = (np.isin(port, [*PORTS_ALIKE[of]]) for of in ("tcp", "udp"))
        self.claimed: NDArray[np.bool_] = np.where(udp, of_udp, of_tcp)
        """Whether Wireshark gives the port to a protocol (P)."""
        self.token = self._port.copy()
        """A constant port, or -1 - its rank among the ports in use (P)."""
        self._origin = np.full(len(port), -1)
        """Where the port of each packet was opened (P); -1 for a constant one."""
        ephemeral = np.flatnonzero(~np.isin(port, constant))
        in_use, origin, opens = Connections(slots), dict[tuple[int, int], int](), list[int]()
        self._ends = np.zeros(len(port), dtype=bool)
        """Whether a packet is the last one with its port in its capture (P)."""
        _, last = np.unique(numbered([capture, port])[ephemeral][::-1], return_index=True)
        self._ends[ephemeral[::-1][last]] = True
        columns = capture, port, self.service, self._ends
        like_last = _like_last([column[ephemeral] for column in columns])
        used = ephemeral[~like_last]
        for i, of, number, serves, over in zip(
            used.tolist(), *(column[used].tolist() for column in columns), strict=True
        ):
            rank = in_use.rank(of, serves, number)
            in_use.use(of, serves, number, ends=over)
            self.token[i] = -1 - rank
            if rank == slots:
                opens.append(i)
                origin[of, number] = i
            self._origin[i] = origin[of, number]
        self.token[ephemeral[like_last]] = -1
        self._origin[ephemeral] = self._origin[used[np.cumsum(~like_last) - 1]]
        self._learn(np.array(opens, dtype=np.int64), capture)

    def _learn(self, place: NDArray[np.int64], capture: NDArray[np.int64]) -> None:
        """Learn how the host opens ports towards each service, from the places (O) where it does.

        With algorithms 3 to 5 of RFC 6056, section 3.3, it counts on from an earlier port, with 1
        and 2 it draws any. A port that another capture opens, too, may recur.
        """
        service, port = self.service[place], self._port[place]
        step = _steps(port, service, capture[place])
        shared = _shared(numbered([port, service]), capture[place])
        self._opening = np.full(len(self._port), -1)
        self._opening[place] = np.arange(len(place))
        self._step, self._shared = step, shared
        least = np.full(service.max(initial=-1) + 1, _LONGEST)
        greatest = np.full(len(least), _SHORTEST)
        np.minimum.at(least, service, port)
        np.maximum.at(greatest, service, port)
        self._start = np.array(_STARTS)[np.searchsorted(_STARTS[1:], least, side="right")]
        self._end = np.array(_ENDS)[np.searchsorted(_ENDS, greatest)]
        """Between which the host opens ports, by service."""
        counted = numbered([service, capture[place]])
        begun = np.bincount(counted[step == 0], minlength=counted.max(initial=-1) + 1)
        self._steps: dict[int, list[int]] = {}
        """How far a service counts on, each time."""
        self._runs: dict[int, int] = {}
        """Most runs of ports of a service in one capture."""
        for each in np.unique(service[step > 0]).tolist():
            own = service == each
            self._steps[each] = step[own & (step > 0)].tolist()
            self._runs[each] = min(int(begun[counted[own]].max()), _RUNS)
        kind = numbered([service, step > 0, shared > 0])
        # a port that comes again counts once: others are not drawn from itself
        _, one, like = np.unique(
            np.stack([kind, port]), axis=1, return_index=True, return_inverse=True
        )
        self._like = like.ravel()
        self._spread = Spread(port[one].astype(np.float64), kind[one], lone=_LONE)

    def draw(
        self,
        packet: NDArray[np.int64],
        connection: NDArray[np.int64],
        session: NDArray[np.int64],
        rng: np.random.Generator,
        *,
        fresh: bool,
        connections: Connections | None = None,
        known: dict[int, int] | None = None,
    ) -> NDArray[np.int32]:
        """Ports (E) of packets like `packet` (E).

        Args:
            packet: Which packets.
            connection: Which connection of its session each is of (E); none is of two sessions.
            session: The session of each (E).
            rng: Draws the ports opened.
            fresh: Whether these are new ones, or the packets' own.
            connections: What is open from before, where sessions go on: a host that counts does
                so from where it was, once it has begun as many runs as in a capture.
            known: Ports of connections that were there before, by their numbers; those that are
                opened are added.
        """
        ports = self.token[packet].astype(np.int32)
        open_ = connections or Connections(self.slots)
        ephemeral = np.flatnonzero(ports < 0)
        like = self._origin[packet[ephemeral]]
        own = self._port[like]
        opening = self._opening[like]
        drawn = np.rint(self._spread.draw(self._like[opening], rng)).astype(np.int64)
        start, end = (bound[self.service[like]] for bound in (self._start, self._end))
        drawn = np.where(
            drawn < start, 2 * start - drawn, drawn
        )  # as likely as others, not as ends
        drawn = np.clip(np.where(drawn > end, 2 * end - drawn, drawn), start, end)
        of_packets = connection, self.service[packet], self._ends[packet]
        among, service, ends = (column[ephemeral] for column in of_packets)
        like_last = _like_last([among, service, ends])
        used = np.flatnonzero(~like_last)
        columns = (
            *(session[ephemeral], among, service, ports[ephemeral], own, drawn),
            *(self._shared[opening], self._step[opening], ends, self._udp[like]),
            *(rng.random(len(like)) if connections else np.zeros(len(like)), start, end),
        )
        numbers, known = list[int](), {} if known is None else known
        for of, each, serves, token, same, new, shared, step, over, udp, turn, *within in zip(
            *(column[used].tolist() for column in columns), strict=True
        ):
            number = known.get(each) or open_.others(of, serves, -1 - token)
            if number is None and (not fresh or open_.may_recur(of, serves, same, shared)):
                number = same
            elif number is None:
                runs = open_.runs[of, serves]
                if connections and not step and len(runs) >= self._runs.get(serves, _RUNS + 1):
                    # the one that was not counted on for longest
                    on = runs.pop() + self._steps[serves][int(turn * len(self._steps[serves]))]
                else:
                    on = runs.pop(0) + step if runs and step else new
                number = open_.open(
                    of, serves, on if on <= within[1] else new, same, udp=udp, ends=within
                )
                runs.insert(0, number)
                del runs[_RUNS:]
            open_.use(of, serves, number, ends=over)
            known[each] = number
            numbers.append(number)
        ports[ephemeral] = np.array(numbers, dtype=np.int32)[np.cumsum(~like_last) - 1]
        return ports


def _like_last(columns: Sequence[NDArray[np.generic]]) -> NDArray[np.bool_]:
    """Whether the port of a packet is the one used just before (P), by all columns (P).

    Using it again changes nothing about which ports are in use.
    """
    like_last = np.zeros(len(columns[0]), dtype=bool)
    like_last[1:] = np.all([column[1:] == column[:-1] for column in columns], axis=0)
    return like_last


def _range(port: NDArray[np.int32], service: NDArray[np.int32]) -> NDArray[np.int64]:
    """The range of its service that each port (P) is in: a host may have several stacks."""
    order = np.lexsort((port, service))
    apart = (np.diff(port[order]) > _APART) & (np.diff(service[order]) == 0)
    ranges = np.zeros(len(port), dtype=np.int64)
    ranges[order[1:]] = np.cumsum(apart)
    return ranges


def _steps(
    port: NDArray[np.int64], service: NDArray[np.int64], capture: NDArray[np.int64]
) -> NDArray[np.int64]:
    """How far each port opened (O) counts on from one before in its capture; 0: it does not."""
    step = np.zeros(len(port), dtype=np.int64)
    for each in np.unique(service).tolist():
        runs: dict[int, list[int]] = defaultdict(list)
        could = 0
        of = np.flatnonzero(service == each)
        for i in of.tolist():
            before = runs[int(capture[i])]
            near = [run for run in before if 0 < port[i] - run <= _FEW]
            could += bool(before)
            if near:
                step[i] = port[i] - max(near)
                before.remove(max(near))
            before.insert(0, int(port[i]))
        if np.count_nonzero(step[of]) < _COUNTS * could:
            step[of] = 0  # near by chance
    return step


def _shared(what: NDArray[np.int64], capture: NDArray[np.int64]) -> NDArray[np.object_]:
    """The captures that show the same (O), a bit each of a Python integer; 0 if only one does."""
    shown: dict[int, set[int]] = defaultdict(set)
    for each, of in zip(what.tolist(), capture.tolist(), strict=True):
        shown[each].add(of)
    bits = {each: sum(1 << of for of in by) * (len(by) > 1) for each, by in shown.items()}
    return np.array([bits[each] for each in what.tolist()], dtype=object)


def open_connections(
    connection: NDArray[np.int64], place: NDArray[np.int64], packets: int
) -> NDArray[np.int64]:
    """Connections used before each packet (P) that will be used again.

    Args:
        connection: Each packet of a connection has the connection's number.
        place: Of each such packet among all.
        packets: P.
    """
    _, first, which = np.unique(connection, return_index=True, return_inverse=True)
    last = np.zeros(len(first), dtype=np.int64)
    np.maximum.at(last, which, place)
    change = np.zeros(packets + 1, dtype=np.int64)
    np.add.at(change, place[first] + 1, 1)
    np.add.at(change, last + 1, -1)
    counts: NDArray[np.int64] = np.cumsum(change)[:packets]
    return counts
