"""How a decoy answers segments of TCP (RFC 9293): open ports accept, others reset.

Nothing here waits or sends, and nothing answers what belongs to composed traffic.
"""

import hashlib
import secrets
import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from iotflowgen.live.answering.memory import remember

__all__ = ["Answer", "Connections", "each_option"]

_FIN, _SYN, _RST, _ACK, _ECE, _CWR = 1, 2, 4, 16, 64, 128
_END, _NOTHING, _SEGMENT_SIZE, _SCALE, _SACK, _STAMPS = 0, 1, 2, 3, 4, 8
_STAMPS_SIZE: Final = 12
"""Bytes that timestamps take in each segment."""
_IP6_ADDRESS, _LONGER = 16, 20
"""Bytes of an address, and by which the header of IPv6 is longer than that of IPv4."""
_WIDEST: Final = 0xFFFF
"""A window without scale."""


class Answer(NamedTuple):
    """A segment that answers."""

    body: bytes
    """Without its checksum."""
    accepts: bool
    """Whether it accepts a connection; it resets one, otherwise."""


class _Segment(NamedTuple):
    """What came."""

    key: bytes
    """Own port, address and port of the peer."""
    port: int
    sequence: int
    acknowledgment: int
    flags: int
    options: dict[int, bytes]
    payload: int
    """Bytes."""

    @property
    def next(self) -> int:
        """The sequence number that acknowledges all of it."""
        control = (self.flags & _SYN != 0) + (self.flags & _FIN != 0)
        return (self.sequence + self.payload + control) % 2**32


