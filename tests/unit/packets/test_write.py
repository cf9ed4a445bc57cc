import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

import iotflowgen as iot
from iotflowgen.capture import read_captures
from iotflowgen.errors import OutputError
from iotflowgen.library.honeydata import OfWindows
from iotflowgen.packets.fuzz import Fuzzer
from iotflowgen.packets.fuzz.stacks import STACKS, Features
from iotflowgen.packets.rows import Rows
from iotflowgen.packets.write import WriteReport, sessions_of, write_sessions
from iotflowgen.traffic import (
    Session,
    Trace,
    Windows,
    cut_windows,
    draw_window_starts,
    protocol_mask,
)
from iotflowgen.wire import Frames

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
SECOND = 10**9


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


class Zeros:
    """Renders frames of zeros, and remembers how."""

    def __init__(self) -> None:
        self.blocks: list[Rows] = []
        self.foreseen: list[int] = []

    def foresee(self, rows: Rows, piece: NDArray[np.int64]) -> None:
        assert len(rows) == len(piece)
        self.foreseen += rows.number.tolist()

    def render(self, rows: Rows) -> Frames:
        assert {*rows.number.tolist()} <= {*self.foreseen}
        self.blocks.append(rows)
        return Frames.of([bytes(length) for length in rows.length.tolist()])

    def column(self, name: str) -> list[int]:
        return [each for rows in self.blocks for each in getattr(rows, name).tolist()]


def session(name: str, packets: int, start: int = 0) -> Session:
    """A packet of 60 bytes a second, in two flows."""
    none = np.zeros(packets, dtype=np.int32)
    return Session(
        name=name,
        time_ns=(start + np.arange(packets)) * SECOND,
        length=none + np.int32(60),
        outgoing=none == 0,
        src_port=none,
        dst_port=none,
        protocols=none.astype(np.uint16),
        source=np.arange(packets),
        flow=np.arange(packets) % 2,
    )


def drawn(traces: list[Trace], count: int, seed: int = 0) -> Windows:
    return cut_windows(traces, draw_window_starts(traces, count, 20, rng(seed)))


