from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.packets import PacketFeatures
from iotflowgen.packets.connections import Conversation, Stage
from iotflowgen.packets.layout import ACK, FIN, RST, SYN
from iotflowgen.packets.lookahead import Ahead, Carries, flow_of, look_ahead, within_records
from iotflowgen.packets.segments import (
    HELD_NS,
    PROBED_NS,
    Left,
    Segment,
    Way,
    leave,
    number,
    to_acknowledge,
)
from iotflowgen.traffic import protocol_mask

DEVICE, PEER = True, False
FIRST = (1000, 5000)
"""Sequence numbers that the peer and the device begin with."""
OPENING = [(DEVICE, SYN, 0), (PEER, SYN | ACK, 0), (DEVICE, ACK, 0)]
TCP = protocol_mask(["ip", "tcp"])
PORTS = {DEVICE: (4000, 80), PEER: (80, 4000)}


def numbered(*sent: tuple[bool, int, int], probe: int = -1) -> list[tuple[int, int]]:
    """Sequence and acknowledgment numbers of segments: sender, flags, bytes of payload."""
    conversation = Conversation(FIRST)
    segments = [
        Segment(conversation, outgoing, flags, size, probes=i == probe)
        for i, (outgoing, flags, size) in enumerate(sent)
    ]
    return [*map(number, segments, leave(segments))]


def test_who_is_refused_asks_again_with_the_same_number() -> None:
    conversation = Conversation(FIRST)
    said = []
    for outgoing, flags in [(PEER, SYN), (DEVICE, RST), (PEER, SYN), (DEVICE, RST | ACK)]:
        if conversation.stage(outgoing) == Stage.RESET:
            assert not conversation.asks_again(not outgoing)
            assert conversation.asks_again(outgoing)
        said.append(number(Segment(conversation, outgoing, flags, 0), Left()))
    assert said == [(1000, 0), (0, 0), (1000, 0), (0, 1001)]


def ahead_of(
    *sent: tuple[bool, int],
    opens: bool = True,
    seconds: Sequence[float] = (),
    asks: Sequence[int] = (),
    ends: Sequence[int] = (),
) -> list[Ahead]:
    """What is to come between two ports: sender, and bytes of payload.

    SYNs are at `asks`, and `ends` are flags of the last segments of a connection, if known.
    """
    packets = [
        PacketFeatures(54 + size, outgoing, *PORTS[outgoing], TCP) for outgoing, size in sent
    ]
    carried = [Carries.PAYLOAD if size else Carries.NOTHING for _, size in sent]
    flows = [flow_of(packet) for packet in packets]
    times_ns = [int(each * 1e9) for each in seconds] or [0] * len(sent)
    heard = None if opens else (2**31, 2**31)
    syns = [i in asks for i in range(len(sent))]
    return look_ahead(packets, flows, carried, syns, times_ns, lambda _: heard, lambda _: ends)


def test_a_connection_opens_carries_and_closes() -> None:
    close = [(DEVICE, FIN | ACK, 0), (PEER, FIN | ACK, 0), (DEVICE, ACK, 0)]
    numbers = numbered(*OPENING, (DEVICE, ACK, 100), (PEER, ACK, 50), *close)
    assert numbers[:5] == [(5000, 0), (1000, 5001), (5001, 1001), (5001, 1001), (1001, 5101)]
    assert numbers[5:] == [(5101, 1051), (1051, 5102), (5102, 1052)]


def test_every_acknowledgment_of_a_row_says_something_new() -> None:
    numbers = numbered(*OPENING, *[(PEER, ACK, 1000)] * 3, *[(DEVICE, ACK, 0)] * 3)
    assert [acknowledged for _, acknowledged in numbers[-3:]] == [2001, 3001, 4001]


def test_more_acknowledgments_than_segments_divide_one() -> None:
    numbers = numbered(*OPENING, (PEER, ACK, 900), *[(DEVICE, ACK, 0)] * 3)
    assert [acknowledged for _, acknowledged in numbers[-3:]] == [1301, 1601, 1901]


def test_data_in_between_leaves_something_to_later_acknowledgments() -> None:
    heard = [(PEER, ACK, 1000), (PEER, ACK, 1000)]
    numbers = numbered(*OPENING, *heard, (DEVICE, ACK, 10), (DEVICE, ACK, 0), (DEVICE, ACK, 0))
    assert [acknowledged for _, acknowledged in numbers[-3:]] == [1001, 2001, 3001]


