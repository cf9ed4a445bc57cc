import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from iotflowgen.packets import Frame, FuzzBuilder, PacketFeatures
from iotflowgen.packets.stacks import STACKS
from iotflowgen.traffic import protocol_mask

BUILDER = FuzzBuilder(np.random.default_rng(0))
PORTS = st.sampled_from([0, 53, 67, 80, 123, 443, 1900, 5353, 8080]) | st.integers(0, 65_535)
LENGTHS = st.integers(14, 200) | st.integers(14, 1514) | st.integers(14, 70_000)
SHOWN = st.sampled_from([stack.protocols for stack in STACKS])
PACKETS = st.builds(
    PacketFeatures, LENGTHS, st.booleans(), PORTS, PORTS, SHOWN | st.integers(0, 65_535)
)


def packet(
    names: str, length: int, src_port: int = 0, dst_port: int = 0, *, outgoing: bool = True
) -> PacketFeatures:
    return PacketFeatures(length, outgoing, src_port, dst_port, protocol_mask(names.split()))


def build(*packets: PacketFeatures, seed: int = 1) -> list[Frame]:
    return FuzzBuilder(np.random.default_rng(seed)).build(packets)


@settings(max_examples=300, deadline=None)
@given(st.lists(PACKETS, min_size=1, max_size=5))
def test_every_frame_has_the_length_asked_for(window: list[PacketFeatures]) -> None:
    frames = BUILDER.build(window)
    assert [len(frame.data) for frame in frames] == [asked.length for asked in window]
    for frame, asked in zip(frames, window, strict=True):
        sender = frame.data[6:12].hex(":")
        assert (sender == BUILDER.device_mac) == asked.outgoing


def test_arp_byte_by_byte() -> None:
    builder = FuzzBuilder(np.random.default_rng(1))
    ask, answer = builder.build([packet("arp", 42), packet("arp", 60, outgoing=False)])
    own, ip = builder.device_mac.replace(":", ""), bytes(map(int, builder.device_ip.split(".")))
    gateway = answer.data[6:12].hex()
    router = ip[:3] + b"\1"
    assert ask.data.hex() == (
        "ffffffffffff"
        + own
        + "0806"
        + "0001080006040001"
        + own
        + ip.hex()
        + "0" * 12
        + router.hex()
    )
    assert (
        answer.data.hex()
        == (own + gateway + "0806" + "0001080006040002" + gateway + router.hex() + own + ip.hex())
        + "00" * 18
    )


def test_a_capability_exchange_and_an_unknown_frame_byte_by_byte() -> None:
    exchange, unknown = (frame.data for frame in build(packet("llc", 20), packet("", 16)))
    assert exchange[12:].hex(" ") == "00 06 00 00 af 81 01 00"
    assert unknown[12:15].hex(" ") == "88 b5 ff"


@pytest.mark.parametrize(
    ("names", "length", "dst_port", "flags", "options", "payload"),
    [
        ("ip tcp", 54, 80, "A", 0, 0),
        ("ip tcp", 58, 80, "A", 4, 0),
        ("ip tcp", 60, 80, "A", 0, 0),  # padded, as Ethernet does
        ("ip tcp", 66, 80, "A", 12, 0),
        ("ip tcp", 94, 80, "A", 40, 0),
        ("ip tcp", 95, 80, "RA", 0, 41),  # to HTTP's dissector it would be malformed
        ("ip tcp", 95, 50001, "PA", 0, 41),
        ("ip tcp https", 95, 443, "PA", 0, 41),
    ],
)
def test_what_fills_a_segment(
    names: str, length: int, dst_port: int, flags: str, options: int, payload: int
) -> None:
    (frame,) = build(packet(names, length, 50000, dst_port))
    tcp = Ether(frame.data)[TCP]
    total = Ether(frame.data)[IP].len
    assert tcp.flags == flags
    assert tcp.dataofs * 4 - 20 == options
    assert total - 20 - tcp.dataofs * 4 == payload


@pytest.mark.parametrize(("dst_port", "length"), [(50001, 108), (69, 8)])
def test_a_datagram_on_a_port_of_another_protocol_is_empty(dst_port: int, length: int) -> None:
    (frame,) = build(packet("ip udp", 142, 50000, dst_port))
    assert Ether(frame.data)[UDP].len == length
    assert frame.compromises == ()


def test_segments_follow_each_other() -> None:
    names = "ip tcp https"
    there = packet(names, 154, 50000, 443)
    back = packet(names, 254, 443, 50000, outgoing=False)
    first, reply, second = (Ether(frame.data)[TCP] for frame in build(there, back, there))
    assert second.seq == (first.seq + 100) % 2**32
    assert reply.ack == second.seq
    assert second.ack == (reply.seq + 200) % 2**32


def test_the_peer_stays_within_a_connection_and_differs_between_them() -> None:
    asks = packet("ip tcp", 54, 50000, 443)
    answer = packet("ip tcp", 54, 443, 50000, outgoing=False)
    other = packet("ip tcp", 54, 50002, 443)
    one, two, three = (Ether(frame.data)[IP] for frame in build(asks, answer, other))
    assert one.dst == two.src
    assert one.dst != three.dst


def test_the_device_is_in_every_ip_packet_and_nobody_else_is() -> None:
    windows = [
        [
            packet("ip udp mdns", 120, 5353, 5353, outgoing=False),
            packet("ip udp dhcp bootp", 342, 68, 67),
            packet("ip tcp https", 200, 443, 50000, outgoing=False),
            packet("ip", 54),
        ]
    ] * 5
    builder = FuzzBuilder(np.random.default_rng(2))
    counts: Counter[str] = Counter()
    for window in windows:
        for frame in builder.build(window):
            ip = Ether(frame.data)[IP]
            counts.update((ip.src, ip.dst))
    assert counts[builder.device_ip] == 20
    assert counts.most_common(2)[1][1] <= 5


def test_the_same_seed_gives_the_same_bytes() -> None:
    window = [packet("ip tcp https", 200, 50000, 443), packet("ip udp ntp", 90, 123, 123)]

    def data(seed: int) -> list[bytes]:
        return [frame.data for frame in build(*window, seed=seed)]

    assert data(1) == data(1)
    assert data(1) != data(2)


def test_what_is_left_open_differs_from_packet_to_packet() -> None:
    frames = build(*[packet("ip tcp", 54, 50000, 443)] * 20)
    headers = [Ether(frame.data) for frame in frames]
    assert len({header[IP].id for header in headers}) == 20
    assert len({header[IP].ttl for header in headers}) > 10
    assert len({header[TCP].window for header in headers}) == 20


def test_the_random_module_is_left_as_it_was() -> None:
    random.seed(3)
    expected = random.random()
    random.seed(3)
    build(packet("ip tcp", 100, 50000, 50001))
    assert random.random() == expected


@pytest.mark.parametrize(
    ("asked", "compromise"),
    [
        (
            packet("ip tcp http", 56, 50000, 80),
            "ip+tcp+http sent as ip+tcp: the frame is too short",
        ),
        (packet("arp", 60, 1, 2), "ports without tcp or udp left out"),
        (packet("ip tcp", 0, 1, 2), "a frame has from 14 to 262144 bytes"),
        (
            packet("ip tcp", 70_000, 1, 2),
            "tcp as long as its header can say, the rest is a trailer",
        ),
    ],
)
def test_a_compromise_is_named(asked: PacketFeatures, compromise: str) -> None:
    (frame,) = build(asked)
    assert compromise in frame.compromises
