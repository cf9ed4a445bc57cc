"""Text that a notation hides: found by what it reads like, and by what is sought in it.

Shapes: M messages, N notations, B bytes.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from iotflowgen.packets.identity.notations import (
    AUTOKEY,
    NOTATIONS,
    REVERSED,
    ROTATED,
    SHIFTED,
    XORED,
)
from iotflowgen.packets.identity.search import find_all, rarity
from iotflowgen.wire.arrays import Bytes

__all__ = ["Region", "rare", "readable", "under_notations"]

Region = tuple[int, int, int]
"""Where it begins and ends, and its notation."""

_BYTES: Final = np.arange(256, dtype=np.uint8)
_LETTERS: Final = np.isin(_BYTES, [*range(48, 58), *range(65, 91), *range(97, 123)])
_TEXT: Final = _LETTERS | np.isin(_BYTES, [*b" .,:;_-+\"'<>=/&{}[]()@\r\n"])
_XORED_TEXT: Final = _TEXT[np.arange(256)[None, :] ^ np.arange(1, 256)[:, None]].astype(np.float64)
"""Which bytes are those of texts, under XOR by 1 to 255 (255, 256)."""
_PRINTABLE: Final = np.isin(_BYTES, [*range(32, 127), *b"\t\r\n"])
_RUN: Final = re.compile(rb"[ -~\t\r\n]{16,}")
_FILLED: Final = re.compile(rb"(.)\1{7}", re.DOTALL)
"""What fields of a binary message are filled with."""
_SHORTEST: Final = 16
_SHORTEST_XORED: Final = 32
"""With so many constants to try, something shorter is a text under one of them."""
_MOST_READABLE, _MOST_PRINTABLE = 0.85, 0.75
"""The share of bytes that text has, and what is none has at most."""
_LEAST_LETTERS: Final = 0.4
_FEWEST: Final = 8
"""Different bytes in a text, and bytes that are sought."""
_FIRST_KEY: Final = 171
"""By which TP-Link's autokey cipher begins."""
_AT_ONCE: Final = 4096
_MARGIN: Final = 10
"""Bits by which what is found has to be more improbable than one in all bytes that are searched."""


def readable(message: bytes) -> list[Region]:
    """What of a message is text under a notation, and is none as it is; nothing overlaps."""
    data = np.frombuffer(message, np.uint8)
    if len(data) < _SHORTEST or len({*message}) < _FEWEST:
        return []
    shares = _PRINTABLE[data].mean()
    if shares == 1:
        return []
    whole: list[tuple[float, int, int, int]] = []
    count = np.bincount(data, minlength=256)
    # what is text as it is may be another one under XOR, too
    is_text = shares > _MOST_PRINTABLE or _FILLED.search(message) is not None
    if not is_text and 4 * int(count.max()) < len(data) >= _SHORTEST_XORED:
        share = _XORED_TEXT @ count / len(data)
        way = int(share.argmax())
        if share[way] > _MOST_READABLE and _is_text(data ^ np.uint8(way + 1)):
            whole.append((float(share[way]) * len(data), 0, len(data), XORED[way]))
    for start in () if is_text else (0, 4):
        begins = bool(_TEXT[data[start]] or _TEXT[data[start] ^ _FIRST_KEY])
        if begins and _is_text(data[start + 1 :] ^ data[start:-1]):
            whole += [(float(len(data) - start), start, len(data), AUTOKEY)]
    for code in (*ROTATED, *SHIFTED):
        plain = NOTATIONS[code].decode(data)
        for run in _RUN.finditer(plain.tobytes()):
            a, b = run.span()
            if _is_text(plain[a:b]) and _PRINTABLE[data[a:b]].mean() < _MOST_READABLE:
                # letters of the one are not quite those of the other
                whole.append((float(_TEXT[plain[a:b]].sum()), a, b, code))
    found: list[Region] = []
    for _, a, b, code in sorted(whole, key=lambda each: (-each[0], each[3])):
        if all(b <= begin or end <= a for begin, end, _ in found):
            found.append((a, b, code))
    return found


def under_notations(data: bytes, texts: Iterable[bytes]) -> Iterator[tuple[int, bytes, int]]:
    """Where texts stand in data under a notation, and which."""
    known = {*texts}
    wanted = [text for text in known if len(text) >= _FEWEST]
    array = np.frombuffer(data, np.uint8)
    for code in (*ROTATED, *SHIFTED, AUTOKEY):
        for at, text in _rare(NOTATIONS[code].decode(array).tobytes(), wanted):
            yield at, text, code
    backwards = {text[::-1]: text for text in wanted if text[::-1] not in known}
    for at, text in _rare(data, backwards):
        yield at, backwards[text], REVERSED
    # XOR by a constant leaves each byte XOR the one before as it is
    ends = np.cumsum([0, *map(len, wanted)]).tolist()
    changed = _changes(np.frombuffer(b"".join(wanted), np.uint8))
    by_change = {
        changed[a : b - 1]: text for a, b, text in zip(ends, ends[1:], wanted, strict=False)
    }
    for at, change in _rare(_changes(array), by_change):
        text = by_change[change]
        if key := data[at] ^ text[0]:
            yield at, text, XORED[key - 1]


def rare(texts: Iterable[bytes], data: bytes) -> list[bytes]:
    """Those texts that would not stand in data by chance."""
    those = [text for text in texts if text]
    if not those or not data:
        return []
    size = np.fromiter(map(len, those), np.int64, len(those))
    weight = rarity(data)[np.frombuffer(b"".join(those), np.uint8)]
    bits = np.add.reduceat(weight, np.cumsum(size) - size)
    least = math.log2(len(data)) + _MARGIN
    return [those[i] for i in np.flatnonzero(bits >= least).tolist()]


def _changes(data: Bytes) -> bytes:
    return (data[1:] ^ data[:-1]).tobytes()


def _rare(view: bytes, texts: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Where texts stand in a view, but those that would by chance."""
    yield from find_all(view, rare(texts, view))


def _is_text(data: Bytes) -> bool:
    return (
        len(data) >= _SHORTEST
        and bool(_TEXT[data].mean() > _MOST_READABLE)
        and bool(_LETTERS[data].mean() > _LEAST_LETTERS)
        and len(np.unique(data)) >= _FEWEST
    )
