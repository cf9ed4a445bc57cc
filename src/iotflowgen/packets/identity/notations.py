"""Notations: how messages are written so that they are no text, and back.

Each keeps the number of bytes, so what is read under a notation can be replaced in place. What
devices do to hide what they say is one case of a kind: letters rotated (Edimax), XOR by a constant
or by the byte before (TP-Link), a key that everybody knows (Tuya). Models hold places in
`NOTATIONS`: new ones come last.
"""

import zlib
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from iotflowgen.packets.identity.aes import decrypt, encrypt
from iotflowgen.wire.arrays import Bytes
from iotflowgen.wire.messages import STUN_COOKIE

__all__ = [
    "AUTOKEY",
    "LETTERWISE",
    "NOTATIONS",
    "OPAQUE",
    "REVERSED",
    "ROTATED",
    "SHIFTED",
    "STUN",
    "TUYA",
    "TUYA_PREFIX",
    "XORED",
    "Notation",
]

TUYA_PREFIX: Final = b"\x00\x00\x55\xaa"
_TUYA_KEY: Final = bytes.fromhex("6c1ec8e2bb9bb59ab50b0daf649b410a")
"""MD5 of `yGAdlopoPVldABfn`, the same in all devices (tinytuya, `message_helper.py`)."""
_TUYA_HEAD, _TUYA_TAIL = 16, 8
"""Bytes before the text, or 4 more with a code; of the checksum and what ends a message."""


class Notation(NamedTuple):
    """What makes bytes (B) readable, and its inverse."""

    name: str
    decode: Callable[[Bytes], Bytes]
    encode: Callable[[Bytes], Bytes]


def _rotated(data: Bytes, left: int) -> Bytes:
    """Each byte with its bits moved round."""
    return (data << np.uint8(left)) | (data >> np.uint8(8 - left))


def _moved(data: Bytes, left: int) -> Bytes:
    """All bits moved as one string, and round at its ends."""
    return (data << np.uint8(left)) | (np.roll(data, -1) >> np.uint8(8 - left))


def _moved_back(data: Bytes, right: int) -> Bytes:
    return (data >> np.uint8(right)) | (np.roll(data, 1) << np.uint8(8 - right))


def _differences(data: Bytes) -> Bytes:
    """Each byte XOR the one before; the first stays, so that no key is needed."""
    return np.concatenate([data[:1], data[1:] ^ data[:-1]])


def _running(data: Bytes) -> Bytes:
    found: Bytes = np.bitwise_xor.accumulate(data)
    return found


def _by(data: Bytes, key: bytes) -> Bytes:
    return data ^ np.resize(np.frombuffer(key, np.uint8), len(data) if len(key) > 1 else 1)


def _backwards(data: Bytes) -> Bytes:
    return data[::-1]


def _as_it_is(data: Bytes) -> Bytes:
    return data


def _tuya(data: Bytes, code: Callable[[Bytes, bytes], Bytes], *, sums: bool) -> Bytes:
    """A whole message of Tuya's discovery: its text encrypted, then a checksum."""
    out = data.copy()
    begin = _TUYA_HEAD + (len(data) - _TUYA_HEAD - _TUYA_TAIL) % 16
    out[begin:-_TUYA_TAIL] = code(data[begin:-_TUYA_TAIL], _TUYA_KEY)
    if sums:
        crc = zlib.crc32(out[:-_TUYA_TAIL].tobytes()).to_bytes(4)
        out[-_TUYA_TAIL : -_TUYA_TAIL + 4] = np.frombuffer(crc, np.uint8)
    return out


NOTATIONS: Final = (
    Notation("opaque", _as_it_is, _as_it_is),
    *(
        Notation(f"rotated by {k}", partial(_rotated, left=8 - k), partial(_rotated, left=k))
        for k in range(1, 8)
    ),
    *(
        Notation(f"shifted by {k}", partial(_moved, left=k), partial(_moved_back, right=k))
        for k in range(1, 8)
    ),
    *(
        Notation(f"XOR {key}", partial(_by, key=bytes([key])), partial(_by, key=bytes([key])))
        for key in range(1, 256)
    ),
    Notation("backwards", _backwards, _backwards),
    Notation("autokey", _differences, _running),
    Notation("STUN", partial(_by, key=STUN_COOKIE), partial(_by, key=STUN_COOKIE)),
    Notation(
        "Tuya", partial(_tuya, code=decrypt, sums=False), partial(_tuya, code=encrypt, sums=True)
    ),
)
OPAQUE: Final = 0
"""Of what nobody can read: it is drawn anew, alike wherever it was alike."""
ROTATED: Final = range(1, 8)
SHIFTED: Final = range(8, 15)
XORED: Final = range(15, 270)
LETTERWISE: Final = (*ROTATED, *XORED)
"""That write each letter by itself, wherever it stands."""
REVERSED, AUTOKEY, STUN, TUYA = range(270, 274)
"""Places in `NOTATIONS`."""
