"""Capture files with whole nanoseconds: pcap (draft-ietf-opsawg-pcap) and pcapng (-pcapng).

Times never pass through a float, which holds only microseconds. Nothing that a file says of itself
is believed before it is checked. What is written are Ethernet frames, little endian.

Shapes: P packets.
"""

import struct
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.compression import Content
from iotflowgen.errors import UnreadableCapture
from iotflowgen.wire.arrays import Flags, Integers
from iotflowgen.wire.blocks import (
    BLOCKS,
    NO_TIME,
    Damage,
    comment_option,
    find_comments,
    find_in_blocks,
)
from iotflowgen.wire.frames import Frames, copy_ranges

__all__ = [
    "ETHERNET",
    "FORMATS",
    "LATEST_NS",
    "LONGEST_FRAME",
    "MAGIC_NUMBERS",
    "MOST_PACKETS",
    "CaptureFormat",
    "Index",
    "Records",
    "pcapng_bytes",
    "read_comments",
    "read_index",
    "read_indexed",
    "read_records",
    "records_bytes",
]

LONGEST_FRAME: Final = 262_144
"""Bytes of the longest frame that Wireshark reads."""
ETHERNET: Final = 1
"""The link type."""

LATEST_NS: Final = 2**62
"""In 2116: what is later is damage, and what is added to it would not stay within 64 bits."""
MOST_PACKETS: Final = 10**7
"""Packets that are read of a file."""
_TOO_MANY: Final = "there are too many packets (cut the file with editcap -c)"
_PCAP: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
"""Order of bytes and nanoseconds of a unit, by how a file of pcap begins."""
MAGIC_NUMBERS: Final = frozenset({*_PCAP, BLOCKS})
"""First four bytes of the files that are read."""
_FILE, _RECORD = 24, 16
"""Bytes of the header of a file, and of a record."""


class CaptureFormat(NamedTuple):
    """How a capture file is written."""

    header: bytes
    """What the file begins with."""
    end_ns: int
    """The first time that the format cannot hold."""
    in_blocks: bool
    """Records are the blocks of pcapng."""


class Index(NamedTuple):
    """Where the packets of a capture lie in it, in its order."""

    link: Integers
    """(P) link types."""
    time_ns: Integers
    """(P) nanoseconds since the epoch, rounded down; where the format has no room for a time, that
    of the packet before."""
    length: Integers
    """(P) bytes on the wire, at most `LONGEST_FRAME`."""
    start: Integers
    """(P) where what was captured of each begins in the file, unpacked, not falling."""
    size: Integers
    """(P) bytes that were captured."""
    is_sound: Flags
    """(P) whether it can be read: it has bytes, not too many, and a time that can be. What cannot
    is of no bytes here."""
    complaint: str = ""
    """What is wrong with the file; empty if nothing is."""


class Records(NamedTuple):
    """What a capture holds: columns of its `Index`, and frames."""

    link: Integers
    time_ns: Integers
    length: Integers
    frames: Frames
    """What was captured of them (P); `data` cannot be written to."""
    is_sound: Flags
    complaint: str = ""


def read_records(path: Path) -> Records:
    """Read a capture: pcap or pcapng, or either of them packed (`compression`).

    Of one that is damaged or cut short there are the packets before that, and a complaint.

    Raises:
        UnreadableCapture: It cannot be read, or is neither pcap nor pcapng.
    """
    index = read_index(path)
    frames = read_indexed(path, index, np.arange(len(index.size)))
    return Records(*index[:3], frames, *index[5:])


def read_index(path: Path) -> Index:
    """What `read_records` reads, but for the frames: memory does not grow with these.

    Raises:
        UnreadableCapture: It cannot be read, or is neither pcap nor pcapng.
    """
    with _reading(path):
        content = Content(path)
        magic = content.window[:4]
        if magic not in MAGIC_NUMBERS:
            what = content.complaint or "it is not a pcap or pcapng capture"
            raise UnreadableCapture(f"{path}: {what}")
        columns, damage = (_in_blocks if magic == BLOCKS else _in_pcap)(content)
        end = content.find_end()
    link, time_ns, length, start, size = columns
    complaint = content.complaint
    if damage and not complaint:
        at, what = damage.args
        complaint = (
            f"{what} after {len(link)} packets; the last {end - at} of {end} bytes are not read"
        )
    sound = (size > 0) & (length > 0) & (length <= LONGEST_FRAME)
    sound &= (time_ns >= 0) & (time_ns < LATEST_NS)
    complaint = "; ".join(filter(None, [complaint, _of_unsound(~sound)]))
    # a packet is no longer than it was on the wire
    size, length = np.where(sound, np.minimum(size, length), 0), np.where(sound, length, 0)
    return Index(link, time_ns, length, start, size, sound, complaint)


