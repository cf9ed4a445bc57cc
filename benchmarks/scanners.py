"""What scanners say of the sample devices, and of decoys of them in the same network.

    sudo python benchmarks/scanners.py captures/aalto

For each sample device it sets up the home in which it was recorded (`samples/network.py`), and
asks from the phone's place with nmap, arping, arp-scan, nbtscan and avahi-browse: first the
device's real stack, then a decoy in its place with its addresses, learnt from its sample captures.
Everything happens in network namespaces. Tools that are not installed are left out:

    apt-get install nmap arping arp-scan nbtscan avahi-daemon avahi-utils

The sample devices are kernels of this computer, and answer in some microseconds. So of devices of
the given folder, which were other computers, the time to answer is compared with what captures
show.
"""

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import iotflowgen as iot
from iotflowgen.live.answering.discovery import find_sayings
from iotflowgen.live.answering.reflexes import learn_reflexes

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "samples"))

from network import Home  # noqa: E402
from profiles import PROFILES, Profile  # noqa: E402
from record import make_certificates, require, start_cloud, start_router  # noqa: E402

RESULTS: Final = ROOT / "benchmarks" / "results"
_LIMIT_S: Final = 400.0
_SETTLED_S: Final = 12.0
"""After getting an address, a device has announced itself."""
_AVAHI: Final = """
mount -t tmpfs none /run && mkdir -p /run/dbus
bus=$(dbus-daemon --system --fork --nopidfile --print-pid)
avahi-daemon --no-drop-root --no-chroot --no-rlimits --daemonize >/dev/null 2>&1
sleep 1
avahi-browse --resolve --terminate --parsable _http._tcp
avahi-daemon --kill
kill $bus
"""
"""Avahi has a daemon, which has a bus: both in a network and a `/run` of their own."""
_SEARCH: Final = """
import socket, sys
lines = ["M-SEARCH * HTTP/1.1", "HOST: 239.255.255.250:1900", 'MAN: "ssdp:discover"', "MX: 1"]
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own = socket.inet_aton(sys.argv[1])
asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
asker.settimeout(1.5)
said = "\\r\\n".join([*lines, "ST: upnp:rootdevice", "", ""])
asker.sendto(said.encode(), ("239.255.255.250", 1900))
try:
    while True:
        asker.recv(2048)
except TimeoutError:
    pass
"""


class Attacker:
    """Who asks, from the phone's place."""

    def __init__(self, home: Home, address: str) -> None:
        self.inside = ["ip", "netns", "exec", home.namespace("phone")]
        self.address = address
        self.own, self.mac = home.profile.phone, home.profile.phone_mac

    def run(self, *command: str) -> str:
        """What a program says."""
        done = subprocess.run(
            [*self.inside, *command], capture_output=True, text=True, timeout=300, check=False
        )
        return done.stdout


def nmap_sn(attacker: Attacker) -> dict[str, Any]:
    """Is it there?"""
    host = scanned(attacker, "-sn")
    macs = host.values("address[@addrtype='mac']", "addr")
    return {"host": host.values("status", "state"), "MAC address": macs}


def nmap_scan(attacker: Attacker) -> dict[str, Any]:
    """Which ports, and which system?"""
    host = scanned(attacker, "-sS", "-O", "-vv", "--max-retries", "3")
    names, shares = host.values("osmatch", "name"), host.values("osmatch", "accuracy")
    ports = Counter(host.values("port/state", "state"))
    for state, count in zip(
        host.values("extraports", "state"), host.values("extraports", "count"), strict=True
    ):
        ports[state] += int(count)
    fingerprint = "".join(host.values("osfingerprint", "fingerprint")).replace("\nOS:", "")
    return {
        "open ports": host.values("port/state[@state='open']/..", "portid"),
        "ports": dict(ports),
        "systems": [f"{n} ({share}%)" for n, share in zip(names, shares, strict=True)][:5],
        "fingerprint": tests_of(fingerprint),
        "hops": host.values("distance", "value"),
    }


class Scanned:
    """What nmap says of a host, in XML."""

    def __init__(self, said: str) -> None:
        # S314: it is nmap's own output
        self._root = ElementTree.fromstring(said)  # noqa: S314

    def values(self, path: str, attribute: str) -> list[str]:
        """An attribute of all elements at a path."""
        return [each.get(attribute, "") for each in self._root.findall(f"host//{path}")]


