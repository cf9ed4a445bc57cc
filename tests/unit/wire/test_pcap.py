import bz2
import gzip
import io
import lzma
import os
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen import compression
from iotflowgen.errors import UnreadableCapture
from iotflowgen.wire import pcap
from iotflowgen.wire.frames import Frames
from iotflowgen.wire.pcap import (
    FORMATS,
    LONGEST_FRAME,
    pcapng_bytes,
    read_comments,
    read_index,
    read_indexed,
    read_records,
    records_bytes,
)

FRAME = bytes(range(14))
TIME_NS = 1_704_067_200 * 10**9 + 123_456_789


def one_record(suffix):
    return records_bytes(FORMATS[suffix], np.array([TIME_NS]), Frames.of([FRAME]))


def test_a_pcap_file_byte_by_byte():
    header = FORMATS[".pcap"].header
    assert header.hex(" ", 4) == "4d3cb2a1 02000400 00000000 00000000 00000400 01000000"
    seconds, nanoseconds, captured, length = "80009265", "15cd5b07", "0e000000", "0e000000"
    expected = bytes.fromhex(seconds + nanoseconds + captured + length) + FRAME
    assert one_record(".pcap") == expected


def test_a_pcapng_file_byte_by_byte():
    section = "0a0d0d0a 1c000000 4d3c2b1a 01000000 ffffffff ffffffff 1c000000"
    interface = "01000000 20000000 01000000 00000400 09000100 09000000 00000000 20000000"
    assert FORMATS[".pcapng"].header.hex(" ", -4) == f"{section} {interface}"
    high, low = (TIME_NS >> 32).to_bytes(4, "little"), (TIME_NS % 2**32).to_bytes(4, "little")
    assert one_record(".pcapng") == (
        bytes.fromhex("06000000 30000000 00000000")
        + high
        + low
        + bytes.fromhex("0e000000 0e000000")
        + FRAME
        + bytes.fromhex("0000 30000000")
    )


def read(tmp_path, content):
    path = tmp_path / "capture"
    path.write_bytes(content)
    return read_records(path)


def shown(records):
    """Link type, time, length and bytes of the packets that can be read."""
    frames = records.frames.take(records.is_sound).tolist()
    columns = (records.link, records.time_ns, records.length)
    return [*zip(*(column[records.is_sound].tolist() for column in columns), frames, strict=True)]


@pytest.mark.parametrize("suffix", FORMATS)
@given(
    packets=st.lists(
        st.tuples(st.integers(0, 2**32 * 10**9 - 1), st.binary(min_size=1, max_size=70))
    )
)
def test_what_is_written_is_read(suffix, packets, tmp_path_factory):
    times = np.array([time for time, _ in packets], dtype=np.int64)
    frames = Frames.of([frame for _, frame in packets])
    content = FORMATS[suffix].header + records_bytes(FORMATS[suffix], times, frames)
    for data in (content, gzip.compress(content)):
        records = read(tmp_path_factory.getbasetemp(), data)
        expected = [(1, time, len(frame), frame) for time, frame in packets]
        assert shown(records) == expected
        assert not records.complaint


@pytest.mark.parametrize(
    ("magic", "order", "unit"),
    [
        ("a1b2c3d4", ">", 1000),
        ("d4c3b2a1", "<", 1000),
        ("a1b23c4d", ">", 1),
        ("4d3cb2a1", "<", 1),
    ],
)
def test_pcap_of_either_order_and_unit(magic, order, unit, tmp_path):
    header = bytes.fromhex(magic) + struct.pack(order + "HHiIII", 2, 4, 0, 0, 65535, 113)
    record = struct.pack(order + "IIII", 1_700_000_000, 999, 14, 60) + FRAME
    records = read(tmp_path, header + record)
    assert shown(records) == [(113, 1_700_000_000 * 10**9 + 999 * unit, 60, FRAME)]


def block(kind, body, order="<"):
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def section(order="<"):
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link, *options, longest=0, order="<"):
    said = b"".join(
        struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)
        for code, value in options
    )
    return block(1, struct.pack(order + "HHI", link, 0, longest) + said, order)


def enhanced(number, stamp, frame=FRAME, length=None, order="<", captured=None):
    size = len(frame) if captured is None else captured
    length = size if length is None else length
    head = struct.pack(order + "IIIII", number, stamp >> 32, stamp % 2**32, size, length)
    return block(6, head + frame, order)


