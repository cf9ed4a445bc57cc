"""The command line as installed: what a user types, and what comes back."""

import json
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyarrow.csv import read_csv
from pyarrow.parquet import read_table as read_parquet
from typer.testing import CliRunner

import iotflowgen as iot
from iotflowgen.cli.app import app
from tests.conftest import REPOSITORY
from tests.end_to_end.invoke import invoke
from tests.small import SMALL

COMMAND = Path(sys.executable).parent / "iotflowgen"
PLUG = REPOSITORY / "samples" / "plug"


def run(*arguments, env=None, cwd=None, timeout=120):
    return subprocess.run(
        [str(COMMAND), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "COLUMNS": "200", **(env or {})},
        cwd=cwd,
        check=False,
    )


def refused(done, status, *words):
    """One clear line, the right status."""
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert status == 2 or len(lines) == 1, done.stderr
    for word in words:
        assert word in " ".join(done.stderr.split())


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """The small settings as the TOML that a user would write."""
    path = tmp_path_factory.mktemp("settings") / "small.toml"
    small = {**SMALL["iotflow"].model_dump(exclude_unset=True), "window": 8}

    def lines(table, prefix=""):
        for key, value in table.items():
            if not isinstance(value, dict):
                yield f"{key} = {json.dumps(value)}"
        for key, value in table.items():
            if isinstance(value, dict):
                yield f"[{prefix}{key}]"
                yield from lines(value, f"{prefix}{key}.")

    path.write_text("\n".join(lines(small)) + "\n")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory, settings):
    path = tmp_path_factory.mktemp("model") / "plug.model"
    done = run("fit", PLUG, "--generator", "iotflow", "--config", settings, "--out", path)
    assert done.returncode == 0, done.stderr
    return path


@pytest.mark.parametrize("suffix", ["pcap", "pcapng", "parquet", "csv"])
def test_captures_to_a_model_to_honeydata_and_back(model, tmp_path, suffix):
    out = tmp_path / f"honeydata.{suffix}"
    again = tmp_path / f"again.{suffix}"
    for path in (out, again):
        done = run("generate", model, "-n", 30, "--start", "2026-01-01", "--out", path)
        assert done.returncode == 0, done.stderr
        assert str(path) in done.stdout
        assert "240" in done.stdout
    assert out.read_bytes() == again.read_bytes()
    if suffix.startswith("pcap"):
        done = run("extract", out, "--out", tmp_path / "packets.csv")
        assert done.returncode == 0, done.stderr
        assert "240 packets of 1 capture in" in done.stderr
        tables = (tmp_path / "packets.csv").read_text().splitlines()
        assert len(tables) == 241


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    path = tmp_path_factory.mktemp("chain") / "plug.model"
    done = run("fit", PLUG, "--generator", "markov", "--out", path)
    assert done.returncode == 0, done.stderr
    return path


def test_packets_show_the_persona_that_is_asked_for(chain, tmp_path):
    out = tmp_path / "honeydata.pcap"
    persona = ("--mac", "02-11-22-33-44-55", "--ip", "10.20.30.40", "--gateway", "10.20.30.1")
    done = run("generate", chain, "-n", 20, *persona, "--out", out)
    assert done.returncode == 0, done.stderr
    shown = run("info", out).stdout
    assert "10.20.30.40, 02:11:22:33:44:55" in shown
    assert bytes.fromhex("5ecf7f513f2a") not in out.read_bytes()


def test_a_persona_comes_from_a_file_and_flags_go_before_it(chain, tmp_path):
    out, persona = tmp_path / "honeydata.pcap", tmp_path / "persona.toml"
    persona.write_text(
        'mac = "02:11:22:33:44:55"\nip = "10.20.30.40"\nstart = 2026-01-01T08:00:00+01:00\n'
    )
    done = run("generate", chain, "-n", 20, "--persona", persona, "--ip", "10.9.8.7", "--out", out)
    assert done.returncode == 0, done.stderr
    shown = run("info", out).stdout
    assert "10.9.8.7, 02:11:22:33:44:55" in shown
    assert seconds(out)[0] == 1_767_250_800


