"""The different messages of packets, side by side: what many packets say is read once.

Shapes: P packets, M messages, Q packets that have one, B bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from iotflowgen.packets.identity.fields import PLAIN, Field, Kind, fields_in, kinds_of
from iotflowgen.recording import Groups, Packets
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire import Frames
from iotflowgen.wire.arrays import Flags, Integers
from iotflowgen.wire.dns import A, find_addresses
from iotflowgen.wire.tls import begins_handshake

__all__ = ["Messages"]

_TLS: Final = protocol_mask(["https"])


@dataclass(frozen=True, eq=False)
class Messages:
    """Messages (M), and which packet (Q) says which of them."""

    data: bytearray
    """(B) of all, with a byte between that no text goes on over. Written to while it is read."""
    begin: Integers
    """(M) where each is in `data`, rising."""
    end: Integers
    """(M)"""
    kind: Integers
    """(M) a `Kind` each."""
    packet: Integers
    """(Q) rising."""
    message: Integers
    """(Q) which of these it says."""
    offset: Integers
    """(Q) where in its frame."""

    @classmethod
    def of(cls, packets: Packets) -> "Messages":
        """What packets say behind their headers; errors of ICMP with what they quote."""
        layers = packets.layers
        kinds = kinds_of(packets, _speaks_tls(packets))
        is_icmp = np.isin(kinds, (Kind.ICMP, Kind.ICMP6))
        start = np.where(is_icmp, layers.transport, layers.payload)
        some = np.flatnonzero((kinds >= 0) & (layers.end > start))
        at, kind = packets.frames.start[some], kinds[some]
        begin, end = (at + start[some]).tolist(), (at + layers.end[some]).tolist()
        view = packets.frames.data.data
        number: dict[tuple[int, bytes], int] = {}
        message = [
            number.setdefault((each, bytes(view[a:b])), len(number))
            for each, a, b in zip(kind.tolist(), begin, end, strict=True)
        ]
        size = np.fromiter((len(each) for _, each in number), np.int64, len(number))
        first = np.cumsum(size + 1) - size - 1
        return cls(
            data=bytearray(b"\n".join(each for _, each in number)),
            begin=first,
            end=first + size,
            kind=np.fromiter((each for each, _ in number), np.int64, len(number)),
            packet=some,
            message=np.array(message, np.int64),
            offset=start[some],
        )

    def __len__(self) -> int:
        return len(self.begin)

    def each(self, *kinds: int, but: bool = False) -> Iterator[tuple[int, bytes, int]]:
        """Messages of some kinds, or of all but them: kind, bytes, and place in the data."""
        chosen = np.flatnonzero(np.isin(self.kind, kinds) != but)
        for kind, a, b in zip(
            self.kind[chosen].tolist(),
            self.begin[chosen].tolist(),
            self.end[chosen].tolist(),
            strict=True,
        ):
            yield kind, bytes(self.data[a:b]), a

    def fields(self) -> Iterator[Field]:
        """Fields of parsed messages: where each begins and ends in the data, and its notation."""
        for kind, message, start in self.each(Kind.TLS, Kind.DNS, Kind.DNS_TCP, but=True):
            for at, size, notation in fields_in(kind, message):
                yield start + at, start + at + size, notation
        data = np.frombuffer(bytes(self.data), np.uint8)
        for of, skipped in ((Kind.DNS, 0), (Kind.DNS_TCP, 2)):
            which = np.flatnonzero(self.kind == of)
            found = find_addresses(data, self.begin[which] + skipped, self.end[which])
            for at, is_a in zip(found.address.tolist(), (found.type == A).tolist(), strict=True):
                yield at, at + (4 if is_a else 16), PLAIN

    def in_packets(self, place: Integers) -> tuple[Integers, Integers, Integers]:
        """Places of the data (any number) in all packets that say them.

        Returns:
            Which of the places, which packet, and where in its frame, as many rows each.
        """
        of = self.at(place)
        order = np.argsort(of, kind="stable")
        begin = np.searchsorted(of[order], np.arange(len(self) + 1))
        count = np.diff(begin)[self.message]
        which = np.repeat(np.arange(len(count)), count)
        step = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
        row = order[begin[self.message[which]] + step]
        at = self.offset[which] + place[row] - self.begin[of[row]]
        return row, self.packet[which], at

    def at(self, place: Integers) -> Integers:
        """Which message has each place of the data."""
        found: Integers = np.searchsorted(self.begin, place, side="right") - 1
        return found


def _speaks_tls(packets: Packets) -> Flags:
    """Whether each packet (P) is TLS, or comes after some in its flow, which may cut records."""
    layers, frames = packets.layers, packets.frames
    size = np.maximum(layers.end - layers.payload, 0)
    payload = Frames(frames.data, frames.start + layers.payload, size)
    # on a port that tshark does not know for TLS a handshake says what it is
    is_tls = ((packets.protocols & _TLS) != 0) | begins_handshake(payload)
    flow = packets.flow
    found: Flags = is_tls | (Groups(flow).latest(is_tls & (flow >= 0)) >= 0)
    return found
