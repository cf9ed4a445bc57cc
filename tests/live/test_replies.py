"""What a decoy answers, packet by packet; Scapy writes the questions and reads the answers."""

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iotflowgen import load
from iotflowgen.live.answering.discovery import Discovery, find_sayings
from iotflowgen.live.answering.reflexes import Header, Reflexes, learn_reflexes
from iotflowgen.live.answering.replies import Responder
from iotflowgen.live.emitting.guard import Host

logging.getLogger("scapy").setLevel(logging.ERROR)
layers = pytest.importorskip("scapy.all")
ARP, ICMP, IP, TCP, UDP, Ether = (
    getattr(layers, name) for name in ("ARP", "ICMP", "IP", "TCP", "UDP", "Ether")
)

MAC, ADDRESS, IP6 = "02:11:22:33:44:55", "192.168.20.31", "fe80::11:22ff:fe33:4455"
ASKER, ASKER_MAC, ASKER_IP6 = "192.168.20.77", "02:77:00:00:00:01", "fe80::77"
OPTIONS = "020405b40402080a000000000000000001030307"
REFLEXES = Reflexes.model_validate(
    {
        "headers": {
            "accept": {"ttl": 128},
            "reset": {"ttl": 128},
            "echo": {"ttl": 128, "keeps_whole": False, "ids": "host"},
            "error": {"ttl": 128, "keeps_whole": False, "ids": "host"},
            "mdns": {"ttl": 255},
            "datagram": {"ttl": 128},
        },
        "tcp_ports": {80: {"window": 65160, "options": OPTIONS}},
        "udp_ports": (5353,),
    }
)


HOST = Host(bytes.fromhex(MAC.replace(":", "")), bytes(map(int, ADDRESS.split("."))))
NOTHING = Discovery().model_dump(mode="json")


def asking(packet):
    return bytes(Ether(dst=MAC, src=ASKER_MAC) / IP(src=ASKER, dst=ADDRESS) / packet)


def own(packet):
    return bytes(Ether(src=MAC, dst=ASKER_MAC) / packet)


def responder(**changes):
    said = changes.pop("discovery", Discovery()).model_dump(mode="json")
    found = Responder(HOST, REFLEXES.model_copy(update=changes).model_dump(mode="json"), said)
    found.notice(own(ARP(op=1, hwsrc=MAC, psrc=ADDRESS, pdst="192.168.20.1")))
    found.notice(own(layers.IPv6(src=IP6, dst="ff02::2") / layers.ICMPv6ND_RS()))
    return found


def answer(packet, **changes):
    return reply(responder(**changes), packet)


def reply(device, packet):
    """The only one, if there is one."""
    found = device.replies(packet)
    assert len(found) < 2
    return parsed(found[0].frame) if found else None


def parsed(frame):
    """A frame whose checksums are right."""
    packet = Ether(frame)
    again = packet.copy()
    for layer in ("IP", "TCP", "UDP", "ICMP"):
        if layer in again:
            del again[layer].chksum
    for name in ("ICMPv6EchoReply", "ICMPv6ND_NA", "ICMPv6DestUnreach"):
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


def test_who_was_answered_is_asked_whether_it_is_there():
    now = [0]
    delays = {"delays_ns": {**REFLEXES.delays_ns, "confirm": (5 * 10**9,)}}
    learnt = REFLEXES.model_copy(update=delays).model_dump(mode="json")
    device = Responder(HOST, learnt, NOTHING, lambda: now[0])
    device.notice(own(ARP(op=1, hwsrc=MAC, psrc=ADDRESS, pdst="192.168.20.1")))
    # who was never looked for is no neighbour
    assert kinds(device.replies(asking(ICMP()))) == ["icmp"]
    asked = ARP(hwsrc=ASKER_MAC, psrc=ASKER, pdst=ADDRESS)
    device.replies(bytes(Ether(dst="ff:ff:ff:ff:ff:ff", src=ASKER_MAC) / asked))
    found = device.replies(asking(ICMP()))
    assert kinds(found) == ["icmp", "confirm"]
    asks = parsed(found[1].frame)[ARP]
    assert (asks.op, asks.psrc, asks.pdst, asks.hwdst) == (1, ADDRESS, ASKER, "00:00:00:00:00:00")
    assert kinds(device.replies(asking(ICMP()))) == ["icmp"]
    now[0] += 50 * 10**9
    assert kinds(device.replies(asking(ICMP()))) == ["icmp", "confirm"]
    assert not answer(asking(ICMP())).haslayer(ARP)