def scanned(attacker: Attacker, *options: str) -> Scanned:
    """Run nmap."""
    return Scanned(attacker.run("nmap", "-n", *options, "-oX", "-", attacker.address))


def arping(attacker: Attacker) -> dict[str, Any]:
    """Replies to ARP."""
    said = attacker.run("arping", "-c", "10", "-W", "0.2", "-i", "eth0", attacker.address)
    macs = sorted(set(re.findall(r"bytes from ([0-9a-f:]{17})", said)))
    return {"replies to 10": said.count("bytes from"), "MAC address": ", ".join(macs)}


def arp_scan(attacker: Attacker) -> dict[str, Any]:
    """Who has an address."""
    said = attacker.run("arp-scan", "-I", "eth0", "-x", f"{attacker.address}/32")
    return {"hosts": re.sub(r"\s+", " ", said).strip()}


def nbtscan(attacker: Attacker) -> dict[str, Any]:
    """Names of NetBIOS."""
    said = attacker.run("nbtscan", "-q", "-s", ",", attacker.address).strip()
    return {"names": said or "none"}


def avahi_browse(attacker: Attacker) -> dict[str, Any]:
    """Services that are offered."""
    said = attacker.run("unshare", "-m", "sh", "-c", _AVAHI)
    rows = [line.split(";") for line in said.splitlines() if line.startswith("=;eth0;")]
    own = [row for row in rows if row[7] == attacker.address]
    return {"services": sorted(" ".join([row[3], row[4], row[6], row[8], *row[9:]]) for row in own)}


def response_times(attacker: Attacker) -> dict[str, Any]:
    """Medians, in microseconds."""
    script = str(ROOT / "benchmarks" / "response_times.py")
    found: dict[str, Any] = json.loads(
        attacker.run(sys.executable, script, "eth0", attacker.address)
    )
    return found


TOOLS: Final[dict[str, tuple[str, Callable[[Attacker], dict[str, Any]]]]] = {
    "nmap -sn": ("nmap", nmap_sn),
    "nmap -sS -O": ("nmap", nmap_scan),
    "arping": ("arping", arping),
    "arp-scan": ("arp-scan", arp_scan),
    "nbtscan": ("nbtscan", nbtscan),
    "avahi-browse -r _http._tcp": ("avahi-browse", avahi_browse),
    "time to answer, µs": ("ip", response_times),
}
"""What each is, the program that it takes, and what asks."""


def tests_of(fingerprint: str) -> dict[str, str]:
    """The values of nmap's tests (SEQ, OPS, WIN, ECN, T1 to T7, U1, IE), by their names."""
    found: dict[str, str] = {}
    for name, values in re.findall(r"(\w+)\(([^)]*)\)", fingerprint):
        for each in values.split("%"):
            key, _, value = each.partition("=")
            found[f"{name}.{key}"] = value
    return {name: value for name, value in found.items() if not name.startswith("SCAN")}


@contextmanager
def a_home(profile: Profile, work: Path) -> Iterator[Home]:
    """The network in which a device was recorded, with its router and cloud."""
    stop = threading.Event()
    with Home.open(profile, work, stop, _LIMIT_S) as home:
        start_router(home, 1, _LIMIT_S)
        start_cloud(home, 2, _LIMIT_S)
        yield home


def device(home: Home) -> str:
    """Switch the real one on; its address."""
    script = [str(ROOT / "samples" / "device.py"), home.profile.kind, "--work", str(home.work)]
    home.start("device", sys.executable, *script, "--seed", "3", "--limit", str(_LIMIT_S))
    lease = home.work / "address"
    while not (lease.exists() and lease.read_text().strip()):
        home.wait(0.1)
    return lease.read_text().strip()


def decoy(home: Home, model: Path, *options: str) -> None:
    """Switch a decoy on."""
    program = str(Path(sys.executable).with_name("iotflowgen"))
    command = [program, "live", str(model), "--bridge", "br0", *options]
    command += ["--socket", str(home.work / "live.sock")]
    home.start("router", *command)


def awaited(home: Home, address: str) -> Attacker:
    """Who asks, once there is an answer and what devices say first is over."""
    attacker, deadline = Attacker(home, address), time.monotonic() + _LIMIT_S / 4
    while "bytes from" not in attacker.run("arping", "-c", "1", "-W", "1", "-i", "eth0", address):
        if time.monotonic() > deadline:
            raise SystemExit(f"{address} does not answer")
    home.wait(_SETTLED_S)
    return attacker


