"""A port for decoys on a Linux bridge, and a rule that keeps what they say from leaving.

Where this computer is the gateway, its kernel would take packets of decoys for those of anybody: it
would answer them, and send them on to the Internet. A rule of nftables drops them where they come
in, behind those who capture there. Answers of decoys to this computer itself pass: they are marked.
"""

import json
import secrets
import select
import socket
import struct
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from iotflowgen.errors import NetworkError
from iotflowgen.live.answering.headers import with_checksum
from iotflowgen.live.emitting.guard import Host
from iotflowgen.live.near import MARK
from iotflowgen.live.programs import attempt, do

__all__ = ["admit", "bridge_port", "fence", "probe", "seated"]

_ALL: Final = 0x0003
_NOBODY: Final = bytes([192, 0, 2, 1])
"""An address that nobody on the Internet has (RFC 5737)."""
_PROBE_S: Final = 0.5
_RULES: Final = """
table netdev {table} {{
  set decoys {{
    type ether_addr
    elements = {{ {macs} }}
  }}
  counter kept {{ }}
  chain from_decoys {{
    type filter hook ingress device "{interface}" priority -500; policy accept;
    ether saddr @decoys meta mark != {mark} counter name kept drop
  }}
}}
"""


@contextmanager
def bridge_port(bridge: str) -> Iterator[str]:
    """Give a bridge another port for as long as this lasts.

    Yields:
        The interface behind the port, where decoys are plugged in.

    Raises:
        NetworkError: It is no bridge, has such a port already, or a right is missing.
    """
    if not (Path("/sys/class/net") / bridge / "bridge").is_dir():
        raise NetworkError(f"{bridge} is no bridge; name one, or say --near and --far")
    number = socket.if_nametoindex(bridge)
    near, port = f"decoys{number}", f"decoys{number}p"
    with _alone(near, bridge):
        # of a run that was killed
        attempt("ip", "link", "del", near)
        # a bridge that was not given an address has the lowest of its ports', and is to keep it
        mac = _above((Path("/sys/class/net") / bridge / "address").read_text().strip())
        do("ip", "link", "add", near, "type", "veth", "peer", "name", port, "address", mac)
        try:
            for name in (near, port):
                setting = Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
                if setting.exists():
                    setting.write_text("1")
            do("ip", "link", "set", port, "master", bridge)
            for name in (near, port):
                do("ip", "link", "set", name, "up")
            yield near
        finally:
            attempt("ip", "link", "del", near)


@contextmanager
def seated(bridge: str, macs: Collection[str]) -> Iterator[None]:
    """Have a bridge take MAC addresses for those of this computer, for as long as this lasts.

    Peers of decoys send from the bridge itself, which learns nothing of that: what they are told
    would be flooded to all ports, as if they were not there.

    Raises:
        NetworkError: The bridge does not take them, or a right is missing.
    """

    def change(what: str) -> str:
        return "".join(f"fdb {what} {mac} dev {bridge} self permanent\n" for mac in sorted(macs))

    do("bridge", "-batch", "-", said=change("replace"))
    try:
        yield
    finally:
        attempt("bridge", "-force", "-batch", "-", said=change("del"))


@contextmanager
def fence(interface: str, macs: Collection[str]) -> Iterator[str]:
    """Have the kernel drop what comes in from decoys on an interface, for as long as this lasts.

    Yields:
        The table of nftables that does it.

    Raises:
        NetworkError: nftables are not to be had, or a right is missing.
    """
    table = f"iotflowgen_{interface}".replace("-", "_").replace(".", "_")
    rules = _RULES.format(table=table, interface=interface, macs=", ".join(sorted(macs)), mark=MARK)
    attempt("nft", "delete", "table", "netdev", table)
    do("nft", "-f", "-", said=rules)
    try:
        yield table
    finally:
        attempt("nft", "delete", "table", "netdev", table)


def admit(table: str, macs: Collection[str]) -> None:
    """Have a fence drop what comes from these decoys, and nothing else, from now on.

    Raises:
        NetworkError: A right is missing.
    """
    name = f"netdev {table} decoys"
    both = (f"flush set {name}", f"add element {name} {{ {', '.join(sorted(macs))} }}")
    # one or the other: they change together
    do("nft", "-f", "-", said="\n".join(both) + "\n")


def probe(table: str, near: str, gateway_mac: bytes, decoy: Host, uplinks: Collection[str]) -> None:
    """Send one packet as a decoy would to the Internet, and check that it is dropped.

    Raises:
        NetworkError: The rule did not see it, or it left on an uplink.
    """
    secret = secrets.token_bytes(16)
    datagram = struct.pack("!HHHH", 49_152 + secrets.randbelow(2**13), 9, 24, 0) + secret
    # a device may have IPv6 alone
    ends = (decoy.ip or _NOBODY[:3] + b"\2") + _NOBODY
    header = struct.pack("!BBHHHBBH", 0x45, 0, 44, 0, 0x4000, 64, 17, 0) + ends
    frame = gateway_mac + decoy.mac + b"\x08\x00" + with_checksum(header, 10) + datagram
    before = _dropped(table)
    with ExitStack() as stack:
        listening = [stack.enter_context(_raw(name, _ALL)) for name in sorted(uplinks)]
        stack.enter_context(_raw(near, 0)).send(frame)
        end = time.monotonic() + _PROBE_S
        while (left := end - time.monotonic()) > 0:
            for each in select.select(listening, [], [], left)[0]:
                if secret in each.recv(2**16):
                    name = each.getsockname()[0]
                    raise NetworkError(f"what decoys say would leave on {name}; nothing was begun")
    if _dropped(table) == before:
        raise NetworkError(
            f"a packet from {near} to the gateway did not arrive where it is to be dropped; is "
            "that interface in the gateway's network?"
        )


def _above(mac: str) -> str:
    """A local MAC address that is higher than another."""
    low = max(int.from_bytes(bytes.fromhex(mac.replace(":", ""))) + 1, 0xFE << 40)
    return (low + secrets.randbelow((0xFF << 40) - low)).to_bytes(6).hex(":")


def _raw(name: str, protocol: int) -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    opened.bind((name, 0))
    return opened


@contextmanager
def _alone(name: str, bridge: str) -> Iterator[None]:
    """Be the only one who has the port of this name, in this network namespace."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
        try:
            lock.bind(f"\0iotflowgen-{name}")
        except OSError as error:
            raise NetworkError(f"decoys are on {bridge} already; stop them first") from error
        yield


def _dropped(table: str) -> int:
    said = do("nft", "-j", "list", "counter", "netdev", table, "kept")
    found: list[dict[str, Any]] = json.loads(said)["nftables"]
    return sum(each["counter"]["packets"] for each in found if "counter" in each)
