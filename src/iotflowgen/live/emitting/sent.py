"""What one process sends, as another one reads it: a ring of memory that both have.

Who answers is to know what decoys have said, and what comes from them at the far end, before it
looks at what others say. It does not have to wake up for that.
"""

import mmap
import os
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from iotflowgen.live.emitting.due import mark_of

__all__ = ["Sent", "SentFrame", "ring"]

_BYTES: Final = 2**22
"""What is sent in a tenth of a second at the highest rate, and more."""
_COUNT: Final = struct.Struct("<Q")
_HEAD: Final = struct.Struct("<QHB")
"""Where it stands in all that was written, how long it is, and whether of the far end."""
_BEGIN: Final = _COUNT.size


class SentFrame(NamedTuple):
    """A frame that is sent."""

    far: bool
    frame: bytes
    """Of the near end the frame, of the far end its mark."""


def ring() -> int:
    """A file in memory, of which both processes get a `Sent`."""
    file = os.memfd_create("sent")
    os.ftruncate(file, _BEGIN + _BYTES)
    return file


class Sent:
    """The ring: one process adds, another one reads.

    Args:
        file: The one in memory.
    """

    def __init__(self, file: int) -> None:
        self._memory = mmap.mmap(file, _BEGIN + _BYTES)
        self._at = self._count()

    def _count(self) -> int:
        """Bytes that were ever written."""
        count: int = _COUNT.unpack_from(self._memory)[0]
        return count

    def add(self, frame: bytes, *, far: bool) -> None:
        """Have the other one know of a frame that is about to be sent."""
        words = mark_of(frame) if far else frame
        at = self._at + _room(self._at, _HEAD.size + len(words))
        place = _BEGIN + at % _BYTES
        end = place + _HEAD.size
        self._memory[end : end + len(words)] = words
        _HEAD.pack_into(self._memory, place, at, len(words), far)
        self._at = at + _HEAD.size + len(words)
        _COUNT.pack_into(self._memory, 0, self._at)

    def read(self) -> Iterator[SentFrame]:
        """What was added since; without what has been written over, if that was too long ago."""
        count = self._count()
        while self._at < count:
            at = self._at + _room(self._at, _HEAD.size)
            place = _BEGIN + at % _BYTES
            stands, size, far = _HEAD.unpack_from(self._memory, place)
            if stands != at:
                # the rest of the ring was too short for it
                at += _BYTES - at % _BYTES
                place = _BEGIN
                stands, size, far = _HEAD.unpack_from(self._memory, place)
            end = place + _HEAD.size
            words = self._memory[end : end + size]
            if stands != at or self._count() - at > _BYTES:
                self._at = self._count()
                return
            self._at = at + _HEAD.size + size
            yield SentFrame(bool(far), words)


def _room(at: int, size: int) -> int:
    """Bytes that are skipped so that so many are in one piece."""
    left = _BYTES - at % _BYTES
    return left if left < size else 0
