"""Heads of HTTP/1 messages in TCP segments (RFC 9112, sections 2 to 6; RFC 9110, section 5).

A head is looked for where a segment begins with it, and read as far as the segment goes.

Shapes: B bytes, P segments, H segments that may begin with a head, L lines.
"""

from typing import Final, NamedTuple

import numpy as np

from iotflowgen.wire.arrays import Bytes, Flags, Integers
from iotflowgen.wire.frames import Frames

__all__ = ["REQUEST", "RESPONSE", "HttpHeads", "find_heads"]

REQUEST: Final = 1
RESPONSE: Final = 2
"""What a segment begins with."""

_VERSION: Final = int.from_bytes(b"HTTP/1.")
_END: Final = int.from_bytes(b"\r\n\r\n")
_LINE_END: Final = int.from_bytes(b"\r\n")
_LONGEST_HEAD: Final = 2**16
"""Bytes of a segment that are searched."""
_MOST_SPACES: Final = 16
_CHUNKED: Final = b"chunked"
_LONGEST_CODINGS: Final = 64
"""Bytes of the value of Transfer-Encoding that are read."""
_MOST_DIGITS: Final = 18
"""Of a length: more would not fit 64 bits."""


class HttpHeads(NamedTuple):
    """What segments (P) say of their messages; offsets are into the data, 0 where there is none."""

    kind: Integers
    """`REQUEST` or `RESPONSE`; 0 where no message begins."""
    end: Integers
    """Where the body begins."""
    length_at: Integers
    """Where the digits of the first Content-Length begin, if it is a number."""
    length_size: Integers
    """How many digits these are."""
    length: Integers
    """What they say; -1 without."""
    chunked: Flags
    """The last transfer coding is chunked."""


def find_heads(data: Bytes, start: Integers, end: Integers) -> HttpHeads:
    """The heads that begin with segments, from places `start` (P) in the data (B) to `end` (P)."""
    zeros, none = np.zeros((5, len(start)), np.int64), np.zeros(len(start), np.bool_)
    heads = HttpHeads(zeros[0], zeros[1], zeros[2], zeros[3], zeros[4] - 1, none)
    size = np.clip(end - start, 0, _LONGEST_HEAD)
    # what begins as a method or a version does: no others are searched
    letters = Frames(data, start, size).bytes_at(0, 3)
    is_letter = (letters >= ord("A")) & (letters <= ord("Z")) | (letters == ord("-"))
    index = np.flatnonzero(is_letter.all(axis=1))
    if not len(index):
        return heads
    text = Frames(data, start[index], size[index]).packed()
    # where each line ends, and in which text
    line_end = np.flatnonzero(text.data == ord("\n"))
    owner = np.searchsorted(text.start, line_end, side="right") - 1
    at = line_end - text.start[owner]
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    kind = np.zeros(len(text), np.int64)
    kind[owner[first]] = _kinds(text.take(owner[first]), at[first])
    heads.kind[index] = kind
    # the first end of a head
    ends = np.flatnonzero((text.take(owner).number(at - 3, 4) == _END) & (kind[owner] > 0))
    ended, which = np.unique(owner[ends], return_index=True)
    stop = np.where(kind > 0, text.size, 0)
    stop[ended] = at[ends[which]] + 1
    heads.end[index[ended]] = start[index[ended]] + stop[ended]
    # lines between the first and the end
    inner = np.flatnonzero(at + 1 < stop[owner])
    owner, at = owner[inner], at[inner] + 1
    lines, value = _values(text, owner, at, b"content-length:")
    count, length = _numbers(text.take(lines), value)
    good, which = count > 0, index[lines]
    heads.length_at[which[good]] = (start[which] + value)[good]
    heads.length_size[which[good]] = count[good]
    heads.length[which[good]] = length[good]
    lines, value = _values(text, owner, at, b"transfer-encoding:")
    heads.chunked[index[lines]] = _ends_chunked(text.take(lines), value)
    return heads


def _kinds(texts: Frames, line_end: Integers) -> Integers:
    """What texts (H) begin with, whose first lines end there (H)."""
    whole = texts.number(line_end - 1, 2) == _LINE_END
    asks = whole & (texts.number(line_end - 9, 7) == _VERSION)
    asks &= texts.number(line_end - 10, 1) == ord(" ")
    answers = whole & (texts.number(0, 7) == _VERSION)
    return np.where(answers, RESPONSE, np.where(asks, REQUEST, 0))


def _values(texts: Frames, owner: Integers, at: Integers, name: bytes) -> tuple[Integers, Integers]:
    """Which texts have a field of this name, and where in them the value of the first one begins.

    `owner` (L) and `at` (L) say in which text and where lines begin.
    """
    own = np.flatnonzero(texts.take(owner).number(at, 1) | 0x20 == name[0])
    found = texts.take(owner[own]).bytes_at(at[own], len(name))
    small = np.where((found >= ord("A")) & (found <= ord("Z")), found | 0x20, found)
    own = own[(small == np.frombuffer(name, np.uint8)).all(axis=1)]
    having, once = np.unique(owner[own], return_index=True)
    return having, _after_spaces(texts.take(having), at[own][once] + len(name))


def _after_spaces(texts: Frames, at: Integers) -> Integers:
    """Where the values of fields (L) begin."""
    found = texts.bytes_at(at, _MOST_SPACES)
    value: Integers = at + np.argmax((found != ord(" ")) & (found != ord("\t")), axis=1)
    return value


def _numbers(texts: Frames, at: Integers) -> tuple[Integers, Integers]:
    """Digits of each number (L), 0 of what is none or does not end its line, and what they say."""
    digits = texts.bytes_at(at, _MOST_DIGITS + 1).astype(np.int64) - ord("0")
    count = np.argmin((digits >= 0) & (digits <= 9), axis=1)
    power = count[:, None] - 1 - np.arange(_MOST_DIGITS + 1)
    number = (np.where(power >= 0, digits, 0) * 10 ** np.maximum(power, 0)).sum(axis=1)
    ends = texts.number(_after_spaces(texts, at + count), 2) == _LINE_END
    return np.where(ends, count, 0), number


def _ends_chunked(texts: Frames, at: Integers) -> Flags:
    """Whether lists of transfer codings (L) that begin there end with chunked."""
    line_end = at + np.argmax(texts.bytes_at(at, _LONGEST_CODINGS) == ord("\r"), axis=1)
    last = line_end - len(_CHUNKED)
    is_it = (texts.bytes_at(last, len(_CHUNKED)) | 0x20 == [*_CHUNKED]).all(axis=1)
    # it may be the last of several
    before = np.isin(texts.number(last - 1, 1), [ord(" "), ord(","), ord("\t")])
    found: Flags = is_it & ((last == at) | ((last > at) & before))
    return found
