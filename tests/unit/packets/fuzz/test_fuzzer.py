import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from iotflowgen.packets.fuzz import Fuzzer, Home
from iotflowgen.packets.fuzz.stacks import STACKS, Features
from iotflowgen.packets.rows import Rows
from iotflowgen.traffic import protocol_mask

FUZZER = Fuzzer(np.random.default_rng(0))
PORTS = st.sampled_from([0, 53, 67, 80, 123, 443, 1900, 5353, 8080]) | st.integers(0, 65_535)
LENGTHS = st.integers(14, 200) | st.integers(14, 1514) | st.integers(14, 70_000)
SHOWN = st.sampled_from([stack.protocols for stack in STACKS])
PACKETS = st.builds(Features, LENGTHS, st.booleans(), PORTS, PORTS, SHOWN | st.integers(0, 65_535))


def packet(
    names: str, length: int, src_port: int = 0, dst_port: int = 0, *, outgoing: bool = True
) -> Features:
    return Features(length, outgoing, src_port, dst_port, protocol_mask(names.split()))


def rows(windows: Sequence[Sequence[Features]]) -> Rows:
    """Each window a session."""
    packets = [packet for window in windows for packet in window]
    columns = {name: np.array([getattr(p, name) for p in packets]) for name in Features._fields}
    number = np.arange(len(packets))
    session = np.repeat(np.arange(len(windows)), [len(window) for window in windows])
    none = np.full(len(packets), -1)
    return Rows(number=number, session=session, flow=none, time_ns=number, source=none, **columns)


def render(*packets: Features, seed: int = 1) -> list[bytes]:
    return Fuzzer(np.random.default_rng(seed)).render(rows([packets])).tolist()


@settings(max_examples=300, deadline=None)
@given(st.lists(PACKETS, min_size=1, max_size=5))
def test_every_frame_has_the_length_asked_for(window: list[Features]) -> None:
    frames = FUZZER.render(rows([window])).tolist()
    assert [len(frame) for frame in frames] == [asked.length for asked in window]
    for frame, asked in zip(frames, window, strict=True):
        assert (frame[6:12].hex(":") == FUZZER.device_mac) == asked.outgoing


def test_arp_byte_by_byte() -> None:
    fuzzer = Fuzzer(np.random.default_rng(1))
    asked = rows([[packet("arp", 42), packet("arp", 60, outgoing=False)]])
    ask, answer = fuzzer.render(asked).tolist()
    own, ip = fuzzer.device_mac.replace(":", ""), bytes(map(int, fuzzer.device_ip.split(".")))
    gateway = answer[6:12].hex()
    router = ip[:3] + b"\1"
    assert ask.hex() == (
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
        answer.hex()
        == (own + gateway + "0806" + "0001080006040002" + gateway + router.hex() + own + ip.hex())
        + "00" * 18
    )


def test_a_capability_exchange_and_an_unknown_frame_byte_by_byte() -> None:
    exchange, unknown = render(packet("llc", 20), packet("", 16))
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
    (frame,) = render(packet(names, length, 50000, dst_port))
    tcp = Ether(frame)[TCP]
    total = Ether(frame)[IP].len
    assert tcp.flags == flags
    assert tcp.dataofs * 4 - 20 == options
    assert total - 20 - tcp.dataofs * 4 == payload


@pytest.mark.parametrize(("dst_port", "length"), [(50001, 108), (69, 8)])
def test_a_datagram_on_a_port_of_another_protocol_is_empty(dst_port: int, length: int) -> None:
    fuzzer = Fuzzer(np.random.default_rng(1))
    (frame,) = fuzzer.render(rows([[packet("ip udp", 142, 50000, dst_port)]])).tolist()
    assert Ether(frame)[UDP].len == length
    assert not fuzzer.compromises


