import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from iotflowgen.capture import read_captures
from iotflowgen.errors import OutputError
from iotflowgen.packets import PacketFeatures, WriteReport, write_capture
from iotflowgen.packets.build import FEATURES
from iotflowgen.packets.stacks import STACKS
from iotflowgen.traffic import (
    Trace,
    Windows,
    cut_windows,
    draw_places,
    protocol_mask,
)

CHECKED = [f"{name}.check_checksum:TRUE" for name in ("ip", "tcp", "udp")]
SERVICES = {
    "http": (80, 8080),
    "https": (443, 8883),
    "dns": (53,),
    "mdns": (5353,),
    "ssdp": (1900,),
    "ntp": (123,),
    "bootp": (67, 68),
    "dhcp": (67, 68),
}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def to_windows(rows: list[PacketFeatures], size: int, duration_ns: NDArray[np.int64]) -> Windows:
    columns = {
        name: np.array([getattr(row, name) for row in rows]).reshape(-1, size) for name in FEATURES
    }
    return Windows(duration_ns=duration_ns.reshape(-1, size), **columns)


def showable_rows(count: int) -> list[PacketFeatures]:
    """Rows of every stack, of many lengths, on its own and on other ports."""
    draw, rows = rng(4), []
    for stack in [STACKS[i % len(STACKS)] for i in range(count)]:
        service = int(draw.choice(SERVICES.get(stack.top, (4444, 22, 69, 80, 53, 49_999))))
        ports = (service, int(draw.integers(1024, 65_536))) if stack.transport else (0, 0)
        outgoing = bool(draw.integers(2))
        length = stack.headers + 260 * (stack.top in ("bootp", "dhcp")) + 48
        length += int(draw.integers(draw.choice([20, 200, 1100])))
        rows.append(
            PacketFeatures(length, outgoing, *ports[:: -1 if outgoing else 1], stack.protocols)
        )
    return rows


MALFORMED = '_ws.malformed or _ws.expert.message contains "Bad checksum"'


def complaints(path: Path, *preferences: str, wrong: str = MALFORMED) -> list[str]:
    """What tshark calls malformed or wrongly summed, a line a packet."""
    options = [word for preference in (*CHECKED, *preferences) for word in ("-o", preference)]
    fields = ["-T", "fields", "-e", "frame.number", "-e", "frame.protocols"]
    command = ["tshark", "-n", "-r", str(path), *options, "-Y", wrong, *fields]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def assert_comes_back(windows: Windows, path: Path, report: WriteReport) -> None:
    """Extraction gives back the features, but for the compromises that the report names."""
    assert complaints(path) == []
    assert complaints(path, "tcp.desegment_tcp_streams:FALSE") == []
    (trace,) = read_captures([path], cache=None)
    for name in ("length", "outgoing", "src_port", "dst_port"):
        np.testing.assert_array_equal(getattr(trace, name), getattr(windows, name).ravel(), name)
    np.testing.assert_array_equal(trace.duration_ns[:-1], windows.duration_ns.ravel()[:-1])
    differ = np.count_nonzero(trace.protocols != windows.protocols.ravel())
    assert differ == sum(report.compromises.values())


@pytest.mark.parametrize("suffix", [".pcap", ".pcapng"])
def test_every_stack_comes_back_from_a_capture(tmp_path: Path, suffix: str) -> None:
    rows = [row for row in showable_rows(52 * 25) if row.length > 0]
    windows = to_windows(rows, 20, rng(1).integers(0, 10**10, len(rows)))
    path = tmp_path / f"honeydata{suffix}"
    report = write_capture(windows, path, rng())
    assert report.packets == len(rows)
    assert report.bytes == windows.length.sum()
    # a port that is another protocol's may have been drawn
    assert sum(report.compromises.values()) < 20
    assert_comes_back(windows, path, report)


def test_features_drawn_one_by_one_make_no_malformed_packet(tmp_path: Path) -> None:
    draw = rng(9)
    ports = np.array([0, 22, 53, 67, 69, 80, 123, 161, 443, 631, 1900, 3478, 5060, 5353, 50_000])
    shape = (60, 20)
    windows = Windows(
        duration_ns=draw.integers(0, 10**9, shape),
        length=draw.integers(14, 1515, shape).astype(np.int32),
        outgoing=draw.integers(0, 2, shape).astype(bool),
        src_port=draw.choice(ports, shape).astype(np.int32),
        dst_port=draw.choice(ports, shape).astype(np.int32),
        protocols=np.where(
            draw.random(shape) < 0.2,
            draw.integers(0, 2**16, shape),
            draw.choice([stack.protocols for stack in STACKS], shape),
        ).astype(np.uint16),
    )
    path = tmp_path / "honeydata.pcap"
    report = write_capture(windows, path, rng())
    assert complaints(path) == []
    assert complaints(path, "tcp.desegment_tcp_streams:FALSE") == []
    (trace,) = read_captures([path], report.device_mac, cache=None)
    np.testing.assert_array_equal(trace.length, windows.length.ravel())
    np.testing.assert_array_equal(trace.outgoing, windows.outgoing.ravel())


