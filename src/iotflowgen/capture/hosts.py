"""Who is in captures, and what speaks for each host to be the device.

Where an app and a device talk with each other only, either has as many packets, and counting does
not tell which is which. What does, often: a device answers on the port of a service, has peers
beside the app, and keeps the MAC address that its vendor gave it, where phones make theirs up.

Shapes: P packets.
"""

import ipaddress
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.capture.device import Device, count_hosts, device_of, is_at_home
from iotflowgen.capture.dissection import Dissection
from iotflowgen.capture.ethernet import Ethernet
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire.frames import Frames
from iotflowgen.wire.layers import find_layers
from iotflowgen.wire.messages import dhcp_options
from iotflowgen.wire.ports import TCP_SERVICES, UDP_SERVICES

__all__ = ["Host", "find_hosts", "find_names", "rivals"]

_AS_MANY: Final = 0.8
"""A host that a larger share of the device's packets is exchanged with may be the device."""
_SHOWN: Final = 5
_MOST_PORTS: Final = 6
"""That are shown."""
_GATEWAYS: Final = {"UDP 53", "TCP 53", "UDP 67", "UDP 123"}
"""Services of gateways, by which no device is known."""
_OF_ALL: Final = (67, 68, 123, 137, 138, 546, 547, 1900, 5353, 5355)
"""Ports of UDP that both ends may have."""
_ASKERS: Final = 3
"""Ports at the other end, by which one is a service's."""
_UDP, _DHCP, _MDNS = (protocol_mask([name]) for name in ("udp", "dhcp", "mdns"))
_MOST_NAMED: Final = 2000
"""Packets of a capture that are searched for names."""
_MANUF: Final = (
    "/usr/share/wireshark/manuf",
    "/usr/local/share/wireshark/manuf",
    "/opt/homebrew/share/wireshark/manuf",
    "/Applications/Wireshark.app/Contents/Resources/share/wireshark/manuf",
)
_OUI: Final = 24  # bits
_REQUEST: Final = b"\1"
_HOST_NAME: Final = 12
"""Of the options of DHCP (RFC 2132)."""
_LOCAL: Final = b"\5local\0"
_LONGEST_LABEL: Final = 63


@dataclass(frozen=True)
class Host:
    """A host, and what is known of it."""

    ip: str
    mac: str
    """Empty where it is seen under none."""
    packets: int
    """From it and to it."""
    peers: int
    """How many others it sends to."""
    services: tuple[str, ...]
    """Ports on which it answers: `TCP 80`."""
    name: str
    """What it calls itself in DHCP or mDNS; empty if it does not."""
    is_gateway: bool
    """Its MAC address sends for others, or it answers only as gateways do."""

    @property
    def has_made_up_mac(self) -> bool:
        """Its MAC address is locally administered, as those of phones are."""
        return bool(self.mac) and bool(int(self.mac[:2], 16) & 2)

    @property
    def vendor(self) -> str:
        """Of its MAC address, where Wireshark's list of them is installed."""
        return "" if not self.mac or self.has_made_up_mac else _vendor(self.mac)

    def __str__(self) -> str:
        kind = "made up, as phones do" if self.has_made_up_mac else self.vendor
        of_mac = [f"{self.mac} ({kind})" if kind else self.mac] if self.mac else []
        shown = ", ".join(self.services[:_MOST_PORTS])
        answers = [f"answers on {shown}"] if shown else []
        called = [f"calls itself {self.name}"] if self.name else []
        gateway = ["a gateway"] if self.is_gateway else []
        counted = f"{self.packets} packets with {self.peers} other{'s' * (self.peers != 1)}"
        return ", ".join([self.ip, *of_mac, counted, *answers, *called, *gateway])


def find_hosts(dissections: Sequence[Dissection], names: Mapping[str, str]) -> list[Host]:
    """The hosts with most packets, most common first; those of one MAC address are one.

    Args:
        dissections: Of captures.
        names: What hosts call themselves, by their MAC addresses.
    """
    groups: dict[str, tuple[Device, int]] = {}
    for ip, packets in count_hosts(dissections).most_common(4 * _SHOWN):
        device = device_of(ip, dissections)
        key = device.mac if device.mac and device.mac_is_own else ip
        usual, count = groups.get(key, (device, 0))
        groups[key] = usual, count + packets
    hosts = [_host(*found, dissections, names) for found in groups.values()]
    # those behind a gateway are many, and none is the device of a home
    near = [host for host in hosts if not host.is_gateway or is_at_home(host.ip)]
    return sorted(near or hosts, key=lambda host: -host.packets)[:_SHOWN]


