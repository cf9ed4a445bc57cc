import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.wire.frames import Frames, copy_ranges

FRAMES = [b"\x01\x02\x03\x04", b"", b"\xff" * 9]


def test_numbers_are_big_endian_and_0_beyond_the_frame():
    frames = Frames.of(FRAMES)
    assert frames.number(1, 2).tolist() == [0x0203, 0, 0xFFFF]
    assert frames.number(np.array([1, 0, 6]), 3).tolist() == [0x020304, 0, 0xFFFFFF]
    assert frames.number(np.array([2, 0, 7]), 3).tolist() == [0, 0, 0]
    assert frames.number(-1, 1).tolist() == [0, 0, 0]
    assert frames.number(0, 8).view(np.uint64).tolist() == [0, 0, 2**64 - 1]
    assert Frames.of([]).number(0, 4).tolist() == []
    assert Frames.of([b"", b""]).number(0, 1).tolist() == [0, 0]


def test_bytes_stand_where_they_are():
    frames = Frames.of(FRAMES)
    assert [frames[i] for i in range(3)] == frames.tolist() == FRAMES
    assert frames.bytes_at(np.array([-1, 0, 8]), 2).tolist() == [[0, 1], [0, 0], [255, 0]]


@given(st.lists(st.binary(max_size=40), max_size=20), st.data())
def test_what_is_taken_can_be_packed_and_joined(parts, data):
    frames = Frames.of(parts)
    index = data.draw(st.lists(st.integers(0, len(parts) - 1), max_size=20)) if parts else []
    some = frames.take(np.array(index, dtype=np.int64))
    packed = some.packed()
    assert packed.data.tobytes() == b"".join(parts[i] for i in index)
    joined = Frames.concatenate([frames, packed, Frames.of([])])
    assert [joined[i] for i in range(len(joined))] == parts + [parts[i] for i in index]
    if len(packed.data):
        before = frames.data.copy()
        packed.data[:] = 0
        assert (frames.data == before).all()


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=9), st.integers(1, 8), st.randoms())
def test_what_is_put_is_read(parts, width, draws):
    frames = Frames.of(parts)
    at = np.array([draws.randrange(-2, 20) for _ in parts])
    value = np.array([draws.randrange(2**63) for _ in parts])
    where = np.array([draws.random() < 0.7 for _ in parts])
    expected = [bytearray(part) for part in parts]
    for part, i, number, is_set in zip(expected, at, value, where, strict=True):
        if is_set and i >= 0 and i + width <= len(part):
            part[i : i + width] = (int(number) % 256**width).to_bytes(width)
    frames.put(at, width, value, where)
    assert [frames[i] for i in range(len(parts))] == expected
    numbers = frames.number(at, width).view(np.uint64)
    for part, i, number in zip(expected, at, numbers, strict=True):
        inside = i >= 0 and i + width <= len(part)
        assert number == (int.from_bytes(part[i : i + width]) if inside else 0)


@pytest.mark.parametrize("longest", [12, 3000])
def test_ranges_are_copied_over_several_blocks(longest, monkeypatch):
    monkeypatch.setattr("iotflowgen.wire.frames._BLOCK", 16)
    rng = np.random.default_rng(longest)
    size = rng.integers(0, longest, 50)
    source = rng.integers(0, 256, 4000, dtype=np.uint8)
    old = rng.integers(0, 4000 - longest, 50)
    new = np.cumsum(size + 1) - size
    target = np.zeros(int(size.sum()) + 60, np.uint8)
    expected = target.copy()
    for i in range(50):
        expected[new[i] : new[i] + size[i]] = source[old[i] : old[i] + size[i]]
    copy_ranges(source, old, target, new, size)
    assert (target == expected).all()
