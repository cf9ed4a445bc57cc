"""Whatever comes in, a command works, or says in one line what to do; it never spoils its input."""

import gzip
import os
import shutil
import signal
from pathlib import Path

import pytest
import typer

from iotflowgen.cli.console import reports_errors
from iotflowgen.files import INTERRUPTS
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
