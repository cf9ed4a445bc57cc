import random
from pathlib import Path

import pytest

from iotflowgen.packets.connections import Conversation
from iotflowgen.packets.headers import Headers, Kind, Repeat, of_any_length
from iotflowgen.packets.kinds import Usual
from iotflowgen.packets.layout import ACK
from iotflowgen.packets.lookahead import Carries
from iotflowgen.packets.repeats import RepeatCounts, Repeats
from iotflowgen.packets.segments import Segment, leave, number
from iotflowgen.traffic import protocol_mask
from tests.unit.packets.spoken import AGAIN, OPENING, PROBE, learnt_from
from tests.unit.packets.test_template import stream
from tests.unit.packets.test_write import complaints

TCP = protocol_mask(["ip", "tcp"])
KIND, OTHER = (154, True, TCP, 80, False), (60, True, TCP, 80, False)


def repeated(headers: Headers) -> list[Repeat]:
    """Kinds that are said again, those of any length left out."""
    return [each for each in headers.repeats if each.share and each.kind[0]]


def test_repetitions_are_counted_by_what_they_come_after() -> None:
    counts = RepeatCounts()
    for kind, follows, again in (
        *((KIND, True, again) for again in (True, False, True)),
        *((KIND, False, again) for again in (False, True)),
        (OTHER, True, False),
    ):
        counts.see((kind, follows, False), 1000, again=again)
    shares = {(repeat.kind, repeat.follows): repeat.share for repeat in counts.repeats()}
    assert shares == {(KIND, True): 2 / 3, (KIND, False): 1 / 2, (OTHER, True): 0}