def test_segments_follow_each_other() -> None:
    names = "ip tcp https"
    there = packet(names, 154, 50000, 443)
    back = packet(names, 254, 443, 50000, outgoing=False)
    first, reply, second = (Ether(frame)[TCP] for frame in render(there, back, there))
    assert second.seq == (first.seq + 100) % 2**32
    assert reply.ack == second.seq
    assert second.ack == (reply.seq + 200) % 2**32


def test_the_peer_stays_within_a_connection_and_differs_between_them() -> None:
    asks = packet("ip tcp", 54, 50000, 443)
    answer = packet("ip tcp", 54, 443, 50000, outgoing=False)
    other = packet("ip tcp", 54, 50002, 443)
    one, two, three = (Ether(frame)[IP] for frame in render(asks, answer, other))
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
    fuzzer = Fuzzer(np.random.default_rng(2))
    counts: Counter[str] = Counter()
    for frame in fuzzer.render(rows(windows)).tolist():
        ip = Ether(frame)[IP]
        counts.update((ip.src, ip.dst))
    assert counts[fuzzer.device_ip] == 20
    assert counts.most_common(2)[1][1] <= 5


def test_blocks_are_the_same_bytes_as_all_at_once() -> None:
    window = [packet("ip tcp https", 200, 50000, 443), packet("ip udp ntp", 90, 123, 123)] * 3
    asked = rows([window] * 4)
    whole = Fuzzer(np.random.default_rng(1)).render(asked).tolist()
    fuzzer = Fuzzer(np.random.default_rng(1))
    parts = [fuzzer.render(asked.take(slice(i, i + 5))).tolist() for i in range(0, 24, 5)]
    assert [frame for part in parts for frame in part] == whole


def test_the_home_may_be_given() -> None:
    home = Home(
        device_mac="02:00:00:00:00:01",
        device_ip="10.0.0.2",
        device_ip6="fe80::2",
        gateway_mac="02:00:00:00:00:02",
        gateway_ip="10.0.0.1",
    )
    fuzzer = Fuzzer(np.random.default_rng(1), home)
    asked = rows([[packet("ip tcp", 54, 50000, 443), packet("arp", 42, outgoing=False)]])
    segment, answer = (Ether(frame) for frame in fuzzer.render(asked).tolist())
    assert (segment.src, segment.dst, segment[IP].src) == (
        home.device_mac,
        home.gateway_mac,
        home.device_ip,
    )
    assert (answer.psrc, answer.pdst) == (home.gateway_ip, home.device_ip)


def test_a_session_knows_nothing_of_the_connections_of_another() -> None:
    asked = rows([[packet("ip tcp https", 200, 50000, 443)]] * 2)
    one, two = Fuzzer(np.random.default_rng(1)).render(asked).tolist()
    assert Ether(one)[IP].dst != Ether(two)[IP].dst


def test_the_same_seed_gives_the_same_bytes() -> None:
    window = [packet("ip tcp https", 200, 50000, 443), packet("ip udp ntp", 90, 123, 123)]

    def data(seed: int) -> list[bytes]:
        return render(*window, seed=seed)

    assert data(1) == data(1)
    assert data(1) != data(2)


def test_what_is_left_open_differs_from_packet_to_packet() -> None:
    frames = render(*[packet("ip tcp", 54, 50000, 443)] * 20)
    headers = [Ether(frame) for frame in frames]
    assert len({header[IP].id for header in headers}) == 20
    assert len({header[IP].ttl for header in headers}) > 10
    assert len({header[TCP].window for header in headers}) == 20


def test_the_random_module_is_left_as_it_was() -> None:
    random.seed(3)
    expected = random.random()
    random.seed(3)
    render(packet("ip tcp", 100, 50000, 50001))
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
def test_a_compromise_is_named(asked: Features, compromise: str) -> None:
    fuzzer = Fuzzer(np.random.default_rng(1))
    fuzzer.render(rows([[asked]] * 2))
    assert fuzzer.compromises[compromise] == 2