def read_indexed(path: Path, index: Index, which: Integers) -> Frames:
    """Some frames of a capture, packed; they cannot be written to.

    Args:
        path: The capture.
        index: What `read_index` said of it.
        which: (M) places of the packets, rising.

    Raises:
        UnreadableCapture: It cannot be read, or has changed.
    """
    start, size = index.start[which], index.size[which]
    first, end = np.cumsum(size) - size, start + size
    data = np.empty(int(size.sum()), np.uint8)
    done = 0
    with _reading(path):
        content = Content(path)
        while True:
            some = slice(done, int(np.searchsorted(end, content.end, side="right")))
            window = np.frombuffer(content.window, np.uint8)
            copy_ranges(window, start[some] - content.at, data, first[some], size[some])
            done = some.stop
            if done == len(size):
                break
            content.drop(min(len(content.window), int(start[done]) - content.at))
            if not content.more():
                raise UnreadableCapture(f"{path} has changed while it was read; try again")
    data.flags.writeable = False
    return Frames(data, first, size)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnreadableCapture(f"cannot read {path}: {error.strerror or error}") from error


def read_comments(path: Path) -> list[tuple[int, str]]:
    """Comments of packets in a capture, with when each of these came, nanoseconds since the epoch.

    There are none in files of pcap, after damage, and of packets that cannot be read.

    Raises:
        UnreadableCapture: The file cannot be read, or is neither pcap nor pcapng.
    """
    index, found = read_index(path), list[tuple[int, str]]()
    with _reading(path), suppress(Damage):
        content = Content(path)
        for place, said in find_comments(content) if content.window[:4] == BLOCKS else ():
            if place < len(index.time_ns) and index.is_sound[place]:
                found.append((int(index.time_ns[place]), said))
    return found


def records_bytes(
    capture: CaptureFormat,
    time_ns: Integers,
    frames: Frames,
    *,
    length: Integers | None = None,
    interface: Integers | int = 0,
    comments: Mapping[int, str] | None = None,
) -> memoryview:
    """Packets as records of a file.

    Args:
        capture: One of `FORMATS`.
        time_ns: (P) nanoseconds since the epoch, from 0 to below `capture.end_ns`.
        frames: (P) frames of at most `LONGEST_FRAME` bytes.
        length: (P) bytes on the wire; by default the frames are whole.
        interface: (P) which interface each is of, in blocks; by default the first.
        comments: What is said of some packets, in blocks, by their places.
    """
    options = {
        at: comment_option(said) for at, said in (comments or {}).items() if capture.in_blocks
    }
    size = frames.size
    length = size if length is None else length
    fields: tuple[Integers | int, ...]
    if capture.in_blocks:
        # an enhanced packet block
        whole = 32 + size + -size % 4
        whole[[*options]] += np.array([*map(len, options.values())], dtype=np.int64)
        fields = (6, whole, interface, time_ns >> 32, time_ns & 0xFFFFFFFF, size, length)
    else:
        whole = _RECORD + size
        seconds = time_ns // 10**9
        fields = (seconds, time_ns - seconds * 10**9, size, length)
    end = np.cumsum(whole)
    start = end - whole
    data = np.zeros(int(whole.sum()), np.uint8)
    words = np.ndarray((max(0, len(data) - 3),), "<u4", data.data, strides=(1,))
    for i, field in enumerate(fields):
        words[start + 4 * i] = field
    if capture.in_blocks:
        words[end - 4] = whole
    copy_ranges(frames.data, frames.start, data, start + 4 * len(fields), size)
    for at, said in options.items():
        data[end[at] - 4 - len(said) : end[at] - 4] = np.frombuffer(said, np.uint8)
    return data.data


def pcapng_bytes(records: Records, time_ns: Integers, which: Integers) -> tuple[bytes, memoryview]:
    """Some packets of a capture as a pcapng file of any link types: its head, and its records.

    Args:
        records: The capture (P).
        time_ns: (M) when they are to have come.
        which: (M) places of the packets.
    """
    links, interface = np.unique(records.link[which], return_inverse=True)
    head = _block(int.from_bytes(BLOCKS), _SECTION) + b"".join(map(_interface, links.tolist()))
    frames, length = records.frames.take(which), records.length[which]
    form = FORMATS[".pcapng"]
    return head, records_bytes(form, time_ns, frames, length=length, interface=interface)