def kinds(replies):
    return [each.kind for each in replies]


def test_a_ping_comes_back_whole():
    found = answer(asking(ICMP(id=7, seq=3) / b"0123456789a"))
    assert (found[ICMP].type, found[ICMP].id, found[ICMP].seq) == (0, 7, 3)
    assert bytes(found[ICMP].payload) == b"0123456789a"
    assert (found[IP].ttl, found[IP].flags) == (128, 0)


def test_ip_ids_of_who_counts_them_go_on():
    device = responder()
    numbers = [reply(device, asking(ICMP()))[IP].id for _ in range(3)]
    assert (numbers[1] - numbers[0]) % 2**16 == (numbers[2] - numbers[1]) % 2**16 == 1


def test_a_closed_port_resets():
    found = answer(asking(TCP(sport=4000, dport=23, flags="S", seq=1000)))[TCP]
    assert (found.flags, found.seq, found.ack, found.window) == ("RA", 0, 1001, 0)
    found = answer(asking(TCP(sport=4000, dport=23, flags="A", seq=5, ack=99)))[TCP]
    assert (found.flags, found.seq) == ("R", 99)
    assert (found.sport, found.dport) == (23, 4000)


def test_an_open_port_accepts_and_closes_when_it_is_spoken_to():
    device = responder()
    first = reply(device, asking(TCP(sport=4000, dport=80, flags="S", seq=9)))[TCP]
    assert (first.flags, first.ack) == ("SA", 10)
    number = first.seq + 1
    assert reply(device, asking(TCP(sport=4000, dport=80, flags="A", seq=10, ack=number))) is None
    said = asking(
        TCP(sport=4000, dport=80, flags="PA", seq=10, ack=number) / b"GET / HTTP/1.0\r\n\r\n"
    )
    assert reply(device, said)[TCP].flags == "R"


# what nmap's tests offer: RFC 9293, 2018, 7323; with what Linux answers where it has all of them
ALL = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (7, 0)), ("NOP", None), ("WScale", 7)]
TIME, SCALE = ("Timestamp", (0xFFFFFFFF, 0)), ("WScale", 10)


@pytest.mark.parametrize(
    ("offered", "kinds", "window"),
    [
        ([SCALE, ("NOP", None), ("MSS", 1460), TIME, ("SAckOK", b"")], "4 8 1 3", 65160),
        ([("MSS", 1400), SCALE, ("SAckOK", b""), TIME, ("EOL", None)], "4 8 1 3", 65160),
        ([TIME, SCALE, ("MSS", 640)], "1 1 8 1 3", 65160),
        ([("MSS", 265), ("SAckOK", b""), TIME], "4 8", 65160),
        ([SCALE, ("NOP", None), ("MSS", 1460), ("SAckOK", b"")], "1 1 4 1 3", 64240),
        ([], "", 64240),
    ],
)
def test_who_connects_gets_what_both_have(offered, kinds, window):
    found = answer(asking(TCP(dport=80, flags="S", seq=1, options=offered)))[TCP]
    numbers = {"MSS": 2, "SAckOK": 4, "Timestamp": 8, "NOP": 1, "WScale": 3}
    assert " ".join(str(numbers[name]) for name, _ in found.options) == f"2 {kinds}".strip()
    assert found.window == window
    said = dict(found.options)
    assert said["MSS"] == 1460
    if TIME in offered:
        assert said["Timestamp"][1] == 0xFFFFFFFF


