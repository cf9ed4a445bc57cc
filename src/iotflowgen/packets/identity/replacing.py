"""Texts in frames replaced by others of the same length, all at once.

There may be thousands of them, in a hundred thousand frames: they are sought by their first bytes.

Shapes: P packets, C candidates, M matches.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire import Frames
from iotflowgen.wire.arrays import Bytes, Flags, Integers
from iotflowgen.wire.frames import copy_ranges

__all__ = ["SHORTEST", "replace_all", "replace_tails"]

SHORTEST: Final = 4
"""Bytes that a text has at least."""
_BITS: Final = 20
_BLOCK: Final = 2**16
"""Bytes in which texts are sought at once: what is computed of them stays in the cache."""
_LOWER: Final = np.frombuffer(bytes(range(256)).lower(), np.uint8)
_IS_HEX: Final = np.isin(np.arange(256), list(b"0123456789ABCDEFabcdef"))
_POINTER: Final = 0xC0


class _Matches(NamedTuple):
    """Where texts stand, by place."""

    at: Integers
    """(M) where each begins in the data."""
    key: Integers
    """(M) which text it is."""
    size: Integers
    """(M) bytes of it."""
    begin: Integers
    """(M) where its frame begins."""
    end: Integers
    """(M) where its frame ends."""

    def where(self, chosen: NDArray[Any]) -> "_Matches":
        return _Matches(*(column[chosen] for column in self))


def replace_all(frames: Frames, pairs: Mapping[bytes, bytes]) -> None:
    """Put others in the place of the keys, the longest first where several begin.

    Args:
        frames: One after another in `data`, which is writable.
        pairs: By what is to be found, at least `SHORTEST` bytes, what to put there, as many.
    """
    found = _find(frames, [*pairs])
    found = found.where(~_points(frames.data, found, [*map(_may_point, pairs)]))
    _write(frames, _first(found), [*pairs.values()])


def replace_tails(frames: Frames, pairs: Mapping[bytes, bytes]) -> None:
    """Replace ends of MAC addresses where they stand by themselves, as in `plug-3f2a`.

    Args:
        frames: One after another in `data`, which is writable.
        pairs: Hexadecimal digits in lower case, and as many to put there; both may be in capitals.
    """
    data = frames.data
    lower = _LOWER[data]
    found = _find(Frames(lower, frames.start, frames.size), [*pairs])
    before = _byte(data, found.at - 1, found.at > found.begin)
    after, then = (
        _byte(data, found.at + found.size + i, found.at + found.size + i < found.end)
        for i in (0, 1)
    )
    # after the name of a host DHCP mostly has the option 55, which looks like a 7
    is_option = (after == ord("7")) & (then > 0) & (then < ord(" "))
    found = _first(found.where(~_IS_HEX[before] & (~_IS_HEX[after] | is_option)))
    capitals = np.append(0, np.cumsum(data != lower))
    is_upper = capitals[found.at + found.size] > capitals[found.at]
    spelt = [*pairs.values(), *map(bytes.upper, pairs.values())]
    _write(frames, found._replace(key=found.key + len(pairs) * is_upper), spelt)


def _find(frames: Frames, keys: Sequence[bytes]) -> _Matches:
    """Wherever one of the keys stands within a frame; they may overlap."""
    data = frames.data
    if not keys or len(data) < SHORTEST:
        return _Matches(*np.empty((5, 0), np.int64))
    starts: NDArray[np.uint32] = np.ndarray(
        (len(data) - SHORTEST + 1,), np.uint32, data.data, strides=(1,)
    )
    heads = np.frombuffer(b"".join(key[:SHORTEST] for key in keys), np.uint32)
    known = np.zeros(2**_BITS, np.bool_)
    known[_hash(heads)] = True
    places = [
        low + np.flatnonzero(known[_hash(starts[low : low + _BLOCK])])
        for low in range(0, len(starts), _BLOCK)
    ]
    at = np.concatenate([np.empty(0, np.int64), *places])
    at = at[np.argsort(starts[at], kind="stable")]
    frame = np.searchsorted(frames.start, at, side="right") - 1
    begin, end = frames.start[frame], frames.start[frame] + frames.size[frame]
    bounds = (np.searchsorted(starts[at], heads, side).tolist() for side in ("left", "right"))
    found = []
    for key, low, high in zip(keys, *bounds, strict=True):
        some = low + np.flatnonzero(at[low:high] + len(key) <= end[low:high])
        # many may begin alike: few end so as well, and of these alone all bytes are compared
        last = np.frombuffer(key[-SHORTEST:], np.uint32)
        some = some[starts[at[some] + len(key) - SHORTEST] == last]
        if len(some):
            there = data[at[some, None] + np.arange(len(key))]
            some = some[(there == np.frombuffer(key, np.uint8)).all(axis=1)]
        found.append(some)
    which = np.concatenate([np.empty(0, np.int64), *found])
    key = np.repeat(np.arange(len(keys)), [*map(len, found)])
    size = np.fromiter(map(len, keys), np.int64, len(keys))[key]
    return _Matches(at[which], key, size, begin[which], end[which])


def _hash(heads: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Numbers of `_BITS` bits for first bytes (C): the same for the same."""
    hashes: NDArray[np.uint32] = (heads * np.uint32(0x9E3779B1)) >> np.uint32(32 - _BITS)
    return hashes


def _first(found: _Matches) -> _Matches:
    """Those that are left when, from the first on, each takes its place, before others the longest.

    Where none overlap, these are all.
    """
    found = found.where(np.lexsort((-found.size, found.at)))
    kept, done = np.zeros(len(found.at), np.bool_), 0
    for i, (at, size) in enumerate(zip(found.at.tolist(), found.size.tolist(), strict=True)):
        if at >= done:
            kept[i] = True
            done = at + size
    return found.where(kept)


def _write(frames: Frames, found: _Matches, texts: Sequence[bytes]) -> None:
    """Put the texts where matches are."""
    new = Frames.of(texts)
    copy_ranges(new.data, new.start[found.key], frames.data, found.at, found.size)


def _may_point(address: bytes) -> bool:
    """Whether an IPv4 address looks like a pointer to a name, and a type (RFC 1035)."""
    return len(address) == 4 and address[0] >= _POINTER and not address[2]


def _points(data: Bytes, found: _Matches, may: Sequence[bool]) -> Flags:
    """Whether matches (M) are pointers and types in a record of DNS, whose class comes next."""
    after = found.at + found.size
    high, low = (_byte(data, after + i, after + 1 < found.end) for i in (0, 1))
    is_class: Flags = (after + 1 < found.end) & (high == 0) & (low == 1)
    return is_class & np.array(may, np.bool_)[found.key]


def _byte(data: Bytes, at: Integers, inside: Flags) -> Bytes:
    """Bytes (M) at places in the data; 0 where one is not inside."""
    if not len(data):
        return np.zeros(len(at), np.uint8)
    return np.where(inside, data[np.where(inside, at, 0)], np.uint8(0))
