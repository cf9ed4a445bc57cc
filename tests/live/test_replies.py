"""What a decoy answers, packet by packet; Scapy writes the questions and reads the answers."""

import logging

import pytest

from iotflowgen import load
from iotflowgen.live.answering.reflexes import Reflexes, learn_reflexes
from iotflowgen.live.answering.replies import Responder
from iotflowgen.live.emitting.guard import Host

logging.getLogger("scapy").setLevel(logging.ERROR)
layers = pytest.importorskip("scapy.all")
ARP, ICMP, IP, TCP, UDP, Ether = (
    getattr(layers, name) for name in ("ARP", "ICMP", "IP", "TCP", "UDP", "Ether")
)

MAC, ADDRESS, IP6 = "02:11:22:33:44:55", "192.168.20.31", "fe80::11:22ff:fe33:4455"
ASKER, ASKER_MAC, ASKER_IP6 = "192.168.20.77", "02:77:00:00:00:01", "fe80::77"
OPTIONS = "020405b40103030001010402"
REFLEXES = Reflexes.model_validate(
    {
        "ttl": 128,
        "keeps_whole": True,
        "tcp_ports": {80: {"window": 5840, "options": OPTIONS}},
        "udp_ports": (5353,),
    }
)


def asking(packet):
    return bytes(Ether(dst=MAC, src=ASKER_MAC) / IP(src=ASKER, dst=ADDRESS) / packet)


def own(packet):
    return bytes(Ether(src=MAC, dst=ASKER_MAC) / packet)


def responder(**changes):
    host = Host(bytes.fromhex(MAC.replace(":", "")), bytes(map(int, ADDRESS.split("."))))
    found = Responder(host, REFLEXES.model_copy(update=changes).model_dump(mode="json"))
    found.notice(own(ARP(op=1, hwsrc=MAC, psrc=ADDRESS, pdst="192.168.20.1")))
    found.notice(own(layers.IPv6(src=IP6, dst="ff02::2") / layers.ICMPv6ND_RS()))
    return found


def answer(packet, **changes):
    reply = responder(**changes).reply(packet)
    return None if reply is None else parsed(reply.frame)


def parsed(frame):
    """A frame whose checksums are right."""
    packet = Ether(frame)
    again = packet.copy()
    for layer in ("IP", "TCP", "UDP", "ICMP"):
        if layer in again:
            del again[layer].chksum
    for name in ("ICMPv6EchoReply", "ICMPv6ND_NA"):
        if name in again:
            del again[name].cksum
    assert bytes(again) == frame
    assert (packet.src, packet.dst) in ((MAC, ASKER_MAC), (MAC, "33:33:00:00:00:01"))
    return packet


def test_arp():
    found = answer(
        bytes(
            Ether(dst="ff:ff:ff:ff:ff:ff", src=ASKER_MAC)
            / ARP(hwsrc=ASKER_MAC, psrc=ASKER, pdst=ADDRESS)
        )
    )
    assert (found[ARP].op, found[ARP].hwsrc, found[ARP].psrc) == (2, MAC, ADDRESS)
    assert (found[ARP].hwdst, found[ARP].pdst) == (ASKER_MAC, ASKER)
    assert len(found) == 60


def test_a_ping_comes_back_whole():
    found = answer(asking(ICMP(id=7, seq=3) / b"0123456789a"))
    assert (found[ICMP].type, found[ICMP].id, found[ICMP].seq) == (0, 7, 3)
    assert bytes(found[ICMP].payload) == b"0123456789a"
    assert (found[IP].ttl, found[IP].flags, found[IP].id) == (128, "DF", 0)


def test_ip_ids_of_who_counts_them_go_on():
    device = responder(counts_ids=True)
    numbers = [parsed(device.reply(asking(ICMP())).frame)[IP].id for _ in range(3)]
    assert (numbers[1] - numbers[0]) % 2**16 == (numbers[2] - numbers[1]) % 2**16 == 1


def test_a_closed_port_resets():
    found = answer(asking(TCP(sport=4000, dport=23, flags="S", seq=1000)))[TCP]
    assert (found.flags, found.seq, found.ack, found.window) == ("RA", 0, 1001, 0)
    found = answer(asking(TCP(sport=4000, dport=23, flags="A", seq=5, ack=99)))[TCP]
    assert (found.flags, found.seq) == ("R", 99)
    assert (found.sport, found.dport) == (23, 4000)


