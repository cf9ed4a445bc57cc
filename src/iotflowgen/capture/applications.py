"""Which of the paper's applications are in segments of TCP and datagrams of UDP.

By the port, by what a payload begins with, and by what the conversation was before: Wireshark's
rules, without reassembly.

- Of TCP the server's port counts first, if a SYN has named it; then the lower one, then the other:
  the first on which something is expected. UDP has the last two.
- On a port of TLS everything is TLS but what begins as text.
- On ports where nothing is expected, TLS is known by a record, and HTTP by the first line. From
  there on the conversation is of TLS, but for what begins as text, or of HTTP.
- Where HTTP is expected, by port or conversation, a head or a header field is HTTP, and everything
  from the first request of the conversation on. The same holds for SSDP on its port of UDP.
- A conversation is all between two addresses and ports, up to a SYN that is not sent again.
- DNS is also known by its header, if nothing is expected on the ports of UDP.

Shapes: P packets with payload or without.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iotflowgen.traffic import protocol_mask
from iotflowgen.wire.frames import Frames
from iotflowgen.wire.layers import ACK, SYN
from iotflowgen.wire.messages import (
    has_dhcp_type,
    http_kind,
    is_dns,
    is_header_field,
    is_http_line,
    is_printable,
    is_tls,
)
from iotflowgen.wire.ports import SERVICES, TCP_SERVICES, UDP_SERVICES

__all__ = ["Transport", "find_applications"]

_NOTHING, _OTHER, _HTTP, _TLS, _DNS, _MDNS, _NTP, _SSDP, _BOOTP = range(len(SERVICES))
_NAMES = {"tls": "https"}
"""What the paper calls a service otherwise."""
_MASKS = np.array(
    [
        protocol_mask([_NAMES.get(name, name)] if i > _OTHER else [])
        for i, name in enumerate(SERVICES)
    ],
    np.uint16,
)
_DHCP = protocol_mask(["dhcp"])
_REQUEST = 1


@dataclass(frozen=True, eq=False)
class Transport:
    """Headers of TCP, or of UDP (P), in the order in which they were captured."""

    src_port: NDArray[np.int64]
    dst_port: NDArray[np.int64]
    src_host: NDArray[np.int32]
    """A number for each address."""
    dst_host: NDArray[np.int32]
    flags: NDArray[np.int64]
    """Of TCP, as the number that follows."""
    sequence: NDArray[np.int64]
    start: NDArray[np.int64]
    """Offset of the payload."""
    end: NDArray[np.int64]
    """Where what was captured of it ends."""
    size: NDArray[np.int64]
    """Its bytes on the wire."""
    shows: NDArray[np.bool_]
    """There is payload, captured, that is somebody's."""


def find_applications(frames: Frames, packets: Transport, *, is_tcp: bool) -> NDArray[np.uint16]:
    """The protocols (P) above TCP, or above UDP, as bits of `protocol_mask`.

    Args:
        frames: P frames.
        packets: Their headers of TCP, or of UDP.
        is_tcp: Which.
    """
    conversation = _conversations(packets)
    service = _tcp(frames, packets, conversation) if is_tcp else _udp(frames, packets)
    service[~packets.shows] = _NOTHING
    messages = np.flatnonzero((service == _HTTP) | (service == _SSDP))
    kind = http_kind(frames.take(messages), packets.start[messages], packets.end[messages])
    asked = _from(messages[kind == _REQUEST], conversation)
    bare = messages[(kind == 0) & ~asked[messages]]
    field = is_header_field(frames.take(bare), packets.start[bare], packets.end[bare])
    service[bare[~field]] = _NOTHING
    masks = _MASKS[service]
    boot = np.flatnonzero(service == _BOOTP)
    typed = has_dhcp_type(frames.take(boot), packets.start[boot], packets.end[boot])
    masks[boot[typed]] |= _DHCP
    return masks


def _tcp(
    frames: Frames,
    packets: Transport,
    conversation: NDArray[np.int64],
) -> NDArray[np.int8]:
    """The service (P) that each segment is taken for."""
    start, end, src, dst = packets.start, packets.end, packets.src_port, packets.dst_port
    text = is_printable(frames, start, end)
    service = np.zeros(len(frames), np.int8)
    for port in (_servers(packets, conversation), np.minimum(src, dst), np.maximum(src, dst)):
        expected = TCP_SERVICES[port]
        taken = (service == _NOTHING) & ~((expected == _TLS) & text)
        service[taken] = expected[taken]
    index = np.flatnonzero(packets.shows & (service == _NOTHING))
    some = frames.take(index)
    secure = is_tls(some, start[index], end[index]) & ~text[index]
    plain = ~secure & is_http_line(some, start[index], end[index])
    is_secure = _from(index[secure], conversation)
    service[is_secure & ~text] = _TLS
    service[_from(index[plain], conversation)] = _HTTP
    return service


def _udp(frames: Frames, packets: Transport) -> NDArray[np.int8]:
    """The service (P) that each datagram is taken for."""
    src, dst = packets.src_port, packets.dst_port
    lower = UDP_SERVICES[np.minimum(src, dst)]
    service = np.where(lower > _NOTHING, lower, UDP_SERVICES[np.maximum(src, dst)])
    index = np.flatnonzero(packets.shows & (service == _NOTHING))
    start, end, size = packets.start[index], packets.end[index], packets.size[index]
    named = is_dns(frames.take(index), start, end, size)
    service[index[named]] = _DNS
    return service


def _conversations(packets: Transport) -> NDArray[np.int64]:
    """A number (P) for each pair of addresses with ports, whichever way, up to a new SYN."""
    hosts = packets.src_host, packets.dst_host
    ports = packets.src_port, packets.dst_port
    ends = [host.astype(np.int64) * 2**16 + port for host, port in zip(hosts, ports, strict=True)]
    known, end = np.unique(
        np.concatenate([np.minimum(*ends), np.maximum(*ends)]), return_inverse=True
    )
    first, second = np.split(end, 2)
    pair = first * len(known) + second
    order = np.argsort(pair, kind="stable")
    begins = np.diff(pair[order], prepend=-1) > 0
    index = np.flatnonzero((packets.flags & (SYN | ACK) == SYN)[order])
    # but not one that is sent again
    sent = np.stack([pair, packets.sequence])[:, order[index]]
    begins[index] |= np.diff(sent, prepend=-1).any(axis=0)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(begins)
    return numbers


def _servers(packets: Transport, conversation: NDArray[np.int64]) -> NDArray[np.int64]:
    """The server's port (P), by the last SYN of the conversation so far; 0 before any."""
    flags = packets.flags
    named = np.where(flags & ACK, packets.src_port, packets.dst_port)
    order = np.argsort(conversation, kind="stable")
    number = conversation[order]
    place = np.where(flags[order] & SYN, np.arange(len(order)), -1)
    last = np.maximum.accumulate(place)
    # not one of the conversation before
    of_this = last >= np.searchsorted(number, number)
    ports = np.zeros(len(order), np.int64)
    ports[order] = np.where(of_this, named[order][last], 0)
    return ports


def _from(index: NDArray[np.int64], conversation: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether packets (P) are one of some packets, or later ones of the same conversation."""
    first = np.full(int(conversation.max(initial=-1)) + 1, len(conversation))
    np.minimum.at(first, conversation[index], index)
    found: NDArray[np.bool_] = np.arange(len(conversation)) >= first[conversation]
    return found
