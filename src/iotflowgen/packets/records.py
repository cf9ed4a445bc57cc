"""TLS records in a stream of segments: what of them is plain, what random, what is still to come.

RFC 8446, section 5.1, and RFC 5246, section 6.2. A side speaks in the clear until it changes its
cipher; from then on a record is 5 plain bytes and random ones. A handshake message keeps its
bytes but for those that are drawn anew in each connection.
"""

import random
import struct
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from iotflowgen.packets.connections import Side

__all__ = [
    "DATA",
    "HEADER",
    "Nonces",
    "Phase",
    "Speech",
    "begin_nonces",
    "go_on",
    "lengthen",
    "read_records",
]

HEADER: Final = 5
_MOST_BEFORE: Final = 256
"""Records before the first of a connection that is joined."""
_NONCE: Final = 8
"""Bytes of the nonce with which a record may begin (RFC 5288, section 3)."""
_LOW: Final = 2**20
"""Nonces that are less count from 0."""
_LONGEST: Final = 2**14 + 2048
_MOST_DATA: Final = 2**14
_SHORT: Final = 27
"""Bytes of a record whose header a segment cuts in two."""
_CHANGE: Final = 20
_ALERT: Final = 21
_HANDSHAKE: Final = 22
DATA: Final = 23
_CLIENT_HELLO: Final = b"\x01"
_RANDOM_IN: Final = {4: 6, 16: 2}
"""Handshake messages that are random from a byte of their body on: ticket, client's key."""
_KEY_SHARE, _TICKET = 51, 35


class Phase:
    """How far one side's TLS is."""

    SILENT: Final = 0
    """It has said nothing."""
    HANDSHAKE: Final = 1
    CIPHERED: Final = 2


class Speech(NamedTuple):
    """What one segment says."""

    random: tuple[tuple[int, int], ...]
    """Where in the payload random bytes begin and end."""
    phase: int
    """After it."""
    left: int
    """Bytes of its last record still to come; negative where a header is cut in two (`_cut`)."""
    version: int
    """Of its last record, or the one that a client offers; 0 where no record begins."""
    bodies: tuple[int, ...] = ()
    """Where in the payload the bodies of encrypted records begin."""


def read_records(payload: bytes, phase: int, owed: int) -> Speech | None:
    """Read a segment that starts with `owed` bytes of a record before it.

    Returns:
        None where it is no TLS.
    """
    if owed < 0:
        begun = _begun(owed)
        speech = read_records(begun + payload, phase, 0)
        if speech is None:
            return None
        shifted = ((start - len(begun), end - len(begun)) for start, end in speech.random)
        later = (start - len(begun) for start in speech.bodies)
        return speech._replace(random=tuple(shifted), bodies=tuple(later))
    at = min(owed, len(payload))
    random = [(0, at)] if at and phase == Phase.CIPHERED else []
    left, version = owed - at, 0
    bodies: list[int] = []
    while at < len(payload):
        if payload[at + 1 : at + 2] not in (b"\3", b""):
            return None
        if at + HEADER > len(payload):
            is_known = _CHANGE <= payload[at] <= DATA
            left = _cut(payload[at:])
            cut = Speech(tuple(random), phase, left, version, tuple(bodies))
            return cut if is_known and phase == Phase.CIPHERED else None
        kind, size = payload[at], int.from_bytes(payload[at + 3 : at + 5])
        if not _CHANGE <= kind <= DATA + 1 or size > _LONGEST:
            return None
        # the record of a client's first message says less than the message
        hello = kind == _HANDSHAKE and payload[at + HEADER : at + HEADER + 1] == _CLIENT_HELLO
        said = at + HEADER + 4 if hello else at + 1
        version = int.from_bytes(payload[said : said + 2])
        start, end = at + HEADER, min(at + HEADER + size, len(payload))
        if kind == _HANDSHAKE and phase != Phase.CIPHERED:
            phase = Phase.HANDSHAKE
            random += _in_handshake(payload, start, end)
        elif kind == _CHANGE or (kind == _ALERT and phase != Phase.CIPHERED):
            phase = Phase.CIPHERED if kind == _CHANGE else phase
        else:
            phase = Phase.CIPHERED
            random.append((start, end))
            bodies.append(start)
        left, at = at + HEADER + size - end, end
    return Speech(tuple(random), phase, left, version, tuple(bodies))


class Nonces:
    """What one side's records begin with, while captures are read: a counter, or random bytes."""

    def __init__(self) -> None:
        self._last = -1

    def follow(self, payload: bytes, bodies: Sequence[int]) -> tuple[bool, bool]:
        """Whether all records of a segment count on, and whether they did so from 0 on."""
        counts = from_zero = bool(bodies)
        for body in bodies:
            expected, whole = self._last + 1, payload[body : body + _NONCE]
            self._last = int.from_bytes(whole) if len(whole) == _NONCE else expected
            counts &= self._last == expected or self._last < _LOW
            from_zero &= self._last < _LOW
        return counts, from_zero