def test_options_are_laid_out_as_captured():
    found = answer(asking(TCP(dport=80, flags="S", options=ALL)))[TCP]
    said = bytearray(bytes(found)[20:])
    said[8:16] = bytes(8)
    assert said.hex() == OPTIONS


@pytest.mark.parametrize(
    ("whose", "of_host", "of_other"), [("host", True, False), ("connection", False, False)]
)
def test_clocks_of_timestamps_run_for_each_host_or_connection(whose, of_host, of_other):
    now = [0]
    tcp = REFLEXES.tcp.model_copy(update={"stamps": whose})
    learnt = REFLEXES.model_copy(update={"tcp": tcp}).model_dump(mode="json")
    device = Responder(HOST, learnt, NOTHING, lambda: now[0])
    device.notice(own(ARP(op=1, hwsrc=MAC, psrc=ADDRESS, pdst="192.168.20.1")))

    def stamp(port, asker=ASKER):
        packet = TCP(dport=80, sport=port, flags="S", options=ALL)
        asked = Ether(dst=MAC, src=ASKER_MAC) / IP(src=asker, dst=ADDRESS) / packet
        return dict(reply(device, bytes(asked))[TCP].options)["Timestamp"][0]

    first = stamp(1)
    now[0] += 10**9
    assert ((stamp(2) - first) % 2**32 == 1000) is of_host
    assert ((stamp(1, "192.168.20.78") - first) % 2**32 == 1000) is of_other


def test_a_clock_of_timestamps_that_is_one_goes_on_from_what_the_decoy_has_said():
    now = [5 * 10**9]
    tcp = REFLEXES.tcp.model_copy(update={"stamps": "one", "stamps_rate": 100.0})
    learnt = REFLEXES.model_copy(update={"tcp": tcp}).model_dump(mode="json")
    device = Responder(HOST, learnt, NOTHING, lambda: now[0])
    said = TCP(sport=50_001, dport=443, flags="A", options=[("Timestamp", (7000, 1))])
    device.notice(own(IP(src=ADDRESS, dst=ASKER) / said))
    now[0] += 2 * 10**9
    found = reply(device, asking(TCP(dport=80, flags="S", options=ALL)))
    assert dict(found[TCP].options)["Timestamp"] == (7200, 7)


def test_congestion_notification_is_taken_up():
    assert answer(asking(TCP(dport=80, flags="SEC")))[TCP].flags == "SAE"
    without = {"tcp": REFLEXES.tcp.model_copy(update={"ecn": False})}
    assert answer(asking(TCP(dport=80, flags="SEC")), **without)[TCP].flags == "SA"


def test_probes_of_nmap():
    """T2 to T7, as its documentation has them; what Linux answers."""
    for port, flags, expected in (
        (80, "", None),
        (80, "SFUP", None),
        (80, "A", "R"),
        (81, "S", "RA"),
        (81, "A", "R"),
        (81, "FPU", "RA"),
    ):
        found = answer(asking(TCP(dport=port, flags=flags, seq=1, ack=9)))
        assert (found and str(found[TCP].flags)) == expected, (port, flags)
        if found:
            assert (found[IP].flags, found[IP].id, found[TCP].window) == ("DF", 0, 0)


def test_a_ping_keeps_code_and_service():
    asked = bytes(
        Ether(dst=MAC, src=ASKER_MAC)
        / IP(src=ASKER, dst=ADDRESS, tos=4)
        / ICMP(code=9)
        / bytes(150)
    )
    found = parsed(responder().replies(asked)[0].frame)
    assert (found[ICMP].code, found[IP].tos) == (9, 4)


def test_a_closed_port_of_udp_is_unreachable():
    found = answer(asking(UDP(sport=53000, dport=9) / (b"C" * 300)))
    assert (found[ICMP].type, found[ICMP].code, found[IP].tos) == (3, 3, 0xC0)
    quoted = IP(bytes(found)[42:])
    assert (quoted.src, quoted.dst, quoted[UDP].dport) == (ASKER, ADDRESS, 9)
    assert len(bytes(found)) == 42 + 328
    assert len(bytes(answer(asking(UDP(dport=9) / (b"C" * 300)), quote=28))) == 42 + 28


