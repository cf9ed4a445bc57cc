"""Header fields on frames whose bytes are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw
from scapy.utils import wrpcap

from iotflowgen.capture import header_fields, read_captures, read_frames, with_headers
from iotflowgen.capture.relations import ROLES
from iotflowgen.errors import HeadersMissing
from iotflowgen.traffic import Trace
from iotflowgen.wire import Frames

DEVICE, GATEWAY = "02:00:00:00:00:01", "02:00:00:00:00:02"
OUT, IN = {"src": DEVICE, "dst": GATEWAY}, {"src": GATEWAY, "dst": DEVICE}
THERE, BACK = {"src": "10.0.0.5", "dst": "9.9.9.9"}, {"src": "9.9.9.9", "dst": "10.0.0.5"}
SYN = [
    ("MSS", 1460),
    ("SAckOK", b""),
    ("Timestamp", (1000, 0)),
    ("NOP", None),
    ("WScale", 7),
]


def trace_of(frames, seconds=1):
    count = len(frames)
    return Trace(
        name="a",
        time_ns=np.arange(count) * seconds * 10**9,
        length=np.array([len(frame) for frame in frames], dtype=np.int32),
        outgoing=np.array([frame[6:12] == b"\2\0\0\0\0\1" for frame in frames]),
        src_port=np.zeros(count, dtype=np.int32),
        dst_port=np.zeros(count, dtype=np.int32),
        protocols=np.zeros(count, dtype=np.uint16),
        tcp_payload=np.zeros(count, dtype=np.int32),
    )


def fields(*packets):
    """Each field's values, packet by packet."""
    frames = [packet if isinstance(packet, bytes) else bytes(packet) for packet in packets]
    names, values = header_fields(Frames.of(frames), trace_of(frames))
    assert values.shape == (len(frames), len(names))
    return dict(zip(names, values.T.tolist(), strict=True))


def shown(found, *names):
    return [found[name][0] for name in names]


def test_every_field_of_a_syn():
    tcp = TCP(sport=50_000, dport=443, seq=77, flags="S", window=8192, options=SYN)
    found = fields(Ether(**OUT) / IP(**THERE, id=513, ttl=63, tos=16, flags="DF") / tcp)
    assert shown(found, "eth.length", "eth.type", "ip.version", "ip.tos") == [74, 0x800, 0x45, 16]
    names = "ip.length", "ip.id", "ip.fragment", "ip.ttl", "ip.protocol"
    assert shown(found, *names) == [60, 513, 0x4000, 63, 6]
    names = "port.source", "port.destination", "tcp.sequence", "tcp.offset", "tcp.flags"
    assert shown(found, *names) == [50_000, 443, 77, 0xA0, 2]
    assert shown(found, *(f"tcp.option.{i}" for i in range(5))) == [2, 4, 8, 1, 3]
    assert shown(found, "tcp.segment", "tcp.scale", "tcp.stamp", "tcp.echo") == [1460, 7, 1000, 0]
    assert shown(found, "ip.checksum", "tcp.checksum", "payload.size") == [1, 1, 0]
    for name in ("udp.length", "arp.operation", "ip6.hops", "payload.0", "tcp.option.5"):
        assert np.isnan(found[name][0])


def test_a_question_and_its_answer():
    ask = UDP(sport=50_000, dport=53) / DNS(id=7, qd=DNSQR(qname="example.org"))
    answer = UDP(sport=53, dport=50_000) / DNS(id=7, qr=1, qd=DNSQR(qname="example.org"))
    again = UDP(sport=50_001, dport=53) / DNS(id=9, qd=DNSQR(qname="example.org"))
    found = fields(
        *(Ether(**way) / IP(**ip, id=i) / udp for way, ip, i, udp in (
            (OUT, THERE, 65_535, ask), (IN, BACK, 5, answer), (OUT, THERE, 1, again)
        ))
    )  # fmt: skip
    assert found["payload.id"] == [7, 7, 9]
    assert found["payload.id.answer"][1] == 0
    assert found["payload.id.step"][2] == 2
    assert found["ip.id.of_host"][2] == 2
    assert found["port.step"][2] == 1
    assert found["udp.checksum"] == [1, 1, 1]


