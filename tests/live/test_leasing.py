"""Addresses from the network's own server, and addresses that somebody has already."""

import json
import re
import shutil
import subprocess
import time

import numpy as np
import pytest

from iotflowgen.wire import Frames, read_records
from iotflowgen.wire.pcap import FORMATS, records_bytes
from tests.end_to_end.invoke import invoke
from tests.live.conftest import PIPES
from tests.live.networks import run
from tests.live.test_network import wait_for

pytestmark = pytest.mark.network

ENDS = ("--near", "near0", "--far", "far0")
EXCHANGE = ("dhcp.option.dhcp", "eth.src", "ip.dst", "dhcp.ip.client", "_ws.malformed")
needs_dnsmasq = pytest.mark.skipif(not shutil.which("dnsmasq"), reason="dnsmasq is not installed")


@pytest.fixture
def router(network, tmp_path):
    """A router that gives addresses."""
    router = network.namespace("router")
    network.plug_in(router, "lan0")
    router.run("ip", "address", "add", "192.168.20.1/24", "dev", "lan0")
    router.leases = tmp_path / "leases"
    running = []

    def serve(*more, first=100):
        command = router.command(
            *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv"),
            *("--no-hosts", "--interface=lan0", "--log-dhcp", "--log-facility=-", "--port=0"),
            f"--dhcp-range=192.168.20.{first},192.168.20.{first + 20},2m",
            *("--dhcp-authoritative", "--dhcp-option=6,192.168.20.53"),
            *(f"--dhcp-leasefile={router.leases}", "--no-ping", *more),
        )
        running.append(subprocess.Popen(command, text=True, **PIPES))

    router.serve = serve

    def stop():
        while running:
            running[-1].terminate()
            running.pop().communicate(timeout=10)

    router.stop = stop
    links = json.loads(router.run("ip", "-j", "link", "show", "lan0").stdout)
    router.mac = links[0]["address"]
    yield router
    stop()


def planned(models, tmp_path, *more):
    """The frames that would be sent with a drawn lease.

    What is drawn depends on when, and some boots of the device ask for no lease.
    """
    file = tmp_path / "planned.pcap"
    words = ("--dry-run", "--duration", "10s", "-o", file)
    for _ in range(10):
        assert invoke("live", models / "plug.model", *words, *more).returncode == 0
        frames = read_records(file).frames.tolist()
        if asked(frames, 1) and asked(frames, 3):
            return frames
    pytest.fail("ten boots without a lease")


def asked(frames, kind):
    """What clients of DHCP say, of one type, but for what differs from one time to the next."""
    own = [frame for frame in frames if frame[282:285] == bytes([53, 1, kind])]
    return [frame[:24] + frame[26:40] + frame[42:46] + frame[52:] for frame in own]


def dhcp(frames, *names):
    """What tshark reads in messages of DHCP."""
    capture = FORMATS[".pcap"]
    said = capture.header + records_bytes(capture, np.arange(len(frames)), Frames.of(frames))
    shown = [word for name in names for word in ("-e", name)]
    done = subprocess.run(
        ["tshark", "-r", "-", "-Y", "dhcp", "-T", "fields", *shown],
        input=said,
        capture_output=True,
        check=True,
    )
    return [line.split("\t") for line in done.stdout.decode().splitlines()]


