"""Captures of other links, and of tunnels, hold the Ethernet frames that they were made of."""

import struct
import zlib

import numpy as np
import pytest
from scapy.contrib.erspan import ERSPAN_II
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether
from scapy.layers.ppp import PPP, PPPoE, PPPoED
from scapy.layers.vxlan import VXLAN

from iotflowgen.wire.frames import Frames
from iotflowgen.wire.links import as_ethernet

DEVICE, GATEWAY = "00:17:88:24:76:ff", "9c:c7:a6:01:02:03"
OUTER = Ether(src="00:50:56:aa:bb:cc", dst="00:50:56:dd:ee:ff")
TUNNEL = IP(src="198.51.100.1", dst="198.51.100.2")
UP = {"src": "192.168.1.50", "dst": "93.184.216.34"}
DOWN = {"src": "93.184.216.34", "dst": "192.168.1.50"}
UP6 = {"src": "2001:db8:1::50", "dst": "2001:db8:9::7"}
DOWN6 = {"src": "2001:db8:9::7", "dst": "2001:db8:1::50"}
HOSTS = {"src": "192.168.1.50", "dst": "192.168.1.9"}


def link(up):
    return Ether(src=DEVICE, dst=GATEWAY) if up else Ether(src=GATEWAY, dst=DEVICE)


TALK = [
    link(True) / IP(**UP) / TCP(sport=4000, dport=443, flags="S"),
    link(False) / IP(**DOWN) / TCP(sport=443, dport=4000, flags="SA"),
    link(True) / IP(**UP) / TCP(sport=4000, dport=443, flags="PA") / b"hello",
    link(True) / IPv6(**UP6) / UDP(sport=5000, dport=5683) / b"coap6",
    link(False) / IPv6(**DOWN6) / UDP(sport=5683, dport=5000) / b"answer",
    link(True) / IP(**UP) / ICMP() / b"ping",
]
TALK = [Ether(bytes(each)) for each in TALK]


def sixteen(number):
    return struct.pack("!H", number)


def pseudo_wire(frame):
    return OUTER / MPLS(label=17, s=0) / MPLS(label=18, s=1) / (b"\0" * 4 + bytes(frame))


def tzsp(frame):
    head = b"\1\0\0\1" + b"\0" + b"\x0a\1\x20" + b"\1"
    return OUTER / TUNNEL / UDP(sport=40000, dport=37008) / (head + bytes(frame))


def l2tp(frame):
    protocol = b"\0\x21" if IP in frame else b"\0\x57"
    head = b"\x40\x02" + sixteen(8 + 2 + 2 + len(frame[1])) + b"\0\1\0\2\xff\x03" + protocol
    return OUTER / TUNNEL / UDP(sport=1701, dport=1701) / (head + bytes(frame[1]))


def pptp(frame):
    protocol = b"\0\x21" if IP in frame else b"\0\x57"
    body = protocol + bytes(frame[1])
    head = struct.pack("!HHHHII", 0x3081, 0x880B, len(body), 7, 1, 1)
    return OUTER / IP(src=TUNNEL.src, dst=TUNNEL.dst, proto=47) / (head + body)


def extended_gtp(frame):
    extension = b"\0\0\0\x85" + b"\1\x10\1\0"
    body = extension + bytes(frame[1])
    head = b"\x34\xff" + sixteen(len(body)) + b"\0\0\0\1"
    return OUTER / TUNNEL / UDP(sport=2152, dport=2152) / (head + body)


def in_ip(frame):
    return OUTER / IP(src=TUNNEL.src, dst=TUNNEL.dst, proto=4 if IP in frame else 41) / frame[1]


