"""The device: boots, looks its servers up, and then lives its life until it is stopped.

Runs in the device's namespace, whose kernel makes every packet. The link is down when it starts;
bringing it up is the device's power switch.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import http.server
import json
import random
import socket
import socketserver
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from discovery import Discovery
from mqtt import MqttClient, connect_tls
from notes import Notes
from profiles import PROFILES, Peer, Profile

_LEASE_SCRIPT = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip address add "$ip/$mask" broadcast + dev "$interface"
ip route add default via "$router" dev "$interface"
echo "$ip" > "{file}"
"""
_NTP_EPOCH = 2_208_988_800
_JPEG_HEAD = (
    b"\xff\xd8"
    + b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    + b"\xff\xdb\x00\x43\x00"
    + bytes(range(16, 80))  # a quantisation table
    + b"\xff\xc0\x00\x0b\x08\x00\xf0\x01\x40\x01\x01\x11\x00"  # 320 x 240, grey
    + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
)


@dataclass
class State:
    """What the device knows of itself; read by its status page."""

    on: bool
    power_w: float
    pictures: int = 0


class _Https(http.client.HTTPConnection):
    """HTTPS that resolves and shakes hands the way this device does."""

    default_port = 443

    def __init__(self, peer: Peer, profile: Profile, ca_file: str) -> None:
        super().__init__(peer.name, timeout=5)
        self._profile, self._ca_file = profile, ca_file

    def connect(self) -> None:
        self.sock = connect_tls(
            self.host,
            443,
            self._ca_file,
            tls13=self._profile.tls13,
            ipv6_lookups=self._profile.ipv6_lookups,
        )

    def close(self) -> None:
        """The camera takes its leave as TLS asks; the plug just drops the connection."""
        if self._profile.tls13 and isinstance(self.sock, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                self.sock.unwrap()
        super().close()


def take_address(profile: Profile, rng: random.Random, work: Path) -> str:
    """Power on: link up, then an address from DHCP through udhcpc."""
    lease, script = work / "address", work / "lease.sh"
    script.write_text(_LEASE_SCRIPT.format(file=lease))
    script.chmod(0o700)
    subprocess.run(["ip", "link", "set", "dev", "eth0", "up"], check=True)
    time.sleep(rng.uniform(0.1, 1.6))
    command = ["udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "6", "-T", "1", "-s", str(script)]
    command += ["-x", f"hostname:{profile.hostname}", "-V", profile.vendor_class]
    if profile.arp_probe:
        command.append("-a300")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = lease.read_text().strip()
    if profile.arp_probe:
        announce = ["busybox", "arping", "-U", "-c", "1", "-w", "1", "-I", "eth0", address]
        subprocess.run(announce, check=False, stdout=subprocess.DEVNULL)
    return address


def set_clock(peer: Peer, profile: Profile, rng: random.Random) -> None:
    """One NTP exchange (the answer is read and dropped: the clock here is the recorder's)."""
    family = socket.AF_UNSPEC if profile.ipv6_lookups else socket.AF_INET
    address = socket.getaddrinfo(peer.name, 123, family, socket.SOCK_DGRAM)[0][4]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(address)
        sock.settimeout(1.5)
        for _ in range(3):
            seconds = time.time() + rng.uniform(-0.4, 0.4)
            stamp = struct.pack("!II", int(seconds) + _NTP_EPOCH, rng.getrandbits(32))
            sock.send(struct.pack("!BBBb36x", 0x23, 0, 6, -20) + stamp)
            try:
                sock.recv(512)
                return
            except TimeoutError:
                continue


def picture(rng: random.Random) -> bytes:
    """A small JPEG in form: its segments are sound, but its image data is noise."""
    size = int(min(max(rng.lognormvariate(8.1, 0.5), 1000), 9000))
    noise = rng.randbytes(size).replace(b"\xff", b"\xfe")  # 0xff would start a segment
    return _JPEG_HEAD + noise + b"\xff\xd9"


def status_server(profile: Profile, address: str, state: State, rng: random.Random) -> None:
    """The device's own page on port 80: its description, its state, and the camera's picture."""
    description = (
        '<?xml version="1.0"?>\n<root xmlns="urn:schemas-upnp-org:device-1-0">\n'
        f" <specVersion><major>1</major><minor>0</minor></specVersion>\n <device>\n"
        f"  <deviceType>{profile.device_type}</deviceType>\n"
        f"  <friendlyName>{profile.hostname}</friendlyName>\n"
        f"  <modelName>{profile.model}</modelName>\n  <UDN>uuid:{profile.uuid}</UDN>\n"
        " </device>\n</root>\n"
    )

    class Page(http.server.BaseHTTPRequestHandler):
        server_version = f"{profile.model}/1.0"
        sys_version = ""
        timeout = 5

        def do_GET(self) -> None:
            if self.path == "/description.xml":
                self._answer("text/xml", description.encode())
            elif self.path == "/status":
                self._answer("application/json", json.dumps(vars(state)).encode())
            elif self.path == "/snapshot.jpg" and profile.kind == "camera":
                self._answer("image/jpeg", picture(rng))
            else:
                self.send_error(404)

        def _answer(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    # Not http.server.HTTPServer: that one looks up this machine's own name when it binds.
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    server = socketserver.ThreadingTCPServer((address, 80), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()


class Life:
    """What the device does once it is at home, told by its timers and by its broker."""

    def __init__(
        self, profile: Profile, rng: random.Random, work: Path, leisure: float = 1.0
    ) -> None:
        self._profile, self._rng, self._ca_file = profile, rng, str(work / "ca.pem")
        self._notes, self._leisure = Notes(work), leisure
        self.state = State(on=rng.random() < 0.5, power_w=rng.uniform(4.0, 60.0))
        self._topic = f"{profile.kind}/{profile.mac.replace(':', '')}"
        self._bustle = rng.uniform(0.4, 1.4)  # some days are busier than others
        self._due: dict[str, float] = {}

    def boot(self) -> None:
        """Clock and firmware check, in whichever order this boot happens to take."""
        peers = self._profile.time
        steps: list[Callable[[], None]] = [
            lambda: set_clock(self._rng.choice(peers), self._profile, self._rng),
            self._check_firmware,
        ]
        self._rng.shuffle(steps)
        for step in steps:
            # As a device does: if it fails, carry on and ask again another day.
            with contextlib.suppress(OSError, http.client.HTTPException):
                step()
            time.sleep(self._rng.uniform(0.05, 0.8))

    def run(self, deadline: float) -> None:
        """Talk to the broker until `deadline`, connecting anew whenever that fails."""
        self._plan()
        while time.monotonic() < deadline:
            try:
                self._session(deadline)
            except (OSError, http.client.HTTPException):
                time.sleep(self._rng.uniform(0.5, 2.0))

    def _session(self, deadline: float) -> None:
        broker, profile = self._profile.broker, self._profile
        tls = connect_tls(
            broker.name,
            8883,
            self._ca_file,
            tls13=profile.tls13,
            ipv6_lookups=profile.ipv6_lookups,
        )
        with MqttClient(tls, profile.hostname, 15) as client:
            client.subscribe(f"{self._topic}/set")
            self._report(client)
            while (now := time.monotonic()) < deadline:
                name = min(self._due, key=lambda key: self._due[key])
                message = client.receive(min(self._due[name], deadline) - now)
                if message is not None:
                    self._obey(client, message[1])
                elif self._due[name] <= time.monotonic():
                    self._fire(client, name)

    def _plan(self) -> None:
        now, rng = time.monotonic(), self._rng
        self._due = {
            "ping": now + self._profile.keepalive_s,
            "telemetry": now + self._profile.telemetry_s * rng.uniform(0.3, 1.0),
            "event": now + self._leisure * rng.expovariate(self._bustle / 5.0),
            "clock": now + rng.uniform(5.0, 25.0),
        }

    def _fire(self, client: MqttClient, name: str) -> None:
        now, rng = time.monotonic(), self._rng
        if name == "ping":
            client.ping()
            self._due[name] = now + self._profile.keepalive_s
        elif name == "telemetry":
            self.state.power_w = max(0.2, self.state.power_w + rng.gauss(0.0, 1.5))
            client.publish(f"{self._topic}/telemetry", self._measurements())
            self._due[name] = now + self._profile.telemetry_s * rng.uniform(0.95, 1.05)
        elif name == "event":
            self._due[name] = now + 0.8 + self._leisure * rng.expovariate(self._bustle / 7.0)
            self._event(client)
        else:
            self._due[name] = now + rng.uniform(15.0, 40.0)
            set_clock(rng.choice(self._profile.time), self._profile, rng)

    def _measurements(self) -> str:
        if self._profile.kind == "plug":
            power = self.state.power_w if self.state.on else 0.0
            return json.dumps(
                {"power": round(power, 2), "voltage": round(self._rng.gauss(231, 1), 1)}
            )
        return json.dumps({"rssi": self._rng.randint(-71, -48), "pictures": self.state.pictures})

    def _report(self, client: MqttClient) -> None:
        client.publish(f"{self._topic}/state", json.dumps(vars(self.state)), acknowledged=True)

    def _obey(self, client: MqttClient, order: str) -> None:
        """What the app asks for: `toggle` (the plug, the camera's light) or `picture`."""
        time.sleep(self._rng.uniform(0.01, 0.12))
        if order == "picture":
            self._upload(1)
        else:
            self.state.on = not self.state.on
        self._report(client)

    def _event(self, client: MqttClient) -> None:
        """Somebody presses the plug's button, or walks past the camera."""
        self._notes.note("button" if self._profile.kind == "plug" else "motion")
        if self._profile.kind == "plug":
            self.state.on = not self.state.on
            self._report(client)
            return
        motion = json.dumps({"motion": True, "score": round(self._rng.uniform(0.4, 1.0), 3)})
        client.publish(f"{self._topic}/event", motion, acknowledged=True)
        self._upload(self._rng.choice([1, 1, 2]))

    def _check_firmware(self) -> None:
        web = _Https(self._profile.firmware, self._profile, self._ca_file)
        path = f"/firmware/{self._profile.model}?installed=2.4.1"
        headers = {"User-Agent": self._profile.model}
        if not self._profile.tls13:
            headers["Connection"] = "close"
        web.request("GET", path, headers=headers)
        web.getresponse().read()
        web.close()

    def _upload(self, pictures: int) -> None:
        if self._profile.media is None:
            return
        web = _Https(self._profile.media, self._profile, self._ca_file)
        for _ in range(pictures):
            body = picture(self._rng)
            headers = {"User-Agent": self._profile.model, "Content-Type": "image/jpeg"}
            web.request("POST", f"/v1/pictures/{self._profile.hostname}", body, headers)
            web.getresponse().read()
            self.state.pictures += 1
            time.sleep(self._rng.uniform(0.05, 0.7))
        web.close()


def main() -> None:
    """Read the command line, then run until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=sorted(PROFILES))
    parser.add_argument("--work", type=Path, required=True, help="folder with the cloud's CA")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--limit", type=float, required=True, help="seconds to run")
    parser.add_argument("--leisure", type=float, default=1.0, help="times as rarely used")
    options = parser.parse_args()
    profile, rng = PROFILES[options.kind], random.Random(options.seed)
    deadline = time.monotonic() + options.limit
    address = take_address(profile, rng, options.work)
    life = Life(profile, rng, options.work, options.leisure)
    status_server(profile, address, life.state, random.Random(rng.getrandbits(32)))
    discovery = Discovery(profile, address, random.Random(rng.getrandbits(32)))
    threading.Thread(target=discovery.run, args=(deadline,), daemon=True).start()
    time.sleep(rng.uniform(0.0, 0.6))
    life.boot()
    life.run(deadline)


if __name__ == "__main__":
    main()
