"""Whoever asks on the network sees a device: with the tools that attackers have."""

import re
import shutil
import sys
import time

import pytest

from iotflowgen.live.answering import dns

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
def test_a_scan_finds_the_device(asker):
    assert f"from {MAC}" in asker.run("arping", "-c", 2, "-I", "ask0", ADDRESS).stdout
    assert MAC in asker.run("arp-scan", "-I", "ask0", f"{ADDRESS}/32").stdout
    pinged = asker.run("ping", "-c", 3, "-i", 0.2, ADDRESS).stdout
    assert "3 received" in pinged
    assert "ttl=128" in pinged
    scanned = asker.run("nmap", "-n", "-sS", "-sU", "-p", "T:1-100,U:7", ADDRESS).stdout
    assert re.findall(r"(\d+)/tcp +open", scanned) == ["80"]
    assert "99 closed tcp ports (reset)" in scanned
    assert "7/udp  closed" in scanned or "1 closed udp port" in scanned, scanned
    assert f"MAC Address: {MAC.upper()}" in scanned


ASK = """
import socket, sys
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
asker.settimeout(1.5)
asker.sendto(bytes.fromhex(sys.argv[4]), (sys.argv[2], int(sys.argv[3])))
try:
    while True:
        print(asker.recv(2048).hex())
except TimeoutError:
    pass
"""


def test_who_looks_for_devices_finds_it(asker):
    def ask(group, port, payload):
        words = (sys.executable, "-c", ASK, ASKER, group, port, payload.hex())
        return [bytes.fromhex(line) for line in asker.run(*words).stdout.split()]

    question = dns.Question((b"_http", b"_tcp", b"local"), 12, 1)
    asked = dns.write(dns.Message(9, 0, [question], []), compresses=False)
    (said,) = ask("224.0.0.251", 5353, asked)
    found = dns.read(said)
    assert (found.id, [each.type for each in found.answers]) == (9, [12, 33, 16, 1])
    assert f"id={MAC.replace(':', '')}".encode() in said
    search = b'M-SEARCH * HTTP/1.1\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n'
    found = ask("239.255.255.250", 1900, search)
    assert len(found) == 3
    assert all(MAC.replace(":", "").encode() in each for each in found)
    assert ask("224.0.0.251", 5353, asked.replace(b"_http", b"_ipp_")) == []
