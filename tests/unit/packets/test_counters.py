"""Laws of numbers that count up."""

import random
from itertools import pairwise

import pytest

from iotflowgen.packets.counters import Numbers, begins, counting


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
