"""Captures of devices that answer, and ask, by protocols with ids and counters of their own.

Each is what a device of the kind says, byte by byte, in one home: ids begin anywhere, and count on
as those of the programs that are named.
"""

import random
import struct
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

__all__ = ["DEVICE", "DIALOGUES", "Home", "crc", "save"]

DEVICE = "5e:cf:7f:51:42:01"
_MACS = ("02:1d:aa:51:42:02", DEVICE)
_ADDRESSES = ("192.168.31.10", "192.168.31.50")
_TCP, _UDP = 6, 17


class Home:
    """A device and a peer on a cable, and all that they say."""

    def __init__(self, number: int, addresses: tuple[str, str] = _ADDRESSES) -> None:
        self.rng = random.Random(number)
        self.time = 1_700_000_000 + number * 86_400.0
        self.frames: list[tuple[float, bytes]] = []
        self._addresses = addresses
        self._packed = tuple(ip_address(each).packed for each in addresses)
        self._ids = [self.rng.randrange(2**16) for _ in range(2)]
        self._port = self.rng.randrange(32_768, 60_000)

    def port(self) -> int:
        """The next port of a client."""
        self._port += 2
        return self._port

    def wait(self, seconds: float) -> None:
        self.time += seconds * self.rng.uniform(0.8, 1.2)

    def udp(self, out: bool, device: int, peer: int, payload: bytes) -> None:
        ports = (device, peer) if out else (peer, device)
        self._send(out, _UDP, struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload, 6)

    def connect(self, device: int, peer: int, *, out: bool = False) -> "Connection":
        """A connection that the device opens, or the peer."""
        return Connection(self, device, peer, opens=out)

    def _send(self, out: bool, protocol: int, body: bytes, sum_at: int) -> None:
        ends = self._packed[out] + self._packed[not out]
        pseudo = ends + struct.pack("!HH", protocol, len(body))
        total = _sum(pseudo + body) or 0xFFFF
        body = body[:sum_at] + struct.pack("!H", total) + body[sum_at + 2 :]
        if len(ends) == 8:
            self._ids[out] = (self._ids[out] + 1) % 2**16
            size = 20 + len(body)
            head = struct.pack("!BBHHHBBH", 0x45, 0, size, self._ids[out], 0x4000, 64, protocol, 0)
            head = head[:10] + struct.pack("!H", _sum(head + ends)) + ends
        else:
            head = struct.pack("!IHBB", 0x60000000, len(body), protocol, 64) + ends
        macs = b"".join(bytes.fromhex(_MACS[each].replace(":", "")) for each in (not out, out))
        kind = b"\x08\0" if len(ends) == 8 else b"\x86\xdd"
        self.frames.append((self.time, macs + kind + head + body))
        self.time += self.rng.uniform(2e-4, 9e-4)


class Connection:
    """One of TCP: what is said is acknowledged with the answer, or by itself."""

    def __init__(self, home: Home, device: int, peer: int, *, opens: bool) -> None:
        self._home, self._ports = home, (peer, device)
        self._next = [home.rng.randrange(2**32) for _ in range(2)]
        self._heard = [0, 0]
        for out, flags in ((opens, 2), (not opens, 0x12), (opens, 0x10)):
            self._segment(out, flags)

    def say(self, out: bool, payload: bytes, *, acknowledged: bool = False) -> None:
        self._segment(out, 0x18, payload)
        if acknowledged:
            self._segment(not out, 0x10)

    def close(self, *, out: bool = False) -> None:
        for way, flags in ((out, 0x11), (not out, 0x11), (out, 0x10)):
            self._segment(way, flags)

    def _segment(self, out: bool, flags: int, payload: bytes = b"") -> None:
        options = bytes.fromhex("020405b4") if flags & 2 else b""
        head = struct.pack(
            "!HHIIBBHHH",
            *(self._ports[out], self._ports[not out], self._next[out]),
            *(self._next[not out] if flags & 0x10 else 0, (20 + len(options)) << 2),
            *(flags, 64_240, 0, 0),
        )
        self._home._send(out, _TCP, head + options + payload, 16)
        self._next[out] = (self._next[out] + len(payload) + (flags & 3 > 0)) % 2**32


