"""What follows what: messages in the order of captures."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from scapy.layers import l2
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import rdpcap, wrpcap

from iotflowgen.capture import read_captures, read_frames
from iotflowgen.packets import learn_headers
from iotflowgen.packets.choices import Choices
from iotflowgen.packets.connections import ANYBODY, Stage
from iotflowgen.packets.headers import Kind, Template
from iotflowgen.packets.ready import Ready
from iotflowgen.packets.succession import NOTHING, UNSEEN, Before, Succession, heard, thread_of
from iotflowgen.traffic import protocol_mask
from tests.unit.packets.test_template import stream

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
    asked, answered = ((70, outgoing, DNS, 53, not outgoing) for outgoing in (True, False))
    assert thread_of(asked) != thread_of(answered)
    sent, heard_ = ((60, outgoing, ARP, 0, False) for outgoing in (True, False))
    assert thread_of(sent) == thread_of(heard_)


def test_segments_without_payload_are_noted_beside_the_last_that_has_one() -> None:
    said = heard(NOTHING, 5, outgoing=True, is_bare=False)
    answered = heard(said, 6, outgoing=False, is_bare=True)
    assert (said, answered) == ((5, 0), (5, 1))
    assert heard(answered, 7, outgoing=True, is_bare=True) == (5, 3)


def test_each_session_begins_as_captures_begin(tmp_path: Path) -> None:
    said = b"first of all", b"after it all", b"and then all"
    way = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:03") / IP(
        src="10.0.0.2", dst="192.0.2.3"
    )
    packets = [way / UDP(sport=40_000, dport=9999) / text for text in said]
    for second, packet in enumerate(packets):
        packet.time = second
    capture, path = tmp_path / "device.pcap", tmp_path / "honeydata.pcap"
    wrpcap(str(capture), packets)
    (trace,) = traces = read_captures([capture], "02:00:00:00:00:02", cache=None)
    headers = learn_headers(read_frames([capture], traces))
    assert headers is not None
    apart = (replace(trace, name=str(i), time_ns=trace.time_ns + i * 10**10) for i in range(8))
    # the last packet of a session is missing: what comes next is not what would come after it
    stream(headers, (session[:2] for session in apart), path)
    assert [bytes(packet[UDP].payload) for packet in rdpcap(str(path))] == [*said[:2]] * 8


def test_a_question_is_one_that_gets_an_answer_where_an_answer_comes(tmp_path: Path) -> None:
    """All ARP is of one length: who is asked, and whether they answer, is told by what comes."""
    own, other = "02:00:00:00:00:02", "02:00:00:00:00:03"
    asks = [
        Ether(src=own, dst="ff:ff:ff:ff:ff:ff")
        / l2.ARP(op=1, hwsrc=own, psrc="10.0.0.2", hwdst="00:00:00:00:00:00", pdst=asked)
        for asked in ("10.0.0.9", "10.0.0.1")
    ]
    answers = Ether(src=other, dst=own) / l2.ARP(
        op=2, hwsrc=other, psrc="10.0.0.1", hwdst=own, pdst="10.0.0.2"
    )
    packets = [packet.copy() for packet in [*[asks[0]] * 9, asks[1], answers] * 3]
    for second, packet in enumerate(packets):
        packet.time = second
    capture, path = tmp_path / "device.pcap", tmp_path / "honeydata.pcap"
    wrpcap(str(capture), packets)
    (trace,) = traces = read_captures([capture], own, cache=None)
    headers = learn_headers(read_frames([capture], traces))
    assert headers is not None
    # five are asked, and the last of them answers
    apart = (replace(trace, name=str(i), time_ns=trace.time_ns + i * 10**12) for i in range(20))
    stream(headers, (session[6:11] for session in apart), path, keep=True)
    written = [(packet[l2.ARP].op, packet[l2.ARP].pdst) for packet in rdpcap(str(path))]
    assert written[3::5] == [(1, "10.0.0.1")] * 20
    assert written[4::5] == [(2, "10.0.0.2")] * 20
