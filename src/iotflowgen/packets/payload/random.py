"""Random bytes: what is encrypted, undecodable, or was not captured.

Honeydata shows no undecodable byte that occurs in only one capture: it might identify somebody.
Where a packet is to be longer or shorter than captured, bytes are inserted or left out where they
matter least, at its *spot*.

Shapes: P captured packets; E packets of a block; R ranges.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.gather import set_lengths
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.packets.payload.hellos import find_hellos
from iotflowgen.packets.payload.http import whole_bodies
from iotflowgen.packets.payload.plaintext import Plaintext, drawn_in
from iotflowgen.packets.payload.records import read_records
from iotflowgen.packets.payload.streams import Streams, read_streams
from iotflowgen.packets.payload.text import is_text, longest_word
from iotflowgen.packets.ranges import Shift, begins_of, expand
from iotflowgen.packets.transactions.codec import read_ids
from iotflowgen.recording import Packets, Recording
from iotflowgen.traffic import protocol_mask
from iotflowgen.wire import dst_port, payload_size, src_port
from iotflowgen.wire.arrays import Integers
from iotflowgen.wire.layers import EAPOL

__all__ = ["Random"]

_TEXTS: Final = protocol_mask(["http", "ssdp"])
_BINARY: Final = protocol_mask(["bootp", "dns", "mdns", "ntp"])
_AT_ONCE: Final = 64
_KEY_FIELDS: Final = ((13, 45), (45, 61), (61, 77), (77, 93))
"""Nonce, vector, counter and integrity code of a key message (IEEE 802.11, section 12.7.2)."""
_KEY_DATA: Final = 95

Table = NDArray[np.int64]
"""Packet, first and last byte of ranges (R, 3)."""


class Random:
    """Which bytes are random, and where packets are longer or shorter than captured."""

    name: ClassVar[str] = "random"

    def __init__(self, recording: Recording) -> None:
        """Take the ranges of all packets (P), and what was not captured of them."""
        told = recording.of(self.name)
        table = np.stack([told["packet"], told["first"], told["last"]], axis=-1).astype(np.int64)
        self._size, self._spot = recording.frames.size, told["spot"].astype(np.int64)
        captured = recording.references.get("captured", self._size).astype(np.int64)
        cut = np.flatnonzero(captured < self._size)
        lost = np.stack([cut, captured[cut], self._size[cut]], axis=-1)
        self._ranges = _sorted(np.concatenate([table, lost]))
        self._begin = begins_of(self._ranges[:, 0], len(recording))

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """Ranges `packet`, `first`, `last` (R), the `spot` of each packet (P), and its records."""
        _tell_true_lengths(packets)
        ids = read_ids(packets)
        streams = read_streams(packets)
        records = read_records(packets, streams)
        own, spot = _unread(packets, streams)
        ranges = [_in_streams(packets, streams), own, _in_keys(packets), _padding(packets)]
        table = _sorted(np.concatenate(ranges))
        _spots_of(packets, table, spot)
        hellos = find_hellos(packets, streams.packet)
        spot[hellos["packet"]] = hellos.pop("spot")
        # an array of places would take eight times as much as the bytes
        start = packets.frames.start[table[:, 0], None] + table[:, 1:]
        for begin, end in start.tolist():
            packets.frames.data[begin:end] = 0
        packet, first, last = table.astype(np.int32).T
        ranges_of = {"packet": packet, "first": first, "last": last}
        records |= {f"hello_{name}": column for name, column in hellos.items()}
        return ids | records | ranges_of | {"spot": spot.astype(np.int32)}

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:  # noqa: ARG002
        """Draw the bytes, for each packet its own."""
        shift = Shift.of(packets, self._spot, self._size)
        which, row = expand(self._begin, packets.source)
        first = shift.firsts(which, self._ranges[row, 1])
        last = np.minimum(shift.lasts(which, self._ranges[row, 2]), packets.frames.size[which])
        noise.fill(packets.frames, which, first, last, of=packets.number[which])


def _sorted(table: Table) -> Table:
    rows: Table = table[np.lexsort((table[:, 1], table[:, 0]))]
    return rows


def _table(rows: list[tuple[int, int, int]]) -> Table:
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def _tell_true_lengths(packets: Packets) -> None:
    """Correct the lengths in headers of hosts that truncate what they send."""
    frames, layers = packets.frames, packets.layers
    ip = layers.is_ip4 & (frames.number(layers.network + 2, 2) > layers.end - layers.network)
    udp = layers.is_udp & (frames.number(layers.transport + 4, 2) > payload_size(layers) + 8)
    set_lengths(frames, layers, (ip | udp) & (layers.protocol >= 0))


def _in_streams(packets: Packets, streams: Streams) -> Table:
    """Random ranges in TLS: those of streams, cut at the ends of segments."""
    first, last = streams.drawn[:, 0], streams.drawn[:, 1]
    low = np.searchsorted(last, streams.begin, side="right")
    high = np.searchsorted(first, streams.end, side="left")
    which, row = expand(np.append(0, np.cumsum(high - low)), np.arange(len(low)))
    row += (low - np.append(0, np.cumsum(high - low))[:-1])[which]
    packet = streams.packet[which]
    into = packets.layers.payload[packet] - streams.begin[which]
    begin = np.maximum(first[row], streams.begin[which]) + into
    end = np.minimum(last[row], streams.end[which]) + into
    return np.stack([packet, begin, end], axis=-1)


def _unread(packets: Packets, streams: Streams) -> tuple[Table, Integers]:
    """Undecodable ranges of other payload, and the longest word of texts (P)."""
    layers, frames = packets.layers, packets.frames
    has = layers.has_ports & (payload_size(layers) > 0)
    has[streams.packet] = False
    is_whole = whole_bodies(packets)
    rows = np.flatnonzero(has)
    some = layers.take(rows)
    start = frames.start[rows] + some.payload
    view, ends = frames.data.data, (start + payload_size(some)).tolist()
    payloads = [bytes(view[a:b]) for a, b in zip(start.tolist(), ends, strict=True)]
    ports = np.stack([src_port(frames, layers), dst_port(frames, layers)], axis=-1)[rows]
    kinds = np.stack(
        [frames.size[rows], packets.outgoing[rows], packets.protocols[rows], ports.min(axis=1)],
        axis=-1,
    )
    plain = Plaintext(packets.session[rows].tolist(), list(map(tuple, kinds.tolist())), payloads)
    found: list[tuple[int, int, int]] = []
    spot = layers.end.copy()
    words: dict[bytes, int] = {}
    columns = (rows, some.payload, packets.protocols[rows], some.is_tcp, ports, is_whole[rows])
    each: Iterator[Any] = zip(*(column.tolist() for column in columns), strict=True)
    for (packet, at, protocols, is_tcp, pair, stays), kind, payload in zip(
        each, kinds.tolist(), payloads, strict=True
    ):
        transport = "tcp" if is_tcp else "udp"
        for first, last in () if stays else drawn_in(payload, protocols, transport, pair):
            ranges = plain.drawn(tuple(kind), payload, first, last)
            found += [(packet, at + low, at + high) for low, high in ranges]
        if not protocols & _BINARY and (protocols & _TEXTS or is_text(payload)):
            if payload not in words:
                words[payload] = longest_word(payload)
            if words[payload] >= 0:
                spot[packet] = at + words[payload]
    return _table(found), spot


def _in_keys(packets: Packets) -> Table:
    """What is random in the key messages of EAPOL."""
    found: list[tuple[int, int, int]] = []
    for packet in np.flatnonzero(packets.layers.ethertype == EAPOL).tolist():
        frame, end = packets.frames[packet], int(packets.layers.end[packet])
        network = int(packets.layers.network[packet])
        at = network + 4
        if end < at + _KEY_DATA or frame[network + 1] != 3:
            continue
        fields = [(at + first, at + last) for first, last in _KEY_FIELDS]
        if frame[at + 1] & 0x10:
            fields.append((at + _KEY_DATA, end))
        found += [(packet, *field) for field in fields if any(frame[slice(*field)])]
    return _table(found)


def _padding(packets: Packets) -> Table:
    """Padding that is not zero is somebody's memory."""
    frames, end = packets.frames, packets.layers.end
    size = np.maximum(frames.size - end, 0)
    packet = np.flatnonzero(size)
    some = frames.take(packet)
    is_dirty = np.zeros(len(packet), dtype=bool)
    for step in range(0, int(size.max(initial=0)), _AT_ONCE):
        is_dirty |= some.bytes_at(end[packet] + step, _AT_ONCE).any(axis=1)
    packet = packet[is_dirty]
    return np.stack([packet, end[packet], frames.size[packet]], axis=-1)


def _spots_of(packets: Packets, table: Table, spot: Integers) -> None:
    """Have packets (P) be longer or shorter where their last random range within IP ends."""
    packet, first, last = table.T
    end = packets.layers.end
    inside = packets.layers.has_ports[packet] & (last <= end[packet]) & (first < last)
    # of the ranges of a packet the last one is written last
    spot[packet[inside]] = last[inside]
