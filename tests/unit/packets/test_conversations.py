"""Which addresses the peers of connections have."""

import random

from iotflowgen.packets.conversations import Conversations
from iotflowgen.traffic import protocol_mask

TCP = protocol_mask(["ip", "tcp"])
PEER, OTHER = bytes([192, 0, 2, 3]), bytes([192, 0, 2, 99])
FIRST, SECOND, THIRD = ((TCP, 40_000 + i, 443) for i in range(3))


def conversations() -> Conversations:
    return Conversations([bytes([10, 0, 0, 2]), PEER, OTHER], random.Random(0))


def met(known: Conversations, *flows: tuple[int, int, int]) -> list[bytes]:
    """The addresses of a peer in connections of a run."""
    found = []
    for flow in flows:
        conversation = known.begin(flow)
        conversation.peer, conversation.address = 1, known.vacant(flow, PEER)
        found.append(conversation.address)
    known.forget()
    return found


def test_a_peer_has_its_own_address_while_ports_are_new() -> None:
    known = conversations()
    assert met(known, FIRST, SECOND) == [PEER] * 2
    assert met(known, THIRD) == [PEER]


def test_who_would_have_a_connection_twice_has_another_address_from_then_on() -> None:
    known = conversations()
    met(known, SECOND)
    before, second, after = met(known, FIRST, SECOND, THIRD)
    assert before == PEER
    assert second == after
    assert second[:3] == PEER[:3]
    assert second not in (PEER, OTHER)
    assert met(known, (TCP, 50_000, 443)) == [PEER]


def test_who_was_looked_up_has_the_address_that_dns_told_wherever_it_can() -> None:
    known = conversations()
    met(known, FIRST)
    assert known.vacant(FIRST, PEER, is_known=True) != PEER
    assert known.vacant(SECOND, PEER, is_known=True) == PEER


def test_no_two_runs_have_the_same_connection() -> None:
    known = conversations()
    found = [address for _ in range(250) for address in met(known, FIRST)]
    assert len(set(found)) == 250
    assert OTHER not in found
