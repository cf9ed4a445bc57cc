"""What identifies is found in payloads."""

import pytest

from iotflowgen.packets.identity.identifiers import dotted_quads_in, is_host, words_in


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
        ('{"alias":"Lamp of Anna","x":1}', {"Lamp of Anna"}),
        ('<auth value="38f989453c733de4" />', {"38f989453c733de4"}),
        ('{"ssid":"G\u00e4ste","user":1}', {"G\u00e4ste"}),
        ("from anna.muster@example.org", {"anna.muster@example"}),
        ('"latitude_i":524321, "lon": -13.3777}', {"524321", "13.3777"}),
        # what all devices of a kind say is no identifier
        ("http://www.w3.org/2001/XMLSchema-instance", set()),
        ('SOAPACTION: "http://purenetworks.com/HNAP1/GetDevice2Settings"', set()),
        ('"swversion": "66015095"', set()),
        ("<Username>Admin</Username>", set()),
        ("background-color:#555555", set()),
    ],
)
def test_words_that_identify_are_found(text, words):
    raw = text.encode()
    assert {raw[a:b].decode() for a, b in words_in(raw)} == words


@pytest.mark.parametrize(
    ("text", "quads"),
    [
        (b"at 192.168.1.20:80, not 1.2.3.4.5", [b"192.168.1.20"]),
        (b"http://10.0.0.7/ and <ip>10.0.0.8</ip>.", [b"10.0.0.7", b"10.0.0.8"]),
        (b"SERVER: Linux/3.14.0 UPnP/1.0 Plug/1.0.0.1", []),
        (b"<firmwareVersion>1.0.0.1</firmwareVersion> fw=2.3.4.5", []),
        (b"v1.0.0.1", []),
    ],
)
def test_addresses_are_found_in_texts_and_versions_are_none(text, quads):
    assert [text[a:b] for a, b in dotted_quads_in(text)] == quads


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
