"""TCP timestamps: who counts, how fast, and from where."""

import random
from collections.abc import Sequence
from dataclasses import replace

from iotflowgen.packets.clocks import Clocks, Ticking, are_one, late_of, ticking_of
from iotflowgen.packets.connections import Side
from iotflowgen.packets.headers import Host

SECOND = 10**9


def host(ticks: float, stamps: Sequence[int], clocks: int = 1, late_ns: Sequence[int] = ()) -> Host:
    return Host(
        mac="02:00:00:00:00:01",
        ip="10.0.0.5",
        ttl=64,
        ids=None,
        connection_ids=None,
        ticks=ticks,
        stamps=tuple(stamps),
        clocks=clocks,
        late_ns=tuple(late_ns),
    )


def test_a_clock_begins_between_two_neighbours_of_those_that_were_seen() -> None:
    clocks = Clocks([host(100, (50, 60, 2**31, 2**31 + 10))], random.Random(0))
    first = clocks.ticks(0, Side(), 10**18)
    assert clocks.ticks(0, Side(), 10**18 + SECOND) == (first + 100) % 2**32
    begins = []
    for second in range(300):
        clocks.begin()
        begins.append(clocks.ticks(0, Side(), 10**18 + second * SECOND))
    assert min(begins) == 50
    assert sum(number <= 60 for number in begins) > 50
    assert 2**31 < max(begins) <= 2**31 + 10


def test_a_clock_that_all_connections_share_is_timed_from_one_to_the_next() -> None:
    seen = []
    for begun in (0, 10, 30, 70):
        # what comes within milliseconds says more about delays
        seen += [(begun * SECOND, begun * 200), (begun * SECOND + 10**7, begun * 200 + 5)]
    assert ticking_of([seen]) == Ticking(200, 1, (0,))


def test_a_rate_that_was_seen_for_moments_is_a_usual_one() -> None:
    assert ticking_of([[(0, 1000), (SECOND, 1276)]]).rate == 250


def test_machines_behind_one_address_count_each_for_itself() -> None:
    begun = (10, 10**6, 10**8, 10**9)
    seen = [(i * SECOND // 2, begun[i // 2 % 4] + 125 * i) for i in range(80)]
    law = ticking_of([seen, [(ns, stamp + 7) for ns, stamp in seen]])
    assert (law.rate, law.clocks) == (250, 4)
    clocks = Clocks([host(law.rate, law.firsts, law.clocks)], random.Random(0))
    side = Side()
    first = clocks.ticks(0, side, 0)
    assert clocks.ticks(0, side, SECOND) == first + 250
    assert len({clocks.ticks(0, Side(), 0) for _ in range(100)}) == 4


def test_a_host_that_starts_anew_has_one_clock() -> None:
    seen = [(0, 9000), (SECOND * 5, 10_250), (SECOND * 60, 100), (SECOND * 70, 2600)]
    assert ticking_of([seen]) == Ticking(250, 1, (9000,))


def test_who_wakes_up_to_open_a_connection_is_late() -> None:
    assert late_of([(10**7, 1)] * 20, 1000) == ()
    seen = [(10**7, 20 + i) for i in range(8)]
    late_ns = late_of(seen, 1000)
    assert late_ns[0] == 10**7
    assert late_ns[-1] == 17 * 10**6
    clocks = Clocks([host(1000, (10**6, 10**6), late_ns=late_ns)], random.Random(0))
    side = Side()
    then = clocks.ticks(0, side, SECOND, opens=True)
    assert 10 <= clocks.ticks(0, side, SECOND) - then <= 17
    # what comes after others does not show an earlier time
    assert clocks.ticks(0, side, SECOND, opens=True) == clocks.ticks(0, side, SECOND)


def test_two_addresses_are_one_host_if_their_clock_is_one() -> None:
    mine = [(i * SECOND, 5000 + 250 * i) for i in range(9)]
    later = [(20 * SECOND, 5000 + 250 * 20)]
    other = [(20 * SECOND, 700_000)]
    assert are_one([mine, mine], [later, []])
    assert not are_one([mine], [other])
    assert are_one([[]], [[]])
    assert not are_one([[]], [other])


def test_two_addresses_are_one_where_too_little_is_seen_to_tell() -> None:
    assert are_one([[(0, 1000)]], [[(10**9, 1250)]])


def test_a_clock_that_was_set_back_is_no_delay() -> None:
    usual = [(10**7, 4)] * 40
    assert late_of([*usual, (10**7, 2**32 - 1)], 250) == late_of(usual, 250)


def test_a_clock_begins_near_one_that_was_seen() -> None:
    """Linux counts from five minutes below 0: numbers on both sides of that are near each other."""
    seen = (600, 10_000, 2**32 - 25_000, 2**32 - 9000)
    clocks = Clocks([host(100, tuple(sorted(seen)))], random.Random(0))
    begun = set()
    for _ in range(200):
        clocks.begin()
        begun.add((clocks.ticks(0, Side(), 0) + 25_000) % 2**32)
    assert max(begun) <= 35_000
    assert len(begun) > 100


def test_clocks_that_go_on_between_captures_are_at_the_same_time() -> None:
    begun_ns = [0, 600 * SECOND, 700 * SECOND]
    laws = []
    for rate, first in ((200, 5000), (100, 900_000)):
        seen = [
            [(ns + later, first + (ns + later) // SECOND * rate) for later in (SECOND, 9 * SECOND)]
            for ns in begun_ns
        ]
        laws.append(ticking_of(seen, begun_ns))
    assert all([then for then, _ in law.begun] == begun_ns for law in laws)
    hosts = [replace(host(law.rate, law.firsts), begun=law.begun) for law in laws]
    clocks, at = Clocks(hosts, random.Random(0), begun_ns), set()
    for _ in range(50):
        clocks.begin(10**18)
        first, second = (clocks.ticks(place, Side(), 10**18) for place in (0, 1))
        # seconds since the first capture began, by either
        assert abs((first - 5000) / 200 - (second - 900_000) / 100) < 0.1
        at.add(round((first - 5000) / 200))
    assert 0 <= min(at) <= max(at) <= 700
    assert len(at) > 20


def test_runs_are_near_every_capture_before_they_are_near_one_again() -> None:
    begun_ns = [0, 600 * SECOND, 700 * SECOND, 9000 * SECOND]
    clocks = Clocks([], random.Random(0), begun_ns)
    for _ in range(5):
        near = []
        for _ in range(6):
            clocks.begin(10**12)
            near.append((clocks.near, clocks.is_later(10**12)))
        inner = [(ns, later) for ns in begun_ns[1:-1] for later in (False, True)]
        assert sorted(near) == sorted([(begun_ns[0], True), *inner, (begun_ns[-1], False)])


def test_a_clock_that_starts_anew_does_not_go_on_between_captures() -> None:
    begun_ns = [0, 600 * SECOND, 700 * SECOND]
    assert ticking_of([[(ns + SECOND, 3000)] * 4 for ns in begun_ns], begun_ns).begun == ()
