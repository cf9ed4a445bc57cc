"""What is still to come in each packet's connection, so that nothing is said too early."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Final, NamedTuple

from iotflowgen.packets.build import PacketFeatures
from iotflowgen.packets.headers import Kind
from iotflowgen.packets.layout import FIN, RST
from iotflowgen.packets.segments import HELD_NS, PROBED_NS
from iotflowgen.packets.succession import Thread, thread_of
from iotflowgen.traffic import protocol_mask

__all__ = [
    "Ahead",
    "Carries",
    "Flow",
    "contacts",
    "flow_of",
    "followers",
    "look_ahead",
    "payload_after",
    "within_records",
]

_CARRIERS: Final = protocol_mask(["ip", "tcp", "udp", "icmp", "icmpv6"])
_TCP: Final = protocol_mask(["tcp"])
_TLS: Final = protocol_mask(["https"])
_DNS: Final = protocol_mask(["dns"])
_CARRIED: Final = protocol_mask(["tcp", "udp"])
_AT_HOME: Final = protocol_mask(["dns", "mdns", "ssdp", "bootp"])
_PROMPT_NS: Final = 100_000_000
"""After which what was heard is acknowledged by whatever is sent."""
_MOST_KNOWN: Final = 2**12
"""Short connections whose ends are kept."""
_LEAST_OPEN: Final = 3
"""Segments of a connection that has been opened."""
_MOST_CROSSED: Final = 3
"""Segments without payload that come after a RST: others like it, or sent before it was heard."""
_MOST_PLACES: Final = 6
"""Segments from the end of a connection in which either side may close it."""

Flow = tuple[int, int, int]
Heard = tuple[int, int] | None


class Carries:
    """What a TCP segment carries, as far as its kind says."""

    NOTHING: Final = 0
    PAYLOAD: Final = 1
    THE_END: Final = 2
    """Payload, and mostly the sender's FIN."""
    THE_SAME: Final = 3
    """What its sender said last."""
    A_PROBE: Final = 4
    """Nothing; without anything to acknowledge it asks whether the other end is alive."""


_BARE: Final = {Carries.NOTHING, Carries.A_PROBE}
_NOTHING_NEW: Final = {*_BARE, Carries.THE_SAME}

_Sent = tuple[bool, int, int]


class Ahead:
    """What the rest of a run holds for the connection of one packet."""

    needed: int
    """Flags of TCP of which it has one; 0 if it need not."""
    forbidden: int
    """Flags of TCP of which it has none."""
    reply: int
    """Length of what the other side sends next; 0 where it is silent."""
    again: bool
    """It says what its sender said last."""

    def __init__(
        self,
        needed: int = 0,
        forbidden: int = 0,
        reply: int = 0,
        again: bool = False,
    ) -> None:
        self.needed = needed
        self.forbidden = forbidden
        self.reply = reply
        self.again = again


def flow_of(packet: PacketFeatures) -> Flow:
    """What the packets of a connection share: carriers, the device's port and the other's."""
    carriers = packet.protocols & _CARRIERS
    if packet.outgoing:
        return carriers, packet.src_port, packet.dst_port
    return carriers, packet.dst_port, packet.src_port


def contacts(
    packets: Sequence[PacketFeatures], flows: Sequence[Flow], known: Container[Flow]
) -> Iterator[tuple[int, int]]:
    """Places of questions to DNS, each with that of the packet that opens what is contacted next.

    Args:
        packets: A run.
        flows: Of which connections (`flow_of`).
        known: Connections from before.
    """
    asks = [p.outgoing and bool(p.protocols & _DNS) for p in packets]
    opens = {flow: place for place, flow in reversed([*enumerate(flows)]) if flow not in known}
    contact = -1
    for place in range(len(packets) - 1, -1, -1):
        packet = packets[place]
        if asks[place] and contact >= 0:
            yield place, contact
        elif packet.outgoing and opens.get(flows[place]) == place and _looked_up(packet):
            contact = place


def followers(kinds: Sequence[Kind], later: Mapping[Thread, Kind]) -> Iterator[tuple[int, Kind]]:
    """Places of packets without TCP, each with the kind of the next one in its thread.

    ARP has one length: what comes next says whether a question is one that gets an answer.

    Args:
        kinds: Of the packets of a run.
        later: The kind of the first packet of each thread after these.
    """
    latest = dict(later)
    for place in range(len(kinds) - 1, -1, -1):
        kind = kinds[place]
        if kind[2] & _TCP:
            continue
        thread = thread_of(kind)
        if thread in latest:
            yield place, latest[thread]
        latest[thread] = kind


