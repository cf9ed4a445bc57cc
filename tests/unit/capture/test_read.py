"""Files and folders in, traces out; and whatever a user may hand over by mistake."""

import gzip
import hashlib
import os

import numpy as np
import pytest

from iotflowgen.capture import (
    CaptureWarning,
    describe,
    find_captures,
    read_captures,
    read_frames,
)
from iotflowgen.errors import TooShort, UnreadableCapture
from iotflowgen.traffic import Trace, cut_windows, every_window_start
from tests.unit.capture.conftest import DEVICE, HOME, START_NS, pcap, pcapng, talk

ABSENT = ("name", "headers", "states", "fixed", "silence_ns", "sha256")
COLUMNS = [name for name in Trace.__dataclass_fields__ if name not in ABSENT]


def assert_same(one, other):
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_a_trace_from_a_capture(write):
    path = write(talk(4))
    (trace,) = read_captures([path])
    assert trace.name == "capture.pcap"
    assert trace.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert trace.time_ns.tolist() == [START_NS + i * 1_000_000 for i in range(4)]
    assert trace.duration_ns.tolist() == [1_000_000] * 3 + [0]
    assert trace.length.tolist() == [45, 48, 45, 48]
    assert trace.outgoing.tolist() == [True, False, True, False]
    assert trace.src_port.tolist() == [4000, 9000, 4000, 9000]
    assert trace.dst_port.tolist() == [9000, 4000, 9000, 4000]
    assert {name: getattr(trace, name).dtype.name for name in COLUMNS} == {
        "time_ns": "int64",
        "length": "int32",
        "outgoing": "bool",
        "src_port": "int32",
        "dst_port": "int32",
        "protocols": "uint16",
        "tcp_payload": "int32",
        "in_file": "int64",
    }


def test_pcap_and_pcapng_plain_and_gzipped_are_the_same_whatever_their_names(write):
    frames = talk(5)
    files = [
        write(pcap(frames), "a.pcap"),
        write(pcapng(frames), "b.cap"),
        write(gzip.compress(pcap(frames)), "c.dat"),
        write(gzip.compress(pcapng(frames)), "d"),
    ]
    first, *others = read_captures(files)
    assert len(first) == 5
    for other in others:
        assert_same(first, other)


def test_a_folder_is_its_captures_in_natural_order(write, tmp_path):
    for name in ("Setup-10.pcap", "Setup-2.pcap", "Setup-1.pcapng"):
        write(talk(2), name)
    write(b"a4:ff", "_iotdevice-mac.txt")
    write(b"", ".DS_Store")
    write(talk(2), "old/Setup-3.pcap")
    names = [trace.name for trace in read_captures([tmp_path])]
    assert names == ["Setup-1.pcapng", "Setup-2.pcap", "Setup-10.pcap"]


def test_other_files_in_a_folder_are_left_out_with_one_line(write, tmp_path):
    write(talk(2), "a.pcap")
    write(b"notes", "notes.txt")
    write(b"", "empty.pcap")
    with pytest.warns(CaptureWarning, match=r"^empty\.pcap, notes\.txt in .*: no pcap") as said:
        assert len(read_captures([tmp_path])) == 1
    assert len(said) == 1


def test_a_capture_named_twice_is_read_once(write, tmp_path):
    path = write(talk(2))
    assert find_captures([path, tmp_path, path]) == [path]


def test_captures_of_two_folders_keep_names_apart(write, tmp_path):
    one, two = write(talk(2), "one/1.pcap"), write(talk(3), "two/1.pcap")
    three = write(talk(4), "two/3.pcap")
    names = [trace.name for trace in read_captures([tmp_path / "two", one])]
    assert names == [one.as_posix(), two.as_posix(), three.name]


def test_progress_is_told_after_each_capture(write, tmp_path):
    for i in range(3):
        write(talk(2), f"{i}.pcap")
    told = []
    read_captures([tmp_path], progress=lambda *step: told.append(step))
    assert told == [("captures", i + 1, 3, f"{i}.pcap") for i in range(3)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"hello\nworld\n", "is not a pcap or pcapng"),
        (b"\x1f\x8b\x08", "is not a pcap"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "is a Git LFS pointer.*git lfs pull"),
        (bytes.fromhex("28b52ffd"), r"is packed by Zstandard; .*zstd -d capture\.pcap"),
        (b"snoop\0\0\0\0\0\0\2", r"is a snoop capture; .*editcap capture\.pcap"),
        (gzip.compress(bytes(257) + b"ustar", mtime=0), "is a tar archive; .*tar xf"),
        (b"<!DOCTYPE html>", "is a web page; download"),
    ],
)
def test_a_file_that_is_no_capture(write, content, says):
    with pytest.raises(UnreadableCapture, match=rf"capture\.pcap {says}"):
        read_captures([write(content)])


def test_a_format_without_a_magic_number_is_known_by_its_name(write):
    with pytest.raises(UnreadableCapture, match=r"a b\.erf is an ERF capture; .*'a b\.erf'"):
        read_captures([write(bytes(40), "a b.erf")])


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.pcap")
    with pytest.raises(UnreadableCapture, match=r"pipe\.pcap: it is a pipe or a device"):
        read_captures([tmp_path / "pipe.pcap"])
    with pytest.raises(UnreadableCapture, match="no pcap or pcapng"):
        read_captures([tmp_path])


def test_the_file_of_a_folder_that_cannot_be_read_is_named(write, tmp_path, monkeypatch):
    write(talk(2), "a.pcap")
    write(pcap(talk(2))[:30], "b.pcap")
    with pytest.raises(UnreadableCapture, match=r"b\.pcap: a packet is cut short"):
        read_captures([tmp_path])
    # whoever is root may read everything
    (tmp_path / "b.pcap").unlink()
    (tmp_path / "c.pcap").symlink_to("/proc/self/mem")
    with pytest.raises(UnreadableCapture, match=r"cannot read .*c\.pcap: "):
        read_captures([tmp_path])


