"""Frames that are chosen, and what of them follows from the packets around: addresses, what counts.

When all packets of a run are chosen, each gets its ports, sequence and acknowledgment numbers, its
window and timestamps, its IP ID and checksums.
"""

import ipaddress
import random
from collections.abc import Sequence
from typing import NamedTuple

from iotflowgen.packets.build import Frame, PacketFeatures
from iotflowgen.packets.connections import Conversation
from iotflowgen.packets.counters import IpIds
from iotflowgen.packets.fields import Clock
from iotflowgen.packets.headers import Host
from iotflowgen.packets.layout import ACK, RST, SYN, set_checksums
from iotflowgen.packets.persona import Persona
from iotflowgen.packets.ready import Ready
from iotflowgen.packets.segments import Segment, number

__all__ = ["Draft", "Finisher"]


class Draft(NamedTuple):
    """A frame without what depends on the packets around it."""

    data: bytearray
    ready: Ready | None
    """None for a frame that is fuzzed."""
    packet: PacketFeatures
    conversation: Conversation
    segment: Segment | None
    """None without TCP."""
    notes: list[str]


class Finisher:
    """Fills in what follows from the packets around.

    Args:
        hosts: Who sends, the device first.
        persona: Who is shown.
        draws: Draws where counters begin.
    """

    def __init__(self, hosts: Sequence[Host], persona: Persona, draws: random.Random) -> None:
        self.ips = [_ip(persona.ip(host.ip)) for host in hosts]
        """The address of each host; empty for one without."""
        self._ttls = [host.ttl for host in hosts]
        self._macs = [_mac(persona.mac(host.mac)) for host in hosts]
        self._ip_ids = IpIds(hosts, draws)
        self._clock = Clock(hosts, draws)
        self._ways = [(host.delay_ns, host.stride) for host in hosts]
        self._sequences = [
            {service: begins for service, *begins in host.sequences} for host in hosts
        ]
        self._draws = draws

    def begin(self) -> None:
        """A run begins of which the one before knows nothing."""
        self._ip_ids.begin()
        self._clock.begin()

    def finish(self, draft: Draft, time_ns: int, to_come: int) -> Frame:
        """What follows from the packets around it; `to_come` is of `acks_to_come`."""
        data, ready, packet, conversation, segment, notes = draft
        if ready is None:
            return Frame(bytes(data), tuple(notes))
        if segment is not None:
            self._number(data, ready, packet, conversation, segment, time_ns, to_come)
        layout, peer = ready.layout, conversation.peer
        if ready.peer >= 0 and peer >= 0 and (peer != ready.peer or conversation.address):
            self._readdress(data, ready, packet.outgoing, conversation)
        if segment and not packet.outgoing and layout.is_ip4:
            conversation.ttl = data[layout.network + 8] = (
                conversation.ttl or data[layout.network + 8]
            )
        if ready.template.has_ip_id:
            sender = 0 if packet.outgoing else max(peer, ready.peer)
            side = conversation.ends[packet.outgoing] if segment else None
            number = self._ip_ids.next(sender, side)
            data[layout.network + 4 : layout.network + 6] = number.to_bytes(2)
        set_checksums(data, layout, carried=ready.template.has_checksum)
        return Frame(bytes(data), tuple(notes))

    def _readdress(
        self, data: bytearray, ready: Ready, outgoing: bool, conversation: Conversation
    ) -> None:
        """The conversation's peer instead of the template's: addresses, and hops."""
        network, is_ip4, peer = ready.layout.network, ready.layout.is_ip4, conversation.peer
        ip = conversation.address or self.ips[peer]
        if outgoing:
            data[:6] = self._macs[peer]
        else:
            data[6:12] = self._macs[peer]
            data[network + (8 if is_ip4 else 7)] = self._ttls[peer]
        at = network + (12 if is_ip4 else 8) + len(ip) * outgoing
        data[at : at + len(ip)] = ip

    def _number(
        self,
        data: bytearray,
        ready: Ready,
        packet: PacketFeatures,
        conversation: Conversation,
        segment: Segment,
        time_ns: int,
        to_come: int,
    ) -> None:
        """The fields of TCP that count."""
        at, flags, outgoing = ready.layout.transport, segment.flags, packet.outgoing
        me, other = segment.me, segment.other
        host = 0 if outgoing else conversation.peer
        if flags & SYN and not me.numbered and host >= 0:
            begins = self._sequences[host].get(ready.template.service)
            if begins:
                me.next = me.acknowledged = self._draws.randint(*begins)
        is_next = me.next == me.acknowledged
        sequence, acknowledgment = number(segment, to_come, *self._ways[max(host, 0)])
        if (receiving := conversation.receiving[outgoing]) and not flags & RST:
            if not flags & SYN:
                data[at + 14 : at + 16] = receiving.next(acknowledgment).to_bytes(2)
            elif flags & ACK:
                receiving.begin(acknowledgment)
        numbers = packet.src_port << 80 | packet.dst_port << 64 | sequence << 32 | acknowledgment
        data[at : at + 12] = numbers.to_bytes(12)
        if ready.stamps:
            peer = max(conversation.peer, 0)
            hosts = (0, peer) if outgoing else (peer, 0)
            stamp = self._clock.ticks(hosts[0], time_ns)
            # of several segments that are acknowledged at once the first is echoed (RFC 7323, 4.3)
            me.stamp = stamp if is_next or not me.stamp else me.stamp
            if not flags & ACK:
                echo = 0
            elif other.stamp:
                echo = other.stamp
            else:
                echo = self._clock.ticks(hosts[1], time_ns - 50_000_000)
            data[ready.stamps : ready.stamps + 8] = (stamp << 32 | echo).to_bytes(8)


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _ip(text: str) -> bytes:
    return ipaddress.ip_address(text).packed if text else b""
