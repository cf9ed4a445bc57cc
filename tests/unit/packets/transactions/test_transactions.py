"""Answers have the id of their question, of protocols that are named and of those that are not."""

import random
import struct
import zlib

import pytest

from iotflowgen.packets.payload import Random
from iotflowgen.packets.transactions import Transactions, open_transactions
from tests.unit.packets.datagrams.said import recorded, rendered, udp

BOTH = (Random, Transactions)
COOKIE = 0x2112A442


def stun(kind, number, *, port=50_000):
    integrity = struct.pack("!HH", 8, 20) + random.Random(number).randbytes(20)
    body = integrity + struct.pack("!HHI", 0x8028, 4, 0)
    message = struct.pack("!HHI", kind, len(body), COOKIE) + number.to_bytes(12) + body
    crc = zlib.crc32(message[:-8]) ^ 0x5354554E
    return udp(kind == 1, port, 41_000, message[:-4] + crc.to_bytes(4), "ip")


def coap(kind, code, number, token, *, outgoing):
    head = struct.pack("!BBH", 0x40 | kind << 4 | len(token), code, number)
    return udp(outgoing, 40_000, 5683, head + token, "ip")


def unknown(number, *, asks, said=b"", port=47_000):
    """A protocol of nobody: four bytes, a number, and what is measured."""
    payload = b"\xa5\x01\x00" + bytes([asks]) + number.to_bytes(2) + b"\0\0" + said
    return udp(asks, port, 47_001, payload, "ip")


def polls(first, count):
    measured = random.Random(first)
    for number in range(first, first + count):
        yield unknown(number % 2**16, asks=True, said=b"\x11\x80")
        yield unknown(number % 2**16, asks=False, said=measured.randbytes(2))


@pytest.mark.parametrize("block", [1, 3, None])
def test_answers_of_stun_repeat_a_new_id_and_their_fingerprints_are_right(block):
    captured = recorded(BOTH, [stun(1, 7), stun(0x101, 7), stun(1, 8), stun(0x101, 8)])
    said = rendered(BOTH, *captured, range(4), block=block)
    ids = [each[8:20] for each in said]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert not {*ids} & {number.to_bytes(12) for number in (7, 8)}
    for message in said:
        crc = zlib.crc32(message[:-8]) ^ 0x5354554E
        assert int.from_bytes(message[-4:]) == crc
        integrity = message[24:44]
        assert integrity not in (random.Random(7).randbytes(20), random.Random(8).randbytes(20))


def test_an_answer_of_another_capture_has_the_id_of_this_question():
    captured = recorded(BOTH, [stun(1, 7), stun(0x101, 7)], [stun(1, 9), stun(0x101, 9)])
    asked, answered = rendered(BOTH, *captured, [0, 3])
    assert asked[8:20] == answered[8:20]


def test_ids_and_tokens_of_coap_are_told_apart():
    packets = [
        *(coap(0, 1, 500, b"ab", outgoing=True), coap(2, 69, 500, b"ab", outgoing=False)),
        *(coap(0, 1, 501, b"cd", outgoing=True), coap(2, 69, 501, b"cd", outgoing=False)),
        *(coap(0, 1, 502, b"ef", outgoing=True), coap(2, 69, 502, b"ef", outgoing=False)),
        *(coap(0, 1, 503, b"gh", outgoing=True), coap(2, 69, 503, b"gh", outgoing=False)),
    ]
    said = rendered(BOTH, *recorded(BOTH, packets), range(8))
    numbers = [int.from_bytes(each[2:4]) for each in said]
    assert numbers[::2] == numbers[1::2]
    assert {(b - a) % 2**16 for a, b in zip(numbers[::2], numbers[2::2], strict=False)} == {1}
    assert [each[4:6] for each in said[::2]] == [each[4:6] for each in said[1::2]]
    assert not {each[4:6] for each in said} & {b"ab", b"cd", b"ef", b"gh"}


def test_of_a_protocol_without_a_name_ids_are_learnt_and_measurements_stay():
    captured = recorded(BOTH, [*polls(0x4100, 20)], [*polls(0x72F0, 20)])
    sources = [*range(12), *range(52, 64)]
    said = rendered(BOTH, *captured, sources)
    numbers = [int.from_bytes(each[4:6]) for each in said]
    assert numbers[::2] == numbers[1::2]
    assert {(b - a) % 2**16 for a, b in zip(numbers[::2], numbers[2::2], strict=False)} == {1}
    assert numbers[0] not in (0x4100, 0x72F0)
    assert all(each[:3] == b"\xa5\x01\x00" and each[8:] for each in said)


def test_the_questions_that_are_open_are_a_state():
    recording, _ = recorded(BOTH, [stun(1, 7), stun(1, 8), stun(0x101, 7), stun(0x101, 8)])
    fresh, _ = recorded(Transactions, [stun(1, 7), stun(1, 8), stun(0x101, 7), stun(0x101, 8)])
    state = open_transactions(fresh.packets)
    assert len(recording) == 4
    assert state[3] == 0
    assert (state[:3] < 0).all()
    assert state[0] == state[2] != state[1]
