import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, LLC, SNAP, Dot1Q, Dot3, Ether
from scapy.packet import Packet, Raw
from scapy.utils import checksum

from iotflowgen.packets.layout import (
    TIMESTAMPS,
    find_layout,
    internet_sum,
    option_at,
    set_checksums,
    with_true_lengths,
)

FRAMES = [
    Ether() / IP() / TCP(options=[("NOP", None), ("Timestamp", (7, 8))]) / Raw(b"odd"),
    Ether() / Dot1Q(vlan=3) / IP() / UDP(sport=53, dport=4000) / Raw(b"even"),
    Ether() / IPv6() / UDP(sport=5353, dport=5353) / Raw(b"abc"),
    Ether() / IPv6() / ICMPv6EchoRequest(data=b"x"),
    Ether() / IP() / ICMP() / Raw(b"ping"),
    Dot3() / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x0800) / IP() / UDP(),
]


@given(st.binary(max_size=200))
def test_the_sum_is_what_internet_checksums_complement(data: bytes) -> None:
    assert (65535 - internet_sum(data)) % 65535 == checksum(data) % 65535


@pytest.mark.parametrize("packet", FRAMES, ids=lambda packet: packet.summary())
def test_checksums_are_those_of_scapy(packet: Packet) -> None:
    expected = bytes(packet)
    frame = bytearray(expected + bytes(4))  # padding is no part of any sum
    layout = find_layout(frame)
    if layout.is_ip4:
        frame[layout.network + 10 : layout.network + 12] = b"\1\2"
    set_checksums(frame, layout)
    assert bytes(frame[:-4]) == expected


def test_offsets_of_a_segment() -> None:
    frame = bytes(FRAMES[0])
    layout = find_layout(frame)
    assert (layout.network, layout.transport, layout.protocol) == (14, 34, 6)
    assert frame[layout.payload : layout.end] == b"odd"
    stamps = option_at(frame, layout, TIMESTAMPS)
    assert frame[stamps : stamps + 8] == bytes([0, 0, 0, 7, 0, 0, 0, 8])


@given(st.integers(0, 80), st.sampled_from(FRAMES))
def test_a_frame_that_was_cut_off_is_read_as_far_as_it_goes(size: int, packet: Packet) -> None:
    frame = bytes(packet)[:size]
    layout = find_layout(frame)
    assert layout.payload <= max(layout.end, layout.network) <= max(14, size)


@given(st.integers(0, 80), st.sampled_from(FRAMES))
def test_a_frame_that_its_sender_cut_short_says_so(size: int, packet: Packet) -> None:
    frame = bytes(packet)[:size]
    layout = find_layout(frame)
    told = with_true_lengths(frame, layout)
    assert len(told) == len(frame)
    for start, at, is_there in (
        (layout.network, 2, layout.is_ip4),
        (layout.transport, 4, layout.protocol == 17),
    ):
        if is_there:
            length = int.from_bytes(told[start + at : start + at + 2])
            assert length == len(frame) - start


@pytest.mark.parametrize("packet", FRAMES, ids=lambda packet: packet.summary())
def test_a_whole_frame_says_what_it_said(packet: Packet) -> None:
    frame = bytes(packet) + bytes(4)
    assert with_true_lengths(frame, find_layout(frame)) == frame


def test_what_follows_arp_is_padding() -> None:
    assert find_layout(bytes(Ether() / ARP()) + bytes(18)).end == 42
