"""`iotflowgen evaluate` as a user calls it, on files of any origin."""

import json
import shutil

import pyarrow as pa
import pytest
from pyarrow import parquet
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import wrpcap

import iotflowgen as iot
from tests.end_to_end.invoke import invoke
from tests.end_to_end.test_cli import PLUG, refused, run

QUICK = ("--window", 8, "--windows", 60, "--adversary", "boosting")


@pytest.fixture(scope="module")
def fakes(tmp_path_factory):
    """The same honeydata as a table and as a capture."""
    folder = tmp_path_factory.mktemp("fakes")
    model = iot.fit(PLUG, generator="markov", window=8)
    honeydata = model.generate(windows=80, start="2026-01-01")
    honeydata.to_parquet(folder / "honeydata.parquet")
    honeydata.to_csv(folder / "honeydata.csv")
    model.generate(windows=24).to_csv(folder / "few.csv")
    for suffix in ("pcap", "pcapng"):
        honeydata.to_pcap(folder / f"honeydata.{suffix}", payload="fuzz")
    return folder


def test_files_of_any_origin_under_the_papers_protocol(fakes, tmp_path):
    files = [fakes / f"honeydata.{suffix}" for suffix in ("parquet", "csv", "pcap", "pcapng")]
    captures = sorted(PLUG.glob("*.pcapng"))
    out, again = tmp_path / "results.json", tmp_path / "again.json"
    for path in (out, again):
        done = run("evaluate", "--real", *captures, "--fake", *files, *QUICK, "--out", path)
        assert done.returncode == 0, done.stderr
    assert out.read_bytes() == again.read_bytes()
    for word in ("boosting", "95 % interval", "60 windows", "50 % is guessing", "control"):
        assert word in done.stdout
    assert "attack" in done.stderr
    results = json.loads(out.read_text())
    assert results["made_with"]["synthetic_windows"] == 4 * 80
    (device,) = results["devices"]
    assert device["name"] == "plug"
    assert list(device["captures"]) == [p.name for p in captures]
    (cell,) = results["cells"]
    assert cell["adversary"] == "boosting"
    assert cell["generator"] == ", ".join(path.name for path in files)
    (attack,) = cell["attacks"]
    found = attack["detection"]
    assert cell["excess"] == pytest.approx(found["mean"] - attack["control"]["mean"], abs=1e-5)
    assert 0 <= found["interval"][0] <= found["mean"] <= found["interval"][1] <= 1
    assert f"{found['mean']:.1%}" in done.stdout
    (row,) = (line for line in done.stdout.splitlines() if "boosting" in line)
    assert row.rstrip("│ ").endswith(f"{100 * attack['excess']:+.1f}")


def test_held_out_with_every_adversary_and_fewer_windows_than_asked_for(fakes, tmp_path):
    out = tmp_path / "results.json"
    done = run(
        *("evaluate", "--real", PLUG, "--fake", fakes / "few.csv", "--protocol", "held-out"),
        *("--window", 8, "--windows", 60, "--out", out),
    )
    assert done.returncode == 0, done.stderr
    for word in ("packet-metadata", "published", "boosting", "rocket", "control", "excess"):
        assert word in done.stdout
    assert "headers is left out: " in done.stderr
    assert "24 windows of each kind are used, not 60" in done.stderr
    results = json.loads(out.read_text())
    assert [sample["windows"] for sample in results["samples"]] == [24, 24]
    assert all(sample["metrics"]["copied_share"] for sample in results["samples"])
    adversaries = [cell["adversary"] for cell in results["cells"]]
    assert adversaries == ["packet-metadata", "published", "boosting", "rocket"]
    assert all(len(cell["attacks"]) == 2 for cell in results["cells"])


