"""Ids of DNS go with the question that is asked."""

import pytest

from iotflowgen.packets.datagrams import DnsIds
from tests.unit.packets.datagrams.said import dns, recorded, rendered


def ids(*args, **settings):
    return [int.from_bytes(payload[:2]) for payload in rendered(DnsIds, *args, **settings)]


RANDOM = [
    *(dns(0x1111, "a.example"), dns(0x2222, "b.example")),
    *(dns(0x2222, "b.example", answers=True), dns(0x1111, "a.example", answers=True)),
    *(dns(0x3333, "a.example"), dns(0x3333, "a.example")),  # asked again
    dns(0x3333, "a.example", answers=True),
]


@pytest.mark.parametrize("block", [1, 3, None])
def test_an_answer_has_the_id_of_its_question(block):
    a, b, b_answer, a_answer, again, same, last = ids(*recorded(DnsIds, RANDOM), range(7))
    assert (a_answer, b_answer) == (a, b)
    assert again == same == last
    assert len({a, b, again}) == 3
    assert {a, b, again}.isdisjoint({0x1111, 0x2222, 0x3333})
    sources = [0, 1, 2, 3, 4, 5, 6]
    assert ids(*recorded(DnsIds, RANDOM), sources, block=block)[2:4] == [b, a]


def test_captured_ids_are_not_kept():
    recording, _ = recorded(DnsIds, RANDOM)
    assert not recording.frames.number(recording.layers.payload, 2).any()


def test_an_answer_of_another_capture_has_the_id_of_what_was_asked_here():
    other = [dns(0x4444, "b.example"), dns(0x4444, "b.example", answers=True)]
    asked, answered = ids(*recorded(DnsIds, RANDOM, other), [1, 8])
    assert asked == answered


def test_ids_that_are_the_same_in_each_capture_stay():
    capture = [dns(2, "a.example"), dns(2, "a.example", answers=True), dns(900, "b.example")]
    captures = recorded(DnsIds, capture, capture)
    assert ids(*captures, [0, 1, 2]) == [2, 2, 900]


def test_ids_that_count_do_so_on_from_those_of_another_capture():
    captures = [
        [dns(first + 2 * i, f"{i}.example", device=40_000 + i) for i in range(6)]
        for first in (100, 5000)
    ]
    drawn = ids(*recorded(DnsIds, *captures), [0, 1, 8, 9, 4, 11])
    assert [each - drawn[0] for each in drawn] == [0, 2, 4, 6, 8, 10]
    assert ids(*recorded(DnsIds, *captures), [0, 1, 8, 9, 4, 11], block=1) == drawn


def test_messages_of_mdns_are_left_alone():
    captures = recorded(DnsIds, [dns(0, "a.local", protocol="mdns")])
    assert ids(*captures, [0]) == [0]
