"""Header fields of every packet as numbers: what encryption leaves open.

As in nPrint (Holland et al., "New Directions in Automated Traffic Analysis", CCS 2021) each field
of each header has a column of its own, also where a packet lacks it (NaN here), and the first bytes
of payload follow. Numbers stand for bits, since trees cut numbers. Beside them stands what fields
do from packet to packet: what IP IDs, sequence and acknowledgment numbers, windows, timestamps and
transaction ids add to the last ones of their host, their connection, or its other side.

Addresses are roles (`relations.ROLES`). A decoy is another unit, under other addresses: these say
which unit it is, and not whether it is real. For the same reason payload ends after 12 bytes, where
names and addresses begin in DNS, DHCP, NTP and TLS.

Sources: IEEE 802.3, 802.1Q, 802.2; RFC 791, 8200, 9293, 7323, 2018, 768, 826, 792, 1071. Captured
frames that were cut off have what is left of them.

Shapes: P packets, F fields.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from iotflowgen.capture.relations import Columns, Numbers, roles, steps
from iotflowgen.errors import HeadersMissing
from iotflowgen.traffic import Trace
from iotflowgen.wire.checksums import internet_sums
from iotflowgen.wire.frames import Frames
from iotflowgen.wire.layers import ARP, ICMP, ICMP6, IGMP, IP4, IP6, TCP, UDP, find_network

__all__ = ["header_fields", "with_headers"]

_MESSAGES = (ICMP, IGMP, ICMP6)
_EXTENSIONS = (0, 43, 60)
_PAYLOAD = 12
_OPTIONS = 8
_FAR = 2**32

# offset and size, bytes
_FIELDS = {
    "ip": {
        "version": (0, 1),
        "tos": (1, 1),
        "length": (2, 2),
        "id": (4, 2),
        "fragment": (6, 2),
        "ttl": (8, 1),
        "protocol": (9, 1),
    },
    "ip6": {"class": (0, 2), "flow": (2, 2), "length": (4, 2), "next": (6, 1), "hops": (7, 1)},
    "arp": {"hardware": (0, 2), "protocol": (2, 2), "sizes": (4, 2), "operation": (6, 2)},
    "port": {"source": (0, 2), "destination": (2, 2)},
    "tcp": {
        "sequence": (4, 4),
        "acknowledgment": (8, 4),
        "offset": (12, 1),
        "flags": (13, 1),
        "window": (14, 2),
        "urgent": (18, 2),
    },
    "udp": {"length": (4, 2)},
    "message": {"type": (0, 1), "code": (1, 1)},
}
# which option, offset and size; of selective acknowledgment its length
_IN_OPTIONS = {
    "segment": (2, 2, 2),
    "scale": (3, 2, 1),
    "selective": (5, 1, 1),
    "stamp": (8, 2, 4),
    "echo": (8, 6, 4),
}


def with_headers(captures: Iterable[tuple[Trace, Frames]]) -> list[Trace]:
    """Traces with the fields of their headers, by the frames that `read_frames` gives.

    Raises:
        HeadersMissing: One is not of Ethernet frames, or has changed meanwhile.
    """
    traces = []
    for trace, frames in captures:
        if not frames.size.any():
            raise HeadersMissing(
                f"headers are read of Ethernet frames only, and {trace.name} has others; leave it "
                "out, or name other adversaries with --adversary"
            )
        traces.append(replace(trace, headers=header_fields(frames, trace)[1]))
    return traces


def header_fields(frames: Frames, trace: Trace) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """The names (F) and the values (P, F) of the fields of a trace's frames."""
    read = _Fields(frames)
    columns, layers = _layers(read, trace)
    columns |= _options(read, layers["tcp"], layers["payload"])
    columns |= _checksums(read, layers)
    columns |= _payload(read, layers, trace)
    addresses = _addresses(read, layers, trace)
    columns |= {name: role for name, (_, role) in addresses.items()}
    hosts = addresses["ip.from"][0], addresses["ip.to"][0]
    columns |= steps(columns, hosts, trace.time_ns)
    return tuple(columns), np.column_stack([*columns.values()]).astype(np.float32)