def seconds(capture):
    """Since the epoch, of each packet."""
    command = ["tshark", "-r", str(capture), "-T", "fields", "-e", "frame.time_epoch"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(line) for line in done.stdout.split()]


@pytest.mark.parametrize("suffix", ["pcap", "pcapng", "parquet", "csv"])
def test_every_format_starts_when_it_is_told_to(sessions, tmp_path, suffix):
    out = tmp_path / f"honeydata.{suffix}"
    options = ("--sessions", 1, "--start", "2026-01-01T08:00")
    assert run("generate", sessions, *options, "--out", out).returncode == 0
    if suffix.startswith("pcap"):
        begin = seconds(out)[0]
    else:
        read = read_parquet if suffix == "parquet" else read_csv
        begin = read(out)["time_ns"][0].as_py() / 1e9
    assert begin == 1_767_254_400


def test_start_may_be_now(sessions, tmp_path):
    out = tmp_path / "honeydata.csv"
    run("generate", sessions, "--packets", 5, "--start", "now", "--out", out)
    assert 0 <= time.time() - read_csv(out)["time_ns"][0].as_py() / 1e9 < 120


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = "plug"', ("'name' is none of", "mac, ip, ip6, gateway, start")),
        ('ip = "10.0.0.300"', ("ip: 10.0.0.300 is no IPv4 address",)),
        ("mac = 5", ("mac: 5 is no MAC address",)),
        ("start = 08:00:00", ("start: 08:00:00 is no time such as",)),
        ("mac = 02:11", ("is no TOML",)),
        (None, ("cannot read", "No such file")),
    ],
)
def test_a_persona_file_that_cannot_be_gets_one_line(chain, tmp_path, text, words):
    persona = tmp_path / "persona.toml"
    if text is not None:
        persona.write_text(text)
    done = invoke("generate", chain, "-n", 5, "--persona", persona, "--out", tmp_path / "x.pcap")
    refused(done, 2, "--persona", *words)


def test_packets_are_fuzzed_or_keep_their_identifiers_on_request(chain, tmp_path):
    fuzzed, kept, model = (tmp_path / name for name in ("a.pcap", "b.pcap", "plug.model"))
    assert run("generate", chain, "-n", 5, "--payload", "fuzz", "--out", fuzzed).returncode == 0
    iot.fit(PLUG, generator="markov", keep_identifiers=True).save(model)
    assert run("generate", model, "-n", 5, "--keep-identifiers", "--out", kept).returncode == 0
    own = bytes.fromhex("5ecf7f513f2a")
    assert own not in fuzzed.read_bytes()
    assert own in kept.read_bytes()


def test_a_model_is_its_owners_and_names_neither_home_nor_captures(chain):
    assert stat.S_IMODE(chain.stat().st_mode) == 0o600
    held = chain.read_bytes()
    for known in (bytes.fromhex("5ecf7f513f2a"), b"5e:cf:7f:51:3f:2a", b"plug-01", b"3f2a"):
        assert known not in held


@pytest.mark.parametrize(
    "options",
    [
        ("--mac", "01:02:03:04:05:06"),  # a group's
        ("--ip", "10.0.0.300"),
        ("--ip", "224.0.0.1"),
        ("--ip", "10.0.0.3", "--gateway", "10.0.0.3"),
        ("--ip", "10.0.0.3", "--gateway", "10.0.1.1"),
        ("--gateway", "fe80::1"),
        ("--ip", "10.0.0.3", "--payload", "fuzz"),
        ("--ip", "10.0.0.3", "--keep-identifiers"),
    ],
)
def test_a_persona_that_cannot_be_is_refused(chain, tmp_path, options):
    done = invoke("generate", chain, "-n", 5, *options, "--out", tmp_path / "honeydata.pcap")
    refused(done, 2, options[0])


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    path = tmp_path_factory.mktemp("sessions") / "plug.model"
    done = run("fit", PLUG, "--out", path)
    assert done.returncode == 0, done.stderr
    return path


