"""Laws of numbers that count up."""

import random
from itertools import pairwise

import pytest
from pydantic import TypeAdapter

from iotflowgen.packets.connections import Side
from iotflowgen.packets.counters import IpIds, Numbers, begins, counting
from iotflowgen.packets.headers import Host
from iotflowgen.packets.notes import HostNotes


def test_a_counter_that_starts_again_in_each_capture() -> None:
    law = counting([[1, 2, 3, 5], [2, 3, 4], [1, 2, 3], [2, 4]])
    assert law is not None
    assert law.begins == (1, 2)
    assert set(law.steps) == {1, 2}
    numbers = Numbers(law, random.Random(0))
    drawn = [numbers.next() for _ in range(50)]
    assert drawn[0] in (1, 2)
    assert all(0 < after - before <= 2 for before, after in pairwise(drawn))
    numbers.begin()
    assert numbers.next() in (1, 2)


def test_a_counter_that_begins_anywhere_goes_on_and_has_no_zero() -> None:
    law = counting([[40_000, 40_001, 40_002], [900, 901, 902], [63_000, 63_001]])
    assert law is not None
    assert law.begins == (1, 65_535)
    numbers = Numbers(law, random.Random(0))
    first = numbers.next()
    numbers.begin()
    drawn = [first, *(numbers.next() for _ in range(70_000))]
    assert set(drawn) == set(range(1, 65_536))
    assert drawn[1] == first % 65_535 + 1


@pytest.mark.parametrize("seed", range(5))
def test_random_numbers_have_no_law(seed: int) -> None:
    draws = random.Random(seed)
    assert counting([[draws.randrange(1, 65_536) for _ in range(20)] for _ in range(8)]) is None
    assert counting([[draws.randrange(1, 65_536)]]) is None


def test_a_step_that_was_seen_once_in_very_many_is_hardly_ever_drawn() -> None:
    law = counting([[*range(1, 500), 700]])
    assert law is not None
    assert set(law.steps) == {1}


def test_the_last_acknowledgment_may_have_an_id_beside_the_others() -> None:
    notes = HostNotes("02:00:00:00:00:01", "10.0.0.5")
    notes.begin(0)
    for begun in (100, 9000, 40_000, 22_000):
        ids: list[int] = []
        for number in range(begun, begun + 4):
            notes.see_id(number, ids)
        notes.see_id((begun * 7) % 65_536, ids, ends=True)
    host = notes.host()
    assert host.strays == 1
    assert host.connection_ids is not None
    assert set(host.connection_ids.steps) == {1}
    numbers, side = IpIds([host], random.Random(0)), Side()
    first = numbers.next(0, side)
    assert numbers.next(0, side) == first + 1
    assert numbers.next(0, side, ends=True) != first + 2
    assert numbers.next(0, side) == first + 2


def test_beginnings_that_are_closer_than_random_ones_are_known() -> None:
    assert begins([6509, 7021, 6800], 2**32) == (6509, 7021)
    assert begins([6509, 2**31, 6800], 2**32) is None
    assert begins([6509], 2**32) is None


def test_what_is_counted_unseen_comes_before_the_same_kind_of_packet() -> None:
    lease, question, segment = 1, 2, 3
    # a first request is sent before the capture begins, and another before the question
    seen = [(lease, 3), (question, 5), (segment, 6), (segment, 7), (segment, 8)]
    notes = HostNotes("02:00:00:00:00:01", "10.0.0.5")
    for _ in range(4):
        notes.begin(0)
        for kind, number in seen:
            notes.see_id(number, None, kind)
    ids = IpIds([notes.host()], random.Random(0))
    for _ in range(20):
        ids.begin()
        assert [ids.next(0, None, kind) for kind, _ in seen] == [number for _, number in seen]


def test_numbers_may_count_for_each_address_for_themselves() -> None:
    """And go on between captures, if the host does not start anew."""
    notes = HostNotes("02:00:00:00:00:01", "10.0.0.5")
    begun_ns = [0, 100 * 10**9]
    for capture, begun in enumerate(begun_ns):
        notes.begin(begun)
        notes.see_id(1000 * capture + 7, [])  # of a connection, which counts for itself
        for number in range(8):
            for to, first in (("10.0.0.1", 40_000), ("192.0.2.9", 9000)):
                notes.see_id(first + 8 * capture + number, None, to=to)
    kept = TypeAdapter(Host)
    host = kept.validate_json(kept.dump_json(notes.host()))
    assert host.ids_to is not None
    assert [seen[1:] for seen in host.ids_to["192.0.2.9"]] == [(9000, 9007), (9008, 9015)]
    ids = IpIds([host], random.Random(0))
    ids.begin(begun_ns[1], is_later=True)
    found = [ids.next(0, None, to=to) for _ in range(3) for to in ("10.0.0.1", "192.0.2.9")]
    assert found == [40_016, 9016, 40_017, 9017, 40_018, 9018]
