"""Segments that come before what lies before them, and what selective acknowledgment says."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from scapy.layers.inet import TCP
from scapy.packet import Packet
from scapy.utils import rdpcap

from tests.unit.packets.spoken import learnt_from_packets, segment
from tests.unit.packets.test_template import stream

OPENING = [
    segment(True, "S", 5000, 0),
    segment(False, "SA", 1000, 5001),
    segment(True, "A", 5001, 1001),
    segment(True, "PA", 5001, 1001, b"?" * 40),
]
A, B, C = b"a" * 100, b"b" * 60, b"c" * 80
CAME_TWICE = [
    segment(False, "A", 1001, 5041, A),
    segment(True, "A", 5041, 1101),
    segment(False, "A", 1001, 5041, A),
    segment(True, "A", 5041, 1101, block=(1001, 1101)),
]
CAME_EARLY = [
    segment(False, "A", 1001, 5041, A),
    segment(False, "PA", 1181, 5041, B),
    segment(True, "A", 5041, 1101),
    segment(True, "A", 5041, 1101, block=(1181, 1241)),
    segment(False, "A", 1101, 5041, C),
    segment(True, "A", 5041, 1241),
]
CLOSING = [
    segment(True, "FA", 5041, 1241),
    segment(False, "FA", 1241, 5042),
    segment(True, "A", 5042, 1242),
]


def timed(said: Sequence[Packet]) -> list[Packet]:
    packets = [packet.copy() for packet in said]
    for place, packet in enumerate(packets):
        packet.time = place / 100
    return packets


def numbers(path: Path) -> list[tuple[int, ...]]:
    """Sequence and acknowledgment numbers and blocks, counted from the SYNs."""
    segments = [packet[TCP] for packet in rdpcap(str(path))]
    first = {each.sport: each.seq for each in reversed(segments)}
    found = []
    for each in segments:
        blocks = [edge for name, edges in each.options if name == "SAck" for edge in edges]
        heard = [each.ack, *blocks] if each.flags & 16 else []
        relative = [(number - first[each.dport]) % 2**32 for number in heard]
        found.append(((each.seq - first[each.sport]) % 2**32, *relative))
    return found


@pytest.mark.parametrize("said", [CAME_TWICE, [*CAME_EARLY, *CLOSING]])
def test_blocks_are_of_the_connection_that_is_written(
    said: Sequence[Packet], tmp_path: Path
) -> None:
    captured, written = tmp_path / "device.pcap", tmp_path / "honeydata.pcap"
    trace, headers = learnt_from_packets(captured, timed([*OPENING, *said]))
    stream(headers, [trace], written)
    assert numbers(written) == numbers(captured)


def test_what_was_not_captured_did_not_come_later(tmp_path: Path) -> None:
    # what lies before is acknowledged: only the capture lacks it
    lost = [
        segment(False, "A", 1001, 5041, A),
        segment(False, "PA", 1181, 5041, B),
        segment(True, "A", 5041, 1241),
    ]
    _, headers = learnt_from_packets(tmp_path / "device.pcap", timed([*OPENING, *lost]))
    assert not any(template.early for template in headers.templates)


def test_what_comes_early_does_so_only_before_payload_of_that_size(tmp_path: Path) -> None:
    _, headers = learnt_from_packets(tmp_path / "device.pcap", timed([*OPENING, *CAME_EARLY]))
    assert {template.early for template in headers.templates} == {0, len(C)}
    other = [*OPENING, *CAME_EARLY[:2], segment(False, "A", 1241, 5041, C + C)]
    trace, _ = learnt_from_packets(tmp_path / "other.pcap", timed(other))
    written = tmp_path / "honeydata.pcap"
    stream(headers, [trace], written)
    starts = [start for start, *_ in numbers(written)]
    assert starts[4:6] == [1, 1 + len(A)]
