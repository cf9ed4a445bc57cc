"""What follows what: messages in the order of captures."""

import random

import pytest

from iotflowgen.packets.choices import Choices
from iotflowgen.packets.connections import ANYBODY, Stage
from iotflowgen.packets.headers import Template
from iotflowgen.packets.ready import Kind, Ready
from iotflowgen.packets.succession import NOTHING, UNSEEN, Before, Succession, heard, thread_of
from iotflowgen.traffic import protocol_mask

ARP, DNS = (protocol_mask(names) for names in (["arp"], ["ip", "udp", "dns"]))
KIND: Kind = (60, True, ARP, 0, False)


def made(payload: int, *before: tuple[int, int, int]) -> Template:
    return Template(
        length=60,
        outgoing=True,
        protocols=ARP,
        service=0,
        from_service=False,
        peer=-1,
        stage=0,
        frame=bytes(20) + bytes([payload]),
        before=before,
        count=10,
    )


def test_what_came_before_is_told_by_places_of_templates_that_are_kept() -> None:
    seen = Succession()
    for before in (NOTHING, (7, 2), (7, 2), (9, 0)):
        seen.see(before, 8)
    assert set(seen.before(8, {7: 0, 8: 1})) == {(*NOTHING, 1), (0, 2, 2)}


@pytest.mark.parametrize(
    ("before", "found"),
    [
        ((0, 0), {1}),
        ((1, 1), {0}),
        ((1, 2), {1}),
        ((1, 3), {0, 1}),
        (NOTHING, {0}),
        ((UNSEEN, 0), {0, 1}),
    ],
)
def test_templates_follow_what_they_were_seen_after(before: Before, found: set[int]) -> None:
    templates = made(1, (*NOTHING, 1), (1, 1, 9)), made(2, (0, 0, 10), (1, 2, 3))
    choices = Choices([Ready.of(each, each.frame, i) for i, each in enumerate(templates)])
    draws = random.Random(0)
    drawn = [
        choices.draw(KIND, Stage.NEW, (None,), ANYBODY, draws, before=before) for _ in range(40)
    ]
    assert {ready.place for ready in drawn if ready} == found


def test_questions_to_dns_follow_questions() -> None:
    assert thread_of(DNS, 53, outgoing=True) != thread_of(DNS, 53, outgoing=False)
    assert thread_of(ARP, 0, outgoing=True) == thread_of(ARP, 0, outgoing=False)


def test_segments_without_payload_are_noted_beside_the_last_that_has_one() -> None:
    said = heard(NOTHING, 5, outgoing=True, is_bare=False)
    answered = heard(said, 6, outgoing=False, is_bare=True)
    assert (said, answered) == ((5, 0), (5, 1))
    assert heard(answered, 7, outgoing=True, is_bare=True) == (5, 3)
