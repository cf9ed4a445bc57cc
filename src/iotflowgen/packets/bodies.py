"""Messages of HTTP over several segments: what a head says of its body is what comes.

RFC 9112, section 6. Which segments come is settled by the features, whose messages were others; so
a head that announces more than itself has its `Content-Length` written anew.
"""

from collections.abc import Iterator, Sequence

from iotflowgen.packets.build import PacketFeatures
from iotflowgen.packets.connections import Side
from iotflowgen.packets.lookahead import Flow
from iotflowgen.packets.mask import HTTP
from iotflowgen.packets.recognition import (
    HEAD_END,
    OPEN,
    announce,
    announces_picture,
    is_head,
    is_interim,
    still_owed,
)

__all__ = ["follow", "rests"]


def rests(
    packets: Sequence[PacketFeatures],
    flows: Sequence[Flow],
    goes_on: Sequence[bool],
    silent: Sequence[bool],
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Places of HTTP segments after which their sender goes on with the same message.

    Args:
        packets: A run.
        flows: Of which connections (`flow_of`).
        goes_on: Which of them are of a kind that mostly goes on with a message.
        silent: Which of them are no part of a message, and end none of the other side's: they say
            what was said last, or that the other side may go on.

    Yields:
        The place, how many segments come, and the bytes of their frames.
    """
    to_come: dict[tuple[Flow, bool], tuple[int, int]] = {}
    for place in range(len(packets) - 1, -1, -1):
        packet = packets[place]
        if silent[place] or not packet.protocols & HTTP:
            continue
        mine = flows[place], packet.outgoing
        count, size = to_come.pop(mine, (0, 0))
        to_come.pop((flows[place], not packet.outgoing), None)
        if count:
            yield place, (count, size)
        if goes_on[place]:
            to_come[mine] = count + 1, size + packet.length


def follow(
    data: bytearray, start: int, end: int, me: Side, other: Side, rest: tuple[int, int]
) -> None:
    """Follow a side's messages by a segment, and have a head that begins one say what comes.

    Args:
        data: The frame.
        start: Where the payload begins.
        end: Where it ends.
        me: Who sends it.
        other: Who hears it.
        rest: What comes of the message, as `rests` says: those frames have the same headers.
    """
    text = data[start:end]
    if me.body > 0 or not text:
        me.body = max(0, me.body - len(text))
        return
    if is_interim(text):
        return
    if is_head(text) or me.body == OPEN:
        me.answers |= text.startswith(b"HTTP/")
        me.body, other.body = still_owed(text, answers=me.answers), 0
        count, size = rest
        if me.body > 0 or (count and HEAD_END in text):
            announce(data, start, end, size - count * start)
            me.body = still_owed(data[start:end], answers=me.answers)
    me.shows = announces_picture(text)
