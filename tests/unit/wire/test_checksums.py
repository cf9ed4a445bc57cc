import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.l2 import Ether
from scapy.utils import checksum

from iotflowgen.wire.checksums import internet_sums, set_checksums
from iotflowgen.wire.frames import Frames
from iotflowgen.wire.layers import find_layers
from tests.conftest import REPOSITORY
from tests.unit.wire import one_by_one as layout
from tests.unit.wire.garbage import WHOLE, all_frames


@given(
    st.binary(max_size=60), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=9)
)
def test_sums_are_those_of_the_slow_way(content, ranges):
    pairs = [(min(first, len(content)), min(last, len(content))) for first, last in ranges]
    start = np.array([first for first, _ in pairs], dtype=np.int64)
    end = np.array([last for _, last in pairs], dtype=np.int64)
    sums = internet_sums(np.frombuffer(content, np.uint8), start, end)
    assert sums.tolist() == [layout.internet_sum(content[first:last]) for first, last in pairs]
    for (first, last), found in zip(pairs, sums.tolist(), strict=True):
        if any(content[first:last]):
            assert (65535 - found) % 65535 == checksum(content[first:last]) % 65535


def test_sums_of_ranges_far_apart():
    data = np.random.default_rng(0).integers(0, 256, 2**20, dtype=np.uint8)
    start = np.array([2**19, 3, 2**20 - 5])
    sums = internet_sums(data, start, start + 5)
    assert sums.tolist() == [layout.internet_sum(data[i : i + 5].tobytes()) for i in start]


def test_checksums_are_those_set_one_by_one():
    frames = all_frames(REPOSITORY, seed=3)
    data = Frames.of(frames)
    layers = find_layers(data)
    set_checksums(data, layers)
    for i, frame in enumerate(frames):
        found = layout.find_layout(frame)
        if found.is_ip4 and len(frame) < found.network + 12:
            continue  # there is no room
        expected = bytearray(frame)
        layout.set_checksums(expected, found)
        assert data[i] == expected, frame.hex()


def test_checksums_are_scapys():
    frames = [bytes(frame) for frame in WHOLE if not (frame.haslayer("IP") and frame["IP"].flags)]
    data = Frames.of(frames)
    layers = find_layers(data)
    blank = [bytes(frame) for frame in frames]
    data.put(layers.network + 10, 2, 0xABCD, layers.is_ip4)
    set_checksums(data, layers)
    assert [data[i] for i in range(len(data))] == blank
    assert Ether(data[0]).haslayer("TCP")


def test_only_some_are_set():
    frames = Frames.of([bytes(WHOLE[0])] * 3)
    frames.put(24, 2, 1)
    layers = find_layers(frames)
    set_checksums(frames, layers, np.array([False, True, False]))
    assert (frames.number(24, 2) == 1).tolist() == [True, False, True]
