"""What a plain TLS handshake says, and what is drawn anew in each (RFC 8446, 5246, 5077)."""

__all__ = ["drawn_in_handshake", "said_in_handshake"]

_SERVER_HELLO = 2
_HELLOS = (1, _SERVER_HELLO)
_DRAWN_FROM = {4: 6, 16: 2}
"""Messages that are random from a byte of their body on: a new session ticket, a client's key."""
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
            found += [(body + 2, body + _ID - 1), (body + _ID, min(after_id, stop))]
            if kind == 1:
                found += _in_extensions(data, after_id, stop)
        elif kind in _DRAWN_FROM:
            found.append((body + _DRAWN_FROM[kind], stop))
        at = stop
    return [(first, last) for first, last in found if first < last]


def _in_extensions(data: bytes, at: int, end: int) -> Ranges:
    """A client's session ticket and the keys that it shares; `at` is where its ciphers begin."""
    found: Ranges = []
    at += 2 + int.from_bytes(data[at : at + 2])
    at += 3 + data[at] if at < end else 0
    while at + 4 <= end:
        kind, size = (int.from_bytes(data[at + i : at + i + 2]) for i in (0, 2))
        body, at = at + 4, at + 4 + size
        stop = min(at, end)
        if kind == _TICKET:
            found.append((body, stop))
        share = body + 2 if kind == _KEY_SHARE else stop
        while share + 4 <= stop:
            key = share + 4 + int.from_bytes(data[share + 2 : share + 4])
            found.append((share + 4, min(key, stop)))
            share = key
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
