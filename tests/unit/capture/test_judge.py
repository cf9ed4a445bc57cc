"""What we tell of packets is what tshark tells, column by column."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iotflowgen.capture.builtin import dissect
from iotflowgen.capture.tshark import dissect_by_tshark
from iotflowgen.traffic import PROTOCOLS, unpack_protocols
from tests.unit.capture import frames
from tests.unit.capture.conftest import needs_tshark, pcap

pytestmark = needs_tshark

COLUMNS = ("in_file", "time_ns", "length", "src_port", "dst_port", "tcp_payload")
ADDRESSES = ("src_ip", "dst_ip", "src_mac", "dst_mac")


def columns(found):
    """Everything of a dissection, a list a packet."""
    present = unpack_protocols(found.protocols)
    names = [" ".join(np.array(PROTOCOLS)[row]) for row in present]
    addresses = [np.array(found.addresses)[getattr(found, name)] for name in ADDRESSES]
    return np.column_stack([*(getattr(found, name) for name in COLUMNS), names, *addresses])


def differences(path):
    """Packets that differ: place in the file, what we say, what tshark says."""
    ours, theirs = dissect(path), dissect_by_tshark(path)
    assert ours.link == theirs.link
    mine, judged = columns(ours), columns(theirs)
    assert mine.shape == judged.shape
    return [
        (int(ours.in_file[i]), mine[i].tolist(), judged[i].tolist())
        for i in np.flatnonzero((mine != judged).any(axis=1))
    ]


def conversation(device, source, port, payloads):
    """Segments with these payloads, of a device to the server and back in turn."""
    for i, payload in enumerate(payloads):
        back = bool(i % 2)
        if payload is None:
            segment, back = frames.tcp(source, port, flags=2, sequence=i), False
        else:
            segment = frames.tcp(*((port, source) if back else (source, port)), payload)
        yield frames.eth(frames.ip4(segment, 6, device=device, back=back))


def test_odd_frames(write):
    found = differences(write(pcap(frames.ODD.values())))
    assert {[*frames.ODD][place]: said for place, *said in found} == {}


# the second is one that Wireshark has for another protocol
@pytest.mark.parametrize("source", [40000, 3452])
@pytest.mark.parametrize("opened", [False, True])
def test_conversations(write, source, opened):
    names, sent = [], []
    for device, (name, (port, payloads)) in enumerate(frames.CONVERSATION.items(), 10):
        syn = frames.eth(frames.ip4(frames.tcp(source, port, flags=2), 6, device=device))
        segments = [syn] * opened + [*conversation(device, source, port, payloads)]
        names += [f"{name}, {i}" for i in range(len(segments))]
        sent += segments
    found = differences(write(pcap(sent)))
    assert {names[place]: said for place, *said in found} == {}


@pytest.mark.parametrize("link", frames.LINKS)
def test_other_links(write, link):
    assert differences(write(pcap(frames.LINKS[link], link=link))) == []


def test_frames_cut_off_anywhere_in_their_headers(write):
    whole = [
        frames.eth(frames.ip4(frames.tcp(40000, 80, frames.GET), 6)),
        frames.eth(frames.ip4(frames.udp(5000, 53, frames.QUERY), 17)),
        frames.eth(frames.ip6(b"\x11\0\5\2\0\0\0\0" + frames.udp(5000, 53), 0), 0x86DD),
        frames.ODD["SNAP"],
        frames.ODD["two tags"],
    ]
    snaps = [*range(14, 54)]
    sent = [frame for frame in whole for _ in snaps]
    assert differences(write(pcap(sent, snap=snaps * len(whole)))) == []


PORTS = st.sampled_from([40000, 50001, 3452, 49153, 80, 443, 8080, 8883, 53, 123, 1900, 5353, 67])
PAYLOADS = st.sampled_from(
    ["GET", "OK", "NOTIFY", "BINARY", "TEXT", "HELLO", "DATA", "QUERY", "ANSWER", "DISCOVER", "NTP"]
).map(partial(getattr, frames)) | st.sampled_from([b"", b"\0", b"a"])


@st.composite
def packets(draw):
    source, destination, payload = draw(PORTS), draw(PORTS), draw(PAYLOADS)
    back = draw(st.booleans())
    if draw(st.booleans()):
        flags = draw(st.sampled_from([0x18, 0x10, 0x11, 0x14]))
        inner, protocol = frames.tcp(source, destination, payload, flags=flags), 6
    else:
        inner, protocol = frames.udp(source, destination, payload), 17
    if draw(st.booleans()):
        return frames.eth(frames.ip6(inner, protocol, back=back), 0x86DD)
    return frames.eth(frames.ip4(inner, protocol, back=back))


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(packets(), min_size=40, max_size=120))
def test_any_ports_with_any_payload_in_any_order(write, mixed):
    assert differences(write(pcap(mixed))) == []


@pytest.mark.captures
@pytest.mark.parametrize("device", ["WeMoLink", "D-LinkCam", "EdimaxPlug1101W", "Aria"])
def test_real_captures(aalto, device):
    for path in sorted((aalto / device).glob("*.pcap"))[:5]:
        assert differences(path) == []


@pytest.mark.parametrize("sample", ["plug/plug-01.pcapng", "camera/camera-01.pcap.gz"])
def test_samples(sample):
    assert differences(Path(__file__).parents[3] / "samples" / sample) == []
