"""The blocks of pcapng (draft-ietf-opsawg-pcapng): where packets lie, and when they came.

Shapes: P packets.
"""

import struct
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCKS", "Damage", "Places", "find_in_blocks"]

BLOCKS: Final = b"\x0a\x0d\x0d\x0a"
"""How a section begins, and so a file, in either order of bytes."""

_SECTION, _INTERFACE = 0x0A0D0D0A, 1
_OBSOLETE, _SIMPLE, _ENHANCED = 2, 3, 6
"""Blocks that hold a packet."""
_PACKETS: Final = {_OBSOLETE, _SIMPLE, _ENHANCED}
_LEAST: Final = {_SECTION: 28, _INTERFACE: 20, _OBSOLETE: 32, _SIMPLE: 16, _ENHANCED: 32}
"""Bytes of a block that holds nothing."""
_RESOLUTION, _OFFSET = 9, 14
"""Options of an interface: unit of its times, and seconds to add to them."""
_ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}


class Damage(NamedTuple):
    """Where a file cannot be read on."""

    at: int
    """Bytes before."""
    what: str


class Places(NamedTuple):
    """Where a file has its packets, and what it says of each."""

    link: NDArray[np.int64]
    """(P) link types."""
    time_ns: NDArray[np.int64]
    """(P) nanoseconds since the epoch."""
    length: NDArray[np.int64]
    """(P) bytes on the wire."""
    start: NDArray[np.int64]
    """(P) where the frame begins in the file."""
    size: NDArray[np.int64]
    """(P) bytes of it that are there."""

    @classmethod
    def none(cls) -> "Places":
        """Of no packets."""
        return cls(*(np.empty(0, np.int64) for _ in cls._fields))

    def until(self, end: int) -> "Places":
        """The first packets."""
        return Places(*(column[:end] for column in self))


class _Interface(NamedTuple):
    link: int
    longest: int
    """0: any."""
    resolution: int
    offset: int
    """Seconds."""


class _Section:
    """Blocks that count interfaces alike and have one order of bytes."""

    def __init__(self, order: str) -> None:
        self.order = order
        self.interfaces: list[_Interface] = []
        self.packets: list[int] = []
        """Where blocks with a packet begin."""


def find_in_blocks(content: bytes, longest: int) -> tuple[Places, Damage | None]:
    """The packets of a pcapng file, and where it is damaged or cut short, if it is.

    Interfaces may differ in link type and in the unit of time. Blocks without packets are skipped.

    Args:
        content: The file.
        longest: Most bytes of a frame, captured and on the wire; one that is longer is damage.
    """
    sections, damage = _sections(content)
    found = []
    for section in sections:
        places, within = _packets(content, section, longest)
        found.append(places)
        if within is not None:
            damage = within
            break
    if not found:
        return Places.none(), damage
    return Places(*map(np.concatenate, zip(*found, strict=True))), damage


def _sections(content: bytes) -> tuple[list[_Section], Damage | None]:
    """All sections as far as blocks are whole; the only scan that goes block by block."""
    sections: list[_Section] = []
    at, last = 0, len(content) - 12
    head, tail = struct.Struct("<II").unpack_from, struct.Struct("<I").unpack_from
    while at <= last:
        kind, length = head(content, at)
        # the same in either order of bytes
        if kind == _SECTION:
            order = _ORDERS.get(content[at + 8 : at + 12])
            if order is None:
                return sections, Damage(at, "a section has no order of bytes")
            head, tail = (
                struct.Struct(order + "II").unpack_from,
                struct.Struct(order + "I").unpack_from,
            )
            _, length = head(content, at)
            sections.append(_Section(order))
        section = sections[-1]
        if length < _LEAST.get(kind, 12):
            return sections, Damage(at, "a block is too short")
        end = at + length + -length % 4
        if end > len(content):
            return sections, Damage(at, "a block is cut short")
        if tail(content, end - 4)[0] != length:
            return sections, Damage(at, "a block has two lengths")
        if kind in _PACKETS:
            section.packets.append(at)
        elif kind == _INTERFACE:
            section.interfaces.append(_interface(content, at, end - 4, section.order))
        at = end
    return sections, Damage(at, "a block is cut short") if at < len(content) else None


