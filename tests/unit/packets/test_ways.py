"""Ways of hosts and connections, from captures to honeydata."""

import struct
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet
from scapy.utils import wrpcap

from iotflowgen.capture import read_captures, read_frames
from iotflowgen.packets import Headers, learn_headers
from iotflowgen.packets.layout import SYN
from iotflowgen.traffic import Trace
from tests.unit.packets.spoken import OPENING, PROBE, learnt_from
from tests.unit.packets.test_template import frames_in, stream

NAMES = b"Date: ", b"Expires: "
OWN, OTHER = "02:00:00:00:00:02", "02:00:00:00:00:03"


def learnt_of(packets: Sequence[Packet], path: Path) -> tuple[list[Trace], Headers]:
    """Write packets to a capture, one a second, and learn from it."""
    for second, packet in enumerate(packets):
        packet.time = second
    wrpcap(str(path), packets)
    traces = read_captures([path], OWN, cache=None)
    headers = learn_headers(read_frames([path], traces))
    assert headers is not None
    return traces, headers


def test_what_a_joined_connection_begins_with_may_be_a_probe(tmp_path: Path) -> None:
    """One byte before what its sender says next, as only the answer to it tells."""
    said = [(False, PROBE, b""), (True, "A", b"")] * 3 + [(False, "PA", b"hello there")]
    trace, headers = learnt_from(tmp_path / "learnt.pcap", said)
    path = tmp_path / "honeydata.pcap"
    stream(headers, [trace], path)
    numbers = [struct.unpack_from("!II", frame, 14 + 20 + 4) for frame in frames_in(path)]
    assert len({sequence for sequence, _ in numbers[0:6:2]}) == 1
    assert all(acknowledged == numbers[0][0] + 1 for _, acknowledged in numbers[1:6:2])
    assert numbers[6][0] == numbers[0][0] + 1


def test_each_connection_takes_its_own_way(tmp_path: Path) -> None:
    device, peer = "10.0.0.2", "192.0.2.3"
    packets = []
    for number, hops in enumerate([40, 40, 41, 38] * 4):
        out = {"sport": 40_000 + number, "dport": 9999}
        back = {"sport": 9999, "dport": 40_000 + number}
        there, here = Ether(src=OWN, dst=OTHER), Ether(src=OTHER, dst=OWN)
        packets += [
            there / IP(src=device, dst=peer) / TCP(**out, flags="S", seq=9),
            here / IP(src=peer, dst=device, ttl=hops - 9) / TCP(**back, flags="SA", seq=5, ack=10),
            there / IP(src=device, dst=peer) / TCP(**out, flags="A", seq=10, ack=6),
            here / IP(src=peer, dst=device, ttl=hops) / TCP(**back, flags="FA", seq=6, ack=10),
        ]
    traces, headers = learnt_of(packets, tmp_path / "device.pcap")
    path = tmp_path / "honeydata.pcap"
    stream(headers, traces, path)
    found = defaultdict(set)
    for frame in frames_in(path):
        if frame[6:12] != frames_in(path)[0][6:12]:
            found[frame[36:38]].add(frame[22] + 9 * bool(frame[47] & SYN))
    # somebody else may answer the SYN
    assert all(len(ways) == 1 for ways in found.values())
    assert {way for ways in found.values() for way in ways} == {38, 40, 41}


def test_the_time_of_day_does_not_go_back(tmp_path: Path) -> None:
    """Captures differ in how far the clock of a host is off."""
    line = b"%sThu, 01 Jan 1970 00:00:%02d GMT\r\n"
    dates = [
        b"HTTP/1.1 200 OK\r\n" + line % (NAMES[0], second) + line % (NAMES[1], second + 20)
        for second in (9, 2)
    ]
    said = [
        (outgoing, "PA", text)
        for place, date in enumerate(dates)
        for outgoing, text in (
            (True, b"GET /%d HTTP/1.1\r\n\r\n" % place),
            (False, date + b"X: %s\r\nContent-Length: 0\r\n\r\n" % (b"x" * place)),
        )
    ]
    trace, headers = learnt_from(tmp_path / "learnt.pcap", [*OPENING, *said], port=80)
    path = tmp_path / "honeydata.pcap"
    stream(headers, [trace], path)
    told = [frame for frame in frames_in(path) if b"Date: " in frame]
    dates, until = ([frame.partition(name)[2][:29] for frame in told] for name in NAMES)
    assert len(told) == 2
    assert dates[0] == dates[1]
    # what is told beside it stays as far from it
    assert [int(end[23:25]) - int(date[23:25]) for date, end in zip(dates, until, strict=True)] == [
        20,
        20,
    ]


