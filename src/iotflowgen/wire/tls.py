"""Where TLS records begin in TCP segments (RFC 8446, section 5.1; RFC 5246, section 6.2).

Shapes: B bytes, P segments, R records.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire.frames import Frames

__all__ = [
    "ALERT",
    "CHANGE_CIPHER_SPEC",
    "DATA",
    "HANDSHAKE",
    "HEADER",
    "LONGEST",
    "TlsRecords",
    "find_records",
]

CHANGE_CIPHER_SPEC: Final = 20
ALERT: Final = 21
HANDSHAKE: Final = 22
DATA: Final = 23
"""Types of records."""
_HEARTBEAT: Final = 24
HEADER: Final = 5
"""Bytes of a record's header."""
LONGEST: Final = 2**14 + 2048
"""Bytes of the longest record, without its header."""


class TlsRecords(NamedTuple):
    """Records whose header lies whole in a segment, by segment and then by place."""

    packet: NDArray[np.int64]
    """(R) which segment, from 0 on."""
    offset: NDArray[np.int64]
    """(R) where in the data its header begins."""
    type: NDArray[np.int64]
    """(R) 20 to 24."""
    version: NDArray[np.int64]
    """(R) as the record says: 0x0301 to 0x0303 as a rule."""
    length: NDArray[np.int64]
    """(R) bytes after the header, also those that come in later segments."""
    next: NDArray[np.int64]
    """(P) where in the data the record after a segment's last one is to begin: at the segment's
    end; beyond it by what is still to come; before it by 1 to 4 bytes of a header that is cut in
    two, or where something stands that is no record."""


def find_records(
    data: NDArray[np.uint8],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    owed: NDArray[np.int64] | int = 0,
) -> TlsRecords:
    """The records that begin in segments.

    Args:
        data: (B) bytes.
        start: (P) where the payload of each begins in them.
        end: (P) where it ends.
        owed: (P), or one for all: bytes from the start on that belong to an earlier record.
    """
    at = start + owed
    packet = np.flatnonzero(at + HEADER <= end)
    rows = [np.empty((5, 0), np.int64)]
    while len(packet):
        place = at[packet]
        some = Frames(data, place, end[packet] - place)
        kind, version, length = some.number(0, 1), some.number(1, 2), some.number(3, 2)
        good = (kind >= CHANGE_CIPHER_SPEC) & (kind <= _HEARTBEAT)
        good &= (version >> 8 == 3) & (length <= LONGEST)
        rows.append(np.stack([packet, place, kind, version, length])[:, good])
        packet = packet[good]
        at[packet] += HEADER + length[good]
        packet = packet[at[packet] + HEADER <= end[packet]]
    columns = np.concatenate(rows, axis=1)
    # those of a segment were found in their order
    columns = columns[:, np.argsort(columns[0], kind="stable")]
    packet, offset, kind, version, length = columns
    return TlsRecords(packet, offset, kind, version, length, at)
