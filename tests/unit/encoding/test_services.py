"""Ports of services, in one capture and in several."""

import numpy as np

from iotflowgen.encoding.services import find_services
from iotflowgen.traffic import Trace, protocol_mask

_TCP, _UDP = protocol_mask(["ip", "tcp"]), protocol_mask(["ip", "udp"])


def capture(*packets: tuple[str, int, int]) -> Trace:
    """Of packets `tcp>`, from a port of the device to a peer's, or `udp<`, the other way."""
    count = len(packets)
    return Trace(
        name="c",
        time_ns=np.arange(count),
        length=np.full(count, 60, np.int32),
        outgoing=np.array([kind.endswith(">") for kind, _, _ in packets]),
        src_port=np.array([source for _, source, _ in packets], np.int32),
        dst_port=np.array([destination for _, _, destination in packets], np.int32),
        protocols=np.array([_TCP if "tcp" in k else _UDP for k, _, _ in packets], np.uint16),
        tcp_payload=np.zeros(count, np.int32),
    )


def test_who_is_asked_is_a_service_and_who_asks_is_none() -> None:
    one = capture(("tcp>", 50123, 1883), ("tcp<", 1883, 50123), ("tcp<", 41000, 49152))
    assert find_services([one]) == {1883, 49152}


def test_of_several_captures_one_is_enough_for_a_port_that_has_a_name() -> None:
    captures = [capture(("tcp>", 50000 + n, 443), ("udp>", 40000 + n, 20000 + n)) for n in range(9)]
    assert find_services([*captures, capture(("tcp>", 50123, 1883))]) == {443, 1883}


def test_a_port_without_a_name_is_one_that_several_ask() -> None:
    captures = [capture(("udp>", 40000 + n, 30000 + n)) for n in range(5)]
    asked = capture(("udp>", 40100, 9876), ("udp>", 40101, 9876))
    assert find_services([*captures, asked]) == {9876}


def test_ports_that_other_captures_show_otherwise_are_of_a_connection() -> None:
    captures = [capture(("tcp>", 50000 + n, 443), ("tcp<", 443, 50000 + n)) for n in range(3)]
    passive = [capture(("tcp>", 50200 + n, 443), ("tcp>", 51000 + n, 60000 + n)) for n in range(3)]
    assert find_services([*captures, *passive]) == {443}


def test_a_client_whose_port_has_a_name_by_chance_is_none() -> None:
    captures = [capture(("tcp>", 3306, 443), ("tcp<", 443, 3306), ("tcp>", 3307, 443))]
    assert find_services(captures) == {443}
