"""Records of DNS messages in another order: that of a single capture would tell which one it was.

Servers rotate them (RFC 1794), and pointers to names depend on where these stand.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np

from iotflowgen.recording import Recording
from iotflowgen.traffic import protocol_mask

__all__ = ["reorder", "reordered"]

_DNS, _MDNS = protocol_mask(["dns"]), protocol_mask(["mdns"])
_HEADER: Final = 12
_RESPONSE: Final = 0x80
_POINTER: Final = 0xC0
_FARTHEST: Final = 0x4000
"""Whence on no pointer reaches."""
_MOST: Final = 256
"""Records that are read."""
_NAMES: Final = {2: (0, 1), 5: (0, 1), 6: (0, 2), 12: (0, 1), 15: (2, 1), 33: (6, 1), 47: (0, 1)}
"""Types of records that hold names: bytes before them, and how many."""
_OPT: Final = 41
_TRIES: Final = 4

_Name = tuple[bytes, ...]


class _Record(NamedTuple):
    owner: _Name
    head: bytes
    """Type, class and time to live; of a question its type and class."""
    before: bytes
    names: tuple[_Name, ...]
    after: bytes


def reorder(recording: Recording, rng: np.random.Generator) -> None:
    """Put responses of DNS that one capture alone has in another order, in place.

    Args:
        recording: Of which codecs have taken nothing out, for they find addresses by their places.
        rng: Draws.
    """
    frames, layers = recording.frames, recording.layers
    captured = recording.references.get("captured", frames.size)
    is_dns = layers.is_udp & (recording.protocols & (_DNS | _MDNS) > 0)
    is_dns &= (frames.number(layers.payload + 2, 1) >= _RESPONSE) & (captured == frames.size)
    places: defaultdict[tuple[bool, bytes], list[tuple[int, slice]]] = defaultdict(list)
    for packet in np.flatnonzero(is_dns).tolist():
        begin = int(frames.start[packet])
        # without the id
        where = slice(begin + int(layers.payload[packet]) + 2, begin + int(layers.end[packet]))
        is_multicast = bool(recording.protocols[packet] & _MDNS)
        key = is_multicast, frames.data[where].tobytes()
        places[key].append((int(recording.capture[packet]), where))
    for (is_multicast, message), of in places.items():
        if len({capture for capture, _ in of}) == 1:
            other = reordered(bytes(2) + message, rng, with_answers=is_multicast)
            new = np.frombuffer(other[2:], np.uint8)
            for _, where in of:
                frames.data[where] = new


def reordered(message: bytes, rng: np.random.Generator, *, with_answers: bool) -> bytes:
    """A message with other records first, as long as before; the same if it cannot be.

    Without answers, because who was asked for a host has the first one contacted.
    """
    try:
        sections = [[*section] for section in _parse(message)]
    except (IndexError, ValueError):
        return message
    if _written(message, sections) != message:
        return message
    for _ in range(_TRIES):
        for section in sections[1 if with_answers else 2 :]:
            section[:] = _shuffled(section, rng)
        if len(new := _written(message, sections)) == len(message):
            return new
    return message


def _shuffled(records: list[_Record], rng: np.random.Generator) -> list[_Record]:
    """Records in another order, those of a name one after another, and what is no record last."""
    owners: defaultdict[tuple[bool, _Name], list[_Record]] = defaultdict(list)
    for number, record in enumerate(records):
        is_last = record.head[:2] == _OPT.to_bytes(2)
        # name servers have the zone in common
        alone = (str(number).encode(),) if record.names else ()
        owners[is_last, record.owner + alone].append(record)
    keys = [[*owners][at] for at in rng.permutation(len(owners))]
    return [record for key in sorted(keys, key=lambda key: key[0]) for record in owners[key]]


def _parse(message: bytes) -> Iterator[list[_Record]]:
    """Questions, answers, authorities, and additional records (RFC 1035, section 4.1)."""
    at = _HEADER
    for section in range(4):
        count = int.from_bytes(message[4 + 2 * section : 6 + 2 * section])
        records: list[_Record] = []
        for _ in range(min(count, _MOST)):
            owner, at = _name(message, at)
            if not section:
                records.append(_Record(owner, message[at : at + 4], b"", (), b""))
                at += 4
                continue
            head, size = message[at : at + 8], int.from_bytes(message[at + 8 : at + 10])
            skipped, names = _NAMES.get(int.from_bytes(head[:2]), (0, 0))
            data, at = at + 10, at + 10 + size
            before, within = message[data : data + skipped], data + skipped
            held = []
            for _ in range(names):
                name, within = _name(message, within)
                held.append(name)
            records.append(_Record(owner, head, before, tuple(held), message[within:at]))
        yield records


def _name(message: bytes, at: int) -> tuple[_Name, int]:
    """The labels of a name, and where it ends."""
    labels: list[bytes] = []
    begin, end = at, 0
    while size := message[at]:
        if size >= _POINTER:
            end = end or at + 2
            target = int.from_bytes(message[at : at + 2]) % _FARTHEST
            # to before what has been read of the name, so that this has an end
            if target >= begin:
                raise ValueError("a pointer to what does not come before")
            at = begin = target
        else:
            labels.append(message[at + 1 : at + 1 + size])
            at += 1 + size
    return tuple(labels), end or at + 1


def _written(message: bytes, sections: Iterable[Iterable[_Record]]) -> bytes:
    """A message with the header of another, whose names are compressed as servers do it."""
    made = bytearray(message[:_HEADER])
    known: dict[_Name, int] = {}

    def write(name: _Name) -> None:
        for at in range(len(name)):
            if (rest := name[at:]) in known:
                made.extend((known[rest] | _POINTER << 8).to_bytes(2))
                return
            if len(made) < _FARTHEST:
                known[rest] = len(made)
            made.extend(bytes([len(name[at])]) + name[at])
        made.append(0)

    for number, section in enumerate(sections):
        for record in section:
            write(record.owner)
            made.extend(record.head)
            if number:
                length_at = len(made)
                made.extend(bytes(2) + record.before)
                for name in record.names:
                    write(name)
                made.extend(record.after)
                made[length_at : length_at + 2] = (len(made) - length_at - 2).to_bytes(2)
    return bytes(made)
