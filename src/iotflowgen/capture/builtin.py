"""Our own dissector: the columns that tshark gives, from the bytes of the capture.

Which protocols are told, and how, stands in docs/reading.md, with what tshark tells otherwise.

Shapes: P packets.
"""

import ipaddress
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iotflowgen.capture.applications import Transport, find_applications
from iotflowgen.capture.dissection import Dissection
from iotflowgen.errors import UnreadableCapture
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire.frames import Frames
from iotflowgen.wire.internet import Datagrams, find_datagrams
from iotflowgen.wire.layers import ARP, EAPOL, ICMP, ICMP6, IP4, IP6, RST, TCP, UDP
from iotflowgen.wire.links import LINKS, LinkLayer, find_link_layer
from iotflowgen.wire.pcap import Records, read_records

__all__ = ["dissect"]

_ETHERTYPES = {ARP: "arp", 0x8035: "arp", EAPOL: "eapol", 0x88C7: "eapol", IP4: "ip"}
"""Reverse ARP (RFC 903) and pre-authentication (802.11i) are of the same kinds."""
_CARRIED = {ICMP: "icmp", ICMP6: "icmpv6", TCP: "tcp", UDP: "udp"}


def dissect(capture: Path) -> Dissection:
    """Dissect one capture.

    Raises:
        UnreadableCapture: It is no capture, or no packet is of a link type that is read.
    """
    records = read_records(capture)
    known = np.isin(records.link, [*LINKS])
    complaint = records.complaint
    if not known.all():
        kinds = ", ".join(map(str, np.unique(records.link[~known])))
        says = f"link type {kinds} is not read"
        if not known.any():
            raise UnreadableCapture(
                f"{capture}: {says}; capture one of these: "
                f"{', '.join(sorted({name for name, _ in LINKS.values()}))}, or try --dissector tshark"
            )
        others = f"{int((~known).sum())} of {len(known)} packets are left out, for {says}"
        complaint = f"{others}; {complaint}" if complaint else others
    return _columns(records, np.flatnonzero(known), complaint)


def _columns(records: Records, in_file: NDArray[np.int64], complaint: str) -> Dissection:
    """The columns of these packets of a file."""
    frames, link = records.frames.take(in_file), records.link[in_file]
    time_ns, length = records.time_ns[in_file], records.length[in_file]
    layer = _link_layers(frames, link)
    datagrams = find_datagrams(frames, length, layer.ethertype, layer.network)
    addresses = {"": 0}
    source, destination = (
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
    ports = np.zeros((2, len(frames)), np.int32)
    tcp_payload = np.zeros(len(frames), np.int32)
    for number, find in ((TCP, _tcp), (UDP, _udp)):
        index = np.flatnonzero(datagrams.protocol == number)
        some, hosts = frames.take(index), (source[index], destination[index])
        packets = find(some, datagrams, index, hosts)
        ports[:, index] = packets.src_port, packets.dst_port
        if number == TCP:
            tcp_payload[index] = packets.size
        protocols[index] |= find_applications(some, packets, is_tcp=number == TCP)
    columns = {
        "in_file": in_file,
        "time_ns": time_ns,
        "length": length.astype(np.int32),
        "protocols": protocols,
        "src_port": ports[0],
        "dst_port": ports[1],
        "tcp_payload": tcp_payload,
        "src_ip": source,
        "dst_ip": destination,
        "src_mac": src_mac,
        "dst_mac": dst_mac,
    }
    order = np.argsort(time_ns, kind="stable")
    names = " and ".join(sorted({LINKS[each][0] for each in np.unique(link).tolist()}))
    return Dissection(
        names, complaint, tuple(addresses), **{name: each[order] for name, each in columns.items()}
    )


def _link_layers(frames: Frames, link: NDArray[np.int64]) -> LinkLayer:
    """The link layers (P) of frames that may be of several link types."""
    kinds = np.unique(link).tolist()
    if len(kinds) == 1:
        return find_link_layer(frames, kinds[0])
    found = find_link_layer(frames, kinds[0])
    for kind in kinds[1:]:
        index = np.flatnonzero(link == kind)
        found.put(index, find_link_layer(frames.take(index), kind))
    return found


def _tcp(
    frames: Frames,
    datagrams: Datagrams,
    index: NDArray[np.int64],
    hosts: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> Transport:
    at, end = datagrams.start[index], datagrams.end[index]
    header = (frames.number(at + 12, 1) >> 4) * 4
    flags = frames.number(at + 13, 1)
    start = np.minimum(at + header, end)
    # the window is the last that is needed to say how much there is
    size = np.where(at + 16 <= frames.size, end - start, 0)
    ports = _ports(frames, at, end)
    end = np.minimum(start + size, frames.size)
    # the text of a reset says why, to nobody (RFC 9293, section 3.5.2)
    shows = (start < end) & (header >= 20) & (flags & RST == 0)
    return Transport(*ports, *hosts, flags, start, end, size, shows)


def _udp(
    frames: Frames,
    datagrams: Datagrams,
    index: NDArray[np.int64],
    hosts: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> Transport:
    at = datagrams.start[index]
    start, size = at + 8, frames.number(at + 4, 2) - 8
    end = np.minimum(np.minimum(datagrams.end[index], start + size), frames.size)
    return Transport(
        *_ports(frames, at, datagrams.end[index]), *hosts, np.zeros_like(at), start, end, size, start < end
    )


def _ports(
    frames: Frames, at: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of TCP and UDP; 0 where both were not captured."""
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
    index = np.flatnonzero(at >= 0)
    if len(index):
        some = frames.take(index).bytes_at(at[index], width)
        words, which = np.unique(some.view(f"V{width}").ravel(), return_inverse=True)
        new = [known.setdefault(written(word.tobytes()), len(known)) for word in words]
        places[index] = np.array(new, np.int32)[which]
    return places


def _mac(address: bytes) -> str:
    return address.hex(":")


def _ip(address: bytes) -> str:
    return str(ipaddress.ip_address(address))
