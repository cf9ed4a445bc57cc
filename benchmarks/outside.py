"""What tools that are not ours say of a capture: tshark, p0f, and tcpreplay between namespaces.

Each is a Debian package. Without p0f or tcpreplay, or without the right to make network
namespaces, there is no answer, and `missing` says how to get one.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from scapy.utils import RawPcapReader

__all__ = ["FLAGS", "Opinion", "labels", "missing", "opinion", "replayed"]

FLAGS = (
    "retransmission",
    "fast_retransmission",
    "spurious_retransmission",
    "out_of_order",
    "lost_segment",
    "ack_lost_segment",
    "duplicate_ack",
    "window_update",
    "window_full",
    "zero_window",
    "zero_window_probe",
    "zero_window_probe_ack",
    "keep_alive",
    "keep_alive_ack",
    "reused_ports",
)
"""Of `tcp.analysis`."""
_SUMMED = ("ip", "tcp", "udp", "icmp", "icmpv6", "igmp")
_CHECKS = ("ip.check_checksum", "tcp.check_checksum", "udp.check_checksum")
_FIELDS = (
    "frame.len",
    "eth.src",
    "ip.src",
    "tcp.stream",
    "tls.handshake.ja3",
    "dhcp.option.request_list_item",
    "_ws.malformed",
    *(f"tcp.analysis.{flag}" for flag in FLAGS),
    *(f"{name}.checksum.status" for name in _SUMMED),
)
_BAD = "0"
_NAMED = ("mod", "os", "app", "lang", "link", "raw_sig", "raw_mtu")
"""What p0f says of a host, short of when and where it was seen."""
_LABELLED = {"syn", "syn+ack", "mtu", "http request", "http response"}
_IP = ["ip"]
_PACE = 20_000
"""Packets a second that are replayed: no capture loses any."""


@dataclass(frozen=True)
class Opinion:
    """What tshark says of one capture."""

    packets: int
    flags: dict[str, int]
    """Packets that TCP analysis flags, by flag."""
    malformed: int
    bad_checksums: int
    leaves: frozenset[str]
    """Nodes of the protocol hierarchy (`-z io,phs`), each as the path to it."""
    conversations: tuple[tuple[int, int], ...]
    """Packets and bytes of each TCP conversation, which `-z conv,tcp` says in rounded kilobytes."""
    ja3: frozenset[str]
    """Of the device's TLS ClientHello messages."""
    dhcp: frozenset[str]
    """What the device asks DHCP for, in its order."""
    addresses: frozenset[str]
    """IP addresses that the device sends from."""


