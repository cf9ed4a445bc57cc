"""Sessions in sequence: a number of them, of packets, or of seconds.

Each function maps an iterator to an iterator, so memory does not grow with the amount.

A capture ends while connections are open, and so do walks. Of a session that is right; a stream
goes on, and sooner or later uses the same ports again. So what is left open when a walk ends gets
the last segments of a captured connection: all from its first FIN or RST (RFC 9293, section 3.6)
on, or only these and the last one if payload or many segments follow. It is one of the same
service, whose SYNs had the same options and of which the same ends were closed; with as many
segments unacknowledged, where there is one. Where only one end has sent a SYN there is nothing to
close; if captures have an answer, it is left out.

After a walk, the next goes on where a capture's start-up is over: a stream has its lease, which
`packets.Leases` renews.

Shapes: P packets of all captures; E packets of walks; R segments of connections that were closed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from iotflowgen.errors import OutputError
from iotflowgen.generators.generator import SessionGenerator
from iotflowgen.generators.redrawn import Durations
from iotflowgen.packets import EXCHANGE_NS
from iotflowgen.progress import Progress, silent
from iotflowgen.recording import Groups
from iotflowgen.traffic import Session

__all__ = [
    "Closings",
    "Resumption",
    "check_representable",
    "first_packets",
    "first_seconds",
    "shifted_to",
    "spaced",
]

_AT_ONCE = 64  # sessions drawn together
_APART_NS = 60 * 10**9
_BOTH = 3  # of `tcp` states: either end has sent a FIN; greater: a RST was sent
_MOST = 8  # segments that close a connection
_COUNTED = 64  # times what is unacknowledged of the device's, in `outstanding` states
_SIDE = 16  # times what the device has offered, in `options` states


_Key = tuple[int, ...]


def spaced(
    generator: SessionGenerator, n: int, rng: np.random.Generator, *, progress: Progress = silent
) -> Iterator[Session]:
    """Draw `n` sessions, each a minute after the one before has ended; the first at time 0."""
    now_ns = 0
    for done in range(0, n, _AT_ONCE):
        drawn = generator.sessions(min(_AT_ONCE, n - done), rng)
        for number, session in enumerate(drawn, start=done):
            yield replace(session, name=str(number), time_ns=session.time_ns + now_ns)
            now_ns += int(session.time_ns[-1]) + _APART_NS
            progress("generate", number + 1, n)


def first_packets(
    sessions: Iterable[Session], n: int, *, progress: Progress = silent
) -> Iterator[Session]:
    """Sessions up to the packet `n`."""
    left = n
    for session in sessions:
        yield session[:left]
        left -= min(left, len(session))
        progress("generate", n - left, n)
        if not left:
            return


def first_seconds(
    sessions: Iterable[Session], seconds: float, *, progress: Progress = silent
) -> Iterator[Session]:
    """Sessions of packets up to so many seconds after time 0."""
    for session in sessions:
        inside = int(np.searchsorted(session.time_ns, seconds * 1e9, side="right"))
        yield session[:inside]
        over = inside < len(session)
        reached = seconds if over else int(session.time_ns[-1]) / 1e9
        progress("generate", round(reached), round(seconds), "seconds")
        if over:
            return


def check_representable(time_ns: int) -> None:
    """Check that a time, in nanoseconds since the epoch, fits into 64 bits.

    Raises:
        OutputError: They do not.
    """
    if not -(2**63) <= time_ns < 2**63:
        raise OutputError(
            "no time before 1677-09-22 or after 2262-04-11 is possible; choose another --start, or "
            "write less"
        )


def shifted_to(sessions: Iterable[Session], start_ns: int) -> Iterator[Session]:
    """Sessions as much later.

    Raises:
        OutputError: They go on beyond what 64 bits of nanoseconds can tell.
    """

    def shifted(session: Session) -> Session:
        if len(session):
            check_representable(start_ns)
            check_representable(start_ns + int(session.time_ns[-1]))
        return replace(session, time_ns=session.time_ns + start_ns)

    return map(shifted, sessions)


class Closings:
    """Last segments of captured connections, by what was there before them."""

    def __init__(
        self,
        connection: NDArray[np.int64],
        service: NDArray[np.int64],
        payload: NDArray[np.bool_],
        closed: NDArray[np.int64],
        outstanding: NDArray[np.int64],
        options: NDArray[np.int64],
    ) -> None:
        """Find the last segments of captured connections.

        Args:
            connection: Which connection of TCP a packet is of, by numbers from 1 on (P); else 0.
            service: What it is used for (P).
            payload: Whether there is any in it (P).
            closed: Which ends have closed it afterwards (P), as the state `tcp`.
            outstanding: What is unacknowledged afterwards (P), as the state of that name.
            options: What SYNs have offered (P), as the state of that name.
        """
        self._service, self._closed = service, closed
        self._outstanding, self._options = outstanding, options
        self._is_tcp = connection > 0
        rows = np.flatnonzero(self._is_tcp)
        rows = rows[np.argsort(connection[rows], kind="stable")]
        ends = np.flatnonzero(np.diff(connection[rows], append=-1) != 0)
        end = ends[np.searchsorted(ends, np.arange(len(rows)))]  # of each one's connection (R)
        bare, is_over = ~payload[rows], _over(closed[rows])
        before = np.roll(rows, 1)
        goes_on = np.diff(connection[rows], prepend=-1) == 0
        self._half_open = _half_open(options)
        self._was_answered = np.zeros(len(closed), dtype=bool)
        self._was_answered[rows] = ~self._half_open[rows[end]]
        changes = goes_on & ~_over(closed[before]) & (closed[rows] != closed[before])
        self._known: dict[_Key, list[NDArray[np.int64]]] = defaultdict(list)
        """Packets that close a connection, by all that may be asked for."""
        for r in np.flatnonzero(changes & is_over[end]).tolist():
            last = slice(r, 1 + end[r])
            if not bare[last].all() or end[r] - r >= _MOST:
                own = changes[last].copy()
                own[-1] = True
            else:
                own = bare[last]
            if bare[last][own].all():
                for key in self._keys(int(before[r])):
                    self._known[key].append(rows[last][own])

    def _keys(self, packet: int) -> tuple[_Key, _Key, _Key]:
        """What a closing after a packet should agree with, the strictest first."""
        columns = self._service, self._closed, self._options
        agreed, outstanding = tuple(int(of[packet]) for of in columns), self._outstanding[packet]
        sides = int(outstanding % _COUNTED > 0), int(outstanding // _COUNTED > 0)
        return (*agreed, int(outstanding)), (*agreed, *sides), agreed

    def close(
        self,
        packet: NDArray[np.int64],
        connection: NDArray[np.int64],
        walk: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Walks (E) with what closes their connections at the end of each.

        Args:
            packet: Which packets they consist of (E).
            connection: Which connection each is of (E); -1 for none.
            walk: Of which walk, rising (E).
            rng: Draws which connection is closed like which.
        """
        of_tcp = np.flatnonzero(self._is_tcp[packet] & (connection >= 0))
        _, last = np.unique(connection[of_tcp][::-1], return_index=True)
        last = np.sort(of_tcp[len(of_tcp) - 1 - last])
        half_open = self._half_open[packet[last]]
        left_open = last[~_over(self._closed[packet[last]]) & ~half_open]
        dropped = connection[last[half_open & self._was_answered[packet[last]]]]
        after, more = list[int](), [np.empty(0, dtype=np.int64)]
        share = rng.random(len(left_open))
        for at, place, of in zip(
            left_open.tolist(), packet[left_open].tolist(), share.tolist(), strict=True
        ):
            known = next(filter(None, map(self._known.get, self._keys(place))), None)
            if known:
                more.append(known[int(of * len(known))])
                after += [at] * len(more[-1])
        packet = np.concatenate([packet, *more])
        connection, walk = (np.append(each, each[after]) for each in (connection, walk))
        order = np.argsort(walk, kind="stable")
        order = order[~np.isin(connection[order], dropped)]
        return packet[order], connection[order], walk[order]