@pytest.mark.parametrize(
    "amount", [("--sessions", "3"), ("--packets", "700"), ("--duration", "5m")], ids="-".join
)
def test_sessions_are_written_as_captures_and_as_tables(sessions, tmp_path, amount):
    for name in ("honeydata.pcap", "again.pcap", "honeydata.csv"):
        done = run("generate", sessions, *amount, "--start", "2026-01-01", "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    capture = tmp_path / "honeydata.pcap"
    assert capture.read_bytes() == (tmp_path / "again.pcap").read_bytes()
    rows = [line.split(",") for line in (tmp_path / "honeydata.csv").read_text().splitlines()[1:]]
    assert len({row[0] for row in rows}) == (3 if amount[0] == "--sessions" else 1)
    seconds = sum(float(row[2]) for row in rows)
    if amount[0] == "--packets":
        assert len(rows) == 700
    if amount[0] == "--duration":
        assert 200 < seconds <= 300
    done = run("extract", capture, "--out", tmp_path / "packets.csv")
    assert f"{len(rows)} packets of 1 capture in" in done.stderr


def test_how_much_is_said_once_and_of_a_model_that_has_it(sessions, chain, tmp_path):
    out = tmp_path / "honeydata.pcap"
    refused(invoke("generate", sessions, "-n", 1, "--sessions", 1, "--out", out), 2, "how much")
    refused(invoke("generate", chain, "--sessions", 1, "--out", out), 2, "markov", "--windows")
    refused(invoke("generate", chain, "--out", out), 2, "markov", "--windows")
    refused(invoke("generate", sessions, "--duration", "5 weeks", "--out", out), 2, "24h")


def test_without_an_amount_it_is_one_session(sessions, tmp_path):
    start = ("--start", "2026-01-01", "--seed", 4)
    for name, amount in (("a.pcap", ()), ("b.pcap", ("--sessions", 1))):
        assert invoke("generate", sessions, *amount, *start, "-o", tmp_path / name).returncode == 0
    assert (tmp_path / "a.pcap").read_bytes() == (tmp_path / "b.pcap").read_bytes()


def test_a_summary_for_a_person_and_the_same_for_a_program(sessions, tmp_path):
    def both(*command):
        return invoke(*command).stdout, json.loads(invoke(*command, "--json").stdout)

    model, out = tmp_path / "x.model", tmp_path / "x.pcap"
    table, found = both("fit", PLUG, "--out", model)
    assert (found["captures"], found["packets"]) == (16, 2237)
    assert f"next: {found['next']}" in table
    assert found["next"].startswith(f"iotflowgen generate {model}")
    for word in ("2,237", str(model)):
        assert word in table
    persona = ("--ip", "10.20.30.40", "--start", "2026-01-01")
    table, found = both("generate", sessions, "--sessions", 2, *persona, "--out", out)
    assert found["file"] == str(out)
    assert found["first"] == "2026-01-01T00:00:00Z"
    for word in ("10.20.30.40", found["mac"], f"{found['packets']:,}", found["last"], str(out)):
        assert word in table


def test_no_address_is_taken_for_an_emoji(sessions, tmp_path):
    mac = "02:ab:cd:00:ab:cd"
    said = invoke("generate", sessions, "--mac", mac, "--json", "-o", tmp_path / "x.pcap").stdout
    assert json.loads(said)["mac"] == mac


def test_another_seed_gives_other_honeydata(chain, tmp_path):
    for seed in (1, 2):
        run("generate", chain, "-n", 5, "--seed", seed, "--out", tmp_path / f"{seed}.csv")
    assert (tmp_path / "1.csv").read_text() != (tmp_path / "2.csv").read_text()


def test_info_says_what_a_model_and_captures_hold(model):
    done = run("info", model)
    assert done.returncode == 0, done.stderr
    words = ["iotflow", "16 with 2237 packets", "reconstruction", "rollouts"]
    words += ["packets kept", "drawn for all that were recognised", "names looked up"]
    words += ["--windows 500"]
    for word in words:
        assert word in done.stdout
    assert "5e:cf:7f:51:3f:2a" not in done.stdout
    done = run("info", PLUG)
    assert "2237" in done.stdout
    assert "192.168.31.138, 5e:cf:7f:51:3f:2a" in done.stdout


def test_a_second_extract_by_tshark_starts_at_once_from_the_cache(tmp_path):
    counting = tmp_path / "bin" / "tshark"
    counting.parent.mkdir()
    starts = tmp_path / "starts"
    counting.write_text(f'#!/bin/sh\necho >> {starts}\nexec {shutil.which("tshark")} "$@"\n')
    counting.chmod(0o755)
    env = {
        "IOTFLOWGEN_CACHE": str(tmp_path / "cache"),
        "PATH": f"{counting.parent}:{os.environ['PATH']}",
    }
    tables = [tmp_path / "first.parquet", tmp_path / "second.parquet"]
    for table in tables:
        done = run("extract", PLUG, "--dissector", "tshark", "--out", table, env=env)
        assert done.returncode == 0, done.stderr
        assert len(starts.read_text().splitlines()) == 16
    assert tables[0].read_bytes() == tables[1].read_bytes()
    # without it there is neither tshark nor cache, and the same comes out
    done = run("extract", PLUG, "--out", tables[1], env={"PATH": "", "IOTFLOWGEN_CACHE": "/dev"})
    assert done.returncode == 0, done.stderr
    assert tables[0].read_bytes() == tables[1].read_bytes()


def test_the_demo_goes_the_whole_way(tmp_path, settings):
    folder = tmp_path / "demo"
    done = run("demo", "--config", settings, "--out", folder, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    for word in (
        "2237 packets",
        "64 sessions",
        "signatures",
        "500 windows of 8",
        "50% is guessing",
    ):
        assert word in done.stdout
    written = sorted(path.name for path in folder.iterdir())
    assert written == ["iotflow.model", "sessions.model", "sessions.pcap", "windows.parquet"]
    for name in written:
        assert str(folder / name) in done.stdout
    assert f"tshark -r {folder / 'sessions.pcap'}" in done.stdout
    assert f"{COMMAND} fit CAPTURES --out my.model" in done.stdout
    # the model is one that generate takes, and the packets are the device's, not fuzzed
    again = run("generate", folder / "sessions.model", "--sessions", 1, "-o", tmp_path / "x.pcap")
    assert again.returncode == 0, again.stderr
    assert b"time\x0abrightplug" in (folder / "sessions.pcap").read_bytes()
    refused(run("demo", cwd=tmp_path), 1, "--samples")


@pytest.mark.parametrize(
    "command",
    ["info", "fit", "generate", "evaluate", "report", "extract", "benchmark", "demo"],
)
def test_help_has_examples_that_can_be_copied(command):
    done = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "80"})
    assert done.exit_code == 0
    lines = [line.strip() for line in done.stdout.splitlines()]
    examples = [line for line in lines if line.startswith(f"iotflowgen {command}")]
    assert examples
    said = lines[lines.index("Examples:") :]
    first = said.index(examples[0])
    # one a line, and no line goes on in the next
    assert said[first : first + len(examples) + 1] == [*examples, ""]
    for example in examples:
        parsed = CliRunner().invoke(app, [*shlex.split(example)[1:], "--help"])
        assert parsed.exit_code == 0


