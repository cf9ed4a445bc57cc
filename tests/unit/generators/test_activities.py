"""Streams of `activities` keep the clocks, the days and the answers to events of the captures."""

from itertools import takewhile

import numpy as np
import pytest

from iotflowgen import load
from iotflowgen.generators import Activities, EventGenerator
from iotflowgen.generators.activities.turns import turns_taken
from iotflowgen.traffic import Event, Session, Trace, protocol_mask

ARP = protocol_mask(["arp"])
TCP = protocol_mask(["ip", "tcp", "https"])
BARE = protocol_mask(["ip", "tcp"])
UDP = protocol_mask(["ip", "udp", "ntp"])
SECOND, HOUR, DAY = 10**9, 3600 * 10**9, 24 * 3600 * 10**9
MONDAY = 4 * DAY
DAYS = 6


def week(seed=0):
    """Days of a device that asks by ARP each minute, sends over one connection each five minutes.

    It tells the time between 8 and 9 h only, and answers what happens, mostly, by a burst.
    """
    rng = np.random.default_rng(seed)
    rows, events = [], []

    def say(at_ns, gap_ns, *packets):
        for number, packet in enumerate(packets):
            rows.append((int(at_ns) + number * gap_ns, *packet))

    for minute in range(DAYS * 24 * 60):
        at = MONDAY + minute * 60 * SECOND + rng.integers(20 * 10**6)
        say(at, 10**6, (60, True, 0, 0, ARP), (60, False, 0, 0, ARP))
    port = 40000
    open_ = (
        (74, True, port, 8883, BARE),
        (74, False, 8883, port, BARE),
        (60, True, port, 8883, BARE),
    )
    say(MONDAY + 7 * SECOND, 10**7, *open_)
    for beat in range(1, DAYS * 24 * 12):
        at = MONDAY + 7 * SECOND + beat * 300 * SECOND + rng.integers(50 * 10**6)
        ping = (100, True, port, 8883, TCP), (96, False, 8883, port, TCP)
        say(at, 10**7, *ping, (60, True, port, 8883, BARE))
    for day in range(DAYS):
        for at in rng.integers(8 * HOUR, 9 * HOUR, size=12):
            say(
                MONDAY + day * DAY + at,
                10**7,
                (90, True, 123, 123, UDP),
                (90, False, 123, 123, UDP),
            )
        for at in np.sort(rng.integers(DAY, size=8)):
            at_ns = int(MONDAY + day * DAY + at)
            events.append(Event(at_ns, "on"))
            if len(events) % 4:
                burst = ((300, True, port, 8883, TCP), (400, False, 8883, port, TCP))
                say(at_ns + 2 * SECOND, 10**7, *burst, *burst, (60, True, port, 8883, BARE))
    return captured(rows), events


def captured(rows):
    """A capture of packets: when, how long, whether sent, by which ports and protocols."""
    rows.sort()
    time_ns, length, outgoing, src, dst, protocols = zip(*rows, strict=True)
    return Trace(
        name="week",
        time_ns=np.array(time_ns, dtype=np.int64),
        length=np.array(length, dtype=np.int32),
        outgoing=np.array(outgoing),
        src_port=np.array(src, dtype=np.int32),
        dst_port=np.array(dst, dtype=np.int32),
        protocols=np.array(protocols, dtype=np.uint16),
        tcp_payload=np.zeros(len(rows), dtype=np.int32),
    )


@pytest.fixture(scope="module")
def fitted():
    trace, events = week()
    return Activities(seed=0).fit([trace], events=[events])


def days(generator, number, **asked):
    """All packets of so many days of a stream."""
    rng = np.random.default_rng(asked.pop("seed", 1))
    stream = generator.stream(rng, **asked)
    pieces = takewhile(lambda piece: piece.time_ns[0] < number * DAY, stream)
    whole = Session.merged([*pieces])
    return whole[: int(np.searchsorted(whole.time_ns, number * DAY))]


def test_a_clock_keeps_its_period(fitted):
    stream = days(fitted, 3)
    asks = stream.time_ns[(stream.protocols == ARP) & stream.outgoing]
    assert len(asks) == pytest.approx(3 * 24 * 60, rel=0.01)
    gaps = np.diff(asks) / SECOND
    assert np.median(gaps) == pytest.approx(60, rel=0.001)
    assert np.mean(np.abs(gaps - 60) < 1) > 0.99


