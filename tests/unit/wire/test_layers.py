from dataclasses import fields

import numpy as np
import pytest
from scapy.layers.l2 import Ether

from iotflowgen.wire import layers as wire
from iotflowgen.wire.frames import Frames
from iotflowgen.wire.layers import Layers, find_layers
from iotflowgen.wire.options import find_options
from tests.conftest import REPOSITORY
from tests.unit.wire.garbage import WHOLE, all_frames, whole_frames
from tests.unit.wire.one_by_one import find_layout, option_at

NAMES = [field.name for field in fields(Layers)]


@pytest.mark.parametrize("reversed_data", [False, True])
def test_layers_are_those_found_one_by_one(reversed_data):
    frames = all_frames(REPOSITORY)
    if reversed_data:
        data = Frames.of(frames[::-1]).take(slice(None, None, -1))
    else:
        data = Frames.of(frames)
    layers = find_layers(data)
    for i, frame in enumerate(frames):
        layout = find_layout(frame)
        found = [int(getattr(layers, name)[i]) for name in NAMES]
        assert found == [getattr(layout, name) for name in NAMES], frame.hex()


def test_fields_by_hand():
    frame = bytes.fromhex(
        "0a0000000001 0a0000000002 0800"
        "45000030 1234 4000 40 06 0000 0a000001 0a000002"
        "1f90 0050 01020304 05060708 70 12 7210 0000 0000 020405b4 01030307 6869"
    )
    frames = Frames.of([frame, b""])
    layers = find_layers(frames)
    assert [getattr(layers, name)[0] for name in NAMES] == [0x0800, 14, 6, 34, 62, 62]
    expected = {
        wire.src_port: 0x1F90,
        wire.dst_port: 80,
        wire.tcp_sequence: 0x01020304,
        wire.tcp_acknowledgment: 0x05060708,
        wire.tcp_flags: wire.SYN | wire.ACK,
        wire.tcp_window: 0x7210,
        wire.ip_id: 0x1234,
        wire.ttl: 64,
    }
    for field, value in expected.items():
        assert field(frames, layers).tolist() == [value, 0]
    assert wire.payload_size(layers).tolist() == [0, 0]
    options = find_options(frames, layers)
    assert options.window_scale.tolist() == [61, 0]
    assert not (options.sack | options.timestamps | options.sack_permitted).any()


def test_options_are_those_found_one_by_one():
    frames = whole_frames(REPOSITORY)
    data = Frames.of(frames)
    layers = find_layers(data)
    options = find_options(data, layers)
    for i, frame in enumerate(frames):
        layout = find_layout(frame)
        for found, kind in zip(options, (3, 4, 5, 8), strict=True):
            at = option_at(frame, layout, kind) if layout.protocol == 6 else 0
            assert found[i] == at


def test_options_never_reach_beyond_their_header():
    data = Frames.of(all_frames(REPOSITORY, seed=2))
    layers = find_layers(data)
    for at, size in zip(find_options(data, layers), (1, 0, 8, 8), strict=True):
        there = at > 0
        assert there.any()
        assert (at + size <= layers.payload)[there].all()
        assert (at >= layers.transport + 22)[there].all()


def segment(options):
    frame = bytearray(bytes(Ether() / WHOLE[0][1]))[:34] + bytes(20) + options
    frame[16:18] = (len(frame) - 14).to_bytes(2)
    frame[46] = (20 + len(options)) // 4 << 4
    return bytes(frame)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("0103 0307", (3, 0, 0, 0)),
        ("0102 0307", (0, 0, 0, 0)),
        ("0101 0402", (0, 4, 0, 0)),
        ("0101 080a 0000000100000002", (0, 0, 0, 4)),
        ("080a 0000000100000002 0101", (0, 0, 0, 2)),
        ("0101 080b 0000000100000002 00000000", (0, 0, 0, 0)),  # a length that is not its own
        ("0100 080a 0000000100000002", (0, 0, 0, 0)),  # after the end
        ("0800 080a 0000000100000002", (0, 0, 0, 0)),  # a length of 0 would never end
        ("080a 0000000100000002 080a 0000000300000004", (0, 0, 0, 2)),  # the first of two
        ("0101 0101 0101 080a", (0, 0, 0, 0)),  # beyond the header
        ("0204 05b4 0402 080a 0000000100000002 0103 0307", (19, 6, 0, 8)),
        ("0101 050a 0000000100000002", (0, 0, 4, 0)),
        ("0101 050b 000000010000000200 000000", (0, 0, 0, 0)),
        ("0101 080a 0000000100000002 0101 050a 0000000100000002", (0, 0, 16, 4)),
    ],
)
def test_options_by_hand(options, found):
    frames = Frames.of([segment(bytes.fromhex(options))])
    layers = find_layers(frames)
    assert layers.is_tcp.all()
    at = [int(each[0]) for each in find_options(frames, layers)]
    assert at == [54 + each if each else 0 for each in found]


def test_nothing_is_found_in_nothing():
    frames = Frames.of([])
    layers = find_layers(frames)
    assert len(layers) == len(layers.take(np.array([], dtype=np.int64))) == 0
    assert len(find_options(frames, layers).sack) == 0
