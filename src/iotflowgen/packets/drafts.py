"""Frames that are chosen, and what of them follows from the packets around: addresses, what counts.

When all packets of a run are chosen, each gets its ports, sequence and acknowledgment numbers, its
window and timestamps, its IP ID and checksums.
"""

import ipaddress
import random
import struct
from collections.abc import Sequence
from typing import Final

from iotflowgen.packets.build import Frame, PacketFeatures
from iotflowgen.packets.clocks import Clocks
from iotflowgen.packets.connections import Conversation, Side
from iotflowgen.packets.counters import IpIds
from iotflowgen.packets.headers import Host
from iotflowgen.packets.layout import ACK, RST, SYN, set_checksums
from iotflowgen.packets.openings import Openings
from iotflowgen.packets.persona import Persona
from iotflowgen.packets.ready import Ready
from iotflowgen.packets.segments import Left, Segment, number

__all__ = ["Draft", "Finisher"]

_BEFORE_NS: Final = 50_000_000
"""How long ago the other end of a connection that is joined has spoken."""
# bytes that are packed in place are no slices, of which each would be copied twice
_WORD: Final = struct.Struct("!H")
_NUMBERS: Final = struct.Struct("!HHII")
"""Ports, sequence and acknowledgment number."""
_PAIR: Final = struct.Struct("!II")


class Draft:
    """A frame without what depends on the packets around it."""

    data: bytearray
    ready: Ready | None
    """None for a frame that is fuzzed."""
    packet: PacketFeatures
    conversation: Conversation
    segment: Segment | None
    """None without TCP."""
    notes: list[str]

    def __init__(
        self,
        data: bytearray,
        ready: Ready | None,
        packet: PacketFeatures,
        conversation: Conversation,
        segment: Segment | None,
        notes: list[str],
    ) -> None:
        self.data = data
        self.ready = ready
        self.packet = packet
        self.conversation = conversation
        self.segment = segment
        self.notes = notes


