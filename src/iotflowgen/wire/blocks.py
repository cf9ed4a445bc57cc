"""The blocks of pcapng (draft-ietf-opsawg-pcapng): where packets lie, and when they came."""

from collections.abc import Iterator
from struct import pack, unpack_from
from typing import Final, NamedTuple

from iotflowgen.compression import Content

__all__ = [
    "BLOCKS",
    "NO_TIME",
    "Damage",
    "Place",
    "comment_option",
    "find_comments",
    "find_in_blocks",
]

BLOCKS: Final = b"\x0a\x0d\x0d\x0a"
"""How a section begins, and so a file, in either order of bytes."""

_SECTION, _INTERFACE = int.from_bytes(BLOCKS), 1
_OBSOLETE, _SIMPLE, _ENHANCED = 2, 3, 6
"""Blocks that hold a packet."""
_LEAST: Final = {_SECTION: 28, _INTERFACE: 20, _OBSOLETE: 32, _SIMPLE: 16, _ENHANCED: 32}
"""Bytes of a block that holds nothing."""
_COMMENT, _RESOLUTION, _OFFSET = 1, 9, 14
"""Options of packets, a comment, and of interfaces: unit of their times, and seconds to add."""
_HEAD: Final = 12
"""Bytes of the least block."""
_LONGEST: Final = 2**24
"""Bytes of the longest that Wireshark reads."""
_ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}


class Damage(Exception):
    """A file cannot be read on: from which byte on, and why."""


Place = tuple[int, int, int, int, int]
"""Of a packet in a file: link type, nanoseconds since the epoch, bytes on the wire, where its frame
begins in the file, and how many bytes of it are there; none where they do not say what can be."""

NO_TIME: Final = -(2**63)
"""The time of packets that come without."""


class _Interface(NamedTuple):
    link: int
    longest: int
    """0: any."""
    units: int
    """Of time, in a second."""
    offset: int
    """Seconds."""


def find_in_blocks(content: Content, longest: int) -> Iterator[Place]:
    """The packets of a pcapng file.

    Interfaces may differ in link type and in the unit of time. Blocks without packets are skipped.

    Args:
        content: The file, which begins with a section.
        longest: Most bytes of a frame, captured and on the wire.

    Raises:
        Damage: After the last packet before it.
    """
    interfaces = list[_Interface]()
    for kind, at, end, order in _blocks(content):
        if kind == _SECTION:
            # sections count interfaces of their own
            interfaces = []
        elif kind == _INTERFACE:
            interfaces.append(_interface(content.window, at, end - 4, order))
        elif kind in (_OBSOLETE, _SIMPLE, _ENHANCED):
            yield _place(content, at, order, interfaces, longest)


def find_comments(content: Content) -> Iterator[tuple[int, str]]:
    """Comments of packets in a pcapng file, each with the place of its packet among all packets.

    Raises:
        Damage: After the last comment before it.
    """
    packets = 0
    for kind, at, end, order in _blocks(content):
        if kind == _ENHANCED:
            window = content.window
            (size,) = unpack_from(order + "I", window, at + 20)
            options = _options(window, at + 28 + size + -size % 4, end - 4, order)
            for said in (value for code, value in options if code == _COMMENT):
                yield packets, said.decode(errors="replace")
        packets += kind in (_OBSOLETE, _SIMPLE, _ENHANCED)


def comment_option(comment: str) -> bytes:
    """The options of a packet, little endian, that say a comment; as long as a multiple of 4."""
    said = comment.encode()
    return pack("<HH", _COMMENT, len(said)) + said + bytes(-len(said) % 4) + bytes(4)


def _blocks(content: Content) -> Iterator[tuple[int, int, int, str]]:
    """Blocks of a file, each whole in the window when it comes.

    They are their kinds, where they begin and end in the window, and their order of bytes.

    Raises:
        Damage: After the last one before it.
    """
    at, order = 0, ""
    while (at := _seen(content, at, _HEAD)) < len(content.window):
        if at + _HEAD > len(content.window):
            raise Damage(content.at + at, "a block is cut short")
        if content.window.startswith(BLOCKS, at):
            order = _ORDERS.get(content.window[at + 8 : at + 12], "")
            if not order:
                raise Damage(content.at + at, "a section has no order of bytes")
        kind, size = unpack_from(order + "II", content.window, at)
        if size < _LEAST.get(kind, _HEAD):
            raise Damage(content.at + at, "a block is too short")
        whole = size + -size % 4
        at = _seen(content, at, min(whole, _LONGEST))
        if at + min(whole, _LONGEST) > len(content.window):
            raise Damage(content.at + at, "a block is cut short")
        if whole > _LONGEST:
            raise Damage(content.at + at, "a block is too long")
        end = at + whole
        if unpack_from(order + "I", content.window, end - 4) != (size,):
            raise Damage(content.at + at, "a block has two lengths")
        yield kind, at, end, order
        at = end


def _seen(content: Content, at: int, count: int) -> int:
    """Where in the window a place stands that was in it, once as many bytes are seen from it on."""
    if at + count > len(content.window):
        content.drop(at)
        at = 0
        while count > len(content.window) and content.more():
            pass
    return at


def _interface(window: bytes, at: int, end: int, order: str) -> _Interface:
    """The interface of a block whose body ends there."""
    link, longest = unpack_from(order + "HxxI", window, at + 8)
    units, offset = 10**6, 0
    for code, value in _options(window, at + 16, end, order):
        if code == _RESOLUTION and len(value) == 1:
            exponent = value[0]
            units = 2 ** (exponent & 0x7F) if exponent & 0x80 else 10**exponent
        elif code == _OFFSET and len(value) == 8:
            (offset,) = unpack_from(order + "q", value)
    return _Interface(link, longest, units, offset)


def _options(window: bytes, at: int, end: int, order: str) -> Iterator[tuple[int, bytes]]:
    """Options from one place to another: codes and values."""
    while at + 4 <= end:
        code, size = unpack_from(order + "HH", window, at)
        if code == 0 or at + 4 + size > end:
            return
        yield code, window[at + 4 : at + 4 + size]
        at += 4 + size + -size % 4


def _place(
    content: Content, at: int, order: str, interfaces: list[_Interface], longest: int
) -> Place:
    """The packet of a block."""
    kind, block = unpack_from(order + "II", content.window, at)
    number = high = low = size = 0
    if kind == _SIMPLE:
        before, (length,) = 12, unpack_from(order + "I", content.window, at + 8)
    else:
        form = order + ("HxxIIII" if kind == _OBSOLETE else "IIIII")
        before, (number, high, low, size, length) = 28, unpack_from(form, content.window, at + 8)
    start = content.at + at + before
    nothing = -1, 0, 0, start, 0
    if number >= len(interfaces):
        return nothing
    interface, room = interfaces[number], block - 4 - before
    time_ns = (high << 32 | low) * 10**9 // interface.units + interface.offset * 10**9
    if kind == _SIMPLE:
        size, time_ns = min(length, interface.longest or longest, room), NO_TIME
    can_be = size <= min(room, longest) and length <= longest and NO_TIME <= time_ns < 2**63
    return (interface.link, time_ns, length, start, size) if can_be else nothing
