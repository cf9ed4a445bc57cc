"""What was fake is known to who runs the network, flow by flow, and can be left out."""

import json
import shutil
import time

import numpy as np
import pytest

from iotflowgen.capture import CaptureWarning
from iotflowgen.live import Composer, Home, Network, without_fakes
from iotflowgen.live.emitting.flows import Flows
from iotflowgen.live.ledger import Ledger
from iotflowgen.wire import Frames, read_records
from iotflowgen.wire.pcap import FORMATS, records_bytes
from tests.end_to_end.invoke import invoke
from tests.live.networks import run

START_NS = 1_767_225_600 * 10**9
CLIENT, SERVER = bytes([192, 168, 20, 31]), bytes([203, 0, 113, 9])


def segment(far, flags, payload=b""):
    ends = (SERVER, CLIENT) if far else (CLIENT, SERVER)
    ports = b"\x01\xbb\xc0\0" if far else b"\xc0\0\x01\xbb"
    tcp = ports + bytes(8) + bytes([5 << 4, flags]) + bytes(6) + payload
    header = b"\x45\0" + (20 + len(tcp)).to_bytes(2) + bytes(5) + b"\x06\0\0" + b"".join(ends)
    return bytes(12) + b"\x08\0" + header + tcp


FIN, SYN, RST, ACK = 1, 2, 4, 16
OPENED = [(False, SYN), (True, SYN | ACK), (False, ACK)]


@pytest.mark.parametrize(
    ("segments", "state"),
    [
        ([(False, SYN)], "S0"),
        ([(False, SYN), (True, RST | ACK)], "REJ"),
        ([(False, SYN), (False, RST)], "RSTOS0"),
        (OPENED, "S1"),
        ([*OPENED, (False, FIN | ACK), (True, FIN | ACK)], "SF"),
        ([*OPENED, (False, FIN | ACK)], "S2"),
        ([*OPENED, (True, FIN | ACK)], "S3"),
        ([*OPENED, (False, RST)], "RSTO"),
        ([*OPENED, (True, RST)], "RSTR"),
        ([(True, ACK)], "OTH"),
    ],
)
def test_connections_went_as_zeek_says_it(tmp_path, segments, state):
    flows = Flows()
    for i, (far, flags) in enumerate(segments):
        flows.add(0, far, segment(far, flags, b"abc" if i == 2 else b""), START_NS + i * 10**9)
    ledger = Ledger(tmp_path, ["hall"], print)
    # told in pieces, as they are sent
    ledger.add(flows.take(), START_NS)
    ledger.close()
    (record,) = map(json.loads, (tmp_path / "2026-01-01.jsonl").read_text().splitlines())
    assert record["conn_state"] == state
    assert record["decoy"] == "hall"
    assert record["duration"] == len(segments) - 1
    ends = (record["id.orig_h"], record["id.orig_p"], record["id.resp_h"], record["id.resp_p"])
    first = ("192.168.20.31", 49152), ("203.0.113.9", 443)
    assert ends == (*first[segments[0][0]], *first[not segments[0][0]])
    if segments[:3] == OPENED:
        assert (record["orig_bytes"], record["resp_bytes"]) == (3, 0)
        assert record["orig_ip_bytes"] == 40 * record["orig_pkts"] + 3


def test_a_flow_that_is_silent_for_long_has_ended(tmp_path):
    ledger, flows = Ledger(tmp_path, ["hall"], print), Flows()
    for minute in (0, 1, 20):
        flows.add(0, False, segment(False, ACK), START_NS + minute * 60 * 10**9)
        ledger.add(flows.take(), START_NS + minute * 60 * 10**9)
    lines = (tmp_path / "2026-01-01.jsonl").read_text().splitlines()
    assert [json.loads(line)["orig_pkts"] for line in lines] == [2]
    ledger.close()
    assert len((tmp_path / "2026-01-01.jsonl").read_text().splitlines()) == 2


def test_a_full_disk_loses_nothing(tmp_path):
    said = []
    ledger, flows = Ledger(tmp_path / "full", ["hall"], said.append), Flows()
    flows.add(0, False, segment(False, SYN), START_NS)
    (tmp_path / "full").rmdir()
    for _ in range(2):
        ledger.add(flows.take(), START_NS + 10**12)
    assert len(said) == 1
    assert "cannot write" in said[0]
    assert "flows wait until that works" in said[0]
    (tmp_path / "full").mkdir()
    ledger.close()
    assert len((tmp_path / "full" / "2026-01-01.jsonl").read_text().splitlines()) == 1


