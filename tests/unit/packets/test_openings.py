"""The sequence numbers that connections begin with."""

import random

from iotflowgen.packets.headers import Host, Opening
from iotflowgen.packets.openings import Openings, opening_of

SECOND = 10**9


def openings(law: Opening) -> Openings:
    host = Host(
        mac="02:00:00:00:00:01",
        ip="10.0.0.5",
        ttl=64,
        ids=None,
        connection_ids=None,
        ticks=0,
        opening=law,
    )
    return Openings([host], random.Random(0))


def test_a_clock_of_microseconds_counts_on() -> None:
    draws = random.Random(1)
    seen = [(i * SECOND, 10**9 + i * 10**6 + draws.randrange(2**24), 80) for i in range(0, 60, 10)]
    law = opening_of([seen, seen])
    assert law.rate == 10**6
    assert law.first == (seen[0][1], seen[0][1])
    numbers = openings(law)
    first = numbers.next(0, 80, 0)
    later = numbers.next(0, 443, 100 * SECOND)
    assert first is not None
    assert later is not None
    assert abs(later - first - 10**8) <= 2**24


def test_a_clock_that_is_set_goes_on_from_there() -> None:
    seen = [
        (i * SECOND * 9, (i * 9 * 15_625_000 + 10**9 * (i > 4)) % 2**32, 80 + (i > 4))
        for i in range(9)
    ]
    law = opening_of([seen])
    assert law.rate == 15_625_000
    assert law.jumps == ((80, 0), (81, 1 / 4))


def test_random_beginnings_have_no_law() -> None:
    draws = random.Random(2)
    seen = [(i * SECOND, draws.getrandbits(32), 80) for i in range(30)]
    assert opening_of([seen]) == Opening()
    assert openings(Opening()).next(0, 80, 0) is None


def test_beginnings_near_each_other_stay_near() -> None:
    seen = [(0, 6509), (30 * SECOND, 6640), (60 * SECOND, 6750), (99 * SECOND, 6900)]
    assert opening_of([[(*each, 23) for each in seen]] * 2).rate == 0
    law = opening_of([[(0, 6509, 23)], [(5, 7021, 23)]])
    assert law.services == ((23, 6509, 7021),)
    number = openings(law).next(0, 23, 0)
    assert number is not None
    assert 6509 <= number <= 7021
    assert openings(law).next(0, 80, 0) is None
