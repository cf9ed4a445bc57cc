"""Messages of DHCP (RFC 2131, 2132): answers of servers are read, questions of devices written."""

import struct
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Final, NamedTuple

from iotflowgen.live.answering.headers import with_checksum
from iotflowgen.wire.messages import DHCP_COOKIE, dhcp_options

__all__ = [
    "ACK",
    "CLIENT_ID",
    "DECLINE",
    "DISCOVER",
    "EVERYBODY",
    "NAK",
    "OFFER",
    "RELEASE",
    "REQUEST",
    "REQUESTED",
    "SERVER",
    "TYPE",
    "Answer",
    "Question",
    "client_of",
    "message_in",
    "read_answer",
    "write_question",
]

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE = range(1, 8)
"""Types of messages."""
REQUESTED, TYPE, SERVER, CLIENT_ID = 50, 53, 54, 61
_MASK, _ROUTER, _RESOLVER, _LEASE, _OVERLOAD, _SAID, _RENEWAL, _REBINDING = (
    *(1, 3, 6, 51, 52, 56, 58, 59),
)
"""Options (RFC 2132)."""
_END: Final = 255
_LINK, _UDP_HEADER = 14, 8
_IP4, _UDP = b"\x08\x00", 17
_CLIENT: Final = 68
"""The port that clients listen on."""
_OPTIONS: Final = 240
"""Where they begin in a message."""
_FILE, _NAME = (108, 236), (44, 108)
"""Fields in which there may be more of them."""
_NOBODY: Final = bytes(4)
EVERYBODY: Final = b"\xff" * 6, b"\xff" * 4
"""MAC and IP address of all hosts."""
_MOST_TEXT: Final = 80


class Answer(NamedTuple):
    """What a server says."""

    kind: int
    """OFFER, ACK or NAK."""
    xid: bytes
    """Which question it answers."""
    address: IPv4Address
    """The one that it gives."""
    server: IPv4Address
    subnet: IPv4Network | None
    router: IPv4Address | None
    resolver: IPv4Address | None
    lease_s: int
    """How long the address is the client's, seconds; 0 if it does not say."""
    renewal_s: int
    """T1: after so long it asks this server for more time."""
    rebinding_s: int
    """T2: after so long it asks any."""
    said: str
    """Why, in words."""


def message_in(frame: bytes) -> bytes | None:
    """What a frame of Ethernet says to a client of DHCP, as much of it as came; None of others."""
    if frame[12:14] != _IP4 or frame[23:24] != bytes([_UDP]) or frame[20] & 0x3F or frame[21]:
        return None
    at = _LINK + 4 * (frame[_LINK] & 15)
    if int.from_bytes(frame[at + 2 : at + 4]) != _CLIENT:
        return None
    return frame[at + _UDP_HEADER : at + int.from_bytes(frame[at + 4 : at + 6])]


def client_of(message: bytes) -> bytes:
    """The MAC address of the client that a message is for."""
    return message[28:34]


def read_answer(message: bytes) -> Answer:
    """Read what a server answers.

    Raises:
        ValueError: It is none, or is damaged; says how.
    """
    if len(message) < _OPTIONS or message[0] != 2 or message[236:_OPTIONS] != DHCP_COOKIE:
        raise ValueError("it is no message of a DHCP server, or cut short")
    options = _options(message)
    kind = _number(options, TYPE, 1)
    if kind not in (OFFER, ACK, NAK):
        raise ValueError("it neither offers nor gives nor refuses anything")
    if SERVER not in options:
        raise ValueError(f"it does not say from whom it is (option {SERVER})")
    address = IPv4Address(message[16:20])
    lease_s = _number(options, _LEASE, 4)
    renewal_s, rebinding_s = (_number(options, code, 4) for code in (_RENEWAL, _REBINDING))
    if not 0 < renewal_s < rebinding_s < lease_s:
        # RFC 2131, section 4.4.5
        renewal_s, rebinding_s = lease_s // 2, lease_s * 7 // 8
    return Answer(
        kind=kind,
        xid=message[4:8],
        address=address,
        server=IPv4Address(_number(options, SERVER, 4)),
        subnet=_subnet(address, options),
        router=_first(options, _ROUTER),
        resolver=_first(options, _RESOLVER),
        lease_s=lease_s,
        renewal_s=renewal_s,
        rebinding_s=rebinding_s,
        said=_text(options.get(_SAID, b"")),
    )