def rivals(hosts: Sequence[Host], device: Device, dissections: Sequence[Dissection]) -> list[Host]:
    """Those that may be the device as well, as far as captures tell: it talks to them only."""
    own = next((host for host in hosts if device.ip == host.ip or device.mac == host.mac), None)
    if own is None:
        return []
    return [
        host
        for host in hosts
        if host is not own
        and not host.is_gateway
        and host.packets >= _AS_MANY * own.packets
        and _between(own, host, dissections) >= _AS_MANY * own.packets
        and _are_neighbours(host.ip, own.ip)
        and _speaks_for(host, own) >= _speaks_for(own, host)
    ]


def _between(one: Host, other: Host, dissections: Sequence[Dissection]) -> int:
    """Packets between two hosts."""
    ends = [Device(host.ip, host.mac or None) for host in (one, other)]
    count = 0
    for dissection in dissections:
        for src, dst in (ends, ends[::-1]):
            count += int((_of(src, dissection, "src") & _of(dst, dissection, "dst")).sum())
    return count


def _speaks_for(host: Host, other: Host) -> int:
    """How much speaks for a host to be a device rather than another is."""
    return bool(host.services) + (not host.has_made_up_mac) + (host.peers > other.peers)


def _host(
    device: Device, packets: int, dissections: Sequence[Dissection], names: Mapping[str, str]
) -> Host:
    peers: set[str] = set()
    pairs = []
    sends_from: set[str] = set()
    for dissection in dissections:
        sent, got = (_of(device, dissection, end) for end in ("src", "dst"))
        peers |= {dissection.addresses[place] for place in np.unique(dissection.dst_ip[sent])}
        sends_from |= {dissection.addresses[place] for place in np.unique(dissection.src_ip[sent])}
        pairs.append(_answers(dissection, sent, got))
    services = _services(np.concatenate(pairs))
    # a host has addresses of IPv6 that are not of homes, and before a lease it has nobody's
    sources = {ip for ip in sends_from - {device.ip} if "." in ip and not ip.startswith("0.")}
    others = {ip for ip in sources if not is_at_home(ip)}
    only_as_gateway = bool(services) and {*services} <= _GATEWAYS
    mac = device.mac or ""
    return Host(
        ip=device.ip or "",
        mac=mac,
        packets=packets,
        peers=len([ip for ip in peers if ip and not ipaddress.ip_address(ip).is_multicast]),
        services=services,
        name=names.get(mac, ""),
        is_gateway=bool(others) or only_as_gateway or not device.mac_is_own,
    )


def _of(device: Device, dissection: Dissection, end: str) -> NDArray[np.bool_]:
    """Whether a host is at this end of each packet (P)."""
    kind = "mac" if device.mac and device.mac_is_own else "ip"
    address = getattr(device, kind)
    if address not in dissection.addresses:
        return np.zeros(len(dissection), np.bool_)
    found: NDArray[np.bool_] = getattr(dissection, f"{end}_{kind}") == dissection.addresses.index(
        address
    )
    return found


