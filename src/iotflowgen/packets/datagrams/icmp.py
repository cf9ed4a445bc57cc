"""Identifiers and sequence numbers of echoes (RFC 792; RFC 4443, sections 4.1, 4.2), as a codec.

A reply has those of its request. Requests of one program share an identifier, and their sequence
numbers count on. An identifier that recurs in several captures is kept. Others are mostly process
ids, in either byte order, of programs that start at about the same time after each boot: one is
drawn between that of its capture and the next greater one of the same hosts.

Shapes: P captured packets; K echoes; E packets of a block.
"""

from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.codec import columns_of
from iotflowgen.packets.datagrams.exchanges import (
    MessageCodec,
    count_on,
    recurring,
    refer,
    resolve,
    told_of,
)
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.recording import Groups, Packets
from iotflowgen.wire.arrays import Flags, Integers
from iotflowgen.wire.layers import ICMP, ICMP6

__all__ = ["Echoes"]

_REQUESTS: Final = {ICMP: 8, ICMP6: 128}
_REPLIES: Final = {ICMP: 0, ICMP6: 129}
_IDENTIFIER: Final = 4
"""Where it stands in the message; the sequence number is after it."""
_ANY: Final = 2**16
"""How many identifiers there are, and sequence numbers."""


class Echoes(MessageCodec):
    """Echoes by the request that they are, or answer."""

    name: ClassVar[str] = "icmp"

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """What echoes refer to (P).

        Returns:
            Whether one `asks`. Of requests, `program`, how many identifiers were made up since its
            own, -1 if it makes one up; whether it `keeps` that, or the first of how many it is one
            of (`begin`, `spread`), in `little` byte order or not; and the `step` that its sequence
            number counts on, or with which it is the `first`. Of replies, `request`, how many
            requests were made since.
        """
        asks, replies = _kinds(packets, _REQUESTS), _kinds(packets, _REPLIES)
        place = np.flatnonzero(asks | replies)
        echoes = packets.take(place)
        asks, at = asks[place], echoes.layers.transport + _IDENTIFIER
        both = echoes.frames.number(at, 4)
        identifier, number = both >> 16, both & 0xFFFF
        keeps = asks & recurring(identifier, echoes.session)
        asked = np.flatnonzero(asks)
        program, step = np.zeros(len(asks), dtype=np.int32), np.zeros(len(asks), dtype=np.int64)
        of_program = np.ones(len(asked), dtype=bool)
        program[asked] = refer(_hosts(echoes)[asked], identifier[asked], of_program)
        groups = Groups(_hosts(echoes)[asked] << 16 | identifier[asked])
        step[asked] = np.where(
            groups.is_first, 0, number[asked] - groups.previous(number[asked], 0)
        )
        request = refer(_hosts(echoes, asks), both, asks)
        echoes.frames.put(at, 4, 0)
        columns = {"asks": asks, "keeps": keeps, "program": program, "request": request}
        made = np.flatnonzero(asks & (program < 0))
        near = _near(identifier[made], 2 * echoes.outgoing[made] + echoes.layers.is_ip6[made])
        columns |= columns_of(len(asks), made, **near)
        columns |= {"step": step.astype(np.int32), "first": number.astype(np.int32)}
        return told_of(packets, place, **columns)

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:
        """Write identifiers and sequence numbers of new echoes."""
        echoes, told = self.new(packets)
        asks, at = told["asks"], echoes.layers.transport + _IDENTIFIER
        drawn = (noise.words(self.name, echoes.number) >> np.uint64(32)).astype(np.int64)
        asked, requests = np.flatnonzero(asks), {name: each[asks] for name, each in told.items()}
        host, makes = _hosts(echoes)[asked], np.ones(len(asked), dtype=bool)
        spread = np.where(requests["keeps"], 1, requests["spread"].astype(np.int64))
        fresh = (requests["begin"] + (drawn[asked] >> 16) * spread // _ANY) % _ANY
        fresh = np.where(requests["little"], _swapped(fresh), fresh)
        program = requests["program"]
        identifier = resolve(f"{self.name}.program", memory, host, makes, program, fresh)
        step, first = (requests[name].astype(np.int64) for name in ("step", "first"))
        of_program = host << 16 | identifier
        number = count_on(f"{self.name}.number", memory, of_program, step, program < 0, first)
        drawn[asked] = identifier << 16 | number % _ANY
        request = np.where(asks, -1, told["request"])
        both = resolve(self.name, memory, _hosts(echoes, asks), asks, request, drawn)
        echoes.frames.put(at, 4, both)


def _near(identifier: Integers, host: Integers) -> dict[str, NDArray[Any]]:
    """Of which identifiers each may be one (M): the first, how many, and their byte order.

    That order is taken in which those of a host lie closer together.
    """
    begin, spread = identifier.copy(), np.full(len(identifier), _ANY)
    little = np.zeros(len(identifier), dtype=bool)
    for each in np.unique(host):
        of_host = np.flatnonzero(host == each)
        found = []
        for value in (identifier[of_host], _swapped(identifier[of_host])):
            known = np.unique(value)
            gap = np.diff(known)
            if len(gap):
                gap = np.append(gap, int(np.median(gap)))
                found.append((np.log2(gap).sum(), value, gap[np.searchsorted(known, value)]))
        if found:
            little[of_host] = found[1][0] < found[0][0]
            _, begin[of_host], spread[of_host] = min(found, key=lambda each: each[0])
    return {"begin": begin.astype(np.int32), "spread": spread.astype(np.int32), "little": little}


def _swapped(identifier: Integers) -> Integers:
    """In the other byte order."""
    swapped: Integers = identifier >> 8 | (identifier & 0xFF) << 8
    return swapped


def _kinds(packets: Packets, of: dict[int, int]) -> Flags:
    """Whether messages (P) are of a type, by what IP carries."""
    layers = packets.layers
    kind = packets.frames.number(layers.transport, 1)
    whole = layers.end - layers.transport >= _IDENTIFIER + 4
    found: Flags = whole & np.any([(layers.protocol == p) & (kind == k) for p, k in of.items()], 0)
    return found


def _hosts(echoes: Packets, asks: Flags | None = None) -> Integers:
    """Who asks, in each echo (K): the device or others, over IPv4 or IPv6."""
    from_device = echoes.outgoing if asks is None else echoes.outgoing == asks
    return (2 * echoes.session + from_device) * 2 + echoes.layers.is_ip6
