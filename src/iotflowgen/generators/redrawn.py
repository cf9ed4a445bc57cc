"""Values that belong to a single capture, redrawn for each generated session.

The exact time between two packets, an ephemeral port, or a length that only one capture shows: the
next capture has other values, not far from these, so reusing them would reveal a copy. Each value
is drawn between its neighbours in rank among values of the same kind, so constants stay constant
and what varies varies as much. The order of packets of two independent services is redrawn as well,
if captures show both orders.

Lengths follow Good and Turing (Good 1953): values seen in only one capture are as frequent as
values that the next capture will be the first to show. Of a single capture, values seen once in it
are, where they vary.

Shapes: P packets of all captures; D distinct lengths, each of one kind of packet; R roles of
lengths; C captures; E packets of all sessions, one session after another.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["RESOLUTION_NS", "Durations", "Lengths", "Order", "Spread", "numbered"]

_LONE_BYTES = 4
_MOST_BYTES = 40
_NEXT_BYTES = 8  # lengths of one role are no further from each other
_MOSTLY = 0.9  # of a role's packets in a capture have one length

RESOLUTION_NS = 1000  # of captures
_LONE_LOG = 0.15  # half the spread, in logarithms, of a time that is the only one of its kind


def numbered(columns: Sequence[NDArray[np.generic]]) -> NDArray[np.int64]:
    """Number the distinct rows of several columns (P each): equal rows, equal numbers (P).

    Numbers are in lexicographic order of the rows.
    """
    number = np.zeros(len(columns[0]), dtype=np.int64)
    # column by column: to sort numbers takes a fraction of what it takes to sort rows
    for column in columns:
        values, among = np.unique(column, return_inverse=True)
        number = np.unique(number * len(values) + among, return_inverse=True)[1]
    return number


class Spread:
    """Values (P), each with an interval around it from which a new value is drawn.

    The interval reaches to the k-th value of the same kind below and above, where k is the square
    root of their number. At the smallest and the largest value it reaches half as far outwards as
    inwards; the only value of its kind gets `lone`. No interval reaches further than `most`.
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
        rising, place = value[order], np.arange(len(order))
        _, first, size = np.unique(kind[order], return_index=True, return_counts=True)
        least, k = np.repeat(first, size), np.repeat(np.rint(np.sqrt(size)).astype(int), size)
        greatest = np.repeat(first + size - 1, size)
        down = rising - rising[np.maximum(place - k, least)]
        up = rising[np.minimum(place + k, greatest)] - rising
        ends = np.where(least == greatest, lone, (down + up) / 2)
        self._value = value
        self._down, self._up = np.empty_like(value), np.empty_like(value)
        self._down[order] = np.minimum(np.where(place == least, ends, down), most)
        self._up[order] = np.minimum(np.where(place == greatest, ends, up), most)

    @property
    def interval(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How far a new value may be below and above each (P, P)."""
        return self._down, self._up

    def draw(self, place: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw a value from the interval of each value at `place`, in its shape."""
        shift = rng.uniform(-1, 1, place.shape)
        step = np.where(shift < 0, self._down[place], self._up[place])
        drawn: NDArray[np.float64] = self._value[place] + shift * step
        return drawn


class Durations:
    """Times (P), drawn anew between the logarithms of those of the same kind."""

    def __init__(
        self, time_ns: NDArray[np.int64], kind: NDArray[np.int64], *, most: float = np.inf
    ) -> None:
        logs = np.log(np.maximum(time_ns, RESOLUTION_NS))
        self._logs = Spread(logs, kind, lone=_LONE_LOG, most=most)

    def draw(self, place: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw one like each at `place`, in its shape, as captures resolve them; nanoseconds."""
        drawn_ns = np.exp(self._logs.draw(place, rng))
        return np.rint(drawn_ns / RESOLUTION_NS).astype(np.int64) * RESOLUTION_NS


class Lengths:
    """Frame lengths (P): those that recur in all captures, and those that belong to one.

    Some messages have a length of their own in every capture, as when a name is a letter longer.
    These lengths share a *role*, which has one length in each capture.
    """

    def __init__(
        self,
        length: NDArray[np.int32],
        kind: NDArray[np.int64],
        protocol: NDArray[np.int64],
        capture: NDArray[np.int64],
        redraw: NDArray[np.bool_],
    ) -> None:
        """Separate recurring lengths from those of single captures.

        Args:
            length: Of each packet (P).
            kind: What each packet is beside its length (P).
            protocol: Of each packet (P); none gets shorter or longer than those of the captures.
            capture: Which each is of (P).
            redraw: Whether each (P) may be drawn anew, if it is of one capture; what may not counts
                as recurring.
        """
        (kind_D, length_D), which = np.unique(np.stack([kind, length]), axis=1, return_inverse=True)
        count_DC = np.zeros((len(length_D), capture.max() + 1), dtype=np.int64)
        np.add.at(count_DC, (which.ravel(), capture), 1)
        least_D, most_D = np.empty_like(length_D), np.empty_like(length_D)
        for each in np.unique(protocol):
            among = which.ravel()[protocol == each]
            least_D[among], most_D[among] = length_D[among].min(), length_D[among].max()
        self._bounds_D = least_D, most_D
        redraw_D = np.zeros(len(length_D), dtype=np.bool_)
        redraw_D[which.ravel()] = redraw
        # what stays as it is shares no role
        alone_D = np.where(redraw_D, kind_D, -1 - np.arange(len(kind_D)))
        role_D = _roles(alone_D, length_D, count_DC)
        several_D = np.bincount(role_D)[role_D] > 1
        self._once_D = redraw_D & _is_once(kind_D, count_DC)
        self._own_R = np.zeros(len(length_D), dtype=bool)
        self._own_R[role_D] = several_D | self._once_D
        self._length, self._length_D, self._capture = length, length_D, capture
        self.role = role_D[which.ravel()]
        """What the length of each packet says (P)."""

        distinct, of = np.nonzero(count_DC)
        rising = np.argsort(count_DC[distinct, of], kind="stable")
        self._plays_RC = np.full((len(length_D), count_DC.shape[1]), -1)
        """Which length has the role in each capture; -1 where none does."""
        self._plays_RC[role_D[distinct[rising]], of[rising]] = distinct[rising]
        self._spread = Spread(
            length_D.astype(np.float64),
            numbered([np.where(several_D, role_D, -1), kind_D, several_D | self._once_D]),
            lone=_LONE_BYTES,
            most=_MOST_BYTES,
        )

    def draw(
        self, packet: NDArray[np.int64], session: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int32]:
        """Draw the lengths (E) of packets like `packet` (E), one for each role of a session (E)."""
        lengths = self._length[packet].copy()
        own = np.flatnonzero(self._own_R[self.role[packet]])
        _, first, same = np.unique(
            np.stack([session[own], self.role[packet[own]]]),
            axis=1,
            return_index=True,
            return_inverse=True,
        )
        place = packet[own[first]]
        plays = self._plays_RC[self.role[place], self._capture[place]]
        drawn = np.where(self._once_D[plays], self._spread.draw(plays, rng), self._length_D[plays])
        least, most = (bound_D[plays] for bound_D in self._bounds_D)
        lengths[own] = np.clip(np.rint(drawn), least, most)[same.ravel()]
        return lengths


class Order:
    """Pairs of packets of independent services, which captures show in both orders."""

    def __init__(
        self, message: NDArray[np.int64], service: NDArray[np.int64], capture: NDArray[np.int64]
    ) -> None:
        """Find the pairs that captures show in both orders.

        Args:
            message: What each packet says (P).
            service: What its ports are used for (P).
            capture: Which it is of (P).
        """
        self._message, self._service = message, service
        self._messages = int(message.max()) + 1
        within = capture[1:] == capture[:-1]
        self._shown = np.unique(self._pair(message[:-1], message[1:])[within])

    def draw(
        self, packet: NDArray[np.int64], session: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Draw the order of packets like `packet` (E): the previous position of each (E).

        Neighbours within a session (E) are swapped with probability one half.
        """
        first, second = packet[:-1], packet[1:]
        exchanged = (
            (session[:-1] == session[1:])
            & (self._service[first] != self._service[second])
            & np.isin(self._pair(self._message[second], self._message[first]), self._shown)
            & (rng.random(len(first)) < 0.5)
        )
        exchanged[1:] &= ~exchanged[:-1]  # of three in a row, the first two
        at = np.flatnonzero(exchanged)
        order = np.arange(len(packet))
        order[at], order[at + 1] = at + 1, at
        return order

    def _pair(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
        return first * self._messages + second


def _is_once(kind_D: NDArray[np.int64], count_DC: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which lengths one capture alone shows; if there is no other, one packet of it, not all."""
    once_D: NDArray[np.bool_] = np.count_nonzero(count_DC, axis=1) == 1
    if count_DC.shape[1] == 1:
        varies_D = np.isin(kind_D, kind_D[1:][np.diff(kind_D) == 0])
        once_D &= varies_D & (count_DC[:, 0] == 1)
    return once_D


def _roles(
    kind_D: NDArray[np.int64], length_D: NDArray[np.int64], count_DC: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Number the roles of lengths (D), ascending within each kind.

    Adjacent lengths share a role as long as each capture shows mostly one of them, and each is the
    length of some capture.
    """
    role_D = np.zeros(len(length_D), dtype=np.int64)
    members = [0]
    for d in range(1, len(length_D)):
        count_MC = count_DC[[*members, d]]
        most_C = count_MC.max(axis=0)
        if (
            kind_D[d] == kind_D[d - 1]
            and length_D[d] - length_D[d - 1] <= _NEXT_BYTES
            and (most_C >= _MOSTLY * count_MC.sum(axis=0)).all()
            and ((count_MC == most_C) & (count_MC > 0)).any(axis=1).all()
        ):
            members.append(d)
        else:
            members = [d]
        role_D[d] = members[0]
    return role_D
