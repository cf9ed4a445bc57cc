import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.packets.fuzz.stacks import STACKS, Features, nearest_stack, why_not
from iotflowgen.traffic import protocol_mask


def nearest(names: str, length: int, src_port: int = 0, dst_port: int = 0) -> str:
    """The layers that are taken for `names`."""
    packet = Features(length, True, src_port, dst_port, protocol_mask(names.split()))
    layers = nearest_stack(packet, lambda _: None).layers
    return " ".join(layers).removeprefix("ethernet ")


def test_every_configuration_is_shown_by_one_stack() -> None:
    assert len({stack.protocols for stack in STACKS}) == len(STACKS) == 52


@pytest.mark.parametrize(
    ("names", "length", "ports", "layers"),
    [
        ("ip tcp https", 200, (50000, 443), "ip tcp https"),
        ("ip tcp https", 200, (50000, 50443), "ip tcp https"),
        ("ip udp dhcp bootp", 342, (68, 67), "ip udp dhcp"),
        ("udp mdns", 200, (5353, 5353), "ipv6 udp mdns"),
        ("llc ip udp", 200, (4444, 4445), "snap ip udp"),
        ("llc", 20, (0, 0), "llc"),
        ("", 100, (0, 0), "unknown"),
    ],
)
def test_what_a_header_can_show_is_taken(
    names: str, length: int, ports: tuple[int, int], layers: str
) -> None:
    assert nearest(names, length, *ports) == layers


@pytest.mark.parametrize(
    ("names", "length", "ports", "layers"),
    [
        ("ip tcp udp dns", 80, (50000, 53), "ip udp dns"),  # not two transports
        ("ip udp https", 200, (50000, 443), "ip udp"),  # TLS is not over UDP
        ("ip http", 200, (50000, 80), "ip tcp http"),  # ports need a transport
        ("ip http", 200, (0, 0), "ip"),
        ("ip udp ntp", 90, (123, 40000), "ip udp ntp"),
        ("ip udp ntp", 90, (40000, 4444), "ip udp"),  # its port alone tells NTP
        ("ip tcp http", 56, (50000, 80), "ip tcp"),  # no message is that short
        ("ip tcp", 50, (50000, 80), "ip"),  # the length is sacred, the transport is not
        ("ip tcp", 20, (50000, 80), "unknown"),
    ],
)
def test_the_nearest_is_taken_for_what_no_header_shows(
    names: str, length: int, ports: tuple[int, int], layers: str
) -> None:
    assert nearest(names, length, *ports) == layers


def test_a_connection_that_is_known_shows_the_shortest_rest_of_a_message() -> None:
    packet = Features(55, True, 50000, 50443, protocol_mask(["ip", "tcp", "https"]))
    assert nearest_stack(packet, lambda _: None).top == "tcp"
    known = {("ip", "tcp"): "https"}
    assert nearest_stack(packet, known.get).top == "https"


@pytest.mark.parametrize(
    ("names", "length", "dst_port", "reason"),
    [
        ("ip tcp udp", 100, 80, "no header shows it"),
        ("ip tcp http", 54, 80, "the frame is too short"),
        ("ip tcp http", 200, 22, "the ports are another protocol's"),
    ],
)
def test_the_reason_is_named(names: str, length: int, dst_port: int, reason: str) -> None:
    packet = Features(length, True, 50000, dst_port, protocol_mask(names.split()))
    assert why_not(packet) == reason


@given(st.builds(Features, st.integers(14, 70_000), st.booleans(), *[st.integers(0, 65_535)] * 3))
def test_there_is_always_a_stack_that_fits(packet: Features) -> None:
    assert nearest_stack(packet, lambda _: None).headers <= packet.length
