"""Captures that are not what one would wish for: each works, or says in one line what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.utils import PcapReader, PcapWriter, RawPcapReader

from tests.conftest import REPOSITORY
from tests.end_to_end.invoke import invoke

PLUG_ALL = sorted((REPOSITORY / "samples" / "plug").iterdir())
PLUG = PLUG_ALL[:6]
CAMERA = sorted((REPOSITORY / "samples" / "camera").iterdir())[:6]
PLUG_MAC, CAMERA_VENDOR = "5e:cf:7f:51:3f:2a", bytes.fromhex("4619b6")
TAG = b"\x81\0\0\x0a"

# what the command line makes lines of
pytestmark = pytest.mark.filterwarnings("always")

Rows = list[tuple[bytes, float]]


def rows_of(path: Path) -> Rows:
    """Frames, and seconds since the first."""
    with PcapReader(str(path)) as reader:
        found = [(packet.original, float(packet.time)) for packet in reader]
    return [(frame, time - found[0][1]) for frame, time in found]


def frames_of(path: Path) -> list[bytes]:
    with RawPcapReader(str(path)) as reader:
        return [frame for frame, _ in reader]


def written(
    folder: Path, change: Callable[[Rows], Rows] = list, *, link: int = 1, snap: int | None = None
) -> Path:
    """The plug's captures, changed, in a folder of their own."""
    folder.mkdir()
    for number, path in enumerate(PLUG):
        with PcapWriter(str(folder / f"{number}.pcap"), linktype=link) as writer:
            writer.write_header(None)
            for frame, time in change(rows_of(path)):
                sec, usec = divmod(round(time * 1e6), 10**6)
                writer.write_packet(frame[:snap], sec=sec, usec=usec, wirelen=len(frame))
    return folder


def is_ip(frame: bytes) -> bool:
    return frame[12:14] in (b"\x08\0", b"\x86\xdd")


def run(*arguments: object) -> tuple[int, str]:
    done = invoke(*arguments)
    return done.returncode, " ".join(done.stderr.split())


def refused(*arguments: object) -> str:
    status, said = run(*arguments)
    assert status == 1, said
    assert said.count("error:") == 1
    return said


def carried_through(captures: Path, *options: str) -> tuple[str, Path]:
    """Fit, generate, extract and evaluate; what `fit` said, and what was generated."""
    folder = captures.parent
    model, fake = folder / "x.model", folder / "x.pcap"
    device = [word for word in options if word not in ("--window", "4")]
    status, said = run("fit", captures, "--out", model, *options)
    assert status == 0, said
    status, more = run("generate", model, "--sessions", 8, "--start", "2026-01-01", "--out", fake)
    assert status == 0, more
    status, more = run("extract", fake, "--out", folder / "x.parquet")
    assert status == 0, more
    judge = ["--protocol", "paper", "--adversary", "boosting", "--window", "4", "--windows", "40"]
    out = folder / "x.json"
    status, more = run(
        "evaluate", "--real", captures, "--fake", fake, "--out", out, *device, *judge
    )
    assert status == 0, more
    return said, fake


def test_cut_at_a_snap_length(tmp_path: Path) -> None:
    captures = written(tmp_path / "cut", snap=96)
    said, fake = carried_through(captures)
    assert "packets were cut off when they were captured" in said
    assert "tcpdump -s 0" in said
    # lengths are those on the wire
    assert max(map(len, frames_of(fake))) > 96


@pytest.mark.parametrize(
    ("link", "change"),
    [
        (101, lambda rows: [(frame[14:], time) for frame, time in rows if is_ip(frame)]),
        (
            113,
            lambda rows: [
                (b"\0\4\0\1\0\6" + frame[6:12] + b"\0\0" + frame[12:], time) for frame, time in rows
            ],
        ),
    ],
    ids=["raw", "cooked"],
)
def test_without_ethernet(tmp_path: Path, link: int, change: Callable[[Rows], Rows]) -> None:
    said, fake = carried_through(written(tmp_path / "other", change, link=link))
    assert "are left out" not in said
    assert ("made up" in said) == (link == 101)
    # no IP protocol that the device does not speak, as whatever is fuzzed has
    protocols = {frame[23] for frame in frames_of(fake) if frame[12:14] == b"\x08\0"}
    assert protocols == {2, 6, 17}


def test_with_vlan_tags_that_stay(tmp_path: Path) -> None:
    def tagged(rows: Rows) -> Rows:
        return [(frame[:12] + TAG + frame[12:], time) for frame, time in rows]

    _, fake = carried_through(written(tmp_path / "vlan", tagged))
    frames = frames_of(fake)
    # what is fuzzed has none
    assert sum(frame[12:16] == TAG for frame in frames) > 0.9 * len(frames)


def test_ipv6_only(tmp_path: Path) -> None:
    def only(rows: Rows) -> Rows:
        return [(frame, time) for frame, time in rows if frame[12:14] == b"\x86\xdd"]

    captures = written(tmp_path / "six", only)
    assert "choose a smaller --window" in refused("fit", captures, "--out", tmp_path / "x.model")
    _, fake = carried_through(captures, "--window", "4")
    assert {frame[12:14] for frame in frames_of(fake)} == {b"\x86\xdd"}
    model, again = fake.with_suffix(".model"), tmp_path / "again.pcap"
    status, said = run("generate", model, "--ip", "192.168.7.7", "--out", again)
    assert status == 0
    assert "192.168.7.7 is not shown" in said