def test_names_that_are_no_text_come_out_as_what_can_be_printed(tmp_path):
    path = tmp_path / os.fsdecode(b"plug-\xff.pcap")
    path.write_bytes(pcap(talk(2)))
    (trace,) = read_captures([path])
    assert trace.name == "plug-\\xff.pcap"


def test_a_path_that_does_not_exist(tmp_path):
    with pytest.raises(UnreadableCapture, match=r"cannot read .*none\.pcap: No such file"):
        read_captures([tmp_path / "none.pcap"])


def test_a_folder_without_captures(write, tmp_path):
    write(b"notes", "notes.txt")
    none = "no pcap or pcapng captures in the folder"
    with pytest.raises(UnreadableCapture, match=f"{none} {tmp_path}$"):
        read_captures([tmp_path])
    for name in ("plug", ".git"):
        (tmp_path / name).mkdir()
    with pytest.raises(UnreadableCapture, match=f"{none} .*name one of them: plug$"):
        read_captures([tmp_path])


def test_no_paths():
    with pytest.raises(UnreadableCapture, match="no captures given"):
        read_captures([])


def test_a_capture_without_packets_is_left_out(write, tmp_path):
    write(talk(2), "a.pcap")
    empty = write([], "b.pcap")
    with pytest.warns(CaptureWarning, match=r"b\.pcap has no packets"):
        assert [trace.name for trace in read_captures([tmp_path])] == ["a.pcap"]
    with (
        pytest.warns(CaptureWarning, match="has no packets"),
        pytest.raises(UnreadableCapture, match=r"no packets in b\.pcap"),
    ):
        read_captures([empty])


def test_a_capture_too_short_for_a_window(write):
    traces = read_captures([write(talk(4))])
    assert len(cut_windows(traces, every_window_start(traces, 4))) == 1
    with pytest.raises(TooShort, match=r"needs 5 packets in a row, the longest capture has 4"):
        every_window_start(traces, 5)


@pytest.mark.parametrize(("form", "overhead"), [(pcap, 16), (pcapng, 32)])
@pytest.mark.parametrize("zipped", [False, True])
def test_of_a_truncated_capture_the_whole_packets_are_used(write, form, overhead, zipped):
    content = form(talk(5))
    size = len(content)
    if zipped:  # a flush after each byte lets the stream end anywhere
        squeeze = gzip.zlib.compressobj(wbits=31)
        content = squeeze.compress(content[:-7]) + squeeze.flush(gzip.zlib.Z_SYNC_FLUSH)
    else:
        content = content[:-7]
    last = len(bytes(talk(1)[0])) + overhead
    left = last + (-last % 4 if form is pcapng else 0) - 7
    lost = "" if zipped else f" after 4 packets; the last {left} of {size - 7} bytes are not read"
    with pytest.warns(CaptureWarning, match=rf"capture\.pcap: .*cut short{lost}$") as said:
        (trace,) = read_captures([write(content)])
    assert (len(trace), len(said)) == (4, 1)


@pytest.mark.parametrize("size", [3, 20, -1])
def test_a_capture_cut_before_its_first_packet(write, size):
    with pytest.raises(UnreadableCapture, match=r"capture\.pcap:? .*(cut short|is not a pcap)"):
        read_captures([write(pcap(talk(1))[:size])])


def test_a_damaged_capture_is_used_up_to_the_damage(write):
    content = bytearray(pcap(talk(4)))
    at = 24 + 2 * 16 + 45 + 48 + 8
    content[at : at + 4] = b"\xff\xff\xff\x7f"
    says = "too long after 2 packets; the last 125 of 274 bytes are not read"
    with pytest.warns(CaptureWarning, match=says):
        (trace,) = read_captures([write(bytes(content))])
    assert len(trace) == 2


@pytest.mark.parametrize("number", [127, 9999])
def test_packets_of_a_link_type_that_is_not_read_are_left_out(write, number):
    """As where one file has several interfaces."""
    beacon = pcapng([b"\x80" * 40], link=number)
    kept, left_out = pcapng(talk(4)), beacon[28:]
    # interfaces count on: the beacon's packet is of the second
    interface, packet = left_out[:32], left_out[32:]
    packet = packet[:8] + b"\1\0\0\0" + packet[12:]
    path = write(kept[:60] + interface + packet + kept[60:])
    with pytest.warns(CaptureWarning, match=r"1 of 5 packets are of link type .*left out"):
        (trace,) = read_captures([path])
    assert trace.in_file.tolist() == [1, 2, 3, 4]
    with pytest.warns(CaptureWarning, match="left out"):
        assert describe([path]).links == ("Ethernet",)
    ((_, frames),) = read_frames([path], [trace])
    assert frames.tolist() == [bytes(frame) for frame in talk(4)]


def test_a_summary(write, tmp_path):
    write(talk(4), "1.pcap")
    write(talk(3), "2.pcap")
    summary = describe([tmp_path])
    assert (summary.captures, summary.packets, summary.links) == (2, 7, ("Ethernet",))
    assert summary.seconds == pytest.approx(0.005)
    assert [(host.ip, host.packets) for host in summary.hosts] == [(HOME, 7), ("93.184.216.34", 7)]
    assert summary.device is not None
    assert (summary.device.ip, summary.device.mac) == (HOME, DEVICE)


def test_a_summary_without_ip_addresses_names_no_device(write):
    assert describe([write([b"\xff" * 6 + b"\2" * 6 + b"\x08\x06" + b"\0" * 28])]).device is None
