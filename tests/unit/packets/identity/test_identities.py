"""Who is seen in packets."""

import numpy as np
import pytest

from iotflowgen.recording import Identities
from iotflowgen.traffic import protocol_mask
from tests.unit.packets.identity.homes import DEVICE, PHONE, ROUTER, a_home, learn, raw, udp

UDP = protocol_mask(["ip", "udp"])
HERE = DEVICE, "192.168.1.20"


def test_a_home_is_seen_as_it_is():
    assert learn(a_home(b"serial=AB12CD34EF")) == Identities(
        device_mac=DEVICE,
        device_ip="192.168.1.20",
        own_addresses=("192.168.1.20",),
        gateway_mac=ROUTER,
        gateway_ip="192.168.1.1",
        macs=tuple(sorted((DEVICE, ROUTER, PHONE))),
        addresses=tuple(
            sorted(
                ("172.217.16.142", "192.168.1.1", "192.168.1.20", "192.168.1.33", "52.94.233.131")
            )
        ),
        words=("AB12CD34EF",),
    )


def test_what_was_learnt_survives_as_json():
    known = learn(a_home("né serial=Ä§12CD34EF".encode("latin-1", "replace")))
    assert known.words
    assert Identities.model_validate_json(known.model_dump_json()) == known


def test_a_device_that_sends_nothing_is_an_error():
    with pytest.raises(ValueError, match="sent no packet"):
        learn([(frame, False, kinds, capture) for frame, _, kinds, capture in a_home()])


def test_a_device_that_has_no_address_yet_has_none():
    asks = udp((DEVICE, "0.0.0.0"), ("ff:ff:ff:ff:ff:ff", "255.255.255.255"), b"")
    known = learn([(asks, True, UDP, 0)])
    assert known == Identities(device_mac=DEVICE, macs=(DEVICE,))


def test_a_device_that_moves_has_all_addresses_and_mostly_the_one_it_sends_most_from():
    moved = udp((DEVICE, "10.1.1.9"), (ROUTER, "172.217.16.142"), b"")
    known = learn([*a_home(), (moved, True, UDP, 1)])
    assert known.device_ip == "192.168.1.20"
    assert {*known.own_addresses} == {"10.1.1.9", "192.168.1.20"}


def test_the_gateways_of_several_homes_are_known():
    other = "02:00:5e:10:20:30"
    known = learn([*a_home(), (udp((other, "192.168.1.1"), HERE, b""), False, UDP, 1)])
    assert (known.gateway_mac, known.other_gateways) == (ROUTER, (other,))
    assert other in known.macs


def test_arp_shows_addresses():
    arp = b"\xff" * 6 + raw(PHONE) + b"\x08\x06\0\1\x08\0\6\4\0\1" + raw(PHONE)
    arp += bytes([192, 168, 1, 77]) + bytes(6) + bytes([192, 168, 1, 78])
    known = learn([*a_home(), (arp, False, protocol_mask(["arp"]), 0)])
    assert {"192.168.1.77", "192.168.1.78"} <= {*known.addresses}


@pytest.mark.parametrize("protocol", ["dns", "mdns"])
def test_answers_of_dns_name_addresses(protocol):
    name = b"\4home\0"
    header = np.array([7, 0x8180, 1, 2, 0, 0], ">u2").tobytes()
    records = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes([93, 184, 216, 34])
    records += b"\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10" + bytes.fromhex("20010db8") + bytes(11) + b"\7"
    answer = header + name + b"\0\1\0\1" + records
    known = learn(a_home(answer, ("ip", "udp", protocol)))
    assert {"93.184.216.34", "2001:db8::7"} <= {*known.addresses}


def test_texts_name_addresses():
    known = learn(a_home(b"LOCATION: http://172.16.5.4:80/ and Plug/1.0.0.1"))
    assert "172.16.5.4" in known.addresses
    assert "1.0.0.1" not in known.addresses


def test_words_of_tls_are_not_taken_whether_tshark_knows_it_or_its_handshake_tells():
    def tcp(payload, kinds):
        frame = udp(HERE, (ROUTER, "172.217.16.142"), bytes(12) + payload)
        header = bytes([0x50, 0x18, 0, 0, 0, 0, 0, 0])
        return frame[:23] + b"\6" + frame[24:46] + header + frame[54:], True, kinds, 0

    kinds = protocol_mask(["ip", "tcp"])
    later = tcp(b"serial=AB12CD34EF", kinds)
    hello = b"\x16\3\1\0\4\1\0\0\0"
    assert learn([*a_home(), later]).words == ("AB12CD34EF",)
    assert learn([*a_home(), tcp(hello, kinds), later]).words == ()
    labelled = tcp(b"\x17", kinds | protocol_mask(["https"]))
    assert learn([*a_home(), labelled, later]).words == ()
    # before anybody speaks TLS, what is said is plain
    assert learn([*a_home(), later, labelled]).words == ("AB12CD34EF",)


@pytest.mark.parametrize("size", range(0, 50, 7))
def test_frames_that_were_cut_off_are_read_as_far_as_they_go(size):
    cut = [(frame[:size], False, kinds, 1) for frame, _, kinds, _ in a_home(b"x" * 40)]
    known = learn([*a_home(), *cut])
    assert {*known.macs} == {DEVICE, ROUTER, PHONE}