def begin_nonces(side: Side, *, from_zero: bool, joined: bool, draws: random.Random) -> None:
    """Settle what the records of a side begin with that counts, unless that is settled.

    Args:
        side: Who sends them.
        from_zero: It counts from 0 on, and not from a random number.
        joined: It may have sent some before the first packet of the connection that there is.
        draws: Draws.
    """
    if side.nonce >= 0:
        return
    if from_zero:
        # the next one is 0
        side.nonce = draws.randrange(_MOST_BEFORE) if joined else 2**64 - 1
    else:
        side.nonce = draws.getrandbits(63)


def _cut(header: bytes) -> int:
    """The first bytes of a record's header as a number below 0."""
    return -int.from_bytes(b"\1" + header)


def _begun(owed: int) -> bytes:
    """The first bytes of a record's header, of that number."""
    return (-owed).to_bytes(HEADER).lstrip(b"\0")[1:]


def go_on(
    side: Side, size: int, version: int, draw: Callable[[int], bytes], left: int = 0
) -> bytes:
    """Go on with what a side owes, and then with records of data, for exactly `size` bytes.

    Of the last record that begins in them `left` bytes are still to come.
    """
    if side.owed < 0:
        begun = _begun(side.owed)
        body = max(1, size - HEADER + len(begun))
        header = begun + struct.pack("!BHH", DATA, version, min(body, _MOST_DATA))[len(begun) :]
        side.due, side.owed = header[len(begun) :], int.from_bytes(header[3:])
    said = side.due[:size]
    side.due = side.due[size:]
    rest = min(size - len(said), side.owed)
    said += draw(rest)
    side.owed -= rest
    if len(said) < size or side.owed:
        side.phase = Phase.CIPHERED
    while room := size - len(said):
        is_whole = room > HEADER
        body = min(room - HEADER + left, _MOST_DATA) if is_whole else _SHORT
        noise = draw(min(body, room) * is_whole)
        if side.nonce >= 0:
            noise = side.next_nonce()[: len(noise)] + noise[_NONCE:]
        record = struct.pack("!BHH", DATA, version, body) + noise
        said += record[:room]
        side.due = b"" if is_whole else record[room:]
        side.owed = max(0, HEADER + body - room) if is_whole else body
    return said


def lengthen(data: bytearray, start: int, end: int, side: Side, more: int) -> None:
    """Have the last record of an encrypted segment go on for more bytes, if it ends there.

    Args:
        data: The frame.
        start: Where in its payload the first record begins.
        end: Where the payload ends.
        side: Who sends it.
        more: Bytes that are to come in other segments.
    """
    at, size = start, -HEADER
    while at + HEADER + size < end and at + HEADER <= end:
        at += HEADER + size
        size = int.from_bytes(data[at + 3 : at + HEADER])
    if at < end == at + HEADER + size and data[at] != _CHANGE and size + more <= _MOST_DATA:
        data[at + 3 : at + HEADER] = (size + more).to_bytes(2)
        side.owed = more


def _in_handshake(payload: bytes, at: int, end: int) -> list[tuple[int, int]]:
    """Where the messages of a plain handshake record are random."""
    found: list[tuple[int, int]] = []
    while at + 4 <= end:
        kind, size = payload[at], int.from_bytes(payload[at + 1 : at + 4])
        body, stop = at + 4, min(at + 4 + size, end)
        if kind in (1, 2) and body + 35 <= stop:
            session = body + 35
            found += [(body + 2, body + 34), (session, min(session + payload[body + 34], stop))]
            if kind == 1:
                found += _in_extensions(payload, session + payload[body + 34], stop)
        elif kind in _RANDOM_IN and body + _RANDOM_IN[kind] < stop:
            found.append((body + _RANDOM_IN[kind], stop))
        at = stop if stop > at else end
    return [(start, stop) for start, stop in found if start < stop]


def _in_extensions(payload: bytes, at: int, end: int) -> list[tuple[int, int]]:
    """A client's session ticket and the key that it shares; `at` is where its ciphers begin."""
    found = []
    at += 2 + int.from_bytes(payload[at : at + 2])
    at += 3 + payload[at] if at < end else 0
    while at + 4 <= end:
        kind, size = (int.from_bytes(payload[at + i : at + i + 2]) for i in (0, 2))
        body, at = at + 4, at + 4 + size
        if kind == _TICKET:
            found.append((body, min(at, end)))
        elif kind == _KEY_SHARE:
            share = body + 2
            while share + 4 <= min(at, end):
                key = int.from_bytes(payload[share + 2 : share + 4])
                found.append((share + 4, min(share + 4 + key, end)))
                share += 4 + key
    return found
