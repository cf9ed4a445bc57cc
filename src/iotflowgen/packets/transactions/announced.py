"""Ports that texts announce and media then use (RFC 2326, section 12.39; RFC 8866, 5.14): a codec.

`client_port=` and `server_port=` of RTSP, and the lines `m=` of SDP, which SIP carries too, say by
which ports RTP comes. Of a captured port it is kept which flow came by it, or, as RTCP may be
silent, by the one before it. A generated text shows the port that the generated packets have: those
that repeat this flow, or else the next ones that were announced alike.

Text comes before what it announces, so pieces of sessions are looked through before they are
rendered. A port stays as it is where the piece has no such flow, or one whose port has more digits,
or fewer.

Shapes: P captured packets; M announced ports; E packets of pieces of sessions, or of a block.
"""

import re
from collections.abc import Iterator
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise, mixed
from iotflowgen.packets.ranges import Shift, begins_of, expand
from iotflowgen.packets.rows import Rows
from iotflowgen.recording import Packets, Recording
from iotflowgen.wire import dst_port, src_port
from iotflowgen.wire.arrays import Integers

__all__ = ["Announced"]

_TEXTS: Final = (
    re.compile(rb"client_port=([0-9]{4,5})(?:-([0-9]{4,5}))?"),
    re.compile(rb"server_port=([0-9]{4,5})(?:-([0-9]{4,5}))?"),
    re.compile(rb"\nm=[a-z]+ ([0-9]{4,5})[ /]"),
)
_COLUMNS: Final = ("packet", "at", "size", "flow", "more", "of_device", "like")


class _Place(NamedTuple):
    """A number in a text that may be a port."""

    packet: int
    at: int
    size: int
    port: int
    before: int
    """The port before it in the text, if it follows that one; else itself."""
    like: int
    """By which text it is announced."""


class Announced:
    """Ports that are announced, by the flow that uses them."""

    name: ClassVar[str] = "announced"

    def __init__(self, recording: Recording) -> None:
        """Take what is announced in captured packets (M), and the flows of these (P)."""
        told = recording.of(self.name)
        self._told = {name: told[name].astype(np.int64) for name in _COLUMNS}
        self._begin = begins_of(self._told["packet"], len(recording))
        self._size = recording.frames.size
        self._spot = recording.of("random")["spot"].astype(np.int64)
        self._flow = recording.flow

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """Announced ports (M) of which a flow of UDP uses one later in the capture."""
        places, flows = list(_places(packets)), _Flows(packets)
        found = []
        for packet, at, size, port, before, like in places:
            for more, used in ((port - before, before), (0, port)):
                flow, of_device = flows.next(packet, used)
                if flow >= 0:
                    found.append((packet, at, size, flow, more, of_device, like))
                    break
        table = np.array(sorted(found), np.int64).reshape(-1, len(_COLUMNS))
        return dict(zip(_COLUMNS, table.T.copy(), strict=True))

    def foresee(self, rows: Rows, piece: Integers, memory: Memory) -> None:
        """Remember which ports the texts of pieces of sessions (E) announce."""
        told = self._told
        repeats = np.flatnonzero((rows.source >= 0) & (rows.source < len(self._flow)))
        which, row = expand(self._begin, rows.source[repeats])
        if not len(which):
            return
        which = repeats[which]
        flow = np.full(len(rows), -1)
        flow[repeats] = self._flow[rows.source[repeats]]
        ports = np.stack([rows.dst_port, rows.src_port]).astype(np.int64)
        alike = [np.isin(flow, told["flow"][told["like"] == like]) for like in range(len(_TEXTS))]
        end = np.searchsorted(piece, piece[which], side="right")
        port = np.full(len(which), -1)
        for m, (of, r) in enumerate(zip(which.tolist(), row.tolist(), strict=True)):
            rest = slice(of + 1, int(end[m]))
            for is_it in (flow[rest] == told["flow"][r], alike[told["like"][r]][rest]):
                if is_it.any():
                    later = of + 1 + int(np.argmax(is_it))
                    is_sender = bool(rows.outgoing[later] == told["of_device"][r])
                    port[m] = ports[int(is_sender), later] + told["more"][r]
                    break
        memory.keep(self.name, mixed(rows.number[which], told["at"][row]), port)

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:  # noqa: ARG002
        """Write the ports of new packets, if they have as many digits."""
        news = packets.news
        which, row = expand(self._begin, news.source)
        if not len(which):
            return
        at, size = self._told["at"][row], self._told["size"][row]
        port = memory.recall(self.name, mixed(news.number[which], at), np.full(len(which), -1))
        first = Shift.of(news, self._spot, self._size).firsts(which, at)
        fits = (port >= 10 ** (size - 1)) & (port < np.minimum(10**size, 2**16))
        fits &= first + size <= news.layers.end[which]
        frames = news.frames
        for m in np.flatnonzero(fits).tolist():
            begin = int(frames.start[which[m]] + first[m])
            frames.data[begin : begin + int(size[m])] = [*str(port[m]).encode()]


def _places(packets: Packets) -> Iterator[_Place]:
    """What may be announced ports, in texts of captured packets (P)."""
    frames, layers = packets.frames, packets.layers
    order = np.argsort(frames.start, kind="stable")
    start = frames.start[order]
    data = np.ascontiguousarray(frames.data).data
    for like, text in enumerate(_TEXTS):
        for match in text.finditer(data):
            row = int(order[np.searchsorted(start, match.start(), side="right") - 1])
            begin, end = int(frames.start[row]), int(layers.end[row])
            if not int(layers.payload[row]) <= match.start() - begin < match.end() - begin <= end:
                continue
            ports = [int(each) for each in match.groups() if each]
            for i, port in enumerate(ports):
                first, last = match.span(i + 1)
                before = ports[0] if port == ports[0] + 1 else port
                yield _Place(row, first - begin, last - first, port, before, like)


class _Flows:
    """Which flows of UDP have a port, in the order of captured packets."""

    def __init__(self, packets: Packets) -> None:
        rows = np.flatnonzero(packets.layers.is_udp & (packets.flow >= 0))
        some = packets.take(rows)
        ends = src_port(some.frames, some.layers), dst_port(some.frames, some.layers)
        device, peer = (np.where(some.outgoing, *each) for each in (ends, ends[::-1]))
        key = np.concatenate([device, peer]) + 2**16 * np.tile(some.session, 2)
        self._order = np.lexsort((np.tile(rows, 2), key))
        self._key, self._row = key[self._order], np.tile(rows, 2)[self._order]
        self._devices, self._packets = len(rows), packets

    def next(self, packet: int, port: int) -> tuple[int, bool]:
        """The flow with a packet after that one by the port, and if it is the device's; or -1."""
        key = port + 2**16 * int(self._packets.session[packet])
        first, last = np.searchsorted(self._key, [key, key + 1])
        at = first + int(np.searchsorted(self._row[first:last], packet))
        if at == last:
            return -1, False
        return int(self._packets.flow[self._row[at]]), bool(self._order[at] < self._devices)
