"""Readable payload: which of it is text, and where a text may be longer or shorter."""

import re

__all__ = ["HEAD_END", "is_text", "longest_word", "picture_head", "split_head"]

HEAD_END = b"\r\n\r\n"
_TEXT = bytes(range(32, 127)) + b"\t\r\n"
_WORD = re.compile(rb"[0-9A-Za-z]+")
_FIXED = re.compile(
    rb"(?im)\AHTTP/[^\n]*\n|\A[A-Z-]+ | HTTP/1\.\d\r?$"
    rb"|^(?:host|date|content-length|transfer-encoding|user-agent|server):[^\r]*|^[^:\r\n]+:"
)
"""What of a head is not to change: what tells its kind, names, fields that tell of all the rest,
and those by which programs are known."""
_TAGS = re.compile(rb"<[^<>]*>")
_SCAN = b"\xda"


def is_text(payload: bytes) -> bool:
    """Whether nine of ten bytes are printable ASCII."""
    return len(payload.translate(None, _TEXT)) * 10 <= len(payload)


def split_head(payload: bytes) -> int:
    """Where the body begins after a head of HTTP that is text; 0 without one."""
    head, separator, _ = payload.partition(HEAD_END)
    return len(head + separator) if separator and is_text(head) else 0


def longest_word(payload: bytes) -> int:
    """Where the longest word of a body ends; of a head, if there is no body; -1 without words.

    A word that is long is a value, which means the same to a parser if it is longer or shorter.
    """
    body = split_head(payload)
    # names of elements stand twice
    text = payload[:body] + _TAGS.sub(_blank, payload[body:])
    words = [*_WORD.finditer(text, body)] or [*_WORD.finditer(_FIXED.sub(_blank, payload[:body]))]
    best = max(words, key=lambda word: word.end() - word.start(), default=None)
    return -1 if best is None else best.end()


def _blank(found: re.Match[bytes]) -> bytes:
    return b" " * len(found[0])


def picture_head(body: bytes) -> int:
    """Bytes of a JPEG picture before what its pixels say (ISO/IEC 10918-1, annex B); 0 of others.

    Whoever shows the message as what it says it is reads these.
    """
    at = 2
    while body[:3] == b"\xff\xd8\xff" and body[at : at + 1] == b"\xff":
        end = at + 2 + int.from_bytes(body[at + 2 : at + 4])
        if body[at + 1 : at + 2] == _SCAN:
            return min(end, len(body))
        at = end
    return 0
