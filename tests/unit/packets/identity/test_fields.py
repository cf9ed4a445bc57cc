"""Identifiers are replaced in parsed messages, as what they are."""

import ipaddress
import zlib

import numpy as np
import pytest

from iotflowgen.packets.identity.fields import Kind, fields_in
from iotflowgen.packets.identity.notations import NOTATIONS, STUN, TUYA
from tests.unit.packets.identity.homes import DEVICE, learn, raw, says, shown

MAC = raw(DEVICE)


def dhcp(*options: bytes) -> bytes:
    """A message of DHCP with these options after the client's address."""
    return b"\1\1\6\0" + bytes(24) + MAC + bytes(206) + b"".join(options) + b"\xff"


def option(code: int, value: bytes) -> bytes:
    return bytes([code, len(value)]) + value


def option6(code: int, value: bytes) -> bytes:
    return code.to_bytes(2) + len(value).to_bytes(2) + value


def test_addresses_of_leases_are_fields_however_short_the_message():
    fixed = bytes(12) + bytes([*(0, 0, 0, 0), *(10, 0, 0, 5), *(10, 0, 0, 1), *(0, 0, 0, 0)])
    options = bytes([53, 1, 2, 0, 6, 8, 10, 0, 0, 2, 10, 0, 0, 3, 255, 3, 4, 1, 1, 1, 1])
    message = fixed.ljust(240, b"\0") + options
    expected = {bytes([10, 0, 0, last]) for last in (1, 2, 3, 5)}
    for end in range(len(message) + 1):
        found = {message[a : a + n] for a, n, _ in fields_in(Kind.BOOTP, message[:end]) if n == 4}
        assert found - {bytes(4)} <= expected
    assert found - {bytes(4)} == expected


@pytest.mark.parametrize(
    "duid",
    [
        b"\0\1\0\1\x2a\x2b\x2c\x2d" + MAC,
        b"\0\3\0\1" + MAC,
        b"\0\2\0\0\x9e\x6a\x11\x22\x33\x44\x55\x66\x77\x88",
        b"\0\4" + bytes(range(100, 116)),
    ],
)
def test_clients_of_dhcp_are_others_also_by_what_identifies_them(duid):
    iaid = b"\x12\x34\x56\x78"
    message = dhcp(option(12, b"plug-3f2a1c"), option(61, b"\xff" + iaid + duid), option(55, b"\3"))
    (told, *_), someone = shown(says(message, kinds=("ip", "udp", "bootp")))
    new = raw(someone.device_mac)
    assert told[28:34] == new
    assert b"plug-" + new[3:].hex().encode() in told
    at = message.index(iaid)
    assert told[at - 3 : at] == message[at - 3 : at]
    assert told[at : at + 4] != iaid
    begin = at + 4
    assert told[begin : begin + 2] == duid[:2]
    assert told[begin : begin + len(duid)] != duid
    if MAC in duid:
        assert told[begin : begin + len(duid)].endswith(new)
    assert told[begin + len(duid) :] == message[begin + len(duid) :]


def test_the_hardware_address_as_client_and_as_interface():
    message = dhcp(option(61, b"\1" + MAC), option(53, b"\1"))
    other = dhcp(option(61, b"\xff" + MAC[2:] + b"\0\3\0\1" + MAC))
    (told, then, *_), someone = shown(says(message, other, kinds=("ip", "udp", "bootp")))
    new = raw(someone.device_mac)
    assert told == message.replace(MAC, new)
    assert then == other.replace(MAC, new).replace(MAC[2:], new[2:])


def test_errors_quote_messages_whose_fields_are_read():
    answer = bytes([0, 7, 0x81, 0x80, 0, 0, 0, 1, 0, 0, 0, 0]) + b"\4home\0\0\1\0\1\0\0\0\x3c\0\4"
    for ports, quoted, inside in (
        (b"\0\x43\0\x44", dhcp(option(50, bytes([10, 0, 0, 5]))), {MAC, bytes([10, 0, 0, 5])}),
        (b"\0\x35\xc0\0", answer + bytes([93, 184, 216, 34]), {bytes([93, 184, 216, 34])}),
    ):
        udp = ports + (8 + len(quoted)).to_bytes(2) + bytes(2) + quoted
        header = b"\x45\0" + bytes(7) + b"\x11\0\0" + bytes([10, 0, 0, 1, 10, 0, 0, 2])
        message = b"\3\3" + bytes(6) + header + udp
        found = {message[a : a + n] for a, n, _ in fields_in(Kind.ICMP, message)}
        assert found >= inside | {bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])}
        for end in range(len(message)):
            assert {*fields_in(Kind.ICMP, message[:end])} <= {*fields_in(Kind.ICMP, message)}


def test_clients_of_dhcp6_are_others():
    address = ipaddress.ip_address("2001:db8::17").packed
    lease = b"\x12\x34\x56\x78" + bytes(8) + option6(5, address + bytes(8))
    message = b"\1\xaa\xbb\xcc" + option6(1, b"\0\3\0\1" + MAC) + option6(3, lease)
    (told, *_), someone = shown(says(message, port=547))
    assert raw(someone.device_mac) in told
    assert len(told) == len(message)
    for gone in (MAC, address, b"\x12\x34\x56\x78"):
        assert gone not in told