def test_version():
    assert run("--version").stdout.startswith("iotflowgen ")


def test_options_are_in_groups_and_choices_are_choices():
    words = invoke("generate", "--help").stdout
    places = [words.index(f"─ {panel} ─") for panel in ("How much", "Who", "When")]
    assert places == sorted(places)
    for command, names in (("fit", ("sessions", "iotflow")), ("evaluate", ("boosting", "headers"))):
        said = invoke(command, "--help").stdout
        assert all(re.search(rf"[|<\[]{name}[|>\]]", said) for name in names)


def test_bad_captures_get_one_line(tmp_path):
    out = tmp_path / "out.parquet"
    refused(run("extract", tmp_path / "absent.pcap", "-o", out), 1, "absent.pcap")
    (tmp_path / "empty.pcap").touch()
    refused(run("extract", tmp_path / "empty.pcap", "-o", out), 1, "empty.pcap")
    (tmp_path / "text.pcap").write_text("not a capture")
    refused(run("extract", tmp_path / "text.pcap", "-o", out), 1, "text.pcap")
    refused(run("extract", PLUG, "--device", "02:00:00:00:00:99", "-o", out), 1, "99")
    refused(run("extract", PLUG, "--device", "a plug", "-o", out), 1, "a plug")
    refused(
        run(
            *("extract", PLUG, "--dissector", "tshark", "-o", out),
            env={"PATH": "", "IOTFLOWGEN_CACHE": str(tmp_path / "c")},
        ),
        1,
        "tshark",
        "install",
    )
    assert not out.exists()


