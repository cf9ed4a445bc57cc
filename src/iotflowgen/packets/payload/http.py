"""Content-Length where a message is in one segment and longer or shorter than captured (RFC 9110).

What goes on in later segments keeps what it said, and its length: what is still to come of it is a
state of its connection.

Shapes: P captured packets; E packets of a block; M messages.
"""

import re
import string
import zlib
from bisect import bisect_right
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.packets.payload.joined import Joined, join, latest_said
from iotflowgen.packets.payload.streams import says_tls
from iotflowgen.packets.payload.text import is_text
from iotflowgen.recording import Groups, Packets, Recording
from iotflowgen.wire import payload_size
from iotflowgen.wire.arrays import Flags, Integers
from iotflowgen.wire.http import REQUEST, HttpHeads, find_heads

__all__ = ["HttpLengths", "messages", "whole_bodies"]

_MIXER: Final = 0x9E3779B1
_LONGEST_HEAD: Final = 2**14
_LONGEST: Final = 2**28 - 1
"""Bytes of a message that are told apart; of one that ends with its connection, as many."""
_IN_HEAD: Final = 2**28
_WAITING: Final = 3
"""Requests without a response that are told apart."""
_BODILESS: Final = (b"1", b"204", b"304")
"""Status codes of responses that have no body begin so (RFC 9112, section 6.3)."""
_STATUS_AT: Final = len(b"HTTP/1.1 ")
_CODED: Final = re.compile(rb"(?im)^(?:content-encoding|transfer-encoding|content-range):")
_READ: Final = re.compile(
    rb"(?im)^content-type:[ \t]*(?:text/|multipart/|message/|image/(?!jpe?g)|application/[\w.+-]*"
    rb"(?:xml|json|javascript|soap|sdp|ocsp|pkix|pkcs|timestamp|proto|grpc|dns|ipp|cbor|msgpack))"
)
"""Types of bodies that Wireshark reads; of others nobody sees what they are, so they are drawn."""
_HEX_DIGITS: Final = string.hexdigits.encode()


class HttpLengths:
    """What heads say of bodies that are all there."""

    name: ClassVar[str] = "http"

    def __init__(self, recording: Recording) -> None:
        """Take which packets (P) hold a whole message that says its length."""
        self._whole = recording.of(self.name)["whole"]
        self._size = recording.frames.size

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """Packets that hold a `whole` message (P)."""
        heads, end = _heads(packets)
        return {
            "whole": packets.layers.is_tcp & (heads.length >= 0) & (heads.end + heads.length == end)
        }

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:  # noqa: ARG002
        """Write lengths where they have changed."""
        is_other = packets.frames.size != self._size[packets.source]
        some = packets.take(np.flatnonzero(self._whole[packets.source] & is_other))
        if not len(some):
            return
        heads, end = _heads(some)
        length = end - heads.end
        changed = (heads.length >= 0) & (heads.end > 0) & (length != heads.length)
        for row in np.flatnonzero(changed).tolist():
            at, size = int(heads.length_at[row]), int(heads.length_size[row])
            _announce(some.frames.data[at : int(end[row])], size, int(length[row]))


def _heads(packets: Packets) -> tuple[HttpHeads, NDArray[np.int64]]:
    """The heads (P) that begin with packets, and where the payload of each ends (P)."""
    frames, layers = packets.frames, packets.layers
    end = frames.start + layers.end
    heads = find_heads(frames.data, frames.start + layers.payload, end)
    return heads, end


def _announce(data: NDArray[np.uint8], size: int, length: int) -> None:
    """Have the first `size` bytes say how long the body is with which `data` ends.

    Where there is no room for the digits, the end of the body gives way. Fewer digits come after
    spaces.
    """
    digits = str(length)
    if more := max(0, len(digits) - size):
        digits = str(length - more)
        more = max(0, len(digits) - size)
        data[size + more :] = data[size : len(data) - more].copy()
    data[: size + more] = np.frombuffer(digits.rjust(size).encode(), dtype=np.uint8)


def messages(packets: Packets) -> tuple[Integers, Flags]:
    """What is still to come of messages of HTTP after each packet of one capture.

    Returns:
        A number for the bytes that either end still owes of a message, whether it is in its head,
        and how many requests have no response (P), 0 if all is said; and which segments (P) can
        have no other length, because others, or sizes of chunks, rely on it.
    """
    joined, found, which, known = _segments(packets)
    _, begin, head, end, kind, chunked, body = found.T
    owed = np.where(known, np.clip(end[which] - joined.end, 0, _LONGEST), 0)
    # what is to come of a body that is kept whole is to come of no other
    ties = known & (body[which] > 0) & (owed > 0)
    owed_of = 1 + (body[which] ^ owed * _MIXER) % (_LONGEST - 1)
    said = np.where(ties, owed_of, owed) + _IN_HEAD * (known & (head[which] > joined.end))
    whole = (begin[which] == joined.begin) & (owed == 0) & (chunked[which] == 0)
    whole &= ~known | (body[which] == 0) | _is_readable(joined)
    fixed = np.zeros(len(packets), dtype=bool)
    fixed[joined.packet] = known & ~whole & (owed < _LONGEST)
    opens = known & (begin[which] == joined.begin)
    asked = np.zeros(len(packets), dtype=np.int64)
    asked[joined.packet[opens]] = np.where(kind[which[opens]] == REQUEST, 1, -1)
    waiting = np.clip(Groups(packets.flow).sum(asked), 0, _WAITING)
    device, peer = latest_said(packets, joined, said)
    return -(device << 31 | peer << 2 | np.where(packets.flow >= 0, waiting, 0)), fixed


