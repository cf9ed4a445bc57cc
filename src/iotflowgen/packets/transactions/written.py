"""Ids as they are written: numbers in bytes or some bits of one, in BER, in digits; letters.

Shapes: M ids, each in a frame of its own.
"""

from hashlib import blake2b
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits
from typing import Final

import numpy as np

from iotflowgen.packets.noise import mixed
from iotflowgen.packets.transactions.counting import span_of
from iotflowgen.packets.transactions.payloads import BER, DIGITS, LETTERS, LOW_BITS, RAW
from iotflowgen.wire import Frames
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["FORMS", "fitted", "in_alphabets", "put_ids", "read_id_values", "take_out"]

_WORD: Final = 8
_MOST_DIGITS: Final = 17
"""After the first one, that follow from a number of 64 bits."""
_ALPHABETS: Final = tuple(
    letters.encode()
    for letters in (
        *(digits, digits + "abcdef", digits + "ABCDEF"),
        *(digits + ascii_lowercase, digits + ascii_uppercase, digits + ascii_letters),
    )
)
"""What letters of an id may be."""
FORMS: Final = LETTERS + len(_ALPHABETS)
"""How many forms there are."""
_OTHERS: Final = {*range(256)} - {*_ALPHABETS[-1]}
_PLAIN: Final = bytes(each if each in _OTHERS else ord("0") for each in range(256))


def read_id_values(frames: Frames, at: Integers, size: Integers, form: Integers) -> Integers:
    """Numbers (M) of which equal ones are of equal ids; those of up to 8 bytes are the ids."""
    value = np.zeros(len(at), np.int64)
    for width in np.unique(size).tolist():
        of = np.flatnonzero((size == width) & (form < LETTERS) & (form != DIGITS))
        some = frames.take(of)
        words = [
            some.number(at[of] + step, min(_WORD, width - step)) for step in range(0, width, _WORD)
        ]
        value[of] = words[0] if len(words) == 1 else mixed(*words)
    for low, bits in LOW_BITS.items():
        value[form == low] &= (1 << bits) - 1
    for row in np.flatnonzero(form >= LETTERS).tolist():
        digest = blake2b(_bytes_of(frames, at, size, row), digest_size=_WORD).digest()
        value[row] = int.from_bytes(digest, signed=True)
    for row in np.flatnonzero(form == DIGITS).tolist():
        said = _bytes_of(frames, at, size, row)
        value[row] = int(said) % 2**63 if said.isdigit() else 0
    return value


def put_ids(frames: Frames, at: Integers, size: Integers, form: Integers, value: Integers) -> None:
    """Write ids of these numbers (M), in place."""
    value = fitted(value, size, form)
    for width in np.unique(size).tolist():
        of = np.flatnonzero((size == width) & ((form == RAW) | (form == BER)))
        number, some = value[of], frames.take(of)
        for step in range(0, width, _WORD):
            word = number if not step else mixed(number, np.full(len(of), step))
            some.put(at[of] + step, min(_WORD, width - step), word)
    for low, bits in LOW_BITS.items():
        of = np.flatnonzero(form == low)
        byte = frames.take(of).number(at[of], 1) >> bits << bits | value[of]
        frames.take(of).put(at[of], 1, byte)
    for row in np.flatnonzero(form >= LETTERS).tolist():
        plain = _bytes_of(frames, at, size, row)
        draws = np.random.Generator(np.random.PCG64(int(value[row]) & (1 << 63) - 1))
        share = draws.random(len(plain)).tolist()
        alphabet = _ALPHABETS[form[row] - LETTERS]
        letters = bytes(
            each if each in _OTHERS else alphabet[int(part * len(alphabet))]
            for each, part in zip(plain, share, strict=True)
        )
        _put(frames, at, row, letters)
    for row in np.flatnonzero(form == DIGITS).tolist():
        _put(frames, at, row, str(value[row]).zfill(int(size[row])).encode())


def fitted(value: Integers, size: Integers, form: Integers) -> Integers:
    """Numbers (M) that ids of such sizes can be, for any."""
    value = value.copy()
    for kind, width in np.unique(np.stack([form, size]), axis=1).T.tolist():
        of = (form == kind) & (size == width)
        if kind == BER:
            value[of] = _minimal(value[of], width)
        elif kind == DIGITS:
            value[of] = _of_digits(value[of], width)
        elif span := span_of(width, kind):
            value[of] %= span
    return value


def in_alphabets(
    frames: Frames, at: Integers, size: Integers, form: Integers, kind: Integers
) -> Integers:
    """Forms (M) that say of which letters those of a kind (M) are: any may stand for another."""
    form = form.copy()
    for of in np.unique(kind[form == LETTERS]).tolist():
        rows = np.flatnonzero((form == LETTERS) & (kind == of))
        seen = {*b"".join(_bytes_of(frames, at, size, row) for row in rows.tolist())} - _OTHERS
        form[rows] += next(i for i, each in enumerate(_ALPHABETS) if seen <= {*each})
    return form


def take_out(frames: Frames, at: Integers, size: Integers, form: Integers, which: Flags) -> None:
    """Have frames say nothing where some of the ids are (M), but of how many letters they are."""
    is_bytes = (form == RAW) | (form == BER)
    for width in np.unique(size).tolist():
        some = np.flatnonzero((size == width) & which & is_bytes)
        for step in range(0, width, _WORD):
            frames.take(some).put(at[some] + step, min(_WORD, width - step), 0)
    some = np.flatnonzero(which & ~is_bytes & (form < LETTERS))
    put_ids(frames.take(some), at[some], size[some], form[some], np.zeros_like(some))
    for row in np.flatnonzero(which & (form >= LETTERS)).tolist():
        _put(frames, at, row, _bytes_of(frames, at, size, row).translate(_PLAIN))


def _minimal(value: Integers, width: int) -> Integers:
    """Positive numbers that need `width` bytes, as far as they are not (X.690, section 8.3.2)."""
    least, most = (1 << 8 * width - 9 if width > 1 else 0), (1 << 8 * width - 1) - 1
    bit = 1 << 8 * width - 2
    fits = (value >= least) & (value <= most)
    return np.where(fits, value, value & bit - 1 | bit)


def _of_digits(value: Integers, width: int) -> Integers:
    """Numbers of at most `width` digits; those that are too long begin with no zero."""
    least = 10 ** min(width - 1, _MOST_DIGITS)
    fits = (value >= 0) & (value < 10 * least)
    return np.where(fits, value, least + value % (9 * least))


def _bytes_of(frames: Frames, at: Integers, size: Integers, row: int) -> bytes:
    first = int(frames.start[row] + at[row])
    last = min(first + int(size[row]), int(frames.start[row] + frames.size[row]))
    return frames.data[first:last].tobytes()


def _put(frames: Frames, at: Integers, row: int, letters: bytes) -> None:
    first = int(frames.start[row] + at[row])
    room = max(0, min(len(letters), int(frames.size[row] - at[row])))
    frames.data[first : first + room] = np.frombuffer(letters[:room], np.uint8)
