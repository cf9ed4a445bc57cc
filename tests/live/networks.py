"""Networks in namespaces of their own, where decoys can do no harm."""

import ctypes
import os
import socket
import struct
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path

__all__ = ["Observer", "Site", "allowed", "run", "site"]

_CLONE_NEWNET = 0x40000000
_ALL = 0x0003
_SOL_PACKET, _IGNORE_OUTGOING, _RCVBUFFORCE, _TIMESTAMPNS = 263, 23, 33, 35
_libc = ctypes.CDLL(None, use_errno=True)


def allowed():
    """Whether network namespaces can be made here."""
    if os.geteuid():
        return False
    made = run("ip", "netns", "add", f"try-{os.getpid()}")
    run("ip", "netns", "del", f"try-{os.getpid()}")
    return made.returncode == 0


def run(*words, check=False):
    return subprocess.run(
        [*map(str, words)], check=check, capture_output=True, text=True, timeout=60
    )


def ip(*words):
    run("ip", *words, check=True)


class Namespace:
    """A computer of the network."""

    def __init__(self, name):
        self.name = name

    def command(self, *words):
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def run(self, *words, check=True):
        return run(*self.command(*words), check=check)

    def packet_socket(self, interface):
        """A raw socket of its, opened from here."""
        with Path("/proc/self/ns/net").open() as here:
            with (Path("/run/netns") / self.name).open() as there:
                assert _libc.setns(there.fileno(), _CLONE_NEWNET) == 0
            try:
                opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
                opened.bind((interface, 0))
            finally:
                assert _libc.setns(here.fileno(), _CLONE_NEWNET) == 0
        return opened


class Observer:
    """Sees every frame that the switch hears, once, in order, and notes when it came."""

    def __init__(self, opened, *, outgoing=False):
        self._socket = opened
        self.close = opened.close
        opened.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, not outgoing)
        opened.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 2**25)
        opened.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
        self.frames = []
        self.times = []

    def watch(self, frames=10**9, quiet=0.5):
        """Until so many more frames have come, or none for so many seconds."""
        self._socket.settimeout(quiet)
        for _ in range(frames):
            try:
                frame, notes, _, _ = self._socket.recvmsg(2**16, 64)
            except TimeoutError:
                break
            seconds, nanoseconds = struct.unpack("qq", notes[0][2])
            self.frames.append(frame)
            self.times.append(seconds + nanoseconds / 1e9)
        return self.frames


class Site:
    """A switch, one computer with a near and a far interface, and an observer on a third port."""

    def __init__(self, stack, prefix):
        self._stack, self._prefix = stack, prefix
        self.switch = self.namespace("switch")
        ip("-n", self.switch.name, "link", "add", "name", "sw0", "type", "bridge",
           "ageing_time", 0, "mcast_snooping", 0)  # fmt: skip
        self.mute(self.switch, "sw0")
        # a switch has no firewall, which would cut what frames are padded with
        for kind in ("ip", "ip6", "arp"):
            setting = f"net.bridge.bridge-nf-call-{kind}tables=0"
            self.switch.run("sysctl", "-qw", setting, check=False)
        ip("-n", self.switch.name, "link", "set", "sw0", "up")

    def namespace(self, name):
        found = Namespace(f"{self._prefix}-{name}")
        ip("netns", "add", found.name)
        self._stack.callback(ip, "netns", "del", found.name)
        ip("-n", found.name, "link", "set", "lo", "up")
        return found

    def mute(self, where, interface):
        where.run("sysctl", "-qw", f"net.ipv6.conf.{interface}.disable_ipv6=1")

    def plug_in(self, where, interface):
        """Connect a computer with the switch."""
        port = f"p-{interface}"
        ip("-n", self.switch.name, "link", "add", port, "type", "veth",
           "peer", "name", interface, "netns", where.name)  # fmt: skip
        self.mute(self.switch, port)
        self.mute(where, interface)
        ip("-n", self.switch.name, "link", "set", port, "master", "sw0", "up")
        ip("-n", where.name, "link", "set", interface, "up")

    @property
    def observer(self):
        where = self.namespace("observer")
        self.plug_in(where, "obs0")
        opened = where.packet_socket("obs0")
        self._stack.callback(opened.close)
        return Observer(opened)


@contextmanager
def site():
    with ExitStack() as stack:
        yield Site(stack, f"iot{os.getpid()}")
