"""When leases are renewed (RFC 2131, section 4.4.5).

A generator that goes from one part of a capture to another keeps its messages, but not when a lease
is due. So renewals are left out of streams, and come as long after the exchange of DHCP before them
as in captures, or, where none is long enough to show it, at T1 of the lease.

Shapes: P captured packets.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.datagrams.renewals import Renewals
from iotflowgen.recording import Recording
from iotflowgen.traffic import Session, protocol_mask
from iotflowgen.wire import Frames, dst_port, find_layers, src_port
from iotflowgen.wire.arrays import Integers

__all__ = ["EXCHANGE_NS", "Leases"]

EXCHANGE_NS: Final = 60 * 10**9
"""Hosts ask again within less, if nobody answers (RFC 2131, section 4.1)."""
_DHCP: Final = protocol_mask(["dhcp", "bootp"])
_AT_ONCE: Final = 256
"""Renewals in a piece of a stream, at most."""
_CIADDR: Final = 12
"""Where a message has the address of its client (RFC 2131, section 2)."""


class Leases:
    """Renewals of leases, and when they come in a stream.

    Where captures show renewals, these come, as long after the exchange of DHCP before them as
    there. Where none is long enough to show any, the lease says when it has to be renewed
    (`Renewals`).
    """

    def __init__(self, recording: Recording) -> None:
        """Find exchanges of one question and its answer, after another in the same capture.

        A question that says which address the client has asks for it again.
        """
        # the last row is that of packets that repeat none
        self._is_dhcp = np.append(recording.protocols & _DHCP > 0, False)
        self._renews = np.zeros(len(recording) + 1, dtype=bool)
        self._known: list[tuple[Session, int]] = []
        """Messages of renewals, from time 0 on, and how long after an exchange they come."""
        rows = np.flatnonzero(self._is_dhcp)
        capture, time_ns = recording.capture, recording.time_ns
        begins = (np.diff(capture[rows]) != 0) | (np.diff(time_ns[rows]) > EXCHANGE_NS)
        before = rows[:0]
        for own in np.split(rows, 1 + np.flatnonzero(begins)) if len(rows) else ():
            first, turns = own[0], np.count_nonzero(np.diff(recording.outgoing[own]))
            again = turns == 1 and capture[first] in capture[before]
            if recording.outgoing[first] and (again or _has_address(recording, own[:1]).all()):
                self._renews[own] = True
                if again:
                    after_ns = int(time_ns[first] - time_ns[before[-1]])
                    self._known.append((_messages(recording, own, own), after_ns))
            before = own
        if not self._known:
            self._known = _to_come(recording)

    def renewed(self, stream: Iterable[Session], rng: np.random.Generator) -> Iterator[Session]:
        """The pieces of a stream with renewals where they are due, and no others.

        A piece that is silent for long, with leases that are short, comes in several pieces: there
        is no limit to how many renewals fall into it.
        """
        if not self._known:
            yield from filter(len, stream)
            return
        coming: Session | None = None
        for piece in stream:
            kept = piece[~self._renews[piece.source]]
            if not len(kept):
                continue
            due, done = list[Session](), 0
            coming = coming or self._after(int(kept.time_ns[0]), rng)
            heard_ns = kept.time_ns[self._is_dhcp[kept.source]].tolist()
            for limit_ns in (*heard_ns, end_ns := int(kept.time_ns[-1])):
                while coming.time_ns[0] < limit_ns:
                    if len(due) == _AT_ONCE:
                        until = int(np.searchsorted(kept.time_ns, coming.time_ns[0]))
                        yield Session.merged([kept[done:until], *due])
                        due, done = [], until
                    due.append(coming[: int(np.searchsorted(coming.time_ns, end_ns))])
                    rest = coming[len(due[-1]) :]
                    coming = rest if len(rest) else self._after(int(due[-1].time_ns[-1]), rng)
                if limit_ns in heard_ns:  # the lease is renewed by that exchange
                    coming = self._after(limit_ns, rng)
            yield Session.merged([kept[done:], *due])

    def _after(self, time_ns: int, rng: np.random.Generator) -> Session:
        """The next renewal after an exchange of DHCP."""
        own, after_ns = self._known[rng.integers(len(self._known))]
        return replace(own, time_ns=own.time_ns + time_ns + after_ns)


def _to_come(recording: Recording) -> list[tuple[Session, int]]:
    """Renewals that captures are too short for, as `Leases` knows them.

    None, if one would have been long enough: the device renews no leases.
    """
    renewals, capture = Renewals.of(recording), recording.capture
    end_ns = np.zeros(int(capture.max(initial=0)) + 1, dtype=np.int64)
    np.maximum.at(end_ns, capture, recording.time_ns)
    # what is silent until it goes on would have shown a renewal, too
    end_ns += recording.references.get("silence_ns", np.zeros_like(end_ns))
    given = renewals.answer
    if (recording.time_ns[given] + renewals.after_ns < end_ns[capture[given]]).any():
        return []
    frames = Frames.concatenate(
        [recording.frames, renewals.frames(recording.frames.take(renewals.origin))]
    )
    found = []
    for r, after_ns in enumerate(renewals.after_ns.tolist()):
        source = len(recording) + 2 * r + np.arange(2)
        repeats = renewals.origin[2 * r : 2 * r + 2]
        found.append((_messages(recording, repeats, source, frames.take(source)), after_ns))
    return found


def _has_address(recording: Recording, packet: Integers) -> NDArray[np.bool_]:
    """Whether messages of DHCP say that their client has an address."""
    at = recording.layers.payload[packet] + _CIADDR
    has: NDArray[np.bool_] = recording.frames.take(packet).number(at, 4) > 0
    return has


def _messages(
    recording: Recording, repeats: Integers, source: Integers, own: Frames | None = None
) -> Session:
    """The messages of a renewal, from time 0 on.

    Args:
        recording: What was captured.
        repeats: Which of its packets these repeat.
        source: What they are known by to a renderer.
        own: Their frames; by default those of the recording.
    """
    own = recording.frames.take(repeats) if own is None else own
    layers = find_layers(own)
    return Session(
        name="renewal",
        time_ns=recording.time_ns[repeats] - recording.time_ns[repeats[0]],
        length=own.size.astype(np.int32),
        outgoing=recording.outgoing[repeats],
        src_port=src_port(own, layers).astype(np.int32),
        dst_port=dst_port(own, layers).astype(np.int32),
        protocols=recording.protocols[repeats],
        source=source,
        flow=np.full(len(source), -1),
    )