def watch(observer, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        observer.watch(frames=20, quiet=0.1)
    return observer.frames


@needs_dnsmasq
def test_a_lease_is_asked_for_as_the_device_does_used_and_renewed(
    network, router, models, tmp_path
):
    router.serve()
    observer = network.observer
    process = network.start(models / "plug.model", "--ip", "dhcp", *ENDS, "--pace", 60)
    said = wait_for(process, "is on")
    mac, address = re.search(r"plug is on: ([0-9a-f:]+), ([0-9.]+); 192.168.20.1", said).groups()
    own = bytes.fromhex(mac.replace(":", ""))
    deadline = time.monotonic() + 60
    names, exchange = [], []
    while not names or len(exchange) < 6:
        assert time.monotonic() < deadline
        frames = watch(observer, 0.5)
        names = [each for each in frames if each[36:38] == b"\0\x35" and each[6:12] == own]
        exchange = dhcp(frames, *EXCHANGE)
    # the server has heard of who it is
    (lease,) = [line.split() for line in router.leases.read_text().splitlines()]
    assert lease[1:3] == [mac, address]
    assert lease[4] == f"01:{mac}"
    expected = planned(models, tmp_path, "--mac", mac, "--ip", address, "--gateway", "192.168.20.1")
    assert lease[3].encode() in asked(expected, 1)[0]
    assert asked(frames, 1) == asked(expected, 1)[:1]
    assert asked(frames, 3)[0] == asked(expected, 3)[0]
    # one exchange, and each half of the lease another one; nobody else offers anything
    router_mac = router.mac
    all_, nobody = "255.255.255.255", "0.0.0.0"
    assert exchange[:4] == [
        ["1", mac, all_, nobody, ""],
        ["2", router_mac, address, nobody, ""],
        ["3", mac, all_, nobody, ""],
        ["5", router_mac, address, nobody, ""],
    ]
    assert exchange[4:6] == [
        ["3", mac, "192.168.20.1", address, ""],
        ["5", router_mac, address, address, ""],
    ]
    xids = dhcp(frames, "dhcp.id")
    assert len({*map(tuple, xids[:6])}) == 2
    # what the server says of the network
    assert {frame[30:34] for frame in names} == {bytes([192, 168, 20, 53])}
    # another network: the server refuses what it has not given
    router.stop()
    router.leases.unlink()
    router.run("ip", "address", "flush", "dev", "lan0")
    router.run("ip", "address", "add", "192.168.20.1/24", "dev", "lan0")
    router.serve(first=200)
    wait_for(process, "plug falls silent: 192.168.20.1 refuses its address")
    said = wait_for(process, "is on")
    assert "192.168.20.2" in said
    assert process.poll() is None


@needs_dnsmasq
def test_an_address_that_somebody_has_is_declined(network, router, models):
    router.serve("--dhcp-sequential-ip")
    squatter = network.namespace("squatter")
    network.plug_in(squatter, "sq0")
    squatter.run("ip", "address", "add", "192.168.20.100/24", "dev", "sq0")
    observer = network.observer
    process = network.start(models / "plug.model", "--ip", "dhcp", *ENDS, "--pace", 20)
    said = wait_for(process, "is on")
    assert "has 192.168.20.100; asking for another" in said
    assert ", 192.168.20.101; " in said
    watch(observer, 1)
    somebody = bytes.fromhex("0211223344aa")
    announced = 2 * (somebody + bytes([192, 168, 20, 101]))
    with squatter.packet_socket("sq0") as there:
        there.send(b"\xff" * 6 + somebody + b"\x08\6\0\1\x08\0\6\4\0\1" + announced)
    said = wait_for(process, "is on")
    assert "plug falls silent: 02:11:22:33:44:aa has 192.168.20.101; asking for another" in said
    kinds = [kind for kind, *_ in dhcp(watch(observer, 0.5), "dhcp.option.dhcp")]
    assert kinds == ["1", "2", "3", "5", "4"] * 2 + ["1", "2", "3", "5"]


def test_a_fixed_address_that_somebody_has_is_refused(network, models):
    squatter = network.namespace("squatter")
    network.plug_in(squatter, "sq0")
    squatter.run("ip", "address", "add", "192.168.20.31/24", "dev", "sq0")
    observer = network.observer
    done = run(*network.live(models / "plug.model", "--ip", "192.168.20.31", *ENDS))
    assert done.returncode == 1
    assert re.search(r"plug: [0-9a-f:]{17} has its address", done.stderr), done.stderr
    probes = [frame for frame in observer.watch() if frame[12:22].endswith(b"\6\4\0\1")]
    assert {frame[28:32] for frame in probes} == {bytes(4)}