def asked(attacker: Attacker) -> dict[str, Any]:
    """What each tool says."""
    found = {}
    for name, (program, ask) in TOOLS.items():
        if shutil.which(program) is None:
            print(f"{program} is not installed", file=sys.stderr)
            continue
        began = time.monotonic()
        found[name] = ask(attacker)
        print(f"  {name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return found


def viewed(attacker: Attacker, name: Path) -> None:
    """Keep what nmap says, and what is sent by who asks and to it, with a ping and a search."""
    # what it says of itself by IPv6 comes at any time
    own = f"ether host {attacker.mac} and not ip6"
    listen = ["dumpcap", "-q", "-P", "-i", "eth0", "-w", "-", "-f", own]
    with (
        name.with_suffix(".pcap").open("wb") as file,
        subprocess.Popen([*attacker.inside, *listen], stdout=file) as recorder,
    ):
        time.sleep(2)
        attacker.run("ip", "neighbour", "flush", "dev", "eth0")
        attacker.run("ping", "-c", "1", attacker.address)
        said = attacker.run("nmap", "-sS", "-n", "-p", "22,80,443", attacker.address)
        attacker.run(sys.executable, "-c", _SEARCH, attacker.own)
        time.sleep(7)
        recorder.terminate()
    lines = [line for line in said.splitlines()[1:] if line and "done" not in line]
    lines.insert(0, f"$ nmap -sS -p 22,80,443 {attacker.address}")
    name.with_suffix(".txt").write_text("\n".join(lines) + "\n")


def compared(profile: Profile, folder: Path, view: Path | None) -> dict[str, Any]:
    """A device and its decoy."""
    model = folder / f"{profile.kind}.model"
    iot.fit(ROOT / "samples" / profile.kind).save(model)
    certificates = folder / f"{profile.kind}-keys"
    certificates.mkdir()
    make_certificates(profile, certificates)
    found: dict[str, Any] = {}
    for who in ("device", "decoy"):
        print(f"{profile.kind}, the {who}", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=folder) as name:
            work = Path(name)
            for made in certificates.iterdir():
                shutil.copy(made, work)
            with a_home(profile, work) as home:
                if who == "device":
                    address = device(home)
                else:
                    decoy(home, model, "--ip", address, "--mac", profile.mac)
                attacker = awaited(home, address)
                if view is not None:
                    viewed(attacker, view / f"{profile.kind}-{who}")
                found[who] = asked(attacker)
    return found


def timed(captures: Path, folder: Path) -> dict[str, Any]:
    """How long a captured device took to answer, and how long its decoy does, in microseconds."""
    print(f"{captures.name}, the decoy", file=sys.stderr)
    model, work = folder / f"{captures.name}.model", folder / captures.name
    iot.fit(captures).save(model)
    recording = iot.load(model).recording
    if recording is None:
        raise SystemExit(f"{captures} has no Ethernet captures")
    delays_ns = learn_reflexes(recording, find_sayings(recording)).delays_ns
    profile = PROFILES["plug"]
    address = f"{profile.subnet}.138"
    work.mkdir()
    make_certificates(profile, work)
    with a_home(profile, work) as home:
        decoy(home, model, "--ip", address)
        found = response_times(awaited(home, address))
    # nobody pings them
    kinds = {"arp": "arp", "closed port": "tcp"}
    shown = {
        name: round(statistics.median(delays_ns[kind]) / 1000, 1) for name, kind in kinds.items()
    }
    return {"captured": shown, "decoy": found}


def main() -> None:
    """Ask both, and write what was said."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=sorted(PROFILES), help="this one only (both)")
    parser.add_argument("root", type=Path, nargs="?", help="folder of devices' captures")
    parser.add_argument("--timed", default="HueBridge,D-LinkCam,WeMoSwitch", help="devices of it")
    parser.add_argument("--view", type=Path, help="folder for what the README's picture shows")
    parser.add_argument("--out", type=Path, default=RESULTS / "scanners.json")
    options = parser.parse_args()
    require()
    if options.view:
        options.view.mkdir(parents=True, exist_ok=True)
    chosen = [options.device] if options.device else sorted(PROFILES)
    with tempfile.TemporaryDirectory(prefix="iot-scan-") as name:
        folder = Path(name)
        found = {
            "devices": {kind: compared(PROFILES[kind], folder, options.view) for kind in chosen}
        }
        if options.root:
            devices = [options.root / each for each in options.timed.split(",")]
            found["timed"] = {each.name: timed(each, folder) for each in devices}
    options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
