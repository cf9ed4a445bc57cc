"""Timestamps of NTP tell when they are sent, and repeat what they answer."""

import pytest

from iotflowgen.packets.datagrams import Ntp
from tests.unit.packets.datagrams.said import SECOND, ntp, recorded, rendered

UNIX = 2_208_988_800
LATER = 1_700_000_000


def at(seconds):
    return round((UNIX + seconds) * 2**32)


def stamps(*args, **settings):
    payloads = rendered(Ntp, *args, **settings)
    return [[int.from_bytes(each[i : i + 8]) for i in range(16, 48, 8)] for each in payloads]


def seconds(stamp):
    return stamp / 2**32 - UNIX


def exchange(begun, *, ahead=0.0, device=123):
    """A question at a time, and its answer a second later, by a clock that is ahead."""
    asked = at(begun + ahead)
    answer = ntp(at(begun - 64), asked, at(begun + 0.5), at(begun + 0.75), outgoing=False)
    return [ntp(0, 0, 0, asked, device=device), answer]


@pytest.mark.parametrize("block", [1, 3, None])
def test_timestamps_are_as_far_from_the_packet_as_when_captured(block):
    begun = 1_500_000_000
    packets = [*exchange(begun, ahead=3), *exchange(begun + 10, ahead=3)]
    captured = recorded(Ntp, packets, time_ns=[(begun + i) * SECOND for i in (0, 1, 10, 11)])
    now = [(LATER + i) * SECOND for i in (0, 2, 20, 21)]
    asked, answered, _, last = stamps(*captured, range(4), time_ns=now, block=block)
    assert asked[:3] == [0, 0, 0]
    assert seconds(asked[3]) == pytest.approx(LATER + 3, abs=1e-5)
    assert answered[1] == asked[3]
    assert [seconds(each) - LATER - 2 for each in (answered[0], *answered[2:])] == pytest.approx(
        [-65, -0.5, -0.25], abs=1e-5
    )
    assert seconds(last[3]) == pytest.approx(LATER + 21 - 0.25, abs=1e-5)


def test_an_answer_of_another_capture_repeats_what_was_asked_here():
    begun = 1_500_000_000
    times = [begun * SECOND, (begun + 1) * SECOND]
    captured = recorded(Ntp, exchange(begun), exchange(begun, ahead=5), time_ns=times)
    asked, answered = stamps(*captured, [0, 3], time_ns=[LATER * SECOND, (LATER + 1) * SECOND])
    assert answered[1] == asked[3]


def test_a_clock_that_was_never_set_begins_with_the_session():
    begun = 1_500_000_000
    packets = [ntp(0, 0, 0, at(20.0 + i)) for i in range(3)]
    captured = recorded(Ntp, packets, time_ns=[(begun + i) * SECOND for i in range(3)])
    said = stamps(*captured, range(3), time_ns=[(LATER + 2 * i) * SECOND for i in range(3)])
    assert [seconds(each[3]) for each in said] == pytest.approx([20, 22, 24], abs=1e-5)


def test_random_numbers_in_place_of_a_clock_are_drawn():
    sent = [1 << 40, 1 << 50, 1 << 60, 1 << 63]
    captured = recorded(Ntp, [ntp(0, 0, 0, each) for each in sent])
    said = {each[3] for each in stamps(*captured, range(4))}
    assert len(said) == 4
    assert said.isdisjoint(sent)


def test_what_captures_more_than_one_show_is_kept():
    captured = recorded(Ntp, [ntp(0, 0, 0, 12345)], [ntp(0, 0, 0, 12345)])
    assert stamps(*captured, [0]) == [[0, 0, 0, 12345]]