_Found = tuple[NDArray[np.int64], Damage | None]
"""The first five columns of an `Index`, and what is wrong after the last packet."""


def _in_pcap(content: Content) -> _Found:
    """The packets of pcap."""
    head, parts, damage = content.window[:_FILE], [np.empty((0, 4), np.uint32)], None
    if len(head) < _FILE:
        return np.zeros((5, 0), np.int64), Damage(0, "the header of the file is cut short")
    order, unit_ns = _PCAP[head[:4]]
    content.drop(_FILE)
    try:
        parts.extend(_heads(content, order))
    except Damage as found:
        damage = found
    seconds, fraction, size, length = np.concatenate(parts).T.astype(np.int64)
    del parts
    start = _FILE + np.cumsum(_RECORD + size) - size
    # some write nanoseconds into files of microseconds, and then hardly one is below a million
    is_nanoseconds = (fraction >= 10**6) & (fraction < 10**9)
    if unit_ns == 1000 and 2 * int(is_nanoseconds.sum()) > len(start):
        unit_ns = 1
    time_ns = np.where(fraction * unit_ns < 10**9, seconds * 10**9 + fraction * unit_ns, -1)
    # the upper half may say how long the frame check sequence is
    link = struct.unpack_from(f"{order}20xI", head)[0] & 0xFFFF
    return np.stack([np.full_like(start, link), time_ns, length, start, size]), damage


def _heads(content: Content, order: str) -> Iterator[NDArray[np.uint32]]:
    """What is before frames (., 4), of those together that are in the window together.

    It is seconds, their fraction, bytes that were captured, and bytes on the wire.

    Raises:
        Damage: After the last packet before it.
    """
    sizes = struct.Struct(f"{order}8xI4x").unpack_from
    left, what = MOST_PACKETS, ""
    while not what:
        window, places, at = content.window, array("q"), 0
        end = len(window)
        while at + _RECORD <= end:
            (size,) = sizes(window, at)
            if size > LONGEST_FRAME:
                what = "a packet is too long"
            elif at + _RECORD + size > end:
                break
            elif len(places) == left:
                what = _TOO_MANY
            if what:
                break
            places.append(at)
            at += _RECORD + size
        words = np.ndarray((max(0, end - 3),), f"{order}u4", window, strides=(1,))
        yield words[np.frombuffer(places, np.int64)[:, None] + np.arange(0, _RECORD, 4)]
        left -= len(places)
        content.drop(at)
        if not what and not content.more():
            if not content.window:
                return
            what = "a packet is cut short"
    raise Damage(content.at, what)


def _in_blocks(content: Content) -> _Found:
    """The packets of pcapng."""
    places, damage = array("q"), None
    try:
        for number, place in enumerate(find_in_blocks(content, LONGEST_FRAME)):
            if number == MOST_PACKETS:
                raise Damage(place[3], _TOO_MANY)
            places.extend(place)
    except Damage as found:
        damage = found
    columns = np.ascontiguousarray(np.frombuffer(places, np.int64).reshape(-1, 5).T)
    # without a time of its own, that of the last packet that has one
    last = np.maximum.accumulate(np.where(columns[1] == NO_TIME, -1, np.arange(columns.shape[1])))
    columns[1] = np.where(last < 0, 0, columns[1][last])
    return columns, damage


def _of_unsound(unsound: Flags) -> str:
    """What is to be said of packets (P) that cannot be read."""
    if not (count := int(unsound.sum())):
        return ""
    return (
        f"{count} of {len(unsound)} packets have no bytes, or a length or time that cannot be, and "
        f"are left out: the first is packet {int(unsound.argmax()) + 1}"
    )


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


# 0xA1B23C4D instead of 0xA1B2C3D4: nanoseconds instead of microseconds
_PCAP_HEADER: Final = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, LONGEST_FRAME, ETHERNET)

_SECTION: Final = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)


def _interface(link: int) -> bytes:
    """The block of an interface whose times are nanoseconds."""
    # option 9 (if_tsresol) of one byte, 10^-9 seconds, and the end of the options
    options = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)
    return _block(1, struct.pack("<HHI", link, 0, LONGEST_FRAME) + options)


_PCAPNG_HEADER: Final = _block(int.from_bytes(BLOCKS), _SECTION) + _interface(ETHERNET)

FORMATS: Final = {
    ".pcap": CaptureFormat(_PCAP_HEADER, end_ns=2**32 * 10**9, in_blocks=False),
    ".pcapng": CaptureFormat(_PCAPNG_HEADER, end_ns=2**63, in_blocks=True),
}
"""Capture formats by the suffix of the file."""
