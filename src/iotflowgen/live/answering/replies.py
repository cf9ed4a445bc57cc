"""How a decoy answers who asks: ARP (RFC 826), ICMP (792, 4443), ND (4861), UDP (1122), TCP (9293).

Nothing here waits or sends, and nothing answers what belongs to composed traffic.
"""

import contextlib
import secrets
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from iotflowgen.live.answering import mdns, ssdp
from iotflowgen.live.answering.headers import (
    ARP,
    ICMP,
    ICMP6,
    IP4,
    IP6,
    LINK,
    TCP,
    UDP,
    Writer,
    checksum,
    pseudo6,
)
from iotflowgen.live.answering.memory import remember
from iotflowgen.live.answering.names import LLMNR, NETBIOS, Names
from iotflowgen.live.answering.tcp import Connections
from iotflowgen.live.emitting.guard import Host

__all__ = ["Reply", "Responder"]

_ASKS: Final = bytes.fromhex("0001080006040001")
"""How a request of ARP begins."""
_CONTROL: Final = 0xC0
"""Internetwork control, the service of errors (RFC 1812, section 4.3.2.5)."""
_QUOTE6: Final = 1280 - 48
"""Bytes of a packet that an error of ICMPv6 repeats (RFC 4443, section 2.4)."""
_ERRORS, _ERROR_NS = 6, 10**9
"""Errors that one host gets at once, and how long until it gets one more."""
_REACHABLE_NS: Final = 30 * 10**9
"""A neighbour that has answered is there for half to one and a half of that (RFC 4861, section
10), in IPv4 as well."""
_EPHEMERAL: Final = range(49_152, 65_536)


class Reply(NamedTuple):
    """A frame that answers."""

    frame: bytes
    kind: str
    """Of question: says how long the answer takes."""
    within_ns: int | None = None
    """The time for which who asks waits, if it says so."""


