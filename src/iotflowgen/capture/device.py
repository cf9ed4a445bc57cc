"""Which host is the device, and so which way a packet goes (paper, section 4.2).

The paper takes the most common IP address as the device's and calls a packet outgoing if that
address sent it. Named here what it leaves open, and where this goes further:

- Counted over all captures given, as source and as destination. Addresses that no host has to
  itself (unspecified, multicast, broadcast) are no candidates, though DHCP, mDNS and SSDP make
  them common; nor are addresses that never send, which a device may seek in vain. Of equally
  common ones a private one is taken, or who begins: where a device talks to one server only both
  are as common, and the device is the one at home, or the client.
- A packet without an IP address (ARP, EAPOL, LLC), or from an address that does not name a host
  beyond its link (0.0.0.0 before DHCP has answered, IPv6 link-local), goes by the MAC address that
  most often sends from the device's IP address.
- Packets that others send each other are not the device's traffic: see `foreign`.
- A device has other addresses: another lease in another capture, a factory default, IPv6. So
  everything its MAC address sends is outgoing, unless that MAC address is a router's, which sends
  for many hosts: see `_is_router`.
"""

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from iotflowgen.capture.dissection import Dissection
from iotflowgen.errors import DeviceNotFound

__all__ = ["Device", "count_hosts", "device_of", "find_device", "foreign", "is_at_home", "outgoing"]

Kind = Literal["ip", "mac"]

