"""The cloud's own servers: time (NTP, RFC 5905) and HTTPS (firmware manifest, picture upload).

Runs in the cloud's namespace, beside mosquitto and dnsmasq.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import json
import random
import socket
import socketserver
import ssl
import struct
import threading
import time
from pathlib import Path
from typing import Any

from profiles import PROFILES, Peer, Profile

_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970


def _ntp_time(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("!II", whole + _NTP_EPOCH, int((seconds - whole) * 2**32))


class _TimeServer(socketserver.BaseRequestHandler):
    """Answers an NTP client as a stratum 2 server."""

    def handle(self) -> None:
        received = time.time()
        request, sock = self.request
        if len(request) < 48:
            return
        version = request[0] >> 3 & 7
        head = struct.pack("!BBBb", version << 3 | 4, 2, request[2], -23)
        root = struct.pack("!II4s", 0x0000_0230, 0x0000_0411, socket.inet_aton("192.0.2.17"))
        reference = _ntp_time(received - 211.4)
        times = reference + request[40:48] + _ntp_time(received) + _ntp_time(time.time())
        sock.sendto(head + root + times, self.client_address)


class _Web(http.server.BaseHTTPRequestHandler):
    """The firmware manifest for GET, a receipt for POST."""

    protocol_version = "HTTP/1.1"
    server_version = "nginx"
    sys_version = ""
    timeout = 20
    rng: random.Random
    profile: Profile

    def do_GET(self) -> None:
        time.sleep(self.rng.uniform(0.002, 0.04))
        releases = [
            {"version": f"2.4.{patch}", "notes": "stability " * self.rng.randint(2, 9)}
            for patch in range(self.rng.randint(1, 5))
        ]
        self._answer(200, {"model": self.profile.model, "latest": "2.4.1", "releases": releases})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        time.sleep(self.rng.uniform(0.005, 0.06))
        self._answer(201, {"stored": len(body), "id": f"{self.rng.getrandbits(64):016x}"})

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Tls(socketserver.ThreadingTCPServer):
    # Not http.server.HTTPServer: that one looks up this machine's own name when it binds.
    allow_reuse_address = True
    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], handler: type[_Web], context: ssl.SSLContext
    ) -> None:
        super().__init__(address, handler)
        self._context = context

    def get_request(self) -> tuple[socket.socket, Any]:
        plain, sender = super().get_request()
        # The handshake waits for the handler's thread, lest one slow client hold up the others.
        tls = self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        return tls, sender

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        if isinstance(request, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                request.unwrap()  # TLS close_notify, then FIN, as servers do
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that vanished is no news."""


def serve_time(peer: Peer) -> socketserver.BaseServer:
    """An NTP server on the peer's address, not yet running."""
    return socketserver.ThreadingUDPServer((peer.address, 123), _TimeServer)


def serve_web(
    peer: Peer, profile: Profile, rng: random.Random, work: Path
) -> socketserver.BaseServer:
    """An HTTPS server on the peer's address, not yet running."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(work / "cloud.pem", work / "cloud.key")
    handler = type("_BoundWeb", (_Web,), {"rng": rng, "profile": profile})
    return _Tls((peer.address, 443), handler, context)


def main() -> None:
    """Read the command line, then run until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=sorted(PROFILES))
    parser.add_argument("--work", type=Path, required=True, help="folder with the certificates")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--limit", type=float, required=True, help="seconds to run")
    options = parser.parse_args()
    profile, rng = PROFILES[options.kind], random.Random(options.seed)
    servers = [serve_time(peer) for peer in profile.time]
    web = [peer for peer in (profile.firmware, profile.media) if peer is not None]
    servers += [serve_web(peer, profile, rng, options.work) for peer in web]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    time.sleep(options.limit)


if __name__ == "__main__":
    main()
