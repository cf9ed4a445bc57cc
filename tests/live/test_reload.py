"""Another home while decoys run: who stays goes on as if nothing had been, others go and come."""

import json
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from iotflowgen.errors import ArgumentError
from iotflowgen.live import Composer, Decoy, Home, Network
from iotflowgen.wire import read_records
from tests.end_to_end.invoke import invoke
from tests.live.networks import run
from tests.live.test_leasing import router  # noqa: F401 - a fixture
from tests.live.test_network import ENDS, WHEN, wait_for

START_NS = 1_767_225_600 * 10**9
NETWORK = """
[network]
subnet = "192.168.20.0/24"
gateway = "192.168.20.1"
gateway_mac = "02:00:5e:10:00:01"
"""


def decoy(name, model, **how):
    said = "\n".join(f"{key} = {json.dumps(value)}" for key, value in how.items())
    return f'[[decoys]]\nname = "{name}"\nmodel = "{model}.model"\n{said}\n'


HALL = decoy("hall", "plug", address="192.168.20.30", mac="02:11:22:33:44:30")
DOOR = decoy("door", "camera", address="192.168.20.31", mac="02:11:22:33:44:31")
DESK = decoy("desk", "plug", address="192.168.20.32", mac="02:11:22:33:44:32")


def of(frames, last):
    """Frames to and from a decoy, by the last byte of its MAC address, but for probes."""
    mac = bytes.fromhex("0211223344") + bytes.fromhex(last)
    own = [frame for frame in frames if mac in (frame[:6], frame[6:12])]
    return [frame for frame in own if frame[12:14] + frame[28:32] != b"\x08\x06" + bytes(4)]


@pytest.fixture
def home(models):
    path = models / "reload.toml"

    def write(*decoys, network=NETWORK):
        path.write_text("\n".join([network, *decoys]))
        return path

    return write


