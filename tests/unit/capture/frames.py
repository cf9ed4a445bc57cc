"""Odd frames, byte by byte, to be dissected by us and by tshark."""

import struct

__all__ = ["CONVERSATION", "LINKS", "ODD", "eth", "ip4", "ip6", "tcp", "udp"]

SERVER = bytes([93, 184, 216, 34])
HOSTS_6 = (bytes.fromhex("fe80" + 13 * "00" + "06"), bytes.fromhex("ff02" + 13 * "00" + "fb"))
MACS = bytes.fromhex("020000000001" + "0017882476ff")
GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
NOTIFY = b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n"
SEARCH = NOTIFY.replace(b"NOTIFY", b"M-SEARCH")
BINARY = bytes((i * 37 + 200) % 256 for i in range(64))
TEXT = b"hello, world\r\nand more of it"
HELLO = bytes.fromhex("16030100700100006c0301") + BINARY + BINARY[:42]
DATA = bytes.fromhex("1703030040") + BINARY
OLD_HELLO = bytes.fromhex("807d0103010054000000200000390000380000350000160000130000") + BINARY
QUERY = bytes.fromhex("123401000001000000000000") + b"\4test\5local\0\0\1\0\1"
ANSWER = (
    bytes.fromhex("123481800001000100000000")
    + QUERY[12:]
    + bytes.fromhex("c00c00010001000001000004" + "01020304")
)
BOOTP = bytes([1, 1, 6, 0]) + bytes(232)
DISCOVER = BOOTP + bytes.fromhex("63825363" + "350101" + "ff")
NTP = b"\x1b" + bytes(47)
STUN = bytes.fromhex("000100002112a442") + bytes(range(12))
QUIC = bytes.fromhex("c3000000010812345678") + BINARY


def eth(payload, ethertype=0x800):
    return MACS + struct.pack("!H", ethertype) + payload


def llc(payload):
    return MACS + struct.pack("!H", len(payload)) + payload


def ip4(payload, protocol, *, size=None, fragment=0, first=0x45, device=6, back=False):
    total = 20 + len(payload) if size is None else size
    head = struct.pack("!BBHHHBBH", first, 0, total, 1, fragment, 64, protocol, 0)
    hosts = [bytes([10, 0, 0, device]), SERVER]
    return head + b"".join(hosts[::-1] if back else hosts) + payload


def ip6(payload, following, *, size=None, back=False):
    total = len(payload) if size is None else size
    head = struct.pack("!IHBB", 6 << 28, total, following, 64)
    return head + b"".join(HOSTS_6[::-1] if back else HOSTS_6) + payload


def tcp(source, destination, payload=b"", *, flags=0x18, header=5, sequence=1):
    numbers = sequence, 1, header << 4, flags, 1000, 0, 0
    return struct.pack("!HHIIBBHHH", source, destination, *numbers) + payload


def udp(source, destination, payload=b"", *, size=None):
    total = 8 + len(payload) if size is None else size
    return struct.pack("!HHHH", source, destination, total, 0) + payload


_UDP = udp(5000, 123, NTP)
_TCP = tcp(40000, 80, GET)
_IP = ip4(_UDP, 17)
_TAG = struct.pack("!HH", 7, 0x800)
_HOP = bytes.fromhex("0502000000")

