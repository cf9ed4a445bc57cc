"""An error quotes what was sent, not what was captured."""

import struct

import pytest

from iotflowgen.packets.datagrams import BootpIds, Quotes, blank_quotes
from tests.unit.packets.datagrams.said import Said, bootp, echo, recorded, rendered


def unreachable(packet, size):
    """The answer to a packet that nobody wanted, with so many bytes of it."""
    asked = echo(0, 0, outgoing=not packet.outgoing).frame
    body = struct.pack("!BBHI", 3, 3, 0, 0) + packet.frame[14 : 14 + size]
    header = bytearray(asked[14:34])
    struct.pack_into("!H", header, 2, 20 + len(body))
    return Said(not packet.outgoing, asked[:14] + bytes(header) + body, "icmp")


@pytest.mark.parametrize("size", [36, 60, 500])
@pytest.mark.parametrize("block", [1, None])
def test_a_quote_has_the_id_that_was_sent(size, block):
    ask, answer = bootp(0xAAAA0001), bootp(0xAAAA0001, outgoing=False)
    captured = recorded((BootpIds, Quotes), [ask, answer, unreachable(answer, size)])
    _, answered, error = rendered((BootpIds, Quotes), *captured, range(3), block=block)
    assert answered[4:8] != bytes.fromhex("aaaa0001")
    quoted = error[-min(size, 268) :][28:]
    assert quoted[4:8] == answered[4:8][: len(quoted[4:8])]


@pytest.mark.parametrize("block", [1, None])
def test_what_was_not_sent_is_quoted_as_its_like_that_was(block):
    first, other = bootp(0xAAAA0001, outgoing=False), bootp(0xBBBB0002, outgoing=False)
    captures = [first], [other, unreachable(other, 60)]
    captured = recorded((BootpIds, Quotes), *captures)
    sent, error = rendered((BootpIds, Quotes), *captured, [0, 2], block=block)
    assert error[-60:][28:][4:8] == sent[4:8] != bytes.fromhex("bbbb0002")


def test_a_model_holds_no_id_in_a_quote():
    answer = bootp(0xAAAA0001, outgoing=False)
    recording, _ = recorded((BootpIds, Quotes), [answer, unreachable(answer, 60)])
    assert bytes.fromhex("aaaa0001") in recording.frames[1]
    blank_quotes(recording)
    assert bytes.fromhex("aaaa0001") not in recording.frames[1]
    assert recording.frames[1][: -60 + 28] == unreachable(answer, 60).frame[: -60 + 28]