def _options(message: bytes) -> dict[int, bytes]:
    """Values by their codes; what comes in parts is put together (RFC 3396)."""
    found: dict[int, bytes] = {}

    def read(at: int, end: int) -> None:
        for code, begin, size in dhcp_options(message, at, end):
            if begin + size > end:
                raise ValueError(f"option {code} is cut short")
            found[code] = found.get(code, b"") + message[begin : begin + size]

    read(_OPTIONS, len(message))
    more = _number(found, _OVERLOAD, 1)
    for place, has in ((_FILE, more & 1), (_NAME, more & 2)):
        if has:
            read(*place)
    return found


def _number(options: Mapping[int, bytes], code: int, size: int) -> int:
    value = options.get(code, bytes(size))
    if len(value) != size:
        raise ValueError(f"option {code} has {len(value)} bytes instead of {size}")
    return int.from_bytes(value)


def _first(options: Mapping[int, bytes], code: int) -> IPv4Address | None:
    """The first of a list of addresses; None without any."""
    value = options.get(code)
    if value is None:
        return None
    if not value or len(value) % 4:
        raise ValueError(f"option {code} has {len(value)} bytes, which are no addresses")
    found = IPv4Address(value[:4])
    return None if found.is_unspecified else found


def _subnet(address: IPv4Address, options: Mapping[int, bytes]) -> IPv4Network | None:
    if _MASK not in options:
        return None
    mask = _number(options, _MASK, 4)
    size = mask.bit_count()
    if mask != (2**32 - 1) >> (32 - size) << (32 - size):
        raise ValueError(f"{IPv4Address(mask)} is no subnet mask")
    return IPv4Network((address, size), strict=False)


def _text(value: bytes) -> str:
    """To be read in one line, whoever sent it."""
    text = value.decode("latin-1")[:_MOST_TEXT]
    return "".join(each if each.isprintable() else "?" for each in text.rstrip("\0"))


class Question(NamedTuple):
    """What a client says, but for what its device says always."""

    kind: int
    xid: bytes
    secs: int
    """Since it began to ask, seconds."""
    number: int
    """The IP ID."""
    options: Mapping[int, bytes | None]
    """Those that are others than the device's; None takes one out."""
    client: bytes = _NOBODY
    """Its own address, if it has one."""
    to: tuple[bytes, bytes] = EVERYBODY
    """MAC and IP address of the server; all, by default."""


def write_question(template: bytes, question: Question) -> bytes:
    """The frame in which a device says this: one of its own, with other words where it has to."""
    at = _LINK + 4 * (template[_LINK] & 15)
    end = at + int.from_bytes(template[at + 4 : at + 6])
    changes = {TYPE: bytes([question.kind]), **question.options}
    message = _changed(template[at + _UDP_HEADER : end], changes)
    secs = min(question.secs, 2**16 - 1).to_bytes(2)
    fixed = message[:4] + question.xid + secs + message[10:12] + question.client + bytes(12)
    mac, address = question.to
    ends = question.client + address
    size = _UDP_HEADER + len(message)
    datagram = template[at : at + 4] + struct.pack("!H", size) + template[at + 6 : at + 8]
    datagram += fixed + message[28:]
    if any(template[at + 6 : at + 8]):
        datagram = with_checksum(datagram, 6, ends + struct.pack("!HH", _UDP, size))
    header = template[_LINK : _LINK + 2] + struct.pack("!HH", at - _LINK + size, question.number)
    header += template[_LINK + 6 : _LINK + 12] + ends + template[_LINK + 20 : at]
    return mac + template[6:_LINK] + with_checksum(header, 10) + datagram


def _changed(message: bytes, changes: Mapping[int, bytes | None]) -> bytes:
    """A message with other options; the order of its own stays, new ones follow the type."""
    found = bytearray(message)
    own = [*dhcp_options(message)]
    end = sum(own[-1][1:]) if own else _OPTIONS
    known = {code for code, _, _ in own}
    new = b"".join(_option(c, v) for c, v in changes.items() if c not in known and v is not None)
    for code, at, size in reversed(own):
        if code == TYPE:
            found[at + size : at + size] = new
        if code in changes:
            value = changes[code]
            found[at - 2 : at + size] = b"" if value is None else _option(code, value)
    if message[end : end + 1] != bytes([_END]) or message[end + 1 :].strip(b"\0"):
        return bytes(found)
    # some devices fill up what they say to a length
    least = len(message) if len(message) > end + 1 else 0
    return bytes(found).rstrip(b"\0").ljust(least, b"\0")


def _option(code: int, value: bytes) -> bytes:
    return bytes([code, len(value)]) + value
