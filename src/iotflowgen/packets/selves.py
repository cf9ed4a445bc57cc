"""Addresses of the device that are others than itself: who has such a one has a clock of its own.

A device that is set up over a network of its own speaks there under another address, mostly with
the clock that it has. But it may also pass on what a phone says, which then comes from its MAC
address and counts as the phone does.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from iotflowgen.packets.captured import Packet
from iotflowgen.packets.clocks import are_one
from iotflowgen.packets.identifiers import is_host
from iotflowgen.packets.layout import TIMESTAMPS, option_at

__all__ = ["addresses_apart"]


def addresses_apart(
    captures: Sequence[Sequence[Packet]], own: Iterable[tuple[str, str]]
) -> list[list[str]]:
    """The device's IPv4 addresses with clocks of their own, a list a network.

    Args:
        captures: Packets in order.
        own: MAC and IP addresses that the device sends from, the most common first.
    """
    networks: defaultdict[str, list[str]] = defaultdict(list)
    for _, ip in own:
        if "." in ip and is_host(ip):
            networks[ip.rpartition(".")[0]].append(ip)
    if len(networks) < 2:
        return []
    home, *others = ([_times(packets, ips) for packets in captures] for ips in networks.values())
    found = zip([*networks.values()][1:], others, strict=True)
    return [ips for ips, times in found if not are_one(home, times)]


def _times(packets: Sequence[Packet], ips: Sequence[str]) -> list[tuple[int, int]]:
    """When TCP timestamps from some addresses passed, and what they said."""
    return [
        (packet.time_ns, int.from_bytes(packet.frame[at : at + 4]))
        for packet in packets
        if packet.outgoing
        and packet.layout.protocol == 6
        and (at := option_at(packet.frame, packet.layout, TIMESTAMPS))
        and packet.addresses[0] in ips
    ]
