"""TCP connections told as packetdrill scripts, turned into frames, and frames told as scripts.

    0.000 < S 0:0(0) win 29200 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>
    +.010 > S. 0:0(0) ack 1 win 28960 <mss 1460>
    +.100 < . 1:1(0) ack 1001 win 257 <nop,nop,sack 2001:3001>

`<` comes from the peer, `>` from the device. Sequence numbers count from the sender's ISN,
acknowledgment numbers and blocks from that of the other end; `win` is the field as it is sent.
A line without a time has that of the line before. What follows `//` is a comment.

Pairs of settings are those of the peer and of the device, in that order: `pair[outgoing]`.
"""

import re
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

__all__ = ["ISNS", "Frame", "frames", "read", "save", "script"]

ISNS = (1000, 5000)
_MACS = ("02:00:00:00:00:03", "02:00:00:00:00:02")
_ADDRESSES = ("192.0.2.3", "10.0.0.2")
_PORTS = (9999, 40_000)
_WINDOW = 65_535
_DF = 0x4000
_FLAGS = "FSRP.UEW"
_EOL, _NOP, _MSS, _SCALE, _PERMITTED, _SACK, _STAMPS = 0, 1, 2, 3, 4, 5, 8
_LINE = re.compile(
    r"(?:(?P<plus>\+)?(?P<time>\d*\.?\d+)\s+)?(?P<way>[<>])\s+(?P<flags>[FSRP.UEW]+)\s+"
    r"(?P<start>-?\d+):(?P<end>-?\d+)\((?P<size>\d+)\)(?:\s+ack\s+(?P<ack>-?\d+))?"
    r"(?:\s+win\s+(?P<window>\d+))?(?:\s+<(?P<options>[^>]*)>)?"
)


class Frame(NamedTuple):
    """An Ethernet frame, and when it was sent, by the device or to it."""

    time_ns: int
    outgoing: bool
    frame: bytes


@dataclass
class _Told:
    """One line of a script; numbers as there."""

    time_ns: int
    outgoing: bool
    flags: str
    start: int
    size: int
    ack: int | None
    window: int
    options: list[str] = field(default_factory=list)


def frames(
    text: str,
    *,
    isns: tuple[int, int] = ISNS,
    macs: tuple[str, str] = _MACS,
    addresses: tuple[str, str] = _ADDRESSES,
    ports: tuple[int, int] = _PORTS,
    ids: tuple[int, int] = (1, 1),
    ttls: tuple[int, int] = (64, 64),
    streams: tuple[bytes, bytes] = (b"", b""),
    start_ns: int = 0,
) -> list[Frame]:
    """The frames that a script tells of.

    Args:
        text: The script.
        isns: Initial sequence numbers.
        macs: Of the two ends of the link.
        addresses: Of IPv4.
        ports: Of TCP.
        ids: IP identification of each end's first packet; each of its packets takes the next.
        ttls: Time to live.
        streams: What each end says, from relative sequence number 1 on; made up beyond that.
        start_ns: What times count from.
    """
    next_ids = list(ids)
    made = []
    for told in _read(text):
        way = told.outgoing
        segment = _segment(told, isns, ports, _payload(told, streams[way]))
        ends = [IPv4Address(addresses[each]).packed for each in (way, not way)]
        header = struct.pack(
            "!BBHHHBBH4s4s",
            *(0x45, 0, 20 + len(segment), next_ids[way] % 2**16, _DF, ttls[way], 6, 0),
            *ends,
        )
        next_ids[way] += 1
        header = _summed(header, 10)
        segment = _summed(segment, 16, b"".join(ends) + struct.pack("!HH", 6, len(segment)))
        link = b"".join(bytes.fromhex(macs[each].replace(":", "")) for each in (not way, way))
        made.append(Frame(start_ns + told.time_ns, way, link + b"\x08\0" + header + segment))
    return made


def script(of: Iterable[Frame], *, isns: tuple[int, int] | None = None, times: bool = True) -> str:
    """Tell of the TCP segments of one connection, a line each.

    Args:
        of: Ethernet frames with IPv4 or IPv6, and when and where to they were sent.
        isns: What numbers count from; if not given, what the first SYN of each end says, and
            without one, what makes the first number 1.
        times: Whether lines begin with the time: the first since 0, others since the line before.
    """
    of = list(of)
    segments = [_tcp(each.frame) for each in of]
    base = isns or _bases(of, segments)
    lines = []
    before: int | None = None
    for each, segment in zip(of, segments, strict=True):
        line = _line(each.outgoing, segment, base)
        if times:
            since = each.time_ns - (before or 0)
            line = f"{'' if before is None else '+'}{_seconds(since)} {line}"
        before = each.time_ns
        lines.append(line)
    return "".join(line + "\n" for line in lines)


