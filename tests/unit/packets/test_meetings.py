"""With whom connections are, as captures have it."""

import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.packets.headers import Kind
from iotflowgen.packets.meetings import Meeting, Meetings, learn_stays
from iotflowgen.traffic import protocol_mask

TCP = protocol_mask(["ip", "tcp"])
CLOUD, OTHER_CLOUD, UPDATES, OTHER_UPDATES = range(1, 5)
HOSTS = (CLOUD, OTHER_CLOUD, UPDATES, OTHER_UPDATES)


def kind(length: int, service: int = 443) -> Kind:
    return length, True, TCP, service, False


SYN, PROBE = kind(74), kind(54)


def bare(kinds: Sequence[Kind], peer: int) -> list[Meeting]:
    return [(each, True, peer) for each in kinds]


def drawn(
    captures: Sequence[Sequence[Meeting]], run: Sequence[Meeting], runs: int
) -> list[list[int]]:
    """The hosts that connections of runs are with, which begin as those of one do."""
    draws, found = random.Random(0), []
    peers = {each: Counter[int]() for capture in captures for each, _, _ in capture}
    for capture in captures:
        for each, _, peer in capture:
            peers[each][peer] += 1
    meetings = Meetings(learn_stays(captures), draws)
    for _ in range(runs):
        meetings.begin()
        found.append([])
        for each, is_bare, _ in run:
            known = peers[each]
            (peer,) = [*meetings.again(each, is_bare=is_bare, may_be=known.__contains__)] or (
                draws.choices([*known], [*known.values()])
            )
            meetings.note(each, peer, is_bare=is_bare)
            found[-1].append(peer)
    return found


def test_connections_of_a_capture_are_with_one_host() -> None:
    captures = [bare([SYN] * 5, peer) for peer in (CLOUD, OTHER_CLOUD)]
    found = drawn(captures, captures[0], 50)
    assert all(len(set(run)) == 1 for run in found)
    assert {run[0] for run in found} == {CLOUD, OTHER_CLOUD}


def test_what_begins_otherwise_is_for_something_else() -> None:
    # either host may be for either, so that only what began alike tells them apart
    captures = [
        [*bare([PROBE], one), *bare([SYN, SYN], other), *bare([PROBE], one)]
        for one, other in ((CLOUD, UPDATES), (UPDATES, CLOUD)) * 2
    ]
    for probed, asked, again, probed_again in drawn(captures, captures[0], 50):
        assert (probed, asked) == (probed_again, again)


def test_what_begins_otherwise_may_be_with_the_same_host() -> None:
    captures = [bare([PROBE, SYN], peer) for peer in (CLOUD, OTHER_CLOUD)]
    assert all(len(set(run)) == 1 for run in drawn(captures, captures[0], 50))


def test_how_long_the_first_payload_is_does_not_matter() -> None:
    captures = [
        [(kind(100 + length), False, peer) for length in range(4)] for peer in (CLOUD, OTHER_CLOUD)
    ]
    assert [stay.share for stay in learn_stays(captures)] == [1.0]


def test_another_service_is_had_from_another_host() -> None:
    captures = [[*bare([SYN], host), *bare([kind(74, 80)], host)] for host in (CLOUD, UPDATES)]
    assert learn_stays(captures) == ()


def test_what_began_nothing_in_captures_stays_as_its_service_does() -> None:
    captures = [bare([SYN] * 5, peer) for peer in (CLOUD, OTHER_CLOUD)]
    meetings = Meetings(learn_stays(captures), random.Random(0))
    meetings.note(SYN, CLOUD, is_bare=True)
    may_be = {CLOUD, OTHER_CLOUD}.__contains__
    assert [*meetings.again(PROBE, is_bare=True, may_be=may_be)] == [CLOUD]
    assert [*meetings.again(kind(54, 80), is_bare=True, may_be=may_be)] == []


def test_of_hosts_that_were_met_it_is_the_last_that_it_may_be_with() -> None:
    captures = [bare([PROBE, SYN], peer) for peer in (CLOUD, OTHER_CLOUD)]
    meetings = Meetings(learn_stays(captures), random.Random(0))
    for peer, kind_of_it in ((CLOUD, PROBE), (OTHER_CLOUD, kind(60)), (UPDATES, kind(62))):
        meetings.note(kind_of_it, peer, is_bare=True)
    may_be = {CLOUD, OTHER_CLOUD}.__contains__
    assert [*meetings.again(SYN, is_bare=True, may_be=may_be)] == [OTHER_CLOUD]


def test_hosts_that_take_turns_are_met_by_chance() -> None:
    rng = random.Random(1)
    peers = [rng.choice((CLOUD, OTHER_CLOUD)) for _ in range(2000)]
    captures = [[(SYN, True, peer) for peer in peers]]
    (run,) = drawn(captures, captures[0], 1)
    assert 0.45 < sum(one == next_ for one, next_ in pairwise(run)) / len(run) < 0.55


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from([SYN, PROBE, kind(300)]), st.booleans(), st.sampled_from(HOSTS)
            )
        )
    )
)
def test_shares_are_shares(captures: list[list[Meeting]]) -> None:
    assert all(0 <= stay.share <= 1 for stay in learn_stays(captures))
