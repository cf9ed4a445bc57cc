"""The owner's phone: searches the home network, looks at the device's page, and gives it orders.

Runs in the phone's namespace, on the same home network as the device. Orders go the long way, as
with most such products: to the broker in the cloud, and from there down to the device.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import random
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from discovery import mdns_query, ssdp_search
from mqtt import MqttClient, connect_tls
from notes import Notes
from profiles import PROFILES, Profile

_MEAN_GAP_S = 3.5


class Phone:
    """The app's four habits; which one comes next, and when, is up to `rng`."""

    def __init__(
        self, profile: Profile, rng: random.Random, work: Path, leisure: float = 1.0
    ) -> None:
        self._profile, self._rng, self._ca_file = profile, rng, str(work / "ca.pem")
        self._notes, self._leisure = Notes(work), leisure
        self._device: str | None = None

    def run(self, deadline: float) -> None:
        """Use the app now and then, until `deadline`."""
        time.sleep(
            self._rng.uniform(3.0, 7.0)
        )  # nobody reaches for the phone before the lamp is on
        habits: list[Callable[[], None]] = [self.order, self.look, self.search, self.browse]
        eager = self._rng.uniform(0.6, 1.6)
        while time.monotonic() < deadline:
            # An app that finds nothing shows a spinner; its owner tries again.
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._rng.choices(habits, weights=[5, 3, 2, 1])[0]()
            time.sleep(0.3 + self._leisure * self._rng.expovariate(1 / (_MEAN_GAP_S * eager)))

    def order(self) -> None:
        """One order or a few in a row, through the cloud."""
        broker = self._profile.broker
        tls = connect_tls(broker.name, 8883, self._ca_file, tls13=True, ipv6_lookups=False)
        topic = f"{self._profile.kind}/{self._profile.mac.replace(':', '')}/set"
        orders = ["toggle"] if self._profile.kind == "plug" else ["toggle", "picture"]
        with MqttClient(tls, f"app-{self._rng.getrandbits(32):08x}", 60) as client:
            for _ in range(self._rng.choice([1, 1, 2, 3])):
                order = self._rng.choice(orders)
                self._notes.note(order)
                client.publish(topic, order, acknowledged=True)
                client.receive(1.0)
                time.sleep(self._rng.uniform(0.2, 1.2))

    def search(self) -> None:
        """SSDP, and a look at the description of whoever answers."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
            own = socket.inet_aton(self._profile.phone)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
            target = self._rng.choice(["ssdp:all", "upnp:rootdevice", self._profile.device_type])
            self._notes.note("search")
            sock.sendto(ssdp_search(target), ("239.255.255.250", 1900))
            sock.settimeout(1.5)
            answer = sock.recv(2048).decode()
            if self._rng.random() < 0.7:  # else the app has heard enough, and later ones bounce
                time.sleep(1.0)
        found = re.search(r"LOCATION: (\S+)", answer)
        if found:
            place = urlsplit(found[1])
            self._device = place.hostname
            self._get(place.path)

    def browse(self) -> None:
        """mDNS: who offers a web page here?"""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("", 5353))
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
            own = socket.inet_aton(self._profile.phone)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
            self._notes.note("browse")
            sock.sendto(mdns_query("_http._tcp.local"), ("224.0.0.251", 5353))

    def look(self) -> None:
        """The device's page, over plain HTTP; the app must have found the device before."""
        if self._device is None:
            self.search()
        pages = ["/status", "/status", "/snapshot.jpg"]
        page = "/status" if self._profile.kind == "plug" else self._rng.choice(pages)
        for _ in range(self._rng.choice([1, 2])):
            self._notes.note(page.strip("/").partition(".")[0])
            self._get(page)
            time.sleep(self._rng.uniform(0.5, 1.5))

    def _get(self, path: str) -> None:
        if self._device is None:
            return
        web = http.client.HTTPConnection(self._device, 80, timeout=3)
        try:
            web.request("GET", path, headers={"User-Agent": "HomeApp/5.1"})
            web.getresponse().read()
        finally:
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
    rng = random.Random(options.seed)
    phone = Phone(PROFILES[options.kind], rng, options.work, options.leisure)
    phone.run(time.monotonic() + options.limit)


if __name__ == "__main__":
    main()