def test_a_connection_goes_on_for_days_with_its_ports(fitted):
    stream = days(fitted, 3)
    beats = (stream.dst_port == 8883) & (stream.length == 100)
    assert np.count_nonzero(beats) == pytest.approx(3 * 24 * 12, rel=0.03)
    assert len(np.unique(stream.flow[beats])) == 1
    assert len(np.unique(stream.src_port[beats])) == 1


def test_hours_of_the_day_are_kept(fitted):
    start_ns = MONDAY + 5 * HOUR
    stream = days(fitted, 5, start_ns=start_ns)
    asks = stream.time_ns[(stream.protocols == UDP) & stream.outgoing]
    hours = (asks + start_ns) % DAY // HOUR
    assert 30 < len(asks) < 90
    assert np.mean((hours == 8) | (hours == 9)) > 0.85


def test_minutes_of_the_hour_are_kept_by_whatever_comes_at_them():
    """A quarter past, and half past, with one of two questions; minutes do not drift apart."""
    rng, rows = np.random.default_rng(3), []
    for hour in range(4 * 24):
        for minute in (15, 30):
            at = MONDAY + hour * HOUR + minute * 60 * SECOND + int(rng.integers(20 * SECOND))
            size, port = ((90, 123), (200, 4000))[int(rng.integers(2))]
            rows += [
                (at, size, True, port, port, UDP),
                (at + 10**7, size, False, port, port, UDP),
            ]
    stream = days(Activities(seed=0).fit([captured(rows)]), 5, start_ns=MONDAY)
    asks = stream.time_ns[stream.outgoing] + MONDAY
    assert len(asks) == pytest.approx(5 * 48, rel=0.1)
    assert np.mean(np.isin(asks % HOUR // (60 * SECOND), (15, 30))) > 0.9


def test_a_turn_within_something_else_is_not_missed():
    """Every second hour's question is in a longer exchange; a clock asks each five minutes."""
    rows = []
    for turn in range(4 * 24 * 12):
        at = MONDAY + turn * 300 * SECOND
        port = 123
        if turn % 24 == 7:
            for number in range(20):
                when = at - 10 * SECOND + number * SECOND
                rows.append((when, 300 + number, number % 2 == 0, port, port, UDP))
        else:
            rows += [
                (at, 90, True, port, port, UDP),
                (at + 10**7, 90, False, port, port, UDP),
            ]
    stream = days(Activities(seed=0).fit([captured(rows)]), 3)
    gaps = np.diff(stream.time_ns[stream.length == 90][::2]) / SECOND
    assert np.mean(np.abs(gaps - 300) < 3) > 0.995


def test_what_events_cause_comes_when_they_happen_and_not_otherwise(fitted):
    assert isinstance(fitted, EventGenerator)
    assert fitted.known_events() == {"on": 8 * DAYS}
    told = [Event(at * 2 * HOUR + 1, "on") for at in range(1, 36)]
    stream = days(fitted, 3, events=iter(told))
    burst = stream.length == 300
    assert np.array_equal(stream.event >= 0, np.isin(stream.event, range(len(told))))
    assert (stream.event[burst] >= 0).all()
    answered = np.unique(stream.event[burst])
    assert 0.5 < len(answered) / len(told) < 0.95  # three of four were
    since = stream.time_ns[burst] - np.array([told[at].time_ns for at in stream.event[burst]])
    assert since.min() > 1.5 * SECOND
    assert since.max() < 3 * SECOND
    assert not (days(fitted, 3, events=iter([])).length == 300).any()


def test_a_timer_that_starts_when_the_device_speaks_does_not_wait_for_answers():
    rng, rows, at = np.random.default_rng(3), [], MONDAY
    for _ in range(600):
        late = 10**6 * int(rng.integers(20, 900))
        ping = (100, True, 40000, 8883, TCP), (96, False, 8883, 40000, TCP)
        rows += [(at, *ping[0]), (at + late, *ping[1])]
        at += 60 * SECOND + int(rng.integers(10**6))
        if rng.random() < 0.1:  # it says something else before, and waits again
            at -= 20 * SECOND
            rows += [(at, 200, True, 40000, 8883, TCP), (at + late, 60, False, 8883, 40000, BARE)]
            at += 60 * SECOND
    stream = days(Activities().fit([captured(rows)]), 0.4)
    starts = stream.time_ns[(stream.length == 100) & stream.outgoing]
    gaps = np.diff(starts) / SECOND
    assert np.median(np.abs(gaps - np.median(gaps))) < 0.02
    assert np.median(gaps) == pytest.approx(60, rel=0.001)


def test_without_events_it_does_as_often_what_they_cause(fitted):
    stream = days(fitted, 6)
    assert stream.event is None
    assert np.count_nonzero(stream.length == 300) == pytest.approx(2 * 6 * DAYS, rel=0.5)


def test_an_event_is_answered_in_a_stream_that_is_drawn(fitted):
    ahead = days(fitted, 1, events=iter([]))
    rng = np.random.default_rng(0)
    event = Event(3 * HOUR, "on")
    answers = [fitted.respond(ahead, event, rng, number=7) for _ in range(12)]
    longer = [answer for answer in answers if len(answer) > len(ahead)]
    assert 4 < len(longer) < 12
    for answer in longer:
        own = answer.event == 7
        assert np.count_nonzero(own) == len(answer) - len(ahead)
        assert np.isin(answer.flow[own], ahead.flow).all()
        assert (np.diff(answer.time_ns) >= 0).all()
        assert len(np.unique(answer.src_port[own & answer.outgoing])) == 1


def test_a_saved_model_knows_days_and_events(fitted, tmp_path):
    fitted.save(tmp_path / "week.model")
    loaded = load(tmp_path / "week.model").generator
    assert loaded.known_events() == fitted.known_events()
    events = [Event(HOUR, "on"), Event(2 * HOUR, "on")]
    one, other = (days(each, 1, events=events, start_ns=5 * HOUR) for each in (fitted, loaded))
    assert np.array_equal(one.time_ns, other.time_ns)
    assert np.array_equal(one.event, other.event)


def test_sessions_of_a_long_capture_are_as_long(fitted):
    one, other = fitted.sessions(2, np.random.default_rng(0))
    for session in (one, other):
        assert session.time_ns[0] == 0
        assert session.time_ns[-1] == pytest.approx(DAYS * DAY, rel=0.01)


def test_captures_of_set_ups_begin_a_stream(traces):
    generator = Activities().fit(traces)
    stream = days(generator, 0.1)
    firsts = {int(trace.length[0]) for trace in traces}
    assert int(stream.length[0]) in firsts
    assert stream.time_ns[-1] > 0.05 * DAY


def test_what_a_device_does_is_told_with_its_cause(fitted):
    rows = {row.name: row for row in fitted.activities()}
    ask = rows["arp, sent, 120 B"]
    assert ask.period == pytest.approx(60, rel=0.001)
    assert ask.times == pytest.approx(DAYS * 24 * 60, rel=0.01)
    assert (ask.packets, ask.bytes) == (2, 120)
    causes = {row.cause for row in rows.values() if "8883" in row.name}
    assert "an event" in causes
    (answer,) = fitted.answers()
    assert answer.name == "on"
    assert answer.unanswered == pytest.approx(0.25, abs=0.05)
    assert answer.activities == pytest.approx(1, abs=0.3)


def test_set_ups_say_how_much_comes_after_them(traces):
    stream = days(Activities().fit(traces), 0.2)
    rate = len(stream) / (stream.time_ns[-1] / SECOND)
    captured = [len(trace) / (np.ptp(trace.time_ns) / SECOND) for trace in traces]
    assert rate == pytest.approx(np.mean(captured), rel=0.4)


def test_turns_are_counted_within_a_run_of_captures():
    minute = 60 * SECOND
    begin_ns = np.array([0, 1, 2, 4, 5, 6, 100_000, 100_001]) * minute
    run = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    other = np.array([3 * minute - SECOND])
    turns = turns_taken(begin_ns, run, other, other + 5 * SECOND)
    assert turns.tolist() == [1, 1, 2, 1, 1, 1, 1, 1]