@pytest.mark.captures
def test_windows_of_every_device_come_back(tmp_path: Path, aalto: Path) -> None:
    parts = []
    for folder in sorted(path for path in aalto.iterdir() if path.is_dir()):
        traces = read_captures([min(folder.glob("*.pcap"))], cache=None)
        size = min(10, len(traces[0]))
        parts.append(cut_windows(traces, draw_places(traces, 8, size, rng())))
    windows = Windows.concatenate([part for part in parts if part.size == 10])
    path = tmp_path / "honeydata.pcap"
    report = write_capture(windows, path, rng())
    assert sum(report.compromises.values()) <= 0.002 * report.packets
    assert_comes_back(windows, path, report)


def test_times_are_whole_nanoseconds_from_the_start(tmp_path: Path, traces: list[Trace]) -> None:
    windows = cut_windows(traces, draw_places(traces, 3, 20, rng()))
    start_ns = 1_600_000_000 * 10**9 + 1
    path = tmp_path / "honeydata.pcapng"
    write_capture(windows, path, rng(), start_ns=start_ns)
    (trace,) = read_captures([path], cache=None)
    expected = start_ns + np.cumsum([0, *windows.duration_ns.ravel()])[:-1]
    np.testing.assert_array_equal(trace.time_ns, expected)


def test_the_same_seed_gives_the_same_file(tmp_path: Path, traces: list[Trace]) -> None:
    windows = cut_windows(traces, draw_places(traces, 3, 20, rng()))
    one, two = tmp_path / "one.pcap", tmp_path / "two.pcap"
    assert write_capture(windows, one, rng(5)) == write_capture(windows, two, rng(5))
    assert one.read_bytes() == two.read_bytes()
    write_capture(windows, two, rng(6))
    assert one.read_bytes() != two.read_bytes()


def test_what_no_header_shows_is_counted(tmp_path: Path) -> None:
    both = protocol_mask(["ip", "tcp", "udp"])
    windows = to_windows([PacketFeatures(60, True, 1024, 4444, both)] * 6, 3, np.arange(6))
    report = write_capture(windows, tmp_path / "honeydata.pcap", rng())
    assert report.compromises == {"ip+tcp+udp sent as ip+tcp: no header shows it": 6}


def test_an_interrupted_run_leaves_nothing(tmp_path: Path, traces: list[Trace]) -> None:
    windows = cut_windows(traces, draw_places(traces, 5, 20, rng()))

    def interrupt(stage: str, done: int, total: int, note: str = "") -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_capture(windows, tmp_path / "honeydata.pcap", rng(), progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_window_by_window(tmp_path: Path, traces: list[Trace]) -> None:
    windows = cut_windows(traces, draw_places(traces, 3, 20, rng()))
    told: list[tuple[str, int, int]] = []
    write_capture(
        windows,
        tmp_path / "honeydata.pcap",
        rng(),
        progress=lambda stage, done, total, note="": told.append((stage, done, total)),
    )
    assert told == [("write", 1, 3), ("write", 2, 3), ("write", 3, 3)]


@pytest.mark.parametrize(
    ("name", "start_ns", "complaint"),
    [
        ("honeydata.txt", 0, r"honeydata.txt is no capture; let it end in .pcap or .pcapng"),
        ("honeydata.pcap", -(10**12), "times from 1970-01-01 to 2106-02-07"),
        ("honeydata.pcap", 2**32 * 10**9, "choose another --start"),
    ],
)
def test_what_cannot_be_written_is_said_first(
    tmp_path: Path, traces: list[Trace], name: str, start_ns: int, complaint: str
) -> None:
    windows = cut_windows(traces, draw_places(traces, 1, 20, rng()))
    with pytest.raises(OutputError, match=complaint):
        write_capture(windows, tmp_path / name, rng(), start_ns=start_ns)
    assert list(tmp_path.iterdir()) == []