def _interface(content: bytes, at: int, end: int, order: str) -> _Interface:
    """The interface of a block whose body ends there."""
    link, longest = struct.unpack_from(order + "HxxI", content, at + 8)
    resolution, offset, at = 6, 0, at + 16
    while at + 4 <= end:
        code, size = struct.unpack_from(order + "HH", content, at)
        if code == 0 or at + 4 + size > end:
            break
        if code == _RESOLUTION and size == 1:
            resolution = content[at + 4]
        elif code == _OFFSET and size == 8:
            (offset,) = struct.unpack_from(order + "q", content, at + 4)
        at += 4 + size + -size % 4
    return _Interface(link, longest, resolution, offset)


def _packets(content: bytes, section: _Section, longest: int) -> tuple[Places, Damage | None]:
    """The packets of one section."""
    at = np.array(section.packets, np.int64)
    if not len(at):
        return Places.none(), None
    view = np.ndarray((len(content) - 3,), section.order + "u4", content, strides=(1,))

    def word(place: NDArray[np.int64]) -> NDArray[np.int64]:
        # the last block may be shorter than the fields of another kind
        found: NDArray[np.int64] = view[np.minimum(place, len(view) - 1)].astype(np.int64)
        return found

    kind, block = word(at), word(at + 4)
    simple, number = kind == _SIMPLE, word(at + 8)
    if (kind == _OBSOLETE).any():
        halves = np.ndarray((len(content) - 1,), section.order + "u2", content, strides=(1,))
        number = np.where(kind == _OBSOLETE, halves[at + 8], number)
    length = np.where(simple, number, word(at + 24))
    number = np.where(simple, 0, number)
    start = at + np.where(simple, 12, 28)
    room = at + block - 4 - start
    known = number < len(section.interfaces)
    number = np.where(known, number, 0)
    interfaces = section.interfaces or [_Interface(0, 0, 6, 0)]
    most = np.array([interface.longest or longest for interface in interfaces])[number]
    simple_size = np.minimum(np.minimum(length, most), room)
    size = np.where(simple, simple_size, word(at + 20))
    stamp = (word(at + 12).astype(np.uint64) << np.uint64(32)) | word(at + 16).astype(np.uint64)
    time_ns, in_time = np.zeros(len(at), np.int64), np.ones(len(at), np.bool_)
    for i, interface in enumerate(interfaces):
        own = np.flatnonzero((number == i) & ~simple)
        time_ns[own], in_time[own] = _nanoseconds(stamp[own], interface)
    link = np.array([interface.link for interface in interfaces])[number]
    places = Places(link, time_ns, length, start, size)
    for what, good in (
        ("a packet is of no known interface", known),
        ("a packet is longer than its block", size <= room),
        ("a packet is too long", np.maximum(size, length) <= longest),
        ("the time of a packet cannot be", in_time),
    ):
        bad = np.flatnonzero(~good[: len(places.start)])
        if len(bad):
            places = places.until(int(bad[0]))
            damage = Damage(int(at[bad[0]]), what)
    return places, damage if len(places.start) < len(at) else None


def _nanoseconds(
    stamp: NDArray[np.uint64], interface: _Interface
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Times (P) from units of an interface, and whether 64 bits hold them (P)."""
    exponent = interface.resolution & 0x7F
    is_binary = interface.resolution & 0x80
    if not is_binary and exponent <= 9 and not interface.offset:
        factor = 10 ** (9 - exponent)
        good = stamp <= np.uint64((2**63 - 1) // factor)
        return np.where(good, stamp, 0).astype(np.int64) * factor, good
    # rare, and 64 bits may be too few on the way
    units = (2 if is_binary else 10) ** exponent
    times = stamp.astype(object) * 10**9 // units + interface.offset * 10**9
    good = np.array([-(2**63) <= time < 2**63 for time in times], np.bool_)
    return np.where(good, times, 0).astype(np.int64), good
