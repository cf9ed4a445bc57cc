"""Which flow each captured packet belongs to.

Packets of one flow share capture, protocol and both endpoints, in either direction. A TCP flow ends
where the next connection begins: at a SYN with another initial sequence number (RFC 9293, section
3.4.1), so that reused ports are told apart.

Shapes: P packets.
"""

import numpy as np

from iotflowgen.recording.groups import Groups
from iotflowgen.wire import ACK, SYN, Frames, Layers, dst_port, src_port, tcp_flags, tcp_sequence
from iotflowgen.wire.arrays import Flags, Integers

__all__ = ["find_flows"]


def find_flows(frames: Frames, layers: Layers, capture: Integers, outgoing: Flags) -> Integers:
    """The number of each packet's flow, from 0 on (P); -1 of what has no ports.

    Args:
        frames: All packets, those of a capture in the order of time.
        layers: Of these frames.
        capture: Which capture each is of (P).
        outgoing: Whether the device sent it (P).
    """
    source, destination = _endpoints(frames, layers)
    # the device's end first
    own, other = np.where(outgoing, (source, destination), (destination, source))
    _, pair = np.unique(own * (int(other.max(initial=0)) + 1) + other, return_inverse=True)
    key = (capture * (int(pair.max(initial=0)) + 1) + pair) * 256 + layers.protocol
    key = np.where(layers.has_ports, key, -1)
    groups = Groups(key)
    opens = layers.is_tcp & (tcp_flags(frames, layers) & (SYN | ACK) == SYN)
    initial = np.where(opens, tcp_sequence(frames, layers), -1)
    before = groups.latest(opens)
    before = groups.previous(before, -1)
    again = (before >= 0) & (initial[before] == initial)
    begun = groups.sum((opens & ~again).astype(np.int64))
    flow = groups.number * (int(begun.max(initial=0)) + 1) + begun
    _, flow = np.unique(np.where(key < 0, -1, flow), return_inverse=True)
    return flow - bool((key < 0).any())


def _endpoints(frames: Frames, layers: Layers) -> Integers:
    """A number for the address and port of each end (2, P): of senders, of receivers."""
    ports = np.stack([src_port(frames, layers), dst_port(frames, layers)])
    # by the halves of addresses, one after the other: sorting rows of bytes takes far longer
    number = np.zeros(2 * len(frames), np.int64)
    for half in (0, 1):
        words = np.zeros((2, len(frames)), np.uint64)
        for is_it, first, size in ((layers.is_ip4, 12, 4), (layers.is_ip6, 8, 16)):
            has = np.flatnonzero(is_it)
            some, at = frames.take(has), layers.network[has] + first
            for end in (0, 1):
                if size == 16:
                    words[end, has] = some.number(at + end * size + half * 8, 8).view(np.uint64)
                elif half == 0:
                    words[end, has] = some.number(at + end * size, 4) << 32
        values, which = np.unique(words, return_inverse=True)
        number = number * len(values) + which.ravel()
    numbers: Integers = np.unique((number << 16) | ports.ravel(), return_inverse=True)[1]
    return numbers.reshape(2, -1)