def _answers(
    dissection: Dissection, sent: NDArray[np.bool_], got: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Pairs of a host's port and another's (N), numbers with the protocol in the last bit.

    They are of what it sent, where the other one was heard, too.
    """
    own = np.where(sent, dissection.src_port, dissection.dst_port).astype(np.int64)
    other = np.where(sent, dissection.dst_port, dissection.src_port).astype(np.int64)
    is_udp = (dissection.protocols & _UDP) > 0
    key = (own << 17) | (other << 1) | is_udp
    has = (own > 0) & (own < other) & ~(is_udp & np.isin(own, _OF_ALL))
    return np.intersect1d(key[sent & has], key[got & has])


def _services(pairs: NDArray[np.int64]) -> tuple[str, ...]:
    """What a host answers on, by pairs (N) as of `_answers`."""
    pairs = np.unique(pairs)
    keys, askers = np.unique((pairs >> 17) << 1 | pairs & 1, return_counts=True)
    port, is_udp = keys >> 1, keys & 1
    known = np.where(is_udp, UDP_SERVICES[port], TCP_SERVICES[port]) > 0
    is_service = (port < 1024) | (askers >= _ASKERS) | known
    return tuple(
        f"{'UDP' if udp else 'TCP'} {number}"
        for number, udp in zip(port[is_service].tolist(), is_udp[is_service].tolist(), strict=True)
    )


def find_names(dissection: Dissection, found: Ethernet) -> dict[str, str]:
    """What hosts call themselves in DHCP (option 12) and mDNS, by their MAC addresses."""
    says = np.flatnonzero(dissection.protocols & (_DHCP | _MDNS))[:_MOST_NAMED]
    place = np.searchsorted(found.in_file, dissection.in_file[says])
    frames = found.frames.take(np.minimum(place, len(found.in_file) - 1))
    layers = find_layers(frames)
    size = np.maximum(layers.end - layers.payload, 0)
    payloads = Frames(frames.data, frames.start + layers.payload, size).tolist()
    names: dict[str, str] = {}
    for packet, payload in zip(says.tolist(), payloads, strict=True):
        is_dhcp = dissection.protocols[packet] & _DHCP
        name = _name_in_dhcp(payload) if is_dhcp else _name_in_mdns(payload)
        mac = dissection.addresses[dissection.src_mac[packet]]
        if name and mac:
            names.setdefault(mac, name)
    return names


def _name_in_dhcp(message: bytes) -> str:
    """Of a client: servers repeat it."""
    if not message.startswith(_REQUEST):
        return ""
    for code, at, size in dhcp_options(message):
        if code == _HOST_NAME:
            return _readable(message[at : at + size])
    return ""


def _name_in_mdns(message: bytes) -> str:
    """The first name of one label in `local`, of an answer."""
    at = message.find(_LOCAL)
    while message[2:3] > b"\x7f" and at >= 0:
        for size in range(1, _LONGEST_LABEL + 1):
            label = message[max(0, at - size) : at]
            if at > size and message[at - size - 1] == size and not label.startswith(b"_"):
                return _readable(label)
        at = message.find(_LOCAL, at + 1)
    return ""


def _readable(name: bytes) -> str:
    text = name.decode(errors="replace").strip()
    return text if text.isprintable() else ""


def _are_neighbours(ip: str, other: str) -> bool:
    """Whether two addresses may be on one link: both of homes, or of one network (/24, /64)."""
    if is_at_home(ip) or is_at_home(other):
        return is_at_home(ip) and is_at_home(other)
    first, second = ipaddress.ip_address(ip), ipaddress.ip_address(other)
    shared = 24 if first.version == 4 else 64
    return first.version == second.version and (
        ipaddress.ip_network(f"{first}/{shared}", strict=False)
        == ipaddress.ip_network(f"{second}/{shared}", strict=False)
    )


def _vendor(mac: str) -> str:
    number = int(mac.replace(":", ""), 16)
    listed = _vendors()
    known = (listed.get((bits, number >> (48 - bits))) for bits in (36, 28, _OUI))
    return next(filter(None, known), "")


@cache
def _vendors() -> dict[tuple[int, int], str]:
    """Names of vendors by how many bits of an address are theirs, and these; none without a list.

    Wireshark's `manuf`: prefix, short name, name, by tabs.
    """
    program = shutil.which("tshark")
    beside = [Path(program).parent.parent / "share/wireshark/manuf"] if program else []
    path = next((each for each in [*beside, *map(Path, _MANUF)] if each.is_file()), None)
    if path is None:
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        prefix, _, names = line.partition("\t")
        digits, _, bits = prefix.partition("/")
        if names and not line.startswith("#"):
            width = int(bits) if bits else 4 * len(digits.replace(":", ""))
            number = int(digits.replace(":", "").ljust(12, "0"), 16) >> (48 - width)
            found[width, number] = names.rpartition("\t")[2].strip()
    return found
