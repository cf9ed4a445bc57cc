"""After how long, and how much at once, hosts acknowledge."""

import pytest

from iotflowgen.packets.connections import Conversation
from iotflowgen.packets.delays import LeavingCounts, Unacknowledged, delay_of, is_steady, stride_of
from iotflowgen.packets.headers import Kind
from iotflowgen.packets.layout import ACK, SYN
from iotflowgen.packets.segments import Left, Segment, Way, leave, number

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
        number(Segment(conversation, who, flags, size, time_ns=at, way=way), Left())[1]
        for who, flags, size, at in sent
    ]
    assert [found[5], found[7]] == said


def numbers_of(way: Way, sent: list[tuple[bool, int, int]], leaves: int = 0) -> list[int]:
    """What segments acknowledge: of whom, how long, and when; the connection is open."""
    conversation = Conversation((2999, 5000))
    opening = [(DEVICE, SYN, 0, 0), (PEER, SYN | ACK, 0, 0), (DEVICE, ACK, 0, 0)]
    segments = [
        Segment(conversation, who, flags, size, time_ns=at, way=way, leaves=leaves)
        for who, flags, size, at in [*opening, *((who, ACK, *rest) for who, *rest in sent)]
    ]
    return [number(*each)[1] for each in zip(segments, leave(segments), strict=True)][3:]


@pytest.mark.parametrize(("steady", "said"), [(True, [3200, 3400]), (False, [3100, 3400])])
def test_who_hears_all_after_the_same_delay_acknowledges_it(steady: bool, said: list[int]) -> None:
    """Who hears bit by bit leaves to what it says later what that can acknowledge as well."""
    sent = [(PEER, 100, 10 * MS), (PEER, 100, 11 * MS), (DEVICE, 0, 112 * MS)]
    sent += [(PEER, 100, 113 * MS), (PEER, 100, 114 * MS)]
    sent += [(DEVICE, 0, 240 * MS), (DEVICE, 0, 241 * MS)]
    found = numbers_of(Way(100 * MS, pace=2, is_steady=steady), sent)
    assert [found[2], found[-1]] == said


def test_hosts_far_away_take_as_long_for_all() -> None:
    assert is_steady([100 * MS, 101 * MS, 103 * MS, 140 * MS])
    assert not is_steady([MS, 2 * MS, 3 * MS])
    assert not is_steady([])


def test_the_answer_to_the_first_of_two_messages_leaves_the_second() -> None:
    counts, answer = LeavingCounts(), (79, DEVICE, 1, 7533, False)
    other: Kind = (161, DEVICE, 1, 7533, False)
    for kind, left in ((answer, 1), (answer, 1), (answer, 0), (other, 0), (other, 0)):
        counts.see(kind, left)
    assert counts.leaves() == ((answer, 1),)
    sent = [(PEER, 100, 10 * MS), (PEER, 100, 11 * MS), (DEVICE, 50, 70 * MS), (PEER, 9, 90 * MS)]
    assert numbers_of(Way(), sent, leaves=1)[2] == 3100
    assert numbers_of(Way(), sent)[2] == 3200
