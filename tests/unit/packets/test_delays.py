"""After how long, and how much at once, hosts acknowledge."""

import pytest

from iotflowgen.packets.connections import Conversation
from iotflowgen.packets.delays import Unacknowledged, delay_of, stride_of
from iotflowgen.packets.layout import ACK, SYN
from iotflowgen.packets.segments import Left, Segment, Way, number

DEVICE, PEER = True, False
MS = 10**6


def test_delays_and_strides_are_those_of_what_was_last_acknowledged() -> None:
    seen = Unacknowledged()
    for end, time_ns in ((2**32 - 50, 1), (50, 2), (50, 3), (150, 4)):
        seen.send(PEER, end, time_ns * MS)
    seen.acknowledge(DEVICE, 50, 10 * MS)
    seen.acknowledge(DEVICE, 50, 11 * MS)
    seen.acknowledge(DEVICE, 150, 12 * MS)
    assert seen.delays == ([], [8 * MS, 8 * MS])
    # where one segment waits, one is acknowledged
    assert seen.strides == ([], [2])


def test_a_stride_is_what_most_acknowledgments_have() -> None:
    assert stride_of([2, 2, 2, 4]) == 2
    assert stride_of([1, 2, 3, 4]) == stride_of([]) == 1
    assert delay_of([]) == 0
    assert delay_of([9, 5, 7]) == 5


@pytest.mark.parametrize(("stride", "said"), [(1, [3100, 3300]), (2, [3200, 3300])])
def test_what_has_just_passed_is_not_acknowledged_yet(stride: int, said: list[int]) -> None:
    conversation = Conversation((2999, 5000))
    sent = [(DEVICE, SYN, 0, 0), (PEER, SYN | ACK, 0, 0), (DEVICE, ACK, 0, 0)]
    sent += [(PEER, ACK, 100, 10 * MS), (PEER, ACK, 100, 14 * MS), (DEVICE, ACK, 0, 15 * MS)]
    sent += [(PEER, ACK, 100, 20 * MS), (DEVICE, ACK, 0, 40 * MS)]
    way = Way(3 * MS, stride)
    found = [
        number(Segment.of(conversation, who, flags, size, time_ns=at, way=way), Left())[1]
        for who, flags, size, at in sent
    ]
    assert [found[5], found[7]] == said
