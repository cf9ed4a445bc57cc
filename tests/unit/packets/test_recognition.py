import random
import re

import pytest

from iotflowgen.packets.mask import HTTP, TLS
from iotflowgen.packets.recognition import asks, head_of, is_head, lengthened, recognise
from iotflowgen.packets.records import Phase


@pytest.mark.parametrize(
    ("payload", "head", "request_"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True, True),
        (b"M-SEARCH * HTTP/1.1\r\n", True, True),
        (b"HTTP/1.1 200 OK\r\n\r\n", True, False),
        (b"POST ", True, True),
        (b"", True, False),
        (b"\x7fELF ... POST /x HTTP/1.1 ...", False, False),
        (b"see HTTP/1.1", False, False),
    ],
)
def test_heads_of_messages_are_told_from_their_rest(
    payload: bytes, head: bool, request_: bool
) -> None:
    assert is_head(payload) == head
    assert asks(payload) == request_


@pytest.mark.parametrize("drawn", [b"text and more", b"\xfb\x17\0\x88 and more"])
@pytest.mark.parametrize("protocols", [0, TLS, HTTP])
def test_random_bytes_look_like_what_they_are_to_be_taken_for(drawn: bytes, protocols: int) -> None:
    data = bytearray(b"header" + drawn)
    recognise(data, 6, len(data), protocols, Phase.CIPHERED)
    assert data[:6] == b"header"
    assert data[10:] == drawn[4:]
    is_text = all(32 <= byte < 127 for byte in data[6:10])
    assert is_text == (protocols == 0)


def test_random_bytes_of_other_protocols_stay() -> None:
    drawn = random.Random(0).randbytes(40)
    data = bytearray(drawn)
    recognise(data, 0, 40, 0, Phase.SILENT)
    assert data == drawn


@pytest.mark.parametrize("size", [60, 99, 100, 101, 1000])
@pytest.mark.parametrize("body", [b"a=1&", b"\0\0\0"])
def test_a_message_at_another_length_says_it(size: int, body: bytes) -> None:
    message = b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n" + body
    other = lengthened(message, size, random.Random(0).randbytes)
    assert len(other) == size
    said = re.search(rb"Content-Length: (\d+)", other)
    assert said is not None
    assert abs(int(said[1]) - (size - len(head_of(other)))) <= 1
