"""Connection states of a walk, so that it continues only connections that it opened.

A walk that switches from one capture to another meets packets there of connections that it does not
have, or whose state differs: a response without a request, an acknowledgment of nothing. So a
packet fits a walk only if it belongs to no connection, opens one, or continues one whose state is
that of the captured connection before the packet. The state of a connection is:

- its service, and its last message;
- the number of its packets, up to a few;
- the number of segments with payload that one side has sent since the other last spoke, up to a
  few: what can be acknowledged, and how far a flight has come;
- protocol states known from bytes, such as open DNS queries (`Trace.states`);
- whether payload is still to come; else how many packets are left, up to a few, unless there never
  was payload. By their lengths alone, a FIN and an acknowledgment, or an answered and an unanswered
  SYN, would be the same.

A walk opens at most as many connections of a service as the capture has up to there, and a surplus.
Without that bound openings would pile up, for where nothing else fits, an opening does. Between two
ports that are the same in all captures there is no surplus: one more would use both ports again.

Connections that were open before their capture began have no opening, and their numbers of packets
are unknown. A walk resumes one with any packet like the first captured packet of such a connection,
unless it has as many of them as the capture has up to there, or as many that began alike. What the
capture had before the walk began counts as had by the walk.

Where no packet fits, one is drawn that does not. It then continues a connection of its service in
the same protocol state, so that nothing is sent on a closed TCP connection; if there is none it is
skipped.

Connections are identified by their ports, as features have no addresses (paper, section 4.1).

Shapes: P places, as in `chain`; S kinds of states; N walks; X pairs of a walk and a place; M
connections of a walk; K kinds of packets that connections begin with which were there before their
capture; V services.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from iotflowgen.generators.redrawn import numbered
from iotflowgen.recording import Groups

__all__ = ["ConnectionStates", "WalkConnections"]

_T = TypeVar("_T", bound=np.generic)

_NONE = -1  # no connection, or no state
_COUNTED = 4  # packets: SYN, SYN-ACK, ACK, and whatever comes then
_LEFT = 4  # packets: FIN, FIN, ACK, and whatever comes before
_UNHEARD = 4  # segments: a server's first flight of TLS has as many
_KEPT = 32  # M
_ANY = 2**40  # connections that a walk may have had
_NOTHING = 2  # a state from which no packet goes on, after all that packets may require


class ConnectionStates:
    """For each place, the connection state that its packet requires, and the state it produces."""

    def __init__(
        self,
        capture: NDArray[np.int64],
        connection: NDArray[np.int64],
        service: NDArray[np.int64],
        rank: NDArray[np.int64],
        message: NDArray[np.int64],
        outgoing: NDArray[np.bool_],
        payload: NDArray[np.bool_],
        may_open: NDArray[np.bool_],
        same_ports: NDArray[np.bool_],
        states: NDArray[np.int64],
        surplus: int,
    ) -> None:
        """Follow the connections of the captures.

        Args:
            capture: Which capture a packet is of, by numbers from 1 on (P); 0 for none.
            connection: Which of its connections, by numbers for all captures (P); 0 for none.
            service: What it is used for (P).
            rank: How many others of its service were used since it was (P).
            message: A number for what the packet says (P).
            outgoing: Whether the device sent it (P).
            payload: Whether there is any in it (P).
            may_open: Whether it may be the first one that a connection ever had (P).
            same_ports: Whether another connection of its service would have the same ports (P).
            states: What else the packet leaves its connection in (P, S); 0 for nothing.
            surplus: How many connections of a service a walk may have more than the capture.
        """
        self.service, self.rank = np.where(connection == 0, _NONE, service), rank
        by_connection = np.argsort(connection, kind="stable")
        begins = np.diff(connection[by_connection], prepend=-1) != 0
        turns = begins | (np.diff(outgoing[by_connection].astype(np.int8), prepend=0) != 0)
        ends = np.roll(begins, -1)
        carried: NDArray[np.int64] = np.cumsum(payload[by_connection])
        before = carried - payload[by_connection]
        place, first = np.arange(len(begins)), _latest(begins)
        last = np.flatnonzero(ends)[np.cumsum(begins) - 1]
        was_there = ~may_open[by_connection][first] & (connection[by_connection] > 0)
        so_far = np.where(was_there, _COUNTED, np.minimum(1 + place - first, _COUNTED))
        left = np.where(carried > before[first], np.minimum(1 + last - place, _LEFT), _LEFT)
        left = np.where(was_there | (carried < carried[last]), 0, left)
        reached = numbered(
            [
                service[by_connection],
                message[by_connection],
                so_far,
                np.minimum(carried - before[_latest(turns)], _UNHEARD),
                left,
                *states[by_connection].T,
            ]
        )
        self.before = np.empty_like(reached)
        """The state that the connection has to be in (P); -1 if there is none before."""
        self.after = _in_place(reached, by_connection)
        """The state that it is in afterwards (P)."""
        self.ends = _in_place(ends, by_connection)
        """Whether no packet of it follows in its capture (P)."""
        self.before[by_connection] = np.where(begins, _NONE, np.roll(reached, 1))
        self.before[connection == 0] = _NONE
        self.state_after = _state_numbers(states)
        """A number for the protocol states after it (P); 0 for none."""
        self.state_before = _in_place(
            np.where(begins, 0, np.roll(self.state_after[by_connection], 1)), by_connection
        )
        """That of the protocol states before it (P)."""
        self.strict = (self.before != _NONE) & (self.state_before > 0)
        """Whether it would be wrong in a connection in another state (P)."""
        older = _in_place(was_there, by_connection)
        self._begins = (connection > 0) & (self.before == _NONE)
        self._start = _latest(np.diff(capture, prepend=-1) != 0)
        begun = Groups(numbered([self._start, service])).sum(self._begins.astype(np.int64))
        self.most = np.where(self._begins, begun - 1 + surplus * ~same_ports, _ANY)
        """How many connections of its service a walk may have had before it (P)."""
        self._count_older(older, numbered([service, message]))
        self._number_states()

    def _count_older(self, older: NDArray[np.bool_], spoken: NDArray[np.int64]) -> None:
        """Count the connections that were there before (P), by what is `spoken` (P)."""
        first_there = older & self._begins
        kinds = np.unique(spoken[first_there])
        resumes = older & ~self.strict & np.isin(spoken, kinds)
        self.resumes = np.where(resumes, np.searchsorted(kinds, spoken), _NONE)
        """Which kind it is of, if it may resume a connection that was there before (P); else -1."""
        began_PK = first_there[:, None] & (spoken[:, None] == kinds)
        self.older = _so_far(began_PK, self._start)
        """How many of these began earlier in its capture, of each kind (P, K)."""

    def _number_states(self) -> None:
        """Number what packets require and produce."""
        known = np.unique(self.before[self.before != _NONE])
        self.requirements = len(known)
        """How many different states packets require: 0, 1 and so on."""
        self.required = np.searchsorted(known, self.before).astype(np.int32)
        """Which of them each requires (P); `requirements` if none, one more if it resumes a
        connection."""
        is_first = self.before == _NONE
        self.required[is_first] = self.requirements + (self.resumes[is_first] != _NONE)
        self.produced = np.full(len(self.after), self.requirements + _NOTHING, dtype=np.int32)
        """Which of them it produces (P); two more than `requirements` if no packet requires it."""
        goes_on = np.isin(self.after, known)
        self.produced[goes_on] = np.searchsorted(known, self.after[goes_on])

    def had(self, place: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many connections of each service (N, V) captures have before places (N) in them."""
        had = np.zeros((len(place), 2 + self.service.max()), dtype=np.int64)
        for end in np.unique(place[self._start[place] < place]).tolist():
            before = slice(self._start[end], end)
            service = self.service[before][self._begins[before]]
            had[place == end] = np.bincount(service, minlength=had.shape[1])
        return had


