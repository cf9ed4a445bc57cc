"""A packet's columns are what its own bytes show."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.eap import EAPOL
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6
from scapy.layers.l2 import ARP, LLC, Dot1Q, Dot3, Ether
from scapy.layers.ntp import NTP

from iotflowgen.capture.dissection import FIELDS, dissect, own_layers, parse
from iotflowgen.errors import UnreadableCapture
from iotflowgen.traffic import PROTOCOLS, protocol_mask, unpack_protocols
from tests.unit.capture.conftest import (
    CLOUD,
    DEVICE,
    GATEWAY,
    HOME,
    START_NS,
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
    "dhcp": (
        BOOT / ASK / BOOTP(chaddr=b"\0" * 6) / DHCP(options=[("message-type", "discover"), "end"]),
        *("ip udp bootp dhcp", 68, 67, 0),
    ),
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


@pytest.fixture(scope="module")
def every_packet(tmp_path_factory):
    path = tmp_path_factory.mktemp("every") / "capture.pcap"
    path.write_bytes(pcap([packet for packet, *_ in PACKETS.values()]))
    return dissect(path)


@pytest.mark.parametrize("name", PACKETS)
def test_protocols_and_ports_of_a_packet(every_packet, name):
    packet, protocols, src_port, dst_port, tcp_payload = PACKETS[name]
    i = list(PACKETS).index(name)
    present = unpack_protocols(every_packet.protocols)[i]
    assert {p for p, there in zip(PROTOCOLS, present, strict=True) if there} == {*protocols.split()}
    assert every_packet.src_port[i] == src_port
    assert every_packet.dst_port[i] == dst_port
    assert every_packet.tcp_payload[i] == tcp_payload
    assert every_packet.length[i] == len(packet)


def test_every_protocol_of_the_paper_is_met():
    assert {p for _, protocols, *_ in PACKETS.values() for p in protocols.split()} == {*PROTOCOLS}


def test_no_packet_needs_another_to_show_its_protocols(write):
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
    # what tshark does remember: the conversation is HTTP by now
    assert together[1:] == [protocol_mask(["ip", "tcp", "http"])] * 4


def test_the_users_own_tshark_settings_change_nothing(write, tmp_path, monkeypatch):
    (tmp_path / "disabled_protos").write_text("ntp\n")
    monkeypatch.setenv("WIRESHARK_CONFIG_DIR", str(tmp_path))
    dissection = dissect(write([PACKETS["ntp"][0]]))
    assert dissection.protocols.tolist() == [protocol_mask(["ip", "udp", "ntp"])]


@pytest.mark.parametrize(
    ("layers", "own"),
    [
        ("eth:ethertype:ip:udp:dns", ["eth", "ethertype", "ip", "udp", "dns"]),
        ("eth:ethertype:ip:icmp:ip:udp:dns", ["eth", "ethertype", "ip", "icmp"]),
        ("eth:ethertype:ipv6:icmpv6:ipv6:tcp", ["eth", "ethertype", "ipv6", "icmpv6"]),
        ("eth", ["eth"]),
    ],
)
def test_own_layers_end_at_icmp(layers, own):
    assert own_layers(layers) == own


def row(**fields):
    return "\t".join(str(fields.get(name.replace(".", "_"), "")) for name in FIELDS) + "\n"


@given(st.lists(st.integers(0, 2**32 * 10**9 - 1), min_size=1, max_size=5))
def test_nanoseconds_are_exact(times):
    epochs = ["{}.{:09}".format(*divmod(time, 10**9)) for time in times]
    rows = "".join(row(frame_time_epoch=epoch, frame_protocols="eth") for epoch in epochs)
    assert parse(rows.encode()).time_ns.tolist() == sorted(times)


@pytest.mark.parametrize(
    "epoch", ["1473260204.487105000", "1473260204.487105", "2016-09-07T14:56:44.487105000Z"]
)
def test_time_as_versions_of_tshark_write_it(epoch):
    rows = row(frame_time_epoch=epoch, frame_protocols="eth", frame_len=60)
    assert parse(rows.encode()).time_ns.tolist() == [1473260204_487105000]


def test_packets_are_put_in_order_of_time_and_equal_times_keep_theirs(write):
    frames = [b"\0" * size for size in (60, 61, 62, 63)]
    times = [START_NS + offset for offset in (5, 0, 5, 3)]
    dissection = dissect(write(pcap(frames, times=times)))
    assert dissection.time_ns.tolist() == sorted(times)
    assert dissection.length.tolist() == [61, 63, 60, 62]


def test_jumbo_zero_length_and_snapped_frames(write):
    jumbo = up() / TCP(sport=5, dport=6) / (b"x" * 65000)
    assert dissect(write([b"", jumbo])).length.tolist() == [0, 65054]
    snapped = dissect(write(pcap([jumbo], snap=96)))
    assert snapped.length.tolist() == [65054]
    assert snapped.tcp_payload.tolist() == [65000]


INNER = bytes(talk(1)[0])[14:]
MAC = bytes.fromhex(DEVICE.replace(":", ""))
COOKED = struct.pack("!HHH8sH", 4, 1, 6, MAC, 0x800)
COOKED_2 = struct.pack("!HHIHBB8s", 0x800, 0, 3, 1, 4, 6, MAC)
RADIOTAP = struct.pack("<BBHI", 0, 0, 8, 0)
WLAN = struct.pack("<HH", 0x0108, 0) + bytes.fromhex("020000000001") + MAC + b"\2\0\0\0\0\1\0\0"
SNAP = bytes.fromhex("aaaa030000000800")


@pytest.mark.parametrize(
    ("link", "frame", "name", "mac", "protocols"),
    [
        (113, COOKED + INNER, "Linux cooked", DEVICE, "ip udp"),
        (276, COOKED_2 + INNER, "Linux cooked", DEVICE, "ip udp"),
        (101, INNER, "raw IP", "", "ip udp"),
        (228, INNER, "raw IP", "", "ip udp"),
        (127, RADIOTAP + WLAN + SNAP + INNER, "802.11", DEVICE, "llc ip udp"),
        (105, WLAN + SNAP + INNER, "802.11", DEVICE, "llc ip udp"),
    ],
)
def test_other_link_types(write, link, frame, name, mac, protocols):
    dissection = dissect(write(pcap([frame], link=link)))
    assert dissection.link == name
    assert dissection.addresses[dissection.src_mac[0]] == mac
    assert dissection.addresses[dissection.src_ip[0]] == HOME
    assert dissection.addresses[dissection.dst_ip[0]] == CLOUD
    assert dissection.protocols.tolist() == [protocol_mask(protocols.split())]
    assert dissection.src_port.tolist() == [4000]


@pytest.mark.parametrize(("link", "name"), [(189, "usb"), (201, "bluetooth"), (195, "wpan")])
def test_link_types_without_network_addresses_are_refused_by_name(write, link, name):
    path = write(pcap([b"\0" * 64], link=link))
    with pytest.raises(UnreadableCapture, match=rf"capture\.pcap: link type {name} "):
        dissect(path)


def test_addresses_are_joined_over_ipv4_ipv6_and_the_link(every_packet):
    def address(column, name):
        return every_packet.addresses[column[list(PACKETS).index(name)]]

    assert every_packet.addresses[0] == ""
    assert address(every_packet.src_ip, "mdns") == "fe80::6"
    assert address(every_packet.dst_ip, "mdns") == "ff02::fb"
    assert address(every_packet.src_ip, "arp") == ""
    assert address(every_packet.src_mac, "arp") == DEVICE
    assert address(every_packet.src_ip, "icmp error") == CLOUD
    assert address(every_packet.src_mac, "icmp error") == GATEWAY
    assert every_packet.src_ip.dtype == np.int32