def test_pcapng_with_all_that_it_may_hold(tmp_path):
    content = section() + interface(1) + interface(101, (9, b"\x09"), (0, b""))
    content += enhanced(1, TIME_NS) + block(5, bytes(12)) + enhanced(0, TIME_NS // 1000, length=60)
    # two to the power of -10 seconds, and an hour besides
    content += interface(1, (2, b"eth"), (9, b"\x8a"), (14, struct.pack("<q", 3600)), longest=8)
    content += enhanced(2, 1536) + enhanced(2, 2**63)
    packet_block = struct.pack("<HHIIII", 1, 7, TIME_NS >> 32, TIME_NS % 2**32, 3, 3) + b"abc"
    content += block(2, packet_block) + block(3, struct.pack("<I", 14) + FRAME)
    # a section has interfaces of its own
    content += section(">") + interface(1, (9, b"\x03"), longest=8, order=">")
    content += enhanced(0, 5, order=">") + block(3, struct.pack(">I", 14) + FRAME[:8], ">")
    records = read(tmp_path, content)
    micro = TIME_NS // 1000 * 1000
    expected = [
        (101, TIME_NS, 14, FRAME),
        (1, micro, 60, FRAME),
        (1, 3_601_500_000_000, 14, FRAME),
        (1, (2**53 + 3600) * 10**9, 14, FRAME),
        (101, TIME_NS, 3, b"abc"),
        # simple packet blocks have no time of their own
        (1, TIME_NS, 14, FRAME),
        (1, 5_000_000, 14, FRAME),
        (1, 5_000_000, 14, FRAME[:8]),
    ]
    # 2^53 seconds are more than 64 bits of nanoseconds
    assert shown(records) == expected[:3] + expected[4:]
    assert "1 of 8 packets have no bytes, or a length or time that cannot be" in records.complaint
    assert records.complaint.endswith("the first is packet 4")
    records = read(tmp_path, content.replace(enhanced(2, 2**63), b""))
    assert shown(records) == expected[:3] + expected[4:]
    assert not records.complaint


GOOD = FORMATS[".pcap"].header + one_record(".pcap")
LONG = struct.pack("<IIII", 0, 0, LONGEST_FRAME + 1, LONGEST_FRAME + 1) + bytes(LONGEST_FRAME + 1)
BLOCKS = section() + interface(1) + enhanced(0, TIME_NS // 1000)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (GOOD + b"\0" * 15, "a packet is cut short"),
        (GOOD + one_record(".pcap")[:-1], "a packet is cut short"),
        (GOOD + LONG, "a packet is too long"),
        (GOOD + struct.pack("<IIII", 0, 0, 2**32 - 1, 5), "a packet is too long"),
        (BLOCKS + b"\0" * 11, "a block is cut short"),
        (BLOCKS + enhanced(0, 5)[:-1], "a block is cut short"),
        (BLOCKS + struct.pack("<III", 6, 2**32 - 4, 0), "a block is cut short"),
        (BLOCKS + struct.pack("<IIII", 7, 0, 0, 0), "a block is too short"),
        (BLOCKS + block(6, bytes(16)), "a block is too short"),
        (BLOCKS + enhanced(0, 5)[:-4] + b"\1\0\0\0", "a block has two lengths"),
        (BLOCKS + bytes.fromhex("0a0d0d0a 1c000000 00000000"), "a section has no order of bytes"),
    ],
)
def test_what_a_file_says_is_not_believed(content, what, tmp_path):
    records = read(tmp_path, content)
    assert [frame for *_, frame in shown(records)] == [FRAME]
    assert records.complaint.startswith(f"{what} after 1 packets")
    # what follows is not read
    more = read(tmp_path, content + GOOD[24:] * 3 + BLOCKS)
    assert shown(more)[0] == shown(records)[0]


def record(*, fraction=0, captured=14, length=14, order="<"):
    return struct.pack(order + "IIII", 1_704_067_200, fraction, captured, length) + FRAME[:captured]


