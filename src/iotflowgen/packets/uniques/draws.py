"""Another value of the same kind and length."""

import string
from typing import Final

import numpy as np

from iotflowgen.packets.uniques.values import Kind
from iotflowgen.wire.arrays import Bytes, Flags

__all__ = ["draw"]

_CAPS: Final = (9, 12, 23, 28, 59, 99, 255, 999, 65_535)
"""A number that is no greater than one of these stays so: it may be an hour, or a port."""
_ALPHABETS: Final = (string.digits, string.ascii_lowercase, string.ascii_uppercase)
_HEX: Final = frozenset(string.hexdigits.encode())
_HEX_LETTERS: Final = 6
_CLASSES: Final = np.array([1, 32, 127, 256])
"""Where bytes begin that are control characters, printable, and neither; and all end."""


def draw(kind: Kind, old: bytes, free: Flags, rng: np.random.Generator) -> Bytes:
    """Another value.

    Args:
        kind: What it is.
        old: What it is drawn instead of; not more than its kind is seen in what is drawn.
        free: Which bytes may be others; of numbers all may.
        rng: Draws.
    """
    if kind is Kind.NUMBER:
        number = int.from_bytes(old)
        most = min(2 * number + 1, 256 ** len(old) - 1)
        new = int(rng.integers(number // 2, most, endpoint=True)).to_bytes(len(old))
    elif kind is Kind.DECIMAL:
        whole, _, part = old.partition(b".")
        digits = (rng.integers(10, size=len(part)) + ord("0")).astype(np.uint8)
        new = _digits(whole, rng) + b"." + digits.tobytes()
    elif kind is Kind.TEXT and old.isdigit():
        new = _digits(old, rng)
    elif kind is Kind.TEXT:
        new = _letters(old, free, rng)
    else:
        new = _bytes(old, free, rng)
    return np.frombuffer(new, np.uint8)


def _digits(old: bytes, rng: np.random.Generator) -> bytes:
    size = len(old)
    if size > 18:  # more than 64 bits have
        return old[:1] + bytes((rng.integers(10, size=size - 1) + ord("0")).tolist())
    number = int(old)
    most = min((cap for cap in _CAPS if number <= cap), default=10**size - 1)
    least = 10 ** (size - 1) if size > 1 and old[:1] != b"0" else 0
    new = int(rng.integers(min(least, number), min(most, 10**size - 1), endpoint=True))
    return b"%0*d" % (size, new)


def _bytes(old: bytes, free: Flags, rng: np.random.Generator) -> bytes:
    """What is printable stays so, and what is not: a dissector may go by that."""
    given = np.frombuffer(old, np.uint8)
    of = np.searchsorted(_CLASSES[1:-1], given, side="right")
    drawn = rng.integers(_CLASSES[of], _CLASSES[of + 1])
    return np.where(free, drawn, given).astype(np.uint8).tobytes()


def _letters(old: bytes, free: Flags, rng: np.random.Generator) -> bytes:
    is_hex = _HEX.issuperset(old)
    # what most of is one capture's own is so as a whole: others have the rest by chance
    free = free | (2 * np.count_nonzero(free) > len(free))
    new = bytearray(old)
    for at in np.flatnonzero(free).tolist():
        letters = next(each for each in _ALPHABETS if chr(old[at]) in each)
        most = _HEX_LETTERS if is_hex and len(letters) > 10 else len(letters)
        new[at] = ord(letters[int(rng.integers(most))])
    return bytes(new)