@pytest.fixture
def disk(tmp_path):
    """A folder on a disk of 128 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if run("mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder).returncode:
        pytest.skip("no right to mount")
    yield folder
    run("umount", "--lazy", folder)


def test_a_disk_that_is_full_for_a_while_has_every_line_once(disk):
    said, ports = [], range(1000, 1100)
    ledger, flows = Ledger(disk / "ledger", ["hall"], said.append), Flows()
    filler = disk / "filler"
    filler.write_bytes(bytes(116 * 1024))
    for i, port in enumerate(ports):
        frame = segment(False, SYN)
        flows.add(0, False, frame[:34] + port.to_bytes(2) + frame[36:], START_NS)
        ledger.add(flows.take(), START_NS + (400 + 6 * i) * 10**9)
        ledger.happens("hall", f"event-{port}", START_NS)
        if port == 1050:
            assert "No space left on device; flows wait until that works" in said[0]
            assert len(said) == 1
            filler.unlink()
    ledger.close()
    assert len(said) == 1
    found = [*map(json.loads, (disk / "ledger" / "2026-01-01.jsonl").read_text().splitlines())]
    assert sorted(each["id.orig_p"] for each in found) == [*ports]
    zeek = (disk / "ledger" / "conn.2026-01-01.log").read_text().splitlines()
    assert len([line for line in zeek if not line.startswith("#")]) == len(ports)
    events = (disk / "ledger" / "events.2026-01-01.csv").read_text().splitlines()
    assert [*events] == ["time,event,device", *events[1:]]
    assert [line.split(",")[1] for line in events[1:]] == [f"event-{port}" for port in ports]


def test_what_there_is_no_room_for_at_the_end_is_told(tmp_path):
    said = []
    ledger, flows = Ledger(tmp_path / "gone", ["hall"], said.append), Flows()
    flows.add(0, False, segment(False, SYN), START_NS)
    ledger.add(flows.take(), START_NS)
    (tmp_path / "gone").rmdir()
    ledger.close()
    assert "there was no room for 2 lines of the ledger" in said[-1]


def test_a_flow_while_the_clock_is_set_back_is_two(tmp_path):
    ledger, flows = Ledger(tmp_path, ["hall"], print), Flows()
    for second in (3600, 3601, 0, 1):
        flows.add(0, False, segment(False, ACK), START_NS + second * 10**9)
        if second == 3601:
            ledger.add(flows.take(), START_NS + second * 10**9)
            flows.add(0, False, segment(False, ACK), START_NS + 3602 * 10**9)
    ledger.add(flows.take(), START_NS + 10**9)
    ledger.close()
    found = [*map(json.loads, (tmp_path / "2026-01-01.jsonl").read_text().splitlines())]
    spans = sorted((each["ts"] - START_NS / 1e9, each["duration"]) for each in found)
    assert spans == [(0, 1), (3600, 2)]


def test_a_capture_without_fakes_has_all_else(tmp_path, models):
    network = Network(subnet="192.168.20.0/24", gateway="192.168.20.1")
    home = Home(network=network, decoys=[{"name": "hall", "model": models / "plug.model"}])
    composer = Composer(home)
    composer.switch_on(START_NS)
    stretch = composer.until(START_NS + 60 * 10**9)
    ledger, flows = Ledger(tmp_path / "ledger", ["hall"], print), Flows()
    frames = stretch.frames.tolist()
    for far, frame, time_ns in zip(stretch.far, frames, stretch.time_ns.tolist(), strict=True):
        flows.add(0, bool(far), frame, time_ns)
    ledger.add(flows.take(), START_NS)
    ledger.close()
    # a scan of the decoy with its answer, and the same flow as a fake one, but a day later
    real = [segment(True, SYN), segment(False, RST | ACK), frames[-1]]
    times = [*stretch.time_ns.tolist(), *([START_NS + 70 * 10**9] * 2), START_NS + 86_400 * 10**9]
    pcap, out = FORMATS[".pcap"], tmp_path / "without.pcap"
    mixed = Frames.of(frames + real)
    records = records_bytes(pcap, np.array(times), mixed)
    (tmp_path / "all.pcap").write_bytes(pcap.header + records)
    found = without_fakes(tmp_path / "all.pcap", [tmp_path / "ledger"], out)
    assert found["fake"] == len(frames)
    assert read_records(out).frames.tolist() == real
    told = invoke("ledger", tmp_path / "all.pcap", tmp_path / "ledger", "--json")
    assert json.loads(told.stdout)["fake"] == len(frames)


def test_what_is_no_ledger_is_said_in_one_line(tmp_path, models):
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "deep.jsonl").write_text("[" * 5000)
    (tmp_path / "never.jsonl").write_text('{"ts": Infinity, "end": 1, "key": ""}\n')
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.pcap").write_bytes(FORMATS[".pcap"].header)
    for path, said in (
        *((name, "no ledger of") for name in ("x.jsonl", "deep.jsonl", "never.jsonl")),
        *(("none", "cannot read"), ("empty", "no flow")),
    ):
        done = invoke("ledger", tmp_path / "x.pcap", tmp_path / path)
        assert done.returncode == 1
        assert said in done.stderr


def test_packets_that_were_captured_in_part_stay_so(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"ts": 1, "end": 2, "key": "00"}\n')
    pcap, out = FORMATS[".pcap"], tmp_path / "out.pcap"
    frames = [segment(True, SYN)[:size] for size in (5, 20, 30, 54)]
    whole = np.full(len(frames), 54)
    times = np.full(len(frames), START_NS)
    records = records_bytes(pcap, times, Frames.of(frames), length=whole)
    (tmp_path / "a.pcap").write_bytes(pcap.header + records + b"cut")
    with pytest.warns(CaptureWarning, match="cut short"):
        found = without_fakes(tmp_path / "a.pcap", [tmp_path / "a.jsonl"], out)
    assert (found["packets"], found["fake"]) == (4, 0)
    left = read_records(out)
    assert left.frames.tolist() == frames
    assert left.length.tolist() == whole.tolist()


HOME = """
[network]
subnet = "192.168.20.0/24"
gateway = "192.168.20.1"
gateway_mac = "02:00:5e:10:00:01"
[[decoys]]
name = "hall"
model = "plug.model"
address = "192.168.20.30"
[[decoys]]
name = "door"
model = "camera.model"
address = "192.168.20.31"
"""


@pytest.mark.network
@pytest.mark.skipif(not shutil.which("arping"), reason="arping is not installed")
def test_decoys_that_run_are_asked_paused_and_stopped(network, models, tmp_path):
    path, folder, socket = models / "asked.toml", tmp_path / "ledger", tmp_path / "live.sock"
    path.write_text(HOME)
    observer = network.observer
    asker = network.namespace("asker")
    network.plug_in(asker, "ask0")
    asker.run("ip", "address", "add", "192.168.20.77/24", "dev", "ask0")
    ends = ("--near", "near0", "--far", "far0", "--ledger", folder)
    process = network.start(path, *ends, "--pace", 10)
    observer.watch(frames=200, quiet=30)

    def ask(*words):
        done = invoke("live", *words, "--socket", socket, "--json")
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    def answers(address):
        return asker.run("arping", "-c", 2, "-I", "ask0", address, check=False).returncode == 0

    status = ask("status")
    assert status["decoys"] == {"hall": "on", "door": "on"}
    # ARP may be an answer, which is no traffic of the decoys' own
    own = [frame for frame in observer.frames if frame[12:14] != b"\x08\x06"]
    assert status["near"] + status["far"] >= len(own) > 100
    assert ask("pause", "door")["decoys"] == {"hall": "on", "door": "silent"}
    time.sleep(0.2)
    before = len(observer.watch(quiet=0.2))
    observer.watch(frames=60, quiet=30)
    door = bytes([192, 168, 20, 31])
    assert not any(door in frame[26:38] for frame in observer.frames[before:])
    assert not answers("192.168.20.31")
    assert answers("192.168.20.30")
    assert ask("resume", "door")["decoys"] == {"hall": "on", "door": "on"}
    assert "no decoy cellar" in ask("pause", "cellar")
    # somebody else turns up with the address of a decoy
    asker.run("ip", "address", "add", "192.168.20.30/24", "dev", "ask0")
    asker.run(
        "arping", "-U", "-c", 1, "-S", "192.168.20.30", "-I", "ask0", "192.168.20.30", check=False
    )
    deadline = time.monotonic() + 10
    while ask("status")["decoys"]["hall"] == "on":
        assert time.monotonic() < deadline
    assert "stopping" in ask("stop")
    _, said = process.communicate(timeout=10)
    assert "hall falls silent" in said
    assert "has its address, too" in said
    assert "no decoys are asked at" in ask("status")
    # the observer's capture without what is fake: the scan, and its answers
    times = FORMATS[".pcap"]
    at = (np.array(observer.times) * 1e9).astype("int64")
    (tmp_path / "seen.pcap").write_bytes(
        times.header + records_bytes(times, at, Frames.of(observer.frames))
    )
    found = without_fakes(tmp_path / "seen.pcap", [folder], tmp_path / "real.pcap")
    real = read_records(tmp_path / "real.pcap").frames.tolist()
    assert found["fake"] >= 200
    assert len(real) == found["packets"] - found["fake"]
    assert all(frame[12:14] in (b"\x08\x06", b"\x86\xdd") for frame in real)
    logs = "".join(path.read_text() for path in folder.glob("conn.*.log"))
    assert "#fields\tts\tuid\tid.orig_h" in logs
    assert run("ls", folder).stdout