@pytest.mark.parametrize(
    ("start", "packet"),
    [
        (GOOD, record(length=2**32 - 1)),
        (GOOD, record(length=LONGEST_FRAME + 1)),
        (GOOD, record(length=0)),
        (GOOD, record(captured=0)),
        (GOOD, record(captured=0, length=0)),
        (GOOD, record(fraction=10**9)),
        (BLOCKS, enhanced(0, 5, b"")),
        (BLOCKS, enhanced(1, 5)),
        (BLOCKS, enhanced(0, 5, captured=17)),
        (BLOCKS, enhanced(0, 5, captured=2**32 - 1)),
        (BLOCKS, enhanced(0, 5, length=2**31)),
        (BLOCKS, enhanced(0, 2**64 - 1)),
        (BLOCKS + interface(1, (14, struct.pack("<q", -2000))), enhanced(1, 5)),
    ],
)
def test_a_packet_that_cannot_be_is_left_out_and_the_rest_is_read(start, packet, tmp_path):
    after = start[24:] if start is GOOD else enhanced(0, TIME_NS // 1000)
    records = read(tmp_path, start + packet + after)
    assert records.is_sound.tolist() == [True, False, True]
    assert [frame for *_, frame in shown(records)] == [FRAME, FRAME]
    assert records.complaint.startswith("1 of 3 packets have no bytes, or a length or time")
    assert records.complaint.endswith("left out: the first is packet 2")


def test_a_packet_is_no_longer_than_it_was_on_the_wire(tmp_path):
    records = read(tmp_path, GOOD + record(length=10))
    assert shown(records)[1][2:] == (10, FRAME[:10])


def test_nanoseconds_under_the_magic_of_microseconds(tmp_path):
    header = bytes.fromhex("d4c3b2a1") + GOOD[4:24]
    fractions = [999_999_999, 5, 123_456_789]
    records = read(tmp_path, header + b"".join(record(fraction=each) for each in fractions))
    assert (records.time_ns % 10**9).tolist() == fractions
    # one is damaged
    fractions = [999_999, 5, 123_456_789]
    records = read(tmp_path, header + b"".join(record(fraction=each) for each in fractions))
    assert [time % 10**9 for _, time, *_ in shown(records)] == [999_999_000, 5000]


def zipped(*contents):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"{number}.pcap", content)
    return file.getvalue()


PACKINGS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zip": zipped}
BY_PACKING = pytest.mark.parametrize("kind", PACKINGS)


@BY_PACKING
def test_a_packed_capture_that_is_damaged(kind, tmp_path):
    pack = PACKINGS[kind]
    assert shown(read(tmp_path, pack(GOOD))) == shown(read(tmp_path, GOOD))
    many = GOOD + GOOD[24:] * 2000
    noise = np.random.default_rng(0).bytes(100_000)
    packed = pack(many + struct.pack("<IIII", 1, 1, 100_000, 100_000) + noise)
    if kind == "zip":
        # it ends with a list of its files, so it is refused as a whole
        with pytest.raises(UnreadableCapture, match="the zip file is damaged"):
            read(tmp_path, packed[:-50])
        with pytest.raises(UnreadableCapture, match="2 files; unpack it into a folder"):
            read(tmp_path, pack(GOOD, GOOD))
        return
    if kind == "bzip2":
        # its blocks are whole or nothing
        with pytest.raises(UnreadableCapture, match="the bzip2 file is cut short"):
            read(tmp_path, packed[:-1000])
    else:
        records = read(tmp_path, packed[:-1000])
        assert f"the {kind} file is cut short" in records.complaint
        assert len(records.frames) == 2001
    parts = pack(GOOD) + pack(GOOD[24:])
    assert len(read(tmp_path, parts).frames) == 2
    if kind != "bzip2":
        # that is of the standard library, which leaves out what follows
        records = read(tmp_path, pack(GOOD) + b"junk of a download")
        assert (len(records.frames), "damaged" in records.complaint) == (1, True)


@BY_PACKING
def test_a_packed_file_that_would_fill_the_memory(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "_SMALL", 1000)
    monkeypatch.setattr(compression, "MOST_TIMES", 2)
    content = GOOD + GOOD[24:] * 5000
    packed = PACKINGS[kind](content)
    bound = max(1000, 2 * len(packed))
    records = read(tmp_path, packed)
    assert len(records.frames) == (bound - 24) // 30
    assert f"unpacks to more than {bound} bytes" in records.complaint


def test_a_file_that_would_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "LARGEST_FILE", 100)
    with pytest.raises(UnreadableCapture, match="more than 100 bytes; cut it with editcap"):
        read(tmp_path, GOOD + GOOD[24:] * 5)


SIZES = np.random.default_rng(0).integers(1, 4000, 2000)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_packets_of_a_file_that_is_read_in_parts(suffix, pack, tmp_path):
    form, frames = FORMATS[suffix], Frames.of([bytes([i % 251]) * n for i, n in enumerate(SIZES)])
    content = bytearray(form.header + records_bytes(form, TIME_NS + np.arange(len(SIZES)), frames))
    whole = read(tmp_path, pack(content))
    assert whole.frames.tolist() == frames.tolist()
    assert whole.time_ns.tolist() == (TIME_NS + np.arange(len(SIZES))).tolist()
    assert not whole.complaint
    cut = read(tmp_path, pack(content[:-5000]))
    assert cut.frames.tolist() == frames.tolist()[: len(cut.frames)]
    assert f"cut short after {len(cut.frames)} packets" in cut.complaint
    assert f"of {len(content) - 5000} bytes are not read" in cut.complaint
    index, which = read_index(tmp_path / "capture"), np.array([3, 700, 1500])
    some = read_indexed(tmp_path / "capture", index, which)
    assert some.tolist() == frames.take(which).tolist()