BRIDGED = {
    "VXLAN": lambda f: OUTER / TUNNEL / UDP(sport=50000, dport=4789) / VXLAN(vni=5) / f,
    "Geneve": lambda f: OUTER / TUNNEL / UDP(dport=6081) / GENEVE(proto=0x6558) / f,
    "GRE": lambda f: OUTER / TUNNEL / GRE(proto=0x6558, key_present=1, key=7) / bytes(f),
    "ERSPAN I": lambda f: OUTER / TUNNEL / GRE(proto=0x88BE) / bytes(f),
    "ERSPAN II": lambda f: (
        OUTER / TUNNEL / GRE(proto=0x88BE, seqnum_present=1) / ERSPAN_II() / bytes(f)
    ),
    "ERSPAN III": lambda f: (
        OUTER / TUNNEL / GRE(proto=0x22EB, seqnum_present=1) / (b"\x20" + bytes(11) + bytes(f))
    ),
    "ERSPAN III with its subheader": lambda f: (
        OUTER
        / TUNNEL
        / GRE(proto=0x22EB, seqnum_present=1)
        / (bytes(11) + b"\1" + bytes(8) + bytes(f))
    ),
    "EtherIP": lambda f: OUTER / IP(proto=97) / (b"\x30\0" + bytes(f)),
    "TZSP": tzsp,
    "MPLS": pseudo_wire,
    "MPLS without control word": lambda f: OUTER / MPLS(label=17, s=1) / bytes(f),
    "VXLAN in GRE over IPv6": lambda f: (
        OUTER / IPv6(nh=47) / GRE(proto=0x0800) / TUNNEL / UDP(dport=4789) / VXLAN() / f
    ),
}
"""Tunnels of Ethernet frames."""
ROUTED = {
    "PPPoE": lambda f: OUTER / PPPoE(sessionid=3) / PPP(proto=0x21 if IP in f else 0x57) / f[1],
    "PPPoE behind a tag": lambda f: (
        OUTER / Dot1Q(vlan=7) / PPPoE() / PPP(proto=0x21 if IP in f else 0x57) / f[1]
    ),
    "MPLS": lambda f: OUTER / MPLS(label=17, s=0) / MPLS(label=18, s=1) / f[1],
    "IP in IP": in_ip,
    "GRE": lambda f: OUTER / TUNNEL / GRE() / f[1],
    "GRE with a checksum": lambda f: OUTER / TUNNEL / GRE(chksum_present=1) / f[1],
    "GRE in GRE": lambda f: OUTER / TUNNEL / GRE() / TUNNEL / GRE() / f[1],
    "PPTP": pptp,
    "L2TP": l2tp,
    "GTP": lambda f: OUTER / TUNNEL / UDP(dport=2152) / GTP_U_Header(teid=9) / f[1],
    "GTP with extensions": extended_gtp,
    "IP in IPv6": lambda f: OUTER / IPv6(nh=4 if IP in f else 41) / f[1],
}
"""Tunnels of packets of IP."""


def taken(frames, kind=1, length=None):
    """What is made of frames of a link type."""
    content = [bytes(each) for each in frames]
    sizes = np.array([len(each) for each in content]) if length is None else np.array(length)
    return as_ethernet(Frames.of(content), sizes, np.full(len(content), kind))


def shown(found):
    return found.frames.tolist()


@pytest.mark.parametrize("name", BRIDGED)
def test_frames_in_tunnels_are_what_they_were(name):
    found = taken([BRIDGED[name](each) for each in TALK])
    assert shown(found) == [bytes(each) for each in TALK]
    assert found.length.tolist() == [len(each) for each in TALK]
    assert len(found.tunnels) == 1
    assert found.has_own_macs


@pytest.mark.parametrize("name", ROUTED)
def test_packets_in_tunnels_have_the_ethernet_header_of_the_tunnel(name):
    found = taken([ROUTED[name](each) for each in TALK])
    head = bytes(OUTER)[:12]
    assert shown(found) == [head + bytes(each)[12:] for each in TALK]
    assert found.length.tolist() == [len(each) for each in TALK]
    assert len(found.tunnels) == 1


def test_what_is_a_tunnels_own_is_left_out():
    ppp = PPPoE(sessionid=3) / PPP(proto=0xC021) / b"\x09\1\0\x08\0\0\0\0"
    inside = ROUTED["PPPoE"](TALK[0])
    echo = TUNNEL / UDP(sport=2152, dport=2152) / GTP_U_Header(gtp_type=1)
    offer = OUTER / PPPoED(code=7)
    found = taken([offer, OUTER / ppp, inside, OUTER / echo])
    assert found.place.tolist() == [2]
    assert found.left_out == 3