def test_what_is_said_again_comes_about_as_late_as_it_was_seen_to() -> None:
    counts, case = RepeatCounts(), (KIND, False, False)
    for after_ns, again in ((10**9, True), (3 * 10**9, True), (2 * 10**9, False)):
        counts.see(case, after_ns, again=again)
    for _ in range(100):
        counts.see(case, 10**6, again=False)
    (repeat,) = counts.repeats()
    assert repeat.share == 2 / 3
    assert (repeat.soonest_ns, repeat.latest_ns) == (10**9 // 2, 6 * 10**9)


def test_the_connection_that_was_used_longest_ago_is_forgotten() -> None:
    counts = RepeatCounts()
    counts.see((KIND, True, False), 1000, again=True)
    repeats, usual = Repeats(counts.repeats(), random.Random(0)), Usual(Carries.PAYLOAD, False)

    def again(port: int, time_ns: int) -> bool:
        return repeats.plan([(TCP, port, 80)], [KIND], [usual], [time_ns])[0]

    for port in range(5000):
        assert not again(port, 0)
    assert again(0, 1000)
    assert not again(5000, 1000)
    assert again(0, 2000)
    assert not again(1, 1000)


def test_payload_of_a_length_that_was_not_seen_is_said_again_as_often_as_others() -> None:
    counts = RepeatCounts()
    anyone = of_any_length(KIND)
    for kind, again in ((anyone, True), (anyone, True), (OTHER, False), (anyone, False)):
        counts.see((kind, True, False), 1000, again=again)
    flows, data = [(TCP, 5000, 80)] * 1000, Usual(Carries.PAYLOAD, is_bare=False)

    def share(kind: Kind) -> float:
        repeats, times_ns = Repeats(counts.repeats(), random.Random(0)), range(0, 10**6, 1000)
        return sum(repeats.plan(flows, [kind] * 1000, [data] * 1000, times_ns)) / 1000

    assert share((153, *KIND[1:])) == pytest.approx(2 / 3, abs=0.05)
    # this one was seen, and not said again
    assert share(OTHER) == 0
    assert share((153, False, *KIND[2:])) == 0


@pytest.mark.parametrize("cut", range(1, 6))
def test_what_is_said_again_does_not_depend_on_where_a_run_is_cut(cut: int) -> None:
    counts = RepeatCounts()
    answer = (60, False, TCP, 80, True)
    for kind, follows, waits in ((KIND, True, False), (answer, True, False)):
        counts.see((kind, follows, waits), 1000, again=True)
    data = Usual(Carries.PAYLOAD, is_bare=False)
    bare = Usual(Carries.NOTHING, is_bare=True)
    said = [(KIND, data), (KIND, data), (answer, bare), (answer, bare), (OTHER, data), (KIND, data)]
    kinds, usual = zip(*said, strict=True)
    flows, times_ns = [(TCP, 5000, 80)] * len(said), [1000 * i for i in range(len(said))]
    whole, pieces = (Repeats(counts.repeats(), random.Random(0)) for _ in range(2))
    again = whole.plan(flows, kinds, usual, times_ns)
    assert again == [False, True, False, True, False, False]
    assert again == [
        says_again
        for part in (slice(cut), slice(cut, None))
        for says_again in pieces.plan(flows[part], kinds[part], usual[part], times_ns[part])
    ]


def test_what_is_repeated_has_the_numbers_that_it_had() -> None:
    conversation = Conversation((1000, 5000))
    sent = [(True, 100, False), (True, 100, True), (False, 0, False), (False, 0, True)]
    segments = [
        Segment(conversation, outgoing, ACK, size, repeats=repeats)
        for outgoing, size, repeats in sent
    ]
    numbers = [*map(number, segments, leave(segments))]
    assert numbers[0] == numbers[1] == (5000, 1000)
    assert numbers[2] == numbers[3] == (1000, 5100)


def test_a_keep_alive_probe_repeats_nothing(tmp_path: Path) -> None:
    asks, answers, probes = (True, "PA", b"x" * 100), (False, "A", b""), (False, PROBE, b"")
    said = [asks, answers, answers, *[asks, answers, probes] * 3]
    _, headers = learnt_from(tmp_path / "device.pcap", said)
    (repeat,) = repeated(headers)
    assert (repeat.kind[1], repeat.share) == (False, 1 / 4)


def test_an_acknowledgment_that_is_said_again_is_not_said_a_third_time(tmp_path: Path) -> None:
    asks, answers = (True, "PA", b"x" * 100), (False, "A", b"")
    said = [*OPENING, *[asks, answers, answers] * 3]
    _, headers = learnt_from(tmp_path / "device.pcap", said)
    (repeat,) = repeated(headers)
    assert (repeat.kind[1], repeat.follows, repeat.share) == (False, True, 1)
    path = tmp_path / "honeydata.pcap"
    # four acknowledgments in a row: two say something new, and each of these is said twice
    longer, _ = learnt_from(tmp_path / "longer.pcap", [*OPENING, asks, *[answers] * 4, asks])
    stream(headers, [longer], path)
    found = complaints(path, wrong="tcp.analysis.duplicate_ack")
    assert [line.split()[0] for line in found] == ["6", "8"]


def test_the_end_of_a_connection_is_repeated_as_it_was(tmp_path: Path) -> None:
    asks, ends = (True, "PA", b"?" * 40), (False, "FPA", b"!" * 90)
    rest = [(True, "A", b""), (True, "FA", b""), (False, "A", b"")]
    said = [*OPENING, asks, ends, (False, AGAIN, b""), *rest]
    trace, headers = learnt_from(tmp_path / "device.pcap", said)
    path = tmp_path / "honeydata.pcap"
    stream(headers, [trace], path)
    found = complaints(path, wrong="tcp.analysis.flags")
    assert [line.split()[0] for line in found] == ["6"]


def test_payload_comes_again_after_others_and_whoever_hears_it_twice_says_so(
    tmp_path: Path,
) -> None:
    asks, answers = (True, "PA", b"?" * 40), (False, "PA", b"!" * 90)
    hears, thanks = (True, "A", b""), (True, "PA", b"." * 7)
    said = [*OPENING, asks, answers, hears, (False, AGAIN, b""), hears, thanks, (False, "A", b"")]
    trace, headers = learnt_from(tmp_path / "device.pcap", said)
    assert {(each.kind[0], each.follows, each.share) for each in repeated(headers)} == {
        (144, False, 1),
        (54, False, 1),
    }
    path = tmp_path / "honeydata.pcap"
    stream(headers, [trace], path)
    spurious = complaints(path, wrong="tcp.analysis.spurious_retransmission")
    duplicates = complaints(path, wrong="tcp.analysis.duplicate_ack")
    assert [line.split()[0] for line in spurious] == ["7"]
    assert [line.split()[0] for line in duplicates] == ["8"]


def test_the_end_of_what_is_said_is_repeated_before_many_others(tmp_path: Path) -> None:
    asks, ends = (True, "PA", b"?" * 40), (False, "FPA", b"!" * 90)
    more = [(True, "PA", b"." * (size + 1)) for size in range(5)]
    said = [*OPENING, asks, ends, (False, AGAIN, b""), (True, "A", b""), *more]
    said += [(True, "FA", b""), (False, "A", b"")]
    trace, headers = learnt_from(tmp_path / "device.pcap", said)
    path = tmp_path / "honeydata.pcap"
    stream(headers, [trace], path)
    ending = complaints(path, wrong="tcp.flags.fin == 1")
    assert [line.split()[0] for line in ending] == ["5", "6", "13"]


def test_an_acknowledgment_says_something_new_as_long_as_there_is_something(tmp_path: Path) -> None:
    """Who has heard something twice answers that after what it has heard once."""
    first, last = (False, "PA", b"." * 17), (False, "PA", b"!" * 90)
    hears = (True, "A", b"")
    said = [*OPENING, (True, "PA", b"?"), first, last, (False, AGAIN, b""), hears, hears, hears]
    trace, headers = learnt_from(tmp_path / "device.pcap", said)
    path = tmp_path / "honeydata.pcap"
    stream(headers, [trace], path)
    duplicates = complaints(path, wrong="tcp.analysis.duplicate_ack")
    assert [line.split()[0] for line in duplicates] == ["10"]
