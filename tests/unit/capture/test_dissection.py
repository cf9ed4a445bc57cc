"""A packet's columns are what its own bytes show, whoever dissects it."""

import re
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.eap import EAPOL
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6
from scapy.layers.l2 import ARP, LLC, Dot1Q, Dot3, Ether
from scapy.layers.ntp import NTP
from scapy.layers.ppp import PPP, PPPoE

from iotflowgen.capture.builtin import dissect
from iotflowgen.errors import DeviceNotFound, UnreadableCapture
from iotflowgen.traffic import PROTOCOLS, protocol_mask, unpack_protocols
from iotflowgen.wire.links import LINKS
from tests.unit.capture.conftest import (
    CLOUD,
    DEVICE,
    GATEWAY,
    HOME,
    PHONE,
    START_NS,
    both_dissectors,
    down,
    pcap,
    talk,
    up,
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HELLO = bytes.fromhex("1603010005010000010003")
BOOT = Ether(src=DEVICE, dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255")
ASK = UDP(sport=68, dport=67)
V6 = Ether(src=DEVICE, dst="33:33:00:00:00:fb") / IPv6(src="fe80::6", dst="ff02::fb")
NOTIFY = b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n"
DISCOVER = BOOTP(chaddr=b"\0" * 6) / DHCP(options=[("message-type", "discover"), "end"])

# packet, protocol configuration, source port, destination port, TCP payload
PACKETS = {
    "arp": (Ether(src=DEVICE) / ARP(), "arp", 0, 0, 0),
    "llc": (Dot3(src=DEVICE) / LLC(dsap=0, ssap=1, ctrl=175) / b"\x81\1\0", "llc", 0, 0, 0),
    "eapol": (Ether(src=DEVICE) / EAPOL(type=3) / b"\2", "eapol", 0, 0, 0),
    "icmp": (up() / ICMP() / b"ping", "ip icmp", 0, 0, 0),
    "icmp error": (
        down() / ICMP(type=3, code=3) / IP(src=HOME, dst=CLOUD) / UDP(sport=53, dport=53) / DNS(),
        *("ip icmp", 0, 0, 0),
    ),
    "icmp error of DHCP": (
        down() / ICMP(type=3, code=3) / IP(src=HOME, dst=CLOUD) / ASK / DISCOVER,
        *("ip icmp", 0, 0, 0),
    ),
    "icmpv6 error": (
        V6 / ICMPv6DestUnreach() / IPv6(src="fe80::1", dst="fe80::6") / TCP(sport=7, dport=80),
        *("icmpv6", 0, 0, 0),
    ),
    "syn": (up() / TCP(sport=40000, dport=443), "ip tcp", 40000, 443, 0),
    "http": (
        up() / TCP(sport=40000, dport=80, flags="PA") / GET,
        "ip tcp http",
        40000,
        80,
        len(GET),
    ),
    "https": (up() / TCP(sport=9, dport=443, flags="PA") / HELLO, "ip tcp https", 9, 443, 11),
    "dhcp": (BOOT / ASK / DISCOVER, *("ip udp bootp dhcp", 68, 67, 0)),
    "bootp": (BOOT / ASK / BOOTP(chaddr=b"\0" * 6), "ip udp bootp", 68, 67, 0),
    "dns": (up() / UDP(sport=5000, dport=53) / DNS(qd=DNSQR()), "ip udp dns", 5000, 53, 0),
    "mdns": (V6 / UDP(sport=5353, dport=5353) / DNS(qd=DNSQR()), "udp mdns", 5353, 5353, 0),
    "ssdp": (
        up(dst="239.255.255.250") / UDP(sport=1900, dport=1900) / NOTIFY,
        *("ip udp ssdp", 1900, 1900, 0),
    ),
    "ntp": (up() / UDP(sport=123, dport=123) / NTP(), "ip udp ntp", 123, 123, 0),
    "vlan": (
        Ether(src=DEVICE) / Dot1Q(vlan=7) / IP(src=HOME) / UDP(sport=1, dport=123) / NTP(),
        *("ip udp ntp", 1, 123, 0),
    ),
    "first fragment": (
        Ether(src=DEVICE) / IP(src=HOME, flags="MF", id=5) / UDP(sport=9, dport=53, len=99) / DNS(),
        *("ip udp dns", 9, 53, 0),
    ),
    "later fragment": (
        Ether(src=DEVICE) / IP(src=HOME, frag=4, id=5, proto=17) / (b"x" * 20),
        *("ip", 0, 0, 0),
    ),
}


@pytest.fixture
def every_packet(write):
    return write([packet for packet, *_ in PACKETS.values()])


@both_dissectors
def test_protocols_ports_and_length_of_every_packet(dissect, every_packet):
    found = dissect(every_packet)
    present = unpack_protocols(found.protocols)
    shown = {
        name: (
            {p for p, there in zip(PROTOCOLS, present[i], strict=True) if there},
            *(int(each[i]) for each in (found.src_port, found.dst_port, found.tcp_payload)),
            int(found.length[i]),
        )
        for i, name in enumerate(PACKETS)
    }
    expected = {
        name: ({*protocols.split()}, *numbers, len(packet))
        for name, (packet, protocols, *numbers) in PACKETS.items()
    }
    assert shown == expected


def test_every_protocol_of_the_paper_is_met():
    assert {p for _, protocols, *_ in PACKETS.values() for p in protocols.split()} == {*PROTOCOLS}


@both_dissectors
def test_no_packet_needs_a_later_one_to_show_its_protocols(dissect, write):
    """An HTTP request in two segments, the first sent twice, and one out of order."""
    flow = {"sport": 40000, "dport": 80}
    heads = [
        up() / TCP(**flow, flags="S", seq=0),
        up() / TCP(**flow, flags="PA", seq=1) / GET[:16],
        up() / TCP(**flow, flags="PA", seq=1) / GET[:16],
        up() / TCP(**flow, flags="PA", seq=500) / GET,
    ]
    body = up() / TCP(**flow, flags="PA", seq=17) / GET[16:]
    together = dissect(write([*heads, body])).protocols.tolist()
    alone = [dissect(write([packet])).protocols.tolist() for packet in heads]
    assert [[mask] for mask in together[:-1]] == alone
    # what is remembered: the conversation is HTTP by now
    assert together[1:] == [protocol_mask(["ip", "tcp", "http"])] * 4


@both_dissectors
def test_packets_are_put_in_order_of_time_and_equal_times_keep_theirs(dissect, write):
    frames = [b"\0" * size for size in (60, 61, 62, 63)]
    times = [START_NS + offset for offset in (5, 0, 5, 3)]
    dissection = dissect(write(pcap(frames, times=times)))
    assert dissection.time_ns.tolist() == sorted(times)
    assert dissection.length.tolist() == [61, 63, 60, 62]
    assert dissection.in_file.tolist() == [1, 3, 0, 2]


@both_dissectors
def test_jumbo_zero_length_and_snapped_frames(dissect, write):
    jumbo = up() / TCP(sport=5, dport=6) / (b"x" * 65000)
    found = dissect(write([b"", jumbo]))
    assert (found.length.tolist(), found.in_file.tolist()) == ([65054], [1])
    assert found.complaint.startswith("1 of 2 packets have no bytes")
    snapped = dissect(write(pcap([jumbo], snap=96)))
    assert snapped.length.tolist() == [65054]
    assert snapped.tcp_payload.tolist() == [65000]


SECOND, BOOT = 10**9, 12 * 10**9


@both_dissectors
def test_a_clock_that_is_set_is_named_and_the_step_left_out(dissect, write):
    times = [BOOT + i * SECOND for i in range(3)] + [START_NS + i * SECOND for i in range(5)]
    found = dissect(write(pcap(talk(8), times=times)))
    assert found.in_file.tolist() == [*range(8)]
    assert np.diff(found.time_ns).tolist() == [SECOND, SECOND, 0] + [SECOND] * 4
    assert found.time_ns[-1] == START_NS + 4 * SECOND
    assert found.complaint == (
        "the clock is set before packet 4, from 1970-01-01 to 2016-09-07; that step is left out"
    )
    # most packets tell, whichever came first
    found = dissect(write(pcap(talk(8), times=times[3:] + times[:3])))
    assert np.diff(found.time_ns).tolist() == [SECOND] * 4 + [0, SECOND, SECOND]
    assert "before packet 6, from 2016-09-07 to 1970-01-01" in found.complaint


@both_dissectors
@pytest.mark.parametrize("place", [0, 3, 5])
@pytest.mark.parametrize("time", [0, 86_400 * SECOND, 2**32 * SECOND - 1])
def test_a_packet_of_another_age_is_left_out(dissect, write, place, time):
    times = [START_NS + i * SECOND for i in range(6)]
    times[place] = time
    found = dissect(write(pcap(talk(6), times=times)))
    assert found.in_file.tolist() == [i for i in range(6) if i != place]
    assert found.complaint == (
        "1 of 6 packets have times that are more than a year from the others and are left out: "
        f"the first is packet {place + 1}"
    )


@both_dissectors
def test_captures_may_be_of_any_age_and_rest_for_months(dissect, write):
    day = 86_400 * SECOND
    for start in (0, START_NS):
        found = dissect(write(pcap(talk(3), times=[start, start + 100 * day, start + 400 * day])))
        assert (len(found), found.complaint) == (3, "")


INNER = bytes(talk(1)[0])[14:]
MAC = bytes.fromhex(DEVICE.replace(":", ""))
COOKED = struct.pack("!HHH8sH", 4, 1, 6, MAC, 0x800)
COOKED_2 = struct.pack("!HHIHBB8s", 0x800, 0, 3, 1, 4, 6, MAC)


@both_dissectors
@pytest.mark.parametrize(
    ("link", "frame", "name"),
    [
        (113, COOKED + INNER, "Linux cooked"),
        (276, COOKED_2 + INNER, "Linux cooked"),
        (101, INNER, "raw IP"),
        (228, INNER, "raw IP"),
        (0, b"\2\0\0\0" + INNER, "loopback"),
        (0, b"\0\0\0\2" + INNER, "loopback"),
        (108, b"\0\0\0\2" + INNER, "loopback"),
        (9, b"\xff\x03\0\x21" + INNER, "PPP"),
    ],
)
def test_other_link_types_are_as_ethernet(dissect, write, link, frame, name):
    dissection = dissect(write(pcap([frame], link=link)))
    assert dissection.link == name
    assert dissection.length.tolist() == [14 + len(INNER)]
    mac = dissection.addresses[dissection.src_mac[0]]
    if link in (113, 276):
        assert mac == DEVICE
    else:
        assert "made up" in dissection.notes[0]
        assert int(mac[:2], 16) & 3 == 2
    assert dissection.addresses[dissection.src_ip[0]] == HOME
    assert dissection.addresses[dissection.dst_ip[0]] == CLOUD
    assert dissection.protocols.tolist() == [protocol_mask(["ip", "udp"])]
    assert dissection.src_port.tolist() == [4000]


@both_dissectors
def test_packets_in_tunnels_are_as_without(dissect, write):
    outer = Ether(src=GATEWAY, dst=PHONE)
    inside = [outer / PPPoE() / PPP(proto=0x21) / each[1] for each in talk(4)]
    found, plain = dissect(write(inside, "a.pcap")), dissect(write(talk(4), "b.pcap"))
    for name in ("time_ns", "length", "protocols", "src_port", "dst_port", "in_file"):
        np.testing.assert_array_equal(getattr(found, name), getattr(plain, name))
    assert "PPPoE" in found.notes[0]


@both_dissectors
def test_loopback_alone_is_refused_with_the_reason(dissect, write):
    lo = [Ether() / IP(src="127.0.0.1", dst="127.0.0.1") / UDP() / b"x"] * 3
    with pytest.raises(DeviceNotFound, match=r"127\.0\.0\.1.*capture on the interface"):
        dissect(write(lo))


@both_dissectors
@pytest.mark.parametrize(("link", "name"), [(189, "usb"), (201, "bluetooth"), (249, "")])
def test_link_types_without_network_addresses_are_refused_by_name(dissect, write, link, name):
    path = write(pcap([b"\0" * 64], link=link))
    with pytest.raises(
        UnreadableCapture, match=rf"(?i)capture\.pcap: link type .*{name}.*Ethernet"
    ):
        dissect(path)


@both_dissectors
def test_addresses_are_joined_over_ipv4_ipv6_and_the_link(dissect, every_packet):
    found = dissect(every_packet)

    def address(column, name):
        return found.addresses[column[list(PACKETS).index(name)]]

    assert found.addresses[0] == ""
    assert address(found.src_ip, "mdns") == "fe80::6"
    assert address(found.dst_ip, "mdns") == "ff02::fb"
    assert address(found.src_ip, "arp") == ""
    assert address(found.src_mac, "arp") == DEVICE
    assert address(found.src_ip, "icmp error") == CLOUD
    assert address(found.src_mac, "icmp error") == GATEWAY
    assert found.src_ip.dtype == np.int32


@given(
    st.lists(st.binary(min_size=1, max_size=120), min_size=1, max_size=20),
    st.sampled_from([*LINKS]),
    st.sampled_from(["", "0800", "86dd", "8100", "8847", "8864", "0020"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_frames_say_columns_stay_within_them(write, frames, link, ethertype):
    kinds = bytes(12) + bytes.fromhex(ethertype) if ethertype else b""
    try:
        found = dissect(write(pcap([kinds + frame for frame in frames], link=link)))
    except DeviceNotFound:
        # all from a host to itself
        return
    left_out = [int(each) for each in re.findall(r"(\d+) of", found.complaint)]
    assert len(found) + sum(left_out) == len(frames)
    for ports in (found.src_port, found.dst_port):
        assert ((ports >= 0) & (ports < 2**16)).all()
    assert ((found.tcp_payload >= 0) & (found.tcp_payload <= found.length)).all()
    has_ports = (found.protocols & protocol_mask(["tcp", "udp"])) > 0
    assert (has_ports | (found.src_port == 0)).all()
    for column in (found.src_ip, found.dst_ip, found.src_mac, found.dst_mac):
        assert ((column >= 0) & (column < len(found.addresses))).all()
