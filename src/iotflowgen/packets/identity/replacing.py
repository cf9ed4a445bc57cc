"""Many texts in frames replaced at once by others of the same length.

There may be thousands of texts and a hundred thousand frames: texts are searched by their first
bytes.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.wire import Frames

__all__ = ["replace_all", "replace_tails"]

_HEAD: Final = 4
"""Bytes by which texts are sought; shorter ones, such as `::9`, would be found everywhere."""
_BITS: Final = 20
_BLOCK: Final = 2**16
"""Bytes in which texts are sought at once: what is computed of them stays in the cache."""
_IS_HEX: Final = {bytes([digit]) for digit in b"0123456789ABCDEFabcdef"}
_POINTER: Final = 0xC0

_Other = Callable[[bytes, int, int, int, int], bytes]
"""What to put, given what stands for a text, where its frame begins, where it begins and ends, and
where its frame ends; nothing to leave it as it is."""


def replace_all(frames: Frames, pairs: Mapping[bytes, bytes]) -> None:
    """Put others in the place of the keys, the longest first where several begin.

    Args:
        frames: One after another in `data`, which is writable.
        pairs: By what is to be found, what to put there, as many bytes; fewer than 4 are let be.
    """
    text = frames.data.tobytes()

    def other(new: bytes, _begin: int, at: int, stop: int, end: int) -> bytes:
        # an address that is a pointer to a name and a type in a record of DNS, whose class is next
        may_point = stop - at == 4 and text[at] >= _POINTER and not text[at + 2]
        return b"" if may_point and text[stop : min(stop + 2, end)] == b"\0\1" else new

    _replace(frames, text, pairs, other)


def replace_tails(frames: Frames, pairs: Mapping[bytes, bytes]) -> None:
    """Replace ends of MAC addresses where they stand by themselves, as in `plug-3f2a`.

    Args:
        frames: One after another in `data`, which is writable.
        pairs: Hexadecimal digits in lower case, and as many to put there; both may be in capitals.
    """
    text = frames.data.tobytes()

    def other(new: bytes, begin: int, at: int, stop: int, end: int) -> bytes:
        before = text[max(begin, at - 1) : at]
        after, then = text[stop : min(stop + 1, end)], text[stop + 1 : min(stop + 2, end)]
        # after the name of a host DHCP mostly has the option 55, which looks like a 7
        is_option = after == b"7" and b"\0" < then < b" "
        if before in _IS_HEX or (after in _IS_HEX and not is_option):
            return b""
        found = text[at:stop]
        return new if found == found.lower() else new.upper()

    _replace(frames, text.lower(), pairs, other)


def _replace(frames: Frames, text: bytes, pairs: Mapping[bytes, bytes], other: _Other) -> None:
    """From the first on, put others in the place of what stands in a text, the data of frames."""
    sizes: dict[bytes, list[int]] = {}
    for size, head in sorted({(len(key), key[:_HEAD]) for key in pairs}, reverse=True):
        if size >= _HEAD:
            sizes.setdefault(head, []).append(size)
    data, done = frames.data.data, 0
    for at, begin, end in _candidates(frames, text, [*sizes]):
        if at < done:
            continue
        for size in sizes.get(text[at : at + _HEAD], ()):
            stop = at + size
            new = pairs.get(text[at:stop])
            if new and stop <= end and (new := other(new, begin, at, stop, end)):
                data[at:stop], done = new, stop
                break


def _candidates(frames: Frames, text: bytes, heads: list[bytes]) -> Iterator[tuple[int, int, int]]:
    """Places at which one of the heads may stand, and where their frames begin and end."""
    if not heads or len(text) < _HEAD:
        return
    starts = np.ndarray((len(text) - _HEAD + 1,), np.uint32, text, strides=(1,))
    known = np.zeros(2**_BITS, np.bool_)
    known[_hashes(np.frombuffer(b"".join(heads), np.uint32))] = True
    for low in range(0, len(starts), _BLOCK):
        at = low + np.flatnonzero(known[_hashes(starts[low : low + _BLOCK])])
        frame = np.searchsorted(frames.start, at, side="right") - 1
        begin, end = frames.start[frame], frames.start[frame] + frames.size[frame]
        yield from zip(at.tolist(), begin.tolist(), end.tolist(), strict=True)


def _hashes(heads: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Numbers of `_BITS` bits for first bytes: the same for the same."""
    hashes: NDArray[np.uint32] = (heads * np.uint32(0x9E3779B1)) >> np.uint32(32 - _BITS)
    return hashes
