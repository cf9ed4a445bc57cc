"""How a device makes itself known at home: mDNS (RFC 6762, 6763) and SSDP (UPnP 1.0).

The messages are the device's own, written here; the sockets, the IGMP joins and the packets are
the kernel's.
"""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import struct
import time
from collections.abc import Callable

from profiles import Profile

__all__ = ["Discovery", "mdns_query", "ssdp_search"]

_MDNS = ("224.0.0.251", 5353)
_SSDP = ("239.255.255.250", 1900)
_A, _PTR, _TXT, _SRV, _ANY = 1, 12, 16, 33, 255
_FLUSH = 0x8001  # class IN, and "drop what you had cached"
_UNICAST_PLEASE = 0x8001  # the same bit in a question asks for a unicast answer
_SERVICE = "_http._tcp.local"


def _name(text: str) -> bytes:
    labels = [label.encode() for label in text.split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _record(name: str, kind: int, dns_class: int, ttl: int, data: bytes) -> bytes:
    return _name(name) + struct.pack("!HHIH", kind, dns_class, ttl, len(data)) + data


def mdns_query(name: str, kind: int = _PTR, *, unicast: bool = False) -> bytes:
    """One question."""
    dns_class = _UNICAST_PLEASE if unicast else 1
    head = struct.pack("!6H", 0, 0, 1, 0, 0, 0)
    return head + _name(name) + struct.pack("!HH", kind, dns_class)


def ssdp_search(target: str) -> bytes:
    """One M-SEARCH, as a control point sends it."""
    lines = ["M-SEARCH * HTTP/1.1", "HOST: 239.255.255.250:1900", 'MAN: "ssdp:discover"']
    return _http(*lines, "MX: 1", f"ST: {target}")


def _http(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode()


def _group_socket(group: tuple[str, int], address: str, ttl: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", group[1]))
    member = socket.inet_aton(group[0]) + socket.inet_aton(address)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
    return sock


class Discovery:
    """Announces the device, then answers whoever asks, until `deadline`."""

    def __init__(self, profile: Profile, address: str, rng: random.Random) -> None:
        self._profile, self._address, self._rng = profile, address, rng
        self._host = f"{profile.hostname}.local"
        self._instance = f"{profile.hostname}.{_SERVICE}"
        self._mdns = _group_socket(_MDNS, address, 255)
        self._ssdp = _group_socket(_SSDP, address, 4)
        self._due: list[tuple[float, Callable[[], None]]] = []

    def run(self, deadline: float) -> None:
        """Blocks; meant for a thread of its own."""
        self._plan_announcements(time.monotonic())
        with selectors.DefaultSelector() as selector, self._mdns, self._ssdp:
            selector.register(self._mdns, selectors.EVENT_READ, self._hear_mdns)
            selector.register(self._ssdp, selectors.EVENT_READ, self._hear_ssdp)
            while (now := time.monotonic()) < deadline:
                while self._due and self._due[0][0] <= now:
                    self._due.pop(0)[1]()
                wait = min([deadline, *(at for at, _ in self._due[:1])]) - now
                for key, _ in selector.select(max(wait, 0.0)):
                    data, sender = key.fileobj.recvfrom(2048)  # type: ignore[union-attr]
                    key.data(data, sender)

    def _later(self, at: float, action: Callable[[], None]) -> None:
        self._due.append((at, action))
        self._due.sort(key=lambda item: item[0])

    def _plan_announcements(self, now: float) -> None:
        start = now + self._rng.uniform(0.0, 0.25)  # RFC 6762, 8.1
        for turn in range(3):
            self._later(start + 0.25 * turn, self._probe)
        for at in (0.75, 1.75):
            self._later(start + at, self._announce)
        start = now + self._rng.uniform(0.1, 1.5)
        for turn in range(2):  # UPnP 1.0, 1.1.2: more than once, for datagrams get lost
            self._later(start + turn * self._rng.uniform(0.3, 1.0), self._notify)
        self._later(start + self._rng.uniform(8.0, 15.0), self._notify)

    def _probe(self) -> None:
        query = bytearray(mdns_query(self._host, _ANY, unicast=True))
        struct.pack_into("!H", query, 8, 1)  # one record in the authority section
        claim = _record(self._host, _A, 1, 120, socket.inet_aton(self._address))
        self._multicast(self._mdns, bytes(query) + claim, _MDNS)

    def _announce(self) -> None:
        self._multicast(self._mdns, self._answer(), _MDNS)

    def _answer(self) -> bytes:
        texts = [f"model={self._profile.model}", f"id={self._profile.mac.replace(':', '')}"]
        text = b"".join(bytes([len(entry)]) + entry.encode() for entry in texts)
        service = struct.pack("!HHH", 0, 0, 80) + _name(self._host)
        records = [
            _record(_SERVICE, _PTR, 1, 4500, _name(self._instance)),
            _record(self._instance, _SRV, _FLUSH, 120, service),
            _record(self._instance, _TXT, _FLUSH, 4500, text),
            _record(self._host, _A, _FLUSH, 120, socket.inet_aton(self._address)),
        ]
        return struct.pack("!6H", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)

    def _notify(self) -> None:
        for target, name in self._identities():
            message = _http(
                "NOTIFY * HTTP/1.1",
                "HOST: 239.255.255.250:1900",
                "CACHE-CONTROL: max-age=1800",
                f"LOCATION: {self._location}",
                f"SERVER: RTOS/2.4 UPnP/1.0 {self._profile.model}/1.0",
                f"NT: {target}",
                "NTS: ssdp:alive",
                f"USN: {name}",
            )
            self._multicast(self._ssdp, message, _SSDP)

    @property
    def _location(self) -> str:
        return f"http://{self._address}/description.xml"

    def _identities(self) -> list[tuple[str, str]]:
        uuid = f"uuid:{self._profile.uuid}"
        targets = ["upnp:rootdevice", self._profile.device_type]
        return [(uuid, uuid), *((target, f"{uuid}::{target}") for target in targets)]

    def _hear_mdns(self, data: bytes, _sender: tuple[str, int]) -> None:
        is_query = len(data) > 12 and not data[2] & 0x80
        if is_query and _name(_SERVICE) in data:
            self._later(time.monotonic() + self._rng.uniform(0.02, 0.12), self._announce)

    def _hear_ssdp(self, data: bytes, sender: tuple[str, int]) -> None:
        if not data.startswith(b"M-SEARCH"):
            return
        for target, name in self._identities():
            if f"ST: {target}".encode() in data or b"ST: ssdp:all" in data:
                answer = _http(
                    "HTTP/1.1 200 OK",
                    "CACHE-CONTROL: max-age=1800",
                    "EXT:",
                    f"LOCATION: {self._location}",
                    f"SERVER: RTOS/2.4 UPnP/1.0 {self._profile.model}/1.0",
                    f"ST: {target}",
                    f"USN: {name}",
                )
                self._later(
                    time.monotonic() + self._rng.uniform(0.0, 0.8), self._send(answer, sender)
                )

    def _send(self, message: bytes, sender: tuple[str, int]) -> Callable[[], None]:
        return lambda: self._multicast(self._ssdp, message, sender)

    @staticmethod
    def _multicast(sock: socket.socket, message: bytes, to: tuple[str, int]) -> None:
        with contextlib.suppress(OSError):  # the link may go down under us at the end
            sock.sendto(message, to)
