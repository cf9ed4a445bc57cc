"""What a plain TLS handshake says, and what is drawn anew in each (RFC 8446, 5246, 5077)."""

__all__ = ["drawn_in_handshake", "said_in_handshake"]

_SERVER_HELLO = 2
_HELLOS = (1, _SERVER_HELLO)
_TICKET_MESSAGE, _SERVER_KEY, _VERIFY, _CLIENT_KEY = 4, 12, 15, 16
_AFTER_LIFETIME = 6
"""Bytes before a new session ticket."""
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""What stands for random bytes where a server asks for another hello (RFC 8446, section 4.1.3)."""
_NAMED_CURVE = 3
_UNCOMPRESSED = b"\4"
"""A point of a curve that begins so has all of its coordinates (RFC 8422, section 5.4)."""
_SEQUENCE = b"\x30"
"""With which a signature begins that is ECDSA's (X.690)."""
_TICKET, _KEY_SHARE = 35, 51
"""Extensions."""
_ID = 35
"""Where in the body of a hello its session id begins."""

Ranges = list[tuple[int, int]]


def drawn_in_handshake(data: bytes, at: int, end: int) -> Ranges:
    """Where the messages of a handshake record, from `at` to `end`, are random: first and last."""
    found: Ranges = []
    while at + 4 <= end:
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4])
        body, stop = at + 4, min(at + 4 + size, end)
        if kind in _HELLOS and body + _ID <= stop:
            after_id = body + _ID + data[body + _ID - 1]
            if data[body + 2 : body + _ID - 1] != _RETRY:
                found.append((body + 2, body + _ID - 1))
            found.append((body + _ID, min(after_id, stop)))
            found += _in_extensions(data, after_id, stop, from_server=kind == _SERVER_HELLO)
        elif body >= stop:
            break
        elif kind == _TICKET_MESSAGE:
            found.append((body + _AFTER_LIFETIME, stop))
        elif kind == _CLIENT_KEY:
            found.append(_key(data, body, 1 if data[body] == size - 1 else 2, stop))
        elif kind == _SERVER_KEY:
            found += _in_server_key(data, body, stop)
        elif kind == _VERIFY:
            found += _signature(data, body, stop)
        at = stop
    return [(first, last) for first, last in found if first < last]


def _in_server_key(data: bytes, at: int, end: int) -> Ranges:
    """A server's public key and its signature (RFC 5246, section 7.4.3; RFC 8422, section 5.4)."""
    if data[at] == _NAMED_CURVE:
        key = _key(data, at + 3, 1, end)
        return [key, *_signature(data, key[1], end)]
    # prime and generator are the server's own
    for _ in range(2):
        at += 2 + int.from_bytes(data[at : at + 2])
    key = _key(data, at, 2, end)
    return [key, *_signature(data, key[1], end)]


def _key(data: bytes, at: int, width: int, end: int) -> tuple[int, int]:
    """A key after its length, without what says that it is a point of a curve."""
    first = at + width
    last = min(first + int.from_bytes(data[at:first]), end)
    is_point = data[first : first + 1] == _UNCOMPRESSED and (last - first) % 2
    return first + is_point, last


def _signature(data: bytes, at: int, end: int) -> Ranges:
    """A signature with which a message ends; before its length TLS 1.2 says of which kind it is."""
    at += 2 if at + 2 + int.from_bytes(data[at : at + 2]) == end else 4
    if data[at : at + 1] != _SEQUENCE or at + 4 > end:
        return [(at, end)]
    # two numbers (RFC 3279, section 2.2.3), whose first bits are not to make them longer
    first = at + 4
    second = first + data[first - 1] + 2
    return [(first + 1, min(second - 2, end)), (second + 1, end)]


def _in_extensions(data: bytes, at: int, end: int, *, from_server: bool) -> Ranges:
    """A session ticket and the keys that are shared; `at` is where the ciphers of a hello begin."""
    found: Ranges = []
    if from_server:
        at += 5
    else:
        at += 2 + int.from_bytes(data[at : at + 2])
        at += 3 + data[at] if at < end else 0
    while at + 4 <= end:
        kind, size = (int.from_bytes(data[at + i : at + i + 2]) for i in (0, 2))
        body, at = at + 4, at + 4 + size
        stop = min(at, end)
        if kind == _TICKET:
            found.append((body, stop))
        share = body + 2 * (not from_server) if kind == _KEY_SHARE else stop
        while share + 4 <= stop:
            found.append(_key(data, share + 2, 2, stop))
            share = found[-1][1]
    return found


def said_in_handshake(data: bytes, at: int, end: int) -> bytes:
    """Which messages there are in a handshake record, from `at` to `end`.

    Of a server's hello it is also the version and the cipher that it has chosen.
    """
    found = bytearray()
    while at + 4 <= end:
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4])
        body, at = at + 4, at + 4 + size
        found.append(kind)
        if kind == _SERVER_HELLO and body + _ID <= end:
            after_id = body + _ID + data[body + _ID - 1]
            found += data[body : body + 2] + data[after_id : after_id + 2]
    return bytes(found)
