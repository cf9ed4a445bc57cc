"""Our own dissector: the columns that tshark gives, from the bytes of a capture alone.

Which protocols are told, and how, stands in docs/reading.md, with what tshark tells otherwise.

Shapes: P packets.
"""

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.capture.applications import Transport, find_applications
from iotflowgen.capture.dissection import Dissection
from iotflowgen.capture.ethernet import read_ethernet
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire.frames import Frames
from iotflowgen.wire.internet import Datagrams, find_datagrams
from iotflowgen.wire.layers import ARP, EAPOL, ICMP, ICMP6, IP4, RST, TCP, UDP, VLAN

__all__ = ["dissect"]

_REVERSE_ARP, _PREAUTHENTICATION = 0x8035, 0x88C7
_ETHERTYPES: Final = {
    ARP: "arp",
    _REVERSE_ARP: "arp",
    EAPOL: "eapol",
    _PREAUTHENTICATION: "eapol",
    IP4: "ip",
}
_CARRIED: Final = {ICMP: "icmp", ICMP6: "icmpv6", TCP: "tcp", UDP: "udp"}
_ETHERNET: Final = 14
"""Bytes of a header without tags."""
_LONGEST: Final = 1500
"""What stands in place of an EtherType and is no greater is a length: LLC follows."""
_SNAP: Final = (0xAAAA03000000, 0xAAAA030000F8)
"""LLC and the organisation, of RFC 1042 and of 802.1H: an EtherType follows."""
_LLC_IP: Final = 0x060603
_IPX: Final = 0xFFFF
"""In place of LLC: Novell's frames have none."""
_UDP_HEADER: Final = 8
_BLOCK: Final = 2**18
"""Packets whose addresses are read at once."""
_Hosts = tuple[NDArray[np.int32], NDArray[np.int32]]


def dissect(capture: Path, most: int | None = None) -> Dissection:
    """Dissect one capture, or as many packets of it as `read_ethernet` is to read.

    Raises:
        UnreadableCapture: As `read_ethernet`.
        DeviceNotFound: As `read_ethernet`.
    """
    found = read_ethernet(capture, most)
    order = np.argsort(found.time_ns, kind="stable")
    columns, addresses = _columns(found.frames, found.length)
    columns |= {"in_file": found.in_file, "time_ns": found.time_ns}
    in_order: dict[str, Any] = {name: column[order] for name, column in columns.items()}
    told = found.link, found.notes, found.complaint, tuple(addresses)
    return Dissection(*told, **in_order, begins=found.begins)


def _columns(
    frames: Frames, length: NDArray[np.int64]
) -> tuple[dict[str, NDArray[Any]], dict[str, int]]:
    """What `Dissection` has of packets (P) in their order in the file, and all addresses."""
    layer = _link_layer(frames)
    datagrams = find_datagrams(frames, length, layer.ethertype, layer.network)
    addresses = {"": 0}
    src_ip, dst_ip = (
        _ip_addresses(frames, at, layer.ethertype, addresses)
        for at in (datagrams.source, datagrams.destination)
    )
    src_mac, dst_mac = (
        _places(frames, at, 6, _mac, addresses) for at in (layer.source, layer.destination)
    )
    protocols = layer.is_llc * np.uint16(protocol_mask(["llc"]))
    for column, names in ((layer.ethertype, _ETHERTYPES), (datagrams.protocol, _CARRIED)):
        for number, name in names.items():
            protocols[column == number] |= protocol_mask([name])
    src_port, dst_port, tcp_payload = np.zeros((3, len(frames)), np.int32)
    for number, find in ((TCP, _tcp), (UDP, _udp)):
        index = np.flatnonzero(datagrams.protocol == number)
        some = frames.take(index)
        packets = find(some, datagrams.take(index), (src_ip[index], dst_ip[index]))
        src_port[index], dst_port[index] = packets.src_port, packets.dst_port
        if number == TCP:
            tcp_payload[index] = packets.size
        protocols[index] |= find_applications(some, packets, is_tcp=number == TCP)
    columns: dict[str, NDArray[Any]] = {
        "length": length.astype(np.int32),
        "protocols": protocols,
        "src_port": src_port,
        "dst_port": dst_port,
        "tcp_payload": tcp_payload,
        "src_ip": src_ip,
        "dst_ip": dst_ip,
        "src_mac": src_mac,
        "dst_mac": dst_mac,
    }
    return columns, addresses