def test_what_numbers_do_in_a_connection():
    stamps = [("Timestamp", (1000, 1)), ("Timestamp", (400, 1000)), ("Timestamp", (1200, 400))]
    there, back = TCP(sport=50_000, dport=80, flags="A"), TCP(sport=80, dport=50_000)
    found = fields(
        Ether(**OUT) / IP(**THERE) / there.copy() / Raw(b"x" * 100),
        Ether(**OUT) / IP(**THERE) / there.copy() / Raw(b"x" * 100),
    )
    assert found["tcp.sequence.ahead"][1] == -100
    first = there.copy()
    first.seq, first.ack, first.flags, first.options = 2**32 - 40, 10, "PA", stamps[:1]
    second = back.copy()
    second.seq, second.ack, second.flags, second.options = 10, 60, "A", stamps[1:2]
    third = there.copy()
    third.seq, third.ack, third.flags, third.options, third.window = 60, 10, "FA", stamps[2:], 100
    found = fields(
        Ether(**OUT) / IP(**THERE) / first / Raw(b"x" * 100),
        Ether(**IN) / IP(**BACK) / second,
        Ether(**OUT) / IP(**THERE) / third,
    )
    assert np.isnan(found["tcp.sequence.ahead"][:2]).all()
    assert found["tcp.sequence.ahead"][2] == 0
    assert found["tcp.sequence.so_far"][2] == 100
    assert found["tcp.acknowledgment.behind"][1:] == [0, 0]
    assert found["tcp.window.step"][2] == 100 - 8192
    assert found["tcp.stamp.rate"][2] == 100
    assert found["tcp.echo.behind"][1:] == [0, 0]


def test_addresses_are_roles():
    found = fields(
        Ether(src=DEVICE, dst="ff:ff:ff:ff:ff:ff") / ARP(psrc="10.0.0.5", pdst="10.0.0.1"),
        Ether(**IN) / IP(src="10.0.0.1", dst="10.0.0.5") / UDP(),
        Ether(**OUT) / IP(**THERE) / UDP(),
        Ether(src=DEVICE, dst="01:00:5e:00:00:fb") / IP(src="10.0.0.5", dst="224.0.0.251") / UDP(),
        Ether(src=DEVICE, dst="33:33:00:00:00:01") / IPv6(src="::", dst="ff02::1") / UDP(),
    )

    def names(field):
        return ["" if np.isnan(role) else ROLES[int(role)] for role in found[field]]

    assert names("eth.to") == ["everybody", "device", "gateway", "group", "group"]
    assert names("ip.to") == ["", "device", "other", "group", "group"]
    assert names("ip.from") == ["", "gateway", "device", "device", "nobody"]
    assert names("arp.ip.to") == ["gateway", "", "", "", ""]


def test_tags_and_extensions_are_passed_over():
    echo = ICMPv6EchoRequest(id=1, seq=2)
    found = fields(
        Ether(**OUT) / Dot1Q(vlan=3) / IPv6(src="fe80::1", dst="fe80::2", hlim=9)
        / IPv6ExtHdrHopByHop() / echo
    )  # fmt: skip
    assert shown(found, "eth.type", "ip6.hops", "message.type", "message.code") == [
        0x86DD,
        9,
        128,
        0,
    ]
    assert shown(found, "message.checksum") == [1]
    assert shown(found, *(f"payload.{i}" for i in range(4))) == [0, 1, 0, 2]


def test_checksums_that_are_wrong_left_out_or_left_to_the_network_card():
    good = bytes(Ether(**OUT) / IP(**THERE) / UDP(sport=1, dport=2) / Raw(b"abc"))
    beside = sum(b"\x0a\x09"[i] * 256 + b"\x00\x09"[i] for i in (0, 1)) + 5 + 0x909 + 17 + 11
    card = good[:40] + beside.to_bytes(2) + good[42:]
    found = fields(good, good[:-1] + b"x", good[:40] + b"\0\0" + good[42:], card)
    assert found["udp.checksum"] == [1, 0, 2, 1]


def test_frames_that_have_changed_are_refused(tmp_path):
    path = tmp_path / "a.pcap"
    wrpcap(str(path), [Ether(**OUT) / IP(**THERE) / UDP(), Ether(**IN) / IP(**BACK) / UDP()])
    traces = read_captures([path], cache=None)
    wrpcap(str(path), [Ether(**IN) / IP(**BACK) / UDP()])
    with pytest.raises(HeadersMissing, match="others; leave it out"):
        with_headers(read_frames([path], traces))


TCP_FRAME = bytes(
    Ether(**OUT) / IP(**THERE) / TCP(flags="S", options=SYN) / Raw(b"0123456789abcdef")
)


@given(st.lists(st.binary(min_size=14, max_size=120), min_size=1, max_size=6), st.integers(14, 200))
def test_no_frame_is_too_damaged_or_too_short(others, end):
    whole = fields(TCP_FRAME)
    cut = fields(TCP_FRAME[:end])
    for name in ("ip.ttl", "tcp.window", "payload.3"):
        assert np.isnan(cut[name][0]) or cut[name][0] == whole[name][0]
    fields(*others, TCP_FRAME[:end])
