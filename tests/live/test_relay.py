"""What passes between a network and a decoy's namespace, with a socket in the place of its TAP."""

import socket
import struct
import time
from types import SimpleNamespace

import pytest

from iotflowgen.errors import ArgumentError
from iotflowgen.live.answering.headers import with_checksum
from iotflowgen.live.emitting.guard import Host
from iotflowgen.live.handover.relay import Relay
from iotflowgen.live.home import read_home

DECOY = Host(bytes.fromhex("02aabbccdd01"), bytes([192, 168, 20, 31]))
PEER = Host(bytes.fromhex("02aabbccdd77"), bytes([192, 168, 20, 77]))
OTHER = Host(bytes.fromhex("02aabbccdd78"), bytes([192, 168, 20, 78]))
GATEWAY_MAC = bytes.fromhex("02005e100001")
TCP, UDP, ICMP = 6, 17, 1
SYN, RST, ACK = 2, 4, 16
DELAY_NS = 400_000_000
NO_SUMS_MISSING = bytes(10)


def packet(source, target, protocol, body, fragment=0x4000):
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 7, fragment, 64, protocol, 0)
    header = with_checksum(header + source.ip + target.ip, 10)
    return target.mac + source.mac + b"\x08\x00" + header + body


def tcp(source, target, ports, flags=ACK):
    body = struct.pack("!HHIIBBHHH", *ports, 1, 1, 0x50, flags, 1000, 0, 0)
    return packet(source, target, TCP, body)


def udp(source, target, ports, **how):
    return packet(source, target, UDP, struct.pack("!HHHH", *ports, 12, 0) + b"ping", **how)


def arp(target, operation=1):
    head = b"\xff" * 6 + DECOY.mac + b"\x08\x06" + bytes.fromhex("0001080006040001")[:-1]
    return head + bytes([operation]) + DECOY.mac + DECOY.ip + bytes(6) + target


@pytest.fixture
def space():
    """The namespace's end of a TAP, and what relays at the other."""
    ours, theirs = socket.socketpair(type=socket.SOCK_DGRAM)
    ours.settimeout(0.1)
    theirs.setblocking(False)
    with ours, theirs:
        ports = ("443/tcp", "161/udp")
        relay = Relay(DECOY, ports, GATEWAY_MAC, theirs.fileno(), delays_ns=[DELAY_NS])
        yield SimpleNamespace(relay=relay, send=ours.send, recv=ours.recv)


def ask(space, frame):
    assert space.relay.takes(frame)
    space.relay.put(frame, checks=True)


def says(space, frame):
    """What leaves of what the namespace sends."""
    space.send(NO_SUMS_MISSING + frame)
    return space.relay.take()


def test_only_ports_that_are_handed_over_are_heard(space):
    takes = space.relay.takes
    assert takes(tcp(PEER, DECOY, (5000, 443)))
    assert takes(udp(PEER, DECOY, (5000, 161)))
    assert not takes(tcp(PEER, DECOY, (5000, 161)))
    assert not takes(udp(PEER, DECOY, (5000, 443)))
    assert not takes(tcp(PEER, DECOY, (443, 5000)))
    assert not takes(tcp(PEER, OTHER, (5000, 443)))
    # a piece, of which none but the first has ports
    assert not takes(udp(PEER, DECOY, (5000, 161), fragment=0x2000))
    assert not takes(udp(PEER, DECOY, (5000, 161), fragment=0x0010))
    for size in range(60):
        assert takes(tcp(PEER, DECOY, (5000, 443))[:size]) in (True, False)


def test_errors_about_what_servers_have_said_are_heard(space):
    def unreachable(quoted):
        return packet(PEER, DECOY, ICMP, b"\3\3\0\0\0\0\0\0" + quoted[14:42])

    assert space.relay.takes(unreachable(udp(DECOY, PEER, (161, 5000))))
    assert not space.relay.takes(unreachable(udp(DECOY, PEER, (162, 5000))))
    assert not space.relay.takes(packet(PEER, DECOY, ICMP, b"\x08\0\0\0\0\1\0\1"))


def test_only_answers_from_such_ports_leave(space):
    ask(space, tcp(PEER, DECOY, (5000, 443)))
    answer = tcp(DECOY, PEER, (443, 5000))
    assert says(space, answer) == answer
    # back where it came from, although the kernel says the gateway
    assert says(space, GATEWAY_MAC + answer[6:]) == answer
    for frame in (
        tcp(DECOY, PEER, (444, 5000), RST),
        tcp(DECOY, OTHER, (443, 5000)),
        tcp(OTHER, PEER, (443, 5000)),
        udp(DECOY, PEER, (443, 5000)),
        packet(DECOY, PEER, ICMP, b"\3\3\0\0\0\0\0\0" + udp(PEER, DECOY, (5, 161))[14:42]),
        bytes.fromhex("333300000016") + DECOY.mac + b"\x86\xdd" + bytes(60),
        arp(PEER.ip, operation=2),
        b"",
    ):
        assert says(space, frame) is None, frame.hex(" ")


def test_arp_is_answered_within_and_heard_by_nobody(space):
    ask(space, udp(PEER, DECOY, (5000, 161)))
    space.relay.deliver()
    space.recv(100)
    for target, mac in ((PEER.ip, PEER.mac), (bytes([192, 168, 20, 1]), GATEWAY_MAC)):
        assert says(space, arp(target)) is None
        answer = space.recv(100)[10:]
        assert answer[:14] == DECOY.mac + mac + b"\x08\x06"
        assert answer[20:32] == b"\0\2" + mac + target
        assert answer[32:42] == DECOY.mac + DECOY.ip


def test_who_connects_is_heard_as_late_as_by_the_device_and_in_order(space):
    first = tcp(PEER, DECOY, (5000, 443), SYN)
    second = udp(OTHER, DECOY, (5000, 161))
    begun_ns = time.monotonic_ns()
    for frame in (first, second):
        ask(space, frame)
    assert DELAY_NS <= space.relay.due_ns - begun_ns < 2 * DELAY_NS
    space.relay.deliver()
    with pytest.raises(TimeoutError):
        space.recv(100)
    time.sleep(DELAY_NS / 1e9)
    space.relay.deliver()
    assert [space.recv(100)[10:] for _ in range(2)] == [first, second]


def test_sums_that_a_kernel_has_left_out_are_left_to_be_made(space):
    frame = tcp(PEER, DECOY, (5000, 443))
    space.relay.put(frame, checks=False)
    space.relay.deliver()
    # virtio's flag, no segments, and where the sum begins and is
    assert space.recv(100) == struct.pack("=BBHHHH", 1, 0, 0, 0, 34, 16) + frame


@pytest.mark.parametrize("port", ["443", "0/tcp", "65536/udp", "x/tcp", "443/sctp", "-1/tcp"])
def test_what_is_no_port_is_said(tmp_path, port):
    home = tmp_path / "home.toml"
    home.write_text(f'[[decoys]]\nname = "a"\nmodel = "a.model"\nports = ["{port}"]\n')
    with pytest.raises(ArgumentError, match=f"{port} is no port; say it as 443/tcp"):
        read_home(home)
