"""Frames that are damaged, cut short and made up."""

import random

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, LLC, SNAP, Dot1Q, Ether

from iotflowgen.wire.pcap import read_records

TCP_OPTIONS = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (7, 9)), ("NOP", 0), ("WScale", 7)]
WHOLE = [
    Ether() / IP(id=258, ttl=9) / TCP(sport=80, flags="PA", options=TCP_OPTIONS) / b"hello",
    Ether() / IP() / TCP(flags="A", options=[("SAck", (1, 2, 3, 4)), ("NOP", 0)]),
    Ether() / IP(options=[b"\x94\x04\0\0"]) / UDP(sport=53) / b"odd",
    Ether() / Dot1Q(vlan=3) / Dot1Q(vlan=4) / IP() / ICMP() / b"ping",
    Ether() / IP(flags="MF") / UDP() / b"fragment",
    Ether() / IP(frag=3, proto=17) / b"the rest",
    Ether() / IPv6(hlim=3) / UDP() / b"six",
    Ether() / IPv6() / IPv6ExtHdrHopByHop() / ICMPv6EchoRequest(data=b"abc"),
    Ether() / IPv6() / TCP(options=TCP_OPTIONS),
    Ether() / ARP() / bytes(18),
    Ether(type=40) / LLC() / SNAP(code=0x0800) / IP() / UDP() / b"snap",
    Ether(type=7) / LLC(dsap=66, ssap=66, ctrl=3) / bytes(40),
    Ether(type=0x888E) / b"\1\3\0\5hello padding",
]
STARTS = (
    b"\x08\0\x45",
    b"\x86\xdd",
    b"\0\x10\xaa\xaa\x03\0\0\0\x08\0",
    b"\x88\x8e",
    b"\x08\x06",
    b"\0\4",
    b"",
)
TAGS = (b"\x81\0\0\0", b"\x88\xa8\0\1", b"")


def whole_frames(repository):
    """Frames as Scapy builds them, and those of samples."""
    frames = [bytes(frame) for frame in WHOLE]
    for name in ("camera/camera-01.pcap.gz", "plug/plug-01.pcapng"):
        records = read_records(repository / "samples" / name)
        frames += [records.frames[i] for i in range(min(400, len(records.frames)))]
    return frames


def damaged(frame, draws):
    """Some bytes of its headers are others, and it may be cut short."""
    data = bytearray(frame)
    for _ in range(draws.randrange(4)):
        data[draws.randrange(min(len(data), 60))] = draws.choice([0, 1, 5, 6, 17, 43, 58, 255])
    return bytes(data[: draws.randrange(len(data) + 1)] if draws.random() < 0.5 else data)


def made_up(draws):
    """What begins like a header and goes on with anything."""
    tags = b"".join(draws.choices(TAGS, k=2))
    rest = (draws.choice([0, 6, 17, 43, 58, draws.randrange(256)]) for _ in range(90))
    frame = draws.randbytes(12) + tags + draws.choice(STARTS) + bytes(rest)
    return frame[: draws.randrange(len(frame) + 1)]


def all_frames(repository, seed=1):
    draws = random.Random(seed)
    frames = whole_frames(repository)
    return [
        *frames,
        *(damaged(draws.choice(frames), draws) for _ in range(4000)),
        *(made_up(draws) for _ in range(4000)),
        b"",
    ]
