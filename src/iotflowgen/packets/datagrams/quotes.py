"""Packets quoted by ICMP errors (RFC 792; RFC 4443, section 3), as a codec.

A quote is what was sent in place of the captured packet that it quotes. Where that was not sent, it
is what was sent last of its like: between the same ports, and as long. Where there is none of that
either, it is the captured one with other addresses, without what codecs have taken out of it. Its
checksums are computed anew, as far as it holds all that they cover.

Shapes: P captured packets; E packets of a block; Q quotes.
"""

from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.hosts.answers import latest
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise, mixed
from iotflowgen.recording import Packets, Recording
from iotflowgen.wire import (
    Frames,
    Layers,
    copy_ranges,
    dst_port,
    find_layers,
    set_checksums,
    src_port,
)
from iotflowgen.wire.arrays import Flags, Integers
from iotflowgen.wire.layers import ICMP, ICMP6, IP4, IP6

__all__ = ["Quotes", "blank_quotes"]

_ERRORS: Final = {ICMP: (3, 4, 5, 11, 12), ICMP6: (1, 2, 3, 4)}
"""Types of messages that quote."""
_BEFORE: Final = 8
"""Bytes of an error before the packet that it quotes."""
_LINK: Final = 14
"""Bytes of an Ethernet header."""
_IP4_HEADER: Final = 20
_IP6_HEADER: Final = 40


class Quotes:
    """Packets within packets; a codec that comes after all others that write."""

    name: ClassVar[str] = "quotes"

    def __init__(self, recording: Recording) -> None:
        """Find which packets are quoted: errors say themselves what they are."""
        self._quoted = _find_quoted(recording.packets)
        quoted = np.unique(self._quoted[self._quoted >= 0])
        self._like = _likes(recording)
        self._wanted = np.isin(self._like, self._like[quoted])
        self._sent: dict[tuple[int, int], bytes] = {}
        """What was sent last in place of a captured packet that may be quoted, by session."""
        self._sent_alike: dict[tuple[int, int], bytes] = {}
        """What was sent last of a kind, by session."""

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:  # noqa: ARG004
        """Nothing."""
        return {}

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:  # noqa: ARG002
        """Write the quotes of new packets."""
        self._repeat(packets)
        place = np.flatnonzero(packets.is_new & _quotes(packets))
        errors = packets.take(place)
        if not len(errors):
            return
        begin = errors.frames.start + errors.layers.transport + _BEFORE
        quoted = _framed(errors, begin)
        layers = find_layers(quoted)
        said = np.where(
            layers.is_ip4, quoted.number(_LINK + 2, 2), _IP6_HEADER + quoted.number(_LINK + 4, 2)
        )
        set_checksums(quoted, layers)
        # of one that is cut off only the header of IPv4 has all that its checksum covers
        is_whole = _LINK + said <= quoted.size
        size = np.where(is_whole, quoted.size - _LINK, layers.is_ip4 * _IP4_HEADER)
        copy_ranges(quoted.data, quoted.start + _LINK, errors.frames.data, begin, size)

    def _repeat(self, packets: Packets) -> None:
        """Put into quotes what was sent, as much as they have room for."""
        frames, layers = packets.frames, packets.layers
        of_interest = self._wanted[packets.source] | (self._quoted[packets.source] >= 0)
        for row in np.flatnonzero(packets.is_new & of_interest).tolist():
            session, source = int(packets.session[row]), int(packets.source[row])
            first = int(frames.start[row])
            if (quoted := int(self._quoted[source])) >= 0:
                alike = self._sent_alike.get((session, int(self._like[quoted])))
                if said := self._sent.get((session, quoted), alike):
                    begin = first + int(layers.transport[row]) + _BEFORE
                    said = said[: max(0, first + int(layers.end[row]) - begin)]
                    frames.data[begin : begin + len(said)] = np.frombuffer(said, np.uint8)
            if self._wanted[source]:
                whole = slice(first + int(layers.network[row]), first + int(layers.end[row]))
                sent = frames.data[whole].tobytes()
                self._sent[session, source] = sent
                self._sent_alike[session, int(self._like[source])] = sent


def blank_quotes(recording: Recording) -> None:
    """Have quotes hold no more of a payload than the packet that they quote, in place.

    Args:
        recording: Of which codecs have taken out what they write.
    """
    frames, layers = recording.frames, recording.layers
    found = _find_quoted(recording.packets)
    place = np.flatnonzero(found >= 0)
    errors, quoted = recording.packets.take(place), found[place]
    begin = errors.layers.transport + _BEFORE
    into = layers.payload[quoted] - layers.network[quoted]
    room = np.minimum(errors.layers.end - begin, layers.end[quoted] - layers.network[quoted]) - into
    some = np.flatnonzero(layers.has_ports[quoted] & (room > 0))
    source = (frames.start + layers.payload)[quoted[some]]
    target = (errors.frames.start + begin + into)[some]
    copy_ranges(frames.data, source, frames.data, target, room[some])


def _likes(recording: Recording) -> Integers:
    """A number for packets (P) that go the same way between the same ports, and are as long."""
    frames, layers = recording.frames, recording.layers
    ports = src_port(frames, layers), dst_port(frames, layers)
    return mixed(recording.outgoing, layers.protocol, *ports, layers.end - layers.network)


def _find_quoted(packets: Packets) -> Integers:
    """Which packet each error quotes (P): the last one between the same ends; -1 of others."""
    found = np.full(len(packets), -1)
    place = np.flatnonzero(_quotes(packets))
    if not len(place):
        return found
    errors = packets.take(place)
    quoted = _framed(errors, errors.frames.start + errors.layers.transport + _BEFORE)
    captured = _ends(packets.frames, packets.layers, packets.session, packets.outgoing)
    asked = _ends(quoted, find_layers(quoted), errors.session, ~errors.outgoing)
    found[place] = latest(captured, np.arange(len(packets)), asked, place)
    return found


def _ends(frames: Frames, layers: Layers, session: Integers, outgoing: Flags) -> Integers:
    """A number for who sends to whom (P)."""
    ends = (frames.bytes_at(layers.network + np.where(layers.is_ip4, 12, 8), 32)).copy()
    ends[layers.is_ip4, 8:] = 0
    words = ends.view("<i8").T
    ports = src_port(frames, layers), dst_port(frames, layers)
    return mixed(session, outgoing, layers.protocol, *ports, *words)


def _framed(errors: Packets, begin: Integers) -> Frames:
    """What is quoted, from places `begin` of the data on, as Ethernet frames (Q)."""
    size = errors.frames.start + errors.layers.end - begin
    start = np.cumsum(size + _LINK) - size - _LINK
    frames = Frames(np.zeros(int(size.sum()) + _LINK * len(size), np.uint8), start, size + _LINK)
    copy_ranges(errors.frames.data, begin, frames.data, start + _LINK, size)
    frames.put(_LINK - 2, 2, np.where(errors.layers.is_ip4, IP4, IP6))
    return frames


def _quotes(packets: Packets) -> Flags:
    """Errors that quote as much as an IPv4 header at least (E)."""
    layers = packets.layers
    kind = packets.frames.number(layers.transport, 1)
    found = [(layers.protocol == p) & np.isin(kind, kinds) for p, kinds in _ERRORS.items()]
    quotes: Flags = np.any(found, axis=0)
    return quotes & (layers.transport + _BEFORE + _IP4_HEADER <= layers.end)