def test_what_only_looks_like_a_tunnel_stays_as_it_is():
    own = Ether(src=DEVICE, dst=GATEWAY) / IP(**UP)
    frames = [
        own / UDP(sport=4789, dport=4789) / b"not that",
        own / UDP(sport=2152, dport=2152) / b"0123456789",
        own / GRE(proto=0x1234) / b"unknown",
        Ether(src=DEVICE, dst=GATEWAY) / IP(**UP, proto=4) / b"E no IP",
        Ether(src=DEVICE, dst=GATEWAY, type=0x88B5) / b"experiment",
    ]
    assert shown(taken(frames)) == [bytes(each) for each in frames]


def test_a_packet_in_a_tunnel_that_was_cut_says_how_long_it_was():
    whole = bytes(ROUTED["GRE"](TALK[2]))
    found = taken([whole[:70]], length=[len(whole)])
    assert found.length.tolist() == [len(TALK[2])]
    assert found.frames.size.tolist() == [14 + 70 - 14 - 24]


COOKED = {
    113: lambda f, kind: (
        sixteen(kind) + sixteen(1) + sixteen(6) + mac(f) + bytes(2) + bytes(f)[12:]
    ),
    276: lambda f, kind: (
        bytes(f)[12:14]
        + bytes(2)
        + struct.pack("!IHBB", 3, 1, kind, 6)
        + mac(f)
        + bytes(2)
        + bytes(f)[14:]
    ),
}


def mac(frame):
    return bytes(frame)[6:12]


@pytest.mark.parametrize("kind", COOKED)
def test_linux_cooked_frames_go_to_who_answers(kind):
    asked = Ether(src=DEVICE, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=DEVICE, psrc=UP["src"])
    group = Ether(src=DEVICE, dst="01:00:5e:7f:ff:fa") / IP(src=UP["src"], dst="239.255.255.250")
    frames = [*TALK, asked, group / UDP(sport=50000, dport=1900) / b"M-SEARCH"]
    goes = [4, 0, 4, 4, 0, 4, 4, 4]
    found = taken([COOKED[kind](*each) for each in zip(frames, goes, strict=True)], kind)
    assert shown(found) == [bytes(each) for each in frames]
    assert found.length.tolist() == [len(each) for each in frames]
    assert found.has_own_macs


def family(frame):
    return (2 if IP in frame else 30).to_bytes(4, "little")


def ppp(frame):
    return (b"\0\x21" if IP in frame else b"\0\x57") + bytes(frame[1])


def pktap(frame, kind=12):
    head = struct.pack("<III", 108, 1, kind) + b"utun3".ljust(24, b"\0")
    return head.ljust(108, b"\0") + bytes(frame)


BARE = {
    (101, "raw"): lambda f: bytes(f[1]),
    (12, "raw, as BSD says it"): lambda f: bytes(f[1]),
    (0, "loopback"): lambda f: family(f) + bytes(f[1]),
    (0, "loopback, other order"): lambda f: family(f)[::-1] + bytes(f[1]),
    (108, "OpenBSD's loopback"): lambda f: family(f)[::-1] + bytes(f[1]),
    (9, "PPP"): ppp,
    (9, "PPP, all of it"): lambda f: b"\xff\x03" + ppp(f),
    (9, "PPP, compressed"): lambda f: ppp(f)[1:],
    (50, "PPP in HDLC"): lambda f: b"\xff\x03" + ppp(f),
    (51, "PPPoE alone"): lambda f: b"\x11\0\0\1" + sixteen(2 + len(f[1])) + ppp(f),
    (104, "Cisco's HDLC"): lambda f: b"\x0f\0" + bytes(f)[12:14] + bytes(f[1]),
    (166, "pppd"): lambda f: b"\1\x03" + ppp(f),
    (204, "PPP with direction"): lambda f: b"\0" + b"\xff\x03" + ppp(f),
    (258, "pktap of raw IP"): lambda f: pktap(f[1]),
    (149, "pktap as user's, of loopback"): lambda f: pktap(family(f) + bytes(f[1]), 0),
}
"""Links without MAC addresses."""