class _LinkLayer(NamedTuple):
    """Of Ethernet frames (P); offsets are -1 where a frame ends before."""

    ethertype: NDArray[np.int64]
    """What is carried; -1 where none says it."""
    network: NDArray[np.int64]
    """Offset of what is carried."""
    is_llc: NDArray[np.bool_]
    """It has an LLC header."""
    source: NDArray[np.int64]
    """Offset of the MAC address, 6 bytes."""
    destination: NDArray[np.int64]
    """Offset of the MAC address."""


def _link_layer(frames: Frames) -> _LinkLayer:
    """Tags and LLC as Wireshark has them, which tells Novell's frames from others."""
    whole = frames.size >= _ETHERNET
    ethertype, network = _known(frames, 12), np.full(len(frames), _ETHERNET)
    tagged = np.flatnonzero(np.isin(ethertype, VLAN))
    while len(tagged):
        ethertype[tagged] = _known(frames.take(tagged), network[tagged] + 2)
        network[tagged] += 4
        tagged = tagged[np.isin(ethertype[tagged], VLAN)]
    is_llc = (ethertype >= 0) & (ethertype <= _LONGEST) & (frames.number(network, 2) != _IPX)
    llc = np.flatnonzero(is_llc)
    if len(llc):
        some, start = frames.take(llc), network[llc]
        snap = np.isin(some.number(start, 6), _SNAP)
        is_ip = some.number(start, 3) == _LLC_IP
        ethertype[llc] = np.where(snap, _known(some, start + 6), np.where(is_ip, IP4, -1))
        network[llc] += np.where(snap, 8, 3)
    source, destination = np.where(whole, 6, -1), np.where(whole, 0, -1)
    return _LinkLayer(ethertype, network, is_llc, source, destination)


def _known(frames: Frames, at: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Numbers (P) of two bytes; -1 where a frame ends before."""
    return np.where(at + 2 <= frames.size, frames.number(at, 2), -1)


def _tcp(frames: Frames, datagrams: Datagrams, hosts: _Hosts) -> Transport:
    at, end = datagrams.start, datagrams.end
    src_port, dst_port = _ports(frames, at, end)
    header = (frames.number(at + 12, 1) >> 4) * 4
    flags = frames.number(at + 13, 1)
    start = np.minimum(at + header, end)
    # the window is the last that is needed to say how much there is
    size = np.where(at + 16 <= frames.size, end - start, 0)
    end = np.minimum(start + size, frames.size)
    # the text of a reset says why, to nobody (RFC 9293, section 3.5.2)
    shows = (start < end) & (header >= 20) & (flags & RST == 0)
    numbers = flags, frames.number(at + 4, 4)
    return Transport(src_port, dst_port, *hosts, *numbers, start, end, size, shows)


def _udp(frames: Frames, datagrams: Datagrams, hosts: _Hosts) -> Transport:
    at, end = datagrams.start, datagrams.end
    src_port, dst_port = _ports(frames, at, end)
    start, size = at + _UDP_HEADER, frames.number(at + 4, 2) - _UDP_HEADER
    end = np.minimum(np.minimum(start + size, end), frames.size)
    none = np.zeros_like(at)
    return Transport(src_port, dst_port, *hosts, none, none, start, end, size, start < end)


def _ports(
    frames: Frames, at: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of TCP and UDP (P); 0 where not both are there."""
    both = np.where(at + 4 <= end, frames.number(at, 4), 0)
    return both >> 16, both & 0xFFFF


def _ip_addresses(
    frames: Frames,
    at: NDArray[np.int64],
    ethertype: NDArray[np.int64],
    known: dict[str, int],
) -> NDArray[np.int32]:
    """The addresses (P) at offsets, as places in `known`, which grows."""
    is_ip4 = ethertype == IP4
    places = _places(frames, np.where(is_ip4, at, -1), 4, _ip, known)
    places += _places(frames, np.where(is_ip4, -1, at), 16, _ip, known)
    return places


def _places(
    frames: Frames,
    at: NDArray[np.int64],
    width: int,
    written: Callable[[bytes], str],
    known: dict[str, int],
) -> NDArray[np.int32]:
    """Addresses (P) of so many bytes as places in `known`, which grows; 0 where `at` is -1."""
    places = np.zeros(len(frames), np.int32)
    there = np.flatnonzero(at >= 0)
    for first in range(0, len(there), _BLOCK):
        index = there[first : first + _BLOCK]
        rows = frames.take(index).bytes_at(at[index], width)
        words, which = np.unique(rows.view(f"V{width}").ravel(), return_inverse=True)
        new = [known.setdefault(written(word.tobytes()), len(known)) for word in words]
        places[index] = np.array(new, np.int32)[which]
    return places


def _mac(address: bytes) -> str:
    return address.hex(":")


def _ip(address: bytes) -> str:
    return str(ipaddress.ip_address(address))
