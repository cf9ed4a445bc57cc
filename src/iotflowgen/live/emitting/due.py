"""Frames that are due, as they go from the process that composes to the one that emits.

Each list is one message of a socket that keeps the borders of messages (SOCK_SEQPACKET). It is read
without numpy, so that the process that emits starts at once and stays small.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

__all__ = ["MOST_BYTES", "DueFrame", "Message", "decode", "encode", "mark_of"]

MOST_BYTES: Final = 2**16
"""Of a message; the buffer of a socket holds some of them."""

_SHORTEST: Final = 60
"""Bytes of an Ethernet frame, to which network cards pad."""
_ABOUT: Final = struct.Struct("<qI")
_HEAD: Final = struct.Struct("<qIHBx")


class DueFrame(NamedTuple):
    """A frame, when it is to be sent, and where."""

    due_ns: int
    """Of the clock that never jumps (CLOCK_MONOTONIC), nanoseconds."""
    decoy: int
    """Whose traffic it is: the place of the decoy in its home."""
    far: bool
    """Sent by a peer of the decoy, where the gateway is; otherwise by the decoy itself."""
    frame: bytes
    """Ethernet, without its check sequence."""


class Message(NamedTuple):
    """Frames on their way, in the order in which they are due, in bytes until each is."""

    last_ns: int
    """When the last one is due."""
    length: int
    """Of frames."""
    frames: bytes

    def next(self, at: int) -> tuple[DueFrame, int]:
        """The frame that begins at a byte, and where the next one does."""
        due_ns, decoy, size, far = _HEAD.unpack_from(self.frames, at)
        begin = at + _HEAD.size
        end = begin + size
        return DueFrame(due_ns, decoy, bool(far), self.frames[begin:end]), end


def encode(frames: Sequence[DueFrame]) -> Iterator[bytes]:
    """Messages of at most `MOST_BYTES`; frames are in the order in which they are due."""
    parts: list[bytes] = []
    size = last_ns = 0
    for each in frames:
        more = _HEAD.size + len(each.frame)
        if parts and _ABOUT.size + size + more > MOST_BYTES:
            yield _ABOUT.pack(last_ns, len(parts) // 2) + b"".join(parts)
            parts, size = [], 0
        parts += [_HEAD.pack(each.due_ns, each.decoy, len(each.frame), each.far), each.frame]
        size, last_ns = size + more, each.due_ns
    if parts:
        yield _ABOUT.pack(last_ns, len(parts) // 2) + b"".join(parts)


def decode(message: bytes) -> Message:
    """What was encoded."""
    last_ns, length = _ABOUT.unpack_from(message)
    return Message(last_ns, length, message[_ABOUT.size :])


def mark_of(frame: bytes) -> bytes:
    """What announces a frame: the same before it is sent and after it came, padded or not."""
    return zlib.crc32(frame.ljust(_SHORTEST, b"\0")).to_bytes(4)