def test_headers_of_captures(fakes, tmp_path):
    out, page = tmp_path / "results.json", tmp_path / "report.html"
    few = ("--window", 8, "--windows", 60)
    done = run(
        *("evaluate", "--real", PLUG, "--fake", fakes / "honeydata.pcap", *few),
        *("--protocol", "held-out", "--adversary", "headers", "--out", out),
    )
    assert done.returncode == 0, done.stderr
    (cell,) = json.loads(out.read_text())["cells"]
    assert cell["adversary"] == "headers"
    assert cell["excess"] > 0.2  # fuzzed packets
    assert run("report", out, "--out", page).returncode == 0
    assert "headers" in page.read_text()


@pytest.fixture
def rejected(tmp_path):
    """Evaluates in this process, which bad input ends before anything is learnt."""

    def evaluate(status, *words, real=(PLUG,), fake=(), more=()):
        out = tmp_path / "results.json"
        options = [
            part
            for name, files in (("--real", real), ("--fake", fake))
            if files
            for part in (name, *files)
        ]
        arguments = ["evaluate", *options, *QUICK, *more, "--out", out]
        refused(invoke(*arguments), status, *words)
        assert not out.exists()

    return evaluate


def changed(fakes, path, change):
    table = parquet.read_table(fakes / "honeydata.parquet")
    parquet.write_table(change(table), path)
    return path


def with_duration(table, value):
    durations = table["duration"].to_numpy().copy()
    durations[3] = value
    column = table.column_names.index("duration")
    return table.set_column(column, "duration", pa.array(durations))


def test_tables_that_are_none_get_one_line(fakes, tmp_path, rejected):
    path = tmp_path / "fake.parquet"
    lacking = changed(fakes, path, lambda table: table.drop_columns(["length", "tcp"]))
    rejected(1, "fake.parquet lacks the columns length, tcp", fake=[lacking])
    for value in (float("nan"), -1.0):
        strange = changed(fakes, path, lambda table, v=value: with_duration(table, v))
        rejected(1, f"duration {value} in row 3", fake=[strange])
    rejected(1, "holds no packets", fake=[changed(fakes, path, lambda table: table[:0])])
    rejected(1, "absent.csv", fake=[tmp_path / "absent.csv"])


def test_tables_have_no_headers(fakes, rejected):
    more = ["--adversary", "headers"]
    rejected(1, "few.csv", "give a pcap", fake=[fakes / "few.csv"], more=more)


def test_captures_that_are_none_get_one_line(fakes, tmp_path, rejected):
    text = tmp_path / "fake.txt"
    text.write_text("not a capture")
    good = fakes / "honeydata.pcap"
    rejected(1, "fake.txt is not a pcap", fake=[text])
    rejected(1, "fake.txt is not a pcap", real=[text], fake=[good])
    rejected(1, "absent.pcap", fake=[good, tmp_path / "absent.pcap"])
    rejected(1, "no packet comes from", fake=[good], more=["--device", "02:00:00:00:00:99"])


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_windows_shorter_than_asked_for_get_one_line(fakes, rejected, suffix):
    fake = fakes / f"honeydata.{suffix}"
    rejected(1, fake.name, "8 packets in a row", "--window 8", fake=[fake], more=["--window", 20])


def test_captures_shorter_than_a_window_get_one_line(fakes, rejected):
    good = fakes / "honeydata.pcap"
    more = ["--window", 600]
    rejected(1, "honeydata.pcap has 640 packets", fake=[good], more=["--window", 700])
    rejected(1, "smaller --window", fake=[good], more=more)


def test_one_capture_cannot_be_split(fakes, rejected):
    one = [PLUG / "plug-01.pcapng"]
    fake = [fakes / "honeydata.pcap"]
    more = ["--protocol", "held-out"]
    rejected(1, "held-out needs 4 captures", "--protocol paper", real=one, fake=fake, more=more)


