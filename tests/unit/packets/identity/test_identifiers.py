"""What identifies is found in payloads."""

import pytest

from iotflowgen.packets.identity.identifiers import (
    dhcp_addresses_in,
    dotted_quads_in,
    is_host,
    stun_addresses_in,
    words_in,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("USN: uuid:Socket-1_0-221519K1100F55::upnp:rootdevice", {"221519K1100F55"}),
        ('"uniqueid":"00:17:88:01:10:4d:a5:b2-0b"', {"00:17:88:01:10:4d:a5:b2"}),
        ("H:KEQ0817541,0cc386,0113", {"KEQ0817541", "0cc386"}),
        (
            "GET /register?serialNumber=20F85ECA9152&ssid=Home12 HTTP/1.1",
            {"20F85ECA9152", "Home12"},
        ),
        ("Authorization: Basic YWRtaW46MTIzNA==\r\n", {"YWRtaW46MTIzNA=="}),
        (
            'Authorization: CBAuth Type="SSO", Nonce="q/XPbfjbPaDjbdMIePtiCw=="\r\n',
            {"q/XPbfjbPaDjbdMIePtiCw=="},
        ),
        ("Set-Cookie: id=d2bb7585f1; expires=Fri; path=/home; domain=.fit.com", {"d2bb7585f1"}),
        ('{"sessionid":"6067-02e10030"}', {"6067-02e10030", "02e10030"}),
        # what all devices of a kind say is no identifier
        ("http://www.w3.org/2001/XMLSchema-instance", set()),
        ('SOAPACTION: "http://purenetworks.com/HNAP1/GetDevice2Settings"', set()),
        ('"swversion": "66015095"', set()),
        ("<Username>Admin</Username>", set()),
        ("background-color:#555555", set()),
    ],
)
def test_words_that_identify_are_found(text, words):
    assert {word.decode() for word in words_in(text.encode())} == words


def test_addresses_are_found_in_texts_also_with_doubled_letters():
    doubled = bytes(2 * letter for letter in b"10.0.0.7")
    assert [*dotted_quads_in(b"at 192.168.1.20:80, not 1.2.3.4.5; " + doubled)] == [
        "192.168.1.20",
        "10.0.0.7",
    ]


def test_addresses_of_leases_are_found_however_short_the_message():
    fixed = bytes(12) + bytes([*(0, 0, 0, 0), *(10, 0, 0, 5), *(10, 0, 0, 1), *(0, 0, 0, 0)])
    options = bytes([53, 1, 2, 0, 6, 8, 10, 0, 0, 2, 10, 0, 0, 3, 255, 3, 4, 1, 1, 1, 1])
    message = fixed.ljust(240, b"\0") + options
    found = {bytes([10, 0, 0, last]) for last in (1, 2, 3, 5)}
    assert {*dhcp_addresses_in(message)} - {bytes(4)} == found
    for end in range(len(message)):
        assert {*dhcp_addresses_in(message[:end])} <= found | {bytes(4)}


def test_the_address_that_stun_hides_is_found():
    attribute = b"\0\x20\0\x08\0\x01\xa1\x47" + bytes([203 ^ 0x21, 0x12, 113 ^ 0xA4, 9 ^ 0x42])
    message = b"\1\1\0\x0c\x21\x12\xa4\x42" + bytes(12) + attribute
    assert [*stun_addresses_in(message)] == [bytes([203, 0, 113, 9])]
    assert not [*stun_addresses_in(message.replace(b"\x21\x12\xa4\x42", b"none"))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.168.0.1", True),
        ("fe80::1", True),
        ("239.255.255.250", False),
        ("255.255.255.0", False),
        ("127.0.0.1", False),
        ("0.1.2.3", False),
        ("ff02::fb", False),
        ("::", False),
        ("1.2.3.999", False),
        ("", False),
    ],
)
def test_only_hosts_have_addresses_that_identify(text, expected):
    assert is_host(text) is expected
