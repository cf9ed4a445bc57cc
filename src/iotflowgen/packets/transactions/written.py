"""Ids as they are written: numbers in bytes, in BER, in digits; letters.

Shapes: M ids, each in a frame of its own.
"""

from hashlib import blake2b
from typing import Final

import numpy as np

from iotflowgen.packets.noise import mixed
from iotflowgen.packets.transactions.payloads import BER, DIGITS, LETTERS, RAW
from iotflowgen.wire import Frames
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["put_ids", "read_id_values", "take_out"]

_WORD: Final = 8
_CLASSES: Final = (
    b"0123456789",
    b"abcdef",
    b"ghijklmnopqrstuvwxyz",
    b"ABCDEF",
    b"GHIJKLMNOPQRSTUVWXYZ",
)
_CLASS_OF: Final = {letter: letters for letters in _CLASSES for letter in letters}
_PLAINEST: Final = bytes(_CLASS_OF.get(each, (each,))[0] for each in range(256))
"""Each letter as the first one of its like."""


def read_id_values(frames: Frames, at: Integers, size: Integers, form: Integers) -> Integers:
    """Numbers (M) of which equal ones are of equal ids; those of up to 8 bytes are the ids."""
    value = np.zeros(len(at), np.int64)
    for width in np.unique(size).tolist():
        of = np.flatnonzero((size == width) & (form != LETTERS) & (form != DIGITS))
        some = frames.take(of)
        words = [
            some.number(at[of] + step, min(_WORD, width - step)) for step in range(0, width, _WORD)
        ]
        value[of] = words[0] if len(words) == 1 else mixed(*words)
    for row in np.flatnonzero(form == LETTERS).tolist():
        digest = blake2b(_bytes_of(frames, at, size, row), digest_size=_WORD).digest()
        value[row] = int.from_bytes(digest, signed=True)
    for row in np.flatnonzero(form == DIGITS).tolist():
        digits = _bytes_of(frames, at, size, row)
        value[row] = int(digits) % 2**63 if digits.isdigit() else 0
    return value


def put_ids(frames: Frames, at: Integers, size: Integers, form: Integers, value: Integers) -> None:
    """Write ids of these numbers (M), in place."""
    for width in np.unique(size).tolist():
        of = np.flatnonzero((size == width) & ((form == RAW) | (form == BER)))
        number = value[of]
        if (is_number := form[of] == BER).any():
            number[is_number] = _minimal(number[is_number], width)
        some = frames.take(of)
        for step in range(0, width, _WORD):
            word = number if not step else mixed(number, np.full(len(of), step))
            some.put(at[of] + step, min(_WORD, width - step), word)
    for row in np.flatnonzero(form == LETTERS).tolist():
        plain = _bytes_of(frames, at, size, row)
        draws = np.random.Generator(np.random.PCG64(int(value[row]) & (1 << 63) - 1))
        share = draws.random(len(plain)).tolist()
        letters = bytes(
            of[int(part * len(of))]
            for each, part in zip(plain, share, strict=True)
            for of in [_CLASS_OF.get(each, bytes([each]))]
        )
        _put(frames, at, row, letters)
    for row in np.flatnonzero(form == DIGITS).tolist():
        width = int(size[row])
        _put(frames, at, row, str(int(value[row]) % 10**width).zfill(width).encode())


def take_out(frames: Frames, at: Integers, size: Integers, form: Integers, which: Flags) -> None:
    """Have frames say nothing where some of the ids are (M), but which letters are alike."""
    for width in np.unique(size).tolist():
        of = np.flatnonzero((size == width) & which & (form != LETTERS) & (form != DIGITS))
        for step in range(0, width, _WORD):
            frames.take(of).put(at[of] + step, min(_WORD, width - step), 0)
    for row in np.flatnonzero(which & (form == LETTERS)).tolist():
        _put(frames, at, row, _bytes_of(frames, at, size, row).translate(_PLAINEST))


def _minimal(value: Integers, width: int) -> Integers:
    """Positive numbers that need `width` bytes, as far as they are not (X.690, section 8.3.2)."""
    least, most = (1 << 8 * width - 9 if width > 1 else 0), (1 << 8 * width - 1) - 1
    bit = 1 << 8 * width - 2
    fits = (value >= least) & (value <= most)
    return np.where(fits, value, value & bit - 1 | bit)


def _bytes_of(frames: Frames, at: Integers, size: Integers, row: int) -> bytes:
    first = int(frames.start[row] + at[row])
    last = min(first + int(size[row]), int(frames.start[row] + frames.size[row]))
    return frames.data[first:last].tobytes()


def _put(frames: Frames, at: Integers, row: int, letters: bytes) -> None:
    first = int(frames.start[row] + at[row])
    room = max(0, min(len(letters), int(frames.size[row] - at[row])))
    frames.data[first : first + room] = np.frombuffer(letters[:room], np.uint8)