def test_neighbours_of_ipv6_are_others():
    target = ipaddress.ip_address("fe80::217:88ff:fe3f:2a1c").packed
    message = b"\x87\0\0\0\0\0\0\0" + target + b"\1\1" + MAC
    found = {message[a : a + n] for a, n, _ in fields_in(Kind.ICMP6, message)}
    assert found == {target, MAC}
    for end in range(len(message)):
        assert {message[a : a + n] for a, n, _ in fields_in(Kind.ICMP6, message[:end])} <= found


def test_the_address_that_stun_hides_is_another_one_hidden_alike():
    seen = bytes([203, 0, 113, 9])
    key = np.frombuffer(b"\x21\x12\xa4\x42", np.uint8)
    hidden = (np.frombuffer(seen, np.uint8) ^ key).tobytes()
    attribute = b"\0\x20\0\x08\0\x01\xa1\x47" + hidden
    message = b"\1\1\0\x0c\x21\x12\xa4\x42" + bytes(range(12)) + attribute
    assert [*fields_in(Kind.OTHER, message)] == [(28, 4, STUN)]
    assert [*fields_in(Kind.OTHER, message.replace(b"\x21\x12\xa4\x42", b"none"))] == []
    (told, *_), someone = shown(says(message))
    assert "203.0.113.9" in learn(says(message)).addresses
    assert told[:28] == message[:28]
    assert (np.frombuffer(told[28:32], np.uint8) ^ key).tobytes() == someone.other(seen) != seen


def test_what_is_encrypted_with_a_key_that_everybody_knows_says_the_shown_address():
    text = b'{"ip":"192.168.1.20","gwId":"12345678d8f15b0a1b2c","productKey":"keyabcdefghijklm"}'
    text += bytes([16 - len(text) % 16]) * (16 - len(text) % 16)
    head = b"\0\0\x55\xaa" + bytes(7) + b"\x13" + (len(text) + 12).to_bytes(4) + bytes(4)
    plain = np.frombuffer(head + text + bytes(4) + b"\0\0\xaa\x55", np.uint8)
    message = NOTATIONS[TUYA].encode(plain).tobytes()
    (told, *_), someone = shown(says(message, port=6667))
    said = NOTATIONS[TUYA].decode(np.frombuffer(told, np.uint8)).tobytes()
    assert said[20:].startswith(b'{"ip":"' + someone.device_ip.encode())
    assert b"12345678d8f15b0a1b2c" not in said
    assert told[:20] == message[:20]
    assert told[-8:] == zlib.crc32(told[:-8]).to_bytes(4) + b"\0\0\xaa\x55"


@pytest.mark.parametrize("name", [b"\0\4MQTT\4", b"\0\4MQTT\5", b"\0\6MQIsdp\3"])
def test_who_connects_by_mqtt_is_another(name):
    properties = b"\5\x11\0\0\0\x3c" if name.endswith(b"\5") else b""
    fields = (b"DVES_3F2A1C", b"anna.muster@example.org", b"Gartenzwerg-17!")
    body = name + b"\xc2\0\x3c" + properties
    body += b"".join(len(each).to_bytes(2) + each for each in fields)
    message = b"\x10" + bytes([len(body)]) + body
    (told, *_), someone = shown(says(message, port=1883))
    assert told[: len(message) - sum(map(len, fields)) - 6] == message[: -sum(map(len, fields)) - 6]
    assert someone.device_mac.replace(":", "")[-6:].upper().encode() in told
    for each in fields:
        assert each not in told
    assert told[-len(fields[2]) - 2 :][:2] == len(fields[2]).to_bytes(2)


def test_names_of_addresses_are_others_whatever_stands_before():
    name = b"\x0220\x011\x03168\x03192\x07in-addr\x04arpa\0"
    message = bytes(12) + b"\4plug\0\0\1\0\1\0\0\0\1\0\4" + bytes([192, 168, 1, 72]) + name
    (told, *_), someone = shown(says(message, kinds=("ip", "udp", "mdns")))
    labels = someone.device_ip.split(".")[::-1]
    assert told.endswith(
        b"".join(bytes([len(each)]) + each.encode() for each in labels) + name[-14:]
    )


def test_a_version_is_no_address_and_bytes_like_one_stay():
    query = b"\x12\x34\1\0\0\1\0\0\0\0\0\0\4plug\5local\0\0\1\0\1"
    ssdp = b"NOTIFY * HTTP/1.1\r\nSERVER: Linux/3.14.0 UPnP/1.0 Plug/1.0.0.1\r\n\r\n"
    ssid = b'{"ssid":"local","host":"plug.local","password":"local"}'
    assert shown(says(query, kinds=("ip", "udp", "dns")) + says(ssdp, ssid))[0][0] == query
    frames, _ = shown(says(ssdp, ssid))
    assert frames[0] == ssdp
    assert b"plug.local" in frames[1]
    assert b'"ssid":"local"' not in frames[1]
