"""How a decoy answers who asks: ARP (RFC 826), ICMP (792, 4443), ND (4861), UDP (1122), TCP (9293).

Nothing here waits or sends, and nothing answers what belongs to composed traffic.
"""

import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from iotflowgen.live.emitting.guard import Host

__all__ = ["Reply", "Responder", "with_checksum"]

_ARP, _IP4, _IP6 = b"\x08\x06", b"\x08\x00", b"\x86\xdd"
_ICMP, _TCP, _UDP, _ICMP6 = 1, 6, 17, 58
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_LINK: Final = 14
"""Bytes of Ethernet's header."""
_QUOTE: Final = 8
"""Bytes behind the header of a packet that an error repeats (RFC 792); systems may repeat more."""
_MOST: Final = 512
"""Ports, or connections, that are remembered: the last ones."""


class Reply(NamedTuple):
    """A frame that answers."""

    frame: bytes
    kind: str
    """Of question: says how long the answer takes."""


@dataclass(frozen=True)
class _Segment:
    """TCP, as it came."""

    key: bytes
    """Own port, address and port of the peer."""
    port: int
    sequence: int
    acknowledgment: int
    flags: int
    payload: int
    """Bytes."""

    @property
    def next(self) -> int:
        """The sequence number that acknowledges all of it."""
        control = (self.flags & _SYN != 0) + (self.flags & _FIN != 0)
        return (self.sequence + self.payload + control) % 2**32


