#!/usr/bin/env python3
"""Record the sample captures: two simulated devices, real protocol stacks, no packet library.

For each capture it sets up a home in network namespaces (see network.py): the device and a phone
on a bridge, a router with DHCP and DNS, and behind a delaying line a cloud with DNS, NTP, HTTPS
and an MQTT broker with TLS. The device is switched on and used at random times; dumpcap listens on
the router's port towards it. Nothing leaves the namespaces, and nothing of them is left behind.

Kernels, OpenSSL, dnsmasq, mosquitto and udhcpc do as they please with ports, timing and keys: the
seed settles what the device and its owner do, but no two recordings are the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType

from network import Home, RecordingError, Stopped, run
from notes import read_notes, write_events
from profiles import DNS_UPSTREAM, PROFILES, Profile

_HERE = Path(__file__).resolve().parent
_PACKETS = range(60, 401)
_TRIES = 4
_PROGRAMS = {
    "busybox": "busybox",
    "dnsmasq": "dnsmasq-base",
    "dumpcap": "tshark",
    "editcap": "tshark",
    "ethtool": "ethtool",
    "ip": "iproute2",
    "mosquitto": "mosquitto",
    "openssl": "openssl",
    "sysctl": "procps",
    "timeout": "coreutils",
    "udhcpc": "udhcpc",
}
_EXAMPLES = """\
examples:
  sudo python3 samples/record.py
  sudo python3 samples/record.py --device camera --captures 2 --out /tmp/samples
  sudo python3 samples/record.py --seconds 165 --leisure 2 --captures 6 --any-size --out /tmp/long