def test_an_open_port_accepts_and_closes_when_it_is_spoken_to():
    device = responder()
    first = parsed(device.reply(asking(TCP(sport=4000, dport=80, flags="S", seq=9))).frame)[TCP]
    assert (first.flags, first.ack, first.window) == ("SA", 10, 5840)
    assert bytes(first)[20:].hex() == OPTIONS
    number = first.seq + 1
    assert device.reply(asking(TCP(sport=4000, dport=80, flags="A", seq=10, ack=number))) is None
    said = asking(
        TCP(sport=4000, dport=80, flags="PA", seq=10, ack=number) / b"GET / HTTP/1.0\r\n\r\n"
    )
    assert parsed(device.reply(said).frame)[TCP].flags == "R"


def test_a_closed_port_of_udp_is_unreachable():
    found = answer(asking(UDP(sport=53000, dport=9) / b"x"))
    assert (found[ICMP].type, found[ICMP].code) == (3, 3)
    quoted = IP(bytes(found[ICMP].payload))
    assert (quoted.src, quoted.dst, quoted[UDP].dport) == (ASKER, ADDRESS, 9)


def test_ping_and_neighbour_solicitation_of_ipv6():
    to = layers.IPv6(src=ASKER_IP6, dst=IP6)
    found = answer(
        bytes(Ether(dst=MAC, src=ASKER_MAC) / to / layers.ICMPv6EchoRequest(data=b"abc"))
    )
    assert (found.data, found[layers.IPv6].src, found[layers.IPv6].dst) == (b"abc", IP6, ASKER_IP6)
    group = layers.IPv6(src=ASKER_IP6, dst="ff02::1:ff33:4455", hlim=255)
    asked = group / layers.ICMPv6ND_NS(tgt=IP6)
    found = answer(bytes(Ether(dst="33:33:ff:33:44:55", src=ASKER_MAC) / asked))
    assert (found.tgt, found.S, found.O, found.lladdr) == (IP6, 1, 1, MAC)
    asked[layers.IPv6].src = "::"
    found = answer(bytes(Ether(dst="33:33:ff:33:44:55", src=ASKER_MAC) / asked))
    assert (found.S, found[layers.IPv6].dst) == (0, "ff02::1")


COMPOSED = TCP(sport=50_001, dport=443, flags="S")


@pytest.mark.parametrize(
    "packet",
    [
        asking(TCP(sport=1, dport=2, flags="R")),
        asking(UDP(sport=1, dport=5353) / b"x"),
        asking(UDP(sport=1, dport=9, chksum=1) / b"x"),
        asking(TCP(sport=1, dport=2, flags="S", chksum=1)),
        asking(ICMP(chksum=1)),
        asking(ICMP(type=0)),
        asking(TCP(sport=443, dport=50_001, flags="SA")),
        asking(UDP(sport=1900, dport=50_002)),
        asking(ICMP())[:30],
        asking(ICMP())[:16],
        bytes(Ether(dst=MAC, src=ASKER_MAC) / IP(src=ASKER, dst="192.168.20.32") / ICMP()),
        bytes(Ether(dst=MAC, src=ASKER_MAC) / IP(src=ASKER, dst=ADDRESS, frag=2) / ICMP()),
        bytes(Ether(dst="ff:ff:ff:ff:ff:ff") / IP(src=ASKER, dst="192.168.20.255") / ICMP()),
        bytes(Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(pdst="192.168.20.32")),
        bytes(Ether(dst=MAC) / layers.IPv6(dst="fe80::1") / layers.ICMPv6EchoRequest()),
    ],
)
def test_what_gets_no_answer(packet):
    device = responder()
    device.notice(own(IP(src=ADDRESS, dst=ASKER) / COMPOSED))
    device.notice(own(IP(src=ADDRESS, dst="239.255.255.250") / UDP(sport=50_002, dport=1900)))
    assert device.reply(packet) is None


def test_who_has_no_address_yet_says_nothing():
    host = Host(bytes.fromhex(MAC.replace(":", "")), bytes(map(int, ADDRESS.split("."))))
    device = Responder(host, REFLEXES.model_dump(mode="json"))
    probe = own(ARP(op=1, hwsrc=MAC, psrc="0.0.0.0", pdst=ADDRESS))
    device.notice(probe)
    assert device.reply(asking(ICMP())) is None


def test_reflexes_are_those_of_the_captures(models):
    found = learn_reflexes(load(models / "plug.model").recording)
    assert found.ttl == 128
    assert found.keeps_whole
    assert 80 in found.tcp_ports
    assert {1900, 5353} & {*found.udp_ports}
    assert found.delays_ns["arp"]
    for delays in found.delays_ns.values():
        assert list(delays) == sorted(delays)
        assert all(0 < delay < 10**9 for delay in delays)
