import random
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scapy.utils import RawPcapReader

from iotflowgen.capture import read_frames
from iotflowgen.packets import learn_headers
from iotflowgen.packets.connections import Side
from iotflowgen.packets.records import DATA, Nonces, Phase, go_on, lengthen, read_records
from iotflowgen.traffic import protocol_mask
from tests.unit.packets.spoken import OPENING, learnt_from
from tests.unit.packets.test_template import stream
from tests.unit.packets.test_write import complaints

BODY = b"\3\3" + b"R" * 32 + b"\x20" + b"S" * 32 + b"\0\4\x13\1\x13\2" + b"\1\0\0\0"
HELLO = b"\x16\3\1" + (len(BODY) + 4).to_bytes(2) + b"\1" + len(BODY).to_bytes(3) + BODY


def ciphered(owed: int = 0, nonce: int = -1) -> Side:
    side = Side()
    side.phase, side.owed, side.nonce = Phase.CIPHERED, owed, nonce
    return side


@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=12), st.integers(0, 20_000))
def test_segments_of_any_sizes_make_one_stream_of_whole_records(
    sizes: list[int], owed: int
) -> None:
    side = ciphered(owed)
    draw = random.Random(0).randbytes
    parts = [go_on(side, size, 0x0303, draw) for size in sizes]
    assert [len(part) for part in parts] == sizes
    stream = b"".join(parts) + side.due + draw(side.owed)
    speech = read_records(stream, Phase.CIPHERED, owed)
    assert speech is not None
    assert speech.left == max(0, owed - len(stream))


def test_a_hello_keeps_its_ciphers_and_loses_its_random_and_session() -> None:
    speech = read_records(HELLO, Phase.SILENT, 0)
    assert speech is not None
    assert (speech.phase, speech.left) == (Phase.HANDSHAKE, 0)
    assert [HELLO[start:end] for start, end in speech.random] == [b"R" * 32, b"S" * 32]


def test_a_record_may_go_on_in_the_next_segment() -> None:
    first = read_records(b"\x17\3\3\0\x10" + bytes(6), Phase.CIPHERED, 0)
    assert first is not None
    assert (first.random, first.left) == (((5, 11),), 10)
    second = read_records(bytes(10) + b"\x15\3\3\0\2\0\0", Phase.CIPHERED, first.left)
    assert second is not None
    assert (second.random, second.left) == (((0, 10), (15, 17)), 0)


@given(st.integers(1, 4), st.integers(1, 3000))
def test_a_header_that_is_cut_in_two_goes_on_in_the_next_segment(cut: int, size: int) -> None:
    whole = b"\x17\3\1\0\x20" + bytes(32)
    first = read_records(whole + whole[:cut], Phase.CIPHERED, 0)
    assert first is not None
    assert first.random == ((5, 37),)
    second = read_records(whole[cut:] + whole, Phase.CIPHERED, first.left)
    assert second is not None
    assert (second.random, second.left) == (((5 - cut, 37 - cut), (42 - cut, 74 - cut)), 0)
    side = ciphered(first.left)
    said = go_on(side, size, 0x0301, random.Random(0).randbytes) + side.due
    speech = read_records(whole[:cut] + said, Phase.CIPHERED, 0)
    assert speech is not None
    assert speech.left == max(0, side.owed)


def test_a_record_is_left_open_for_the_next_segment() -> None:
    side = ciphered()
    said = go_on(side, 1000, 0x0303, random.Random(0).randbytes, 200)
    speech = read_records(said, Phase.CIPHERED, 0)
    assert speech is not None
    assert (len(said), speech.left, side.owed) == (1000, 200, 200)


def test_nonces_that_count_are_told_from_random_ones() -> None:
    nonces = Nonces()
    for number in (2**63 + 5, 2**63 + 6):
        payload = b"\x17\3\3\0\x20" + number.to_bytes(8) + bytes(24)
        speech = read_records(payload, Phase.CIPHERED, 0)
        assert speech is not None
        assert nonces.follow(payload, speech.bodies) == (number == 2**63 + 6, False)
    assert Nonces().follow(bytes(7) + b"\2" + payload, [0]) == (True, True)


def test_nonces_go_on_in_records_that_are_made_up() -> None:
    side = ciphered(nonce=41)
    said = go_on(side, 2 * 2**14, 0x0303, random.Random(0).randbytes)
    speech = read_records(said, Phase.CIPHERED, 0)
    assert speech is not None
    assert [int.from_bytes(said[body : body + 8]) for body in speech.bodies] == [42, 43]


def test_what_is_no_record_is_said_so() -> None:
    assert read_records(b"GET / HTTP/1.1\r\n", Phase.SILENT, 0) is None


def test_a_greeting_of_another_length_is_no_malformed_one(tmp_path: Path) -> None:
    """As plain TCP it was seen where Wireshark gives one of the ports to another protocol."""
    path = tmp_path / "learnt.pcap"
    trace, _ = learnt_from(path, [*OPENING, (True, "PA", HELLO)], port=8443)
    tcp = protocol_mask(["ip", "tcp"])
    plain = replace(trace, protocols=np.full(len(trace), tcp, dtype=np.uint16))
    headers = learn_headers(read_frames([path], [plain]))
    assert headers is not None
    longer = np.where(trace.length == trace.length.max(), trace.length + 40, trace.length)
    stream(headers, [replace(plain, length=longer)], tmp_path / "honeydata.pcap")
    assert complaints(tmp_path / "honeydata.pcap") == []


def test_the_last_record_of_a_segment_goes_on_in_others() -> None:
    whole = struct.pack("!BHH", DATA, 0x0303, 3) + b"abc"
    rest, side = b"12", ciphered()
    frame = bytearray(b"head" + rest + 2 * whole)
    lengthen(frame, len(b"head" + rest), len(frame), side, 100)
    speech = read_records(bytes(frame[4:]), Phase.CIPHERED, len(rest))
    assert speech is not None
    assert (speech.left, side.owed) == (100, 100)
    # a record that goes on already is as long as it was
    before, side.owed = bytes(frame), 7
    lengthen(frame, len(b"head" + rest), len(frame), side, 100)
    assert (bytes(frame), side.owed) == (before, 7)


def test_nonces_of_records_in_lengths_that_were_not_seen_begin_as_others_do(tmp_path: Path) -> None:
    draws = random.Random(0)
    records = [
        (True, "PA", b"\x17\3\3" + (90).to_bytes(2) + number.to_bytes(8) + draws.randbytes(82))
        for number in range(6)
    ]
    trace, headers = learnt_from(tmp_path / "learnt.pcap", records, port=443)
    longer = trace.length.copy()
    longer[0] += 7
    path = tmp_path / "honeydata.pcap"
    stream(headers, [replace(trace, length=longer)], path)
    with RawPcapReader(str(path)) as reader:
        nonces = [int.from_bytes(bytes(frame)[54 + 5 : 54 + 13]) for frame, _ in reader]
    assert nonces == [*range(nonces[0], nonces[0] + 6)]
    assert nonces[0] < 256