"""
_MOSQUITTO = """\
user root
persistence false
log_dest stderr
listener 8883 {address}
allow_anonymous true
cafile {work}/ca.pem
certfile {work}/cloud.pem
keyfile {work}/cloud.key
"""


def require() -> None:
    """Refuse to start without root, tun devices or one of the programs; say how to get them."""
    missing = sorted({package for name, package in _PROGRAMS.items() if not shutil.which(name)})
    if missing:
        raise RecordingError(
            f"programs are missing: apt-get install --no-install-recommends {' '.join(missing)}"
        )
    if os.geteuid() != 0:
        raise RecordingError("network namespaces need root: run it with sudo")
    if not Path("/dev/net/tun").exists():
        raise RecordingError("/dev/net/tun is missing: run `modprobe tun`")


def make_certificates(profile: Profile, work: Path) -> None:
    """A certificate authority and one certificate for all names of the device's cloud."""
    kind = [profile.key_type]
    if profile.key_type == "ec":
        kind += ["-pkeyopt", "ec_paramgen_curve:prime256v1"]
    request = ["openssl", "req", "-x509", "-nodes", "-newkey", *kind, "-days", "365"]
    maker = profile.firmware.name.split(".", 1)[1]
    run(
        *[*request, "-subj", f"/O={maker}/CN={maker} root", "-keyout", f"{work}/ca.key"],
        *["-out", f"{work}/ca.pem", "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
    )
    names = ",".join(f"DNS:{peer.name}" for peer in profile.peers)
    run(
        *[*request, "-subj", f"/O={maker}/CN={profile.broker.name}"],
        *["-keyout", f"{work}/cloud.key", "-out", f"{work}/cloud.pem"],
        *["-CA", f"{work}/ca.pem", "-CAkey", f"{work}/ca.key"],
        *["-addext", f"subjectAltName={names}", "-addext", "basicConstraints=critical,CA:FALSE"],
    )


def start_router(home: Home, seed: int, limit: float) -> None:
    """The delaying line, DHCP, and a DNS cache that asks the cloud."""
    profile = home.profile
    wan = [sys.executable, str(_HERE / "wan.py"), profile.kind, "--cloud", home.namespace("cloud")]
    home.start("router", *wan, "--seed", str(seed), "--limit", str(limit), ready="ready")
    home.connect_wan()
    home.start(
        *["router", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--log-facility=-"],
        *["--user=root", "--no-hosts", "--no-resolv", "--pid-file", "--interface=br0"],
        *["--bind-interfaces", f"--server={DNS_UPSTREAM}", "--dhcp-authoritative", "--no-ping"],
        *["--domain=lan", f"--dhcp-leasefile={home.work}/leases"],
        f"--dhcp-range={profile.subnet}.100,{profile.subnet}.199,12h",
        ready="started",
    )


def start_cloud(home: Home, seed: int, limit: float) -> None:
    """The authoritative side of DNS, time, HTTPS, and the broker."""
    profile = home.profile
    hosts = [f"--host-record={peer.name},{peer.address},300" for peer in profile.peers]
    home.start(
        *["cloud", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--log-facility=-"],
        *["--user=root", "--no-hosts", "--no-resolv", "--pid-file", "--local=/example/"],
        *["--bind-interfaces", f"--listen-address={DNS_UPSTREAM}", *hosts],
        ready="started",
    )
    settings = home.work / "mosquitto.conf"
    settings.write_text(_MOSQUITTO.format(address=profile.broker.address, work=home.work))
    home.start("cloud", "mosquitto", "-c", str(settings), ready="running")
    script = str(_HERE / "services.py")
    options = ["--work", str(home.work), "--seed", str(seed), "--limit", str(limit)]
    home.start("cloud", sys.executable, script, profile.kind, *options, ready="ready")


def record_session(
    profile: Profile,
    rng: random.Random,
    options: argparse.Namespace,
    work: Path,
    stop: threading.Event,
) -> Path:
    """One life of the device, from power on to the end of the recording, as a plain pcap."""
    capture = work / "session.pcap"
    length = options.seconds * rng.uniform(0.6, 1.4)
    limit = length + 30
    seeds = [rng.getrandbits(31) for _ in range(4)]
    with Home.open(profile, work, stop, limit + 60) as home:
        start_router(home, seeds[0], limit)
        start_cloud(home, seeds[1], limit)
        home.wait(1.5)  # let the phone's and the router's own first words pass
        # The plain format: pcapng would carry the recording machine's processor and kernel.
        listen = ["dumpcap", "-q", "-P", "-i", "lan0", "-w", str(capture)]
        recorder = home.start("router", *listen, ready="File:")
        for role, seed in (("device", seeds[2]), ("phone", seeds[3])):
            script = [str(_HERE / f"{role}.py"), profile.kind, "--work", str(work)]
            how = ["--seed", str(seed), "--limit", str(limit), "--leisure", str(options.leisure)]
            home.start(role, sys.executable, *script, *how)
        home.wait(length)
        home.end(recorder, signal.SIGINT)  # in mid-sentence, as such recordings end
    return capture


def put_in_order(capture: Path) -> list[int]:
    """Sort a plain little-endian pcap by time, and tell when its packets came, in nanoseconds.

    Two processors hand over their packets separately, a few microseconds out of turn.
    """
    data, at = capture.read_bytes(), 24
    packets: list[tuple[tuple[int, int], bytes]] = []
    while at + 16 <= len(data):
        seconds, fraction, size = struct.unpack_from("<III", data, at)
        packets.append(((seconds, fraction), data[at : at + 16 + size]))
        at += 16 + size
    packets.sort(key=lambda packet: packet[0])
    capture.write_bytes(data[:24] + b"".join(packet for _, packet in packets))
    return [seconds * 10**9 + fraction * 1000 for (seconds, fraction), _ in packets]


def store(capture: Path, target: Path) -> None:
    """Put the capture where it belongs, in the format its name asks for; whole or not at all."""
    part = target.with_name(f".{target.name}.part")
    try:
        if ".pcapng" in target.suffixes:
            run("editcap", "-F", "pcapng", str(capture), str(part))
            capture = part
        content = capture.read_bytes()
        if target.suffix == ".gz":
            content = gzip.compress(content, 9, mtime=0)
        part.write_bytes(content)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def record_device(profile: Profile, options: argparse.Namespace, stop: threading.Event) -> None:
    """All captures of one device. A session with too few or too many packets is done again."""
    folder = options.out / profile.kind
    folder.mkdir(parents=True, exist_ok=True)
    suffix = "pcapng" if profile.kind == "plug" else "pcap.gz"
    if options.gzip and not suffix.endswith(".gz"):
        suffix += ".gz"
    events: list[tuple[int, str]] = []
    with tempfile.TemporaryDirectory(prefix=f"iot-{profile.kind}-") as name:
        certificates = Path(name)
        make_certificates(profile, certificates)
        for number in range(1, options.captures + 1):
            target = folder / f"{profile.kind}-{number:02d}.{suffix}"
            for attempt in range(_TRIES):
                rng = random.Random(f"{options.seed}/{profile.kind}/{number}/{attempt}")
                with tempfile.TemporaryDirectory(dir=name) as inner:
                    work = Path(inner)
                    for made in ("ca.pem", "cloud.pem", "cloud.key"):
                        shutil.copy(certificates / made, work)
                    capture = record_session(profile, rng, options, work, stop)
                    times = put_in_order(capture)
                    packets = len(times)
                    good = options.any_size or packets in _PACKETS
                    if good:
                        store(capture, target)
                        events += read_notes(work, times[0], times[-1])
                print(
                    f"{target.name}: {packets} packets", "" if good else "(again)", file=sys.stderr
                )
                if good:
                    break
            else:
                raise RecordingError(f"{target.name}: no session had 60 to 400 packets")
    write_events(events, folder / "events.csv")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=_HERE, help="folder to write into (samples/)")
    parser.add_argument("--captures", type=int, default=16, help="captures a device (16)")
    parser.add_argument("--device", choices=sorted(PROFILES), help="this device only (both)")
    parser.add_argument("--seed", type=int, default=0, help="what the devices and the owner do (0)")
    parser.add_argument("--seconds", type=float, default=17.0, help="mean length of a session (17)")
    parser.add_argument(
        "--leisure", type=float, default=1.0, help="times as rarely used by its owner (1)"
    )
    parser.add_argument("--gzip", action="store_true", help="pack all captures")
    parser.add_argument("--any-size", action="store_true", help="keep whatever number of packets")
    options = parser.parse_args()
    if options.captures < 1 or not 5 <= options.seconds <= 3600 or options.leisure <= 0:
        parser.error("--captures must be at least 1, --seconds from 5 to 3600, --leisure above 0")
    return options


def main() -> int:
    """Record the devices asked for, side by side; 0 if all went well."""
    options = parse()
    stop = threading.Event()
    failures: list[str] = []

    def worker(profile: Profile) -> None:
        try:
            record_device(profile, options, stop)
        except Stopped:
            pass
        except (RecordingError, OSError) as error:
            failures.append(f"{profile.kind}: {error}")
            stop.set()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        failures.append("stopped")
        stop.set()

    try:
        require()
    except RecordingError as error:
        print(f"record.py: {error}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    chosen = [options.device] if options.device else sorted(PROFILES)
    threads = [threading.Thread(target=worker, args=(PROFILES[kind],)) for kind in chosen]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures:
        print(f"record.py: {failure}", file=sys.stderr)
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
