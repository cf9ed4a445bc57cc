"""Headers of answers, as the device writes them: IPv4 and IPv6, with checksums.

Nothing here waits or sends.
"""

import secrets
import struct
from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Any, Final

from iotflowgen.live.emitting.guard import Host

__all__ = [
    "ARP",
    "ICMP",
    "ICMP6",
    "IP4",
    "IP6",
    "LINK",
    "TCP",
    "UDP",
    "Writer",
    "checksum",
    "pseudo6",
    "with_checksum",
]

ARP, IP4, IP6 = b"\x08\x06", b"\x08\x00", b"\x86\xdd"
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
LINK: Final = 14
"""Bytes of Ethernet's header."""
_MOST_COUNTERS: Final = 512
_TICK_NS: Final = 4_000_000
"""Linux adds to a count of IP IDs up to as many as ticks have passed (RFC 7739, appendix B)."""
_UDP_SUM_AT, _ICMP_SUM_AT, _TCP_SUM_AT = 6, 2, 16
_SUM_AT: Final = {
    ICMP: _ICMP_SUM_AT,
    ICMP6: _ICMP_SUM_AT,
    TCP: _TCP_SUM_AT,
    UDP: _UDP_SUM_AT,
}


class Writer:
    """Writes packets of one decoy.

    Args:
        host: Its addresses.
        headers: How its device writes answers, by their kind: `reflexes.Header` in JSON.
    """

    def __init__(self, host: Host, headers: Mapping[str, Mapping[str, Any]]) -> None:
        self._host, self._headers = host, headers
        self._counts: dict[bytes, tuple[int, int]] = {}

    def ip4(
        self,
        kind: str,
        protocol: int,
        body: bytes,
        to: Host,
        *,
        now_ns: int,
        asked: bytes = b"",
        service: int = 0,
    ) -> bytes:
        """A frame with a packet.

        Args:
            kind: Of answer.
            protocol: What the body is of.
            body: What IP carries, whose checksum is computed.
            to: Who gets it.
            now_ns: The time, nanoseconds.
            asked: The header of the packet that is answered.
            service: The type of service.
        """
        how = self._headers[kind]
        number = self._number(how["ids"], protocol, to.ip, now_ns)
        whole = 0x4000 * how["keeps_whole"]
        if how["ids"] == "asked" and asked:
            number, whole = int.from_bytes(asked[4:6]), int.from_bytes(asked[6:8]) & 0x4000
        fields = (0x45, service, 20 + len(body), number, whole, how["ttl"], protocol, 0)
        header = struct.pack("!BBHHHBBH", *fields) + self._host.ip + to.ip
        pseudo = header[12:20] + struct.pack("!HH", protocol, len(body))
        body = with_checksum(body, _SUM_AT[protocol], b"" if protocol == ICMP else pseudo)
        return to.mac + self._host.mac + IP4 + with_checksum(header, 10) + body

    def udp4(
        self, kind: str, ports: tuple[int, int], payload: bytes, to: Host, *, now_ns: int
    ) -> bytes:
        """A frame with a datagram; to a group, at the group's MAC address (RFC 1112)."""
        if IPv4Address(to.ip).is_multicast:
            last = int.from_bytes(to.ip) & 0x7FFFFF
            to = Host((0x01005E000000 | last).to_bytes(6), to.ip)
        body = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
        return self.ip4(kind, UDP, body, to, now_ns=now_ns)

    def ip6(self, protocol: int, own: bytes, body: bytes, to: Host, *, hops: int = 64) -> bytes:
        """A frame with a packet of IPv6 from one of the decoy's addresses.

        Args:
            protocol: What the body is of.
            own: Its address.
            body: What IP carries, whose checksum is computed.
            to: Who gets it; a group gets it at its MAC address (RFC 2464).
            hops: The hop limit.
        """
        body = with_checksum(body, _SUM_AT[protocol], pseudo6(own, to.ip, protocol, body))
        header = struct.pack("!IHBB", 0x60000000, len(body), protocol, hops) + own + to.ip
        mac = b"\x33\x33" + to.ip[12:] if to.ip[0] == 255 else to.mac
        return mac + self._host.mac + IP6 + header + body

    def _number(self, how: str, protocol: int, ip: bytes, now_ns: int) -> int:
        """The next IP ID."""
        if how == "zero":
            return 0
        if how == "random":
            return secrets.randbelow(2**16)
        key = ip + bytes([protocol]) if how == "pair" else b""
        last, since = self._counts.pop(key, (secrets.randbelow(2**16), now_ns))
        jump = secrets.randbelow((now_ns - since) // _TICK_NS + 1) if how == "pair" else 0
        number = (last + 1 + jump) % 2**16
        self._counts[key] = number, now_ns
        if len(self._counts) > _MOST_COUNTERS:
            del self._counts[next(iter(self._counts))]
        return number


def pseudo6(source: bytes, target: bytes, protocol: int, body: bytes) -> bytes:
    """What checksums cover beside the body (RFC 8200, section 8.1)."""
    return source + target + struct.pack("!II", len(body), protocol)


def checksum(data: bytes) -> int:
    """Of the Internet (RFC 1071); 0 of what has its own in it."""
    padded = data + bytes(len(data) % 2)
    # 2^16 is 1 in the sums of one's complement
    rest = int.from_bytes(padded) % 0xFFFF
    return 0xFFFF - (rest or (0xFFFF if any(data) else 0))


def with_checksum(data: bytes, at: int, pseudo: bytes = b"") -> bytes:
    """The same, with its checksum in the two bytes from an offset on."""
    total = checksum(pseudo + data[:at] + b"\0\0" + data[at + 2 :])
    if at == _UDP_SUM_AT and not total:
        # none would mean that there is no checksum (RFC 768)
        total = 0xFFFF
    return data[:at] + total.to_bytes(2) + data[at + 2 :]