def _sum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def save(home: Home, path: Path) -> None:
    """Write what was said."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 2**18, 1))
        for time, frame in home.frames:
            second, part = divmod(round(time * 1e6), 10**6)
            file.write(struct.pack("<IIII", second, part, len(frame), len(frame)) + frame)


# SNMP (RFC 3416), of a printer that net-snmp's programs poll


def _tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + struct.pack("!H", len(body))
    return bytes([tag]) + size + body


def _integer(value: int) -> bytes:
    return _tlv(2, value.to_bytes(value.bit_length() // 8 + 1))


def _pdu(kind: int, number: int, oid: bytes, value: bytes) -> bytes:
    binding = _tlv(0x30, _tlv(6, bytes.fromhex("2b06010201") + oid), value)
    return _tlv(kind, _integer(number), _integer(0), _integer(0), _tlv(0x30, binding))


def _snmp(kind: int, number: int, oid: bytes, value: bytes) -> bytes:
    return _tlv(0x30, _integer(1), _tlv(4, b"public"), _pdu(kind, number, oid, value))


def _snmp3(kind: int, number: int, oid: bytes, value: bytes) -> bytes:
    """Without keys (RFC 3412): both ids count."""
    flags = _tlv(4, bytes([4 * (kind < 0xA2)]))
    header = _tlv(0x30, _integer(number), _integer(65_507), flags, _integer(3))
    engine = bytes.fromhex("80001f8880") + b"\x5a\x11\x27\x3e\x9c\x04\x61\x62"
    usm = _tlv(4, engine), _integer(4), _integer(5_000), _tlv(4, b"ops"), _tlv(4), _tlv(4)
    scoped = _tlv(0x30, _tlv(4, engine), _tlv(4), _pdu(kind, number + 7, oid, value))
    return _tlv(0x30, _integer(3), header, _tlv(4, _tlv(0x30, *usm)), scoped)


def snmp(home: Home) -> None:
    """Each poll is a program that begins anywhere, and counts on; some questions are repeated."""
    for poll in range(home.rng.randint(5, 8)):
        form = _snmp3 if poll % 3 == 2 else _snmp
        first, port = home.rng.randrange(2**24, 2**31 - 100), home.port()
        for number in range(first, first + home.rng.randint(3, 9)):
            oid = bytes([1, home.rng.choice([1, 3, 5, 6]), 0])
            kind = home.rng.choice([0xA0, 0xA1])
            for _ in range(1 + (home.rng.random() < 0.1)):
                home.udp(False, 161, port, form(kind, number, oid, _tlv(5)))
            home.udp(True, 161, port, form(0xA2, number, oid, _integer(home.rng.randrange(2**14))))
            home.wait(0.2)
        home.wait(20)


# SIP and SDP (RFC 3261, RFC 8866), of a telephone


def _sip(first: str, fields: list[tuple[str, str]], body: str = "") -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in fields), f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def _hex(rng: random.Random, size: int) -> str:
    return rng.randbytes(size).hex()


class _Dialog:
    """One dialog of SIP, over UDP; `out` says who asks first."""

    def __init__(self, home: Home, out: bool, number: int) -> None:
        self.home, self.out, self.number = home, out, number
        self.call = f"{_hex(home.rng, 8)}@{_ADDRESSES[out]}"
        self.tags = [_hex(home.rng, 4) for _ in range(2)]
        self.names = [f"sip:plant@{_ADDRESSES[0]}", f"sip:200@{_ADDRESSES[1]}"]

    def ask(
        self, method: str, *, out: bool, body: str = "", more: str = "", branch: str = ""
    ) -> str:
        """Ask, and say by which branch."""
        branch = branch or "z9hG4bK" + _hex(self.home.rng, 5)
        fields = self._fields(
            method, branch, out, to=method not in ("INVITE", "REGISTER", "OPTIONS")
        )
        fields += [("Max-Forwards", "70")]
        fields += [("Authorization", more)] * bool(more)
        fields += [("Content-Type", "application/sdp")] * bool(body)
        first = f"{method} {self.names[not out]} SIP/2.0"
        self.home.udp(out, 5060, 5060, _sip(first, fields, body))
        return branch

    def answer(self, status: str, method: str, branch: str, *, out: bool, body: str = "") -> None:
        fields = self._fields(method, branch, not out, to=True)
        if status.startswith("401"):
            nonce = _hex(self.home.rng, 16)
            fields += [
                ("WWW-Authenticate", f'Digest realm="plant", nonce="{nonce}", algorithm=MD5')
            ]
            self.nonce = nonce
        fields += [("Content-Type", "application/sdp")] * bool(body)
        self.home.udp(out, 5060, 5060, _sip(f"SIP/2.0 {status}", fields, body))

    def _fields(self, method: str, branch: str, out: bool, *, to: bool) -> list[tuple[str, str]]:
        ends = self.names[out], self.names[not out]
        tag = f";tag={self.tags[not out]}" if to else ""
        return [
            ("Via", f"SIP/2.0/UDP {_ADDRESSES[out]}:5060;branch={branch}"),
            ("From", f"<{ends[0]}>;tag={self.tags[out]}"),
            ("To", f"<{ends[1]}>{tag}"),
            ("Call-ID", self.call),
            ("CSeq", f"{self.number} {method}"),
            ("Contact", f"<{self.names[out]}:5060>"),
        ]


def _sdp(home: Home, out: bool, port: int) -> str:
    number = home.rng.randrange(10**8, 10**9)
    return (
        f"v=0\r\no=- {number} {number} IN IP4 {_ADDRESSES[out]}\r\ns=call\r\n"
        f"c=IN IP4 {_ADDRESSES[out]}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n"
        "a=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n"
    )


def _media(home: Home, device: int, peer: int, count: int) -> None:
    """RTP in both ways, and a report."""
    numbers = [home.rng.randrange(2**15) for _ in range(2)]
    stamps = [home.rng.randrange(2**31) for _ in range(2)]
    sources = [home.rng.randrange(2**32) for _ in range(2)]
    for step in range(count):
        for out in (True, False):
            head = struct.pack(
                "!BBHII", 0x80, 8, numbers[out] + step, stamps[out] + 160 * step, sources[out]
            )
            home.udp(out, device, peer, head + home.rng.randbytes(160))
        home.wait(0.02)
    report = struct.pack("!BBHI", 0x80, 200, 6, sources[1]) + home.rng.randbytes(20)
    home.udp(True, device + 1, peer + 1, report)


def sip(home: Home) -> None:
    """Registers, is asked whether it is there, calls and is called."""
    registration = _Dialog(home, True, home.rng.randint(1, 40))
    for _ in range(home.rng.randint(2, 4)):
        branch = registration.ask("REGISTER", out=True)
        registration.answer("401 Unauthorized", "REGISTER", branch, out=False)
        registration.number += 1
        more = f'Digest username="200", realm="plant", nonce="{registration.nonce}"'
        more += f', uri="sip:plant", response="{_hex(home.rng, 16)}"'
        branch = registration.ask("REGISTER", out=True, more=more)
        registration.answer("200 OK", "REGISTER", branch, out=False)
        registration.number += 1
        home.wait(5)
        alive = _Dialog(home, False, 102)
        branch = alive.ask("OPTIONS", out=False)
        alive.answer("200 OK", "OPTIONS", branch, out=True)
        home.wait(5)
        _call(home, out=home.rng.random() < 0.5)
        home.wait(5)


def _call(home: Home, *, out: bool) -> None:
    device, peer = home.port(), home.rng.randrange(5000, 10_000) * 2
    offered, agreed = (_sdp(home, way, device if way else peer) for way in (out, not out))
    call = _Dialog(home, out, home.rng.choice([1, 20, 102]))
    branch = call.ask("INVITE", out=out, body=offered)
    call.answer("180 Ringing", "INVITE", branch, out=not out)
    home.wait(1)
    call.answer("200 OK", "INVITE", branch, out=not out, body=agreed)
    call.ask("ACK", out=out)
    _media(home, device, peer, home.rng.randint(8, 14))
    call.number += 1
    branch = call.ask("BYE", out=out)
    call.answer("200 OK", "BYE", branch, out=not out)


# RTSP (RFC 2326), of a camera


def rtsp(home: Home) -> None:
    for _ in range(home.rng.randint(2, 3)):
        _play(home)
        home.wait(20)


def _play(home: Home) -> None:
    url, session = f"rtsp://{_ADDRESSES[1]}:554/live", _hex(home.rng, 6).upper()
    client, server = home.port(), home.rng.randrange(20_000, 30_000) * 2
    connection, number = home.connect(554, home.port()), 0

    def ask(
        method: str, fields: tuple[str, ...], answered: tuple[str, ...], body: str = ""
    ) -> None:
        nonlocal number
        number += 1
        lines = f"{method} {url} RTSP/1.0", f"CSeq: {number}", *fields, "User-Agent: lavf"
        connection.say(False, ("\r\n".join(lines) + "\r\n\r\n").encode())
        lines = "RTSP/1.0 200 OK", f"CSeq: {number}", *answered, "Server: eye/2.1"
        connection.say(True, ("\r\n".join(lines) + "\r\n\r\n" + body).encode(), acknowledged=True)

    sdp = (
        f"v=0\r\no=- {home.rng.randrange(10**9, 2 * 10**9)} 1 IN IP4 {_ADDRESSES[1]}\r\ns=live\r\n"
        "c=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 0 RTP/AVP 8\r\na=control:track1\r\n"
    )
    ask("OPTIONS", (), ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN",))
    said = ("Content-Type: application/sdp", f"Content-Length: {len(sdp)}")
    ask("DESCRIBE", ("Accept: application/sdp",), said, sdp)
    transport = f"Transport: RTP/AVP;unicast;client_port={client}-{client + 1}"
    agreed = f"{transport};server_port={server}-{server + 1};ssrc={home.rng.randrange(2**32):08X}"
    ask("SETUP", (transport,), (agreed, f"Session: {session};timeout=60"))
    ask("PLAY", (f"Session: {session}", "Range: npt=0.000-"), (f"Session: {session}",))
    _media(home, server, client, home.rng.randint(8, 14))
    ask("TEARDOWN", (f"Session: {session}",), (f"Session: {session}",))
    connection.close()


# S7comm over TPKT and COTP (RFC 1006), of a controller


def _tpkt(cotp: bytes, s7: bytes = b"") -> bytes:
    return struct.pack("!BBH", 3, 0, 4 + len(cotp) + len(s7)) + cotp + s7


def _s7(kind: int, number: int, parameter: bytes, data: bytes = b"") -> bytes:
    error = b"\0\0" if kind == 3 else b""
    head = struct.pack("!BBHHHH", 0x32, kind, 0, number, len(parameter), len(data))
    return _tpkt(b"\x02\xf0\x80", head + error + parameter + data)


def s7(home: Home) -> None:
    for _ in range(home.rng.randint(2, 4)):
        connection = home.connect(102, home.port())
        mine, other = home.rng.randrange(1, 2**16), home.rng.randrange(1, 2**16)
        sides = bytes.fromhex("c1020100c2020102c0010a")
        for out, kind, to, by in ((False, 0xE0, 0, mine), (True, 0xD0, mine, other)):
            connection.say(out, _tpkt(struct.pack("!BBHHB", 17, kind, to, by, 0) + sides))
        number = home.rng.randrange(2**15)
        setup = bytes.fromhex("f0000001000101e0")
        connection.say(False, _s7(1, number, setup))
        connection.say(True, _s7(3, number, setup))
        for _ in range(home.rng.randint(8, 20)):
            number += 1
            area = home.rng.choice([b"\0\x01\x84\0\0\x10", b"\0\0\x83\0\0\x08"])
            connection.say(False, _s7(1, number, b"\x04\x01\x12\x0a\x10\x02\0\x04" + area))
            data = b"\xff\x04\0\x20" + struct.pack("!f", home.rng.gauss(20, 3))
            connection.say(True, _s7(3, number, b"\x04\x01", data), acknowledged=True)
            home.wait(1)
        connection.close()
        home.wait(10)


# DNP3 (IEEE 1815), of an outstation


def crc(data: bytes) -> bytes:
    """Of a block of DNP3."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA6BC * (value & 1)
    return struct.pack("<H", value ^ 0xFFFF)


