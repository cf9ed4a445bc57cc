"""What `tcp_checker` reads of a TCP segment, and what it remembers of each end of a connection.

Numbers count on beyond 2**32, so that they can be compared; `near` brings one to them.
"""

import bisect
import ipaddress
import struct
from dataclasses import dataclass, field

__all__ = ["ACK", "FIN", "RST", "SYN", "Endpoint", "Segment", "near", "read_segment"]

FIN, SYN, RST, ACK = 1, 2, 4, 16
_VLAN = {0x8100, 0x88A8}
_IPV4, _IPV6, _TCP = 0x0800, 0x86DD, 6
_EXTENSIONS = {0, 43, 60}
"""Headers of IPv6 that may come before TCP; fragments are not checked."""
_END, _NOP, _MSS, _SCALE, _PERMITTED, _SACK, _STAMPS = 0, 1, 2, 3, 4, 5, 8
_DEFAULT_MSS = {4: 536, 16: 1220}
"""By the length of an address (RFC 9293, 3.7.1)."""
_MOST_SHIFTED = 14

Address = tuple[bytes, int]


def near(value: int, reference: int) -> int:
    """The number closest to a reference that a 32-bit field can mean."""
    return reference + (value - reference + 2**31) % 2**32 - 2**31


@dataclass
class Segment:
    """One TCP segment, as its frame says."""

    packet: int
    time_ns: int
    source: Address
    target: Address
    seq: int
    ack: int
    flags: int
    window: int
    size: int
    """Bytes of payload on the wire."""
    payload: bytes
    """As far as it was captured."""
    option_bytes: int
    offers: set[str] = field(default_factory=set)
    """What a SYN may offer, and timestamps."""
    mss: int | None = None
    shift: int = 0
    stamp: tuple[int, int] | None = None
    """TSval and TSecr."""
    blocks: list[tuple[int, int]] = field(default_factory=list)

    @property
    def length(self) -> int:
        """In sequence numbers."""
        return self.size + bool(self.flags & SYN) + bool(self.flags & FIN)

    @property
    def name(self) -> str:
        """Who speaks to whom."""
        ends = (f"{ipaddress.ip_address(a)}.{port}" for a, port in (self.source, self.target))
        return " > ".join(ends)


def read_segment(packet: int, time_ns: int, frame: bytes) -> Segment | None:
    """The TCP segment of an Ethernet frame; None if there is none, or not whole headers."""
    at, kind = 14, int.from_bytes(frame[12:14], "big")
    while kind in _VLAN:
        at, kind = at + 4, int.from_bytes(frame[at + 2 : at + 4], "big")
    if kind == _IPV4 and len(frame) >= at + 20:
        start = at + 4 * (frame[at] & 15)
        total, fragment = struct.unpack_from("!H2xH", frame, at + 2)
        if frame[at + 9] != _TCP or fragment & 0x3FFF:
            return None
        # segmentation offload leaves the length to the network card
        stop = at + total if total else len(frame)
        source, target = frame[at + 12 : at + 16], frame[at + 16 : at + 20]
    elif kind == _IPV6 and len(frame) >= at + 40:
        start, following = at + 40, frame[at + 6]
        while following in _EXTENSIONS and len(frame) >= start + 8:
            start, following = start + 8 * (1 + frame[start + 1]), frame[start]
        if following != _TCP:
            return None
        stop = at + 40 + int.from_bytes(frame[at + 4 : at + 6], "big")
        source, target = frame[at + 8 : at + 24], frame[at + 24 : at + 40]
    else:
        return None
    if len(frame) < start + 20:
        return None
    sport, dport, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", frame, start)
    data = start + 4 * (offset >> 4)
    if data > min(stop, len(frame)):
        return None
    segment = Segment(
        packet=packet,
        time_ns=time_ns,
        source=(source, sport),
        target=(target, dport),
        seq=seq,
        ack=ack,
        flags=flags,
        window=window,
        size=stop - data,
        payload=frame[data:stop],
        option_bytes=data - start - 20,
    )
    _read_options(segment, frame[start + 20 : data])
    return segment