def numbered_at(seconds: Sequence[float], held_ns: int) -> list[int]:
    """What the last two segments acknowledge if all are sent at some times after the opening."""
    sent = [*OPENING, (PEER, ACK, 1000), (PEER, ACK, 1000), (DEVICE, ACK, 0), (DEVICE, ACK, 0)]
    conversation = Conversation(FIRST)
    segments = [
        Segment(conversation, *each, time_ns=int(time * 1e9), held_ns=held_ns)
        for each, time in zip(sent, [0, 0, 0, *seconds], strict=True)
    ]
    return [said for _, said in map(number, segments, leave(segments))][-2:]


def test_something_is_held_back_but_not_for_what_is_sent_much_later() -> None:
    for held_ns, pause, acknowledged in (
        (HELD_NS, 30, [2001, 3001]),
        (HELD_NS, 90, [3001, 3001]),
        (PROBED_NS, 0.1, [2001, 3001]),
        (PROBED_NS, 30, [3001, 3001]),
    ):
        assert numbered_at([1, 1, 1.5, 1.5 + pause], held_ns) == acknowledged


def test_whoever_was_silent_for_long_had_acknowledged_all_before() -> None:
    conversation = Conversation(FIRST)
    times = [0, 0, 0, 1, 1.1, 1.2]
    sent = [*OPENING, (PEER, ACK, 100), (PEER, ACK, 100), (DEVICE, ACK, 0)]
    for each, time in zip(sent, times, strict=True):
        Segment(conversation, *each, time_ns=int(time * 1e9))
    device = conversation.ends[DEVICE]
    assert [to_acknowledge(device, int(time * 1e9), PROBED_NS) for time in (1.3, 8)] == [1, 0]
    Segment(conversation, PEER, ACK, 100, time_ns=9 * 10**9)
    assert to_acknowledge(device, 20 * 10**9, PROBED_NS) == 1


def test_probes_without_an_answer_are_acknowledged_with_what_comes_after_them() -> None:
    conversation = Conversation(FIRST)
    sent = [*OPENING, *[(PEER, ACK, 0)] * 2, *[(PEER, ACK, 10)] * 2, *[(DEVICE, ACK, 0)] * 2]
    segments = [
        Segment(conversation, *each, probes=place in (3, 4)) for place, each in enumerate(sent)
    ]
    assert to_acknowledge(conversation.ends[DEVICE], 0) == 0
    numbers = [*map(number, segments, leave(segments))]
    assert [acknowledged for _, acknowledged in numbers[-2:]] == [1011, 1021]


def test_what_may_be_a_probe_closes_no_connection() -> None:
    sent = [(DEVICE, 0), (PEER, 0), (DEVICE, 0), (DEVICE, 100), (PEER, 0), (PEER, 0), (DEVICE, 0)]
    packets = [PacketFeatures(54 + size, out, *PORTS[out], TCP) for out, size in sent]
    flows = [flow_of(packet) for packet in packets]
    times_ns = [i * 10**9 for i in range(len(sent))]
    for lone in (Carries.NOTHING, Carries.A_PROBE):
        carried = [Carries.PAYLOAD if size else Carries.NOTHING for _, size in sent]
        carried[5] = lone
        ahead = look_ahead(
            packets, flows, carried, [False] * len(sent), times_ns, lambda _: None, lambda _: ()
        )
        assert (ahead[5].needed == 0) == (lone == Carries.A_PROBE)


def test_a_connection_that_begins_with_its_answer_acknowledges_nothing_before_it() -> None:
    sent = [(PEER, SYN | ACK, 0), (DEVICE, ACK, 0), (DEVICE, ACK, 10), (DEVICE, ACK, 0)]
    first, *others = [number for _, number in numbered(*sent)]
    assert first == FIRST[DEVICE]
    assert others == [FIRST[PEER] + 1] * 3


def test_a_repeated_syn_keeps_its_number() -> None:
    numbers = numbered((DEVICE, SYN, 0), (DEVICE, SYN, 0), (PEER, SYN | ACK, 0))
    assert numbers == [(5000, 0), (5000, 0), (1000, 5001)]


def test_a_probe_lies_one_byte_before_and_is_answered() -> None:
    probing = [(PEER, ACK, 0), (DEVICE, ACK, 0)]
    numbers = numbered(*OPENING, *probing, probe=3)
    assert numbers[3:] == [(1000, 5001), (5001, 1001)]


def test_a_refusal_has_no_number_of_its_own() -> None:
    assert numbered((DEVICE, SYN, 0), (PEER, RST | ACK, 0)) == [(5000, 0), (0, 5001)]


def test_the_middle_of_a_connection_acknowledges_what_was_before() -> None:
    numbers = numbered(*[(DEVICE, ACK, 0)] * 3, (PEER, ACK, 10))
    before = [(FIRST[PEER] - number) % 2**32 for _, number in numbers[:3]]
    assert before == [2920, 1460, 0]


