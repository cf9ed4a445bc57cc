"""Records of TLS (RFC 8446, section 5.1; RFC 5246, section 6.2)."""

from typing import Final

from iotflowgen.wire.arrays import Flags
from iotflowgen.wire.frames import Frames

__all__ = [
    "ALERT",
    "CHANGE_CIPHER_SPEC",
    "DATA",
    "HANDSHAKE",
    "HEADER",
    "LONGEST",
    "begins_handshake",
]

CHANGE_CIPHER_SPEC: Final = 20
ALERT: Final = 21
HANDSHAKE: Final = 22
DATA: Final = 23
"""Types of records."""
HEADER: Final = 5
"""Bytes of a record's header."""
LONGEST: Final = 2**14 + 2048
"""Bytes of the longest record, without its header."""
_MAJOR: Final = 3
"""First byte of every version."""


def begins_handshake(payload: Frames) -> Flags:
    """Whether each payload (P) begins with the whole header of a record of a handshake."""
    is_record = (payload.size >= HEADER) & (payload.number(3, 2) <= LONGEST)
    begins: Flags = is_record & (payload.number(0, 2) == HANDSHAKE << 8 | _MAJOR)
    return begins
