"""Texts that name hosts by their IPv4 addresses, such as `Host: 198.51.100.7`.

Shapes: R texts; E packets.
"""

import re
from ipaddress import IPv4Address

import numpy as np

from iotflowgen.recording import Packets
from iotflowgen.wire import Frames
from iotflowgen.wire.arrays import Integers

__all__ = ["Mentions"]

_PART = rb"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_QUAD = re.compile(rb"(?<![0-9.])" + rb"\.".join([_PART] * 4) + rb"(?![0-9.])")


class Mentions:
    """Where captured frames name hosts."""

    def __init__(self, frames: Frames, hosts: Integers) -> None:
        """Look for hosts (any number) in frames that lie one after another."""
        found = [match.span() for match in _QUAD.finditer(frames.data.data)]
        begin, end = np.array(found, dtype=np.int64).reshape(-1, 2).T
        address = np.array(
            [int(IPv4Address(frames.data[a:b].tobytes().decode())) for a, b in found], np.int64
        )
        packet = np.searchsorted(frames.start, begin, side="right") - 1
        inside = end <= (frames.start + frames.size)[packet]
        own = np.flatnonzero(inside & np.isin(address, hosts))
        self.address = address[own]
        """(R)"""
        self._packet = packet[own]
        self._at = (begin - frames.start[packet])[own]

    def of(self, source: Integers) -> tuple[Integers, Integers]:
        """Texts in packets that repeat captured ones (E): which packet each is of, and which it is.

        Both have as many rows as there are such texts.
        """
        first = np.searchsorted(self._packet, source)
        count = np.searchsorted(self._packet, source, side="right") - first
        which = np.repeat(np.arange(len(source)), count)
        return which, np.repeat(first - np.cumsum(count) + count, count) + np.arange(len(which))

    def rename(self, packets: Packets, which: Integers, text: Integers, other: Integers) -> None:
        """Let texts, as `of` gives them, name other hosts, where they stand and are as long."""
        frames = packets.frames
        begin = (frames.start[which] + self._at[text]).tolist()
        for at, old, new in zip(begin, self.address[text].tolist(), other.tolist(), strict=True):
            said, says = (str(IPv4Address(each)).encode() for each in (old, new))
            place = frames.data[at : at + len(said)]
            if len(said) == len(says) and place.tobytes() == said:
                place[:] = np.frombuffer(says, np.uint8)
