"""DNS messages among packets (RFC 1035): who asks what, and which queries are open.

Shapes: P packets; D messages.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.recording import Groups, Packets
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire import Frames, Layers, dst_port, src_port
from iotflowgen.wire.arrays import Flags, Integers
from iotflowgen.wire.dns import read_headers

__all__ = ["Lookups", "find_lookups", "open_questions", "questions"]

_DNS: Final = protocol_mask(["dns"])
_HEADER: Final = 12
_RESPONSE: Final = 0x8000
_MIXER: Final = 0x9E3779B1
_POINTER: Final = 0xC0


@dataclass(frozen=True, kw_only=True)
class Lookups:
    """Messages over UDP; those of mDNS are none."""

    place: Integers
    """Which packet each is (D)."""
    id: Integers
    """By which an answer is known (D)."""
    asks: Flags
    """Whether it is a question, and not an answer (D)."""
    question: Integers
    """A number for name and type of the first question (D); 0 where there is no whole one."""


def find_lookups(frames: Frames, layers: Layers, protocols: NDArray[np.uint16]) -> Lookups:
    """The messages of packets (P)."""
    is_dns = layers.is_udp & (protocols & _DNS > 0) & (layers.end - layers.payload >= _HEADER)
    place = np.flatnonzero(is_dns)
    start = frames.start[place] + layers.payload[place]
    end = frames.start[place] + layers.end[place]
    headers = read_headers(frames.data, start, end)
    question = np.where(headers.name != 0, headers.name + headers.type * _MIXER, 0)
    return Lookups(
        place=place,
        id=headers.id,
        asks=headers.flags & _RESPONSE == 0,
        question=question,
    )


def questions(frames: Frames, layers: Layers, protocols: NDArray[np.uint16]) -> list[str]:
    """The names that messages of packets (P) ask for, in the order of the alphabet."""
    place = find_lookups(frames, layers, protocols).place
    start = frames.start[place] + layers.payload[place] + _HEADER
    headers = read_headers(frames.data, start - _HEADER, frames.start[place] + layers.end[place])
    sizes = np.maximum(headers.name_end - start, 0)
    names = {_labels(name) for name in {*Frames(frames.data, start, sizes).tolist()}}
    return sorted(names - {""})


def _labels(name: bytes) -> str:
    """A name as a text; as far as it goes, where it points elsewhere."""
    labels, at = [], 0
    while at < len(name) and 0 < name[at] < _POINTER:
        labels.append(name[at + 1 : at + 1 + name[at]].decode("ascii", "replace"))
        at += 1 + name[at]
    return ".".join(labels)


def open_questions(packets: Packets) -> Integers:
    """Which DNS queries are open after each packet of one capture (P).

    It is a number for all queries between the same two ports that are answered next; a query that
    is repeated first, or never answered, does not count. 0 for none, and for other packets.
    """
    frames, layers = packets.frames, packets.layers
    lookups = find_lookups(frames, layers, packets.protocols)
    place, asks = lookups.place, lookups.asks
    source, destination = src_port(frames, layers)[place], dst_port(frames, layers)[place]
    ports = np.where(
        packets.outgoing[place], source << 16 | destination, destination << 16 | source
    )
    _, alike = np.unique(np.stack([ports, lookups.question]), axis=1, return_inverse=True)
    groups = Groups(alike.ravel())
    was_asked = groups.latest(asks) >= 0
    # what comes next of the same question is what came before, read backwards
    is_answered = Groups(alike.ravel()[::-1]).previous(~asks[::-1], first=False)[::-1]
    waits = np.where(was_asked & is_answered, lookups.question, 0)
    change = waits - groups.previous(waits, 0)
    column = np.zeros(len(frames), dtype=np.int64)
    column[place] = -np.abs(Groups(ports).sum(change))
    return column