def _read_options(segment: Segment, options: bytes) -> None:
    at = 0
    while at < len(options) and options[at] != _END:
        if options[at] == _NOP:
            at += 1
            continue
        size = options[at + 1] if at + 1 < len(options) else 0
        if size < 2:
            return
        kind, value = options[at], options[at + 2 : at + size]
        at += size
        if kind == _MSS and len(value) == 2:
            segment.offers.add("MSS")
            segment.mss = int.from_bytes(value, "big")
        elif kind == _SCALE and len(value) == 1:
            segment.offers.add("window scale")
            segment.shift = min(value[0], _MOST_SHIFTED)
        elif kind == _PERMITTED:
            segment.offers.add("SACK permitted")
        elif kind == _STAMPS and len(value) == 8:
            segment.offers.add("timestamps")
            segment.stamp = struct.unpack("!II", value)
        elif kind == _SACK and len(value) % 8 == 0:
            segment.blocks += struct.iter_unpack("!II", value)


@dataclass
class Endpoint:
    """One end of a connection: what it has sent, and what it has said of what it received."""

    is_seen: bool = False
    isn: int | None = None
    """Of its SYN; None if the connection is older than the capture."""
    next: int = 0
    """The sequence number after the last one sent."""
    end: int | None = None
    """The sequence number after its FIN."""
    holes: list[tuple[int, int, int]] = field(default_factory=list)
    """What no segment had yet: the packet that came after it, start, stop."""
    first: int | None = None
    """The first number of it that was seen."""
    is_settled: bool = False
    """Whether nothing is on its way any more that was sent before the capture began."""
    acknowledged: int | None = None
    """The highest acknowledgment number that it sent."""
    acks: set[int] = field(default_factory=set)
    edge: int | None = None
    """The sequence number after the last one that fits the windows it advertised, if known."""
    offers: set[str] | None = None
    """Of its SYN."""
    mss: int | None = None
    stamp_accepted: int | None = None
    """TS.Recent of the peer: what a timestamp of this side must not be older than."""
    _stamps: set[int] = field(default_factory=set)
    _first_stamp: int | None = None
    _repeated: list[tuple[int, int]] = field(default_factory=list)
    """What was sent twice, in order and without overlaps."""
    _known_from: int | None = None
    """From this number on nothing can have been sent before the capture."""
    _ends: set[int] = field(default_factory=set)
    _syn_window: int = 0
    _shift: int = 0
    _starts: list[int] = field(default_factory=list)
    _pieces: list[bytes] = field(default_factory=list)

    def seq_of(self, segment: Segment, peer: "Endpoint") -> int:
        """The sequence number of a segment that this side sends."""
        if self.is_seen:
            return near(segment.seq, self.next)
        return segment.seq if peer.acknowledged is None else near(segment.seq, peer.acknowledged)

    def from_peer(self, number: int, peer: "Endpoint") -> int:
        """A number in the peer's sequence space, as this side says it."""
        if peer.is_seen:
            return near(number, peer.next)
        return number if self.acknowledged is None else near(number, self.acknowledged)

    def may_have_stamped(self, echo: int) -> bool:
        """Whether a peer may echo a timestamp."""
        if self._first_stamp is None or echo in self._stamps:
            return True
        return self.isn is None and near(echo, self._first_stamp) < self._first_stamp

    def has_repeated(self, start: int, stop: int) -> bool:
        """Whether bytes were sent twice, or may have been before the capture."""
        if self._known_from is None or start < self._known_from:
            return True
        return any(low <= start and stop <= high for low, high in self._repeated)

    def has_within(self, ack: int) -> bool:
        """Whether an acknowledgment number is between the ends of segments."""
        return self.first is not None and ack > self.first and ack not in self._ends

    def differs(self, seq: int, payload: bytes) -> int:
        """How many bytes are other ones than were sent before under the same numbers."""
        changed = 0
        place = max(bisect.bisect_right(self._starts, seq) - 1, 0)
        for start, piece in zip(self._starts[place:], self._pieces[place:], strict=True):
            low, high = max(start, seq), min(start + len(piece), seq + len(payload))
            if start >= seq + len(payload):
                break
            if low < high and payload[low - seq : high - seq] != piece[low - start : high - start]:
                pairs = zip(payload[low - seq : high - seq], piece[low - start :], strict=False)
                changed += sum(a != b for a, b in pairs)
        return changed

    def open(self, segment: Segment, peer: "Endpoint") -> None:
        """Learn from the SYN that this side sends."""
        if self.isn is not None:
            return
        self.isn = self.seq_of(segment, peer)
        self.is_settled, self._known_from = True, self.isn
        self.offers, self._shift = segment.offers, segment.shift
        self.mss = segment.mss or _DEFAULT_MSS[len(segment.source[0])]
        self._syn_window = segment.window
        for one, other in ((self, peer), (peer, self)):
            if one.isn is not None and other.isn is not None:
                one.edge = max(one.edge or 0, other.isn + 1 + one._syn_window)

    def send(self, segment: Segment, peer: "Endpoint") -> None:
        """Learn from what this side sends."""
        seq = self.seq_of(segment, peer)
        end = seq + segment.length
        if not self.is_seen:
            self.is_seen, self.first = True, seq
            self.next = max(end, peer.acknowledged or end)
        elif seq > self.next:
            self.holes.append((segment.packet, self.next, seq))
        elif segment.length:
            self._repeat(seq, min(end, self.next))
            self._fill(seq, end)
        self._ends |= {seq, end}
        self.next = max(self.next, end)
        if segment.flags & FIN and self.end is None:
            self.end = end
        self._keep(seq + bool(segment.flags & SYN), segment.payload)
        if segment.stamp is not None:
            self._stamp(segment.stamp[0], seq, peer)

    def _repeat(self, seq: int, end: int) -> None:
        """Remember what is sent again; what fills a hole is not."""
        parts = [(seq, end)]
        for _, start, stop in self.holes:
            parts = [
                (low, high)
                for each in parts
                for low, high in ((each[0], min(each[1], start)), (max(each[0], stop), each[1]))
            ]
        merged: list[tuple[int, int]] = []
        for low, high in sorted(self._repeated + [each for each in parts if each[0] < each[1]]):
            if merged and low <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(merged[-1][1], high)
            else:
                merged.append((low, high))
        self._repeated = merged

    def _fill(self, seq: int, end: int) -> None:
        self.holes = [
            (packet, low, high)
            for packet, start, stop in self.holes
            for low, high in ((start, min(stop, seq)), (max(start, end), stop))
            if low < high
        ]

    def _keep(self, seq: int, payload: bytes) -> None:
        """Remember bytes that were not sent before."""
        place = bisect.bisect_right(self._starts, seq)
        before = self._starts[place - 1] + len(self._pieces[place - 1]) if place else seq
        low = max(seq, before)
        high = seq + len(payload)
        if place < len(self._starts):
            high = min(high, self._starts[place])
        if low < high:
            self._starts.insert(place, low)
            self._pieces.insert(place, payload[low - seq : high - seq])

    def _stamp(self, value: int, seq: int, peer: "Endpoint") -> None:
        self._stamps.add(value)
        if self._first_stamp is None:
            self._first_stamp = value
        # RFC 7323, 4.3: not from segments that came early
        expected = seq if seq == self.isn else peer.acknowledged
        if expected is None or seq > expected:
            return
        recent = self.stamp_accepted
        self.stamp_accepted = value if recent is None else max(recent, near(value, recent))

    def acknowledge(self, segment: Segment, peer: "Endpoint") -> None:
        """Learn from the acknowledgment and the window that this side sends."""
        ack = self.from_peer(segment.ack, peer)
        self.acks.add(segment.ack)
        if peer.is_seen and ack > peer.next:
            if peer.is_settled:
                return
            peer.next = ack
        if peer.is_seen and ack == peer.next and not peer.is_settled:
            peer.is_settled, peer._known_from = True, ack
        self.acknowledged = max(ack, self.acknowledged or ack)
        shift = self._agreed_shift(segment, peer)
        right = None if shift is None else ack + (segment.window << shift)
        self.edge = right if right is None or self.edge is None else max(self.edge, right)

    def _agreed_shift(self, segment: Segment, peer: "Endpoint") -> int | None:
        if segment.flags & SYN:
            return 0
        if self.offers is None or peer.offers is None:
            return None
        return self._shift if "window scale" in self.offers & peer.offers else 0
