"""Many texts sought at once, by their first bytes: there may be thousands in megabytes.

Shapes: B bytes.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_all", "rarity"]

_LONG, _SHORT = 8, 4
"""Bytes by which texts are sought; shorter ones, such as `::9`, would be found everywhere."""
_BITS: Final = 20
_BLOCK: Final = 2**16
"""Bytes in which texts are sought at once: what is computed of them stays in the cache."""


def find_all(data: bytes, texts: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Where texts of at least 4 bytes stand in data: each, from the first place on."""
    those = {*texts}
    yield from _find(data, (text for text in those if len(text) >= _LONG), _LONG)
    yield from _find(data, (text for text in those if _SHORT <= len(text) < _LONG), _SHORT)


def _find(data: bytes, texts: Iterable[bytes], size: int) -> Iterator[tuple[int, bytes]]:
    """Find texts of at least so many bytes."""
    by_head: dict[bytes, list[bytes]] = {}
    for text in texts:
        by_head.setdefault(text[:size], []).append(text)
    if not by_head or len(data) < size:
        return
    starts = np.ndarray((len(data) - size + 1,), f"<u{size}", data, strides=(1,))
    known = np.zeros(2**_BITS, np.bool_)
    known[_hashes(np.frombuffer(b"".join(by_head), f"<u{size}"))] = True
    for low in range(0, len(starts), _BLOCK):
        for at in (low + np.flatnonzero(known[_hashes(starts[low : low + _BLOCK])])).tolist():
            for text in by_head.get(data[at : at + size], ()):
                if data.startswith(text, at):
                    yield at, text


def rarity(data: bytes) -> NDArray[np.float64]:
    """How improbable each byte (256) is in data, in bits."""
    count = np.bincount(np.frombuffer(data, np.uint8), minlength=256) + 1
    found: NDArray[np.float64] = np.log2(count.sum() / count)
    return found


def _hashes(heads: NDArray[Any]) -> NDArray[np.uint64]:
    """Numbers of `_BITS` bits for first bytes: the same for the same."""
    wide = heads.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    hashes: NDArray[np.uint64] = wide >> np.uint64(64 - _BITS)
    return hashes
