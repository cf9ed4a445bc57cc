"""Texts that name hosts by their IPv4 addresses, such as `Host: 198.51.100.7`.

Shapes: R texts; E packets.
"""

import re
from ipaddress import IPv4Address
from typing import Final

import numpy as np

from iotflowgen.packets.identity.notations import LETTERWISE, NOTATIONS
from iotflowgen.packets.identity.places import Places
from iotflowgen.recording import Packets, Recording
from iotflowgen.wire import Frames
from iotflowgen.wire.arrays import Integers

__all__ = ["Mentions"]

_PART: Final = rb"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_QUAD: Final = re.compile(rb"\.".join([_PART] * 4))
_SHORTEST, _LONGEST = len("1.1.1.1"), len("255.255.255.255")


class Mentions:
    """Where captured frames name hosts, be it in letters that something hides."""

    def __init__(self, recording: Recording, hosts: Integers) -> None:
        """Look for hosts (any number) in the texts that are known to identify."""
        places = Places.of(recording.references, recording.frames)
        notation = places.notations()
        size = places.text_size[places.mark_text]
        known = (size >= _SHORTEST) & (size <= _LONGEST) & np.isin(notation, (-1, *LETTERWISE))
        some = np.flatnonzero(known)
        some = some[np.argsort(places.mark_packet[some], kind="stable")]
        frames = recording.frames.take(places.mark_packet[some])
        texts = Frames(frames.data, frames.start + places.mark_at[some], size[some]).tolist()
        address = np.array(
            [
                _address(text if way < 0 else _written(text, way, back=True))
                for text, way in zip(texts, notation[some].tolist(), strict=True)
            ],
            np.int64,
        )
        own = np.isin(address, hosts)
        self.address = address[own]
        """(R)"""
        self._notation = notation[some][own]
        self._packet, self._at = places.mark_packet[some][own], places.mark_at[some][own]

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
        columns = (self.address[text], other, self._notation[text])
        for at, old, new, way in zip(begin, *map(np.ndarray.tolist, columns), strict=True):
            said, says = (str(IPv4Address(each)).encode() for each in (old, new))
            if way >= 0:
                said, says = (_written(each, way, back=False) for each in (said, says))
            place = frames.data[at : at + len(said)]
            if len(said) == len(says) and place.tobytes() == said:
                place[:] = np.frombuffer(says, np.uint8)


def _address(text: bytes) -> int:
    """The address that a text is; -1 of others."""
    return int(IPv4Address(text.decode())) if _QUAD.fullmatch(text) else -1


def _written(text: bytes, notation: int, *, back: bool) -> bytes:
    """A text in a notation that writes each letter by itself, or back."""
    known = NOTATIONS[notation]
    data = np.frombuffer(text, np.uint8)
    return (known.decode(data) if back else known.encode(data)).tobytes()
