"""Heads of HTTP/1 messages in TCP segments (RFC 9112, sections 2 to 6; RFC 9110, section 8.6).

A head is looked for where a segment begins with it, and read as far as the segment goes.

Shapes: B bytes, P segments, H segments that may begin with a head, L lines.
"""

from typing import Final, NamedTuple

import numpy as np

from iotflowgen.wire.arrays import Bytes, Flags, Integers
from iotflowgen.wire.frames import Frames

__all__ = ["HttpHeads", "find_heads"]

_VERSION: Final = int.from_bytes(b"HTTP/1.")
_END: Final = int.from_bytes(b"\r\n\r\n")
_LINE_END: Final = int.from_bytes(b"\r\n")
_LONGEST_HEAD: Final = 2**16
"""Bytes of a segment that are searched."""
_LENGTH: Final = np.frombuffer(b"content-length:", np.uint8)
_C: Final = int(_LENGTH[0])
_MOST_SPACES: Final = 16
_MOST_DIGITS: Final = 18
"""Of a length: more would not fit 64 bits."""


class HttpHeads(NamedTuple):
    """What segments (P) say of their messages; offsets are into the data, 0 where there is none."""

    end: Integers
    """Where the body begins."""
    length_at: Integers
    """Where the digits of the first Content-Length begin, if it is a number."""
    length_size: Integers
    """How many digits these are."""
    length: Integers
    """What they say; -1 without."""


def find_heads(data: Bytes, start: Integers, end: Integers) -> HttpHeads:
    """The heads that begin with segments, from places `start` (P) in the data (B) to `end` (P)."""
    heads = HttpHeads(*np.zeros((4, len(start)), np.int64))
    heads.length[:] = -1
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
    is_head = np.zeros(len(text), np.bool_)
    is_head[owner[first]] = _is_start_line(text.take(owner[first]), at[first])
    # the first end of a head
    ends = np.flatnonzero((text.take(owner).number(at - 3, 4) == _END) & is_head[owner])
    ended, which = np.unique(owner[ends], return_index=True)
    stop = np.where(is_head, text.size, 0)
    stop[ended] = at[ends[which]] + 1
    heads.end[index[ended]] = start[index[ended]] + stop[ended]
    # lines between the first and the end
    inner = np.flatnonzero((at + 1 < stop[owner]) & (text.take(owner).number(at + 1, 1) | 32 == _C))
    owner, at = owner[inner], at[inner] + 1
    found = text.take(owner).bytes_at(at, len(_LENGTH))
    is_capital = (found >= ord("A")) & (found <= ord("Z"))
    own = np.flatnonzero((np.where(is_capital, found | 32, found) == _LENGTH).all(axis=1))
    # of a field that comes twice, the first
    lines, once = np.unique(owner[own], return_index=True)
    value = _after_spaces(text.take(lines), at[own][once] + len(_LENGTH))
    count, length = _numbers(text.take(lines), value)
    good, which = count > 0, index[lines]
    heads.length_at[which[good]] = (start[which] + value)[good]
    heads.length_size[which[good]] = count[good]
    heads.length[which[good]] = length[good]
    return heads


def _is_start_line(texts: Frames, line_end: Integers) -> Flags:
    """Whether texts (H) begin with a request or status line, which ends there (H)."""
    asks = texts.number(line_end - 9, 7) == _VERSION
    asks &= texts.number(line_end - 10, 1) == ord(" ")
    answers = texts.number(0, 7) == _VERSION
    found: Flags = (asks | answers) & (texts.number(line_end - 1, 2) == _LINE_END)
    return found


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
