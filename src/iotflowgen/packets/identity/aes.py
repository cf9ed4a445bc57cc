"""AES with keys of 128 bits, block by block (FIPS 197; ECB of NIST SP 800-38A).

For keys that everybody knows, and a few messages at a time: it is not fast, and hides nothing from
whoever measures its time.

Shapes: N blocks of 16 bytes.
"""

from functools import cache
from typing import Final

import numpy as np

from iotflowgen.wire.arrays import Bytes

__all__ = ["decrypt", "encrypt"]

_ROUNDS: Final = 10
_ROWS: Final = np.arange(16).reshape(4, 4)
_SHIFT: Final = np.stack([np.roll(row, -i) for i, row in enumerate(_ROWS.T)]).T.ravel()
"""Where each byte comes from when rows are shifted; bytes of a column lie side by side."""
_BACK: Final = np.argsort(_SHIFT)
_MIX, _UNMIX = (2, 3, 1, 1), (14, 11, 13, 9)


def _times(a: int, b: int) -> int:
    """A product in GF(2^8)."""
    product = 0
    while b:
        product ^= a * (b & 1)
        a = (a << 1) ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


@cache
def _tables() -> tuple[Bytes, Bytes, Bytes]:
    """The S-box, its inverse, and all products (256, 256)... of the few factors that are used."""
    powers = [1]
    for _ in range(254):
        powers.append(_times(powers[-1], 3))
    inverse = [0] * 256
    for i, power in enumerate(powers):
        inverse[power] = powers[-i % 255]
    box = np.zeros(256, np.uint8)
    for value, number in enumerate(inverse):
        bits = number * 0x101
        turned = number
        for i in range(1, 5):
            turned ^= (bits >> (8 - i)) & 0xFF
        box[value] = turned ^ 0x63
    products = np.zeros((16, 256), np.uint8)
    for factor in (*_MIX, *_UNMIX):
        products[factor] = [_times(value, factor) for value in range(256)]
    return box, np.argsort(box).astype(np.uint8), products


def _round_keys(key: bytes) -> Bytes:
    """(11, 16)."""
    box, _, _ = _tables()
    words = [*np.frombuffer(key, np.uint8).reshape(4, 4)]
    constant = 1
    for i in range(4, 4 * (_ROUNDS + 1)):
        word = words[-1]
        if i % 4 == 0:
            word = box[np.roll(word, -1)]
            word[0] ^= constant
            constant = _times(constant, 2)
        words.append(words[-4] ^ word)
    keys: Bytes = np.concatenate(words).reshape(_ROUNDS + 1, 16)
    return keys


def _mixed(state: Bytes, factors: tuple[int, ...]) -> Bytes:
    """Each column (of N, 16) times a circulant matrix."""
    _, _, products = _tables()
    columns = state.reshape(-1, 4, 4)
    found = np.zeros_like(columns)
    for step, factor in enumerate(factors):
        found ^= products[factor][np.roll(columns, -step, axis=2)]
    mixed: Bytes = found.reshape(-1, 16)
    return mixed


def encrypt(data: Bytes, key: bytes) -> Bytes:
    """Whole blocks (16 N bytes), each by itself."""
    box, _, _ = _tables()
    keys = _round_keys(key)
    state = data.reshape(-1, 16) ^ keys[0]
    for i in range(1, _ROUNDS + 1):
        state = box[state][:, _SHIFT]
        state = (state if i == _ROUNDS else _mixed(state, _MIX)) ^ keys[i]
    out: Bytes = state.ravel()
    return out


def decrypt(data: Bytes, key: bytes) -> Bytes:
    """The inverse of `encrypt`."""
    _, back, _ = _tables()
    keys = _round_keys(key)
    state = data.reshape(-1, 16)
    for i in range(_ROUNDS, 0, -1):
        state = state ^ keys[i]
        state = back[(state if i == _ROUNDS else _mixed(state, _UNMIX))[:, _BACK]]
    out: Bytes = (state ^ keys[0]).ravel()
    return out