def _dnp3(out: bool, segment: bytes) -> bytes:
    """A frame of the link layer, with one segment of the transport function."""
    ends = (1, 10) if out else (10, 1)
    head = struct.pack("<BBBBHH", 5, 0x64, 5 + len(segment), 0x44 if out else 0xC4, *ends)
    blocks = [segment[at : at + 16] for at in range(0, len(segment), 16)]
    return head + crc(head) + b"".join(block + crc(block) for block in blocks)


def dnp3(home: Home) -> None:
    for _ in range(home.rng.randint(1, 3)):
        _poll(home, home.connect(20_000, home.port()))
        home.wait(10)


def _poll(home: Home, connection: Connection) -> None:
    transport = [home.rng.randrange(64) for _ in range(2)]
    application, unsolicited = home.rng.randrange(16), home.rng.randrange(16)

    def say(out: bool, fragment: bytes) -> None:
        frames = []
        for at in range(0, len(fragment), 249):
            part = fragment[at : at + 249]
            marks = 0x40 * (at == 0) | 0x80 * (at + 249 >= len(fragment))
            frames.append(_dnp3(out, bytes([marks | transport[out]]) + part))
            transport[out] = (transport[out] + 1) % 64
        connection.say(out, b"".join(frames), acknowledged=out)

    for turn in range(home.rng.randint(10, 24)):
        say(False, bytes([0xC0 | application, 1]) + bytes.fromhex("3c02063c0306"))
        readings = range(home.rng.choice([3, 9, 40]))
        data = b"".join(struct.pack("<BI", 1, home.rng.randrange(2**14)) for _ in readings)
        points = struct.pack("<BBBBB", 30, 1, 0, 0, len(readings) - 1) + data
        say(True, bytes([0xE0 | application, 129, 0x80, 0]) + points)
        say(False, bytes([0xC0 | application, 0]))
        application = (application + 1) % 16
        home.wait(2)
        if turn % 4 == 3:
            event = struct.pack("<BBBBHBB", 2, 1, 0x28, 1, 0, 3, 0x81)
            say(True, bytes([0xF0 | unsolicited, 130, 0, 0]) + event)
            say(False, bytes([0xD0 | unsolicited, 0]))
            unsolicited = (unsolicited + 1) % 16
            home.wait(2)
    connection.close()


