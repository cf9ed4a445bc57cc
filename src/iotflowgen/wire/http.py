"""Heads of HTTP/1 messages in TCP segments (RFC 9112, sections 2 to 6; RFC 9110, section 5).

A head is looked for where a segment begins with it, and read as far as the segment goes.

Shapes: B bytes, P segments, H segments with a head, L lines.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

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

    kind: NDArray[np.int64]
    """`REQUEST` or `RESPONSE`; 0 where no message begins."""
    end: NDArray[np.int64]
    """Where the body begins."""
    length_at: NDArray[np.int64]
    """Where the digits of the first Content-Length begin, if it is a number."""
    length_size: NDArray[np.int64]
    """How many digits these are."""
    length: NDArray[np.int64]
    """What they say; -1 without."""
    chunked: NDArray[np.bool_]
    """The last transfer coding is chunked."""
    date: NDArray[np.int64]
    """Where the value of Date begins."""


def find_heads(
    data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]
) -> HttpHeads:
    """The heads that begin with segments.

    Args:
        data: (B) bytes.
        start: (P) where the payload of each begins in them.
        end: (P) where it ends.
    """
    zeros = [np.zeros(len(start), np.int64) for _ in range(5)]
    unknown, none = np.full(len(start), -1, np.int64), np.zeros(len(start), np.bool_)
    heads = HttpHeads(zeros[0], zeros[1], zeros[2], zeros[3], unknown, none, zeros[4])
    size = np.clip(end - start, 0, _LONGEST_HEAD)
    index = np.flatnonzero(_may_begin(Frames(data, start, size)))
    if not len(index):
        return heads
    text = Frames(data, start[index], size[index]).packed()
    # where each line ends, and in which text
    line_end = np.flatnonzero(text.data == ord("\n"))
    owner = np.searchsorted(text.start, line_end, side="right") - 1
    at = line_end - text.start[owner]
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    kind = _kinds(text, owner[first], at[first])
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
    for name, note in _FIELDS.items():
        own = _named(text.take(owner), at, name)
        lines = owner[own]
        # of a field that comes twice, the first
        lines, once = np.unique(lines, return_index=True)
        if len(lines):
            value = _after_spaces(text.take(lines), at[own][once] + len(name) + 1)
            note(heads, text.take(lines), value, index[lines], start[index[lines]])
    return heads


def _may_begin(texts: Frames) -> NDArray[np.bool_]:
    """Whether each (P) begins as a method or a version does: no others are searched."""
    letters = texts.bytes_at(0, 3)
    is_letter = (letters >= ord("A")) & (letters <= ord("Z")) | (letters == ord("-"))
    found: NDArray[np.bool_] = is_letter.all(axis=1)
    return found


def _kinds(
    texts: Frames, owner: NDArray[np.int64], line_end: NDArray[np.int64]
) -> NDArray[np.int64]:
    """What texts (H) begin with, given whose first lines end and where."""
    kinds = np.zeros(len(texts), np.int64)
    some = texts.take(owner)
    whole = some.number(line_end - 1, 2) == _LINE_END
    asks = whole & (some.number(line_end - 9, 7) == _VERSION)
    asks &= some.number(line_end - 10, 1) == ord(" ")
    answers = whole & (some.number(0, 7) == _VERSION)
    kinds[owner] = np.where(answers, RESPONSE, np.where(asks, REQUEST, 0))
    return kinds


def _named(texts: Frames, at: NDArray[np.int64], name: bytes) -> NDArray[np.int64]:
    """Which lines (L), that begin there, are of a field of this name, in small letters."""
    index = np.flatnonzero(texts.number(at, 1) | 0x20 == name[0])
    found = texts.take(index).bytes_at(at[index], len(name) + 1)
    small = np.where((found >= ord("A")) & (found <= ord("Z")), found | 0x20, found)
    own: NDArray[np.int64] = index[(small == np.frombuffer(name + b":", np.uint8)).all(axis=1)]
    return own


def _after_spaces(texts: Frames, at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the values of fields (L) begin."""
    found = texts.bytes_at(at, _MOST_SPACES)
    other = (found != ord(" ")) & (found != ord("\t"))
    value: NDArray[np.int64] = at + np.argmax(other, axis=1)
    return value


def _note_lengths(
    heads: HttpHeads,
    texts: Frames,
    value: NDArray[np.int64],
    index: NDArray[np.int64],
    base: NDArray[np.int64],
) -> None:
    digits = texts.bytes_at(value, _MOST_DIGITS + 1).astype(np.int64) - ord("0")
    is_digit = (digits >= 0) & (digits <= 9)
    count = np.argmin(is_digit, axis=1)
    after = _after_spaces(texts, value + count)
    good = (count > 0) & (texts.number(after, 2) == _LINE_END)
    power = count[:, None] - 1 - np.arange(_MOST_DIGITS + 1)
    length = (np.where(power >= 0, digits, 0) * 10 ** np.maximum(power, 0)).sum(axis=1)
    index = index[good]
    heads.length_at[index] = (base + value)[good]
    heads.length_size[index] = count[good]
    heads.length[index] = length[good]


def _note_dates(
    heads: HttpHeads,
    texts: Frames,
    value: NDArray[np.int64],
    index: NDArray[np.int64],
    base: NDArray[np.int64],
) -> None:
    there = value < texts.size
    heads.date[index[there]] = (base + value)[there]


def _note_codings(
    heads: HttpHeads,
    texts: Frames,
    value: NDArray[np.int64],
    index: NDArray[np.int64],
    base: NDArray[np.int64],  # noqa: ARG001
) -> None:
    line_end = value + np.argmax(texts.bytes_at(value, _LONGEST_CODINGS) == ord("\r"), axis=1)
    last = line_end - len(_CHUNKED)
    found = texts.bytes_at(last, len(_CHUNKED)) | 0x20
    is_it = (found == np.frombuffer(_CHUNKED, np.uint8)).all(axis=1)
    # it may be the last of several
    is_it &= (last == value) | np.isin(texts.number(last - 1, 1), [ord(" "), ord(","), ord("\t")])
    heads.chunked[index] = is_it & (last >= value)


_FIELDS: Final = {
    b"content-length": _note_lengths,
    b"date": _note_dates,
    b"transfer-encoding": _note_codings,
}
"""Fields that are read, in small letters, and how."""
