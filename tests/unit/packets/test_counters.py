"""Laws of numbers that count up."""

import random
from itertools import pairwise

import pytest

from iotflowgen.packets.counters import Numbers, begins, counting
from iotflowgen.packets.fields import Clock
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


def test_beginnings_that_are_closer_than_random_ones_are_known() -> None:
    assert begins([6509, 7021, 6800], 2**32) == (6509, 7021)
    assert begins([6509, 2**31, 6800], 2**32) is None
    assert begins([6509], 2**32) is None


def test_a_clock_begins_between_two_neighbours_of_those_that_were_seen() -> None:
    host = Host(
        mac="02:00:00:00:00:01",
        ip="10.0.0.5",
        ttl=64,
        ids=None,
        connection_ids=None,
        ticks=100,
        stamps=(50, 60, 2**32 - 60, 2**32 - 50),
    )
    clock = Clock([host], random.Random(0))
    first = clock.ticks(0, 10**18)
    assert clock.ticks(0, 10**18 + 10**9) == (first + 100) % 2**32
    begins = []
    for second in range(300):
        clock.begin()
        begins.append(clock.ticks(0, 10**18 + second * 10**9))
    assert min(begins) == 50
    assert sum(number <= 60 for number in begins) > 50
    assert max(begins) <= 2**32 - 50


def test_a_clock_that_all_connections_share_is_timed_from_one_to_the_next() -> None:
    notes = HostNotes("02:00:00:00:00:01", "10.0.0.5")
    notes.begin()
    for begun in (0, 10, 30, 70):
        # what comes within milliseconds says more about delays
        notes.stamps[-1] += [(begun * 10**9, begun * 200), (begun * 10**9 + 10**7, begun * 200 + 5)]
    assert notes.host().ticks == 200
