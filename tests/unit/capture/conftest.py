"""Tiny captures: frames from Scapy, files written byte by byte, dissected by us and by tshark."""

import shutil
import stat
import struct
from itertools import count, repeat

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from iotflowgen.capture.builtin import dissect
from iotflowgen.capture.tshark import dissect_by_tshark

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
both_dissectors = pytest.mark.parametrize(
    "dissect",
    [dissect, pytest.param(dissect_by_tshark, marks=needs_tshark)],
    ids=["builtin", "tshark"],
)

DEVICE, GATEWAY, PHONE = "00:17:88:24:76:ff", "02:00:00:00:00:01", "38:0b:40:ef:85:41"
HOME, ROUTER, CLOUD = "10.0.0.6", "10.0.0.1", "93.184.216.34"
START_NS = 1_473_260_204_487_105_321


def up(src=HOME, dst=CLOUD):
    return Ether(src=DEVICE, dst=GATEWAY) / IP(src=src, dst=dst)


def down(src=CLOUD, dst=HOME):
    return Ether(src=GATEWAY, dst=DEVICE) / IP(src=src, dst=dst)


def talk(n=4, device=HOME):
    """A device that asks a server and is answered."""
    asks = up(src=device) / UDP(sport=4000, dport=9000) / b"ask"
    answers = down(dst=device) / UDP(sport=9000, dport=4000) / b"answer"
    return [asks if i % 2 == 0 else answers for i in range(n)]


def pcap(frames, *, link=1, times=None, snap=None):
    """A pcap file with nanoseconds; frames are 1 ms apart unless `times` are given.

    `snap` is how many bytes are kept of each frame, or a list of that.
    """
    content = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 1 << 20, link)
    times = times or count(START_NS, 1_000_000)
    snaps = snap if isinstance(snap, list) else repeat(snap)
    for frame, time, size in zip(frames, times, snaps, strict=False):
        whole = bytes(frame)
        kept = whole[:size]
        content += struct.pack("<IIII", *divmod(time, 10**9), len(kept), len(whole)) + kept
    return content


def pcapng(frames, *, link=1):
    """The same as a pcapng file: section header, interface with nanoseconds, enhanced packets."""

    def block(kind, body):
        body += b"\0" * (-len(body) % 4)
        length = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + length + body + length

    nanoseconds = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)
    content = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    content += block(1, struct.pack("<HHI", link, 0, 0) + nanoseconds)
    for frame, time in zip(frames, count(START_NS, 1_000_000), strict=False):
        size = len(bytes(frame))
        header = struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, size, size)
        content += block(6, header + bytes(frame))
    return content


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test touches the cache of whoever runs it."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("IOTFLOWGEN_CACHE", str(folder))
    return folder


@pytest.fixture
def write(tmp_path):
    def write(content, name="capture.pcap"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else pcap(content))
        return path

    return write


@pytest.fixture
def stand_in(tmp_path_factory, monkeypatch):
    """Puts a shell script named tshark before the real one, which it may call as $REAL."""

    def stand_in(script):
        folder = tmp_path_factory.mktemp("bin")
        program = folder / "tshark"
        program.write_text(f"#!/bin/sh\nREAL={shutil.which('tshark')}\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(folder), prepend=":")
        return folder

    return stand_in