ODD = {
    # link
    "802.1Q": eth(_TAG + _IP, 0x8100),
    "802.1ad": eth(_TAG + _IP, 0x88A8),
    "two tags": eth(struct.pack("!HH", 7, 0x8100) + _TAG + _IP, 0x88A8),
    "tag and LLC": eth(struct.pack("!HH", 7, 46) + bytes.fromhex("424203") + bytes(43), 0x8100),
    "tag and ARP": eth(struct.pack("!HH", 7, 0x806) + bytes(28), 0x8100),
    "SNAP": llc(bytes.fromhex("aaaa030000000800") + _IP),
    "SNAP of 802.1H": llc(bytes.fromhex("aaaa030000f80800") + _IP),
    "SNAP of Cisco": llc(bytes.fromhex("aaaa0300000c2000") + bytes(30)),
    "LLC and IP": llc(bytes.fromhex("060603") + _IP),
    "STP": llc(bytes.fromhex("424203") + bytes(35)),
    "IPX without LLC": llc(b"\xff\xff" + bytes(40)),
    "reverse ARP": eth(bytes(28), 0x8035),
    "pre-authentication": eth(bytes.fromhex("02010000"), 0x88C7),
    "LLDP": eth(bytes(46), 0x88CC),
    "no length and no EtherType": eth(bytes(46), 0x5F0),
    "PPPoE": eth(bytes.fromhex("1100000100400021") + _IP, 0x8864),
    "PPPoE, IPv6": eth(bytes.fromhex("1100000100400057") + ip6(_UDP, 17), 0x8864),
    "PPPoE, LCP": eth(bytes.fromhex("110000010014c021") + bytes(20), 0x8864),
    "trailer": eth(_IP) + bytes(20),
    # internet
    "options of IP": eth(ip4(bytes(4) + _UDP, 17, first=0x46)),
    "header of IP too short": eth(ip4(_UDP, 17, first=0x44)),
    "IP of another version": eth(ip4(_UDP, 17, first=0x55)),
    "IPv6 of another version": eth(bytes(60), 0x86DD),
    "cut up by the card": eth(ip4(_TCP, 6, size=0)),
    "length within the header": eth(ip4(_UDP, 17, size=19)),
    "length without payload": eth(ip4(_UDP, 17, size=20)),
    "length within ports": eth(ip4(_UDP, 17, size=23)),
    "length beyond the frame": eth(ip4(_UDP, 17, size=500)),
    "fragment, first": eth(ip4(_UDP, 17, fragment=0x2000)),
    "fragment, last": eth(ip4(_UDP, 17, fragment=7)),
    "fragment of IPv6, first": eth(ip6(bytes.fromhex("1100000100000005") + _UDP, 44), 0x86DD),
    "fragment of IPv6, last": eth(ip6(bytes.fromhex("1100000800000005") + _UDP, 44), 0x86DD),
    "hop by hop": eth(ip6(b"\x11\0" + _HOP + b"\0" + _UDP, 0), 0x86DD),
    "two extensions": eth(ip6(b"\x3c\0" + _HOP + b"\0\x11\0" + _HOP + b"\0" + _UDP, 0), 0x86DD),
    "routing": eth(ip6(b"\x11" + bytes(7) + _UDP, 43), 0x86DD),
    "authentication": eth(ip6(b"\x11\4" + bytes(22) + _UDP, 51), 0x86DD),
    "authentication, IPv4": eth(ip4(b"\x11\4" + bytes(22) + _UDP, 51)),
    "encrypted": eth(ip4(_UDP, 50)),
    "extension beyond the packet": eth(ip6(b"\x11\xff" + _HOP + b"\0" + _UDP, 0), 0x86DD),
    "nothing follows": eth(ip6(_UDP, 59), 0x86DD),
    "IPv6 without a length": eth(ip6(_UDP, 17, size=0), 0x86DD),
    "ICMPv6 in IPv4": eth(ip4(b"\x80\0\0\0abcd", 58)),
    "IGMP": eth(ip4(b"\x16\0\0\0\xe0\0\0\xfb", 2)),
    "SCTP": eth(ip4(bytes(12), 132)),
    "time exceeded": eth(ip4(bytes([11, *bytes(7)]) + ip4(_TCP, 6), 1)),
    "too big": eth(ip6(bytes([2, *bytes(7)]) + ip6(_TCP, 6), 58), 0x86DD),
    # transport
    "UDP without a length": eth(ip4(udp(5000, 123, NTP, size=0), 17)),
    "UDP of a header": eth(ip4(udp(5000, 123, NTP, size=8), 17)),
    "UDP longer than IP": eth(ip4(udp(5000, 123, NTP, size=500), 17)),
    "header of TCP too short": eth(ip4(tcp(40100, 80, GET, header=3), 6)),
    "header of TCP beyond the packet": eth(ip4(tcp(40101, 80, GET, header=15), 6)),
    "text of a reset": eth(ip4(tcp(40102, 80, GET, flags=0x14), 6)),
    "data of a SYN": eth(ip4(tcp(40103, 80, GET, flags=2), 6)),
    "port 0": eth(ip4(tcp(0, 80, GET), 6)),
    "no segment": eth(ip4(b"", 6)),
    # applications of UDP
    "DNS on another port": eth(ip4(udp(50001, 7777, QUERY), 17)),
    "answer on another port": eth(ip4(udp(7777, 50001, ANSWER), 17)),
    "DNS that is too short": eth(ip4(udp(50002, 7777, QUERY[:12]), 17)),
    "LLMNR": eth(ip4(udp(50003, 5355, QUERY), 17)),
    "NetBIOS": eth(ip4(udp(137, 137, QUERY), 17)),
    "no DNS on its port": eth(ip4(udp(50004, 53, b"\0"), 17)),
    "DNS from NTP's port": eth(ip4(udp(123, 53, QUERY), 17)),
    "mDNS from SSDP's port": eth(ip4(udp(1900, 5353, QUERY), 17)),
    "mDNS, one shot": eth(ip4(udp(50005, 5353, QUERY), 17)),
    "mDNS from another's port": eth(ip4(udp(3452, 5353, QUERY), 17)),
    "SSDP, search": eth(ip4(udp(50006, 1900, SEARCH), 17)),
    "SSDP, answer": eth(ip4(udp(1900, 50007, OK), 17)),
    "no SSDP on its port": eth(ip4(udp(50008, 1900, BINARY), 17)),
    "NTP of a byte": eth(ip4(udp(50009, 123, b"\0"), 17)),
    "BOOTP that is cut": eth(ip4(udp(68, 67, BOOTP[:30]), 17)),
    "BOOTP without a cookie": eth(ip4(udp(68, 67, BOOTP + b"abcd\x35\1\1"), 17)),
    "DHCP, padded": eth(ip4(udp(68, 67, BOOTP + b"\x63\x82\x53\x63\0\0\x35\1\5\xff"), 17)),
    "DHCP after the end": eth(ip4(udp(68, 67, BOOTP + b"\x63\x82\x53\x63\xff\x35\1\5"), 17)),
    "DHCP option beyond": eth(ip4(udp(68, 67, BOOTP + b"\x63\x82\x53\x63\x0c\x50ab"), 17)),
    "STUN": eth(ip4(udp(50010, 3478, STUN), 17)),
    "QUIC without its keys": eth(ip4(udp(50011, 443, QUIC), 17)),
}
"""Frames, each on its own, by what is odd in them."""