class Resumption:
    """Where in captures a stream goes on after a pause, and how long that is."""

    def __init__(
        self,
        capture: NDArray[np.int64],
        gap_ns: NDArray[np.int64],
        silence_ns: NDArray[np.int64],
        *,
        is_open: NDArray[np.bool_],
        is_dhcp: NDArray[np.bool_],
    ) -> None:
        """Find the last place in the first half of each capture at which no connection is open.

        A capture that goes on after another has no start-up, and is taken whole. Captures in which
        a lease is got only after that place are left out, if others are not: a stream has one.

        Args:
            capture: Which capture each packet is of (P).
            gap_ns: Nanoseconds before each, in its capture (P).
            silence_ns: How long each capture is silent until the next goes on; 0 where none (N).
            is_open: Whether there is an open connection before each packet (P).
            is_dhcp: Whether it is a message of DHCP (P).
        """
        size = np.bincount(capture)
        start = np.cumsum(size) - size
        goes_on = np.append(False, silence_ns[:-1] > 0)
        early = np.arange(len(capture)) - start[capture] <= size[capture] / 2
        free = np.flatnonzero(early & ~is_open)  # the first packet of each at least
        last = free[np.searchsorted(capture[free], np.arange(len(size)), side="right") - 1]
        self.started: NDArray[np.int64] = np.where(goes_on, start, last)
        """The packet of each capture with which start-up is over (N)."""
        last = self.started
        leases = np.flatnonzero(early & is_dhcp)
        of = capture[leases]
        has_lease = goes_on | (np.bincount(of[leases >= last[of]], minlength=len(size)) == 0)
        some = has_lease if has_lease.any() else slice(None)
        self.packet: NDArray[np.int64] = last[some]
        """Packets that it may go on with, one a capture."""
        self.remaining = float(np.mean((start + size - last)[some]))
        """Packets that follow, on average."""
        self.at_start_up = _first_leases(capture, gap_ns, is_dhcp & ~goes_on[capture])
        """Whether a lease is got by a packet as captures begin (P)."""
        idle_ns = silence_ns[silence_ns > 0]
        if not len(idle_ns):
            idle_ns = np.maximum.reduceat(gap_ns, start)
        self._idles = len(idle_ns)
        self._idle = Durations(idle_ns, np.zeros(self._idles, dtype=np.int64))

    def idle_ns(self, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Pauses (n), about as long as where a capture was cut, or its longest gap if none was."""
        return self._idle.draw(rng.integers(self._idles, size=n), rng)


def _first_leases(
    capture: NDArray[np.int64], gap_ns: NDArray[np.int64], is_dhcp: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Whether packets (P) are of the first exchange of DHCP in their capture."""
    rows = np.flatnonzero(is_dhcp)
    groups = Groups(capture[rows])
    time_ns = np.cumsum(gap_ns)[rows]
    later = (time_ns - groups.previous(time_ns, 0) > EXCHANGE_NS) & ~groups.is_first
    first = np.zeros(len(capture), dtype=bool)
    first[rows] = groups.sum(later.astype(np.int64)) == 0
    return first


def _over(closed: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether connections in these states are closed."""
    over: NDArray[np.bool_] = closed >= _BOTH
    return over


def _half_open(options: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether one end alone has sent a SYN."""
    half: NDArray[np.bool_] = (options > 0) & ((options < _SIDE) | (options % _SIDE == 0))
    return half