def whole_bodies(packets: Packets) -> Flags:
    """Segments (P) of messages of HTTP whose body stays as it is, because others read it."""
    joined, found, which, known = _segments(packets)
    found_in = np.zeros(len(packets), dtype=bool)
    found_in[joined.packet] = known & (found[which, -1] > 0)
    return found_in


def _segments(packets: Packets) -> tuple[Joined, Integers, Integers, Flags]:
    """Segments (S) of connections that speak HTTP; their messages (M, 7).

    And which of these each begins in (S), if that is `known` (S).
    """
    heads, _ = _heads(packets)
    has = packets.layers.is_tcp & (payload_size(packets.layers) > 0) & (packets.flow >= 0)
    speaks = np.unique(packets.flow[has & (heads.kind > 0)])
    joined = join(packets, np.flatnonzero(has & np.isin(packets.flow, speaks) & ~says_tls(packets)))
    found = _read(joined)
    line, begin, _, end = found.T[:4]
    # messages and segments lie in the order of streams
    key, at = _key(line, begin), _key(joined.line, joined.begin)
    which = np.searchsorted(key, at, side="right") - 1
    known = which >= 0
    known &= (line[which] == joined.line) & (end[which] > joined.begin)
    return joined, found, which, known


def _is_readable(joined: Joined) -> Flags:
    """Whether segments (S) are text, of which a word may be longer or shorter."""
    pairs = zip(joined.begin.tolist(), joined.end.tolist(), strict=True)
    return np.array([is_text(joined.data[first:last]) for first, last in pairs], dtype=bool)


def _key(line: Integers, place: Integers) -> Integers:
    return (line << 40) + place


def _read(joined: Joined) -> Integers:
    """Messages, in the order of streams (M, 7).

    Their stream; where they begin, where their body does, and where they end, in bytes of all
    streams; what they are, whether they come in chunks, and a number for a body that is kept whole.
    """
    starts = np.unique(joined.begin)
    stops = joined.pieces[np.searchsorted(joined.pieces[:, 2], starts, side="right") - 1, 3]
    data = np.frombuffer(joined.data, dtype=np.uint8)
    heads = find_heads(data, starts, np.minimum(stops, starts + _LONGEST_HEAD))
    found: list[tuple[int, ...]] = []
    ends, bases = -1, joined.pieces[:, 2].tolist()
    of_line = -1
    for row in np.flatnonzero(heads.kind).tolist():
        at, stop, body = int(starts[row]), int(stops[row]), int(heads.end[row])
        piece = bisect_right(bases, at) - 1
        line = int(joined.pieces[piece, 0])
        if line == of_line and at < ends:
            continue
        of_line = line
        length, chunked = int(heads.length[row]), bool(heads.chunked[row])
        status = joined.data[at + _STATUS_AT : at + _STATUS_AT + 3]
        if not body:
            body = ends = at
        elif chunked:
            ends = _after_chunks(joined.data, body, stop)
        elif length >= 0:
            ends = body + length
        elif heads.kind[row] == REQUEST or status.startswith(_BODILESS):
            ends = body
        else:
            ends = at + _LONGEST * 2
        kept = ends > body and _is_kept(joined.data[at:body])
        number = 1 + zlib.crc32(joined.data[body : min(ends, stop)]) if kept else 0
        found.append((line, at, body, ends, int(heads.kind[row]), chunked, number))
    return np.array(found, dtype=np.int64).reshape(-1, 7)


def _is_kept(head: bytes) -> bool:
    """Whether a body is of a form that whoever shows it reads: it is kept whole, or not at all."""
    return bool(_CODED.search(head) or _READ.search(head))


def _after_chunks(data: bytes, at: int, stop: int) -> int:
    """Where a body in chunks ends that begins at a place (RFC 9112, section 7.1)."""
    while at < stop:
        line = data.find(b"\r\n", at, stop)
        size = data[at:line].partition(b";")[0].strip() if line >= 0 else b""
        if not size or size.strip(_HEX_DIGITS):
            return at
        length = min(int(size, 16), _LONGEST)
        at = line + 2 + length + 2
        if not length:
            return at
    return at