def test_stages_do_not_depend_on_how_often_a_syn_is_sent() -> None:
    conversation = Conversation()
    for _ in range(3):
        conversation.see(DEVICE, SYN)
        assert conversation.stage(DEVICE) == Stage.ASKING
        assert conversation.stage(PEER) == Stage.ASKED
    conversation.see(PEER, SYN | ACK)
    assert conversation.stage(DEVICE) == Stage.ANSWERED


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([ACK, FIN | ACK]), st.integers(0, 1460))),
    st.booleans(),
)
def test_nothing_is_acknowledged_before_it_is_sent(
    sent: Sequence[tuple[bool, int, int]], opened: bool
) -> None:
    sent = [*(OPENING if opened else []), *sent]
    ends = [*FIRST]
    for (outgoing, flags, size), (sequence, acknowledged) in zip(
        sent, numbered(*sent), strict=True
    ):
        if flags & ACK:
            assert (ends[not outgoing] - acknowledged) % 2**32 < 2**31
        if sequence == ends[outgoing]:
            ends[outgoing] += size + bool(flags & (SYN | FIN))
        else:
            assert sequence == ends[outgoing] - 1
            assert flags & (SYN | FIN)


OPENED = [(DEVICE, 0), (PEER, 0), (DEVICE, 0), (DEVICE, 100), (PEER, 0), (PEER, 50)]


@pytest.mark.parametrize(
    ("tail", "fins"),
    [
        # one acknowledgment, and nothing that says that the connection ends
        ([DEVICE], []),
        ([DEVICE, PEER], [1]),
        ([DEVICE, PEER, PEER, DEVICE], [0, 2]),
        ([DEVICE, DEVICE, PEER, PEER, DEVICE], [1, 3]),
        ([DEVICE, PEER, DEVICE], [1]),
    ],
)
def test_a_segment_with_nothing_to_acknowledge_closes(tail: list[bool], fins: list[int]) -> None:
    found = ahead_of(*OPENED, *((outgoing, 0) for outgoing in tail))[len(OPENED) :]
    assert [i for i, ahead in enumerate(found) if ahead.needed] == fins


def test_a_segment_that_comes_much_later_has_nothing_left_to_acknowledge() -> None:
    tail = [(DEVICE, 100), (DEVICE, 100), (PEER, 0), (PEER, 0), (DEVICE, 0)]
    for last, fins in ((0.07, []), (99, [3])):
        seconds = [*[0.0] * len(OPENED), 0.05, 0.05, 0.06, last, last]
        found = ahead_of(*OPENED, *tail, seconds=seconds)[len(OPENED) :]
        assert [i for i, ahead in enumerate(found) if ahead.needed] == fins


def test_whoever_joins_a_connection_need_not_close_it() -> None:
    found = ahead_of((DEVICE, 0), (PEER, 0), (DEVICE, 0), (PEER, 0), opens=False)
    assert [(ahead.needed, ahead.forbidden & FIN) for ahead in found] == [(0, 0)] * 4


def test_a_connection_ends_before_the_next_one_on_its_ports() -> None:
    one = [*OPENED, (DEVICE, 0), (PEER, 0), (PEER, 0), (DEVICE, 0)]
    closing = [i for i, ahead in enumerate(ahead_of(*one)) if ahead.needed]
    found = ahead_of(*one, *one, asks=[0, len(one)])
    assert closing
    assert [i for i, ahead in enumerate(found) if ahead.needed] == [
        i + start for start in (0, len(one)) for i in closing
    ]


def test_who_is_refused_asks_in_the_same_connection() -> None:
    refused = [(DEVICE, 0), (PEER, 0)]
    found = ahead_of(*refused * 4, asks=[0, 2, 4, 6])
    assert [ahead.reply for ahead in found] == [54] * 7 + [0]


def test_a_connection_is_broken_off_after_its_last_payload() -> None:
    found = ahead_of(*OPENED, (PEER, 100), *[(DEVICE, 0)] * 3)
    assert [bool(ahead.forbidden & RST) for ahead in found[len(OPENED) - 1 :]] == [
        True,
        *[False] * 4,
    ]


def test_an_ending_that_was_seen_counts() -> None:
    found = ahead_of(*OPENED, (DEVICE, 0), (PEER, 0), ends=[0, FIN, RST])
    assert [ahead.needed for ahead in found[-3:]] == [0, FIN, RST]
    assert [ahead.forbidden for ahead in found[-3:]] == [FIN | RST, RST, FIN]


def test_what_is_to_come_is_known() -> None:
    first, *_, last = ahead_of(*OPENED)
    assert (first.needed, first.forbidden, first.reply) == (0, FIN | RST, 54)
    assert (last.needed, last.forbidden, last.reply) == (0, 0, 0)


