"""What a chain goes on with where not everything fits."""

from itertools import islice

import numpy as np

from iotflowgen.generators.walking.chain import END, padded
from iotflowgen.generators.walking.nearby import NearbyChain

ORDER = 2
CAPTURES = [np.arange(1, 9), np.arange(1, 9), np.arange(1, 9)]


def chain():
    """One that follows its captures."""
    packet = padded([np.ones(len(capture), dtype=bool) for capture in CAPTURES], ORDER)
    return NearbyChain(padded(CAPTURES, ORDER), packet, ORDER, (5.0, 0.0), follow=1), packet


def drawing():
    rng = np.random.default_rng(0)
    return lambda walk, count: rng.random((len(walk), count))


def walked(fits, walks=50):
    of, packet = chain()
    start = np.full(walks, int(np.flatnonzero(packet)[0]) + 1)
    places = islice(of.walk(start, drawing(), fits), 8)
    return [[int(of.symbol[place]) for place in walk] for walk in np.stack([*places], axis=1)]


def test_without_anything_to_fit_a_walk_is_that_of_the_captures():
    assert walked(None) == [[*range(2, 9), END]] * 50


def test_what_does_not_fit_is_left_out():
    of, _ = chain()
    seen = walked(lambda walk, place: ~np.isin(of.symbol[place], [3, 4]))
    assert all(symbols[:6] == [2, 5, 6, 7, 8, END] for symbols in seen)


def test_an_end_is_not_come_to_by_leaving_packets_out():
    of, _ = chain()
    seen = walked(lambda walk, place: ~np.isin(of.symbol[place], [8, END]))
    assert not any(END in symbols for symbols in seen)


def test_of_an_end_that_does_not_fit_nothing_is_left_out_into_the_next_capture():
    packet = padded([np.ones(8, dtype=bool)] * 3, 1)
    of = NearbyChain(padded(CAPTURES, 1), packet, 1, (5.0, 0.0), follow=1)
    start = np.flatnonzero(packet)[:1] + 8
    for place in islice(of.walk(start, drawing(), lambda _, at: at > start[0]), 3):
        assert of.symbol[place] != END or place > start[0]


def test_each_walk_is_asked_for_itself():
    of, _ = chain()
    seen = walked(lambda walk, place: (walk % 2 == 0) | (of.symbol[place] != 3))
    assert [3 in symbols for symbols in seen] == [True, False] * 25


def test_where_nothing_fits_a_walk_goes_on_all_the_same():
    assert len(walked(lambda walk, place: np.zeros(len(place), dtype=bool))[0]) == 8
