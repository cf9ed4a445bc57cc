"""Packets of a kind that was not seen in just that length: borrowed headers, payload made up."""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np

from iotflowgen.packets import messages
from iotflowgen.packets.build import PacketFeatures
from iotflowgen.packets.choices import Choices
from iotflowgen.packets.connections import Conversation
from iotflowgen.packets.headers import Kind
from iotflowgen.packets.mask import HTTP, TLS
from iotflowgen.packets.ports import claimed_port
from iotflowgen.packets.ready import Ready
from iotflowgen.packets.recognition import lengthened, recognise
from iotflowgen.packets.records import Phase, begin_nonces, go_on
from iotflowgen.traffic import protocol_mask

__all__ = ["Stopgaps"]

_PADDED: Final = "of a kind that was not seen in this length, padded"
_MADE_UP: Final = "of a kind that was not seen in this length, made up"
_MOST_BORROWED: Final = 1024
"""Templates that are kept at another length."""
_LONGEST_IP: Final = 65_535
_MOST_PADDING: Final = 32
_TLS_1_2: Final = 0x0303
_TCP: Final = protocol_mask(["tcp"])
_BARE: Final = {protocol_mask(["ip", *names]) for names in (("tcp",), ("udp",))} | {
    protocol_mask([name]) for name in ("tcp", "udp")
}
_MESSAGES: Final[dict[int, Callable[[int, bool, np.random.Generator], bytes]]] = {
    protocol_mask([*network, *names]): message
    for network in (["ip"], [])
    for names, message in (
        (("tcp", "https"), messages.tls),
        (("tcp", "http"), messages.http),
        (("udp", "dns"), messages.dns),
        (("udp", "mdns"), messages.mdns),
        (("udp", "ssdp"), messages.ssdp),
    )
}


class Stopgaps:
    """Makes up what no template has."""

    def __init__(self, choices: Choices, rng: np.random.Generator, draws: random.Random) -> None:
        self._choices = choices
        self._rng = rng
        self._draws = draws
        self._stretched = lru_cache(_MOST_BORROWED)(self._stretch)
        self._padded = lru_cache(_MOST_BORROWED)(self._pad)
        self._message = lru_cache(_MOST_BORROWED)(choices.message)

    def borrow(
        self, packet: PacketFeatures, kind: Kind, stage: int, conversation: Conversation
    ) -> Ready | None:
        """A similar template with room for as many bytes as the packet has; None without."""
        if packet.protocols in _BARE:
            transport = "tcp" if packet.protocols & _TCP else "udp"
            is_claimed = claimed_port(transport, (packet.src_port, packet.dst_port)) is not None
            if is_claimed and not conversation.ends[packet.outgoing].phase:
                return None
        elif packet.protocols not in _MESSAGES:
            return None
        return self._stretched(kind, stage)

    def _stretch(self, kind: Kind, stage: int) -> Ready | None:
        """The nearest template at the length that is wanted, if it can have that."""
        found = self._choices.nearest(kind, stage)
        return _stretched(found, kind[0]) if found else None

    def pad(self, kind: Kind, stage: int, notes: list[str]) -> Ready | None:
        """The longest shorter template without payload of TCP, with padding; None without."""
        found = self._padded(kind, stage)
        notes += [_PADDED] * (found is not None)
        return found

    def _pad(self, kind: Kind, stage: int) -> Ready | None:
        found = self._choices.shorter(kind, stage)
        if found is None or kind[0] - found.template.length > _MOST_PADDING:
            return None
        random = tuple(each for each in found.template.random if each[0] < found.layout.end)
        template = replace(found.template, length=kind[0], random=random)
        return Ready.of(template, found.frame)

    def fill(
        self,
        data: bytearray,
        packet: PacketFeatures,
        kind: Kind,
        ready: Ready,
        conversation: Conversation,
        notes: list[str],
        *,
        ends: bool = True,
    ) -> None:
        """Give a frame payload that no template has: the rest of a record, or a message.

        Args:
            data: The frame.
            packet: What the frame is for.
            kind: Its kind.
            ready: What was borrowed for it.
            conversation: Its connection.
            notes: Gets a note if the payload is made up.
            ends: What follows is not known to go on with the last record.
        """
        start, end, size = ready.layout.payload, ready.layout.end, ready.size
        me = conversation.ends[packet.outgoing]
        if packet.protocols & TLS or me.owed or me.due:
            if me.phase == Phase.HANDSHAKE and me.owed and not me.due:
                me.due = self._choices.rest(me.owed)
                me.owed -= len(me.due)
            elif me.phase != Phase.CIPHERED and not me.due:
                notes.append(_MADE_UP)
            if ready.template.nonces:
                from_zero, joined = ready.template.from_zero, conversation.joined
                begin_nonces(me, from_zero=from_zero, joined=joined, draws=self._draws)
            is_open = not me.due
            left = self._choices.left(kind, self._draws) if ends else 0
            version = conversation.version or _TLS_1_2
            data[start:end] = go_on(me, size, version, self._draws.randbytes, left)
            if is_open:
                recognise(data, start, end, packet.protocols, me.phase)
            return
        notes.append(_MADE_UP)
        seen = self._message(kind, size, not me.body) if packet.protocols & HTTP else b""
        if seen or (packet.protocols & HTTP and me.body):
            data[start:end] = lengthened(seen, size, self._draws.randbytes)
        elif message := _MESSAGES.get(packet.protocols):
            made_up = message(size, not ready.template.from_service, self._rng)
            data[start:end] = made_up.ljust(size, b"\0")
        elif ready.template.new_version:
            # a greeting that goes on with random bytes is malformed
            data[start:end] = self._draws.randbytes(size)
            recognise(data, start, end, packet.protocols, me.phase)
        else:
            for first, last in ready.template.random:
                data[first:last] = self._draws.randbytes(last - first)


def _stretched(ready: Ready, length: int) -> Ready | None:
    """A template at another length; None where it cannot have that.

    Its payload begins as it did, and is random from where it was, or was at an end.
    """
    layout = ready.layout
    if not layout.payload <= length <= layout.network + _LONGEST_IP or not layout.has_ports:
        return None
    plain = min((layout.end, length, *(first for first, _ in ready.template.random)))
    frame = bytearray(ready.frame[:plain].ljust(length, b"\0"))
    at = layout.network + (2 if layout.is_ip4 else 4)
    size = length - layout.network - (0 if layout.is_ip4 else 40)
    frame[at : at + 2] = size.to_bytes(2)
    if layout.protocol == 17:
        at = layout.transport + 4
        frame[at : at + 2] = (length - layout.transport).to_bytes(2)
    random = ((plain, length),) if plain < length else ()
    template = replace(ready.template, length=length, random=random, phase=0, probes=False, early=0)
    return Ready.of(template, bytes(frame))
