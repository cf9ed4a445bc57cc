"""Decoys on a network of namespaces: what an observer at the switch sees."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from iotflowgen.wire import read_records
from tests.end_to_end.invoke import invoke
from tests.live.networks import run

pytestmark = pytest.mark.network

HOME = """
[network]
subnet = "192.168.20.0/24"
gateway = "192.168.20.1"
gateway_mac = "02:00:5e:10:00:01"

[[decoys]]
name = "hall"
model = "plug.model"

[[decoys]]
name = "door"
model = "camera.model"
address = "192.168.20.31"
"""
WHEN = ("--start", "2026-01-01T08:00")
ENDS = ("--near", "near0", "--far", "far0")


@pytest.fixture
def home(models):
    path = models / "home.toml"
    path.write_text(HOME)
    return path


def child(process, module):
    """The number of a process that another one has started."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_text().split("\0")
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if f"iotflowgen.live.{module}" in words and parent == process.pid:
            return int(path.name)
    raise AssertionError(f"{module} does not run")


def wait_for(process, line):
    said = ""
    while line not in said:
        more = process.stderr.readline()
        assert more, said + (process.stdout.read() or "")
        said += more
    return said


def first_of(frames):
    """The first behind the probes for the addresses of decoys."""
    is_probe = [frame[12:14] + frame[28:32] == b"\x08\x06" + bytes(4) for frame in frames]
    return is_probe.index(False)


def test_the_observer_sees_what_was_composed_and_nothing_else(network, home, tmp_path):
    observer = network.observer
    done = run(*network.live(home, *ENDS, *WHEN, "--pace", 12, "--duration", "5s", "--json"))
    assert done.returncode == 0, done.stderr
    seen = observer.watch()
    file = tmp_path / "x.pcap"
    planned = invoke("live", home, "--dry-run", *WHEN, "--duration", "60s", "-o", file)
    assert planned.returncode == 0, planned.stderr
    frames = read_records(file).frames.tolist()
    assert len(frames) > 200
    assert len({frame[6:12] for frame in seen[: first_of(seen)]}) == 2
    assert seen[first_of(seen) :] == frames
    said = json.loads(done.stdout)
    assert said["near"] + said["far"] == len(frames)
    assert said["withheld"] == {}
    assert 0 < said["lateness_ms"]["p50"] <= said["lateness_ms"]["most"]


def test_sigterm_silences_all_within_a_second_and_tells_the_lateness(network, home):
    observer = network.observer
    process = network.start(home, *ENDS, "--pace", 20)
    observer.watch(frames=20, quiet=30)
    asked = time.time()
    process.send_signal(signal.SIGTERM)
    found, said = process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM, said
    observer.watch()
    assert observer.times[-1] < asked + 1
    summary = json.loads(found)
    assert summary["stopped"]
    assert summary["near"] + summary["far"] == len(observer.times) - first_of(observer.frames)


def test_nobody_goes_on_without_who_started_them(network, home):
    observer = network.observer
    process = network.start(home, *ENDS, "--pace", 20)
    observer.watch(frames=20, quiet=30)
    others = [child(process, "emitting.process"), child(process, "ahead")]
    process.kill()
    asked = time.time()
    process.communicate(timeout=30)
    while any(Path(f"/proc/{each}").exists() for each in others):
        assert time.time() < asked + 5
        time.sleep(0.05)
    observer.watch()
    assert observer.times[-1] < asked + 1


def test_decoys_come_back_as_after_a_power_cut(network, home):
    observer = network.observer
    process = network.start(home, *ENDS, *WHEN, "--pace", 20, "--duration", "150s")
    wait_for(process, "door is on")

    def settle():
        """Watch for longer than a run takes that is not started again."""
        until = time.time() + 2.5
        observer.watch(frames=20, quiet=30)
        while time.time() < until:
            observer.watch(frames=10)

    for module in ("ahead", "emitting.process", "answering.process"):
        settle()
        os.kill(child(process, module), signal.SIGKILL)
        wait_for(process, "switched on again")
        said = wait_for(process, "door is on")
        assert "192.168.20.31" in said
    settle()
    process.send_signal(signal.SIGTERM)
    found, said = process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM, said
    assert json.loads(found)["restarts"] == 3
    frames = observer.watch()
    # DHCP's discovery is what the plug begins with, each time another one
    begins = [frame for frame in frames if frame[23:24] == b"\x11" and b"\x35\x01\x01" in frame]
    assert len({frame[46:50] for frame in begins}) >= 4


