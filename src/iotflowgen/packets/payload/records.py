"""TLS record headers: the length of each record as it is now (RFC 8446, section 5.1).

A segment begins with the rest of its sender's last record, perhaps of that record's header, and
ends with a record that may continue. Where a segment follows another one than when captured, or is
longer or shorter, its records are laid out anew: first the rest of the last record, then the
segment's own records, the last of which continues beyond the segment for as many bytes as it did.

Explicit nonces that count (RFC 5246, section 6.2.3.3; RFC 5288, section 3) count on.

Shapes: P captured packets; E packets of a block; S segments of TLS among them.
"""

import heapq
import random
from array import array
from itertools import pairwise
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise
from iotflowgen.packets.payload.continuations import fix_dissection
from iotflowgen.packets.payload.hellos import resize_hellos
from iotflowgen.packets.payload.streams import NONCE, Streams
from iotflowgen.packets.ranges import begins_of, expand
from iotflowgen.recording import Groups, Packets, Recording
from iotflowgen.wire import payload_size
from iotflowgen.wire.arrays import Integers
from iotflowgen.wire.tls import DATA, HEADER, LONGEST

__all__ = ["TlsRecords", "read_records"]

_STATE: Final = "tls.state"
_COUNT: Final = "tls.count"
_LEAST: Final = HEADER + 1
"""Bytes of a record that is cut short."""
_SHORT: Final = 27
"""Bytes of one of which only the header fits, or not even that."""
_VERSION: Final = 0x0303


class _State(NamedTuple):
    """How much of a sender's last record is still to come; all zero where it is complete."""

    owed: int
    """Bytes of it that are still to come."""
    said: int = 0
    """Bytes of its header that were said, where some are still to come."""
    header: int = 0
    """All of that header, then."""

    def number(self) -> int:
        """As one number of 63 bits."""
        return self.said << 56 | self.header << 16 | self.owed

    @classmethod
    def of(cls, number: int) -> "_State":
        """The inverse of `number`."""
        return cls(number & 0xFFFF, number >> 56, number >> 16 & (1 << 40) - 1)


