"""The IP addresses of the two ends of packets, a number each.

Shapes: P packets.
"""

import numpy as np

from iotflowgen.packets.noise import mixed
from iotflowgen.recording import Packets
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["address_at", "ip_address"]


def address_at(packets: Packets, is_src: Flags | bool) -> Integers:
    """Where the address of one end stands in packets (P) of IP: the sender's, or the receiver's."""
    is_ip6 = packets.layers.is_ip6
    first, width = np.where(is_ip6, 8, 12), np.where(is_ip6, 16, 4)
    at: Integers = packets.layers.network + first + np.where(is_src, 0, width)
    return at


def ip_address(packets: Packets, is_src: Flags | bool) -> Integers:
    """The address of one end (P): of IPv4 itself, of IPv6 a number for it; 0 of none."""
    frames, layers, at = packets.frames, packets.layers, address_at(packets, is_src)
    address = np.where(layers.is_ip4, frames.number(at, 4), 0)
    some = np.flatnonzero(layers.is_ip6)
    if len(some):
        frames, at = frames.take(some), at[some]
        address[some] = mixed(frames.number(at, 8), frames.number(at + 8, 8))
    return address