def test_errors_are_few():
    now = [0]
    device = Responder(HOST, REFLEXES.model_dump(mode="json"), NOTHING, lambda: now[0])
    device.notice(own(ARP(op=1, hwsrc=MAC, psrc=ADDRESS, pdst="192.168.20.1")))
    assert [len(device.replies(asking(UDP(dport=9)))) for _ in range(8)] == [1] * 6 + [0] * 2
    now[0] += 1_100_000_000
    assert [len(device.replies(asking(UDP(dport=9)))) for _ in range(2)] == [1, 0]


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


def test_tcp_and_udp_of_ipv6():
    to = Ether(dst=MAC, src=ASKER_MAC) / layers.IPv6(src=ASKER_IP6, dst=IP6)
    found = answer(bytes(to / TCP(dport=80, flags="S", seq=4, options=ALL)))
    assert (found[TCP].flags, found[TCP].ack) == ("SA", 5)
    assert dict(found[TCP].options)["MSS"] == 1440
    assert answer(bytes(to / TCP(dport=81, flags="S", seq=4)))[TCP].flags == "RA"
    found = answer(bytes(to / UDP(dport=9) / b"abc"))[layers.ICMPv6DestUnreach]
    assert found.code == 4
    assert layers.IPv6(bytes(found)[8:])[UDP].dport == 9
    assert answer(bytes(to / UDP(dport=5353) / b"abc")) is None


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
    assert not device.replies(packet)


def test_who_has_no_address_yet_says_nothing():
    device = Responder(HOST, REFLEXES.model_dump(mode="json"), NOTHING)
    probe = own(ARP(op=1, hwsrc=MAC, psrc="0.0.0.0", pdst=ADDRESS))
    device.notice(probe)
    assert not device.replies(asking(ICMP()))


def test_reflexes_are_those_of_the_captures(models):
    recording = load(models / "plug.model").recording
    found = learn_reflexes(recording, find_sayings(recording))
    assert found.headers["accept"] == Header(ttl=128)
    assert found.headers["mdns"].ttl == 255
    assert 80 in found.tcp_ports
    assert {1900, 5353} & {*found.udp_ports}
    for name in ("arp", "mdns", "ssdp"):
        assert found.delays_ns[name]
    for delays in found.delays_ns.values():
        assert list(delays) == sorted(delays)
        assert all(0 <= delay < 6 * 10**9 for delay in delays)


ADDRESSED = st.sampled_from([MAC, "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:fb", "33:33:ff:33:44:55"])
TARGETS = st.sampled_from([ADDRESS, "224.0.0.251", "239.255.255.250", "255.255.255.255"])
PORTS = st.sampled_from([9, 80, 81, 137, 1900, 5353, 5355])


@st.composite
def frames(draw):
    """Any bytes, some of them behind headers that are those of questions."""
    body = draw(st.binary(max_size=90))
    packet = IP(src=ASKER, dst=draw(TARGETS))
    source, target = draw(PORTS), draw(PORTS)
    inner = draw(
        st.sampled_from(
            [
                packet / UDP(sport=source, dport=target) / body,
                packet / TCP(sport=source, dport=target, flags=body[0] if body else 0) / body,
                packet / ICMP() / body,
                layers.IPv6(src=ASKER_IP6, dst=IP6, nh=58) / body,
                layers.Raw(body),
            ]
        )
    )
    whole = bytes(Ether(dst=draw(ADDRESSED), src=ASKER_MAC) / inner)
    return draw(st.sampled_from([whole, whole[: draw(st.integers(0, len(whole)))]]))


@settings(max_examples=60)
@given(frames(), st.booleans())
def test_nothing_that_arrives_ends_the_process(frame, checks):
    device = responder()
    device.is_claimed(frame)
    for each in device.replies(frame, checks=checks):
        assert each.frame[6:12].hex(":") == MAC
    device.notice(frame)
    device.notice(frame[:6] + bytes.fromhex(MAC.replace(":", "")) + frame[12:])