class TlsRecords:
    """Record headers, and the nonces that records begin with."""

    name: ClassVar[str] = "tls"

    def __init__(self, recording: Recording) -> None:
        """Take how all packets (P) begin and end, and the nonces that count."""
        told = recording.of("random")
        self._begins, self._ends, self._version = told["begins"], told["ends"], told["version"]
        self._nonce, self._first = told["nonce"].astype(np.int64), told["first_nonce"]
        self._nonces = begins_of(told["nonce_packet"], len(recording))
        self._frames, self._layers = recording.frames, recording.layers
        self._spot = told["spot"].astype(np.int64)
        self._firsts: dict[int, array[int]] = {}
        self._hello = np.full(len(recording), -1)
        self._hello[told["hello_packet"]] = np.arange(len(told["hello_packet"]))
        names = ("extensions", "extension", "is_name")
        self._hellos = [told[f"hello_{name}"].astype(np.int64) for name in names]

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:  # noqa: ARG004
        """Nothing: `read_records` reads it before what is random is taken out."""
        return {}

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:
        """Write headers and nonces."""
        has = (self._begins[packets.source] >= 0) & (packets.original == np.arange(len(packets)))
        rows = np.flatnonzero(has & (payload_size(packets.layers) > 0) & (packets.flow >= 0))
        if not len(rows):
            return
        segments = packets.take(rows)
        line = 2 * segments.flow + segments.outgoing
        self._count(segments, line, memory, noise)
        self._link(segments, line, memory, noise)

    def _count(self, segments: Packets, line: Integers, memory: Memory, noise: Noise) -> None:
        """Write counting nonces, each one more than that of the record before."""
        count = self._nonces[segments.source + 1] - self._nonces[segments.source]
        some = np.flatnonzero(count)
        if not len(some):
            return
        segments, line, count = segments.take(some), line[some], count[some]
        groups = Groups(line)
        drawn = (noise.words("nonce", line) >> np.uint64(2)).astype(np.int64)
        own = self._first[segments.source]
        opens = np.where(groups.is_first, np.where(own >= 0, own, drawn), 0)
        base = memory.recall(_COUNT, line, groups.sum(opens))
        before = base + groups.sum(count) - count
        which, row = expand(self._nonces, segments.source)
        first = np.flatnonzero(np.diff(which, prepend=-1))
        step = np.arange(len(which)) - first[np.cumsum(np.diff(which, prepend=-1) > 0) - 1]
        segments.frames.take(which).put(self._nonce[row], NONCE, before[which] + step)
        _keep(memory, _COUNT, segments, line, before, before + count)

    def _link(self, segments: Packets, line: Integers, memory: Memory, noise: Noise) -> None:
        """Have records go on where those before them end."""
        begins, ends = self._begins[segments.source], self._ends[segments.source].copy()
        size = payload_size(segments.layers)
        before = _before(Groups(line).number, segments.position, size)
        recalled = memory.recall(_STATE, line, begins)
        opens = Groups(line).is_first
        state = np.where(before >= 0, ends[before], np.where(opens, recalled, begins))
        captured = payload_size(self._layers)[segments.source]
        wrong = np.flatnonzero((state != begins) | (size != captured)).tolist()
        after = np.full(len(segments), -1)
        after[before[before >= 0]] = np.flatnonzero(before >= 0)
        seeds = noise.words("records", segments.number)
        last = -1
        while wrong:
            row = heapq.heappop(wrong)
            if row == last:
                continue
            last = row
            end = self._lay_out(segments, row, _State.of(int(state[row])), int(seeds[row]))
            follower = int(after[row])
            if end != ends[row] and follower >= 0:
                state[follower] = end
                heapq.heappush(wrong, follower)
            ends[row] = end
        more = size - captured
        hellos = np.flatnonzero((self._hello[segments.source] >= 0) & (more != 0) & (state == 0))
        which = self._hello[segments.source[hellos]]
        places = (column[which] for column in self._hellos)
        resize_hellos(segments.take(hellos), more[hellos], *places)
        fix_dissection(segments, np.where(state < 1 << 16, state, 0))
        _keep(memory, _STATE, segments, line, state, ends)

    def _lay_out(self, segments: Packets, row: int, state: _State, seed: int) -> int:
        """Lay out the records of a segment anew; returns the state that it ends with."""
        start = int(segments.frames.start[row] + segments.layers.payload[row])
        payload = segments.frames.data[
            start : int(segments.frames.start[row] + segments.layers.end[row])
        ]
        size, source = len(payload), int(segments.source[row])
        data = bytearray(random.Random(seed).randbytes(size))  # noqa: S311 - no secret
        rest = state.header.to_bytes(HEADER)[state.said :] if state.said else b""
        data[: len(rest)] = rest
        if size < state.owed:
            is_cut = size < len(rest)
            after = _State(state.owed - size, (state.said + size) * is_cut, state.header * is_cut)
        elif size == state.owed:
            after = _State(0)
        else:
            more = int(segments.frames.size[row] - self._frames.size[source])
            kept = int(self._spot[source] + min(more, 0) - segments.layers.payload[row])
            after = self._write(data, payload.tobytes(), state.owed, source, kept)
        payload[:] = np.frombuffer(data[:size], dtype=np.uint8)
        return after.number()

    def _write(self, data: bytearray, old: bytes, at: int, source: int, kept: int) -> _State:
        """Write the records of a captured packet into a payload, from a place on.

        Of `old`, the payload so far, as many bytes stand where they did when captured as are
        `kept`.
        """
        captured = self._payload(source)
        firsts = self._records(source, captured)
        begin, count = firsts[0] if firsts else len(old), len(firsts)
        while count > 1 and firsts[count - 1] - begin + _LEAST > len(data) - at:
            count -= 1
        last = firsts[count - 1] if count else begin
        if last <= kept:
            data[at : at + last - begin] = old[begin:last]
        else:
            for first, end in pairwise(firsts[:count]):
                said = captured[first : first + HEADER] + old[first + HEADER : end]
                data[at + first - begin : at + first - begin + len(said)] = said
        at += last - begin
        head = captured[last : last + HEADER]
        size = min(HEADER + int.from_bytes(head[3:]), len(captured) - last)
        beyond = _State.of(int(self._ends[source])).owed
        if not count:
            head, size, beyond = bytes([DATA]) + int(self._version[source]).to_bytes(2), 0, 0
        room = len(data) - at
        body = max(room - HEADER, 0)
        more = max(0, min(beyond, LONGEST - body)) if body + beyond else _SHORT
        header = head[:3] + (body + more).to_bytes(2)
        if room < HEADER:
            # it says no more of itself than fits
            data[at:] = header[:room]
            return _State(HEADER - room + more, room, int.from_bytes(header))
        # where nothing has moved, what was put in or left out is there already
        stop = len(old) if at == last else last + min(size, room)
        said = header + old[last + HEADER : stop]
        data[at : at + len(said)] = said
        return _State(more)

    def _payload(self, source: int) -> bytes:
        """That of a captured packet."""
        layers = self._layers
        return self._frames[source][int(layers.payload[source]) : int(layers.end[source])]

    def _records(self, source: int, payload: bytes) -> "array[int]":
        """Where in the payload of a captured packet records begin."""
        if source not in self._firsts:
            at, found = _State.of(int(self._begins[source])).owed, array("i")
            while at + HEADER <= len(payload):
                found.append(at)
                at += HEADER + int.from_bytes(payload[at + 3 : at + HEADER])
            self._firsts[source] = found
        return self._firsts[source]


