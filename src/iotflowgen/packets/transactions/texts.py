"""Ids of protocols that are text: SIP, RTSP, and SDP in either (RFC 3261, 2326, 7826 and 8866).

Shapes: N payloads.
"""

import re
import zlib
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from iotflowgen.packets.transactions.payloads import (
    AGAIN,
    ANYONE,
    DIGITS,
    FOR_ONE,
    LETTERS,
    STAYS,
    Mentions,
    Payloads,
)
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["DIALOGS", "FINDERS", "is_call"]

_BRANCH, _TAG, _SESSION, _SEQUENCE, _NONCE, _RESPONSE, _ORIGIN = range(48, 55)
DIALOGS: Final = 1 << 28
"""Ids of dialogs are of kinds from here on: by which method these began, who asked, and of how many
letters their ids are."""
_CALLS: Final = b"INVITE"
_HEAD: Final = re.compile(
    rb"\A(?:(?P<answer>SIP/2\.0|RTSP/1\.0) "
    rb"|(?P<method>[A-Z_]+) [^\r\n]+ (?:SIP/2\.0|RTSP/1\.0)\r\n)"
)
_CALL: Final = re.compile(rb"(?im)^(?:call-id|i)[ \t]*:[ \t]*([^\s@;]+)")
_SEQUENCE_OF: Final = re.compile(rb"(?im)^cseq[ \t]*:[ \t]*(\d+)[ \t]+([A-Z]+)")
_FIELDS: Final = re.compile(
    rb"(?im);branch=(?:z9hG4bK)?(?P<branch>[^\s;,>]+)"
    rb"|^(?:from|f)[ \t]*:.*?;tag=(?P<from>[^\s;,>]+)"
    rb"|^(?:to|t)[ \t]*:.*?;tag=(?P<to>[^\s;,>]+)"
    rb"|^cseq[ \t]*:[ \t]*(?P<sequence>\d+)"
    rb"|^session[ \t]*:[ \t]*(?P<session>[^\s;]+)"
    rb"|(?<![a-z])nonce=\"(?P<nonce>[^\"]+)"
    rb"|(?<![a-z])(?:cnonce|response)=\"(?P<response>[^\"]+)"
    rb"|^o=\S+ (?P<origin>\d+) (?P<version>\d+) "
)
_NAMED: Final = {
    "branch": (_BRANCH, LETTERS, FOR_ONE),
    "from": (_TAG, LETTERS, STAYS),
    "to": (_TAG, LETTERS, STAYS),
    "sequence": (_SEQUENCE, DIGITS, FOR_ONE),
    "session": (_SESSION, LETTERS, STAYS),
    "nonce": (_NONCE, LETTERS, STAYS),
    "response": (_RESPONSE, LETTERS, STAYS),
    "origin": (_ORIGIN, DIGITS, STAYS),
    "version": (_ORIGIN, DIGITS, STAYS),
}
"""Kinds of fields, their forms, and how often ids are used: those for one question say whose."""
_GOES_ON: Final = (b"ACK", b"CANCEL")
"""Requests that belong to one before (RFC 3261, sections 9.1 and 17.1.1.3)."""
_LONGEST: Final = 2**12


def _texts(payloads: Payloads) -> Iterator[Mentions]:
    found: list[tuple[int, ...]] = []
    dialogs: dict[tuple[int, bytes], int] = {}
    letter = payloads.number(0, 1)
    for which in np.flatnonzero((letter >= ord("A")) & (letter <= ord("Z"))).tolist():
        message = payloads.bytes_of(which)[:_LONGEST]
        head = _HEAD.match(message)
        if not head:
            continue
        asks, out = head["answer"] is None, bool(payloads.outgoing[which])
        asker = int(out == asks)
        dialog = 0
        if call := _CALL.search(message):
            kind = dialogs.setdefault(
                (int(payloads.flow[which]), call[1]), _kind_of_dialog(head, message, call[1], asker)
            )
            dialog = 1 + zlib.crc32(call[1])
            found.append((which, *_span(call, 1), kind, ANYONE, LETTERS, STAYS, 0))
        for field in _FIELDS.finditer(message):
            for name in (each for each in _NAMED if field[each]):
                kind, form, use = _NAMED[name]
                by = {"from": asker, "to": 1 - asker}.get(name, ANYONE)
                if use == FOR_ONE:
                    use, by = AGAIN if head["method"] in _GOES_ON else FOR_ONE, asker
                found.append((which, *_span(field, name), kind, by, form, use, dialog))
    columns = np.array(found, np.int64).reshape(-1, 8).T
    yield Mentions.of(payloads, *columns)


def _kind_of_dialog(head: re.Match[bytes], message: bytes, call: bytes, asker: int) -> int:
    """By the message with which it begins."""
    said = _SEQUENCE_OF.search(message)
    number, method = (said[1], said[2]) if said else (b"", b"")
    method = head["method"] or method
    is_call = method == _CALLS
    # what goes on for longer counts on to more digits
    shape = zlib.crc32(b"%b %d %d" % (method, len(call), is_call * len(number)))
    return DIALOGS | shape >> 8 << 2 | asker << 1 | is_call


def is_call(kind: Integers) -> Flags:
    """Whether kinds (M) are of ids of dialogs in which somebody calls somebody."""
    found: Flags = (kind >= DIALOGS) & (kind & 1 > 0)
    return found


def _span(match: re.Match[bytes], group: str | int) -> tuple[int, int]:
    """Where a group begins, and its bytes."""
    first, last = match.span(group)
    return first, last - first


FINDERS: Final[tuple[Callable[[Payloads], Iterator[Mentions]], ...]] = (_texts,)
