"""Sessions written as they come: stopped, without room, or very many."""

import json
import resource
import signal
import subprocess
import time

import pytest
from pyarrow import csv, parquet

from iotflowgen.capture import read_captures
from tests.end_to_end.test_cli import COMMAND, PLUG, refused, run


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "plug.model"
    assert run("fit", PLUG, "--out", path).returncode == 0
    return path


def packets_in(path):
    if path.suffix == ".parquet":
        return parquet.read_table(path).num_rows
    if path.suffix == ".csv":
        return csv.read_csv(path).num_rows
    (trace,) = read_captures([path], cache=None)
    return len(trace)


@pytest.mark.parametrize(
    ("suffix", "interrupt"),
    [
        *((suffix, signal.SIGINT) for suffix in ("pcap", "pcapng", "parquet", "csv")),
        ("pcap", signal.SIGTERM),
    ],
)
def test_ctrl_c_and_its_like_end_the_file(tmp_path, model, suffix, interrupt):
    out = tmp_path / f"x.{suffix}"
    process = subprocess.Popen(
        [str(COMMAND), "generate", str(model), "--duration", "9000d", "--json", "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not any(path.stat().st_size > 2**16 for path in tmp_path.iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(interrupt)
        found, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + interrupt, said
    assert "Traceback" not in said
    assert "interrupted; the file is whole up to there" in said
    assert list(tmp_path.iterdir()) == [out]
    assert json.loads(found)["packets"] == packets_in(out)
    assert json.loads(found)["stopped"]


@pytest.mark.parametrize("suffix", ["pcap", "parquet"])
def test_a_file_without_room_is_one_clear_line(tmp_path, model, suffix):
    done = subprocess.run(
        [str(COMMAND), "generate", model, "--packets", "20000", "-o", tmp_path / f"x.{suffix}"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, 2**16)),
    )
    refused(done, 1, "cannot write", "File too large", "free room")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", [["--duration", "99999d"], ["--sessions", "1"]])
def test_a_time_that_no_pcap_holds_is_refused_at_once(tmp_path, model, what):
    out = tmp_path / "x.pcap"
    start = "2106-03-01" if what[0] == "--sessions" else "2026-01-01"
    done = run("generate", model, *what, "--start", start, "--out", out)
    refused(done, 1, "holds times from 1970-01-01 to 2106-02-07", "choose another --start")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "what",
    [
        ["--sessions", "1", "--start", "2400-01-01"],
        ["--sessions", "1", "--start", "1600-01-01"],
        ["--sessions", "1", "--start", "2262-04-11T23:47:16"],
        ["--duration", "2h", "--start", "2262-04-11T23:00"],
        ["--duration", "9999999999999d"],
    ],
)
def test_a_time_that_no_table_holds_is_refused(tmp_path, model, what):
    done = run("generate", model, *what, "--out", tmp_path / "x.parquet")
    refused(done, 1, "1677-09-22 or after 2262-04-11 is possible", "choose another --start")
    assert list(tmp_path.iterdir()) == []
