"""A template's frame with what changes from packet to packet: random bytes, times of day, ids.

What follows from the packets around it comes later (`drafts`).
"""

import random
import struct
from collections.abc import Sequence
from typing import Final

from iotflowgen.packets.build import PacketFeatures
from iotflowgen.packets.connections import Conversation, Side
from iotflowgen.packets.counters import Numbers
from iotflowgen.packets.fields import write_echo, write_lease, write_ntp
from iotflowgen.packets.headers import Headers
from iotflowgen.packets.lookups import Lookups
from iotflowgen.packets.mask import DNS, HTTP, LEASE, NTP
from iotflowgen.packets.ready import Ready
from iotflowgen.packets.recognition import recognise
from iotflowgen.packets.records import begin_nonces, go_on
from iotflowgen.packets.times import Stamp, write_times

__all__ = ["Filler"]

_PORTS: Final = struct.Struct("!HH")
_NOW: Final = 60
"""Seconds that a clock may be wrong for what it tells to be the time of the packet."""
_BODY: Final = bytes.maketrans(b"\xff\n", b"\xfe\v")
"""Random bytes of a body begin no marker in a picture, and end no line of a head."""


class Filler:
    """Fills in what does not depend on the packets around.

    Args:
        headers: What was learnt.
        lookups: Gets to know what DNS is asked, and answers.
        draws: Draws random bytes and ids.
    """

    def __init__(self, headers: Headers, lookups: Lookups, draws: random.Random) -> None:
        self._questions = Numbers(headers.questions, draws)
        self._repeats_ids = headers.repeats_ids
        self._lookups = lookups
        self._draws = draws
        self._lease = b""
        self._skews: dict[int, int] = {}
        """By how many seconds the clock of a host is wrong, in this run."""

    def begin(self) -> None:
        """A run begins of which the one before knows nothing."""
        self._questions.begin()
        self._lease = b""
        self._skews.clear()

    def fill(
        self, ready: Ready, packet: PacketFeatures, conversation: Conversation, time_ns: int
    ) -> bytearray:
        """A template's frame with random bytes where they belong, and the time of day."""
        data, me = bytearray(ready.frame), conversation.ends[packet.outgoing]
        start, end = ready.layout.payload, ready.layout.end
        if ranges := ready.template.random:
            # one draw for all ranges, and what is between them: a call costs more than a few bytes
            begin = ranges[0][0]
            noise = self._draws.randbytes(min(ranges[-1][1], len(data)) - begin)
            if packet.protocols & HTTP:
                noise = noise.translate(_BODY)
            for first, last in ranges:
                data[first:last] = noise[first - begin : last - begin]
            if begin == start:
                recognise(data, *ranges[0], packet.protocols, ready.template.phase)
        if ready.template.nonces:
            self._count(data, ready, me, joined=conversation.joined)
        if ready.template.times:
            host = conversation.own if packet.outgoing else max(conversation.peer, ready.peer)
            write_times(data, start, self._by_clock(host, ready.template.times), time_ns)
        if me.due and ready.layout.protocol == 6:
            data[start:end] = go_on(me, ready.size, conversation.version, self._draws.randbytes)
        return data

    def _by_clock(self, host: int, times: Sequence[Stamp]) -> list[Stamp]:
        """Times of a message by the clock of its sender, which is off by the same in a whole run.

        Captures differ in how far it is off, so that one session would show it going back.
        """
        near = [after for _, _, after in times if abs(after) <= _NOW]
        shift = self._skews.setdefault(host, near[0]) - near[0] if near else 0
        return [(at, form, after + shift * (abs(after) <= _NOW)) for at, form, after in times]

    def _count(self, data: bytearray, ready: Ready, me: Side, *, joined: bool) -> None:
        """The nonces of TLS records, which go on from the last one."""
        template, start, end = ready.template, ready.layout.payload, ready.layout.end
        begin_nonces(me, from_zero=template.from_zero, joined=joined, draws=self._draws)
        for body in template.nonces:
            nonce = me.next_nonce()[: end - start - body]
            data[start + body : start + body + len(nonce)] = nonce

    def match(
        self,
        data: bytearray,
        ready: Ready,
        packet: PacketFeatures,
        conversation: Conversation,
        time_ns: int,
    ) -> None:
        """The ports of UDP, and in a frame without TCP what matches an answer to its question."""
        layout = ready.layout
        at, payload = layout.transport, layout.payload
        if layout.protocol in (1, 58):
            write_echo(data, layout, conversation, self._draws)
        if layout.protocol != 17:
            return
        _PORTS.pack_into(data, at, packet.src_port, packet.dst_port)
        if packet.protocols & DNS:
            if ready.template.from_service:
                self._lookups.note(data, payload)
                number = conversation.unanswered.pop(ready.question, self._draws.getrandbits(16))
            else:
                kept = self._repeats_ids and ready.place >= 0
                said = int.from_bytes(data[payload : payload + 2])
                number = said if kept else self._questions.next()
                conversation.unanswered[ready.question] = number
                self._lookups.asked[ready.question] = None
            data[payload : payload + 2] = number.to_bytes(2)
        elif packet.protocols & NTP:
            write_ntp(data, payload, conversation, time_ns, self._draws)
        elif packet.protocols & LEASE:
            self._lease = write_lease(data, payload, self._lease, self._draws)
