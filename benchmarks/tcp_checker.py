"""Judge the TCP connections of a capture as the receiver of each segment would, by RFC 9293.

It shares no code with iotflowgen, so that a mistake there is not made here as well. Captures of
real devices break rules too, wherever the capture lost or reordered segments: compare rates.

    python benchmarks/tcp_checker.py CAPTURE ...
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from scapy.utils import RawPcapReader
from tcp_endpoint import ACK, FIN, RST, SYN, Endpoint, Segment, near, read_segment

__all__ = ["RULES", "Finding", "Report", "check", "check_frames", "rates"]

RULES = {
    "ack-beyond-sent": "acknowledges more than the peer has sent",
    "ack-inside": "acknowledges a part of a segment, as a receiver with room has no reason to",
    "ack-of-hole": "acknowledges bytes before any segment brought them",
    "ack-went-back": "acknowledges less than before",
    "after-fin": "sends more than the FIN left room for",
    "after-rst": "goes on after a reset",
    "beyond-window": "ends beyond the window that the peer advertised",
    "data-changed": "sends other bytes again under the same numbers",
    "mss": "is longer than the MSS that the peer announced",
    "never-sent": "leaves a hole that nothing fills",
    "no-ack": "has no ACK in a connection that is open",
    "old": "lies wholly before what the peer has acknowledged",
    "options": "carries an option that was not agreed on, or lacks one that was",
    "rst-sequence": "resets with a number that the peer does not accept",
    "sack": "selectively acknowledges what was not sent or needs none",
    "syn-ack": "opens with a SYN-ACK that answers another SYN",
    "timestamp-echo": "echoes a timestamp that the peer has not sent",
    "timestamp-old": "has a timestamp older than the last one accepted",
    "unopened": "speaks before the connection is open",
}
"""What a segment does that breaks each rule."""
_LATE_NS = 1_000_000_000
"""Until so long after a reset its receiver's segments may have been on their way."""
_ETHERNET = 1


Broken = tuple[str, str]
"""A rule and how it was broken."""


class Finding(NamedTuple):
    """One rule broken by one segment."""

    connection: str
    packet: int
    """The number of the frame, from 1 on, as Wireshark counts."""
    rule: str
    text: str


@dataclass
class Report:
    """All about one capture."""

    segments: int = 0
    connections: int = 0
    findings: list[Finding] = field(default_factory=list)


class _Connection:
    def __init__(self, name: str, found: list[Finding]) -> None:
        self.name = name
        self._sides: dict[tuple[bytes, int], Endpoint] = {}
        self._found = found
        self._reset: tuple[Endpoint, int] | None = None
        self._is_opened = False

    def sides(self, segment: Segment) -> tuple[Endpoint, Endpoint]:
        """Of its sender and its receiver."""
        source, target = (
            self._sides.setdefault(end, Endpoint()) for end in (segment.source, segment.target)
        )
        return source, target

    def is_over_before(self, segment: Segment) -> bool:
        """Whether this is the SYN of another connection between the same ports."""
        if not segment.flags & SYN:
            return False
        sender, receiver = self.sides(segment)
        if self._reset is not None:
            return not segment.flags & ACK
        if sender.isn is None:
            # both may open at the same time, unless the connection is older than the capture
            return receiver.isn is None
        return not segment.flags & ACK and near(segment.seq, sender.isn) != sender.isn

    def close(self) -> None:
        """Report what was never sent."""
        for side in self._sides.values():
            for packet, start, stop in side.holes:
                size = stop - start
                self._note(packet, "never-sent", f"{size} bytes before it are in no segment")

    def _note(self, packet: int, rule: str, text: str) -> None:
        self._found.append(Finding(self.name, packet, rule, text))

    def take(self, segment: Segment) -> None:
        """Judge a segment, then learn from it."""
        sender, receiver = self.sides(segment)
        for rule, text in self._checked(segment, sender, receiver):
            self._note(segment.packet, rule, text)

    def _checked(self, segment: Segment, sender: Endpoint, receiver: Endpoint) -> Iterator[Broken]:
        """What it breaks; it is learnt from afterwards."""
        if self._reset is not None and (found := _after_reset(segment, sender, *self._reset)):
            yield "after-rst", found
            return
        if segment.flags & RST:
            if found := _reset_in_vain(segment, sender, receiver):
                yield "rst-sequence", found
            elif self._reset is None:
                self._reset = sender, segment.time_ns
            return
        if self._reset is not None:
            return
        if segment.flags & SYN:
            yield from _opening(segment, sender, receiver)
            sender.open(segment, receiver)
            # without the SYN that a SYN-ACK answers, the connection is older than the capture
            self._is_opened |= bool(segment.flags & ACK) and receiver.isn is None
        elif not self._is_open(sender, receiver):
            # who still has an older connection acknowledges that: the answer is a reset
            challenges = not sender.is_seen and not segment.size
            if challenges and _ack(segment, sender, receiver) != receiver.next:
                sender.acks.add(segment.ack)
                return
            yield "unopened", "no SYN-ACK came before"
            self._is_opened = True
        if not segment.flags & (SYN | ACK):
            yield "no-ack", "neither SYN, ACK nor RST"
        yield from _numbers(segment, sender, receiver)
        if segment.flags & ACK:
            yield from _acknowledgment(segment, sender, receiver)
        yield from _options(segment, sender, receiver)
        sender.send(segment, receiver)
        if segment.flags & ACK:
            sender.acknowledge(segment, receiver)

    def _is_open(self, sender: Endpoint, receiver: Endpoint) -> bool:
        """Whether both have sent a SYN, or the connection is older than the capture."""
        opens = sender.isn is not None or receiver.isn is not None
        return self._is_opened or not opens or (sender.is_seen and receiver.is_seen)


