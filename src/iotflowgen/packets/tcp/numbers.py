"""Sequence and acknowledgment numbers and SACK blocks of packets (RFC 9293, 2018), as a codec.

Shapes: P captured packets; E packets of a block; T of them with TCP.
"""

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.codec import columns_of
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise, mixed
from iotflowgen.packets.tcp.initial import InitialNumbers, refer
from iotflowgen.packets.tcp.number_spaces import Mentions
from iotflowgen.packets.tcp.segments import read_numbers, write_numbers
from iotflowgen.packets.tcp.sequence import (
    Numbers,
    References,
    decode,
    encode,
    initial_numbers,
)
from iotflowgen.recording import Groups, Packets, Recording, once
from iotflowgen.wire import payload_size
from iotflowgen.wire.arrays import Integers

__all__ = ["SequenceNumbers", "find_references"]

_INITIAL = "initial."
_ANCHOR = "tcp.line"
"""Where lines begin of which not all segments are remembered."""


class SequenceNumbers:
    """Sequence and acknowledgment numbers, by what was sent in their connection."""

    name: ClassVar[str] = "tcp"

    def __init__(self, recording: Recording) -> None:
        """Take the references of all packets (P)."""
        found = recording.of(self.name)
        self._references = References(**{f.name: found[f.name] for f in fields(References)})
        own = {k.removeprefix(_INITIAL): v for k, v in found.items() if k.startswith(_INITIAL)}
        self._initial = InitialNumbers(recording, own)

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """The fields of `References`, each (P, ...), and with a prefix what `initial` has.

        They say nothing of other packets than TCP's.
        """
        tcp, numbers, references = find_references(packets)
        _blank(packets.take(tcp), numbers)
        initial = refer(packets, tcp, numbers.sequence)
        columns = {_INITIAL + name: column for name, column in initial.items()}
        return columns | columns_of(len(packets), tcp, **vars(references))

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:
        """Write the numbers of segments, and set the position of each payload in its stream."""
        tcp = np.flatnonzero(packets.layers.is_tcp)
        segments = packets.take(tcp)
        columns = {f.name: getattr(self._references, f.name) for f in fields(References)}
        told = References(**{name: column[segments.source] for name, column in columns.items()})
        said = read_numbers(segments.frames, segments.layers)
        mentions = Mentions(segments.flow, segments.outgoing, said.acknowledges, told.renews)
        own = 2 * segments.flow + segments.outgoing
        line, first = mentions.of(own, own ^ 1), mentions.first
        row, is_own = mentions.rows[first] // 2, mentions.rows[first] % 2 == 0
        begun = self._initial.draw(packets, tcp[row], is_own, line[first], memory, noise)
        is_anew = is_own & told.renews[row] & segments.is_new[row]
        begun = np.where(is_anew, begun, memory.recall(_ANCHOR, line[first], begun))
        initial = mentions.pairs(mentions.spread(begun))
        numbers, last = decode(
            mentions,
            told,
            said.acknowledges,
            said.opens,
            said.taken,
            initial,
        )
        write_numbers(segments.frames, segments.layers, numbers)
        _place(packets, tcp, numbers, initial[:, 0], told)
        # later segments know a line from the first one on that is remembered, or from its end
        kept = mentions.kept(segments.stays)
        memory.keep(_ANCHOR, line[kept], mentions.of(last[:, 0], last[:, 1])[kept])


@once
def find_references(packets: Packets) -> tuple[Integers, Numbers, References]:
    """What numbers of captured packets refer to; says where in its stream each payload lies.

    Returns:
        Which packets are segments (T), their numbers, and what these refer to.
    """
    tcp = np.flatnonzero(packets.layers.is_tcp)
    segments = packets.take(tcp)
    numbers = read_numbers(segments.frames, segments.layers)
    references = encode(segments.flow, segments.outgoing, numbers)
    first = initial_numbers(segments.flow, segments.outgoing, numbers, references)
    _place(packets, tcp, numbers, first[:, 0], references)
    return tcp, numbers, references


def _place(
    packets: Packets, tcp: Integers, numbers: Numbers, first: Integers, told: References
) -> None:
    """Set the position of each payload in its stream, and which segment first had it."""
    position = (numbers.sequence - first) % 2**32
    packets.position[tcp] = position
    has = np.flatnonzero(payload_size(packets.layers.take(tcp)) > 0)
    own = 2 * packets.flow[tcp[has]] + packets.outgoing[tcp[has]]
    groups = Groups(mixed(own, position[has]))
    original = tcp[has][groups.latest(groups.is_first)]
    again = ~told.advances[has, 0]
    packets.original[tcp[has[again]]] = original[again]


def _blank(segments: Packets, numbers: Numbers) -> None:
    """Leave zeros where numbers are."""
    none = np.zeros_like(numbers.sequence)
    blocks = np.where(numbers.blocks >= 0, 0, -1)
    blank = Numbers(
        sequence=none,
        acknowledgment=none,
        acknowledges=np.ones_like(numbers.acknowledges),
        opens=numbers.opens,
        taken=numbers.taken,
        blocks=blocks,
    )
    write_numbers(segments.frames, segments.layers, blank)