def test_wrong_usage_has_status_2(fakes, rejected):
    good = [fakes / "honeydata.pcap"]
    rejected(2, "--real", real=(), fake=good)
    rejected(2, "--fake")
    known = "not one of 'packet-metadata', 'published', 'boosting', 'rocket', 'headers'"
    rejected(2, known, fake=good, more=["--adversary", "eve"])
    rejected(2, "--protocol", fake=good, more=["--protocol", "mine"])
    rejected(2, "--splits", fake=good, more=["--splits", 1])
    rejected(2, "--window", fake=good, more=["--window", 1])


def test_a_capture_that_scapy_wrote(tmp_path):
    there = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
    back = {"src": there["dst"], "dst": there["src"]}
    packets = []
    for i in range(200):
        out, other = i % 3 != 2, f"192.0.2.{1 + i // 100}"
        ip = IP(src="10.0.0.5", dst=other) if out else IP(src=other, dst="10.0.0.5")
        tcp = TCP(sport=50_000, dport=443) if out else TCP(sport=443, dport=50_000)
        packet = Ether(**(there if out else back)) / ip / tcp / Raw(bytes(i % 40))
        packet.time = 1_700_000_000 + i / 10
        packets.append(packet)
    fake, results = tmp_path / "scapy.pcap", tmp_path / "results.json"
    wrpcap(str(fake), packets)
    done = run("evaluate", "--real", PLUG, "--fake", fake, *QUICK, "--out", results)
    assert done.returncode == 0, done.stderr
    (cell,) = json.loads(results.read_text())["cells"]
    assert cell["attacks"][0]["detection"]["mean"] > 0.95


def test_a_quick_benchmark_records_a_folder_of_two_devices_and_goes_on(tmp_path):
    root, out = tmp_path / "root", tmp_path / "out"
    for device, files in (
        ("plug", sorted(PLUG.iterdir())[:6]),
        ("both", [*sorted(PLUG.iterdir())[:3], *sorted((PLUG.parent / "camera").iterdir())[:3]]),
    ):
        (root / device).mkdir(parents=True)
        for file in files:
            shutil.copy(file, root / device)
    quick = ("--generators", "replay,sessions", "--adversaries", "boosting")
    done = run("benchmark", root, *quick, "--quick", "--devices", "plug", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "sessions" in done.stdout
    done = run("benchmark", root, *quick, "--quick", "--devices", "both", "--out", out)
    found = json.loads((out / "results.json").read_text())
    assert all("take it out" in cell["error"] for cell in found["cells"])


def test_rhythm_tells_hours_of_captures_and_says_where_there_are_none(fakes, tmp_path):
    device, server = (
        Ether(src=mac, dst=to) / IP(src=ip, dst=peer)
        for mac, to, ip, peer in (
            ("02:00:00:00:00:01", "02:00:00:00:00:02", "192.168.1.9", "203.0.113.1"),
            ("02:00:00:00:00:02", "02:00:00:00:00:01", "203.0.113.1", "192.168.1.9"),
        )
    )
    asks, answers = (
        device / TCP(sport=40000, dport=8883, flags="PA") / Raw(bytes(40)),
        server / TCP(sport=8883, dport=40000, flags="PA") / Raw(bytes(60)),
    )
    paths = {period: tmp_path / f"{period}.pcap" for period in (300, 420)}
    for period, path in paths.items():
        packets = [each.copy() for _ in range(0, 60 * 3600, period) for each in (asks, answers)]
        for number, packet in enumerate(packets):
            packet.time = 1_767_225_600 + number // 2 * period + number % 2 / 50
        wrpcap(str(path), packets)
    how = {"adversaries": "rhythm", "windows": 10}
    assert iot.evaluate(paths[300], paths[420], **how).accuracy["rhythm"] > 0.95
    with pytest.raises(iot.TooShort, match="no stretch of 60 minutes"):
        iot.evaluate(PLUG, paths[300], **how)
    with pytest.raises(iot.EvaluationError, match="give a pcap"):
        iot.evaluate(paths[300], fakes / "honeydata.parquet", window=8, **how)