CONVERSATION = {
    "HTTP": (80, [GET, OK, BINARY, TEXT, b"\0"]),
    "HTTP, captured late": (80, [BINARY, TEXT, OK, BINARY, GET, BINARY]),
    "HTTP, field alone": (80, [b"Host: a\r\n\r\n", BINARY]),
    "HTTP, cut in two": (80, [GET[:9], GET[9:], BINARY]),
    "HTTP, empty line first": (80, [b"\r\n" + GET, BINARY]),
    "HTTP, other method": (80, [b"FOO / HTTP/1.1\r\n\r\n", BINARY]),
    "HTTP/2 by name": (80, [b"HTTP/2 200 OK\r\n\r\n", BINARY]),
    "HTTP elsewhere": (49153, [BINARY, GET, OK, BINARY, TEXT]),
    "HTTP elsewhere, answered": (49153, [OK, BINARY, GET, BINARY]),
    "HTTP elsewhere, cut in two": (49153, [GET[:9], GET[9:], BINARY]),
    "HTTP elsewhere, newlines alone": (49153, [GET.replace(b"\r", b""), BINARY]),
    "HTTP elsewhere, other method": (49153, [b"FOO / HTTP/1.1\r\n\r\n", BINARY]),
    "HTTP on the port of TLS": (443, [GET, BINARY, HELLO]),
    "TLS": (443, [HELLO, DATA, BINARY, TEXT, b"abcd", b"\0", DATA]),
    "TLS elsewhere": (49153, [BINARY, HELLO, DATA, BINARY, TEXT, b"\0"]),
    "TLS elsewhere, then HTTP": (49153, [HELLO, BINARY, GET, BINARY]),
    "TLS elsewhere, old hello": (49153, [OLD_HELLO, BINARY]),
    "TLS elsewhere, alert first": (49153, [bytes.fromhex("15030100020228"), HELLO]),
    "TLS on the port of HTTP": (8080, [HELLO, DATA]),
    "TLS from another's port": (49154, [HELLO, DATA]),
    "TLS elsewhere, ports used again": (49153, [HELLO, DATA, None, BINARY, BINARY]),
    "HTTP elsewhere, ports used again": (49153, [GET, None, BINARY, None, GET, None, BINARY]),
    "HTTP, ports used again": (80, [GET, BINARY, None, BINARY]),
    "MQTT": (1883, [bytes.fromhex("100c00044d5154540402003c0000"), b"\x20\2\0\0"]),
    "DNS": (53, [b"\0\x1d" + QUERY, TEXT]),
}
"""The server's port, and payloads from one address and port to it and back; None is a SYN."""

LINKS = {
    101: [_IP, ip6(_UDP, 17), ip4(_TCP, 6), b"\x50" + _IP[1:]],
    228: [_IP, ip4(_TCP, 6)],
    229: [ip6(_UDP, 17)],
    0: [n + each for n in (b"\2\0\0\0", b"\0\0\0\2") for each in (_IP, ip4(_TCP, 6))]
    + [bytes([family, 0, 0, 0]) + ip6(_UDP, 17) for family in (24, 28, 30)]
    + [b"\1\0\0\0" + _IP, b"\2\0"],
    108: [b"\0\0\0\2" + _IP, b"\0\0\0\x1e" + ip6(_UDP, 17), b"\2\0\0\0" + _IP],
    113: [
        struct.pack("!HHH", 4, device, width) + MACS[6:] + struct.pack("!HH", 0, kind) + each
        for device, width in ((1, 6), (772, 6), (512, 0), (1, 8))
        for kind, each in (
            (0x800, _IP),
            (0x86DD, ip6(_UDP, 17)),
            (0x806, bytes(28)),
            (0x888E, bytes.fromhex("02010000")),
            (0x8100, _TAG + _IP),
            (4, bytes.fromhex("424203") + bytes(35)),
            (1, bytes(40)),
        )
    ],
    276: [
        struct.pack("!HHIHBB", kind, 0, 3, device, 4, width) + MACS[6:] + bytes(2) + each
        for device, width in ((1, 6), (772, 6), (512, 0), (1, 8))
        for kind, each in (
            (0x800, _IP),
            (0x86DD, ip6(_UDP, 17)),
            (0x806, bytes(28)),
            (0x8100, _TAG + _IP),
            (4, bytes.fromhex("aaaa030000000800") + _IP),
        )
    ],
}
"""Frames by other link types."""
