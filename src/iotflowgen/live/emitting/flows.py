"""Flows of what is sent, counted frame by frame where it is sent: quick, and without numpy."""

from collections.abc import Collection
from itertools import islice
from typing import Any

__all__ = ["Flows", "key_of"]

_VLAN, _IP4, _IP6 = b"\x81\x00", b"\x08\x00", b"\x86\xdd"
_TCP, _UDP = 6, 17


def key_of(frame: bytes, *, swap: bool = False) -> tuple[bytes, int, int, int]:
    """Which flow a frame is of, with payload and flags.

    Args:
        frame: Ethernet.
        swap: Whether the end that it goes to is to stand first.

    Returns:
        EtherType and what IP carries; then address and port of each end: 6, 4 or 16 bytes, and 2.
        How many bytes behind the link layer, how many of payload, and the flags of TCP.
    """
    at = 18 if frame[12:14] == _VLAN else 14
    kind = frame[at - 2 : at]
    if kind == _IP4:
        protocol, width, first = frame[at + 9], 4, at + 12
        body, end = at + 4 * (frame[at] & 15), at + int.from_bytes(frame[at + 2 : at + 4])
    elif kind == _IP6:
        protocol, width, first = frame[at + 6], 16, at + 8
        body, end = at + 40, at + 40 + int.from_bytes(frame[at + 4 : at + 6])
    else:
        ends = frame[6:12] + b"\0\0", frame[:6] + b"\0\0"
        size = len(frame) - at
        return kind + b"\0" + b"".join(ends[::-1] if swap else ends), size, size, 0
    flags, ports = 0, b"\0\0\0\0"
    if protocol in (_TCP, _UDP):
        ports = frame[body : body + 4].ljust(4, b"\0")
        if protocol == _TCP and len(frame) > body + 13:
            flags = frame[body + 13]
            body += 4 * (frame[body + 12] >> 4)
        else:
            body += 8
    source, target = frame[first : first + width], frame[first + width : first + 2 * width]
    ends = source + ports[:2], target + ports[2:]
    key = kind + bytes([protocol]) + b"".join(ends[::-1] if swap else ends)
    return key, end - at, max(0, end - body), flags


class Flows:
    """What was sent of each flow since it was told last."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, bytes], list[int]] = {}
        self._before: list[list[Any]] = []
        """What was sent before the clock was set back."""

    def add(self, decoy: int, far: bool, frame: bytes, time_ns: int) -> None:
        """A frame was sent."""
        key, size, payload, flags = key_of(frame, swap=far)
        counts = self._found.get((decoy, key))
        if counts is not None and time_ns < counts[1]:
            self._before.append([decoy, key.hex(), *counts])
            counts = None
        if counts is None:
            # first and last time, who began, and packets, bytes, payload and flags of each end
            counts = self._found[decoy, key] = [time_ns, 0, far, 0, 0, 0, 0, 0, 0, 0, 0]
        counts[1] = time_ns
        end = 7 if far else 3
        counts[end] += 1
        counts[end + 1] += size
        counts[end + 2] += payload
        counts[end + 3] |= flags

    def take(self, most: int | None = None, of: Collection[int] | None = None) -> list[list[Any]]:
        """Those that were seen first, in types that JSON has; they are counted anew from here on.

        Args:
            most: So many; by default all.
            of: Of these decoys; by default of all.
        """
        wanted = (flow for flow in self._found if of is None or flow[0] in of)
        found, self._before = self._before, []
        for decoy, key in [*islice(wanted, most)]:
            found.append([decoy, key.hex(), *self._found.pop((decoy, key))])
        return found
