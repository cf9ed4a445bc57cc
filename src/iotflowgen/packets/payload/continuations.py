"""Segments that continue a TLS record, and whether Wireshark dissects them as TLS.

Each segment is dissected by itself. Where one begins within a record, Wireshark goes by its
connection, unless its first four bytes are printable: these might be text of another protocol
before TLS. Random bytes are printable now and then, and are drawn so that segments are dissected as
captured.

Shapes: S segments.
"""

from typing import Final

import numpy as np

from iotflowgen.recording import Packets
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire import payload_size
from iotflowgen.wire.arrays import Integers

__all__ = ["PRINTABLE", "fix_dissection"]

PRINTABLE: Final = 4
"""Bytes that are looked at, of more."""
_TLS: Final = protocol_mask(["https"])


def fix_dissection(segments: Packets, owed: Integers) -> None:
    """Have segments be taken for TLS, or not, as `protocols` says, in place.

    Args:
        segments: Of connections that speak TLS.
        owed: Bytes of an earlier record that each begins with (S).
    """
    goes_on = (owed >= PRINTABLE) & (payload_size(segments.layers) > PRINTABLE)
    some = segments.take(np.flatnonzero(goes_on))
    first = some.frames.bytes_at(some.layers.payload, PRINTABLE)
    passed_by = ((first >= ord(" ")) & (first <= ord("~"))).all(axis=1)
    is_tls = some.protocols & _TLS > 0
    at = some.layers.payload
    some.frames.put(at, 1, first[:, 0].astype(np.int64) | 0x80, is_tls & passed_by)
    for place in range(PRINTABLE):
        letter = ord("@") | first[:, place].astype(np.int64) & 0x1F
        some.frames.put(at + place, 1, letter, ~is_tls & ~passed_by)
