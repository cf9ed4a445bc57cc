"""Whoever asks on the network sees a device: with the tools that attackers have."""

import re
import shutil
import time

import pytest

from iotflowgen import load
from iotflowgen.live.answering.reflexes import learn_reflexes

pytestmark = pytest.mark.network

MAC, ADDRESS, ASKER = "02:11:22:33:44:55", "192.168.20.31", "192.168.20.77"
DECOY = ("--ip", ADDRESS, "--mac", MAC, "--gateway", "192.168.20.1", "--seed", 3)
ENDS = ("--near", "near0", "--far", "far0")


def needs(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed")


@pytest.fixture
def asker(network, models):
    """A computer beside a decoy that has an address by now."""
    observer = network.observer
    asker = network.namespace("asker")
    network.plug_in(asker, "ask0")
    asker.run("ip", "address", "add", f"{ASKER}/24", "dev", "ask0")
    network.start(models / "plug.model", *DECOY, *ENDS)
    own = bytes(map(int, ADDRESS.split(".")))
    deadline = time.monotonic() + 60
    while not any(frame[26:30] == own for frame in observer.frames):
        assert time.monotonic() < deadline
        observer.watch(frames=1)
    return asker


@needs("nmap", "arping", "arp-scan", "ping")
def test_a_scan_finds_the_device(asker, models):
    assert f"from {MAC}" in asker.run("arping", "-c", 2, "-I", "ask0", ADDRESS).stdout
    assert MAC in asker.run("arp-scan", "-I", "ask0", f"{ADDRESS}/32").stdout
    pinged = asker.run("ping", "-c", 3, "-i", 0.2, ADDRESS).stdout
    assert "3 received" in pinged
    assert "ttl=128" in pinged
    known = learn_reflexes(load(models / "plug.model").recording)
    open_ports = [port for port in known.tcp_ports if port < 100]
    scanned = asker.run("nmap", "-n", "-sS", "-sU", "-p", "T:1-100,U:7", ADDRESS).stdout
    assert re.findall(r"(\d+)/tcp +open", scanned) == [str(port) for port in sorted(open_ports)]
    assert f"{100 - len(open_ports)} closed tcp ports (reset)" in scanned
    assert "7/udp  closed" in scanned or "1 closed udp port" in scanned, scanned
    assert f"MAC Address: {MAC.upper()}" in scanned
