"""The TLS of captured connections, read as a receiver does: stream by stream.

Segments are reassembled by their position in the stream, so retransmissions, reordering and headers
cut in two need no special rule. Where bytes are missing, records continue as their headers say;
where no record begins, the next segment is tried.

Shapes: P captured packets; S segments, by stream and place in it; B bytes; R records.
"""

import zlib
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.payload.handshake import drawn_in_handshake, said_in_handshake
from iotflowgen.packets.payload.hellos import find_hellos
from iotflowgen.packets.payload.joined import Joined, join, latest_said
from iotflowgen.packets.payload.text import is_text
from iotflowgen.recording import Packets, once
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire import payload_size
from iotflowgen.wire.arrays import Flags, Integers
from iotflowgen.wire.tls import ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, HEADER, LONGEST

__all__ = ["NONCE", "Streams", "handshakes", "read_streams", "says_tls"]

NONCE: Final = 8
"""Bytes of the nonce that a record may begin with (RFC 5288, section 3)."""
_LOW: Final = 2**20
"""Nonces that are less count from 0."""
_TLS: Final = protocol_mask(["https"])
_GREETING: Final = 0x1603
_LAST_TYPE: Final = 24
_OLD_HELLO: Final = b"\1\3"
"""Type and major version, after two bytes of length."""
_CHALLENGE: Final = 9
"""Where such a hello says how long its challenge is, with which it ends."""
_EMPTY: Final = (0, 0, -1, -1, 0, 0)
"""A record of no bytes, for captures without any."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Streams(Joined):
    """Segments of connections that speak TLS, put together."""

    records: Integers
    """(R, 4): where a record begins, or goes on after a gap; where it ends, if it were all there;
    its header as a number of 40 bits, -1 after a gap; and its nonce, -1 if that does not count."""
    said: Integers
    """A number for what the sender of each record has said of the handshake (R, 2): before it, -1
    where it is encrypted, and with it."""
    drawn: Integers
    """Ranges of random bytes (R, 2), in order."""

    def record_at(self, place: Integers) -> Integers:
        """The record that holds the byte at a place of each segment (S); -1 for none."""
        found = np.searchsorted(self.records[:, 0], place, side="right") - 1
        known = found >= 0
        known &= self.records[found, 0] >= self.base
        known &= self.records[found, 1] > place
        return np.where(known, found, -1)


def says_tls(packets: Packets) -> NDArray[np.bool_]:
    """Segments (P) with payload, of connections that speak TLS."""
    layers = packets.layers
    has = layers.is_tcp & (payload_size(layers) > 0) & (packets.flow >= 0)
    greets = packets.frames.number(layers.payload, 2) == _GREETING
    shows = has & (greets | ((packets.protocols & _TLS) > 0))
    found: NDArray[np.bool_] = has & np.isin(packets.flow, np.unique(packets.flow[shows]))
    return found


@once
def read_streams(packets: Packets) -> Streams:
    """The streams of captured connections; `packets.position` is where their segments lie."""
    joined = join(packets, np.flatnonzero(says_tls(packets)))
    reader = _Reader(joined.data, np.unique(joined.begin).tolist())
    for each in joined.pieces.tolist():
        reader.read(*each)
    records = np.array(reader.records or [[*_EMPTY]], dtype=np.int64)
    return Streams(
        **vars(joined),
        records=records[:, :4],
        said=records[:, 4:],
        drawn=np.array(reader.drawn, dtype=np.int64).reshape(-1, 2),
    )


@dataclass(eq=False)
class _Reader:
    """Reads streams one after another, each piece by piece."""

    data: bytes
    segments: list[int]
    """Where segments begin."""
    records: list[list[int]] = field(default_factory=list)
    drawn: list[tuple[int, int]] = field(default_factory=list)
    line: int = -1
    next: int = 0
    """Where in its stream the record after the last one begins."""
    ciphered: bool = False
    said: int = 0
    """A number for what the stream has said of the handshake."""
    last: int = -1
    """The nonce of the last record that is encrypted."""
    last_record: int = -1
    """Which record that is."""

    def read(self, line: int, position: int, at: int, end: int) -> None:
        """Read a piece of the stream `line`: bytes from `at` to `end`, which lie at `position`."""
        if line != self.line:
            self.line, self.next, self.ciphered, self.said, self.last = line, 0, False, 0, -1
        owed = self.next - position
        begun = at
        if owed > 0:
            self.records.append([at, at + owed, -1, -1, -1, self.said])
            self._draw(at, min(at + owed, end), plain=not self.ciphered)
            at += owed
        while at < end:
            kind, major = self.data[at], self.data[at + 1 : at + 2]
            size = int.from_bytes(self.data[at + 3 : at + HEADER])
            known = at + HEADER <= end and CHANGE_CIPHER_SPEC <= kind <= _LAST_TYPE
            if known and major == b"\3" and size <= LONGEST:
                header = int.from_bytes(self.data[at : at + HEADER])
                plain = kind == HANDSHAKE and not self.ciphered
                before = self.said if plain else -1
                self.records.append([at, at + HEADER + size, header, -1, before, self.said])
                at += HEADER
                self._take(kind, at, min(at + size, end))
                self.records[-1][5] = self.said
                at += size
            elif size := self._take_old_hello(at, end):
                at += size
            else:
                later = bisect_right(self.segments, at)
                until = min(self.segments[later], end) if later < len(self.segments) else end
                is_plain = not self.ciphered and is_text(self.data[at:until])
                self._draw(at, until, plain=is_plain)
                at = until
        self.next = position + at - begun

    def _take(self, kind: int, at: int, end: int) -> None:
        """Take the body of a record."""
        if kind == CHANGE_CIPHER_SPEC:
            self.ciphered = True
            self.said = zlib.crc32(self.data[at - HEADER : at - HEADER + 3], self.said)
        elif kind == HANDSHAKE and not self.ciphered:
            self.drawn += drawn_in_handshake(self.data, at, end)
            self.said = zlib.crc32(said_in_handshake(self.data, at, end), self.said)
        elif kind != ALERT or self.ciphered:
            self.ciphered = True
            self._draw(at, end, plain=False)
            self._count(int.from_bytes(self.data[at : at + NONCE]) if at + NONCE <= end else -1)

    def _take_old_hello(self, at: int, end: int) -> int:
        """Take a hello in the form of SSL 2.0 (RFC 5246, appendix E.2); its bytes, 0 of others."""
        size = 2 + (int.from_bytes(self.data[at : at + 2]) & 0x7FFF)
        is_it = self.data[at] & 0x80 and self.data[at + 2 : at + 4] == _OLD_HELLO
        if not is_it or at + size > end or self.ciphered:
            return 0
        challenge = int.from_bytes(self.data[at + _CHALLENGE : at + _CHALLENGE + 2])
        self._draw(max(at + _CHALLENGE + 2, at + size - challenge), at + size, plain=False)
        return size

    def _draw(self, first: int, last: int, *, plain: bool) -> None:
        if not plain and first < last:
            self.drawn.append((first, last))

    def _count(self, nonce: int) -> None:
        """Note a nonce that counts on from the last one, or from 0."""
        goes_on = 0 <= self.last == nonce - 1
        if goes_on or 0 <= nonce < _LOW:
            self.records[-1][3] = nonce % 2**63
        if goes_on:
            self.records[self.last_record][3] = self.last % 2**63
        self.last, self.last_record = nonce, len(self.records) - 1


def handshakes(packets: Packets) -> tuple[Integers, Flags]:
    """How far the handshakes of TLS have come after each packet of one capture.

    Returns:
        A number for what both ends have said in the plain: which messages, in which version and
        with which cipher; and for what there is of one that goes on in later segments, but for what
        is random in it (P). 0 where neither has said anything. And which segments (P) can have no
        other length, because they say some of it and hold no session ticket, which may be as long
        as it likes.
    """
    streams = read_streams(packets)
    said, ciphered = _said(streams)
    device, peer = latest_said(packets, streams, said)
    secret = sum(latest_said(packets, streams, ciphered))
    fixed = np.zeros(len(packets), dtype=bool)
    for place in (streams.begin, streams.end - 1):
        record = streams.record_at(place)
        fixed[streams.packet] |= (record >= 0) & (streams.said[record, 0] >= 0)
    hellos = find_hellos(packets, streams.packet)
    fixed[hellos["packet"][hellos["is_name"] == 0]] = False
    return np.where(secret > 1, 1, -1) * (device << 31 ^ peer), fixed


def _said(streams: Streams) -> tuple[Integers, Integers]:
    """What the sender of each segment has said up to its end, and whether it encrypts (S)."""
    record = streams.record_at(streams.end - 1)
    begin, end, _, _ = streams.records[record].T
    before, said = streams.said[record].T
    ciphered = (record >= 0) & (before < 0)
    said = np.where(record >= 0, said, 0)
    data = bytearray(streams.data)
    for first, last in streams.drawn.tolist():
        data[first:last] = bytes(last - first)
    for row in np.flatnonzero((record >= 0) & (before >= 0) & (streams.end < end)).tolist():
        there = data[begin[row] : streams.end[row]]
        said[row] = zlib.crc32(there, int(before[row]))
    return said, ciphered.astype(np.int64)