def test_connections_stay_with_a_host_as_often_as_captures_do(tmp_path: Path) -> None:
    """Of those that nobody looked up; each is joined, and two hosts are as common."""
    device, hosts = "10.0.0.2", ("192.0.2.3", "192.0.2.99")
    packets = []
    for number in range(200):
        peer = hosts[number // 10 % 2]  # nine of ten stay
        out = {"sport": 20_000 + number, "dport": 9999, "flags": "PA"}
        packets.append(Ether(src=OWN, dst=OTHER) / IP(src=device, dst=peer) / TCP(**out) / b"hi")
    traces, headers = learnt_of(packets, tmp_path / "device.pcap")
    path = tmp_path / "honeydata.pcap"
    stream(headers, traces, path)
    told = [frame[30:34] for frame in frames_in(path)]
    share = sum(before == host for before, host in pairwise(told)) / (len(told) - 1)
    assert len({*told}) == 2
    assert 0.82 <= share <= 0.98


def test_what_was_said_before_the_first_packet_is_echoed_as_it_was(tmp_path: Path) -> None:
    """The other end of a connection may be away: its timestamp is known by echoes alone."""
    packets = []
    for number in range(12):
        stamps = [("Timestamp", (1000 + 250 * number, 77_000)), ("NOP", None), ("NOP", None)]
        segment = TCP(sport=20_000, dport=9999, flags="FA", seq=5, ack=9, options=stamps)
        packets.append(Ether(src=OWN, dst=OTHER) / IP(src="10.0.0.2", dst="192.0.2.3") / segment)
    traces, headers = learnt_of(packets, tmp_path / "device.pcap")
    path = tmp_path / "honeydata.pcap"
    (peer,) = (host for host in headers.hosts if host.ip == "192.0.2.3")
    assert peer.stamps == (77_000,)
    stream(headers, traces, path)
    echoes = {struct.unpack_from("!I", frame, 54 + 6) for frame in frames_in(path)}
    assert len(echoes) == 1


def test_what_is_no_probe_is_none(tmp_path: Path) -> None:
    """The answer to a FIN, or to one byte, acknowledges one more, too."""
    for more in ((True, "FA", b""), (True, "PA", b"x")):
        said = [(True, "A", b""), more, (False, "A", b"")]
        _, headers = learnt_from(tmp_path / "learnt.pcap", said)
        assert not any(template.probes for template in headers.templates)


def test_who_asks_again_after_a_refusal_goes_on_with_a_connection(tmp_path: Path) -> None:
    said = [(False, "S", b""), (True, "RA", b"")]
    _, headers = learnt_from(tmp_path / "learnt.pcap", said * 3)
    assert [len(ending.kinds) for ending in headers.endings] == [len(said * 3)]


def test_pings_are_answered_by_whom_they_went_to(tmp_path: Path) -> None:
    """Without ports, they and errors look like one conversation."""
    there, here = Ether(src=OWN, dst=OTHER), Ether(src=OTHER, dst=OWN)
    lost = IP(src="10.0.0.2", dst="192.0.2.50") / UDP(sport=9, dport=9)
    packets = [here / IP(src="192.0.2.77", dst="10.0.0.2") / ICMP(type=3, code=13) / lost]
    for host, identity in (("192.0.2.3", 7), ("10.0.0.1", 8)):
        for number in range(3):
            echo = {"id": identity, "seq": number}
            said = f"{host} {number}".encode().ljust(40)
            packets += [
                there / IP(src="10.0.0.2", dst=host) / ICMP(type=8, **echo) / said,
                here / IP(src=host, dst="10.0.0.2", ttl=52) / ICMP(type=0, **echo) / said,
            ]
    traces, headers = learnt_of(packets, tmp_path / "device.pcap")
    path = tmp_path / "honeydata.pcap"
    stream(headers, traces, path)
    error, *echoes = frames_in(path)
    assert error[26:30] not in {frame[30:34] for frame in echoes}
    for asked, answered in zip(echoes[::2], echoes[1::2], strict=True):
        assert asked[30:34] == answered[26:30]
        assert asked[38:42] == answered[38:42]
    assert len({asked[30:34] for asked in echoes[::2]}) == 2
    assert len({asked[38:40] for asked in echoes[::2]}) == 2


def test_one_machine_opens_all_connections_of_a_session(tmp_path: Path) -> None:
    """Another may have its address in another capture; its SYNs have another window."""
    paths = []
    for capture, window in enumerate((14_600, 65_535)):
        packets = []
        for number in range(20):
            out = {"sport": 20_000 + number, "dport": (80, 443)[number % 2]}
            syn = TCP(**out, flags="S", window=window)
            packets.append(Ether(src=OWN, dst=OTHER) / IP(src="10.0.0.2", dst="192.0.2.3") / syn)
            packets[-1].time = capture * 1000 + number
        paths.append(tmp_path / f"{capture}.pcap")
        wrpcap(str(paths[-1]), packets)
    traces = read_captures(paths, OWN, cache=None)
    headers = learn_headers(read_frames(paths, traces))
    assert headers is not None
    shown = set()
    for seed in range(8):
        path = tmp_path / "honeydata.pcap"
        stream(headers, traces[:1], path, seed=seed)
        windows = {frame[48:50] for frame in frames_in(path)}
        assert len(windows) == 1
        shown |= windows
    assert len(shown) == 2


def test_transaction_ids_of_leases_stay_if_they_recur(tmp_path: Path) -> None:
    options = [("message-type", "discover"), "end"]

    def capture(name: str, ids: Sequence[int]) -> Path:
        broadcast = Ether(src=OWN, dst="ff:ff:ff:ff:ff:ff") / IP(dst="255.255.255.255")
        packets = [
            broadcast / UDP(sport=68, dport=67) / BOOTP(xid=each) / DHCP(options=options)
            for each in ids
        ]
        wrpcap(str(tmp_path / name), packets)
        return tmp_path / name

    ids = 0xABCD0001, 0xABCD0002
    for others, stay in ((ids, True), ((3, 4), False)):
        paths = [capture("a.pcap", ids), capture("b.pcap", others)]
        traces = read_captures(paths, OWN, cache=None)
        headers = learn_headers(read_frames(paths, traces))
        assert headers is not None
        path = tmp_path / "honeydata.pcap"
        stream(headers, traces[:1], path)
        found = [int.from_bytes(frame[46:50]) for frame in frames_in(path)]
        assert (found == [*ids]) == stay