def _after_reset(segment: Segment, sender: Endpoint, by: Endpoint, since_ns: int) -> str:
    """Why a segment should not have followed a reset, if so."""
    if segment.flags & RST:
        return ""
    if sender is by:
        return "its sender has reset the connection"
    after_ns = segment.time_ns - since_ns
    return f"it comes {after_ns / 1e9:.1f} s after the reset" if after_ns > _LATE_NS else ""


def _reset_in_vain(segment: Segment, sender: Endpoint, receiver: Endpoint) -> str:
    """Why a reset is not accepted, if it is not."""
    if receiver.isn is not None and not sender.is_seen:
        right = segment.flags & ACK and _ack(segment, sender, receiver) == receiver.isn + 1
        return "" if right else "it does not acknowledge the SYN"
    # whoever knows no connection (any more) takes the number from the segment that it answers
    if not sender.is_seen or segment.seq in receiver.acks:
        return ""
    seq = near(segment.seq, sender.next)
    low = min(sender.next, receiver.acknowledged or sender.next)
    high = max(sender.next, receiver.edge or sender.next)
    return "" if low <= seq <= high else f"it is {seq - sender.next:+d} bytes from what was sent"


def _ack(segment: Segment, sender: Endpoint, receiver: Endpoint) -> int:
    return sender.from_peer(segment.ack, receiver)


def _opening(segment: Segment, sender: Endpoint, receiver: Endpoint) -> Iterator[Broken]:
    if not segment.flags & ACK:
        return
    if receiver.isn is not None and _ack(segment, sender, receiver) != receiver.isn + 1:
        away = _ack(segment, sender, receiver) - receiver.isn - 1
        yield "syn-ack", f"its acknowledgment is {away:+d} away"
    elif sender.isn is not None and near(segment.seq, sender.isn) != sender.isn:
        yield "syn-ack", "it has another sequence number than the one before"


def _numbers(segment: Segment, sender: Endpoint, receiver: Endpoint) -> Iterator[Broken]:
    """Sequence numbers against what the receiver expects, and against what was sent."""
    if not sender.is_seen:
        return
    seq = sender.seq_of(segment, receiver)
    end = seq + segment.length
    bare = segment.size <= 1 and not segment.flags & (SYN | FIN)
    if seq == sender.next - 1 and bare and sender.end is None:
        # a keep-alive probe: meant not to be acceptable, with or without a byte of anything
        return
    expected, edge = receiver.acknowledged, receiver.edge
    if expected is not None and (end <= expected if segment.length else seq < expected):
        yield "old", f"{expected - seq} bytes before what is expected, {segment.length} long"
    # one byte may ask whether a window is still closed
    if edge is not None and end > edge and not (seq == edge and segment.length == 1):
        yield "beyond-window", f"by {end - edge} bytes"
    if sender.end is not None and end > sender.end:
        yield "after-fin", f"by {end - sender.end} bytes"
    elif sender.end is not None and segment.flags & FIN and end != sender.end:
        yield "after-fin", "this FIN has another number than the one before"
    if changed := sender.differs(seq, segment.payload):
        yield "data-changed", f"{changed} bytes of {segment.size}"
    room = receiver.mss
    if room is not None and segment.size and segment.size + segment.option_bytes > room:
        yield "mss", f"{segment.size} bytes and {segment.option_bytes} of options in {room}"


def _acknowledgment(segment: Segment, sender: Endpoint, receiver: Endpoint) -> Iterator[Broken]:
    if not receiver.is_seen:
        return
    ack, before = _ack(segment, sender, receiver), sender.acknowledged or 0
    if ack < before:
        yield "ack-went-back", f"by {before - ack} bytes"
    if ack > receiver.next:
        if receiver.is_settled and not segment.flags & SYN:
            yield "ack-beyond-sent", f"by {ack - receiver.next} bytes"
    elif any(start < ack and stop > before for _, start, stop in receiver.holes):
        yield "ack-of-hole", "no segment with those bytes came before"
    elif ack > before and receiver.has_within(ack):
        yield "ack-inside", "no segment ends there"
    blocks = [
        (sender.from_peer(left, receiver), sender.from_peer(right, receiver))
        for left, right in segment.blocks
    ]
    for place, (left, right) in enumerate(blocks):
        # what came twice (RFC 2883): acknowledged, or inside the block that follows
        inside = any(low <= left and right <= high for low, high in blocks[1:2])
        twice = place == 0 and (right <= ack or inside)
        if reason := _wrong_block(receiver, left, right, None if twice else ack):
            yield "sack", reason


