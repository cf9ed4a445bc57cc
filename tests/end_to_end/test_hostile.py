"""Whatever comes in, a command works, or says in one line what to do; it never spoils its input."""

import gzip
import os
import shutil
import signal
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import typer

import iotflowgen as iot
from iotflowgen.cli.console import reports_errors
from iotflowgen.files import INTERRUPTS
from iotflowgen.wire import Frames
from iotflowgen.wire.pcap import FORMATS, records_bytes
from tests.conftest import REPOSITORY
from tests.end_to_end.invoke import invoke

PLUG = sorted((REPOSITORY / "samples" / "plug").iterdir())[:3]

# what the command line makes lines of
pytestmark = pytest.mark.filterwarnings("always")


def said(*arguments: object, status: int) -> str:
    done = invoke(*arguments)
    assert done.returncode == status, done.stderr
    if status == 1:
        assert [line.startswith("error:") for line in done.stderr.splitlines()].count(True) == 1
    # boxes are drawn around errors of usage
    return " ".join(done.stderr.replace("│", " ").split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three captures."""
    for path in PLUG:
        shutil.copy(path, tmp_path)
    return tmp_path


def test_no_command_writes_over_what_it_reads(folder: Path) -> None:
    captures = sorted(folder.iterdir())
    capture, model = captures[0], folder / "m.pcap"
    assert invoke("fit", folder, "--window", 4, "--out", model).returncode == 0
    (folder / "link.pcap").symlink_to(capture)
    shutil.copy(model, folder / "m.csv")
    settings = folder / "s.toml"
    settings.write_text("order = 3\n")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for command in (
        ["fit", capture, "--out", capture],
        ["fit", folder, "--out", capture],
        ["fit", capture, "--out", folder / "link.pcap"],
        ["fit", capture, "--config", settings, "--out", settings],
        ["generate", model, "--out", model],
        ["extract", capture, folder / "m.csv", "--out", folder / "m.csv"],
        ["evaluate", "--real", capture, "--fake", model, "--out", model],
        ["evaluate", "--real", folder, "--fake", model, "--out", capture],
        ["report", settings, "--out", settings],
        ["benchmark", folder, "--out", folder],
    ):
        assert "is read, and would be written over" in said(*command, status=2)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    # a model beside the captures is none of them
    assert invoke("fit", folder, "--window", 4, "--out", folder / "a.model").returncode == 0
    assert invoke("fit", folder, "--window", 4, "--out", folder / "a.model").returncode == 0


def test_nothing_takes_the_place_of_a_device_or_a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert "cannot write" in said("fit", PLUG[0], "--out", folder / "pipe", status=1)
    assert (folder / "pipe").is_fifo()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("reach = inf", "reach: Input should be a finite number"),
        ("order = 100000", "order: Input should be less than or equal to 32"),
        ("window = 1000000000000", "cannot be meant"),
        ("a = " + "[" * 5000, "is no TOML: too many levels"),
        ("order = \xff", "is no TOML"),
    ],
)
def test_settings_that_cannot_be(folder: Path, text: str, says: str) -> None:
    settings = folder / "s.toml"
    settings.write_bytes(text.encode("latin-1"))
    out = folder / "a.model"
    assert says in said("fit", PLUG[0], "--config", settings, "--out", out, status=2)
    assert not out.exists()
    if "level" in says:
        command = ["generate", PLUG[0], "--persona", settings, "--out", folder / "a.pcap"]
        assert says in said(*command, status=2)


def test_files_that_never_end_are_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    for command in (
        ["info", folder / "pipe"],
        ["fit", folder / "pipe", "--out", folder / "a.model"],
        ["generate", folder / "pipe", "--out", folder / "a.pcap"],
        ["report", folder / "pipe", "--out", folder / "a.html"],
    ):
        assert "pipe or a device" in said(*command, status=1)
    command = ["fit", PLUG[0], "--config", folder / "pipe", "--out", folder / "a.model"]
    assert "pipe or a device" in said(*command, status=2)


def test_what_is_neither_capture_nor_model_is_named(folder: Path) -> None:
    path = folder / "a.pcap"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
    assert "is a Git LFS pointer, not the file; get it: git lfs pull" in said(
        "info", path, status=1
    )
    path.write_text("hello")
    assert "not a model" in said("info", path, status=1)


def test_results_that_are_too_deep(folder: Path) -> None:
    (folder / "r.json").write_text('{"a":' * 5000)
    command = ["report", folder / "r.json", "--out", folder / "a.html"]
    assert "is not a results file" in said(*command, status=1)


def test_what_unpacks_to_much_is_read_in_part(folder: Path) -> None:
    path = folder / "a.pcap.gz"
    # packets, and then a gigabyte of nothing in a megabyte
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(PLUG[0].read_bytes())
        for _ in range(130):
            file.write(bytes(2**20))
    assert "unpacks to more than" in said("info", path, status=0)


def test_names_that_are_no_text_go_through(folder: Path) -> None:
    name = folder / os.fsdecode(b"plug-\xff.pcapng")
    shutil.move(folder / PLUG[0].name, name)
    assert invoke("fit", folder, "--window", 4, "--out", folder / "a.model").returncode == 0
    assert invoke("info", folder / "a.model").returncode == 0
    assert invoke("info", name).returncode == 0
    assert invoke("extract", folder, "--out", folder / "a.parquet").returncode == 0


def test_an_interrupt_that_a_library_makes_an_error_of_is_one(
    capfd: pytest.CaptureFixture[str],
) -> None:
    @reports_errors
    def command() -> None:
        try:
            signal.raise_signal(INTERRUPTS[1])
        except KeyboardInterrupt as interrupt:
            raise RuntimeError("of a library") from interrupt

    with pytest.raises(typer.Exit) as stopped:
        command()
    assert stopped.value.exit_code == 128 + INTERRUPTS[1]
    assert capfd.readouterr().err.count("\n") == 1


def stun(attributes: bytes) -> bytes:
    return struct.pack("!HHI", 1, len(attributes), 0x2112A442) + bytes(range(12)) + attributes


def relayed(count: int) -> bytes:
    """Messages of STUN, each carried in the one before."""
    message = b""
    for _ in range(count):
        message = stun(struct.pack("!HH", 0x0013, len(message)) + message)
    return message


def associated(count: int) -> bytes:
    """Associations of DHCPv6, each in the one before."""
    option = b""
    for _ in range(count):
        option = struct.pack("!HH", 3, 12 + len(option)) + bytes(12) + option
    return option


LIES = {
    "a pointer of DNS to itself": (17, 53, b"\0\1\x81\x80\0\1\0\0\0\0\0\0\1a\xc0\x0c\0\1\0\1"),
    "a record of DTLS without a message": (17, 5684, b"\x16\xfe\xfd" + bytes(10)),
    "a nonce of STUN without a byte": (17, 3478, stun(b"\0\x15\0\0")),
    "STUN in STUN": (17, 3478, relayed(1500)),
    "DHCPv6 in DHCPv6": (17, 547, b"\1abc" + associated(3000)),
    "a number of a hundred digits": (6, 554, b"OPTIONS * RTSP/1.0\r\nCSeq: " + b"9" * 100),
    "a number of 6000 digits": (17, 8888, b"a text with a number in it: " + b"7" * 6000),
    "an id of MQTT behind its message": (6, 1883, b"\x32\x02\0\x01"),
    "an id of S7 behind its message": (6, 102, b"\3\0\0\x08\2\xf0\x80\x32"),
}


def talk(protocol: int, port: int, message: bytes) -> Iterator[bytes]:
    """Frames of a message that two hosts say to each other, again and again."""
    macs, ips = (b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"), (bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
    for number in range(30):
        way = number % 2
        ports = struct.pack("!HH", *((40_000, port)[:: -1 if way else 1]))
        head = ports + struct.pack("!HH", 8 + len(message), 0)
        if protocol == 6:
            head = ports + struct.pack("!IIBBHI", number * len(message), 1, 0x50, 0x18, 9000, 0)
        size = 20 + len(head) + len(message)
        ip = struct.pack("!BBHHHBBH", 0x45, 0, size, 1, 0, 64, protocol, 0)
        ends = ips[way] + ips[1 - way]
        yield macs[1 - way] + macs[way] + b"\x08\0" + ip + ends + head + message


def learnt_from(frames: list[bytes], folder: Path) -> int:
    """How many of 40 packets come out of a model of these frames."""
    form, times = FORMATS[".pcap"], np.arange(len(frames)) * 10**8
    records = records_bytes(form, times, Frames.of(frames))
    (folder / "a.pcap").write_bytes(form.header + records)
    with pytest.warns(iot.CaptureWarning):
        model = iot.fit(folder / "a.pcap", device="10.0.0.1")
    return model.generate(packets=40, seed=1).to_pcap(folder / "b.pcap").packets


@pytest.mark.parametrize("lie", LIES)
def test_messages_that_say_what_cannot_be_are_learnt_from(tmp_path: Path, lie: str) -> None:
    assert learnt_from([*talk(*LIES[lie])], tmp_path) == 40


def test_fragments_that_end_within_their_headers_are_learnt_from(tmp_path: Path) -> None:
    frames = [*talk(17, 9999, b"hello")]
    link, ends = frames[0][:12], bytes(32)
    of_ip4 = frames[0][:20] + b"\x20\0" + frames[0][22:]
    of_ip6 = link + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, 8, 44, 64) + ends + bytes(8)
    cut = [frame[:size] for frame in (of_ip4, of_ip6) for size in range(14, len(frame))]
    assert learnt_from(frames + cut, tmp_path) == 40
