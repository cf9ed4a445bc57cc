"""What Wireshark takes a TCP segment's payload for, where its ports do not say.

Once it has seen a connection speak TLS or HTTP it takes all that follows for the same, with
exceptions: in TLS what begins with text, and in HTTP what comes before the first request.
"""

import re
from collections.abc import Callable
from typing import Final

from iotflowgen.packets.mask import HTTP, TLS
from iotflowgen.packets.records import Phase

__all__ = [
    "FIRST",
    "HEAD_END",
    "OPEN",
    "PICTURE",
    "REST",
    "WHOLE",
    "announce",
    "announces_picture",
    "asks",
    "begins_picture",
    "head_of",
    "is_head",
    "is_interim",
    "lengthened",
    "recognise",
    "still_owed",
]

_HEAD: Final = re.compile(rb"HTTP/1\.|[A-Z-]+ \S+ HTTP/1\.|[A-Z]{3,8} \Z")
_INTERIM: Final = re.compile(rb"HTTP/1\.\d 1\d\d ")
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: ?( *\d+)")
_NO_TEXT: Final = bytes(0x80 | byte & 0x3F for byte in range(256))
"""Random bytes as ones that nobody takes for text."""
_PLAIN: Final = 4
"""Printable bytes that are taken for plain text."""

HEAD_END: Final = b"\r\n\r\n"
OPEN: Final = -1
"""A message that does not say how long it is: it ends when the other side speaks."""
PICTURE, REST = b"a picture", b"the rest"
"""What a message of HTTP may go on with."""
WHOLE, FIRST = b"a message", b"the first of a message"
"""What one may begin with."""


def announces_picture(payload: bytes | bytearray) -> bool:
    """Whether an HTTP head ends here after which a JPEG picture begins."""
    return payload.endswith(b"\r\n\r\n") and b"image/jpeg" in payload


def begins_picture(payload: bytes | bytearray) -> bool:
    """Whether it begins a JPEG picture."""
    return payload.startswith(b"\xff\xd8\xff")


def is_head(payload: bytes | bytearray) -> bool:
    """Whether an HTTP message begins here; what ends a connection may be called one, too."""
    return not payload or _HEAD.match(payload) is not None


def is_interim(payload: bytes | bytearray) -> bool:
    """Whether it is a response before the actual one, upon which the other side goes on.

    As one that waited to be told to send the body of its request (RFC 9110, section 10.1.1).
    """
    return _INTERIM.match(payload) is not None


def head_of(message: bytes) -> bytes:
    """The head of an HTTP message that says how long its body is; empty without."""
    head, separator, _ = message.partition(HEAD_END)
    return head + separator if separator and _LENGTH.search(head) else b""


def still_owed(payload: bytes | bytearray, *, answers: bool = False) -> int:
    """Bytes of a message that come after the segment that begins it, or goes on with its head.

    Whose sender `answers` sends responses, which may end with the connection.
    """
    head, separator, body = payload.partition(HEAD_END)
    if separator and (length := _LENGTH.search(head)):
        return max(0, int(length[1]) - len(body))
    return 0 if separator and not (answers or payload.startswith(b"HTTP/")) else OPEN


def announce(data: bytearray, start: int, end: int, to_come: int) -> None:
    """Have a head say how long its body is; where there is no room, some of the body gives way."""
    head = data.find(HEAD_END, start, end) + len(HEAD_END)
    length = _LENGTH.search(data, start, head)
    if length is None:
        return
    room = length.end(1) - length.start(1)
    said = b"%d" % (end - head + to_come)
    more = max(0, len(said) - room)
    if more > end - head:
        return
    said = b"%d" % (end - head - more + to_come)
    data[length.start(1) : end] = said.rjust(room) + data[length.end(1) : end - more]


def lengthened(message: bytes, size: int, draw: Callable[[int], bytes]) -> bytes:
    """An HTTP message at another length: its body goes on, or ends early, or is random bytes."""
    head = head_of(message)
    body, room = message[len(head) :], max(0, size - len(head))
    if body and all(body):
        body *= room // len(body) + 1
    else:
        body = draw(room).translate(_NO_TEXT)
    data = bytearray((head + body)[:size])
    announce(data, 0, size, 0)
    return bytes(data)


def asks(payload: bytes | bytearray) -> bool:
    """Whether it begins an HTTP request."""
    return bool(payload) and not payload.startswith(b"HTTP/") and is_head(payload)


def recognise(data: bytearray, start: int, end: int, protocols: int, phase: int) -> None:
    """Have a payload that begins with random bytes taken for what it is to be taken for.

    Args:
        data: The frame.
        start: Where payload and random bytes begin.
        end: Where they end.
        protocols: The configuration that is to be seen.
        phase: How far its sender's TLS is (`records.Phase`).
    """
    if protocols & HTTP:
        # text would be read as the head of a message
        data[start] = 0x80 | data[start] & 0x3F
    elif phase == Phase.SILENT or end - start < _PLAIN:
        return
    else:
        first = bytes(data[start : start + _PLAIN])
        if not protocols & TLS:
            data[start : start + _PLAIN] = bytes([0x40 | byte & 0x1F for byte in first])
        elif all(32 <= byte < 127 for byte in first):
            data[start] |= 0x80
