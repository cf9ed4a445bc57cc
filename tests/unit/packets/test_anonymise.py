"""A model tells neither which captures it was learnt from, nor whose they were."""

import re
from pathlib import Path

import membership
import numpy as np
import pytest

import iotflowgen as iot
from iotflowgen.packets import record, remaining
from iotflowgen.wire import Frames
from tests.unit.packets.datagrams.said import dns, trace_of, udp

SAMPLES = Path(__file__).parents[3] / "samples"


def anonymous(*captures):
    found = [(trace_of(c, str(i)), Frames.of([p.frame for p in c])) for i, c in enumerate(captures)]
    return record(found, anonymous=np.random.default_rng(1))


def payloads(recording):
    return [frame[42:] for frame in recording.frames.tolist()]


def text(outgoing, said):
    return udp(outgoing, 40_000, 7000, said.encode(), "ip")


ASK = "GET /state HTTP/1.1\r\nIf-None-Match: {}\r\n\r\n"
TELL = 'HTTP/1.1 200 OK\r\nETag: {}\r\nContent-Length: {}\r\n\r\n{{"level": {}}}'


def test_a_value_of_one_capture_is_another_the_same_wherever_it_stands():
    captures = []
    for tag, size, level in (("qhxkvzwm", 13, 731), ("pjtrbcnd", 14, 5482)):
        captures.append([text(True, ASK.format(tag)), text(False, TELL.format(tag, size, level))])
    asked, told, *_ = [each.decode() for each in payloads(anonymous(*captures))]
    (tag,) = re.fullmatch(ASK.replace(".", r"\.").format(r"(\w{8})"), asked).groups()
    assert tag != "qhxkvzwm"
    pattern = re.escape(TELL).replace(r"\{\}", r"(\w+)").replace(r"\{\{", r"\{")
    assert re.fullmatch(pattern.replace(r"\}\}", r"\}"), told).groups()[:2] == (tag, "13")
    assert not told.endswith(": 731}")


def test_what_several_captures_say_stays():
    both = [text(True, ASK.format("qhxkvzwm")), dns(7, "time.example.org")]
    assert payloads(anonymous(both, both))[:1] == [ASK.format("qhxkvzwm").encode()]


def test_binary_messages_keep_their_lengths_and_types():
    captures = [
        [udp(True, 40_000, 7777, bytes([0x55, 0xAA, 0, 12]) + fill, "ip")]
        for fill in (bytes(range(100, 112)), bytes(range(150, 162)))
    ]
    for payload, own in zip(payloads(anonymous(*captures)), (100, 150), strict=True):
        assert payload[:4] == bytes([0x55, 0xAA, 0, 12])
        assert bytes(range(own, own + 4)) not in payload


def test_a_recording_says_what_it_still_holds():
    left = remaining(anonymous([dns(7, "time.example.org")], [dns(8, "time.example.org")]))
    assert left["names looked up"] == "time.example.org"
    assert left["identifiers"].startswith("drawn")


def test_times_begin_with_the_first_capture():
    recording = anonymous([dns(7, "time.example.org")], [dns(8, "time.example.org")])
    assert recording.time_ns.min() == 0


@pytest.fixture(scope="module")
def strings():
    paths = sorted((SAMPLES / "camera").iterdir())[:8]
    return {path: membership.strings_in(membership.payload_of(path)) for path in paths}


@pytest.mark.filterwarnings("ignore")
def test_neither_honeydata_nor_model_tell_which_captures_were_learnt_from(strings, tmp_path):
    every, captures = np.unique(np.concatenate([*strings.values()]), return_counts=True)
    own = [np.intersect1d(each, every[captures == 1]) for each in strings.values()]
    made, stored = tmp_path / "made.pcap", tmp_path / "camera.model"
    model = iot.fit([*strings][::2])
    model.save(stored)
    model.generate(sessions=10).to_pcap(made)
    for texts in (membership.payload_of(made), [stored.read_bytes()]):
        share = membership.shares(own, membership.strings_in(texts))
        learnt, unseen = np.mean(share[::2]), np.mean(share[1::2])
        assert learnt < max(3 * unseen, 0.002)
    # the same look finds all of what stands there
    assert membership.shares(own, next(iter(strings.values())))[:2] == [1, 0]


def test_a_decimal_whose_digits_recur_apart_is_drawn_as_a_whole():
    """Each three of its digits are in another capture by chance; the number is in none."""
    said = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTime: {}ms\r\nVia: a\r\n\r\n"
    numbers = ["2.637", "2.639", "1.637", "8.125"]
    captures = [[text(True, said.format(number))] for number in [*numbers, "8.125"]]
    told = [payload.decode() for payload in payloads(anonymous(*captures))]
    times = [re.search(r"Time: (\d\.\d{3})ms", each)[1] for each in told]
    assert not {*numbers[:3]} & {*times[:3]}
    assert times[3:] == ["8.125", "8.125"]
