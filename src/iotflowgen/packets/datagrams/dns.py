"""Ids of DNS messages (RFC 1035, section 4.1.1), as a codec.

A response has the id of its query, a repeated query mostly the one it had before. Other queries
have random ids, or count on from the previous one, or have the same few in each capture, as of
programs that count from their start.

Shapes: P captured packets; D messages; E packets of a block.
"""

from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.datagrams.exchanges import MessageCodec, count_on, refer, resolve, told_of
from iotflowgen.packets.datagrams.lookups import find_lookups
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.recording import Groups, Packets
from iotflowgen.wire import dst_port, src_port
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["DnsIds"]

_NEAR: Final = 16
_MOSTLY: Final = 0.6
"""Share of steps up to `_NEAR` from which on ids count; at random there are hardly any."""
_RESPONSE: Final = 0x8000
_MIXER: Final = 0x9E3779B97F4A7C1


class DnsIds(MessageCodec):
    """Ids by the question that they are of."""

    name: ClassVar[str] = "dns"

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """What ids refer to (P).

        Returns:
            `question`, a number for what a message asks or answers; `back`, how many ids were made
            up since for that question between its two ports, -1 for one of its own. Of these,
            `step` from the one before, where they count, else 0; and whether it `keeps` its id,
            which stays in the frame.
        """
        lookups = find_lookups(packets.frames, packets.layers, packets.protocols)
        asks, question, messages = lookups.asks, lookups.question, packets.take(lookups.place)
        back = refer(_exchanges(messages, question), lookups.id, asks)
        own = np.flatnonzero(asks & (back < 0))
        step, keeps = np.zeros(len(asks), dtype=np.int8), np.zeros(len(asks), dtype=bool)
        step[own] = _steps(lookups.id[own], messages.take(own))
        keeps[own] = (step[own] == 0) & _repeats(lookups.id[own], question[own])
        messages.frames.put(messages.layers.payload, 2, 0, ~keeps)
        place = lookups.place
        return told_of(packets, place, question=question, back=back, step=step, keeps=keeps)

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:
        """Write the ids of new messages."""
        messages, told = self.new(packets)
        frames, payload, back = messages.frames, messages.layers.payload, told["back"]
        asks = frames.number(payload + 2, 2) & _RESPONSE == 0
        drawn = (noise.words(self.name, messages.number) >> np.uint64(48)).astype(np.int64)
        fresh = np.where(told["keeps"], frames.number(payload, 2), drawn)
        own = np.flatnonzero(asks & (back < 0))
        step, who = told["step"][own].astype(np.int64), _askers(messages)[own]
        counted = count_on(f"{self.name}.last", memory, who, step, step == 0, fresh[own])
        fresh[own] = counted % 2**16
        exchange = _exchanges(messages, told["question"])
        frames.put(payload, 2, resolve(self.name, memory, exchange, asks, back, fresh))


def _exchanges(messages: Packets, question: Integers) -> Integers:
    """A number for the question of each message, between its two ports (D)."""
    ends = src_port(messages.frames, messages.layers), dst_port(messages.frames, messages.layers)
    device, peer = (np.where(messages.outgoing, *each) for each in (ends, ends[::-1]))
    asked: Integers = ((messages.session << 32 | device << 16 | peer) * _MIXER) ^ question
    return asked


def _askers(messages: Packets) -> Integers:
    """Who made each message up (D), if it is a question: the device, or others."""
    return 2 * messages.session + messages.outgoing


def _steps(number: Integers, questions: Packets) -> Integers:
    """By how much ids (D) count on; 0 where they do not, as of askers who mostly do not."""
    groups = Groups(_askers(questions))
    step = (number - groups.previous(number, 0)) % 2**16
    near = (step > 0) & (step <= _NEAR) & ~groups.is_first
    for way in (False, True):
        mine = questions.outgoing == way
        if near[mine].sum() < _MOSTLY * (mine & ~groups.is_first).sum():
            near[mine] = False
    return np.where(near, step, 0)


def _repeats(number: Integers, question: Integers) -> Flags:
    """Whether the question of each id (D) was asked at least twice as often as with other ids."""
    alike = np.unique(np.stack([question, number]), axis=1)[0]
    questions, asked = np.unique(question, return_counts=True)
    different = np.unique(alike, return_counts=True)[1]
    found: Flags = (2 * different <= asked)[np.searchsorted(questions, question)]
    return found
