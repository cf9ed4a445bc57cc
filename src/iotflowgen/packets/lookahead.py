"""What is still to come in each packet's connection, so that nothing is said too early."""

from collections.abc import Sequence
from typing import NamedTuple

from iotflowgen.packets.build import PacketFeatures
from iotflowgen.traffic import protocol_mask

__all__ = ["Ahead", "Flow", "flow_of", "look_ahead"]

_CARRIERS = protocol_mask(["ip", "tcp", "udp", "icmp", "icmpv6"])
_TCP = {protocol_mask(["ip", "tcp"]), protocol_mask(["tcp"])}
_LONGEST_BARE = 78
"""Bytes of a frame that is taken for an acknowledgment: a segment without application may carry
options, but hardly more than timestamps and one block of selective acknowledgment."""

Flow = tuple[int, int, int]


class Ahead(NamedTuple):
    """What the rest of a run holds for the connection of one packet."""

    acks: int
    """Acknowledgments that the same side sends before it hears more."""
    data: bool
    """The same side sends payload later."""
    more: bool
    """Anything comes later."""
    reply: int
    """Length of what the other side sends next; 0 where it is silent."""


def flow_of(packet: PacketFeatures) -> Flow:
    """What the packets of a connection share: carriers, the device's port and the other's."""
    carriers = packet.protocols & _CARRIERS
    if packet.outgoing:
        return carriers, packet.src_port, packet.dst_port
    return carriers, packet.dst_port, packet.src_port


def look_ahead(packets: Sequence[PacketFeatures]) -> list[Ahead]:
    """For each packet, what comes after it."""
    found: list[Ahead] = []
    acks: dict[tuple[Flow, bool], int] = {}
    data: set[tuple[Flow, bool]] = set()
    lengths: dict[tuple[Flow, bool], int] = {}
    for packet in reversed(packets):
        flow, outgoing = flow_of(packet), packet.outgoing
        me, other = (flow, outgoing), (flow, not outgoing)
        found.append(
            Ahead(
                acks.get(me, 0),
                me in data,
                me in lengths or other in lengths,
                lengths.get(other, 0),
            )
        )
        lengths[me] = packet.length
        if packet.protocols in _TCP and packet.length <= _LONGEST_BARE:
            acks[me] = acks.get(me, 0) + 1
        else:
            data.add(me)
            acks[other] = 0
    return found[::-1]