class WalkConnections:
    """The connections of N walks.

    A fixed number is kept for each walk; beyond it, closed connections are forgotten first, then
    those unused for longest.
    """

    def __init__(self, states: ConnectionStates, first: NDArray[np.int64]) -> None:
        """Begin at the places `first` (N)."""
        self._of = states
        self._steps = 0
        self._walks = len(first)
        self._opened = np.zeros(len(first), dtype=np.int64)
        shape = len(first), _KEPT
        self._connection, self._service = np.full(shape, _NONE), np.full(shape, _NONE)
        self._reached = np.full(shape, states.requirements + _NOTHING, dtype=np.int32)
        self._state = np.zeros(shape, dtype=np.int32)
        self._used = np.full(shape, _NONE, dtype=np.int32)
        """At which step each was used last (N, M); -1 where there is none."""
        self._over = np.ones(shape, dtype=bool)
        # kept beside the connections, since it is needed at each step, for many places
        self._having = np.zeros((len(first), states.requirements + _NOTHING + 1), dtype=np.uint8)
        """How many connections are in a required state (N, by its number); what always fits counts
        as one, and the last is never required."""
        self._having[:, states.requirements] = 1
        self._had = states.had(first)
        """Connections of each service (N, V)."""
        self._resumed = states.older[first]
        """Connections that were there before, of each kind (N, K)."""

    def fits(self, walk: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether walks (X) can continue with the packets at places (X)."""
        fits: NDArray[np.bool_] = self._having[walk, self._of.required[place]] > 0
        fits &= self._had[walk, self._of.service[place]] <= self._of.most[place]
        older = (~fits & (self._of.resumes[place] != _NONE)).nonzero()[0]
        if len(older):
            fits[older] = self._can_resume(walk[older], place[older])
        return fits

    def _can_resume(self, walk: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether walks (X) can resume the earlier connections at places (X)."""
        kind, had, older = self._of.resumes[place], self._resumed[walk], self._of.older[place]
        here = self._of.before[place] == _NONE  # one of them begins
        row = np.arange(len(place))
        fewer_alike = had[row, kind] < older[row, kind] + here
        fewer = had.sum(axis=1) < older.sum(axis=1) + here
        resumes: NDArray[np.bool_] = fewer & fewer_alike
        return resumes

    def use(self, place: NDArray[np.int64]) -> NDArray[np.int64]:
        """Continue with the packets at places (N); return their connections (N), -1 for none.

        Of several connections in the required state, it is the one whose recency is closest to that
        of the captured one. A packet that fits none continues one of its service in the same
        protocol state, or opens one.
        """
        of, number = self._of, np.full(len(place), _NONE)
        walk = (of.service[place] != _NONE).nonzero()[0]
        place = place[walk]
        required, produced, kind = of.required[place], of.produced[place], of.resumes[place]
        fits = self._reached[walk] == required[:, None]
        count, at = fits.sum(axis=1), fits.argmax(axis=1)
        goes_on = count == 1
        several = (((count != 1) | (kind != _NONE)) & (required < of.requirements)).nonzero()[0]
        if len(several):
            goes_on[several], at[several] = self._chosen(
                walk[several], place[several], fits[several]
            )
        opens = (~goes_on).nonzero()[0]
        if len(opens):
            at[opens] = self._opens(walk[opens], place[opens])
        number[walk] = self._connection[walk, at]
        self._having[walk, self._reached[walk, at]] -= 1
        self._having[walk, produced] += 1
        self._reached[walk, at] = produced
        self._state[walk, at] = of.state_after[place]
        self._used[walk, at] = self._steps
        self._over[walk, at] = of.ends[place]
        self._steps += 1
        return number

    def _chosen(
        self, walk: NDArray[np.int64], place: NDArray[np.int64], fits: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Whether walks (X) continue a connection, and which (X), out of those that fit (X, M)."""
        of, row = self._of, np.arange(len(walk))[:, None]
        latest = np.argsort(-self._used[walk], axis=1)
        mine = self._service[walk[:, None], latest] == of.service[place][:, None]
        fits = fits[row, latest]
        rank = np.cumsum(mine, axis=1) - 1
        alike = mine & (self._state[walk[:, None], latest] == of.state_before[place][:, None])
        resumes = of.resumes[place] != _NONE
        resumes[resumes] = self._can_resume(walk[resumes], place[resumes])
        mine = np.where(fits.any(axis=1, keepdims=True), fits, alike)
        off = np.where(mine, np.abs(rank - of.rank[place][:, None]), np.iinfo(np.int64).max)
        mine &= ~resumes[:, None] | (fits & (off == 0))
        goes_on: NDArray[np.bool_] = np.any(mine, axis=1)
        return goes_on, latest[row[:, 0], off.argmin(axis=1)]

    def _opens(self, walk: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
        """Open, or resume, connections of walks (X) at places (X); return where they are kept."""
        over, used = self._over[walk], self._used[walk]
        forgotten = np.where(over == over.any(axis=1, keepdims=True), used, self._steps)
        at: NDArray[np.int64] = forgotten.argmin(axis=1)
        self._opened[walk] += 1
        self._had[walk, self._of.service[place]] += 1
        kind = self._of.resumes[place]
        older = (kind != _NONE).nonzero()[0]
        self._resumed[walk[older], kind[older]] += 1
        self._connection[walk, at] = self._opened[walk] * self._walks + walk
        self._service[walk, at] = self._of.service[place]
        return at


def _latest(begins: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The place of the latest beginning (P)."""
    latest: NDArray[np.int64] = np.maximum.accumulate(np.where(begins, np.arange(len(begins)), 0))
    return latest


def _state_numbers(states: NDArray[np.int64]) -> NDArray[np.int32]:
    """A number for the states of each packet (P); 0 for none."""
    some = np.any(states != 0, axis=1)
    number: NDArray[np.int32] = np.where(some, 1 + numbered([some, *states.T]), 0).astype(np.int32)
    return number


def _in_place(along: NDArray[_T], by_connection: NDArray[np.int64]) -> NDArray[_T]:
    """What stands connection by connection, packet by packet (P)."""
    column = np.empty_like(along)
    column[by_connection] = along
    return column


def _so_far(counts: NDArray[np.bool_], start: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many places count, from the `start` (P) of its capture up to each (P, K)."""
    before: NDArray[np.int64] = np.cumsum(counts, axis=0) - counts
    return before - before[start]