@pytest.fixture
def reload(tmp_path):
    """Have decoys read their home anew: what is said of it, or what is wrong."""

    def ask():
        done = invoke("live", "reload", "--socket", tmp_path / "live.sock", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    return ask


@pytest.mark.network
def test_who_stays_goes_on_who_goes_is_silent_and_who_comes_begins(network, home, reload, tmp_path):
    path, ledger, planned = home(HALL, DOOR, DESK), tmp_path / "ledger", tmp_path / "planned.pcap"
    dry = ("--dry-run", *WHEN, "--duration", "210s", "-o", planned)
    assert invoke("live", path, *dry).returncode == 0
    words = (*WHEN, "--pace", 15, "--duration", "14s", "--ledger", ledger)
    observer = network.observer
    process = network.start(path, *ENDS, *words)
    wait_for(process, "desk is on")
    observer.watch(frames=100, quiet=30)
    # the door goes, the desk moves, and the attic comes
    attic = decoy("attic", "camera", address="192.168.20.34", mac="02:11:22:33:44:34")
    home(HALL, DESK.replace("20.32", "20.33"), attic)
    assert reload() == {"stay": 1, "come": ["desk", "attic"], "gone": ["door", "desk"]}
    time.sleep(0.2)
    before = len(observer.watch(quiet=0.01))
    # all that has gone is in the ledger by now
    lines = [line for file in ledger.glob("*.jsonl") for line in file.read_text().splitlines()]
    assert {json.loads(line)["decoy"] for line in lines} == {"door", "desk"}
    said = wait_for(process, "attic is on")
    assert "desk is on: 02:11:22:33:44:32, 192.168.20.33" in said
    found, more = process.communicate(timeout=60)
    assert process.returncode == 0, more
    assert json.loads(found)["restarts"] == 0
    seen = observer.watch()
    assert of(seen[before:], "31") == []
    assert of(seen[before:], "34") != []
    moved = [frame for frame in of(seen[before:], "32") if frame[12:14] == b"\x08\x00"]
    assert moved != []
    assert not any(bytes([192, 168, 20, 32]) in frame[26:34] for frame in moved)
    assert of(seen, "30") == of(read_records(planned).frames.tolist(), "30")


@pytest.mark.network
def test_what_is_wrong_changes_nothing_and_a_signal_asks_as_well(
    network, home, reload, tmp_path, models
):
    path = home(HALL)
    process = network.start(path, *ENDS, "--pace", 5)
    wait_for(process, "hall is on")
    far = json.loads(network.host.run("ip", "-j", "link", "show", "far0").stdout)[0]["address"]
    other = NETWORK.replace("20.1", "20.2")
    for decoys, how, complaint in (
        ((HALL, "x = 1"), {}, "reload.toml: decoys.0.x"),
        ((HALL, decoy("attic", "none")), {}, "none.model"),
        ((HALL,), {"network": other}, "[network] is another; restart decoys for that"),
        ((HALL, decoy("attic", "plug", mac=far)), {}, "is an address of this computer, on far0"),
        ((HALL, decoy("attic", "plug", address="10.1.1.1")), {}, "no host of 192.168.20.0/24"),
    ):
        home(*decoys, **how)
        said = reload()
        assert "not reloaded, and all goes on as it was: " in said
        assert complaint in " ".join(said.split())
        assert "Traceback" not in said
    path.unlink()
    assert "cannot read" in reload()
    home(HALL, DESK)
    process.send_signal(signal.SIGHUP)
    wait_for(process, "reloaded; 1 stay; come: desk; gone: none")
    # until it is on it may not be changed again
    assert "reload a little later" in reload()
    wait_for(process, "desk is on")
    assert reload() == {"stay": 2, "come": [], "gone": []}
    # a model that is fitted anew is another one
    (models / "plug.model").write_bytes((models / "plug.model").read_bytes())
    assert reload() == {"stay": 0, "come": ["hall", "desk"], "gone": ["hall", "desk"]}
    process.terminate()
    _, said = process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM, said


@pytest.mark.network
@pytest.mark.skipif(not shutil.which("dnsmasq"), reason="dnsmasq is not installed")
def test_who_stays_keeps_its_lease(network, router, home, reload):  # noqa: F811 - the fixture
    router.serve()
    observer = network.observer
    leased = decoy("hall", "plug", address="dhcp")
    network_ = NETWORK.replace('gateway_mac = "02:00:5e:10:00:01"\n', "")
    process = network.start(home(leased, network=network_), *ENDS, "--pace", 5)
    said = wait_for(process, "hall is on")
    mac, address = re.search(r"hall is on: ([0-9a-f:]+), ([0-9.]+);", said).groups()
    home(leased, decoy("desk", "plug", address="dhcp", seed=5), network=network_)
    before = len(observer.watch(quiet=0.01))
    assert reload()["come"] == ["desk"]
    said = wait_for(process, "desk is on")
    assert "hall" not in said
    leases = {line.split()[1]: line.split()[2] for line in router.leases.read_text().splitlines()}
    assert leases[mac] == address
    assert len(leases) == 2
    since = observer.watch(quiet=0.2)[before:]
    asked = {frame[6:12].hex(":") for frame in since if frame[282:285] == b"\x35\x01\x01"}
    assert asked == leases.keys() - {mac}


@pytest.mark.network
@pytest.mark.skipif(not Path("/dev/net/tun").exists(), reason="there is no /dev/net/tun")
def test_ports_are_handed_over_to_who_comes(network, home, reload):
    asker = network.namespace("asker")
    network.plug_in(asker, "ask0")
    asker.run("ip", "address", "add", "192.168.20.77/24", "dev", "ask0")
    process = network.start(home(HALL), *ENDS, "--pace", 20)
    wait_for(process, "hall is on")
    home(HALL, decoy("attic", "plug", address="192.168.20.34", ports=["8080/tcp"]))
    assert reload()["come"] == ["attic"]
    said = wait_for(process, "attic is on")
    number = re.search(r"nsenter -t (\d+) -n", said)[1]
    listen = "import socket; s = socket.create_server(('', 8080)); s.accept()[0].send(b'hello')"
    connect = (
        "import socket; s = socket.create_connection(('192.168.20.34', 8080), 5); print(s.recv(9))"
    )
    server = network.start_command("nsenter", "-t", number, "-n", "python3", "-c", listen)
    deadline = time.monotonic() + 20
    while "hello" not in (heard := asker.run("python3", "-c", connect, check=False)).stdout:
        assert time.monotonic() < deadline, heard.stderr
        time.sleep(0.2)
    assert server.wait(5) == 0
    home(HALL)
    assert reload()["gone"] == ["attic"]
    assert run("nsenter", "-t", number, "-n", "true").returncode != 0


def composed(composer, *seconds):
    return [composer.until(START_NS + int(second * 1e9)) for second in seconds]


def test_traffic_of_who_stays_is_the_same_whoever_else_there_is(models):
    network = Network(subnet="192.168.20.0/24", gateway="192.168.20.1")
    plug, camera = models / "plug.model", models / "camera.model"
    hall, desk = Decoy(name="hall", model=plug), Decoy(name="desk", model=plug)
    door = Decoy(name="door", model=camera)
    alone, others = (Composer(Home(network=network, decoys=[hall, desk])) for _ in range(2))
    for composer in (alone, others):
        composer.switch_on(START_NS)
    first = composed(others, 20)
    # the first of them goes, and one comes in between
    (*_, change) = others.changes(Home(network=network, decoys=[desk, door]))
    assert (change.gone, [*change.come]) == ({0}, [2])
    others.change(change)
    others.switch_on(START_NS + 21 * 10**9, [2])
    then = composed(others, 30, 60)
    expected = composed(alone, 60)[0]
    own = [
        frame
        for stretch in (*first, *then)
        for frame, place in zip(stretch.frames.tolist(), stretch.decoy.tolist(), strict=True)
        if place == 1
    ]
    assert own == expected.frames.take(expected.decoy == 1).tolist()
    assert [each["name"] for each in others.identities()] == ["desk", "door"]
    assert 2 in then[0].decoy
    assert 0 not in then[1].decoy
    with pytest.raises(ArgumentError, match="restart decoys"):
        [*others.changes(Home(network=Network(subnet="10.0.0.0/8"), decoys=[desk]))]
    taken = others.identities()[0]["ip"]
    with pytest.raises(ArgumentError, match=f"somebody else has {taken} already"):
        [
            *others.changes(
                Home(network=network, decoys=[desk, Decoy(name="x", model=plug, address=taken)])
            )
        ]
