"""Checksums of packets quoted by ICMP errors (RFC 792; RFC 4443, section 3), as a codec.

A quote is the captured packet with other addresses, so its checksums are computed anew, as far as
it holds all that they cover.

Shapes: P captured packets; E packets of a block; Q quotes.
"""

from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.recording import Packets, Recording
from iotflowgen.wire import Frames, copy_ranges, find_layers, set_checksums
from iotflowgen.wire.arrays import Flags, Integers
from iotflowgen.wire.layers import ICMP, ICMP6, IP4, IP6

__all__ = ["Quotes"]

_ERRORS: Final = {ICMP: (3, 4, 5, 11, 12), ICMP6: (1, 2, 3, 4)}
"""Types of messages that quote."""
_BEFORE: Final = 8
"""Bytes of an error before the packet that it quotes."""
_LINK: Final = 14
"""Bytes of an Ethernet header."""
_IP4_HEADER: Final = 20
_IP6_HEADER: Final = 40


class Quotes:
    """Packets within packets; a codec that comes after all that write addresses."""

    name: ClassVar[str] = "quotes"

    def __init__(self, recording: Recording) -> None:
        """Take nothing: errors say themselves what they are."""

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:  # noqa: ARG004
        """Nothing."""
        return {}

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:  # noqa: ARG002
        """Write the checksums in quotes of new packets."""
        errors = packets.take(np.flatnonzero(packets.is_new & _quotes(packets)))
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