class _Fields:
    """All frames of a capture, of which fields are taken side by side; NaN beyond their ends."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames

    def take(self, at: Numbers, count: int) -> Numbers:
        """The bytes (P, count) from offsets (P) on."""
        first = _whole(at)
        place = first[:, None] + np.arange(count)
        there = (place >= 0) & (place < self.frames.size[:, None])
        return np.where(there, self.frames.bytes_at(first, count), np.nan)

    def number(self, at: Numbers, count: int) -> Numbers:
        """The numbers (P) of `count` bytes, at most 6, at offsets (P)."""
        place = _whole(at)
        there = (place >= 0) & (place + count <= self.frames.size)
        return np.where(there, self.frames.number(place, count), np.nan)

    def words(self, start: Numbers, end: Numbers) -> Numbers:
        """Sums (P) of 16-bit words between offsets (P), modulo 65535 (RFC 1071)."""
        there = (start >= 0) & (start <= end) & (end <= self.frames.size)
        first, last = (self.frames.start + np.where(there, _whole(at), 0) for at in (start, end))
        return np.where(there, internet_sums(self.frames.data, first, last), np.nan)


def _whole(at: Numbers) -> NDArray[np.int64]:
    """Offsets (P); where there are none, one that no frame has."""
    return np.where(np.isnan(at), -_FAR, at).astype(np.int64)


def _layers(read: _Fields, trace: Trace) -> tuple[Columns, Columns]:
    """The plain fields, and the offsets of each header (NaN without) and of the payload's end."""
    found, begin = find_network(read.frames)
    network = begin.astype(np.float64)
    ethertype = np.where(found < 0, np.nan, found)
    # without a type there is a length in its place
    ethertype = np.where(found == 0, read.number(network - 2, 2), ethertype)
    layers = {
        name: np.where(ethertype == number, network, np.nan)
        for name, number in (("ip", IP4), ("ip6", IP6), ("arp", ARP))
    }
    header = (read.number(layers["ip"], 1) % 16) * 4
    whole = read.number(layers["ip"] + 6, 2) % 0x4000 == 0
    protocol = np.where(whole, read.number(layers["ip"] + 9, 1), np.nan)
    transport = layers["ip"] + header
    end = layers["ip"] + read.number(layers["ip"] + 2, 2)
    kind, after = read.number(layers["ip6"] + 6, 1), layers["ip6"] + 40
    for _ in range(2):
        extended = np.isin(kind, _EXTENSIONS)
        size = np.where(extended, 8 + 8 * read.number(after + 1, 1), 0)
        kind, after = np.where(extended, read.number(after, 1), kind), after + size
    is_ip6 = ~np.isnan(layers["ip6"])
    protocol, transport = np.where(is_ip6, kind, protocol), np.where(is_ip6, after, transport)
    end = np.where(is_ip6, layers["ip6"] + 40 + read.number(layers["ip6"] + 4, 2), end)

    for name, numbers in (("tcp", [TCP]), ("udp", [UDP]), ("message", _MESSAGES)):
        layers[name] = np.where(np.isin(protocol, numbers), transport, np.nan)
    layers["port"] = np.where(np.isin(protocol, [TCP, UDP]), transport, np.nan)
    offset = (read.number(layers["tcp"] + 12, 1) // 16) * 4
    sizes = np.select([protocol == TCP, protocol == UDP], [offset, 8.0], 4.0)
    is_ip = is_ip6 | ~np.isnan(layers["ip"])
    is_arp = ~np.isnan(layers["arp"])
    layers["payload"] = np.select([is_ip, is_arp], [transport + sizes, np.nan], network)
    layers["end"] = np.select([is_ip, is_arp], [end, network + 28], trace.length)
    layers["protocol"] = protocol
    columns = {"eth.length": trace.length.astype(np.float64), "eth.type": ethertype}
    for name, fields in _FIELDS.items():
        for field, (place, width) in fields.items():
            columns[f"{name}.{field}"] = read.number(layers[name] + place, width)
    return columns, layers


def _options(read: _Fields, tcp: Numbers, end: Numbers) -> Columns:
    """The options of TCP: which, in their order, and what they say."""
    at = np.where(tcp + 20 < end, tcp + 20, np.nan)
    said = {name: np.full(len(at), np.nan) for name in _IN_OPTIONS}
    order = []
    while not np.isnan(at).all():
        kind, size = read.number(at, 1), read.number(at + 1, 1)
        order.append(kind)
        for name, (number, place, count) in _IN_OPTIONS.items():
            said[name] = np.where(kind == number, read.number(at + place, count), said[name])
        at = at + np.where(kind == 1, 1, np.maximum(size, 2))
        at = np.where((kind > 0) & (at < end), at, np.nan)
    nothing = np.full(len(tcp), np.nan)
    order += [nothing] * _OPTIONS
    return {f"tcp.option.{i}": order[i] for i in range(_OPTIONS)} | {
        f"tcp.{name}": values for name, values in said.items()
    }


def _checksums(read: _Fields, layers: Columns) -> Columns:
    """Whether checksums are right: 1 if so, 0 if not, 2 where UDP has none.

    Right is also the sum of addresses and length alone. A sender's network card completes it, which
    is too late for captures that are taken on the sender, as a gateway's are.
    """
    network, ip6, end = layers["ip"], layers["ip6"], layers["end"]
    is_ip6 = ~np.isnan(ip6)
    header = read.words(network, network + (read.number(network, 1) % 16) * 4)
    addresses = np.where(
        is_ip6, read.words(ip6 + 8, ip6 + 40), read.words(network + 12, network + 20)
    )
    columns = {"ip.checksum": np.where(np.isnan(header), np.nan, header == 0)}
    for name, place in (("tcp", 16), ("udp", 6), ("message", 2)):
        start = layers[name]
        said, total = read.number(start + place, 2), read.words(start, end)
        beside = addresses + layers["protocol"] + end - start
        if name == "message":
            beside = np.where(is_ip6, beside, 0)
        right = ((total + beside) % 65535 == 0) | (said % 65535 == beside % 65535)
        right = np.where((name == "udp") & (said == 0), 2, right)
        columns[f"{name}.checksum"] = np.where(np.isnan(total), np.nan, right)
    return columns


def _payload(read: _Fields, layers: Columns, trace: Trace) -> Columns:
    """Its size and first bytes, and the padding after it."""
    start, end = layers["payload"], layers["end"]
    inside = np.where(start[:, None] + np.arange(_PAYLOAD) < end[:, None], 1, np.nan)
    first = read.take(start, _PAYLOAD) * inside
    return {
        "payload.size": np.maximum(end - start, 0),
        **{f"payload.{i}": first[:, i] for i in range(_PAYLOAD)},
        "payload.id": read.number(start, 2) * inside[:, 1],
        "padding.size": trace.length - end,
        "padding.0": read.number(end, 1),
    }


def _addresses(
    read: _Fields, layers: Columns, trace: Trace
) -> dict[str, tuple[NDArray[np.int64], Numbers]]:
    """Of each address that a packet has: which (P), as a number, and its role (P)."""
    none = np.full((len(trace), 12), np.nan)
    frame, arp = np.zeros(len(trace)), layers["arp"]
    macs = {
        "eth.to": read.take(frame, 6),
        "eth.from": read.take(frame + 6, 6),
        "arp.from": read.take(arp + 8, 6),
        "arp.to": read.take(arp + 18, 6),
    }
    ips = {}
    for name, ip4, ip6, place in (("from", 12, 8, 14), ("to", 16, 24, 24)):
        short = np.hstack([read.take(layers["ip"] + ip4, 4), none])
        long = read.take(layers["ip6"] + ip6, 16)
        ips[f"ip.{name}"] = np.where(np.isnan(long), short, long)
        ips[f"arp.ip.{name}"] = np.hstack([read.take(arp + place, 4), none])
    return roles(macs, "eth.from", trace.outgoing) | roles(ips, "ip.from", trace.outgoing)