def mostly_six(rows: Rows) -> Rows:
    """A device that asks a server by IPv6, and says something at home by IPv4 now and then."""
    own, router = Ether(src="5c:cf:7f:11:22:33"), Ether(src="9c:c7:a6:01:02:03")
    six = {"src": "fd12:3456:789a::50", "dst": "2a00:1450:4001::7"}
    back = {"src": six["dst"], "dst": six["src"]}
    ports = {"sport": 40000 + len(rows), "dport": 5683}
    turned = {"sport": ports["dport"], "dport": ports["sport"]}
    own.dst, router.dst = router.src, own.src
    frames = []
    for i in range(20):
        frames.append(own / IPv6(**six) / UDP(**ports) / (b"ask" + bytes(20)))
        frames.append(router / IPv6(**back) / UDP(**turned) / (b"told" + bytes(30)))
        if i % 5 == 0:
            home = IP(src="192.168.1.50", dst="192.168.1.9", id=i)
            frames.append(own / home / UDP(sport=50000, dport=6000) / bytes(60))
    return [(bytes(frame), number / 8) for number, frame in enumerate(frames)]


def test_ipv6_first(tmp_path: Path) -> None:
    captures, model = written(tmp_path / "six", mostly_six), tmp_path / "x.model"
    status, said = run("fit", captures, "--out", model)
    assert status == 0, said
    fake = tmp_path / "x.pcap"
    common = ["generate", model, "--sessions", 2, "--start", "2026-01-01", "--out", fake]
    status, said = run(*common, "--ip", "192.168.7.7")
    assert status == 0, said
    packets = [Ether(frame) for frame in frames_of(fake)]
    assert {packet[IP].src for packet in packets if IP in packet} == {"192.168.7.7"}
    ends = {packet[IPv6].src for packet in packets if IPv6 in packet}
    assert len(ends) == 2
    assert sum(end.startswith("fd12:") for end in ends) == 1
    assert all(packet[UDP].dport for packet in packets)


def test_no_tcp_at_all(tmp_path: Path) -> None:
    def none(rows: Rows) -> Rows:
        return [(f, time) for f, time in rows if f[12:14] != b"\x08\0" or f[23] != 6]

    _, fake = carried_through(written(tmp_path / "udp", none))
    assert not any(is_ip(frame) and frame[23] == 6 for frame in frames_of(fake))


def test_a_single_packet(tmp_path: Path) -> None:
    captures = written(tmp_path / "one", lambda rows: rows[-1:])
    assert "capture for longer" in refused("fit", captures, "--out", tmp_path / "x.model")
    assert run("extract", captures, "--out", tmp_path / "x.parquet")[0] == 0
    assert not (tmp_path / "x.model").exists()


def test_two_devices_mixed(tmp_path: Path) -> None:
    cameras = iter(CAMERA)

    def mixed(rows: Rows) -> Rows:
        return sorted(rows + rows_of(next(cameras)), key=lambda row: row[1])

    captures = written(tmp_path / "both", mixed)
    said = refused("fit", captures, "--out", tmp_path / "x.model")
    assert "name one with --device" in said
    said, fake = carried_through(captures, "--device", PLUG_MAC)
    assert "they are left out" in said
    # what the camera sends to all is heard; nothing is sent in its name to others
    assert not any(frame[:3] == CAMERA_VENDOR for frame in frames_of(fake))


def joined(folder: Path, apart: float) -> Path:
    """The plug's captures as one, so many seconds from the beginning of one to that of the next."""
    path = folder / "long.pcap"
    folder.mkdir()
    with PcapWriter(str(path), linktype=1) as writer:
        writer.write_header(None)
        for number, capture in enumerate(PLUG_ALL):
            for frame, time in rows_of(capture):
                sec, usec = divmod(round((number * apart + time) * 1e6), 10**6)
                writer.write_packet(frame, sec=sec, usec=usec, wirelen=len(frame))
    return path


def test_one_long_capture_is_cut_where_it_is_quiet(tmp_path: Path) -> None:
    said, fake = carried_through(joined(tmp_path / "one", 3600))
    assert "long.pcap is one long capture: it is learnt from as 11 pieces, cut at silences" in said
    assert frames_of(fake)


def test_packets_that_stand_twice_are_told_and_left_out(tmp_path: Path) -> None:
    def mirrored(rows: Rows) -> Rows:
        copies = [(frame[:12] + TAG + frame[12:], time + 0.0004) for frame, time in rows]
        return sorted(rows + copies, key=lambda row: row[1])

    captures, plain = written(tmp_path / "twice", mirrored), written(tmp_path / "once")
    _, said = run("info", captures)
    assert "packets stand twice" in said
    assert "--deduplicate" in said
    models = [tmp_path / "twice.model", tmp_path / "once.model"]
    status, said = run("fit", captures, "--deduplicate", "--out", models[0])
    assert status == 0
    assert "twice" not in said
    assert run("fit", plain, "--out", models[1])[0] == 0
    outs = [tmp_path / "twice.pcap", tmp_path / "once.pcap"]
    for model, out in zip(models, outs, strict=True):
        assert run("generate", model, "--start", "2026-01-01", "--out", out)[0] == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_times_that_were_written_are_told(tmp_path: Path) -> None:
    def even(rows: Rows) -> Rows:
        return [(frame, place / 1000) for place, (frame, _) in enumerate(rows)]

    for command in (("info",), ("fit", "--out", tmp_path / "x.model")):
        captures = tmp_path / f"even-{command[0]}"
        status, said = run(command[0], written(captures, even), *command[1:])
        assert status == 0, said
        assert "times look written, not captured: 0.pcap (100% of gaps are 1 ms)" in said