class Finisher:
    """Fills in what follows from the packets around.

    Args:
        hosts: Who sends, the device first.
        persona: Who is shown.
        begun_ns: When captures began.
        draws: Draws where counters begin.
    """

    def __init__(
        self,
        hosts: Sequence[Host],
        persona: Persona,
        begun_ns: Sequence[int],
        draws: random.Random,
    ) -> None:
        self.ips = [_ip(persona.ip(host.ip)) if host.ip else b"" for host in hosts]
        """The address of each host; empty for one without."""
        self._captured = {ip: host.ip for ip, host in zip(self.ips, hosts, strict=True) if ip}
        self._ttls = [host.ttl for host in hosts]
        self._routes = [{(syn, rest): count for syn, rest, count in host.ttls} for host in hosts]
        self._draws = draws
        self._macs = [_mac(persona.mac(host.mac)) for host in hosts]
        self._ip_ids = IpIds(hosts, draws)
        self._clocks = Clocks(hosts, draws, begun_ns)
        self._openings = Openings(hosts, draws)

    def begin(self, time_ns: int) -> None:
        """A run begins, at some time, of which the one before knows nothing."""
        self._clocks.begin(time_ns)
        self._ip_ids.begin(self._clocks.near, is_later=self._clocks.is_later(time_ns))
        self._openings.begin()

    def finish(self, draft: Draft, time_ns: int, left: Left) -> Frame:
        """What follows from the packets around it; for `left` see `leave`."""
        data, ready, packet = draft.data, draft.ready, draft.packet
        conversation, segment = draft.conversation, draft.segment
        if ready is None:
            return Frame(bytes(data), tuple(draft.notes))
        if segment:
            self._number(data, ready, packet, conversation, segment, time_ns, left)
        layout, peer = ready.layout, ready.peer if ready.quotes else conversation.peer
        is_met = ready.peer >= 0 and peer >= 0 and not ready.quotes
        if is_met and (peer != ready.peer or conversation.address):
            self._readdress(data, ready, packet.outgoing, conversation)
        if segment and layout.is_ip4:
            self._route(data, ready, packet.outgoing, conversation, opens=segment.flags & SYN > 0)
        if ready.template.has_ip_id:
            sender = max(peer, ready.peer)
            if packet.outgoing:
                sender = conversation.own if segment else ready.template.own
            side, ends = (segment.me, segment.ends) if segment else (None, False)
            is_apart = side is None and self._ip_ids.counts_apart(sender)
            to = self._receiver(data, layout.network, conversation) if is_apart else ""
            ip_id = self._ip_ids.next(sender, side, packet.protocols, to, ends=ends)
            _WORD.pack_into(data, layout.network + 4, ip_id)
        set_checksums(data, layout, carried=ready.template.has_checksum)
        return Frame(bytes(data), tuple(draft.notes))

    def _receiver(self, data: bytearray, network: int, conversation: Conversation) -> str:
        """The address that a packet goes to, as it was captured; groups keep theirs."""
        ip = bytes(data[network + 16 : network + 20])
        if ip == conversation.address:
            return self._captured[self.ips[conversation.peer]]
        return self._captured.get(ip) or str(ipaddress.IPv4Address(ip))

    def _ttls_of(self, peer: int) -> tuple[int, int]:
        """Time to live of a SYN, and of what follows it."""
        seen, usual = self._routes[peer], self._ttls[peer]
        return self._draws.choices([*seen], [*seen.values()])[0] if seen else (usual, usual)

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

    def _route(
        self,
        data: bytearray,
        ready: Ready,
        outgoing: bool,
        conversation: Conversation,
        *,
        opens: bool,
    ) -> None:
        """The device's end of a connection over IPv4, and how far the peer's segments have come."""
        network, peer = ready.layout.network, conversation.peer
        if conversation.own or ready.template.own:
            at = network + 16 - 4 * outgoing
            data[at : at + 4] = self.ips[conversation.own]
        if not outgoing and peer >= 0:
            conversation.ttls = conversation.ttls or self._ttls_of(peer)
            data[network + 8] = conversation.ttls[not opens]

    def _number(
        self,
        data: bytearray,
        ready: Ready,
        packet: PacketFeatures,
        conversation: Conversation,
        segment: Segment,
        time_ns: int,
        left: Left,
    ) -> None:
        """The fields of TCP that count."""
        at, flags, outgoing = ready.layout.transport, segment.flags, packet.outgoing
        me, other = segment.me, segment.other
        host = conversation.own if outgoing else conversation.peer
        if flags & SYN and not me.numbered and host >= 0:
            begins = self._openings.next(host, ready.template.service, time_ns)
            if begins is not None:
                me.next = me.acknowledged = begins
        before = other.acknowledged
        sequence, acknowledgment = number(segment, left)
        if (receiving := conversation.receiving[outgoing]) and not flags & RST:
            if not flags & SYN:
                # without payload, that is an update of the window: only where one was seen
                stays = not (segment.size or segment.again)
                window = receiving.next(acknowledgment, stays=stays)
                _WORD.pack_into(data, at + 14, window)
            elif flags & ACK:
                receiving.begin(acknowledgment)
        _NUMBERS.pack_into(data, at, packet.src_port, packet.dst_port, sequence, acknowledgment)
        if ready.stamps:
            own, peer = conversation.own, max(conversation.peer, 0)
            host, listener = (own, peer) if outgoing else (peer, own)
            stamp = self._clocks.ticks(host, me, time_ns, opens=bool(flags & SYN))
            me.stamps.append((time_ns, sequence, stamp))
            other.echo(before, acknowledgment, time_ns - segment.way.delay_ns)
            if not flags & ACK:
                echo = 0
            elif other.stamp:
                echo = other.stamp
            else:
                # of what was said before the first packet that there is
                echo = other.stamp = self._clocks.ticks(
                    listener, other, time_ns - _BEFORE_NS, before=True
                )
            _PAIR.pack_into(data, ready.stamps, stamp, echo)
        if ready.block:
            _PAIR.pack_into(data, ready.block, *_block(other, acknowledgment))


def _block(heard: Side, acknowledgment: int) -> tuple[int, int]:
    """What selective acknowledgment says of a side: what has come early, or what came twice.

    RFC 2018, section 4, and RFC 2883, section 4.
    """
    if heard.ahead[1]:
        start, end = (heard.next + each for each in heard.ahead)
    else:
        start, end = acknowledgment - heard.taken, acknowledgment
    return start & 0xFFFFFFFF, end & 0xFFFFFFFF


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _ip(text: str) -> bytes:
    return ipaddress.ip_address(text).packed if text else b""