def _looked_up(packet: PacketFeatures) -> bool:
    """Whether a packet goes to a host that has a name."""
    return bool(packet.protocols & _CARRIED) and not packet.protocols & _AT_HOME


def within_records(
    packets: Sequence[PacketFeatures], flows: Sequence[Flow], carried: Sequence[int]
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Places of TLS segments after which their sender goes on with the middle of a record.

    That is what Wireshark takes for no TLS after a segment that it takes for that.

    Yields:
        The place, how many such segments come, and the bytes of their frames.
    """
    to_come: dict[tuple[Flow, bool], tuple[int, int]] = {}
    for place in range(len(packets) - 1, -1, -1):
        packet, mine = packets[place], (flows[place], packets[place].outgoing)
        if carried[place] in _NOTHING_NEW or not packet.protocols & _TCP:
            continue
        count, size = to_come.get(mine, (0, 0))
        if packet.protocols & _TLS:
            if count:
                yield place, (count, size)
            to_come[mine] = 0, 0
        else:
            to_come[mine] = count + 1, size + packet.length


def payload_after(
    packets: Sequence[PacketFeatures], flows: Sequence[Flow], carried: Sequence[int]
) -> list[int]:
    """Of each packet, how long the next one with new payload of its flow and sender is; 0: none."""
    later, to_come = [0] * len(packets), dict[tuple[Flow, bool], int]()
    for place in range(len(packets) - 1, -1, -1):
        mine = flows[place], packets[place].outgoing
        later[place] = to_come.get(mine, 0)
        if carried[place] not in _NOTHING_NEW:
            to_come[mine] = packets[place].length
    return later


def look_ahead(
    packets: Sequence[PacketFeatures],
    flows: Sequence[Flow],
    carried: Sequence[int],
    opens: Sequence[bool],
    times_ns: Sequence[int],
    heard: Callable[[int], Heard],
    ending: Callable[[Sequence[int]], Sequence[int]],
    continued: Container[Flow] = (),
) -> list[Ahead]:
    """For each packet, what comes after it.

    Args:
        packets: A run.
        flows: Of which connections (`flow_of`).
        carried: What they carry; PAYLOAD unless they are TCP segments.
        opens: Whether they are SYNs that open a connection, as far as their kind says.
        times_ns: When they are sent.
        heard: How much the peer and the device have heard, and not acknowledged, when a connection
            goes on with the packet at a place; None where it opens.
        ending: FIN and RST of the last packets of a connection that has those at some places; empty
            where that is open.
        continued: Connections that have packets after these.
    """
    found = [Ahead()] * len(packets)
    connections = _connections(flows, opens)
    for (flow, number), places in connections.items():
        ends = bool(flow[0] & _TCP) and (flow not in continued or (flow, number + 1) in connections)
        new = [place for place in places if carried[place] != Carries.THE_SAME]
        last = ending(new) if ends else ()
        closings: dict[int, bool] = {}
        if ends and not last:
            is_short = times_ns[places[-1]] - times_ns[places[0]] < _PROMPT_NS
            sent = ((packets[i].outgoing, carried[i], times_ns[i] * (not is_short)) for i in places)
            # many short connections are alike, once time plays no part in them
            had = None if number else heard(places[0])
            closings = (_known_closings if is_short else _closings)((*sent,), had)
        lengths, data, to_come = [0, 0], [False, False], 0
        for i, place in reversed([*enumerate(places)]):
            length, outgoing = packets[place].length, packets[place].outgoing
            again = carried[place] == Carries.THE_SAME
            if again:
                needed, forbidden = 0, FIN | RST
            elif to_come < len(last):
                # payload after its sender's FIN would be malformed, unless it was said before that
                needed = last[-1 - to_come] & ~(FIN * data[outgoing])
                forbidden = (FIN | RST) & ~needed
            else:
                goes_on = RST * (any(data) or to_come > _MOST_CROSSED)
                needed = (FIN | RST & ~goes_on) * closings.get(i, False)
                forbidden = FIN * (data[outgoing] or not closings.get(i, not last)) | goes_on
            found[place] = Ahead(needed, forbidden, lengths[not outgoing], again)
            to_come += not again
            lengths[outgoing] = length
            data[outgoing] |= carried[place] not in _NOTHING_NEW
    return found


def _connections(flows: Sequence[Flow], opens: Sequence[bool]) -> dict[tuple[Flow, int], list[int]]:
    """Places of the packets of each connection, those on the same ports numbered."""
    found: defaultdict[tuple[Flow, int], list[int]] = defaultdict(list)
    number: defaultdict[Flow, int] = defaultdict(int)
    asked: defaultdict[Flow, int] = defaultdict(int)
    for place, flow in enumerate(flows):
        if opens[place]:
            # who was refused asks again
            if len(found[flow, number[flow]]) - asked[flow] >= _LEAST_OPEN:
                number[flow] += 1
            asked[flow] = len(found[flow, number[flow]])
        found[flow, number[flow]].append(place)
    return found


def _closings(segments: Sequence[_Sent], heard: Heard) -> dict[int, bool]:
    """Which segments without payload are a FIN, and which are not.

    An acknowledgment that says nothing new is a duplicate to whoever watches (RFC 5681, section 2),
    so a segment that has nothing to acknowledge rather is a FIN, which then needs one itself. Of
    all places for the two, those are taken that leave the fewest duplicates.

    Args:
        segments: Whether the device sends it, what it carries, and when.
        heard: How much the peer and the device have heard before, and not acknowledged; None if
            the connection is opened here.
    """
    begun = 0
    if heard is None:
        begun, heard = _handshake(segments)
    elif min(heard) > len(segments):
        return {}
    tails: tuple[list[int], list[int]] = ([], [])
    closed = [False, False]
    for i, (outgoing, carries, _) in enumerate(segments[begun:], begun):
        if carries in _BARE:
            tails[outgoing].append(i)
        elif carries != Carries.THE_SAME:
            closed[outgoing] = carries == Carries.THE_END
            tails[outgoing].clear()
    places = [[] if closed[side] else tail[-_MOST_PLACES:] for side, tail in enumerate(tails)]
    start = min((tail[0] for tail in places if tail), default=len(segments))
    first_ns = segments[0][2]
    before = [_Ear([first_ns] * min(count, len(segments))) for count in heard]
    _, ears = _duplicates(segments[begun:start], before, ())
    end = segments[start:]

    def cost(fins: tuple[int, ...]) -> tuple[int, int, int]:
        duplicates, _ = _duplicates(end, ears, [fin - start for fin in fins])
        return duplicates, len(fins), -sum(fins)

    if not cost(())[0]:
        return {}
    fins: tuple[int, ...] = min(((), *((i,) for tail in places for i in tail)), key=cost)
    if cost(fins)[0]:
        fins = min((fins, *product(*places)), key=cost)
    closing = {segments[fin][0] for fin in fins}
    return {i: i in fins for i, (outgoing, *_) in enumerate(segments) if outgoing in closing}


_known_closings = lru_cache(_MOST_KNOWN)(_closings)


def _handshake(segments: Sequence[_Sent]) -> tuple[int, tuple[int, int]]:
    """How many segments open a connection, and what both have not acknowledged then."""
    opener = segments[0][0]
    for i, (outgoing, *_) in enumerate(segments):
        if outgoing != opener:
            return i + 1, (int(not opener), int(opener))
    return len(segments), (0, 0)


class _Ear(NamedTuple):
    """What one side has to acknowledge."""

    times_ns: list[int]
    """When that was sent."""
    held: int = 0
    """How much of it was there when the side sent its last segment."""
    sent_ns: int = 0
    """When that was."""


def _duplicates(
    segments: Sequence[_Sent], heard: Sequence[_Ear], fins: Sequence[int]
) -> tuple[int, list[_Ear]]:
    """How many acknowledgments say nothing new, and what both have not acknowledged then."""
    unacknowledged, duplicates = [ear.times_ns[:] for ear in heard], 0
    held, sent_ns = [ear.held for ear in heard], [ear.sent_ns for ear in heard]
    for i, (outgoing, carries, time_ns) in enumerate(segments):
        mine = unacknowledged[outgoing]
        if time_ns - sent_ns[outgoing] > (PROBED_NS if carries == Carries.A_PROBE else HELD_NS):
            del mine[: held[outgoing]]
        late = bisect_right(mine, time_ns - _PROMPT_NS)
        asks = carries == Carries.A_PROBE and not mine
        if i in fins or asks or carries not in _NOTHING_NEW:
            unacknowledged[not outgoing].append(time_ns)
        elif carries in _BARE:
            duplicates += not mine
            late = late or 1
        del mine[:late]
        held[outgoing], sent_ns[outgoing] = len(mine), time_ns
    return duplicates, [*map(_Ear, unacknowledged, held, sent_ns)]