def opinion(path: Path, mac: str = "") -> Opinion:
    """Ask tshark about a capture of the device with a MAC address; checksums are looked at."""
    options = [word for name in _CHECKS for word in ("-o", f"{name}:TRUE")]
    fields = [word for name in _FIELDS for word in ("-e", name)]
    command = ["tshark", "-n", "-r", str(path), *options, "-T", "fields", "-E", "separator=|"]
    done = subprocess.run(
        [*command, *fields, "-z", "io,phs"],
        env={**os.environ, "WIRESHARK_CONFIG_DIR": "/nonexistent", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    table, _, hierarchy = done.stdout.partition("\n===")
    rows = [dict(zip(_FIELDS, line.split("|"), strict=True)) for line in table.splitlines() if line]
    own = [row for row in rows if row["eth.src"] == mac]
    streams: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for row in rows:
        if stream := row["tcp.stream"]:
            streams[stream] += 1
            sizes[stream] += int(row["frame.len"])
    states = [[row[f"{name}.checksum.status"] for name in _SUMMED] for row in rows]
    flags = {flag: sum(bool(row[f"tcp.analysis.{flag}"]) for row in rows) for flag in FLAGS}
    return Opinion(
        packets=len(rows),
        flags={flag: count for flag, count in flags.items() if count},
        malformed=sum(bool(row["_ws.malformed"]) for row in rows),
        bad_checksums=sum(any(_BAD in state.split(",") for state in each) for each in states),
        leaves=_tree(hierarchy),
        conversations=tuple((count, sizes[stream]) for stream, count in streams.items()),
        ja3=frozenset(row["tls.handshake.ja3"] for row in own if row["tls.handshake.ja3"]),
        dhcp=frozenset(
            row["dhcp.option.request_list_item"]
            for row in own
            if row["dhcp.option.request_list_item"]
        ),
        addresses=frozenset(row["ip.src"] for row in own if row["ip.src"]),
    )


def _tree(hierarchy: str) -> frozenset[str]:
    """The nodes that tshark prints indented, each as the path to it."""
    found: set[str] = set()
    path: list[str] = []
    for indent, name in re.findall(r"^( *)(\S+) +frames:", hierarchy, re.MULTILINE):
        path[len(indent) // 2 :] = [name]
        found.add(":".join(path))
    return frozenset(found)


def missing() -> str:
    """How to get what is not installed; empty if all is there."""
    absent = [name for name in ("p0f", "tcpreplay") if shutil.which(name) is None]
    return f"not run: {', '.join(absent)}; apt-get install {' '.join(absent)}" if absent else ""


def labels(path: Path, addresses: frozenset[str]) -> frozenset[str] | None:
    """What p0f calls the host with these addresses, signatures included; None without p0f."""
    if shutil.which("p0f") is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        command = ["p0f", "-r", str(path), "-o", str(log)]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        lines = log.read_text(errors="replace").splitlines()
    found = set()
    for line in lines:
        said = dict(part.partition("=")[::2] for part in line.partition("] ")[2].split("|"))
        subject = said[said["subj"]].rpartition("/")[0]
        if said["mod"] in _LABELLED and subject in addresses:
            found.add("|".join(said[name] for name in _NAMED if name in said))
    return frozenset(found)


def replayed(path: Path) -> int | None:
    """Send a capture from one network namespace to another.

    Returns:
        How many frames the other side has not, or has otherwise; None where tcpreplay is not
        installed or namespaces may not be made.
    """
    near, far = (f"iotflowgen-{side}-{os.getpid()}" for side in ("near", "far"))
    if shutil.which("tcpreplay") is None or os.geteuid() != 0:
        return None
    arrived = path.with_name("arrived.pcapng")
    try:
        _link(near, far)
        with subprocess.Popen(
            [*_inside(far), "dumpcap", "-q", "-i", "far", "-B", "64", "-w", str(arrived)],
            stderr=subprocess.PIPE,
            text=True,
        ) as capture:
            # it says which file it writes once it listens
            while capture.stderr and "File:" not in capture.stderr.readline():
                continue
            command = ["tcpreplay", "-q", "-i", "near", f"--pps={_PACE}", str(path)]
            subprocess.run([*_inside(near), *command], capture_output=True, check=True)
            time.sleep(1)
            capture.terminate()
    finally:
        for name in (near, far):
            subprocess.run([*_IP, "netns", "del", name], stderr=subprocess.DEVNULL, check=False)
    sent, came = (_frames(each) for each in (path, arrived))
    return sum(a != b for a, b in zip(sent, came, strict=False)) + abs(len(sent) - len(came))


def _link(near: str, far: str) -> None:
    """Two namespaces and a cable; nobody else says a word on it."""
    for name in (near, far):
        subprocess.run([*_IP, "netns", "add", name], check=True)
        quiet = ["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"]
        quiet += ["net.ipv6.conf.default.disable_ipv6=1"]
        subprocess.run([*_inside(name), *quiet], check=True)
    cable = ["link", "add", "near", "netns", near, "type", "veth", "peer", "far", "netns", far]
    subprocess.run([*_IP, *cable], check=True)
    for name, end in ((near, "near"), (far, "far")):
        up = ["link", "set", end, "mtu", "65535", "arp", "off", "up"]
        subprocess.run([*_inside(name), *_IP, *up], check=True)


def _inside(name: str) -> list[str]:
    return ["ip", "netns", "exec", name]


def _frames(path: Path) -> list[bytes]:
    with RawPcapReader(str(path)) as reader:
        return [bytes(frame) for frame, _ in reader]