class Connections:
    """What a decoy does with segments.

    Args:
        reflexes: How its device answers: `Reflexes` in JSON.
    """

    def __init__(self, reflexes: Mapping[str, Any]) -> None:
        self._open = {int(port): each for port, each in reflexes["tcp_ports"].items()}
        self._tcp = reflexes["tcp"]
        self._composed: dict[bytes, None] = {}
        self._accepted: dict[bytes, None] = {}
        self._key = secrets.token_bytes(16)
        self._stamp: tuple[int, int] | None = None

    def notice(self, body: bytes, peer: bytes, now_ns: int) -> None:
        """Take note of a segment that the decoy sends by itself: composed, not an answer."""
        remember(self._composed, body[:2] + peer + body[2:4])
        if value := _options(body).get(_STAMPS):
            self._stamp = int.from_bytes(value[:4]), now_ns

    def is_composed(self, body: bytes, peer: bytes) -> bool:
        """Whether a segment that has come is of a connection that the decoy has by itself."""
        return body[2:4] + peer + body[:2] in self._composed

    def answer(self, body: bytes, peer: bytes, now_ns: int) -> Answer | None:
        """The answer to a segment, if it gets one.

        Raises:
            struct.error: It is cut.
        """
        segment = _parsed(body, peer)
        key, flags = segment.key, segment.flags
        if key in self._composed or flags & _RST:
            self._accepted.pop(key, None)
            return None
        if segment.port in self._open and key not in self._accepted and not flags & _ACK:
            if not flags & _SYN or (flags & _FIN and self._tcp["drops_syn_fin"]):
                return None
            remember(self._accepted, key)
            return self._accept(segment, peer, now_ns)
        only_acknowledges = flags & (_ACK | _SYN | _FIN) == _ACK and not segment.payload
        if key in self._accepted and only_acknowledges:
            return None
        # nobody listens here, or whoever did closes
        self._accepted.pop(key, None)
        if flags & _ACK:
            return Answer(_written(segment, _RST, (segment.acknowledgment, 0)), accepts=False)
        return Answer(_written(segment, _RST | _ACK, (0, segment.next)), accepts=False)

    def _accept(self, segment: _Segment, peer: bytes, now_ns: int) -> Answer:
        known = self._open[segment.port]
        options = bytes.fromhex(known["options"])
        usual = dict(each_option(options))
        asked = segment.options.keys() | {_SEGMENT_SIZE}
        if len(peer) == _IP6_ADDRESS and _SEGMENT_SIZE in usual:
            size = int.from_bytes(usual[_SEGMENT_SIZE]) - _LONGER
            usual[_SEGMENT_SIZE] = max(size, 0).to_bytes(2)
        said = {kind: value for kind, value in usual.items() if kind in asked}
        if _STAMPS in said:
            echo = segment.options[_STAMPS][:4].ljust(4, b"\0")
            said[_STAMPS] = struct.pack("!I", self._now(segment.key, peer, now_ns)) + echo
        window = known["window"]
        if _STAMPS in usual and _STAMPS not in said and _SEGMENT_SIZE in usual:
            window = _window(window, int.from_bytes(usual[_SEGMENT_SIZE]))
        flags = _SYN | _ACK
        if segment.flags & (_ECE | _CWR) == _ECE | _CWR and self._tcp["ecn"]:
            flags |= _ECE
        begin = secrets.randbits(32), segment.next
        options = _laid_out(options, said) if said.keys() == usual.keys() else _arranged(said)
        return Answer(_written(segment, flags, begin, window, options), accepts=True)

    def _now(self, connection: bytes, peer: bytes, now_ns: int) -> int:
        """What a clock of timestamps says: of a connection, of a peer, or of all."""
        rate, whose = self._tcp["stamps_rate"], self._tcp["stamps"]
        if whose == "one" and self._stamp is not None:
            value, since_ns = self._stamp
        else:
            of = {"one": b"", "host": peer, "connection": connection}[whose]
            seed = hashlib.blake2b(of, key=self._key, digest_size=4)
            value, since_ns = int.from_bytes(seed.digest()), 0
        return (value + int((now_ns - since_ns) * rate) // 10**9) % 2**32


def _parsed(body: bytes, peer: bytes) -> _Segment:
    _, port, sequence, acknowledgment, offset, flags = struct.unpack_from("!HHIIBB", body)
    key = body[2:4] + peer + body[:2]
    size = 4 * (offset >> 4)
    if size < 20 or size > len(body):
        raise struct.error("a header is cut")
    options = _options(body)
    return _Segment(key, port, sequence, acknowledgment, flags, options, len(body) - size)


def _options(body: bytes) -> dict[int, bytes]:
    return dict(each_option(body[20 : 4 * (body[12] >> 4)]))


def each_option(options: bytes) -> Iterator[tuple[int, bytes]]:
    """Kinds and values, without those that say nothing, as far as they are whole."""
    at = 0
    while at + 1 < len(options) and (kind := options[at]) != _END:
        size = 1 if kind == _NOTHING else options[at + 1]
        if kind != _NOTHING:
            if size < 2 or at + size > len(options):
                return
            yield kind, options[at + 2 : at + size]
        at += size


def _laid_out(options: bytes, said: Mapping[int, bytes]) -> bytes:
    """Options as the device lays them out, with other values of the same size."""
    found, at = bytearray(options), 0
    for kind, value in each_option(options):
        at = found.index(bytes([kind, len(value) + 2]), at)
        found[at + 2 : at + 2 + len(value)] = said[kind]
        at += 2 + len(value)
    return bytes(found)


def _arranged(said: Mapping[int, bytes]) -> bytes:
    """Options as Linux orders them: each ends where a word does, or is filled up by the next."""
    found = b""
    for kind in (_SEGMENT_SIZE, _SACK, _STAMPS, _SCALE):
        if kind in said:
            option = bytes([kind, len(said[kind]) + 2]) + said[kind]
            both = kind == _SACK and _STAMPS in said
            before = kind == _STAMPS and _SACK in said
            short = 0 if both or before else -len(option) % 4
            found += bytes([_NOTHING]) * short + option
    return found + bytes(-len(found) % 4)


def _window(window: int, segment_size: int) -> int:
    """The window that is said without timestamps, by that with them.

    If that is of whole segments, as many as there is room for, so is this.
    """
    smaller = segment_size - _STAMPS_SIZE
    if smaller <= 0 or window % smaller:
        return window
    room = min(window + smaller - 1, _WIDEST)
    return room // segment_size * segment_size


def _written(
    to: _Segment, flags: int, numbers: tuple[int, int], window: int = 0, options: bytes = b""
) -> bytes:
    offset = (20 + len(options)) << 2
    ports = to.key[:2] + to.key[-2:]
    return ports + struct.pack("!IIBBHI", *numbers, offset, flags, window, 0) + options
