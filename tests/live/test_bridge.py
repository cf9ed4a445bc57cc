"""Decoys on the bridge of a gateway: seen inside, never outside, and gone at the end."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing

import pytest

import iotflowgen as iot
from tests.conftest import REPOSITORY
from tests.live.conftest import PIPES
from tests.live.networks import Observer, run
from tests.live.test_network import wait_for

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(not shutil.which("nft"), reason="nft is not installed"),
]

HOME = """
[[decoys]]
name = "hall"
model = "plug.model"
address = "192.168.20.30"

[[decoys]]
name = "door"
model = "camera.model"
address = "192.168.20.31"
"""
RULE = "ether saddr @decoys"


@pytest.fixture
def gateway(network):
    """A gateway with a bridge for its network and an uplink, and a computer on the bridge."""
    host = network.host
    host.run("ip", "link", "add", "name", "lan0", "type", "bridge", "mcast_snooping", 0)
    network.mute(host, "lan0")
    # so that the switch sees what is on the bridge
    # a high address: the bridge has that of its lowest port
    host.run("ip", "link", "set", "far0", "address", "fe:ff:ff:ff:ff:00", "master", "lan0")
    host.run("ip", "link", "set", "lan0", "up")
    host.run("ip", "address", "add", "192.168.20.1/24", "dev", "lan0")
    outside = network.namespace("outside")
    network.mute(outside, "lo")
    run("ip", "link", "add", "wan0", "netns", host.name, "type", "veth",
        "peer", "name", "net0", "netns", outside.name, check=True)  # fmt: skip
    for where, name, address in ((host, "wan0", "203.0.113.2"), (outside, "net0", "203.0.113.1")):
        network.mute(where, name)
        where.run("ip", "address", "add", f"{address}/24", "dev", name)
        where.run("ip", "link", "set", name, "up")
    host.run("ip", "route", "add", "default", "via", "203.0.113.1")
    host.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    with closing(Observer(outside.packet_socket("net0"))) as network.outside:
        yield network


@pytest.fixture
def home(models):
    path = models / "bridge.toml"
    path.write_text(HOME)
    return path


def mac_of(gateway, interface):
    links = json.loads(gateway.host.run("ip", "-j", "link", "show", interface).stdout)
    return bytes.fromhex(links[0]["address"].replace(":", ""))


@pytest.fixture
def bridge(gateway):
    """Sees what the bridge itself hears and says."""
    with closing(Observer(gateway.host.packet_socket("lan0"), outgoing=True)) as found:
        yield found


def test_the_uplink_hears_nothing_and_the_gateway_sees_both_halves(gateway, bridge, home):
    mac, both = mac_of(gateway, "lan0"), home.read_text()
    home.write_text(both.partition("\n\n")[0])
    process = gateway.start(home, "--bridge", "lan0", "--pace", 10)
    wait_for(process, "hall is on")
    # the rule holds for who comes later as well
    home.write_text(both)
    process.send_signal(signal.SIGHUP)
    wait_for(process, "door is on")
    bridge.watch(frames=600, quiet=30)
    ruled = gateway.host.run("nft", "list", "ruleset").stdout
    assert RULE in ruled
    dropped = int(ruled.split("packets ")[1].split()[0])
    pinged = gateway.host.run("ping", "-c", 2, "-i", 0.2, "192.168.20.31").stdout
    assert "2 received" in pinged
    process.terminate()
    found, said = process.communicate(timeout=10)
    sent = json.loads(found)
    assert sent["withheld"] == {}, said
    to_gateway = [frame for frame in bridge.watch() if frame[:6] == mac]
    from_gateway = [frame for frame in bridge.frames if frame[6:12] == mac]
    assert len(to_gateway) > 100
    assert len(from_gateway) > 100
    assert dropped > 100
    assert gateway.outside.watch() == []
    # nothing is left
    assert gateway.host.run("nft", "list", "ruleset").stdout == ""
    assert "decoys" not in gateway.host.run("ip", "link").stdout
    assert mac_of(gateway, "lan0") == mac


def test_what_decoys_tell_their_peers_is_not_flooded(gateway, bridge, home):
    observer, mac = gateway.observer, mac_of(gateway, "lan0")

    def told(frames):
        """Frames from a decoy, by its vendor, to one host that is not the gateway."""
        vendors = (b"\x5e\xcf\x7f", b"\x46\x19\xb6")
        to_one = (frame for frame in frames if not frame[0] & 1 and frame[:6] != mac)
        return [frame for frame in to_one if frame[6:9] in vendors]

    gateway.start(home, "--bridge", "lan0", "--pace", 10)
    while len(told(bridge.frames)) < 5:
        bridge.watch(frames=100, quiet=30)
    assert told(observer.watch(frames=200)) == []


def test_without_the_rule_it_would_have_left(gateway, home):
    """What the rule is for: the same packets reach the uplink of a gateway that lacks it."""
    process = gateway.start(home, "--bridge", "lan0", "--pace", 10)
    table = None
    while table is None:
        assert process.poll() is None, process.communicate()
        tables = gateway.host.run("nft", "list", "tables").stdout.split()
        table = tables[-1] if "netdev" in tables else None
    observer = gateway.observer
    observer.watch(frames=20, quiet=30)
    gateway.host.run("nft", "flush", "table", "netdev", table)
    assert len(gateway.outside.watch(frames=3, quiet=20)) == 3


def test_what_is_no_bridge_is_refused_and_two_runs_are_one_too_many(gateway, home, tmp_path):
    done = run(*gateway.live(home, "--bridge", "near0"))
    assert done.returncode == 1
    assert "near0 is no bridge" in done.stderr
    first = gateway.start(home, "--bridge", "lan0")
    gateway.observer.watch(frames=5, quiet=30)
    second = gateway.live(home, "--bridge", "lan0")
    for more, said in (
        ((), "other decoys are asked there"),
        (("--socket", tmp_path / "x"), "lan0"),
    ):
        done = run(*second, *more)
        assert done.returncode == 1
        assert said in done.stderr
    assert "decoys are on lan0 already" in done.stderr
    assert first.poll() is None


def test_what_a_killed_run_has_left_is_no_obstacle(gateway, home):
    first = gateway.start(home, "--bridge", "lan0")
    observer = gateway.observer
    observer.watch(frames=5, quiet=30)
    first.kill()
    first.communicate()
    assert RULE in gateway.host.run("nft", "list", "ruleset").stdout
    gateway.start(home, "--bridge", "lan0")
    observer.watch(quiet=1)
    seen = len(observer.frames)
    assert len(observer.watch(frames=5, quiet=30)) == seen + 5


def test_three_capabilities_are_enough_and_systemd_hears_of_it(gateway, home, tmp_path):
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(tmp_path / "notify"))
    heard.settimeout(60)
    unit = (REPOSITORY / "share" / "systemd" / "iotflowgen-live.service").read_text()
    (named,) = re.findall(r"^AmbientCapabilities=(.*)$", unit, re.M)
    kept = ",".join(f"+{each.removeprefix('CAP_').lower()}" for each in named.split())
    words = gateway.live(home, "--bridge", "lan0", "--json")
    at = words.index(gateway.host.name) + 1
    limited = ["setpriv", "--bounding-set", f"-all,{kept}", "--inh-caps", f"-all,{kept}"]
    told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
    process = subprocess.Popen(
        [*words[:at], *limited, *words[at:]], env={**os.environ, **told}, text=True, **PIPES
    )
    try:
        assert heard.recv(100) == b"READY=1"
        assert [heard.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        gateway.observer.watch(frames=5, quiet=30)
        process.terminate()
        found, said = process.communicate(timeout=10)
        while (last := heard.recv(100)) == b"WATCHDOG=1":
            pass
        assert last == b"STOPPING=1"
        assert json.loads(found)["stopped"], said
        assert "CAP_" not in said
    finally:
        process.kill()
        process.communicate()
        heard.close()


def test_a_gateway_elsewhere_is_said(network, home):
    process = network.start(home, "--near", "near0", "--far", "far0")
    assert "the gateway is not this computer" in process.stderr.readline()


@pytest.mark.skipif(not shutil.which("dnsmasq"), reason="dnsmasq is not installed")
def test_the_gateway_itself_gives_addresses(gateway, models, tmp_path):
    leases = tmp_path / "leases"
    words = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--no-ping"]
    words += ["--interface=lan0", "--dhcp-range=192.168.20.100,192.168.20.120,2m"]
    server = subprocess.Popen(
        gateway.host.command(*words, f"--dhcp-leasefile={leases}"), text=True, **PIPES
    )
    try:
        process = gateway.start(
            models / "plug.model", "--bridge", "lan0", "--ip", "dhcp", "--pace", 30
        )
        said = wait_for(process, "is on")
        address = leases.read_text().split()[2]
        assert f"{address}; 192.168.20.1 has leased it for 120 s" in said
        first = int(leases.read_text().split()[0])
        while int(leases.read_text().split()[0]) == first:
            time.sleep(0.1)
        pinged = gateway.host.run("ping", "-c", 1, address).stdout
        assert "1 received" in pinged
        assert gateway.outside.watch(quiet=0.1) == []
    finally:
        server.terminate()
        server.communicate(timeout=10)


def test_a_device_that_has_ipv6_alone_is_a_decoy(gateway, tmp_path):
    samples = REPOSITORY / "samples" / "protocols" / "ipv6"
    with pytest.warns(iot.CaptureWarning):
        iot.fit(samples).save(tmp_path / "six.model")
    gateway.start(tmp_path / "six.model", "--bridge", "lan0", "--pace", 10)
    kinds = {frame[12:14] for frame in gateway.observer.watch(frames=10, quiet=30)}
    assert b"\x86\xdd" in kinds
    assert b"\x08\x00" not in kinds
