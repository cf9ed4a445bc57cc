import random
from collections import Counter

import pytest

from iotflowgen.packets.endings import EndingCounts, Endings
from iotflowgen.packets.headers import Kind
from iotflowgen.packets.layout import ACK, FIN, RST, SYN
from iotflowgen.traffic import protocol_mask

TCP = protocol_mask(["ip", "tcp"])
PEER, DEVICE = False, True


def kind(outgoing: bool, size: int = 0) -> Kind:
    return 54 + size, outgoing, TCP, 443, not outgoing


REFUSED = [
    (kind(DEVICE, 300), ACK),
    (kind(DEVICE), ACK | FIN),
    (kind(PEER, 100), ACK),
    (kind(PEER), ACK | FIN),
    (kind(DEVICE), RST),
    (kind(DEVICE), RST),
]


def endings(*connections: list[tuple[Kind, int]]) -> Endings:
    counts = EndingCounts()
    for connection in connections:
        counts.see([(kind(DEVICE), SYN), *connection])
    return Endings(counts.endings(), lambda each: each[0] == 54, random.Random(0))


def test_a_connection_ends_as_one_like_it_did() -> None:
    kinds = [each for each, _ in REFUSED]
    assert endings(REFUSED).draw(kinds) == (0, FIN, 0, FIN, RST, RST)


def test_how_long_payload_is_does_not_matter() -> None:
    kinds = [kind(DEVICE, 12), *(each for each, _ in REFUSED[1:])]
    assert endings(REFUSED).draw(kinds) == (0, FIN, 0, FIN, RST, RST)


def test_what_comes_after_payload_is_known_by_itself() -> None:
    kinds = [kind(PEER, 20), kind(PEER, 20), *(each for each, _ in REFUSED[2:])]
    assert endings(REFUSED).draw(kinds) == (FIN, RST, RST)


@pytest.mark.parametrize("kinds", [[], [kind(PEER)], [kind(DEVICE, 9)] * 7])
def test_an_ending_that_was_not_seen_is_open(kinds: list[Kind]) -> None:
    assert endings(REFUSED).draw(kinds) == ()


def test_endings_are_drawn_as_often_as_they_were_seen() -> None:
    left_open = [(each, ACK) for each, _ in REFUSED]
    drawn = endings(REFUSED, left_open, left_open, left_open)
    found = Counter(drawn.draw([each for each, _ in REFUSED]) for _ in range(400))
    assert found[(0,) * 6] == pytest.approx(300, abs=40)


def test_what_comes_long_before_the_end_tells_it_as_well() -> None:
    others = [(kind(DEVICE), ACK)] * 4
    closing = [(kind(PEER, 80), ACK | FIN), *others, *REFUSED[3:], *others]
    kinds = [each for each, _ in closing]
    assert endings(closing).draw(kinds)[-len(kinds)] == FIN
    # and fewer are enough where no connection ended with all of them
    assert endings(closing).draw([kind(PEER, 80)] * 3 + kinds[-6:]) == (RST, RST, 0, 0, 0, 0)
