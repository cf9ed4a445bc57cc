"""Whether payloads are messages of a protocol, by what they begin with.

As Wireshark has it; `http`, `dns` and `tls` read more of messages that are known.

Shapes: P payloads, which begin and end at offsets from where their frames begin.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire.frames import Frames

__all__ = [
    "DHCP_COOKIE",
    "OLD_STUN_TYPES",
    "STUN_COOKIE",
    "dhcp_options",
    "has_dhcp_type",
    "http_kind",
    "is_dns",
    "is_header_field",
    "is_http_line",
    "is_printable",
    "is_tls",
]

Offsets = NDArray[np.int64]
Found = NDArray[np.bool_]
Option = tuple[int, int, int]

_METHODS: Final = (
    b"GET PUT COPY HEAD LOCK MOVE POLL POST BCOPY BMOVE MKCOL TRACE LABEL MERGE PATCH DELETE SEARCH"
    b" UNLOCK REPORT UPDATE NOTIFY BDELETE CONNECT OPTIONS CHECKIN PROPFIND CHECKOUT CCM_POST"
    b" SUBSCRIBE PROPPATCH BPROPFIND BPROPPATCH UNCHECKOUT MKACTIVITY MKWORKSPACE RPC_CONNECT"
    b" RPC_IN_DATA UNSUBSCRIBE RPC_OUT_DATA VERSION-CONTROL BASELINE-CONTROL SSTP_DUPLEX_POST"
)
_LONGEST_METHOD: Final = 16
_LONGEST_NAME: Final = 40
"""Bytes that are searched for the end of the name of a field."""
_TOKEN: Final = np.zeros(256, np.bool_)
_TOKEN[ord("!") : ord("~") + 1] = True
_TOKEN[[*b'()<>@,;:\\"/[]?={}']] = False
"""(256) characters of a token (RFC 2616, section 2.2)."""
_REPLY, _ICY = int.from_bytes(b"HTTP/"), int.from_bytes(b"ICY ")
_EXTENSION: Final = int.from_bytes(b"M-")
_LINE_END: Final = int.from_bytes(b"\r\n")
_VERSION: Final = int.from_bytes(b"HTTP/1.")
_NEWLINE, _RETURN, _SPACE = b"\n\r "

_HANDSHAKE, _DATA = 22, 23
_LONGEST_RECORD: Final = 2**14 + 2048
_CLIENT_HELLO: Final = 1

_DNS_HEADER: Final = 12
_BOOTP: Final = 236
DHCP_COOKIE: Final = b"\x63\x82\x53\x63"
"""What options of DHCP begin with (RFC 2131, section 3)."""
_PAD, _END, _MESSAGE_TYPE = 0, 255, 53
"""Options of DHCP (RFC 2132)."""

STUN_COOKIE: Final = b"\x21\x12\xa4\x42"
"""The second word of each message of STUN (RFC 8489, section 5)."""
OLD_STUN_TYPES: Final = (1, 0x101, 0x111, 2, 0x102, 0x112)
"""Types of messages before there was that cookie (RFC 3489, section 11.1)."""


def http_kind(frames: Frames, start: Offsets, end: Offsets) -> NDArray[np.int64]:
    """What payloads (P) begin with: 1 a request of HTTP or of SSDP, 2 a response, 0 neither."""
    # RFC 9112, section 2.2: an empty line before is no harm
    start = start + 2 * ((frames.number(start, 2) == _LINE_END) & (end - start > 3))
    # RFC 2774, where M-SEARCH comes from
    method = start + 2 * (frames.number(start, 2) == _EXTENSION)
    kind = np.where(_there(frames, start, end, 5, _REPLY), 2, 0)
    kind[_there(frames, start, end, 4, _ICY)] = 2
    first = frames.number(method, 1)
    index = np.flatnonzero((kind == 0) & (first >= ord("A")) & (first <= ord("Z")))
    if len(index):
        word = frames.take(index).bytes_at(method[index], _LONGEST_METHOD + 1)
        place = np.arange(_LONGEST_METHOD + 1)
        stops = np.isin(word, [_NEWLINE, _RETURN, _SPACE])
        stops |= place >= (end - method)[index, None]
        word = np.where(np.maximum.accumulate(stops, axis=1), 0, word).astype(np.uint8)
        names = word.view(f"S{_LONGEST_METHOD + 1}").ravel()
        kind[index] = np.isin(names, _METHODS.split())
    return kind


def is_header_field(frames: Frames, start: Offsets, end: Offsets) -> Found:
    """Whether payloads (P) begin with the name of a field and a colon (RFC 9112, section 5)."""
    word = frames.bytes_at(start, _LONGEST_NAME)
    word[np.arange(_LONGEST_NAME) >= (end - start)[:, None]] = 0
    ends = np.argmin(_TOKEN[word], axis=1)
    found: Found = (ends > 0) & (word[np.arange(len(word)), ends] == ord(":"))
    return found


def is_http_line(frames: Frames, start: Offsets, end: Offsets) -> Found:
    """Whether the first line of payloads (P) begins or ends with HTTP/1 and a digit."""
    found = np.zeros(len(frames), np.bool_)
    # a line of text: nothing else is searched
    first = frames.number(start, 1)
    index = np.flatnonzero((first > _SPACE) & (first < 127))
    if not len(index):
        return found
    some = frames.take(index)
    size = end[index] - start[index]
    text = Frames(some.data, some.start + start[index], size).packed()
    breaks = np.flatnonzero((text.data == _NEWLINE) | (text.data == _RETURN))
    owner = np.searchsorted(text.start, breaks, side="right") - 1
    begins = np.flatnonzero(np.diff(owner, prepend=-1))
    owner = owner[begins]
    at = breaks[begins] - text.start[owner]
    lines = text.take(owner)
    whole = (lines.number(at, 1) == _NEWLINE) | (at + 1 < lines.size)
    named = (lines.number(at - 8, 7) == _VERSION) | (lines.number(0, 7) == _VERSION)
    found[index[owner]] = whole & (at > 8) & named
    return found


def is_tls(frames: Frames, start: Offsets, end: Offsets) -> Found:
    """Whether payloads (P) begin with a TLS record of a handshake or data (RFC 8446, 5.1).

    Or with a client hello in the format of SSL 2.0 (RFC 5246, appendix E.2).
    """
    kind, version = frames.number(start, 1), frames.number(start + 1, 2)
    length = frames.number(start + 3, 2)
    found: Found = ((kind == _HANDSHAKE) | (kind == _DATA)) & _is_version(version)
    found &= (start + 5 <= end) & (length > 0) & (length < _LONGEST_RECORD)
    challenge = frames.number(start + 9, 2)
    old = (frames.number(start + 2, 1) == _CLIENT_HELLO) & (kind >= 0x80) & (start + 11 <= end)
    old &= _is_version(frames.number(start + 3, 2)) & (challenge >= 16) & (challenge <= 32)
    found |= old
    return found


def _is_version(version: NDArray[np.int64]) -> Found:
    found: Found = (version >= 0x0300) & (version <= 0x0303)
    return found


def is_printable(frames: Frames, start: Offsets, end: Offsets) -> Found:
    """Whether payloads (P) of more than 4 bytes begin with 4 that are ASCII to be printed."""
    found = end - start > 4
    for i in range(4):
        letter = frames.number(start + i, 1)
        found &= (letter >= _SPACE) & (letter < 127)
    return found


def is_dns(frames: Frames, start: Offsets, end: Offsets, size: NDArray[np.int64]) -> Found:
    """Whether payloads (P), of so many bytes on the wire, look like DNS (RFC 1035, section 4.1)."""
    flags, questions, answers, authorities, additionals = (
        frames.number(start + at, 2) for at in (2, 4, 6, 8, 10)
    )
    asks = (questions == 1) & (answers == 0) & (authorities == 0)
    responds = (questions <= 1) & (answers <= 100) & (authorities <= 10)
    found: Found = np.where(flags & 0x8000, responds, asks) & (flags & 0x7800 == 0)
    found &= (additionals <= 10) & (questions + answers > 0)
    least = 6 * questions + 11 * (answers + authorities + additionals)
    found &= (start + _DNS_HEADER <= end) & (size > _DNS_HEADER)
    found &= _DNS_HEADER + least <= size
    return found


def has_dhcp_type(frames: Frames, start: Offsets, end: Offsets) -> Found:
    """Whether messages (P) of BOOTP have the option of a DHCP message type (RFC 2131)."""
    found = np.zeros(len(frames), np.bool_)
    at = start + _BOOTP + 4
    index = np.flatnonzero(frames.number(start + _BOOTP, 4) == int.from_bytes(DHCP_COOKIE))
    while len(index):
        some, place = frames.take(index), at[index]
        kind, size, value = (some.number(place + i, 1) for i in range(3))
        here = (kind == _MESSAGE_TYPE) & (size > 0) & (value > 0)
        here &= place + 2 + size <= end[index]
        found[index[here]] = True
        at[index] += np.where(kind == _PAD, 1, 2 + size)
        index = index[~here & (kind != _END) & (at[index] < end[index])]
    return found


def dhcp_options(message: bytes, at: int = _BOOTP + 4, end: int | None = None) -> Iterator[Option]:
    """The options of a message of DHCP (RFC 2132), up to the one that ends them.

    Args:
        message: From the header of BOOTP on.
        at: Where options begin.
        end: Where they end at the latest; where the message does, by default.

    Yields:
        The code of each, where its value begins, and of how many bytes that says to be: of the last
        one the message may have fewer.
    """
    end = len(message) if end is None else end
    while at + 1 < end and message[at] != _END:
        if message[at] == _PAD:
            at += 1
            continue
        yield message[at], at + 2, message[at + 1]
        at += 2 + message[at + 1]


def _there(frames: Frames, start: Offsets, end: Offsets, width: int, word: int) -> Found:
    """Whether a word stands at the start of payloads (P)."""
    found: Found = (frames.number(start, width) == word) & (start + width <= end)
    return found
