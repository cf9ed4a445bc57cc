r"""Namespaces, cables and processes of one recording, and their removal whatever happens.

    device eth0 ---- lan0  \
                            br0  router  wan0 ==== far0  cloud (one address a server)
    phone  eth0 ---- lan1  /

`====` is the delaying line of `wan.py`; everything else is the kernel's.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from profiles import DNS_UPSTREAM, Profile

__all__ = ["Home", "RecordingError", "Stopped", "run"]

_NETNS_FILES = Path("/etc/netns")
_OFFLOADS = ["tx", "off", "tso", "off", "gso", "off", "gro", "off"]
_UPLINK = "100.64.0.2"


class RecordingError(RuntimeError):
    """A program failed; the message holds what it said."""


class Stopped(RuntimeError):
    """The user asked us to stop."""


def run(*command: str) -> str:
    """Run a program to its end; its complaint becomes ours."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise RecordingError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout


class Home:
    """Four namespaces - device, router, phone, cloud - and what runs in them.

    `timeout` ends programs after `limit` seconds, should this script be killed without mercy.
    """

    def __init__(
        self, profile: Profile, work: Path, stop: threading.Event, limit: float = 90.0
    ) -> None:
        self.profile, self.work, self._stop, self._limit = profile, work, stop, limit
        self._id = secrets.token_hex(3)
        self._processes: list[subprocess.Popen[bytes]] = []

    @classmethod
    @contextlib.contextmanager
    def open(
        cls, profile: Profile, work: Path, stop: threading.Event, limit: float = 90.0
    ) -> Iterator[Home]:
        """Build the home; take it down when the block is left, however it is left."""
        home = cls(profile, work, stop, limit)
        try:
            home._build()
            yield home
        finally:
            home._tear_down()

    def namespace(self, role: str) -> str:
        """Name of the namespace of `device`, `router`, `phone` or `cloud`."""
        return f"iot-{self.profile.kind}-{self._id}-{role}"

    def wait(self, seconds: float) -> None:
        """Sleep; raise `Stopped` as soon as the user asks us to stop."""
        if self._stop.wait(seconds):
            raise Stopped

    def start(self, role: str, *command: str, ready: str | None = None) -> subprocess.Popen[bytes]:
        """Start a program in a namespace; wait until `ready` is in what it says, if given."""
        self.wait(0.0)
        log = self.work / f"{len(self._processes)}-{role}.log"
        inside = [
            "ip",
            "netns",
            "exec",
            self.namespace(role),
            "timeout",
            "-k",
            "2",
            str(self._limit),
        ]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*inside, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us; we stop the others in our own order
            )
        self._processes.append(process)
        give_up = time.monotonic() + 10
        while ready is not None and ready not in log.read_text(errors="replace"):
            if process.poll() is not None or time.monotonic() > give_up:
                raise RecordingError(f"`{' '.join(command)}`: {log.read_text(errors='replace')}")
            self.wait(0.02)
        return process

    def end(self, process: subprocess.Popen[bytes], hint: signal.Signals) -> None:
        """Stop one process and everything it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, hint)
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def connect_wan(self) -> None:
        """Address the delaying line, once `wan.py` has made it, and the cloud's servers."""
        router, cloud = self.namespace("router"), self.namespace("cloud")
        run("ip", "-n", router, "address", "add", f"{_UPLINK}/32", "dev", "wan0")
        run("ip", "-n", router, "link", "set", "dev", "wan0", "up")
        run("ip", "-n", router, "route", "add", "default", "dev", "wan0")
        for address in [DNS_UPSTREAM, *(peer.address for peer in self.profile.peers)]:
            run("ip", "-n", cloud, "address", "add", f"{address}/32", "dev", "lo")
        run("ip", "-n", cloud, "link", "set", "dev", "far0", "up")
        run("ip", "-n", cloud, "route", "add", "default", "dev", "far0")

    def _build(self) -> None:
        profile = self.profile
        for role in ("device", "router", "phone", "cloud"):
            name = self.namespace(role)
            folder = _NETNS_FILES / name
            folder.mkdir(parents=True)
            # `ip netns exec` shows these in /etc, so that the resolver asks our router alone.
            (folder / "resolv.conf").write_text(f"nameserver {profile.router}\nsearch lan\n")
            (folder / "nsswitch.conf").write_text("hosts: dns\n")
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "dev", "lo", "up")
        self._cable("device", "lan0", profile.mac)
        self._cable("phone", "lan1", profile.phone_mac)
        self._set_up_router()
        phone = self.namespace("phone")
        run("ip", "-n", phone, "address", "add", f"{profile.phone}/24", "dev", "eth0")
        run("ip", "-n", phone, "link", "set", "dev", "eth0", "up")
        run("ip", "-n", phone, "route", "add", "default", "via", profile.router)
        self._sysctl("device", profile.sysctls)
        # A server seems to be as many hops away as its time to live is short of 64.
        self._sysctl("cloud", {"net.ipv4.ip_default_ttl": "53"})

    def _cable(self, role: str, port: str, mac: str) -> None:
        router, there = self.namespace("router"), self.namespace(role)
        run(*f"ip -n {router} link add dev {port} type veth peer name eth0 netns {there}".split())
        run("ip", "-n", there, "link", "set", "dev", "eth0", "address", mac)
        for namespace, device in ((router, port), (there, "eth0")):
            # Else the recording has unfinished checksums, and segments no wire could carry.
            run("ip", "netns", "exec", namespace, "ethtool", "-K", device, *_OFFLOADS)

    def _set_up_router(self) -> None:
        router = self.namespace("router")
        # A home router asks now and then who listens to which multicast group.
        bridge = "type bridge mcast_querier 1 mcast_query_use_ifaddr 1"
        run(*f"ip -n {router} link add dev br0 address {self.profile.router_mac} {bridge}".split())
        run("ip", "-n", router, "address", "add", f"{self.profile.router}/24", "dev", "br0")
        for port in ("lan0", "lan1"):
            run("ip", "-n", router, "link", "set", "dev", port, "master", "br0")
            # The port itself is no host: without this it would send IPv6 packets of its own.
            self._sysctl("router", {f"net.ipv6.conf.{port}.disable_ipv6": "1"})
            run("ip", "-n", router, "link", "set", "dev", port, "up")
        run("ip", "-n", router, "link", "set", "dev", "br0", "up")
        # The second keeps the router from asking for a router.
        self._sysctl("router", {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"})

    def _sysctl(self, role: str, settings: dict[str, str]) -> None:
        for name, value in settings.items():
            run("ip", "netns", "exec", self.namespace(role), "sysctl", "-qw", f"{name}={value}")

    def _tear_down(self) -> None:
        for process in reversed(self._processes):
            self.end(process, signal.SIGTERM)
        for role in ("device", "router", "phone", "cloud"):
            with contextlib.suppress(RecordingError):
                run("ip", "netns", "delete", self.namespace(role))
            shutil.rmtree(_NETNS_FILES / self.namespace(role), ignore_errors=True)
        with contextlib.suppress(OSError):  # not empty: somebody else's
            _NETNS_FILES.rmdir()
