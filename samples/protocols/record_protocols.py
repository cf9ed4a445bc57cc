#!/usr/bin/env python3
"""Record devices that speak other protocols than TLS, with real programs on both ends.

A device and a peer are two network namespaces with a cable between them; dumpcap listens at the
peer's end. Needs root, Linux, and on Debian 12

    apt-get install --no-install-recommends ethtool iproute2 iputils-ping libcoap3-bin mosquitto \
      openssl tshark gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base \
      gstreamer1.0-plugins-good gstreamer1.0-rtsp gstreamer1.0-tools python3-gi
    pip install aiocoap aioquic paho-mqtt pymodbus
    python samples/protocols/record_protocols.py
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_SELF = [sys.executable, str(_HERE / "ends.py")]
_SYSTEM = ["/usr/bin/python3", str(_HERE / "ends.py")]
_MACS = {"device": "5e:cf:7f:51:40:01", "peer": "02:1d:aa:51:40:02"}
_V4 = {"device": "192.168.31.50", "peer": "192.168.31.10"}
_V6 = {"device": "fd31:7:9::50", "peer": "fd31:7:9::10"}
_BROKER = "listener 1883 {peer}\nallow_anonymous true\npersistence false\nuser root\n"
_KEY = ["-u", "sensor", "-k", "garden-hose"]

# what runs on either end, servers first; {device} and {peer} are addresses
SCENES: dict[str, list[tuple[str, list[str]]]] = {
    "mqtt": [
        ("peer", ["mosquitto", "-c", "broker.conf"]),
        ("peer", [*_SELF, "mqtt_owner", "{peer}"]),
        ("device", [*_SELF, "mqtt", "{peer}"]),
    ],
    "coap": [
        ("device", [*_SELF, "coap", "{device}"]),
        ("peer", [*_SELF, "coap_reader", "{device}"]),
    ],
    "coaps": [
        ("device", ["coap-server-openssl", "-A", "{device}", "-k", "garden-hose", "-h", "sensor"]),
        ("peer", ["sh", "-c", "{read_coaps}"]),
    ],
    "modbus": [
        ("device", [*_SELF, "modbus", "{device}"]),
        ("peer", [*_SELF, "modbus_master", "{device}"]),
    ],
    "rtsp": [
        ("device", [*_SYSTEM, "rtsp", "{device}"]),
        ("peer", ["sh", "-c", "{play}"]),
    ],
    "quic": [
        ("device", [*_SELF, "quic", "{device}"]),
        ("peer", [*_SELF, "quic_client", "{device}"]),
    ],
    "ipv6": [
        ("device", [*_SELF, "coap", "{device}"]),
        ("device", ["ping", "-c", "5", "-i", "0.7", "{peer}"]),
        ("device", [*_SELF, "syslog", "{peer}"]),
        ("peer", [*_SELF, "coap_reader", "{device}"]),
    ],
}


def run(*command: str) -> None:
    """Run a program to its end."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise SystemExit(f"`{' '.join(command)}` failed: {done.stderr.strip()}")


@contextlib.contextmanager
def cable(*, ipv6: bool) -> Iterator[dict[str, str]]:
    """Two namespaces, connected; their names. With IPv6 they have nothing else."""
    names = {role: f"iot-{secrets.token_hex(3)}-{role}" for role in _MACS}
    try:
        for name in names.values():
            run("ip", "netns", "add", name)
        ends = f"peer name eth0 netns {names['peer']}".split()
        run(*f"ip -n {names['device']} link add eth0 type veth".split(), *ends)
        for role, name in names.items():
            run("ip", "-n", name, "link", "set", "eth0", "address", _MACS[role])
            off = ["tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off"]
            run("ip", "netns", "exec", name, "ethtool", "-K", "eth0", *off)
            for link in ("lo", "eth0"):
                run("ip", "-n", name, "link", "set", link, "up")
            address = f"{_V6[role]}/64" if ipv6 else f"{_V4[role]}/24"
            more = ["nodad"] if ipv6 else []
            run("ip", "-n", name, "address", "add", address, "dev", "eth0", *more)
        yield names
    finally:
        for name in names.values():
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def scene(kind: str, rng: random.Random, target: Path, work: Path) -> None:
    """Record one stretch of a device's life."""
    address = _V6 if kind == "ipv6" else _V4
    (work / "broker.conf").write_text(_BROKER.format(**address))
    seconds = rng.uniform(2.5, 4)
    reads = "; ".join(
        f"coap-client-openssl -m get {' '.join(_KEY)} coaps://{address['device']}/{path}; sleep 0.3"
        for path in rng.choices(["time", "", "example_data", ".well-known/core"], k=8)
    )
    play = (
        f"timeout {seconds:.1f} gst-launch-1.0 rtspsrc protocols=udp "
        f"location=rtsp://{address['device']}/live ! fakesink; sleep 0.2"
    )
    words = {**address, "read_coaps": reads, "play": play}
    with cable(ipv6=kind == "ipv6") as names, contextlib.ExitStack() as ends:
        inside = {role: ["ip", "netns", "exec", name] for role, name in names.items()}
        listen = [*inside["peer"], "dumpcap", "-q", "-P", "-i", "eth0", "-w", str(target)]
        last = None
        for number, (role, command) in enumerate([("", []), *SCENES[kind]]):
            each = [*inside[role], *command] if role else listen
            each = [word.format(**words) for word in each] if role else each
            if command and "ends.py" in " ".join(command):
                each.append(f"{rng.random()}")
            last = subprocess.Popen(
                ["timeout", "-k", "1", "40", *each],
                cwd=work,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            ends.callback(_end, last)
            if number < len(SCENES[kind]):
                time.sleep(2.0)
        if last is not None:
            last.wait(timeout=45)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop one process and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def main() -> None:
    """Record what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=list(SCENES), help=", ".join(SCENES))
    parser.add_argument("--captures", type=int, default=5)
    parser.add_argument("--out", type=Path, default=_HERE)
    options = parser.parse_args()
    for kind in options.kinds:
        folder = options.out / kind
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, options.captures + 1):
            rng = random.Random(f"{kind}/{number}")
            with tempfile.TemporaryDirectory() as name:
                work = Path(name)
                certificate = ["-keyout", f"{name}/server.key", "-out", f"{name}/server.pem"]
                curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
                subject = ["-subj", "/CN=hub.example", "-days", "365"]
                run("openssl", "req", "-x509", "-nodes", *curve, *subject, *certificate)
                capture = work / "capture.pcap"
                scene(kind, rng, capture, work)
                in_order = str(folder / f"{kind}-{number}.pcap")
                run("reordercap", str(capture), in_order)
                run("editcap", "-F", "pcap", in_order, str(capture))
                Path(in_order).write_bytes(capture.read_bytes())


if __name__ == "__main__":
    main()