@pytest.mark.parametrize(("spares", "said"), [(True, (2000, 2001)), (False, (2001, 2001))])
def test_who_leaves_a_fin_for_its_own_to_acknowledge_does_so(
    spares: bool, said: tuple[int, int]
) -> None:
    conversation = Conversation((1000, 5000))
    sent = [
        (PEER, ACK, 1000),
        (PEER, FIN | ACK, 0),
        (DEVICE, ACK, 0),
        (DEVICE, FIN | ACK, 0),
    ]
    way = Way(spares_fin=spares)
    segments = [Segment(conversation, *each, way=way) for each in sent]
    found = [number(segment, Left()) for segment in segments]
    assert tuple(acknowledged for _, acknowledged in found[2:]) == said


def test_what_is_no_tls_after_tls_is_the_middle_of_a_record() -> None:
    tls = protocol_mask(["ip", "tcp", "https"])
    said = [(PEER, TCP), (PEER, tls), (DEVICE, tls), (PEER, TCP), (PEER, TCP), (PEER, tls)]
    packets = [
        PacketFeatures(100 + i, out, *PORTS[out], what) for i, (out, what) in enumerate(said)
    ]
    flows, carried = [*map(flow_of, packets)], [Carries.PAYLOAD] * len(packets)
    assert dict(within_records(packets, flows, carried)) == {1: (2, 103 + 104)}
    carried[3] = Carries.THE_SAME
    assert dict(within_records(packets, flows, carried)) == {1: (1, 104)}


def test_a_known_ending_puts_no_fin_before_payload_of_its_sender() -> None:
    sent = [*OPENED, (PEER, 100), (PEER, 90), (DEVICE, 0)]
    *_, first, second, last = ahead_of(*sent, ends=(FIN, FIN, FIN))
    assert [each.needed for each in (first, second, last)] == [0, FIN, FIN]
    assert first.forbidden & FIN


def test_what_nobody_acknowledges_is_not_kept_forever() -> None:
    conversation = Conversation(FIRST)
    for i in range(20_000):
        segment = Segment(conversation, DEVICE, ACK, 100, time_ns=i * 10**6)
        number(segment, Left())
    kept = [conversation.ends[DEVICE].ends, conversation.ends[PEER].heard_ns]
    assert all(0 < len(each) <= 8192 for each in kept)


def test_a_burst_is_acknowledged_stride_by_stride() -> None:
    conversation, way = Conversation(FIRST), Way(stride=2, pace=1.7)
    sent = [*OPENING, *[(PEER, ACK, 100)] * 8, *[(DEVICE, ACK, 0)] * 4]
    segments = [Segment(conversation, *each, way=way) for each in sent]
    numbers = [*map(number, segments, leave(segments))]
    assert [said - FIRST[0] - 1 for _, said in numbers[-4:]] == [200, 400, 600, 800]


def test_who_falls_silent_has_acknowledged_all() -> None:
    conversation, second = Conversation(FIRST), 10**9
    sent = [(PEER, 0)] * 6 + [(DEVICE, 1), (DEVICE, 2 * second), (PEER, 3 * second)]
    segments = [
        Segment(conversation, who, ACK, 100 * (who is PEER), time_ns=at) for who, at in sent
    ]
    numbers = [*map(number, segments, leave(segments))]
    assert numbers[6][1] - FIRST[0] == 500  # one is left for the next
    assert numbers[7][1] - FIRST[0] == 600


def test_payload_acknowledges_all_that_was_heard() -> None:
    """Nothing is left over much payload for an acknowledgment that has nothing to say."""
    sent = [*OPENING, (PEER, ACK, 50), *[(DEVICE, ACK, 100)] * 5, (DEVICE, ACK, 0)]
    numbers = numbered(*sent)
    assert {said for _, said in numbers[4:]} == {FIRST[0] + 51}
    alone = numbered(*OPENING, (PEER, ACK, 50), (DEVICE, ACK, 100), (DEVICE, ACK, 0))
    assert alone[4][1] < alone[5][1] == FIRST[0] + 51


def test_who_acknowledges_more_at_once_on_the_whole_leaves_more_to_the_end() -> None:
    def first(pace: float) -> int:
        conversation, way = Conversation(FIRST), Way(stride=1, pace=pace)
        sent = [*OPENING, *[(PEER, ACK, 100)] * 9, *[(DEVICE, ACK, 0)] * 3]
        segments = [Segment(conversation, *each, way=way) for each in sent]
        return [*map(number, segments, leave(segments))][-3][1] - FIRST[0] - 1

    assert (first(1), first(3)) == (700, 300)
