"""Windows go with what was heard."""

import random

from iotflowgen.packets.headers import Connection
from iotflowgen.packets.layout import ACK, SYN
from iotflowgen.packets.receiving import Receivers, Receiving, window_of

SEEN = [
    (SYN | ACK, 1000, 4000),
    (ACK, 1000, 8000),
    (ACK, 1500, 7500),
    (ACK, 1500, 8000),
    (ACK, 2500, 7000),
]


def windows(*acknowledged: int, begun: int = 0) -> list[int]:
    receiving = Receiving([window_of(SEEN)])
    receiving.begin(begun)
    return [receiving.next(begun + number) for number in acknowledged]


def test_the_same_connection_says_the_same_again() -> None:
    assert window_of(SEEN).opening == 4000
    for begun in (0, 2**32 - 700):
        assert windows(0, 500, 500, 1500, begun=begun) == [8000, 7500, 8000, 7000]


def test_another_one_says_what_was_said_when_about_as_much_was_heard() -> None:
    assert windows(0, 0, 499, 700, 701, 9999) == [8000, 8000, 7500, 7500, 7500, 7000]


def test_of_several_the_one_counts_that_hears_as_much() -> None:
    other = window_of([(ACK, 0, 1), (ACK, 200, 2), (ACK, 500, 3)])
    for order in ([window_of(SEEN), other], [other, window_of(SEEN)]):
        receiving = Receiving(order)
        receiving.begin(0)
        assert [receiving.next(number) for number in (200, 500)] == [2, 3]


def test_who_was_never_heard_has_all_the_room() -> None:
    assert Receiving().next(5) == 65_535
    assert Receiving([window_of([])]).next(5) == 65_535


def test_a_connection_is_drawn_whose_syn_says_the_same() -> None:
    own, other = window_of(SEEN), window_of([(SYN, 0, 1), (ACK, 7, 2)])
    connections = [Connection(service=80, peer=3, windows=(each, each)) for each in (own, other)]
    receivers = Receivers(connections, random.Random(0))
    for opening, window in ((4000, 8000), (1, 2)):
        for service, peer in ((80, 3), (80, 9), (443, 9)):
            drawn = receivers.draw(service, peer, outgoing=True, opening=opening, joined=False)
            assert drawn.next(1) == window


def test_the_window_stays_for_who_says_nothing_else() -> None:
    segments = [(ACK, 1000, 10), (ACK, 1000, 20), (ACK, 1000, 30), (ACK, 1100, 40)]
    receiving = Receiving([window_of(segments)])
    said = [receiving.next(1000, stays=stays) for stays in (False, True, False, True, False)]
    assert said == [10, 10, 20, 20, 30]
    assert receiving.next(1100, stays=True) == 40