def read_records(packets: Packets, streams: Streams) -> dict[str, NDArray[Any]]:
    """The state of the sender's record as each packet `begins` and `ends` (P), -1 without TLS."""
    at, last = streams.record_at(streams.begin), streams.record_at(streams.end - 1)
    columns = {name: np.full(len(packets), -1, dtype=np.int64) for name in ("begins", "ends")}
    both = (at >= 0) & (last >= 0)
    packet, at, last = streams.packet[both], at[both], last[both]
    begin, end = streams.begin[both], streams.end[both]
    columns["begins"][packet] = _states(streams.records[at], begin)
    columns["ends"][packet] = _states(streams.records[last], end)
    header = streams.records[last, 2]
    version = np.full(len(packets), _VERSION, dtype=np.int32)
    version[packet] = np.where(header < 0, _VERSION, header >> 16 & 0xFFFF)
    # nonces, where their segment was first sent
    counts = streams.records[streams.records[:, 3] >= 0]
    place = counts[:, 0] + HEADER
    is_first = packets.original[packet] == packet
    packet, begin, end = packet[is_first], begin[is_first], end[is_first]
    segment = np.searchsorted(begin, place, side="right") - 1
    inside = place < end[segment] if len(end) else np.zeros(len(place), dtype=bool)
    segment, place, counts = segment[inside], place[inside], counts[inside, 3]
    into = packets.layers.payload[packet[segment]] - begin[segment]
    order = np.argsort(packet[segment], kind="stable")
    nonce_packet, nonce = packet[segment][order], (place + into)[order]
    first = np.full(len(packets), -1, dtype=np.int64)
    first[nonce_packet[::-1]] = np.where(counts < 2**20, counts, -1)[order][::-1]
    return columns | {
        "version": version,
        "nonce_packet": nonce_packet,
        "nonce": nonce.astype(np.int32),
        "first_nonce": first,
    }


def _states(record: Integers, place: Integers) -> Integers:
    """The states (S) of records (S, 4) as the segments begin, or end, at places (S)."""
    begin, end, header, _ = record.T
    owed, said = end - place, place - begin
    is_cut = (said > 0) & (said < HEADER) & (header >= 0)
    states: Integers = np.where(is_cut, (said << 56) | (header << 16), 0) | owed
    return np.where(said == 0, np.where(header < 0, owed, 0), states)


def _before(line: Integers, position: Integers, size: Integers) -> Integers:
    """The segment (S) that ends where each begins, and was sent before it; -1 for none (S)."""
    # each segment asks for where it begins, then tells where it ends
    place = np.stack([position, (position + size) % 2**32], axis=-1)
    groups = Groups(((line[:, None] << 32) + place).ravel())
    tells = np.tile([False, True], len(line))
    return (groups.latest(tells)[::2] - 1) // 2


def _keep(
    memory: Memory,
    name: str,
    segments: Packets,
    line: Integers,
    before: Integers,
    after: Integers,
) -> None:
    """Keep what later segments go on from: the state before the first that is remembered."""
    live = segments.session == segments.session[-1]
    memory.keep(name, line[live], after[live])
    first = np.flatnonzero(segments.stays)[::-1]
    memory.keep(name, line[first], before[first])
