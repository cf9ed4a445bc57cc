"""Client hellos longer or shorter than captured (RFC 8446, section 4.1.2).

The length of the session ticket changes, or of the server name: both are free, and no fingerprint
of the client includes them. All lengths around change with it.

Shapes: P captured packets; S segments.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.recording import Packets
from iotflowgen.wire.arrays import Integers
from iotflowgen.wire.tls import HANDSHAKE, HEADER

__all__ = ["find_hellos", "resize_hellos"]

_CLIENT_HELLO: Final = 1
_NAME, _TICKET = 0, 35
"""Extensions (RFC 6066, section 3; RFC 5077, section 3.2)."""
_NAME_AT: Final = 9
"""Bytes of an extension before the name of a server."""


def find_hellos(packets: Packets, rows: Integers) -> dict[str, NDArray[Any]]:
    """Where hellos that are whole in their packet may change, of those among `rows`.

    Returns:
        `packet`, `extensions`, where their length stands in it, and `extension`, where the one
        begins that changes, before byte `spot`; it `is_name`, or a ticket. One a hello.
    """
    found: list[tuple[int, ...]] = []
    payload, end = packets.layers.payload, packets.layers.end
    greets = packets.frames.number(payload, 1) == HANDSHAKE
    greets &= packets.frames.number(payload + HEADER, 1) == _CLIENT_HELLO
    for packet in rows[greets[rows]].tolist():
        first = int(payload[packet])
        hello = packets.frames[packet][first : int(end[packet])]
        if len(hello) == HEADER + int.from_bytes(hello[3:HEADER]):
            found += [(packet, *(first + at for at in place[:3]), place[3]) for place in _in(hello)]
    columns = np.array(found, dtype=np.int32).reshape(-1, 5).T
    names = ("packet", "extensions", "extension", "spot", "is_name")
    return dict(zip(names, columns, strict=True))


def _in(hello: bytes) -> list[tuple[int, int, int, int]]:
    """The best place in a record, if there is one."""
    extensions = HEADER + 4 + 34
    extensions += 1 + int.from_bytes(hello[extensions : extensions + 1])
    extensions += 2 + int.from_bytes(hello[extensions : extensions + 2])
    extensions += 1 + int.from_bytes(hello[extensions : extensions + 1])
    at = extensions + 2
    best: list[tuple[int, int, int, int]] = []
    while at + 4 <= len(hello):
        kind, size = (int.from_bytes(hello[at + i : at + i + 2]) for i in (0, 2))
        if kind == _TICKET and size:
            best.insert(0, (extensions, at, at + 4 + size, 0))
        elif kind == _NAME and size > _NAME_AT:
            label = hello[at + _NAME_AT : at + 4 + size].partition(b".")[0]
            best.append((extensions, at, at + _NAME_AT + len(label), 1))
        at += 4 + size
    return best[:1] if at == len(hello) else []


def resize_hellos(
    segments: Packets, more: Integers, extensions: Integers, extension: Integers, is_name: Integers
) -> None:
    """Say how long hellos are now, in place.

    Args:
        segments: Each a hello.
        more: Bytes that it has more than captured (S).
        extensions: As `find_hellos` says it (S).
        extension: That (S).
        is_name: That (S).
    """
    always, named = np.ones(len(more), dtype=bool), is_name > 0
    message = segments.layers.payload + HEADER + 1
    for at, width, where in (
        (message, 3, always),
        (extensions, 2, always),
        (extension + 2, 2, always),
        (extension + 4, 2, named),
        (extension + 7, 2, named),
    ):
        segments.frames.put(at, width, segments.frames.number(at, width) + more, where)