def save(path: Path, of: Iterable[Frame]) -> None:
    """Write a capture, with times in nanoseconds."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 2**18, 1))
        for time_ns, _, frame in of:
            file.write(struct.pack("<IIII", *divmod(time_ns, 10**9), len(frame), len(frame)))
            file.write(frame)


def read(path: Path, mac: str = _MACS[True]) -> list[Frame]:
    """The frames of a capture that `save` wrote, or another in its format, of one device."""
    data, own = path.read_bytes(), bytes.fromhex(mac.replace(":", ""))
    unit = {0xA1B23C4D: 1, 0xA1B2C3D4: 1000}[struct.unpack_from("<I", data)[0]]
    at, found = 24, []
    while at < len(data):
        seconds, parts, size = struct.unpack_from("<III", data, at)
        frame = data[at + 16 : at + 16 + size]
        found.append(Frame(seconds * 10**9 + parts * unit, frame[6:12] == own, frame))
        at += 16 + size
    return found


def _read(text: str) -> Iterator[_Told]:
    time_ns = 0
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("//")[0].strip()
        if not words:
            continue
        match = _LINE.fullmatch(words)
        if match is None:
            raise ValueError(f"line {number} is no segment: {words}")
        start, end, size = (int(match[name]) for name in ("start", "end", "size"))
        if end - start != size:
            raise ValueError(f"line {number}: {start}:{end} are {end - start} bytes, not {size}")
        if ("." in match["flags"]) != (match["ack"] is not None):
            raise ValueError(f"line {number}: the flag . and ack need each other")
        if match["time"]:
            whole, _, parts = match["time"].partition(".")
            said = int(whole or 0) * 10**9 + int(f"{parts:0<9.9}")
            time_ns = time_ns + said if match["plus"] else said
        yield _Told(
            time_ns=time_ns,
            outgoing=match["way"] == ">",
            flags=match["flags"],
            start=start,
            size=size,
            ack=None if match["ack"] is None else int(match["ack"]),
            window=_WINDOW if match["window"] is None else int(match["window"]),
            options=[each.strip() for each in (match["options"] or "").split(",") if each.strip()],
        )


def _payload(told: _Told, stream: bytes) -> bytes:
    """The same bytes under the same numbers, whenever they are sent."""
    places = range(told.start - 1, told.start - 1 + told.size)
    return bytes(stream[i] if 0 <= i < len(stream) else i % 251 for i in places)


def _segment(told: _Told, isns: tuple[int, int], ports: tuple[int, int], payload: bytes) -> bytes:
    """With a checksum of zero."""
    mine, other = isns[told.outgoing], isns[not told.outgoing]
    options = b"".join(_option(each, other) for each in told.options)
    options += bytes(-len(options) % 4)
    if len(options) > 40:
        raise ValueError(f"{len(options)} bytes of options are more than a segment holds")
    header = struct.pack(
        "!HHIIBBHHH",
        ports[told.outgoing],
        ports[not told.outgoing],
        (mine + told.start) % 2**32,
        0 if told.ack is None else (other + told.ack) % 2**32,
        (20 + len(options)) << 2,
        sum(1 << _FLAGS.index(flag) for flag in set(told.flags)),
        told.window,
        0,
        0,
    )
    return header + options + payload


def _option(words: str, isn: int) -> bytes:
    """An option as bytes; blocks count from an ISN."""
    name, *rest = words.split()
    made: dict[str, Callable[[], bytes]] = {
        "nop": lambda: bytes([_NOP]),
        "eol": lambda: bytes([_EOL]),
        "mss": lambda: struct.pack("!BBH", _MSS, 4, int(rest[0])),
        "wscale": lambda: bytes([_SCALE, 3, int(rest[0])]),
        "sackOK": lambda: bytes([_PERMITTED, 2]),
        "sack": lambda: _sack([edge for block in rest for edge in block.split(":")], isn),
        "TS": lambda: struct.pack("!BBII", _STAMPS, 10, int(rest[1]), int(rest[3])),
        "option": lambda: (
            bytes([int(rest[0]), 2 + len(bytes.fromhex("".join(rest[1:])))])
            + bytes.fromhex("".join(rest[1:]))
        ),
    }
    if name not in made:
        raise ValueError(f"no option of TCP: {words}")
    return made[name]()


def _sack(edges: list[str], isn: int) -> bytes:
    numbers = [(isn + int(edge)) % 2**32 for edge in edges]
    return struct.pack(f"!BB{len(numbers)}I", _SACK, 2 + 4 * len(numbers), *numbers)


def _summed(header: bytes, place: int, before: bytes = b"") -> bytes:
    """With the Internet checksum at a place."""
    data = before + header + bytes(len(header) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return header[:place] + struct.pack("!H", total ^ 0xFFFF) + header[place + 2 :]


def _tcp(frame: bytes) -> bytes:
    """The TCP segment of a frame, without what pads the frame."""
    if frame[12:14] == b"\x08\0" and frame[23] == 6:
        start, stop = 14 + 4 * (frame[14] & 15), 14 + int.from_bytes(frame[16:18], "big")
    elif frame[12:14] == b"\x86\xdd" and frame[20] == 6:
        start, stop = 54, 54 + int.from_bytes(frame[18:20], "big")
    else:
        raise ValueError("a frame without TCP")
    return frame[start:stop]


def _bases(of: Iterable[Frame], segments: Iterable[bytes]) -> tuple[int, int]:
    first: dict[bool, int] = {}
    heard: dict[bool, int] = {}
    for each, segment in zip(of, segments, strict=True):
        seq, ack, flags = struct.unpack_from("!IIxB", segment, 4)
        first.setdefault(each.outgoing, seq - (not flags & 2))
        if flags & 16:
            heard.setdefault(not each.outgoing, ack - 1)
    peer, device = (first.get(way, heard.get(way, 0)) for way in (False, True))
    return peer, device


def _line(outgoing: bool, segment: bytes, isns: tuple[int, int]) -> str:
    mine, other = isns[outgoing], isns[not outgoing]
    seq, ack, offset, bits, window = struct.unpack_from("!IIBBH", segment, 4)
    flags = "".join(flag for i, flag in enumerate(_FLAGS) if bits >> i & 1)
    size = len(segment) - (offset >> 2)
    start = _signed(seq - mine)
    words = [">" if outgoing else "<", flags, f"{start}:{start + size}({size})"]
    if bits & 16:
        words.append(f"ack {_signed(ack - other)}")
    words.append(f"win {window}")
    if options := _options(segment[20 : offset >> 2], other):
        words.append(f"<{','.join(options)}>")
    return " ".join(words)


def _options(options: bytes, isn: int) -> list[str]:
    """The options' words, without the end that only pads them."""
    found, at, used = [], 0, 0
    while at < len(options):
        kind = options[at]
        size = 1 if kind in (_EOL, _NOP) else options[at + 1]
        found.append(_words(kind, options[at + 2 : at + size], isn))
        at += size
        used = at if kind != _EOL else used
    if len(options) - used < 4:
        found = found[: len(found) - (len(options) - used)]
    return found


def _words(kind: int, value: bytes, isn: int) -> str:
    if kind in (_EOL, _NOP, _PERMITTED):
        return {_EOL: "eol", _NOP: "nop", _PERMITTED: "sackOK"}[kind]
    if kind in (_MSS, _SCALE):
        return f"{'mss' if kind == _MSS else 'wscale'} {int.from_bytes(value, 'big')}"
    if kind == _STAMPS and len(value) == 8:
        return "TS val {} ecr {}".format(*struct.unpack("!II", value))
    if kind == _SACK:
        blocks = struct.iter_unpack("!II", value)
        return " ".join(["sack", *(f"{_signed(a - isn)}:{_signed(b - isn)}" for a, b in blocks)])
    return f"option {kind} {value.hex()}".rstrip()


def _signed(difference: int) -> int:
    return (difference + 2**31) % 2**32 - 2**31


def _seconds(nanoseconds: int) -> str:
    """At least three places after the point, as many as are needed."""
    whole, parts = divmod(nanoseconds, 10**9)
    digits = f"{parts:09}"
    return f"{whole}.{digits[:3]}{digits[3:].rstrip('0')}"
