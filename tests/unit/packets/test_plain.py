"""What of payload that looks random is not."""

import random

from iotflowgen.packets.plain import HEAD, Plain

KIND, OTHER = (100, 1), (200, 1)


def test_what_is_in_two_captures_recurs_and_what_is_twice_in_one_does_not() -> None:
    plain = Plain(
        [[(KIND, b"firmware"), (KIND, b"again"), (KIND, b"again")], [(KIND, b"firmware")]]
    )
    assert plain.recurs(b"firmware")
    assert not plain.recurs(b"again")


def test_the_head_of_a_message_is_told_from_what_is_encrypted() -> None:
    draws = random.Random(0)
    messages = [
        (KIND, b"\x07\x55" + bytes([number % 3]) + draws.randbytes(40)) for number in range(12)
    ]
    others = [(OTHER, message) for _, message in messages[:3]]
    # one without payload does not say where a head ends
    plain = Plain([[*messages, ((54, 1), b"")], others])
    assert plain.head(KIND) == {0, 1, 2}
    # three messages are too few to tell, so others of their kind do, at any length
    assert plain.head(OTHER) == {0, 1, 2}
    assert not plain.head((*OTHER[:-1], 2))
    assert not Plain([[(KIND, draws.randbytes(HEAD)) for _ in range(4)]]).head(KIND)


def test_a_common_message_that_is_random_has_no_head_of_its_like() -> None:
    draws = random.Random(0)
    told = [(KIND, bytes(HEAD) + draws.randbytes(9)) for _ in range(60)]
    plain = Plain([[*told, *((OTHER, draws.randbytes(60)) for _ in range(20))]])
    assert plain.head(KIND) == {*range(HEAD)}
    assert not plain.head(OTHER)
