"""What notations hide is found, and hidden alike again."""

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.packets.identity.aes import decrypt, encrypt
from iotflowgen.packets.identity.hidden import readable, under_notations
from iotflowgen.packets.identity.notations import (
    AUTOKEY,
    NOTATIONS,
    REVERSED,
    ROTATED,
    SHIFTED,
    TUYA,
    XORED,
)
from tests.unit.packets.identity.homes import says, shown

TEXT = (
    b'<param><code value="1060" /><id value="0017883F2A1C" /><lan value="192.168.1.20" /></param>'
)
ALIKE = [*ROTATED, *SHIFTED, XORED[0], XORED[170], XORED[254], REVERSED, AUTOKEY]


def hidden(text: bytes, notation: int) -> bytes:
    return NOTATIONS[notation].encode(np.frombuffer(text, np.uint8)).tobytes()


def found(message: bytes, notation: int) -> bytes:
    return NOTATIONS[notation].decode(np.frombuffer(message, np.uint8)).tobytes()


@given(st.binary(min_size=1, max_size=99), st.sampled_from(range(TUYA)))
def test_each_notation_keeps_length_and_has_an_inverse(data, notation):
    assert found(hidden(data, notation), notation) == data
    assert hidden(found(data, notation), notation) == data


@given(st.binary(min_size=48, max_size=48), st.sampled_from([16, 20]))
def test_messages_of_tuya_are_encrypted_and_back(text, head):
    message = bytes(head) + text + bytes(8)
    coded = hidden(message, TUYA)
    assert coded[:head] == message[:head]
    assert coded[head:-8] != text
    assert found(coded, TUYA)[:-8] == message[:-8]


def test_aes_is_that_of_the_standard():
    # FIPS 197, appendix C.1
    plain, key = bytes.fromhex("00112233445566778899aabbccddeeff"), bytes(range(16))
    coded = encrypt(np.frombuffer(plain * 2, np.uint8), key)
    assert coded.tobytes().hex() == 2 * "69c4e0d86a7b0430d8cdb78070b4c55a"
    assert decrypt(coded, key).tobytes() == plain * 2


@pytest.mark.parametrize("notation", [*ROTATED, *XORED[54::50], AUTOKEY])
def test_text_is_read_whatever_hides_it(notation):
    (begin, end, by), *more = readable(hidden(TEXT, notation))
    assert (end, by, more) == (len(TEXT), notation, [])
    assert begin <= 1


def test_text_is_none_that_something_hides():
    noise = np.random.default_rng(0).bytes(2000)
    for each in (TEXT, TEXT + b"\xe4\xf6\xfc", noise, bytes(200), b"", b"\xff" * 50, b"ab" * 40):
        assert readable(each) == []


@pytest.mark.parametrize("notation", ALIKE)
def test_known_texts_are_found_whatever_hides_them(notation):
    noise = np.random.default_rng(1).bytes(4000)
    text = b"0017883f2a1c0017883f2a1c"
    coded = hidden(text + b"\0", notation)
    places = [*under_notations(noise + coded + noise, [text[:12]])]
    assert any(by == notation and abs(at - len(noise)) <= 13 for at, _, by in places)
    assert not [*under_notations(noise, [text[:12]])]


@pytest.mark.parametrize("notation", ALIKE)
def test_identifiers_are_replaced_within_what_is_hidden(notation):
    noise = np.random.default_rng(2).bytes(300)
    # beside it something else, so that it is sought and not read
    message = hidden(TEXT, notation) if notation in ROTATED else hidden(noise + TEXT, notation)
    (told, *_), someone = shown(says(message))
    said = found(told, notation)[-len(TEXT) :]
    assert b"0017883F2A1C" not in said
    # what is read backwards looks like a word
    if notation != REVERSED:
        assert someone.device_mac.replace(":", "").upper().encode() in said
    assert someone.device_ip.encode() in said
    assert said.startswith(TEXT[:8]) or notation not in ROTATED


@pytest.mark.parametrize(
    "made",
    [
        base64.b64encode(b"x:0017883f2a1c"),
        base64.b64encode(b"xy0017883f2a1c"),
        base64.b64encode(bytes.fromhex("ff0017883f2a1cff")),
        b"c0a80114",
        b"1401a8c0",
        b"3232235796",
        b"101061110300",
    ],
)
def test_what_is_made_of_an_address_is_another(made):
    (told, *_), _ = shown(says(b'{"x": "' + made + b'"}'))
    assert made not in told
    assert told.startswith(b'{"x": "')


def test_what_nobody_can_read_is_drawn_and_the_same_for_the_same():
    noise = np.random.default_rng(3).bytes(64)
    (one, two, other, *_), _ = shown(says(b"head" + noise, b"HEAD" + noise, b"text " * 20))
    assert one != two
    assert noise not in one + two
    assert other == b"text " * 20


def test_numbers_that_differ_like_letters_are_no_text():
    said = bytes.fromhex("0004000000170104140133046d12300d83136f01480c8d03f11382073f")
    assert readable(said) == []