class Responder:
    """One decoy: answers with what it has said of itself by now, as its device does.

    Args:
        host: Its addresses.
        reflexes: How its device answers: `Reflexes` in JSON.
        discovery: What it says to who looks for it: `Discovery` in JSON.
        now_ns: The clock, nanoseconds, which never jumps.

    Attributes:
        host: Its addresses.
    """

    def __init__(
        self,
        host: Host,
        reflexes: Mapping[str, Any],
        discovery: Mapping[str, Any],
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.host, self._reflexes, self._now_ns = host, reflexes, now_ns
        self._has_ip = False
        self._own6: dict[bytes, None] = {}
        self._udp = dict.fromkeys(reflexes["udp_ports"])
        self._connections = Connections(reflexes)
        self._writer = Writer(host, reflexes["headers"])
        self._mdns, self._ssdp = mdns.Mdns(discovery["mdns"]), ssdp.Ssdp(discovery["ssdp"])
        self._names = Names(discovery["names"])
        self._neighbours: dict[bytes, int] = {}
        self._errors: dict[bytes, tuple[float, int]] = {}

    def notice(self, frame: bytes) -> None:
        """Take note of a frame that the decoy sends by itself: composed, not an answer."""
        # what was cut when it was captured is when it is composed
        with contextlib.suppress(struct.error, IndexError):
            self._notice(frame)

    def _notice(self, frame: bytes) -> None:
        kind = frame[12:14]
        if kind == ARP:
            self._has_ip |= frame[28:32] == self.host.ip
        elif kind == IP4 and frame[26:30] == self.host.ip:
            self._has_ip = True
            body = frame[LINK + 4 * (frame[LINK] & 15) :]
            if frame[23] == UDP:
                self._notice_udp(frame, body)
            elif frame[23] == TCP:
                self._connections.notice(body, frame[30:34], self._now_ns())
        elif kind == IP6 and any(frame[22:38]):
            remember(self._own6, frame[22:38])
            if frame[20] == TCP:
                self._connections.notice(frame[54:], frame[38:54], self._now_ns())

    def _notice_udp(self, frame: bytes, body: bytes) -> None:
        source, _, size = struct.unpack_from("!HHH", body)
        remember(self._udp, source)
        if source == mdns.PORT and frame[30:34] == mdns.GROUP:
            self._mdns.notice(body[8:size], self._now_ns())
        elif ssdp.PORT in struct.unpack_from("!HH", body):
            self._ssdp.notice(body[8:size])

    def is_claimed(self, frame: bytes) -> bool:
        """Whether ARP says that somebody else has the decoy's address (RFC 5227, section 2.4)."""
        says = frame[12:14] == ARP and frame[28:32] == self.host.ip
        return says and frame[22:28] != self.host.mac

    def may_hear(self, frame: bytes) -> bool:
        """Whether whoever serves a port may hear a packet to it: of a composed flow they may not.

        Args:
            frame: Ethernet with IPv4, without VLAN tag.
        """
        body = frame[LINK + 4 * (frame[LINK] & 15) :]
        return self._has_ip and not self._connections.is_composed(body, frame[26:30])

    def replies(self, frame: bytes, *, checks: bool = True) -> Sequence[Reply]:
        """The answers to a frame that somebody else has sent to the decoy or to all.

        Args:
            frame: Ethernet, without VLAN tag.
            checks: Whether its checksums are there to be checked; a kernel that sends to another
                namespace of its own leaves them out.
        """
        try:
            return [*self._replies(frame, checks=checks)]
        except (struct.error, IndexError):
            # cut short: a host drops it
            return []

    def _replies(self, frame: bytes, *, checks: bool) -> Iterator[Reply]:
        kind = frame[12:14]
        if kind == ARP:
            yield from self._arp(frame)
        elif kind == IP6:
            yield from self._ip6(frame, checks=checks)
        elif kind == IP4 and self._has_ip:
            found = [*self._ip4(frame, checks=checks)]
            yield from found
            if any(not each.frame[0] & 1 for each in found):
                yield from self._confirm(Host(frame[6:12], frame[26:30]))

    def _ip4(self, frame: bytes, *, checks: bool) -> Iterator[Reply]:
        target = frame[30:34]
        is_direct = frame[:6] == self.host.mac and target == self.host.ip
        if not is_direct and (target not in (mdns.GROUP, ssdp.GROUP) and frame[23] != UDP):
            return
        size, length = 4 * (frame[LINK] & 15), int.from_bytes(frame[16:18])
        header, body = frame[LINK : LINK + size], frame[LINK + size : LINK + length]
        if checksum(header) or len(body) != length - size or header[6] & 0x3F or header[7]:
            return
        protocol = header[9]
        pseudo = header[12:20] + struct.pack("!HH", protocol, len(body))
        is_damaged = checks and checksum(body if protocol == ICMP else pseudo + body)
        if is_damaged and (protocol != UDP or any(body[6:8])):
            return
        asker = Host(frame[6:12], frame[26:30])
        if protocol == UDP:
            yield from self._datagram(asker, header, body, is_direct=is_direct)
        elif is_direct and protocol == ICMP:
            yield from self._echo(asker, header, body)
        elif is_direct and protocol == TCP:
            now_ns = self._now_ns()
            if answer := self._connections.answer(body, asker.ip, now_ns):
                kind = "accept" if answer.accepts else "reset"
                said = self._writer.ip4(kind, TCP, answer.body, asker, now_ns=now_ns, asked=header)
                yield Reply(said, "tcp")

    def _arp(self, frame: bytes) -> Iterator[Reply]:
        is_asked = frame[20:22] == b"\0\1" and frame[38:42] == self.host.ip
        if is_asked and self._has_ip:
            mac, ip = self.host
            body = frame[14:20] + b"\0\2" + mac + ip + frame[22:32]
            said = frame[22:28] + mac + ARP + body
            yield Reply(said.ljust(self._reflexes["arp_size"], b"\0"), "arp")
            self._neighbours.setdefault(frame[28:32], 0)
            remember(self._neighbours, frame[28:32], self._neighbours[frame[28:32]])

    def _confirm(self, asker: Host) -> Iterator[Reply]:
        """Ask, a little later, whether a neighbour that was answered is there, if devices do."""
        now_ns = self._now_ns()
        known = self._neighbours.get(asker.ip)
        if "confirm" not in self._reflexes["delays_ns"] or known is None or now_ns < known:
            return
        until_ns = now_ns + _REACHABLE_NS // 2 + secrets.randbelow(_REACHABLE_NS)
        remember(self._neighbours, asker.ip, until_ns)
        mac, ip = self.host
        said = asker.mac + mac + ARP + _ASKS + mac + ip + bytes(6) + asker.ip
        yield Reply(said.ljust(self._reflexes["arp_size"], b"\0"), "confirm")

    def _echo(self, asker: Host, header: bytes, body: bytes) -> Iterator[Reply]:
        if body[0] == 8:
            said = b"\0" + body[1:2] + b"\0\0" + body[4:]
            frame = self._writer.ip4(
                "echo", ICMP, said, asker, now_ns=self._now_ns(), asked=header, service=header[1]
            )
            yield Reply(frame, "icmp")

    def _datagram(
        self, asker: Host, header: bytes, body: bytes, *, is_direct: bool
    ) -> Iterator[Reply]:
        """Answers to UDP: of who is looked for, or that there is nobody."""
        source, port, size = struct.unpack_from("!HHH", body)
        payload, now_ns = body[8:size], self._now_ns()
        if port == mdns.PORT:
            said = self._mdns.answer(payload, port=source, is_direct=is_direct, now_ns=now_ns)
            if said is not None:
                to = Host(b"", mdns.GROUP) if said.to_group else asker
                kind = "mdns" if said.to_group else "datagram"
                ports = port, source
                frame = self._writer.udp4(kind, ports, said.payload, to, now_ns=now_ns)
                yield Reply(frame, "mdns")
        elif port == ssdp.PORT:
            found = self._ssdp.answer(payload)
            for each in found.payloads if found else ():
                own = port if self._reflexes["ssdp_port"] else secrets.choice(_EPHEMERAL)
                frame = self._writer.udp4("datagram", (own, source), each, asker, now_ns=now_ns)
                yield Reply(frame, "ssdp", found.wait_s * 10**9 if found else None)
        elif port in (LLMNR, NETBIOS) and (answer := self._names.answer(port, payload)):
            frame = self._writer.udp4("datagram", (port, source), answer, asker, now_ns=now_ns)
            yield Reply(frame, "names")
        elif is_direct and port not in self._udp and self._may_complain(asker.ip, now_ns):
            error = b"\x03\x03" + bytes(6) + (header + body)[: self._reflexes["quote"]]
            service = header[1] & 0x1E | _CONTROL if self._reflexes["errors_limited"] else 0
            frame = self._writer.ip4(
                "error", ICMP, error, asker, now_ns=now_ns, asked=header, service=service
            )
            yield Reply(frame, "icmp")

    def _may_complain(self, ip: bytes, now_ns: int) -> bool:
        """Whether a host gets one more error: some at once, then one a second, as Linux has it."""
        if not self._reflexes["errors_limited"]:
            return True
        left, since_ns = self._errors.get(ip) or (_ERRORS, now_ns)
        left = min(_ERRORS, left + (now_ns - since_ns) / _ERROR_NS)
        remember(self._errors, ip, (max(left - 1, left % 1), now_ns))
        return left >= 1

    def _ip6(self, frame: bytes, *, checks: bool) -> Iterator[Reply]:
        """Answers to packets of IPv6, and to who looks for an address of the decoy."""
        header, body = frame[14:54], frame[54 : 54 + int.from_bytes(frame[18:20])]
        source, target, protocol = header[8:24], header[24:40], header[6]
        if checks and checksum(pseudo6(source, target, protocol, body) + body):
            return
        asker = Host(frame[6:12], source)
        if protocol == ICMP6 and body[0] == 135 and body[8:24] in self._own6 and header[7] == 255:
            # who has no address yet is told together with all others
            to = source if any(source) else bytes.fromhex("ff02").ljust(15, b"\0") + b"\1"
            asked = 0x60 if any(source) else 0x20
            said = bytes([136, 0, 0, 0, asked, 0, 0, 0]) + body[8:24] + b"\2\1" + self.host.mac
            whom = asker._replace(ip=to)
            yield Reply(self._writer.ip6(ICMP6, body[8:24], said, whom, hops=255), "icmp6")
        elif target not in self._own6:
            return
        elif protocol == ICMP6 and body[0] == 128:
            said = b"\x81\0\0\0" + body[4:]
            yield Reply(self._writer.ip6(ICMP6, target, said, asker), "icmp6")
        elif protocol == TCP:
            if answer := self._connections.answer(body, source, self._now_ns()):
                yield Reply(self._writer.ip6(TCP, target, answer.body, asker), "tcp")
        elif protocol == UDP:
            is_open = int.from_bytes(body[2:4]) in self._udp
            if not is_open and self._may_complain(source, self._now_ns()):
                said = b"\1\4" + bytes(6) + (header + body)[:_QUOTE6]
                yield Reply(self._writer.ip6(ICMP6, target, said, asker), "icmp6")
