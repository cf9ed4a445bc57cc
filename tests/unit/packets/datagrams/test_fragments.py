"""Datagrams in fragments: followed to their ends, with a checksum that covers all."""

import struct

import numpy as np
import pytest

from iotflowgen.packets.datagrams import Fragments, open_datagrams
from iotflowgen.wire import Frames
from tests.unit.packets.datagrams.said import ADDRESSES, MACS, Said, recorded, rendered

BODY = np.random.default_rng(1).bytes(2000)


def fragments(number, body, *, said=0xFFFF):
    """A datagram to a peer, in pieces of 800 bytes."""
    data = struct.pack("!HHHH", 40_000, 5600, 8 + len(body), said) + body
    places = range(0, len(data), 800)
    for at in places:
        piece = data[at : at + 800]
        place = at // 8 | 0x2000 * (at != places[-1])
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(piece), number, place, 64, 17, 0)
        ends = MACS[1] + MACS[0] + b"\x08\0"
        yield Said(True, ends + head + ADDRESSES[0] + ADDRESSES[1] + piece, "udp")


def test_the_checksum_covers_all_fragments_with_their_addresses():
    packets = [*fragments(7, BODY)]
    said = rendered(Fragments, *recorded(Fragments, packets), range(3))
    whole = b"".join(
        each.frame[34 : -len(now)] + now for each, now in zip(packets, said, strict=True)
    )
    assert len(whole) == 2008
    pseudo = ADDRESSES[0] + ADDRESSES[1] + struct.pack("!BBH", 0, 17, len(whole))
    words = np.frombuffer(pseudo + whole, ">u2").astype(np.int64).sum()
    while words >> 16:
        words = (words & 0xFFFF) + (words >> 16)
    assert words == 0xFFFF


def test_a_sender_that_says_no_checksum_goes_on_saying_none():
    said = rendered(Fragments, *recorded(Fragments, [*fragments(7, BODY, said=0)]), range(3))
    assert b"".join(said).find(struct.pack("!HH", 2008, 0)) >= 0


@pytest.mark.parametrize("captured", [3, 2])
def test_what_is_to_come_is_a_state_if_it_comes(captured):
    recording, _ = recorded(Fragments, [*fragments(7, BODY)][:captured])
    state = open_datagrams(recording.packets)
    if captured == 3:
        assert state[2] == 0
        assert 0 != state[0] != state[1] != 0
    else:
        assert not state.any()


def test_of_other_datagrams_other_things_are_to_come():
    packets = [*fragments(7, BODY), *fragments(8, BODY[::-1]), *fragments(9, BODY)]
    recording, _ = recorded(Fragments, packets)
    assert isinstance(recording.frames, Frames)
    state = open_datagrams(recording.packets)
    assert state[0] == state[6] != state[3]