def test_a_large_file_takes_no_more_memory_than_what_is_kept_of_it(tmp_path):
    path, form = tmp_path / "large.pcap", FORMATS[".pcap"]
    one = records_bytes(form, np.array([TIME_NS]), Frames.of([bytes(LONGEST_FRAME)]))
    path.write_bytes(form.header + bytes(one) * 200)
    tracemalloc.start()
    index = read_index(path)
    frames = read_indexed(path, index, np.array([0, 100, 199]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert frames.size.tolist() == [LONGEST_FRAME] * 3
    assert peak < path.stat().st_size / 5


def test_a_capture_that_changes_while_it_is_read(tmp_path):
    path = tmp_path / "capture"
    path.write_bytes(GOOD)
    index = read_index(path)
    path.write_bytes(GOOD[:-1])
    with pytest.raises(UnreadableCapture, match="has changed while it was read"):
        read_indexed(path, index, np.arange(len(index.size)))


def test_a_block_without_end(tmp_path):
    content = BLOCKS + enhanced(0, 5) + struct.pack("<II", 99, 2**24 + 4) + bytes(2**24 + 2**20)
    records = read(tmp_path, content)
    assert len(records.frames) == 2
    assert "a block is too long after 2 packets" in records.complaint


def test_more_packets_than_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(pcap, "MOST_PACKETS", 3)
    for content in (GOOD + GOOD[24:] * 5, BLOCKS + enhanced(0, 5) * 5):
        records = read(tmp_path, content)
        assert len(records.frames) == 3
        assert "too many packets (cut the file with editcap -c) after 3" in records.complaint


def test_a_pipe_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableCapture, match=r"cannot read .*pipe: it is a pipe or a device"):
        read_records(tmp_path / "pipe")


def test_packets_of_any_link_types_in_one_file(tmp_path):
    content = section() + interface(1) + interface(101) + interface(105)
    content += enhanced(0, 7) + enhanced(1, 8, length=60) + enhanced(2, 9) + enhanced(1, 10)
    records = read(tmp_path, content)
    which = np.array([0, 1, 3])
    head, packets = pcapng_bytes(records, records.time_ns[which] + 1, which)
    again = read(tmp_path, head + packets)
    assert shown(again) == [(1, 7001, 14, FRAME), (101, 8001, 60, FRAME), (101, 10001, 14, FRAME)]


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\xd4\xc3"])
def test_what_is_no_capture(content, tmp_path):
    with pytest.raises(UnreadableCapture, match="it is not a pcap or pcapng"):
        read(tmp_path, content)
    with pytest.raises(UnreadableCapture, match="cannot read"):
        read_records(tmp_path)


@given(
    rest=st.binary(max_size=200),
    start=st.sampled_from([GOOD, BLOCKS, GOOD[:24], section()]),
    data=st.data(),
)
def test_garbage_is_read_as_far_as_it_goes(rest, start, data, tmp_path_factory):
    content = bytearray(start + rest)
    for place in data.draw(st.lists(st.integers(4, len(content) - 1), max_size=3)):
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    records = read(tmp_path_factory.getbasetemp(), content)
    frames = records.frames
    assert (frames.start + frames.size <= len(content)).all()
    assert (frames.size >= 0).all()
    assert (np.maximum(frames.size, records.length) <= LONGEST_FRAME).all()


def test_comments_of_packets_come_back_and_disturb_nothing(tmp_path):
    frames = Frames.of([b"a" * 60, b"b" * 61, b"c" * 62])
    time_ns = np.array([1, 2, 10**18 + 3])
    form, said = FORMATS[".pcapng"], {0: "event: on", 2: "d\u00e9j\u00e0 vu"}
    path = tmp_path / "said.pcapng"
    path.write_bytes(form.header + records_bytes(form, time_ns, frames, comments=said))
    assert read_comments(path) == [(1, "event: on"), (10**18 + 3, "d\u00e9j\u00e0 vu")]
    records = read_records(path)
    assert records.frames.tolist() == frames.tolist()
    assert records.time_ns.tolist() == time_ns.tolist()
    assert not records.complaint


def test_a_file_of_pcap_has_no_comments(tmp_path):
    form = FORMATS[".pcap"]
    frames, time_ns = Frames.of([b"a" * 60]), np.array([1])
    path = tmp_path / "said.pcap"
    path.write_bytes(form.header + records_bytes(form, time_ns, frames, comments={0: "on"}))
    assert read_comments(path) == []
    assert len(read_records(path).time_ns) == 1