def test_bad_settings_get_one_line_and_status_2(tmp_path, model):
    out = tmp_path / "out.model"
    config = tmp_path / "config.toml"
    learn = ("fit", PLUG, "--generator", "iotflow")
    config.write_text("[seqgan]\nrouns = 3\n")
    refused(invoke(*learn, "--config", config, "-o", out), 2, "seqgan.rouns")
    config.write_text("ordr = 3\n")
    refused(invoke("fit", PLUG, "--config", config, "-o", out), 2, "none of: ", "order")
    config.write_text("[seqgan\n")
    refused(invoke(*learn, "--config", config, "-o", out), 2, "is no TOML")
    refused(invoke(*learn, "--config", tmp_path / "absent", "-o", out), 2, "cannot read")
    config.write_text("[vq_stae]\nheads = 5\n")
    refused(invoke(*learn, "--config", config, "-o", out), 2, "does not divide")
    refused(invoke("fit", PLUG, "--generator", "nonesuch", "-o", out), 2, "not one of", "iotflow")
    refused(invoke("fit", PLUG), 2, "--out")
    refused(invoke("generate", model, "-n", 5, "-o", tmp_path / "out.txt"), 2, ".pcapng")
    refused(invoke("generate", model, "-n", 0, "-o", tmp_path / "out.csv"), 2, "--windows")
    refused(invoke("generate", model, "-n", 5, "-o", "x.csv", "--start", "soon"), 2, "--start")
    assert not out.exists()


def test_brackets_in_names_are_shown(tmp_path, model):
    out = tmp_path / "plug[office].csv"
    done = run("generate", model, "-n", 2, "-o", out)
    assert str(out) in done.stdout


def test_bad_models_and_places_get_one_line(tmp_path, model):
    broken = tmp_path / "broken.model"
    broken.write_bytes(model.read_bytes()[:5000])
    refused(invoke("generate", broken, "-n", 5, "-o", tmp_path / "x.csv"), 1, "fit it again")
    refused(invoke("info", broken), 1, "fit it again")
    refused(
        invoke("generate", PLUG, "-n", 5, "-o", tmp_path / "x.csv"), 1, "is not a model; make one"
    )
    for window, status, says in ((300, 1, "smaller --window"), (10**20, 2, "for --window")):
        done = invoke("fit", PLUG, "--window", window, "-o", tmp_path / "x.model")
        refused(done, status, says)
    refused(invoke("fit", PLUG, "-o", tmp_path), 2, "is a folder")
    (tmp_path / "file").touch()
    refused(
        invoke("generate", model, "-n", 5, "-o", tmp_path / "file" / "x.csv"), 1, "cannot write"
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.model", "file"]


def test_a_full_disk_gets_one_line(model, settings, tmp_path):
    """A file system of 16 kilobytes stands in for a full disk; needs root."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a small file system")
    try:
        commands = [
            ("generate", model, "-n", 400, "-o", small / f"x.{suffix}")
            for suffix in ("pcap", "parquet", "csv")
        ]
        learn = ("fit", PLUG, "--generator", "iotflow", "--config", settings)
        for command in [*commands, (*learn, "-o", small / "x.model")]:
            refused(run(*command), 1, "cannot write", "No space left")
            assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.parametrize("command", ["fit", "generate"])
def test_ctrl_c_leaves_no_file(tmp_path, model, settings, command):
    out = tmp_path / ("x.model" if command == "fit" else "x.pcap")
    arguments = {
        "fit": ["fit", PLUG, "--generator", "iotflow", "--out", out],
        "generate": ["generate", model, "-n", "200000", "--out", out],
    }[command]
    with subprocess.Popen(
        [str(COMMAND), *map(str, arguments)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            # the first line of a stage says that work has begun
            while "..." not in (line := process.stderr.readline()):
                assert line, "ended before it began"
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            _, rest = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "interrupted" in rest
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []
