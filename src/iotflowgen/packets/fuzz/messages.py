"""Messages of an exact size, well-formed and otherwise random, as bytes.

Scapy's `fuzz` knows no size, so what stands above the transport is made here. In all of these
`size` is in bytes, and `asks` says that the message goes to the service, not from it; bootp and
dhcp take the client's `mac` besides. Where a
protocol has no message of just that size, the largest that is smaller is given, and the frame is
padded.
"""

import struct

import numpy as np

__all__ = [
    "bootp",
    "dhcp",
    "dns",
    "dns_over_tcp",
    "eapol_body",
    "http",
    "igmp_report",
    "mdns",
    "ntp",
    "opaque",
    "ssdp",
    "text",
    "tls",
]

_LETTERS = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz0123456789", dtype=np.uint8)


def opaque(size: int, rng: np.random.Generator) -> bytes:
    """Random bytes that no dissector takes for its own: none of them begins with 255."""
    return (b"\xff" + rng.bytes(size))[:size]


def text(size: int, rng: np.random.Generator) -> bytes:
    """Random letters and digits."""
    return rng.choice(_LETTERS, size).tobytes()


def http(size: int, asks: bool, rng: np.random.Generator) -> bytes:
    """A request or a response with a random body (RFC 9112); cut off where it does not fit."""
    start, end = (b"POST /", b" HTTP/1.1\r\n") if asks else (b"HTTP/1.1 200 ", b"\r\n")
    length = b"Content-Length: %d\r\n"
    body = size - len(start + end + length % size + b"\r\n")
    if body < 0:
        return _filled(size, b"GET /" if asks else start, end + b"\r\n", rng)
    # a shorter body leaves room to fill, also where its length has fewer digits than `size`
    body -= min(body, int(rng.integers(16)))
    end += length % body + b"\r\n"
    return _filled(size - body, start, end, rng) + rng.bytes(body)


def _filled(size: int, start: bytes, end: bytes, rng: np.random.Generator) -> bytes:
    """Random text between start and end; cut off where they do not fit."""
    return (start + text(max(0, size - len(start + end)), rng) + end)[:size]


def tls(size: int, _asks: bool, rng: np.random.Generator) -> bytes:
    """Records of application data (RFC 8446, section 5.1); the end of one if 5 bytes or fewer."""
    if size < 6:
        return opaque(size, rng)
    records = []
    while size:
        record = min(size, 5 + 2**14)
        if 0 < size - record < 6:
            record -= 6
        records.append(struct.pack(">BHH", 23, 0x0303, record - 5) + rng.bytes(record - 5))
        size -= record
    return b"".join(records)


def dns(size: int, asks: bool, rng: np.random.Generator) -> bytes:
    """A query, padded as in RFC 7830, or a response with a text record (RFC 1035)."""
    flags = 0x0100 if asks else 0x8180
    return _dns(size, int(rng.integers(2**16)), flags, with_text=not asks, rng=rng)


def dns_over_tcp(size: int, asks: bool, rng: np.random.Generator) -> bytes:
    """The same behind its length (RFC 1035, section 4.2.2)."""
    message = dns(size - 2, asks, rng).ljust(size - 2, b"\0")
    return struct.pack(">H", len(message)) + message


def mdns(size: int, _asks: bool, rng: np.random.Generator) -> bytes:
    """A query with a known answer, or a response (RFC 6762): both go between the same ports."""
    return _dns(size, 0, int(rng.choice([0, 0x8400])), with_text=True, rng=rng)


def _dns(size: int, number: int, flags: int, *, with_text: bool, rng: np.random.Generator) -> bytes:
    room = size - 12 - 4
    if room < 1:
        return struct.pack(">HHHHHH", number, flags, 0, 0, 0, 0)
    if room <= 48:
        name, record = _dns_name(room, rng), b""
    else:
        name = _dns_name(int(rng.integers(8, 32)), rng)
        make = _text_record if with_text else _padding_record
        record = make(room - len(name), rng)
    counts = (1, int(bool(record and with_text)), 0, int(bool(record and not with_text)))
    question = name + struct.pack(">HH", 16 if with_text else 1, 1)
    return struct.pack(">HHHHHH", number, flags, *counts) + question + record


def _dns_name(size: int, rng: np.random.Generator) -> bytes:
    """Labels up to the root; no name takes 2 bytes."""
    labels = b""
    while (left := size - len(labels) - 1) >= 2:
        label = min(left - 1, int(rng.integers(3, 13)))
        # the byte that would be left has no room for a label
        label += left - 1 - label == 1
        labels += bytes([label]) + text(label, rng)
    return labels + b"\0"


def _text_record(size: int, rng: np.random.Generator) -> bytes:
    left = size - 12
    record = struct.pack(">HHHIH", 0xC00C, 16, 1, int(rng.integers(1, 2**16)), left)
    while left:
        string = min(left - 1, 255)
        record += bytes([string]) + text(string, rng)
        left -= 1 + string
    return record


def _padding_record(size: int, _rng: np.random.Generator) -> bytes:
    padding = size - 15
    return struct.pack(">BHHIHHH", 0, 41, 4096, 0, padding + 4, 12, padding) + bytes(padding)


def ssdp(size: int, asks: bool, rng: np.random.Generator) -> bytes:
    """An announcement, or an answer to a search; cut off where it does not fit (UPnP 1.1)."""
    start, end = (b"NOTIFY *", b" HTTP/1.1\r\n") if asks else (b"HTTP/1.1 200 OK", b"\r\n")
    head = start + end + b"USN: uuid:"
    if size < len(head) + 4:
        return _filled(size, start, end + b"\r\n", rng)
    return _filled(size, head, b"\r\n\r\n", rng)


def ntp(size: int, asks: bool, rng: np.random.Generator) -> bytes:
    """A client's or a server's packet, with a message digest if it is long (RFC 5905)."""
    return (b"\x23" if asks else b"\x24") + rng.bytes(size - 1)


def bootp(size: int, asks: bool, rng: np.random.Generator, *, mac: str) -> bytes:
    """A message without DHCP options (RFC 951, RFC 1497)."""
    return _bootp(size, asks, mac, b"", rng)


def dhcp(size: int, asks: bool, rng: np.random.Generator, *, mac: str) -> bytes:
    """A discovery or a request, or an offer or an acknowledgment (RFC 2131)."""
    message_type = int(rng.choice([1, 3] if asks else [2, 5]))
    return _bootp(size, asks, mac, bytes([53, 1, message_type, 255]), rng)


def _bootp(size: int, asks: bool, mac: str, options: bytes, rng: np.random.Generator) -> bytes:
    head = struct.pack(">BBBB", 1 if asks else 2, 1, 6, 0) + rng.bytes(4) + bytes(20)
    hardware = bytes.fromhex(mac.replace(":", ""))
    cookie = b"\x63\x82\x53\x63"
    return ((head + hardware).ljust(236, b"\0") + cookie + options).ljust(size, b"\0")


def eapol_body(size: int, rng: np.random.Generator) -> tuple[int, bytes]:
    """Packet type and body (IEEE 802.1X-2010, section 11.3): a key, an EAP packet, or a start."""
    if size >= 95:
        # key information: encrypted key data, so that nobody looks for elements in it
        key = struct.pack(">BHH", 2, 0x1388, 16) + rng.bytes(88)
        return 3, key + struct.pack(">H", size - 95) + rng.bytes(size - 95)
    if size >= 4:
        identity = b"\x01" + text(size - 5, rng) if size > 4 else b""
        code = 2 if identity else 3
        return 0, struct.pack(">BBH", code, int(rng.integers(256)), size) + identity
    return 1, b""


def igmp_report(records: int, rng: np.random.Generator) -> bytes:
    """A membership report of 8 bytes (IGMPv2, RFC 2236) and 8 a record (IGMPv3, RFC 3376)."""
    groups = b"".join(b"\x04\0\0\0\xef\xff" + rng.bytes(2) for _ in range(records))
    if records:
        report = struct.pack(">BBHHH", 0x22, 0, 0, 0, records) + groups
    else:
        report = b"\x16\0\0\0\xef\xff" + rng.bytes(2)
    # in one's complement (RFC 1071)
    checksum = -sum(struct.unpack(f">{len(report) // 2}H", report)) % 65535
    return report[:2] + struct.pack(">H", checksum) + report[4:]