_ADDRESSES_OF_ONE_HOST = 3
_HOME = [
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")
] + [ipaddress.ip_network(network) for network in ("fc00::/7", "fe80::/10")]
_MAC = re.compile("[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True)
class Device:
    """The addresses by which the device's packets are known."""

    ip: str | None
    mac: str | None
    mac_is_own: bool = True
    """Nobody else sends from this MAC address, as hosts behind a router would."""


def find_device(dissections: Sequence[Dissection], wanted: str | None = None) -> Device:
    """The device that `wanted`, a MAC or an IP address, names; by default the most common host.

    Raises:
        DeviceNotFound: No packet comes from or goes to it, `wanted` is no address, or it is not
            given and no packet has an IP address to find it by.
    """
    if wanted is None:
        return device_of(_most_common(dissections), dissections)
    address = _parse_address(wanted)
    if not any(address in dissection.addresses for dissection in dissections):
        kind: Kind = "mac" if _is_mac(address) else "ip"
        raise DeviceNotFound(
            f"no packet comes from or goes to {wanted}; {_name_hosts(dissections, kind)}"
        )
    if _is_mac(address):
        return Device(ip=None, mac=address)
    return device_of(address, dissections)


def outgoing(dissection: Dissection, device: Device) -> NDArray[np.bool_]:
    """Whether the device sent each packet (P)."""
    from_ip = dissection.src_ip == _place(device.ip, dissection)
    from_mac = dissection.src_mac == _place(device.mac, dissection)
    if not device.mac_is_own:
        local = np.array([_is_local(address) for address in dissection.addresses])
        from_mac &= local[dissection.src_ip]
    sent: NDArray[np.bool_] = from_ip | from_mac
    return sent


def foreign(dissection: Dissection, device: Device) -> NDArray[np.bool_]:
    """Whether others send each packet (P) to each other, as where several devices are captured.

    What is sent to a group, or to all, the device may hear.
    """
    to_device = dissection.dst_ip == _place(device.ip, dissection)
    if device.mac_is_own:
        to_device |= dissection.dst_mac == _place(device.mac, dissection)
    host = np.array([bool(each) and _is_one_host(each) for each in dissection.addresses])
    to_host = np.where(dissection.dst_mac > 0, host[dissection.dst_mac], host[dissection.dst_ip])
    strange: NDArray[np.bool_] = to_host & ~(to_device | outgoing(dissection, device))
    return strange


def count_hosts(dissections: Iterable[Dissection], kind: Kind = "ip") -> Counter[str]:
    """Packets from or to each address of a host: of those that are seen to send."""
    counts: Counter[str] = Counter()
    senders: set[str] = set()
    for dissection in dissections:
        sent = _tally(dissection, f"src_{kind}")
        counts.update(sent)
        counts.update(_tally(dissection, f"dst_{kind}"))
        senders.update(sent)
    return Counter({a: n for a, n in counts.items() if a in senders and _can_be_own(a)})


def _most_common(dissections: Sequence[Dissection]) -> str:
    counts = count_hosts(dissections)
    if not counts:
        raise DeviceNotFound(
            "no packet has an IP address to find the device by; name its MAC address with "
            f"--device; {_name_hosts(dissections, 'mac')}"
        )
    most = max(counts.values())
    equal = [ip for ip, count in counts.items() if count == most]
    first = {ip: _first_sent(ip, dissections) for ip in equal}
    return min(equal, key=lambda ip: (not is_at_home(ip), first[ip], ip))


def _first_sent(ip: str, dissections: Sequence[Dissection]) -> tuple[int, int]:
    """In which capture an address sends first, and which packet."""
    for number, dissection in enumerate(dissections):
        sent = np.flatnonzero(dissection.src_ip == _place(ip, dissection))
        if len(sent):
            return number, int(sent[0])
    return len(dissections), 0


def device_of(ip: str, dissections: Sequence[Dissection]) -> Device:
    """The host that has an IP address."""
    sent: Counter[str] = Counter()
    for dissection in dissections:
        sent.update(_tally(dissection, "src_mac", dissection.src_ip == _place(ip, dissection)))
    if not sent:
        return Device(ip, mac=None)
    mac = max(sent, key=lambda mac: (sent[mac], mac))
    return Device(ip, mac, mac_is_own=not any(_is_router(mac, each) for each in dissections))


def _is_router(mac: str, dissection: Dissection) -> bool:
    """Whether a MAC address sends from more IPv4 addresses than one host has in one capture.

    A host has up to three: a factory default or its own access point, a DHCP lease, and the one
    before. In the captures of Miettinen et al. (ICDCS 2017) no device has more than two.
    """
    sent = _tally(dissection, "src_ip", dissection.src_mac == _place(mac, dissection))
    own = [ip for ip in sent if ":" not in ip and not _is_local(ip)]
    return len(own) > _ADDRESSES_OF_ONE_HOST


def _tally(
    dissection: Dissection, column: str, where: NDArray[np.bool_] | None = None
) -> dict[str, int]:
    """How often each address stands in a column, "" left out."""
    places = getattr(dissection, column)
    counts = np.bincount(places if where is None else places[where])
    return {dissection.addresses[i]: int(counts[i]) for i in np.flatnonzero(counts) if i > 0}


def _place(address: str | None, dissection: Dissection) -> int:
    """Where `address` stands among the dissection's; -1, which no packet has, if it does not."""
    known = address is not None and address in dissection.addresses
    return dissection.addresses.index(address) if known else -1


def is_at_home(ip: str) -> bool:
    """Whether an address is one that home networks have (RFC 1918, 3927, 4193, 4291)."""
    address = ipaddress.ip_address(ip)
    return any(address in network for network in _HOME)


def _is_one_host(address: str) -> bool:
    return _can_be_own(address) and not address.endswith(".255")


def _can_be_own(address: str) -> bool:
    if _is_mac(address):
        return not int(address[:2], 16) & 1 and address != "00:00:00:00:00:00"
    ip = ipaddress.ip_address(address)
    return not (ip.is_unspecified or ip.is_multicast or address == "255.255.255.255")


def _is_local(ip: str) -> bool:
    """Whether an IP address, or its lack (""), names no host beyond the link."""
    if not ip or _is_mac(ip):
        return not ip
    address = ipaddress.ip_address(ip)
    return address.is_unspecified or address.is_link_local


def _is_mac(address: str) -> bool:
    return _MAC.fullmatch(address) is not None


def _parse_address(text: str) -> str:
    """A MAC or IP address as tshark writes it, from any usual notation."""
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        digits = re.sub(r"[:.\-]", "", text.strip().lower())
        if re.fullmatch(r"[0-9a-f]{12}", digits):
            return ":".join(digits[i : i + 2] for i in range(0, 12, 2))
    raise DeviceNotFound(
        f"{text!r} is not an address; name the device as 00:17:88:24:76:ff, 10.10.10.6 or fe80::1"
    )


def _name_hosts(dissections: Sequence[Dissection], kind: Kind) -> str:
    hosts = [f"{a} ({n} packets)" for a, n in count_hosts(dissections, kind).most_common(3)]
    if not hosts:
        return f"the captures have no {kind.upper()} addresses"
    return f"the most common are {', '.join(hosts)}"