def _wrong_block(receiver: Endpoint, left: int, right: int, ack: int | None) -> str:
    """Why a block of selective acknowledgment cannot be, if so; a D-SACK block has no ack."""
    if left >= right:
        return "a block is empty"
    if right > receiver.next and receiver.is_settled:
        return f"a block ends {right - receiver.next} bytes beyond what was sent"
    if any(start < right and stop > left for _, start, stop in receiver.holes):
        return "a block has bytes that no segment brought before"
    if ack is None and not receiver.has_repeated(left, right):
        return "a block says of bytes that were sent once that they came twice"
    if ack is not None and left <= ack:
        return f"a block begins {ack - left} bytes before what is acknowledged with it"
    return ""


def _options(segment: Segment, sender: Endpoint, receiver: Endpoint) -> Iterator[Broken]:
    if segment.flags & SYN:
        if segment.flags & ACK and receiver.offers is not None:
            for name in segment.offers - receiver.offers - {"MSS"}:
                yield "options", f"{name} that the SYN did not offer"
    else:
        for name in segment.offers - {"timestamps"}:
            yield "options", f"{name} outside a SYN"
        if sender.offers is not None and receiver.offers is not None:
            agreed = sender.offers & receiver.offers
            if ("timestamps" in agreed) != (segment.stamp is not None):
                which = "without" if "timestamps" in agreed else "with"
                yield "options", f"{which} timestamps, which the SYNs agreed on otherwise"
            if segment.blocks and "SACK permitted" not in agreed:
                yield "options", "selective acknowledgment without permission"
    if segment.stamp is None:
        return
    value, echo = segment.stamp
    recent = sender.stamp_accepted
    if recent is not None and near(value, recent) < recent:
        yield "timestamp-old", f"by {recent - near(value, recent)} ticks"
    if segment.flags & ACK and not receiver.may_have_stamped(echo):
        yield "timestamp-echo", f"{echo} is of no segment before"


def check_frames(frames: Iterable[tuple[int, bytes]]) -> Report:
    """Judge Ethernet frames, with the nanoseconds when they were captured."""
    report = Report()
    open_: dict[frozenset[tuple[bytes, int]], _Connection] = {}
    for packet, (time_ns, frame) in enumerate(frames, 1):
        segment = read_segment(packet, time_ns, frame)
        if segment is None:
            continue
        report.segments += 1
        key = frozenset((segment.source, segment.target))
        connection = open_.get(key)
        if connection is None or connection.is_over_before(segment):
            if connection is not None:
                connection.close()
            report.connections += 1
            connection = open_[key] = _Connection(segment.name, report.findings)
        connection.take(segment)
    for connection in open_.values():
        connection.close()
    report.findings.sort(key=lambda finding: finding.packet)
    return report


def check(path: Path) -> Report:
    """Judge a capture, pcap or pcapng, gzipped or not."""
    return check_frames(_frames(path))


def _frames(path: Path) -> Iterator[tuple[int, bytes]]:
    with RawPcapReader(str(path)) as reader:
        for frame, about in reader:
            if hasattr(about, "tshigh"):
                ticks, scale = (about.tshigh << 32) + about.tslow, about.tsresol or 10**6
                time_ns = ticks * 10**9 // scale
            else:
                time_ns = about.sec * 10**9 + about.usec * (1 if reader.nano else 1000)
            link = getattr(about, "linktype", None) or getattr(reader, "linktype", _ETHERNET)
            # what is no Ethernet counts as a frame all the same: numbers stay those of Wireshark
            yield time_ns, frame if link == _ETHERNET else b""


def rates(reports: Sequence[Report]) -> dict[str, float]:
    """Findings per 1,000 segments, by rule; several captures as one."""
    segments = sum(each.segments for each in reports)
    counts = Counter(found.rule for each in reports for found in each.findings)
    return {rule: round(1000 * counts[rule] / segments, 2) for rule in RULES if counts[rule]}


def main() -> None:
    """A table of each file's counts per 1,000 segments, or with -v all that was found."""
    words = sys.argv[1:]
    if not words:
        raise SystemExit(__doc__)
    reports = {word: check(Path(word)) for word in words if word != "-v"}
    if "-v" in words:
        for word, report in reports.items():
            for found in report.findings:
                where = f"{word}:{found.packet}: {found.connection}"
                print(f"{where}: {found.rule}: {found.text}")
    all_rates = rates([*reports.values()])
    print(f"{'per 1,000 segments':<18}", *(f"{Path(word).name[-14:]:>14}" for word in reports))
    print(f"{'segments':<18}", *(f"{each.segments:>14,}" for each in reports.values()))
    for rule in all_rates:
        each = (rates([found]).get(rule, 0) if found.segments else 0 for found in reports.values())
        print(f"{rule:<18}", *(f"{rate:>14.2f}" for rate in each), f"{all_rates[rule]:>10.2f}")


if __name__ == "__main__":
    main()
