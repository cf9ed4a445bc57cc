"""What is still to come in each packet's connection, so that nothing is said too early."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

from iotflowgen.packets.build import PacketFeatures
from iotflowgen.traffic import protocol_mask

__all__ = ["Ahead", "Flow", "flow_of", "look_ahead"]

_CARRIERS = protocol_mask(["ip", "tcp", "udp", "icmp", "icmpv6"])
_TCP = protocol_mask(["tcp"])
_MOST_PLACES = 6
"""Segments from the end of a connection in which either side may close it."""

Flow = tuple[int, int, int]
Heard = tuple[int, int] | None


class Ahead(NamedTuple):
    """What the rest of a run holds for the connection of one packet."""

    data: bool
    """The same side sends payload later."""
    more: bool
    """Anything comes later."""
    reply: int
    """Length of what the other side sends next; 0 where it is silent."""
    closes: bool | None
    """Whether it has to be the FIN of its sender, or must not be; None where that is open."""


def flow_of(packet: PacketFeatures) -> Flow:
    """What the packets of a connection share: carriers, the device's port and the other's."""
    carriers = packet.protocols & _CARRIERS
    if packet.outgoing:
        return carriers, packet.src_port, packet.dst_port
    return carriers, packet.dst_port, packet.src_port


def look_ahead(
    packets: Sequence[PacketFeatures],
    flows: Sequence[Flow],
    bare: Sequence[bool],
    heard: Callable[[int], Heard],
) -> list[Ahead]:
    """For each packet, what comes after it.

    Args:
        packets: A run.
        flows: Of which connections (`flow_of`).
        bare: Which of them are TCP segments without payload.
        heard: How much the peer and the device have heard, and not acknowledged, when a connection
            goes on with the packet at a place; None where it opens.
    """
    together: defaultdict[Flow, list[int]] = defaultdict(list)
    for place, flow in enumerate(flows):
        together[flow].append(place)
    found = [Ahead(data=False, more=False, reply=0, closes=None)] * len(packets)
    for (carriers, _, _), places in together.items():
        closings: dict[int, bool] = {}
        if carriers & _TCP:
            segments = [(packets[place].outgoing, bare[place]) for place in places]
            closings = _closings(segments, heard(places[0]))
        lengths, data = [0, 0], [False, False]
        for i, place in reversed([*enumerate(places)]):
            length, outgoing = packets[place][:2]
            more = any(lengths)
            found[place] = Ahead(data[outgoing], more, lengths[not outgoing], closings.get(i))
            lengths[outgoing] = length
            data[outgoing] |= not bare[place]
    return found


def _closings(segments: Sequence[tuple[bool, bool]], heard: Heard) -> dict[int, bool]:
    """Which segments without payload are a FIN, and which are not.

    An acknowledgment that says nothing new is a duplicate to whoever watches (RFC 5681, section 2),
    so a segment that has nothing to acknowledge rather is a FIN, which then needs one itself. Of
    all places for the two, those are taken that leave the fewest duplicates.

    Args:
        segments: Whether the device sends it, and whether it is without payload.
        heard: How much the peer and the device have heard before, and not acknowledged; None if
            the connection is opened here.
    """
    begun = 0
    if heard is None:
        begun, heard = _handshake(segments)
    elif min(heard) > len(segments):
        return {}
    tails: tuple[list[int], list[int]] = ([], [])
    for i, (outgoing, is_bare) in enumerate(segments[begun:], begun):
        if is_bare:
            tails[outgoing].append(i)
        else:
            tails[outgoing].clear()
    places = [tail[-_MOST_PLACES:] for tail in tails]
    start = min((tail[0] for tail in places if tail), default=len(segments))
    _, waiting = _duplicates(segments[begun:start], heard, ())
    end = segments[start:]

    def cost(fins: tuple[int, ...]) -> tuple[int, int, int]:
        duplicates, _ = _duplicates(end, waiting, [fin - start for fin in fins])
        return duplicates, len(fins), -sum(fins)

    if not cost(())[0]:
        return {}
    pairs = product(*([(), *((i,) for i in tail)] for tail in places))
    fins = min((one + other for one, other in pairs), key=cost)
    closing = {segments[fin][0] for fin in fins}
    return {i: i in fins for i, (outgoing, _) in enumerate(segments) if outgoing in closing}


def _handshake(segments: Sequence[tuple[bool, bool]]) -> tuple[int, tuple[int, int]]:
    """How many segments open a connection, and what both have not acknowledged then."""
    opener = segments[0][0]
    for i, (outgoing, _) in enumerate(segments):
        if outgoing != opener:
            return i + 1, (int(not opener), int(opener))
    return len(segments), (0, 0)


def _duplicates(
    segments: Sequence[tuple[bool, bool]], heard: tuple[int, int], fins: Sequence[int]
) -> tuple[int, tuple[int, int]]:
    """How many acknowledgments say nothing new, and what both have not acknowledged afterwards."""
    waiting, duplicates = [*heard], 0
    for i, (outgoing, is_bare) in enumerate(segments):
        if not is_bare or i in fins:
            waiting[not outgoing] += 1
        elif waiting[outgoing]:
            waiting[outgoing] -= 1
        else:
            duplicates += 1
    return duplicates, (waiting[0], waiting[1])