def to_windows(rows: list[Features], size: int) -> Windows:
    columns = {
        name: np.array([getattr(row, name) for row in rows]).reshape(-1, size)
        for name in Features._fields
    }
    return Windows(duration_ns=rng(1).integers(0, 10**10, (len(rows) // size, size)), **columns)


def showable_rows(count: int) -> list[Features]:
    """Rows of every stack, of many lengths, on its own and on other ports."""
    draw, rows = rng(4), []
    for stack in [STACKS[i % len(STACKS)] for i in range(count)]:
        service = int(draw.choice(SERVICES.get(stack.top, (4444, 22, 69, 80, 53, 49_999))))
        ports = (service, int(draw.integers(1024, 65_536))) if stack.transport else (0, 0)
        outgoing = bool(draw.integers(2))
        length = stack.headers + 260 * (stack.top in ("bootp", "dhcp")) + 48
        length += int(draw.integers(draw.choice([20, 200, 1100])))
        rows.append(Features(length, outgoing, *ports[:: -1 if outgoing else 1], stack.protocols))
    return rows


MALFORMED = '_ws.malformed or _ws.expert.message contains "Bad checksum"'


def complaints(path: Path, *preferences: str, wrong: str = MALFORMED) -> list[str]:
    """What tshark calls malformed or wrongly summed, a line a packet."""
    options = [word for preference in (*CHECKED, *preferences) for word in ("-o", preference)]
    fields = ["-T", "fields", "-e", "frame.number", "-e", "frame.protocols"]
    command = ["tshark", "-n", "-r", str(path), *options, "-Y", wrong, *fields]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def assert_comes_back(windows: Windows, path: Path, changed: int) -> None:
    """Extraction gives back the features, but for those of so many packets."""
    assert complaints(path) == []
    assert complaints(path, "tcp.desegment_tcp_streams:FALSE") == []
    (trace,) = read_captures([path], cache=None)
    for name in ("length", "outgoing", "src_port", "dst_port"):
        np.testing.assert_array_equal(getattr(trace, name), getattr(windows, name).ravel(), name)
    np.testing.assert_array_equal(trace.duration_ns[:-1], windows.duration_ns.ravel()[:-1])
    assert np.count_nonzero(trace.protocols != windows.protocols.ravel()) == changed


@pytest.mark.parametrize("suffix", [".pcap", ".pcapng"])
def test_every_stack_comes_back_from_a_capture(tmp_path: Path, suffix: str) -> None:
    rows = [row for row in showable_rows(52 * 25) if row.length > 0]
    windows = to_windows(rows, 20)
    path, fuzzer = tmp_path / f"honeydata{suffix}", Fuzzer(rng())
    report = write_sessions(sessions_of(windows), path, fuzzer)
    assert report == WriteReport(len(rows), int(windows.length.sum()), stopped=False)
    # a port that is another protocol's may have been drawn
    assert fuzzer.compromises.total() < 20
    assert_comes_back(windows, path, fuzzer.compromises.total())


def test_features_drawn_one_by_one_make_no_malformed_packet(tmp_path: Path) -> None:
    draw, shape = rng(9), (60, 20)
    ports = np.array([0, 22, 53, 67, 69, 80, 123, 161, 443, 631, 1900, 3478, 5060, 5353, 50_000])
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
    path, fuzzer = tmp_path / "honeydata.pcap", Fuzzer(rng())
    write_sessions(sessions_of(windows), path, fuzzer)
    assert complaints(path) == []
    assert complaints(path, "tcp.desegment_tcp_streams:FALSE") == []
    (trace,) = read_captures([path], fuzzer.device_mac, cache=None)
    np.testing.assert_array_equal(trace.length, windows.length.ravel())
    np.testing.assert_array_equal(trace.outgoing, windows.outgoing.ravel())


def test_times_are_whole_nanoseconds_from_the_start(tmp_path: Path, traces: list[Trace]) -> None:
    windows, start_ns = drawn(traces, 3), 1_600_000_000 * SECOND + 1
    path = tmp_path / "honeydata.pcapng"
    write_sessions(sessions_of(windows, start_ns), path, Fuzzer(rng()))
    (trace,) = read_captures([path], cache=None)
    expected = start_ns + np.cumsum([0, *windows.duration_ns.ravel()])[:-1]
    np.testing.assert_array_equal(trace.time_ns, expected)


def test_the_same_seed_gives_the_same_file_in_any_blocks(
    tmp_path: Path, traces: list[Trace]
) -> None:
    windows = drawn(traces, 3)

    def written(seed: int, block: int = 1000) -> bytes:
        path = tmp_path / "honeydata.pcap"
        write_sessions(sessions_of(windows), path, Fuzzer(rng(seed)), block=block)
        return path.read_bytes()

    assert written(5) == written(5) == written(5, block=7)
    assert written(5) != written(6)


def test_windows_keep_their_packets_and_flows(traces: list[Trace]) -> None:
    windows = drawn(traces, 3)
    without = list(sessions_of(windows))
    assert all((each.source == -1).all() for each in without)
    assert len({int(flow) for each in without for flow in each.flow if flow >= 0}) > 3
    source = np.arange(60).reshape(3, 20)
    told = Windows(
        **{name: getattr(windows, name) for name in Windows.columns()}, source=source, flow=source
    )
    for i, each in enumerate(sessions_of(told)):
        assert each.source.tolist() == each.flow.tolist() == source[i].tolist()


@pytest.mark.parametrize("block", [1, 7, 30, 1000])
def test_sessions_come_in_blocks_numbered_throughout(tmp_path: Path, block: int) -> None:
    renderer, pieces = Zeros(), session("a", 25)
    given = [pieces[:10], pieces[10:], session("b", 0), session("c", 5, start=30)]
    report = write_sessions(given, tmp_path / "honeydata.pcap", renderer, block=block)
    assert report == WriteReport(30, 30 * 60, stopped=False)
    assert max(len(rows) for rows in renderer.blocks) <= block
    assert renderer.column("number") == list(range(30))
    assert renderer.column("session") == [0] * 25 + [1] * 5
    assert renderer.column("source") == [*range(25), *range(5)]
    assert len(set(renderer.column("flow"))) == 4


def test_no_more_is_read_than_a_block_needs(tmp_path: Path) -> None:
    renderer, asked = Zeros(), []

    def given() -> Iterator[Session]:
        for i in range(6):
            asked.append(len(renderer.blocks))
            yield session(str(i), 10, start=10 * i)

    write_sessions(given(), tmp_path / "honeydata.pcap", renderer, block=20)
    assert asked == [0, 0, 1, 1, 2, 2]


def test_an_interrupted_run_ends_the_file_with_the_last_block(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Session]:
        yield session("a", 25)
        raise KeyboardInterrupt

    path = tmp_path / "honeydata.pcap"
    report = write_sessions(interrupted(), path, Zeros(), block=10)
    assert report == WriteReport(25, 25 * 60, stopped=True)
    assert path.stat().st_size == 24 + 25 * (16 + 60)


def test_without_a_block_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Session]:
        yield session("a", 5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sessions(interrupted(), tmp_path / "honeydata.pcap", Zeros(), block=10)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_block_by_block(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    write_sessions(
        [session("a", 25)],
        tmp_path / "honeydata.pcap",
        Zeros(),
        block=10,
        total=25,
        progress=lambda stage, done, total, note="": told.append((stage, done, total)),
    )
    assert told == [("write", 10, 25), ("write", 20, 25), ("write", 25, 25)]


@pytest.mark.parametrize(
    ("name", "start", "complaint"),
    [
        (
            "honeydata.txt",
            0,
            r"honeydata.txt is not a capture file name; it must end in .pcap or .pcapng",
        ),
        ("honeydata.pcap", -(10**3), "times from 1970-01-01 to 2106-02-07"),
        ("honeydata.pcap", 2**32 - 5, "choose another --start"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, name: str, start: int, complaint: str
) -> None:
    with pytest.raises(OutputError, match=complaint):
        write_sessions([session("a", 25, start)], tmp_path / name, Zeros(), block=10)
    assert list(tmp_path.iterdir()) == []


def test_sessions_follow_each_other(tmp_path: Path) -> None:
    given = [session("a", 25), session("b", 5, start=20)]
    with pytest.raises(OutputError, match="b begins before what comes first has ended"):
        write_sessions(given, tmp_path / "honeydata.pcap", Zeros())


def test_no_sessions_make_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "honeydata.pcap"
    assert write_sessions([], path, Zeros()).packets == 0
    assert path.stat().st_size == 24


@pytest.mark.captures
def test_windows_of_every_device_come_back(tmp_path: Path, aalto: Path) -> None:
    parts = []
    for folder in sorted(path for path in aalto.iterdir() if path.is_dir()):
        traces = read_captures([min(folder.glob("*.pcap"))], cache=None)
        size = min(10, len(traces[0]))
        parts.append(cut_windows(traces, draw_window_starts(traces, 8, size, rng())))
    windows = Windows.concatenate([part for part in parts if part.size == 10])
    path, fuzzer = tmp_path / "honeydata.pcap", Fuzzer(rng())
    report = write_sessions(sessions_of(windows), path, fuzzer)
    assert fuzzer.compromises.total() <= 0.002 * report.packets
    assert_comes_back(windows, path, fuzzer.compromises.total())


def test_a_gateway_that_captures_do_not_show_is_made_up_where_features_need_one(
    tmp_path: Path,
) -> None:
    says = Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff") / IP(
        src="192.168.7.9", dst="255.255.255.255"
    )
    for capture in range(5):
        frames = [says / UDP(sport=4000, dport=4001) / bytes(20 + i) for i in range(40)]
        for i, frame in enumerate(frames):
            frame.time = 1_700_000_000 + 1000 * capture + i
        wrpcap(str(tmp_path / f"alone-{capture}.pcap"), frames)
    recording = iot.fit(sorted(tmp_path.glob("alone-*.pcap"))).recording
    windows = to_windows([Features(60, True, 0, 0, protocol_mask(["arp"]))] * 20, 20)
    path = tmp_path / "made.pcap"
    with pytest.warns(iot.HoneydataWarning, match="fuzzed"):
        OfWindows(lambda _: windows, recording).to_pcap(path, ip="192.168.7.30")
    fields = ("arp.src.proto_ipv4", "arp.dst.proto_ipv4")
    command = ["tshark", "-n", "-r", str(path), "-T", "fields"]
    said = subprocess.run(
        command + [part for field in fields for part in ("-e", field)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")[:-1]
    assert said == ["192.168.7.30\t192.168.7.1"] * 20
