"""Payload of unknown protocols: which bytes are plaintext, and which are to be drawn.

Encryption never gives the same bytes twice. So payload that occurs in several captures was sent in
the clear, firmware above all. And a byte that takes few values in messages of one kind (and one
length, if that is not too rare) is part of their header: a type, a length, a counter.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Sequence

import numpy as np

from iotflowgen.packets.fuzz.ports import HTTP_PORTS, TLS_PORTS, claimed_port
from iotflowgen.packets.payload.known import drawn_in_known
from iotflowgen.packets.payload.streams import says_tls
from iotflowgen.packets.payload.text import is_text, picture_head, split_head
from iotflowgen.recording import Packets
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire import dst_port, payload_size, src_port
from iotflowgen.wire.arrays import Flags

__all__ = ["Plaintext", "drawn_in", "says_its_length"]

_HEAD = 16
"""Bytes of a message in which a head is looked for; further on a byte may say who sends."""
_LEAST = 4
"""Messages of one kind that it takes to tell."""
_KEPT = 8
"""Bytes that a message keeps: often its type and length."""
_PICTURE_END = b"\xff\xd9"
"""Without which Wireshark takes a JPEG picture for malformed."""
_READABLE = protocol_mask(["bootp", "ssdp", "dns", "mdns", "ntp"])
_STRETCHED = protocol_mask(["http", "ssdp", "https"])
_HTTP, _TLS = (protocol_mask([name]) for name in ("http", "https"))

Kind = tuple[int, ...]
"""What messages share: their length first."""
Ranges = Iterator[tuple[int, int]]


class Plaintext:
    """What is plain in messages (M) of all captures."""

    def __init__(
        self, captures: Sequence[int], kinds: Sequence[Kind], payloads: Sequence[bytes]
    ) -> None:
        """Read which capture each message is of, of which kind, and what it says (M)."""
        whole = Counter(payload for _, payload in set(zip(captures, payloads, strict=True)))
        heads: defaultdict[Kind, list[bytes]] = defaultdict(list)
        for kind, payload in zip(kinds, payloads, strict=True):
            for known in (kind, kind[1:]):
                heads[known].append(payload[:_HEAD])
        self._recurring = {payload for payload, count in whole.items() if count > 1}
        self._heads = {kind: _told(seen) for kind, seen in heads.items() if len(seen) >= _LEAST}

    def drawn(self, kind: Kind, payload: bytes, first: int, last: int) -> Ranges:
        """A range of a message, without what is plain."""
        if payload in self._recurring:
            return
        # if that length is too rare to tell, its like at any length do
        kept = self._heads.get(kind, self._heads.get(kind[1:], frozenset()))
        yield from _without(first, last, kept)


def _without(first: int, last: int, kept: Container[int]) -> Ranges:
    start = first
    for at in range(first, min(last, _HEAD)):
        if at in kept:
            if start < at:
                yield start, at
            start = at + 1
    if start < last:
        yield start, last


def _told(heads: Sequence[bytes]) -> frozenset[int]:
    """Places where there are at most half as many values as messages that reach so far."""
    columns = [[head[place] for head in heads if place < len(head)] for place in range(_HEAD)]
    return frozenset(
        place
        for place, values in enumerate(columns)
        if len(values) >= max(_LEAST, 2 * len({*values}))
    )


def drawn_in(payload: bytes, protocols: int, transport: str, ports: Sequence[int]) -> Ranges:
    """Where the payload of TCP or UDP is not readable, by what it is said to be."""
    kept, end = 0, len(payload)
    body = payload
    if protocols & _READABLE:
        return
    if protocols & _HTTP:
        kept = split_head(payload)
        body = payload[kept:]
        kept += picture_head(body)
        end -= len(_PICTURE_END) * body.endswith(_PICTURE_END)
    elif (known := drawn_in_known(payload, transport)) is not None:
        yield from known
        return
    elif not protocols & _TLS:
        # what a dissector will look at has to be as it was
        kept = _KEPT if claimed_port(transport, ports) is None else end
    if kept < end and not is_text(body):
        yield kept, end


def says_its_length(packets: Packets) -> Flags:
    """Whether payload is of a protocol that says in its own way how long it is (P).

    It is what a dissector expects on a port, but for HTTP and TLS, whose codecs write lengths.
    """
    layers, frames = packets.layers, packets.frames
    found: Flags = layers.has_ports & (payload_size(layers) > 0)
    found &= packets.protocols & _STRETCHED == 0
    found &= ~says_tls(packets)
    ports = np.stack([src_port(frames, layers), dst_port(frames, layers)])
    known, number = np.unique(ports, return_inverse=True)
    for transport, has in (("tcp", layers.is_tcp), ("udp", layers.is_udp)):
        wrong = HTTP_PORTS | TLS_PORTS if transport == "tcp" else ()
        claimed = [claimed_port(transport, [port]) not in {None, *wrong} for port in known.tolist()]
        found &= ~has | np.array(claimed, dtype=bool)[number.reshape(ports.shape)].any(axis=0)
    return found