@pytest.mark.parametrize(("kind", "name"), BARE)
def test_links_without_addresses_get_those_of_a_home(kind, name):
    found = taken([BARE[kind, name](each) for each in TALK], kind)
    assert [each[12:] for each in shown(found)] == [bytes(each)[12:] for each in TALK]
    assert found.length.tolist() == [len(each) for each in TALK]
    assert not found.has_own_macs
    ends = [(each[6:12], each[:6]) for each in shown(found)]
    device, gateway = ends[0]
    assert ends == [
        (device, gateway) if up in (UP, UP6) else (gateway, device)
        for up in (UP, DOWN, UP, UP6, DOWN6, UP)
    ]
    assert device != gateway
    # of one host, and given by nobody
    assert device[0] & 3 == gateway[0] & 3 == 2


def test_hosts_at_home_and_groups_have_addresses_of_their_own():
    talk = [
        IP(**UP) / UDP() / b"a",
        IP(**UP) / UDP() / b"b",
        IP(**HOSTS) / UDP() / b"c",
        IP(src=HOSTS["src"], dst="224.0.0.251") / UDP() / b"d",
        IP(src=HOSTS["src"], dst="255.255.255.255") / UDP() / b"e",
        IPv6(src="fe80::1", dst="ff02::fb") / UDP() / b"f",
    ]
    to = [each[:6].hex() for each in shown(taken(talk, 101))]
    assert to[3:] == ["01005e0000fb", "f" * 12, "3333000000fb"]
    assert len({*to}) == 5


def test_ethernet_in_pktap_is_ethernet():
    assert shown(taken([pktap(each, 1) for each in TALK], 258)) == [bytes(each) for each in TALK]


def test_what_goes_from_a_host_to_itself_is_left_out():
    frames = [
        link(True) / IP(src="127.0.0.1", dst="127.0.0.1") / UDP(),
        link(True) / IP(src="127.0.0.1", dst="127.0.0.53") / UDP(),
        link(True) / IPv6(src="::1", dst="::1") / UDP(),
        link(True) / IP(src="192.168.1.50", dst="192.168.1.50") / UDP(),
        TALK[0],
    ]
    found = taken(frames)
    assert found.place.tolist() == [4]
    assert found.local == 4


def checked(frame):
    return bytes(frame) + zlib.crc32(bytes(frame)).to_bytes(4, "little")


def test_a_check_sequence_is_no_part_of_a_frame():
    long = [bytes(link(True) / IP(**UP) / TCP() / bytes(40 + i)) for i in range(6)]
    sizes = [len(each) for each in long]
    for found in (taken(long, length=[size + 4 for size in sizes]), taken(map(checked, long))):
        assert shown(found) == long
        assert found.length.tolist() == sizes


def test_other_four_bytes_are_a_part_of_it():
    trailer = [bytes(link(True) / IP(**UP) / TCP() / bytes(40)) + b"tail" for _ in range(3)]
    assert shown(taken(trailer)) == trailer
    cut = [each[:-4][:60] for each in trailer]
    found = taken(cut, length=[64] * 3)
    # IP says that there is more
    assert found.length.tolist() == [64] * 3


def test_tags_stay_and_are_read():
    tagged = [OUTER / Dot1Q(vlan=7) / each[1] for each in TALK]
    old = [bytes(each)[:12] + b"\x91\0\0\7" + bytes(each)[12:] for each in TALK]
    assert shown(taken(tagged)) == [bytes(each) for each in tagged]
    assert shown(taken(old)) == old


def test_links_in_one_file_are_read_side_by_side():
    frames = [bytes(TALK[0]), b"\x80\0" + bytes(60), bytes(TALK[1][1])]
    found = as_ethernet(Frames.of(frames), np.array([*map(len, frames)]), np.array([1, 105, 101]))
    assert found.place.tolist() == [0, 2]
    assert [each[12:] for each in shown(found)] == [bytes(each)[12:] for each in TALK[:2]]