class Responder:
    """One decoy: answers with what it has said of itself by now, as its device does.

    Args:
        host: Its addresses.
        reflexes: How its device answers: `Reflexes` in JSON.
    """

    def __init__(self, host: Host, reflexes: Mapping[str, Any]) -> None:
        self._host, self._reflexes = host, reflexes
        self._open = {int(port): each for port, each in reflexes["tcp_ports"].items()}
        self._has_ip = False
        self._ip6: dict[bytes, None] = {}
        self._udp = dict.fromkeys(reflexes["udp_ports"])
        self._composed: dict[bytes, None] = {}
        self._accepted: dict[bytes, None] = {}
        self._next_id = secrets.randbelow(2**16)

    def notice(self, frame: bytes) -> None:
        """Take note of a frame that the decoy sends by itself: composed, not an answer."""
        kind = frame[12:14]
        if kind == _ARP:
            self._has_ip |= frame[28:32] == self._host.ip
        elif kind == _IP4 and frame[26:30] == self._host.ip:
            self._has_ip = True
            at = _LINK + 4 * (frame[_LINK] & 15)
            if frame[23] == _UDP:
                _remember(self._udp, int.from_bytes(frame[at : at + 2]))
            elif frame[23] == _TCP:
                _remember(
                    self._composed, frame[at : at + 2] + frame[30:34] + frame[at + 2 : at + 4]
                )
        elif kind == _IP6 and any(frame[22:38]):
            _remember(self._ip6, frame[22:38])

    def is_claimed(self, frame: bytes) -> bool:
        """Whether ARP says that somebody else has the decoy's address (RFC 5227, section 2.4)."""
        says = frame[12:14] == _ARP and frame[28:32] == self._host.ip
        return says and frame[22:28] != self._host.mac

    def reply(self, frame: bytes, *, checks: bool = True) -> Reply | None:
        """The answer to a frame that somebody else has sent to the decoy, if it gets one.

        Args:
            frame: Ethernet, without VLAN tag.
            checks: Whether its checksums are there to be checked; a kernel that sends to another
                namespace of its own leaves them out.
        """
        try:
            return self._reply(frame, checks=checks)
        except (struct.error, IndexError):
            # cut short: a host drops it
            return None

    def _reply(self, frame: bytes, *, checks: bool) -> Reply | None:
        kind, for_one = frame[12:14], frame[:6] == self._host.mac
        if kind == _ARP:
            return self._arp(frame)
        if kind == _IP6:
            return self._icmp6(frame, checks=checks)
        if kind != _IP4 or not for_one or not self._has_ip or frame[30:34] != self._host.ip:
            return None
        size, length = 4 * (frame[_LINK] & 15), int.from_bytes(frame[16:18])
        header, body = frame[_LINK : _LINK + size], frame[_LINK + size : _LINK + length]
        if _checksum(header) or len(body) != length - size or header[6] & 0x3F or header[7]:
            return None
        answer = {_ICMP: self._echo, _UDP: self._unreachable, _TCP: self._tcp}.get(header[9])
        pseudo = header[12:20] + struct.pack("!HH", header[9], len(body))
        is_damaged = checks and _checksum(body if header[9] == _ICMP else pseudo + body)
        has_sum = header[9] != _UDP or any(body[6:8])
        if answer is None or (is_damaged and has_sum):
            return None
        return answer(frame, header, body)

    def _arp(self, frame: bytes) -> Reply | None:
        is_asked = frame[20:22] == b"\0\1" and frame[38:42] == self._host.ip
        if not is_asked or not self._has_ip:
            return None
        mac, ip = self._host
        body = frame[14:20] + b"\0\2" + mac + ip + frame[22:32]
        found = frame[22:28] + mac + _ARP + body
        return Reply(found.ljust(self._reflexes["arp_size"], b"\0"), "arp")

    def _echo(self, frame: bytes, _header: bytes, body: bytes) -> Reply | None:
        if body[:2] != b"\x08\0":
            return None
        return Reply(self._ip4(frame, _ICMP, with_checksum(b"\0\0\0\0" + body[4:], 2)), "icmp")

    def _unreachable(self, frame: bytes, header: bytes, body: bytes) -> Reply | None:
        if int.from_bytes(body[2:4]) in self._udp:
            return None
        said = b"\x03\x03" + bytes(6) + header + body[:_QUOTE]
        return Reply(self._ip4(frame, _ICMP, with_checksum(said, 2)), "icmp")

    def _tcp(self, frame: bytes, header: bytes, body: bytes) -> Reply | None:
        _, port, sequence, acknowledgment, offset, flags = struct.unpack_from("!HHIIBB", body)
        key = body[2:4] + header[12:16] + body[:2]
        payload = len(body) - 4 * (offset >> 4)
        segment = _Segment(key, port, sequence, acknowledgment, flags, payload)
        if key in self._composed or flags & _RST:
            self._accepted.pop(key, None)
            return None
        if flags & (_SYN | _ACK) == _SYN and port in self._open:
            _remember(self._accepted, key)
            first = self._open[port]
            begin = secrets.randbits(32), segment.next
            return self._segment(frame, segment, _SYN | _ACK, begin, first)
        if key in self._accepted and flags & _ACK and not payload and not flags & (_SYN | _FIN):
            return None
        # nobody listens here, or whoever did closes
        self._accepted.pop(key, None)
        if flags & _ACK:
            return self._segment(frame, segment, _RST, (acknowledgment, 0))
        return self._segment(frame, segment, _RST | _ACK, (0, segment.next))

    def _segment(
        self,
        frame: bytes,
        to: _Segment,
        flags: int,
        numbers: tuple[int, int],
        first: Mapping[str, Any] | None = None,
    ) -> Reply:
        options = bytes.fromhex(first["options"]) if first else b""
        window = first["window"] if first else 0
        offset = (20 + len(options)) << 2
        ports = to.key[:2] + to.key[6:]
        said = ports + struct.pack("!IIBBHI", *numbers, offset, flags, window, 0) + options
        pseudo = self._host.ip + frame[26:30] + struct.pack("!HH", _TCP, len(said))
        total = _checksum(pseudo + said)
        return Reply(self._ip4(frame, _TCP, said[:16] + total.to_bytes(2) + said[18:]), "tcp")

    def _ip4(self, frame: bytes, protocol: int, body: bytes) -> bytes:
        """A packet back to who sent a frame."""
        number = 0
        if self._reflexes["counts_ids"]:
            self._next_id = number = (self._next_id + 1) % 2**16
        whole = 0x4000 * self._reflexes["keeps_whole"]
        fields = (0x45, 0, 20 + len(body), number, whole, self._reflexes["ttl"], protocol, 0)
        header = struct.pack("!BBHHHBBH", *fields) + self._host.ip + frame[26:30]
        return frame[6:12] + self._host.mac + _IP4 + with_checksum(header, 10) + body

    def _icmp6(self, frame: bytes, *, checks: bool) -> Reply | None:
        """Answers to pings, and to who looks for an address of the decoy."""
        header, body = frame[14:54], frame[54 : 54 + int.from_bytes(frame[18:20])]
        source, target = header[8:24], header[24:40]
        if header[6] != _ICMP6 or (checks and _checksum(_pseudo6(source, target, body) + body)):
            return None
        if body[0] == 128 and target in self._ip6:
            return self._packet6(frame, target, source, b"\x81\0\0\0" + body[4:], 64)
        if body[0] == 135 and body[8:24] in self._ip6 and header[7] == 255:
            # who has no address yet is told together with all others
            to = source if any(source) else bytes.fromhex("ff02").ljust(15, b"\0") + b"\1"
            asked = 0x60 if any(source) else 0x20
            said = bytes([136, 0, 0, 0, asked, 0, 0, 0]) + body[8:24] + b"\2\1" + self._host.mac
            return self._packet6(frame, body[8:24], to, said, 255)
        return None

    def _packet6(self, frame: bytes, own: bytes, to: bytes, body: bytes, hops: int) -> Reply:
        total = _checksum(_pseudo6(own, to, body) + body)
        body = body[:2] + total.to_bytes(2) + body[4:]
        header = struct.pack("!IHBB", 0x60000000, len(body), _ICMP6, hops) + own + to
        mac = b"\x33\x33" + to[12:] if to[0] == 255 else frame[6:12]
        return Reply(mac + self._host.mac + _IP6 + header + body, "icmp6")


def _remember(known: dict[Any, None], what: object) -> None:
    known.pop(what, None)
    known[what] = None
    if len(known) > _MOST:
        del known[next(iter(known))]


def _pseudo6(source: bytes, target: bytes, body: bytes) -> bytes:
    """What checksums cover beside the body (RFC 8200, section 8.1)."""
    return source + target + struct.pack("!II", len(body), _ICMP6)


def _checksum(data: bytes) -> int:
    """Of the Internet (RFC 1071); 0 of what has its own in it."""
    padded = data + bytes(len(data) % 2)
    # 2^16 is 1 in the sums of one's complement
    rest = int.from_bytes(padded) % 0xFFFF
    return 0xFFFF - (rest or (0xFFFF if any(data) else 0))


def with_checksum(data: bytes, at: int) -> bytes:
    """The same, with its checksum in the two bytes from an offset on."""
    return data[:at] + _checksum(data[:at] + b"\0\0" + data[at + 2 :]).to_bytes(2) + data[at + 2 :]
