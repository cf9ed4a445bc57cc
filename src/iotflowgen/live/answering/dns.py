"""Messages of DNS, as mDNS, LLMNR and NetBIOS have them, read and written (RFC 1035, 6762, 1002).

What is read comes from anybody: nothing in it is believed.
"""

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = [
    "ADDRESS",
    "ANY",
    "Message",
    "Name",
    "Question",
    "Record",
    "read",
    "same_name",
    "target",
    "understood",
    "write",
    "written",
]

ADDRESS: Final = 1
"""The type A of a record."""
ANY: Final = 255
"""Of a question: records of all types."""

Name = tuple[bytes, ...]
"""Its labels, without the empty last one."""

_NAMES_AT: Final = {5: 0, 12: 0, 33: 6, 47: 0}
"""Where the data of CNAME, PTR, SRV and NSEC have a name, which may be compressed."""
_POINTER: Final = 0xC0
_MOST_LABELS: Final = 128
_MOST_RECORDS: Final = 512


class Question(NamedTuple):
    """What somebody asks."""

    name: Name
    type: int
    kind: int
    """Its class; in mDNS the uppermost bit asks for an answer to the one who asks alone."""


class Record(NamedTuple):
    """What somebody says."""

    name: Name
    type: int
    kind: int
    """Its class; in mDNS the uppermost bit says that what was said before is void."""
    ttl: int
    """Seconds for which it holds."""
    data: bytes
    """Names in it are written out."""


class Message(NamedTuple):
    """A question or a response."""

    id: int
    flags: int
    questions: Sequence[Question]
    answers: Sequence[Record]
    authorities: Sequence[Record] = ()
    additionals: Sequence[Record] = ()

    @property
    def is_response(self) -> bool:
        """Whether it answers."""
        return self.flags & 0x8000 != 0


def same_name(name: Name) -> Name:
    """What is the same of names that are: letters of either case are."""
    return tuple(label.lower() for label in name)


@lru_cache(maxsize=16)
def understood(data: bytes) -> Message | None:
    """What a message says, None if it is none; read once for all decoys that hear it."""
    try:
        return read(data)
    except ValueError:
        return None


def read(data: bytes) -> Message:
    """Read a message.

    Raises:
        ValueError: It is cut, or none.
    """
    try:
        number, flags, *counts = struct.unpack_from("!6H", data)
        if sum(counts) > _MOST_RECORDS:
            raise ValueError("a message of so many records is none")
        at, questions = 12, []
        for _ in range(counts[0]):
            name, at = _read_name(data, at)
            questions.append(Question(name, *struct.unpack_from("!HH", data, at)))
            at += 4
        sections: list[list[Record]] = []
        for count in counts[1:]:
            sections.append([])
            for _ in range(count):
                record, at = _read_record(data, at)
                sections[-1].append(record)
    except (struct.error, IndexError) as error:
        raise ValueError("a message is cut") from error
    return Message(number, flags, questions, *sections)


def _read_name(data: bytes, at: int) -> tuple[Name, int]:
    """A name, and where it ends. Pointers lead backwards only, so that no name is without end."""
    labels: list[bytes] = []
    end, begin = 0, at
    while size := data[at]:
        if size >= _POINTER:
            end = end or at + 2
            at = int.from_bytes(data[at : at + 2]) & 0x3FFF
            if at >= begin or end > len(data):
                raise ValueError("a name points nowhere")
            begin = at
        elif size >= 0x40 or at + 1 + size > len(data) or len(labels) == _MOST_LABELS:
            raise ValueError("a name is damaged")
        else:
            labels.append(data[at + 1 : at + 1 + size])
            at += 1 + size
    return tuple(labels), end or at + 1


def _read_record(data: bytes, at: int) -> tuple[Record, int]:
    name, at = _read_name(data, at)
    kind, family, ttl, size = struct.unpack_from("!HHIH", data, at)
    at += 10
    end = at + size
    if end > len(data):
        raise ValueError("a record is cut")
    said = data[at:end]
    if (before := _NAMES_AT.get(kind)) is not None:
        whom, after = _read_name(data, at + before)
        if after > end:
            raise ValueError("a record is shorter than its name")
        said = data[at : at + before] + written(whom) + data[after:end]
    return Record(name, kind, family, ttl, said), end


def target(record: Record) -> Name:
    """Whom a record points to; the root if to nobody."""
    at = _NAMES_AT.get(record.type)
    return () if at is None else _read_name(record.data, at)[0]


def written(name: Name) -> bytes:
    """A name as it stands in messages, without pointers."""
    return b"".join(bytes([len(label)]) + label for label in name) + b"\0"


def write(message: Message, *, compresses: bool) -> bytes:
    """The inverse of `read`.

    Args:
        message: What to write.
        compresses: Whether names that were said before are said by a pointer.
    """
    sections = (message.answers, message.authorities, message.additionals)
    counts = (len(message.questions), *map(len, sections))
    said = bytearray(struct.pack("!6H", message.id, message.flags, *counts))
    known: dict[Name, int] = {}
    for question in message.questions:
        _say_name(said, question.name, known if compresses else None)
        said += struct.pack("!HH", question.type, question.kind)
    for record in _all(sections):
        _say_name(said, record.name, known if compresses else None)
        said += struct.pack("!HHIH", record.type, record.kind, record.ttl, len(record.data))
        at = len(said)
        before = _NAMES_AT.get(record.type) if compresses else None
        if before is None:
            said += record.data
            continue
        whom, after = _read_name(record.data, before)
        said += record.data[:before]
        _say_name(said, whom, known)
        said += record.data[after:]
        struct.pack_into("!H", said, at - 2, len(said) - at)
    return bytes(said)


def _all(sections: Iterable[Sequence[Record]]) -> Iterable[Record]:
    return (record for section in sections for record in section)


def _say_name(said: bytearray, name: Name, known: dict[Name, int] | None) -> None:
    """Append a name; what is known of it already is pointed to, if it may be."""
    for i, label in enumerate(name):
        if known is not None:
            if (at := known.get(name[i:])) is not None:
                said += struct.pack("!H", _POINTER << 8 | at)
                return
            if len(said) < 0x4000:
                known[name[i:]] = len(said)
        said += bytes([len(label)]) + label
    said += b"\0"
