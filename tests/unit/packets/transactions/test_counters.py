"""Several messages in a payload, counters of a few bits with checksums over them, and engines."""

import itertools

import pytest

from iotflowgen.packets.payload import Random
from iotflowgen.packets.payload.snmp import read_snmp
from iotflowgen.packets.transactions import Transactions
from tests.end_to_end.dialogues import crc
from tests.unit.packets.datagrams.said import recorded, rendered, udp

BOTH = (Random, Transactions)


def dnp3(segments, *, outgoing):
    """A message of several frames: `segments` are numbers and what they hold."""
    frames = []
    for number, data in segments:
        part = bytes([number]) + data
        head = bytes([5, 0x64, 5 + len(part), 0x44 if outgoing else 0xC4, 1, 0, 10, 0])
        blocks = [part[at : at + 16] for at in range(0, len(part), 16)]
        frames.append(head + crc(head) + b"".join(block + crc(block) for block in blocks))
    return udp(outgoing, 20_000, 50_000, b"".join(frames), "ip")


def poll(transport, application):
    """A question, and an answer of two segments."""
    asks = bytes([0xC0 | application % 16, 1, 60, 2, 6])
    tells = bytes([0xE0 | application % 16, 129, 0, 0]) + bytes(range(60))
    first, second = (2 * transport % 64, (2 * transport + 1) % 64)
    yield dnp3([(0xC0 | transport % 64, asks)], outgoing=False)
    yield dnp3([(0x40 | first, tells), (0x80 | second, b"\7" * 40)], outgoing=True)


@pytest.mark.parametrize("block", [1, 5, None])
def test_segments_of_dnp3_count_on_and_blocks_have_their_checksums(block):
    captured = recorded(BOTH, [each for n in range(25) for each in poll(n + 20, n)])
    said = rendered(BOTH, *captured, range(50), block=block)
    asked, answered = said[::2], said[1::2]
    long = 10 + 16 * 4 + 2 * 4 + 1 + 2  # a head, four blocks and a byte, and their checksums
    numbers = [each[at] & 63 for each in answered for at in (10, long + 10)]
    assert all(b == (a + 1) % 64 for a, b in itertools.pairwise(numbers))
    numbers = [each[11] & 15 for each in asked]
    assert all(b == (a + 1) % 16 for a, b in itertools.pairwise(numbers))
    assert numbers == [each[11] & 15 for each in answered]
    for each in answered:
        assert each[8:10] == crc(each[:8])
        assert each[26:28] == crc(each[10:26])
        assert each[long + 26 : long + 28] == crc(each[long + 10 : long + 26])
        assert each[13:15] == b"\0\0"


def test_what_is_encrypted_in_snmp_is_drawn_and_the_engine_is_known():
    engine = bytes.fromhex("80001f8803 5ecf7f514201".replace(" ", ""))
    model = b"\x04\x0b" + engine + b"\x02\x01\x04\x02\x01\x09\x04\x03ops"
    model += b"\x04\x0c" + b"\xaa" * 12 + b"\x04\x08" + b"\xbb" * 8
    model = b"\x30" + bytes([len(model)]) + model
    header = bytes.fromhex("300e020412345678020205dc040103020103")
    header = b"\x30" + bytes([len(header) - 2]) + header[2:]
    rest = b"\2\1\3" + header + b"\x04" + bytes([len(model)]) + model + b"\x04\x10" + b"\xcc" * 16
    message = b"\x30" + bytes([len(rest)]) + rest
    told = read_snmp(message)
    assert told
    assert message[slice(*told.message_id)].hex() == "12345678"
    assert told.request_id is None
    assert [message[slice(*span)] for span in told.engines] == [engine]
    drawn = {message[slice(*span)] for span in told.drawn}
    assert drawn == {b"\xaa" * 12, b"\xbb" * 8, b"\xcc" * 16}
    assert read_snmp(message[:-1]) is None