def test_who_was_stopped_goes_on_from_then_without_a_burst(network, home, tmp_path):
    observer = network.observer
    process = network.start(home, *ENDS, *WHEN, "--duration", "8s")
    observer.watch(frames=20, quiet=30)
    emitter = child(process, "emitting.process")
    os.kill(emitter, signal.SIGSTOP)
    time.sleep(3)
    os.kill(emitter, signal.SIGCONT)
    seen = observer.watch(quiet=8)
    found, said = process.communicate(timeout=30)
    assert "behind; going on from now" in said
    assert json.loads(found)["shift"] > 1
    invoke("live", home, "--dry-run", *WHEN, "--duration", "8s", "-o", tmp_path / "x.pcap")
    records = read_records(tmp_path / "x.pcap")
    assert len(seen) - first_of(seen) == len(records.frames)
    # no two are closer than they were planned: what was missed is not made up for
    planned = np.diff(records.time_ns) / 1e9
    gaps = np.diff(observer.times[first_of(seen) :])
    late = int(np.argmax(gaps))
    assert gaps[late] > 1
    assert (gaps[late + 1 :] > planned[late + 1 :] - 0.2).all()


CLOCK = """
import os, time
from pathlib import Path

real = time.time_ns
time.time_ns = lambda: real() + int(Path(os.environ["CLOCK"]).read_text())
"""


def test_a_clock_that_is_set_is_followed_and_nothing_is_late(network, home, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(CLOCK)
    clock, ledger = tmp_path / "clock", tmp_path / "ledger"
    clock.write_text("0")
    monkeypatch.setenv("CLOCK", str(clock))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    observer = network.observer
    process = network.start(home, *ENDS, "--pace", 5, "--ledger", ledger)
    observer.watch(frames=20, quiet=30)
    (tmp_path / "set").write_text(str(-3600 * 10**9))
    (tmp_path / "set").rename(clock)
    wait_for(process, "the clock was set back by 3600.0 s: decoys go on")
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    found, said = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM, said
    assert "clock" not in said
    assert json.loads(found)["shift"] == 0
    lines = [line for file in ledger.glob("*.jsonl") for line in file.read_text().splitlines()]
    flows = [*map(json.loads, lines)]
    assert min(flow["duration"] for flow in flows) >= 0
    assert {True, False} == {flow["ts"] > time.time() - 1800 for flow in flows}


def test_an_interface_that_goes_down_and_comes_back(network, home):
    observer = network.observer
    process = network.start(home, *ENDS, "--pace", 5, "--duration", "6s")
    observer.watch(frames=20, quiet=30)
    network.host.run("ip", "link", "set", "far0", "down")
    said = wait_for(process, "far0: Network is down; waiting until it is back")
    before = len(observer.watch())
    network.host.run("ip", "link", "set", "far0", "up")
    wait_for(process, "far0 is back")
    found, more = process.communicate(timeout=30)
    assert process.returncode == 0, said + more
    seen = len(observer.watch())
    sent = json.loads(found)["near"] + json.loads(found)["far"]
    assert before < seen == sent + first_of(observer.frames)


def test_what_decoys_may_not_use_is_refused_in_one_line(network, home, models):
    host = network.host
    host.run("ip", "address", "add", "192.168.20.31/24", "dev", "far0")
    host.run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "wan1")
    host.run("ip", "link", "set", "wan0", "up")
    host.run("ip", "address", "add", "10.9.9.1/24", "dev", "wan0")
    host.run("ip", "route", "add", "default", "via", "10.9.9.2")
    for words, said in (
        ([home, *ENDS], "192.168.20.31 is an address of this computer, on far0"),
        ([home, "--near", "near0", "--far", "wan0"], "wan0 has a default route"),
        ([home, "--near", "eth7", "--far", "far0"], "there is no interface eth7"),
        ([home, *ENDS, "--rate", "60000"], "60000 frames a second"),
        ([models / "none.model", *ENDS], "none.model"),
        ([models / "plug.model", *ENDS, "--ip", "8.8.8.8"], "8.8.8.8 is a public address"),
        ([models / "plug.model", "--near", "near0"], "name an interface"),
    ):
        done = run(*network.live(*words))
        assert done.returncode in (1, 2), done.stderr
        assert said in " ".join(done.stderr.replace("│", " ").split()), done.stderr
        assert "Traceback" not in done.stderr


def test_missing_rights_are_said_in_one_line(network, home):
    words = network.live(home, *ENDS)
    at = words.index(network.host.name) + 1
    dropped = ["setpriv", "--bounding-set", "-net_raw,-net_admin", "--inh-caps", "-all"]
    done = run(*words[:at], *dropped, *words[at:])
    assert done.returncode == 1
    said = "cannot use near0: Operation not permitted; run as root, or with CAP_NET_RAW"
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_who_does_not_end_when_asked_is_killed_and_not_started_again(network, home):
    observer = network.observer
    process = network.start(home, *ENDS, "--pace", 20)
    observer.watch(frames=20, quiet=30)
    os.kill(child(process, "emitting.process"), signal.SIGSTOP)
    asked = time.time()
    process.send_signal(signal.SIGTERM)
    found, said = process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM, said
    assert json.loads(found)["stopped"]
    assert "again" not in said
    observer.watch()
    assert observer.times[-1] < asked + 1