# Modbus/TCP, of a meter that two masters ask at once, one of them several things in a row


def modbus(home: Home) -> None:
    masters = [(home.connect(502, home.port()), at) for at in (1, home.rng.randrange(2**15))]
    numbers = [first for _, first in masters]
    for _ in range(home.rng.randint(10, 20)):
        for which, (connection, _) in enumerate(masters):
            asked = range(numbers[which], numbers[which] + (3 if which else 1))
            numbers[which] += len(asked)
            lines = [struct.pack("!HHHBBHH", each, 0, 6, 1, 3, each % 8, 2) for each in asked]
            values = [struct.pack("!HH", *home.rng.choices(range(3000), k=2)) for _ in asked]
            answers = [
                struct.pack("!HHHBBB", each, 0, 7, 1, 3, 4) + value
                for each, value in zip(asked, values, strict=True)
            ]
            if home.rng.random() < 0.5:
                connection.say(False, b"".join(lines))
                connection.say(True, b"".join(answers), acknowledged=True)
            else:
                for line in lines:
                    connection.say(False, line)
                for answer in answers:
                    connection.say(True, answer)
        home.wait(1)
    for connection, _ in masters:
        connection.close()


DIALOGUES: dict[str, Callable[[Home], None]] = {
    each.__name__: each for each in (snmp, sip, rtsp, s7, dnp3, modbus)
}
