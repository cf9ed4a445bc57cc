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

_ADDRESSES = {4: (12, 4), 6: (8, 16)}
"""Where IPv4 and IPv6 have their two addresses, and of how many bytes each."""


def find_flows(frames: Frames, layers: Layers, capture: Integers, outgoing: Flags) -> Integers:
    """The number of each packet's flow, from 0 on (P); -1 of what has no ports.

    Args:
        frames: All packets, those of a capture in the order of time.
        layers: Of these frames.
        capture: Which capture each is of (P).
        outgoing: Whether the device sent it (P).
    """
    endpoints = np.zeros((len(frames), 2, 18), dtype=np.uint8)
    for version, (at, size) in _ADDRESSES.items():
        has = np.flatnonzero(layers.is_ip4 if version == 4 else layers.is_ip6)
        network = layers.network[has]
        for end in (0, 1):
            found = frames.take(has).bytes_at(network + at + end * size, size)
            endpoints[has, end, :size] = found
    ports = np.stack([src_port(frames, layers), dst_port(frames, layers)], axis=1)
    endpoints[:, :, 16:] = ports.astype(">u2")[:, :, None].view(np.uint8)
    # the device's end first
    endpoints[~outgoing] = endpoints[~outgoing, ::-1]
    _, pair = np.unique(endpoints.reshape(len(frames), -1), axis=0, return_inverse=True)
    key = (capture * (int(pair.max(initial=0)) + 1) + pair.ravel()) * 256 + layers.protocol
    key = np.where(layers.has_ports, key, -1)
    groups = Groups(key)
    opens = layers.is_tcp & (tcp_flags(frames, layers) & (SYN | ACK) == SYN)
    initial = np.where(opens, tcp_sequence(frames, layers), -1)
    before = groups.latest(opens)
    before = groups.previous(before, -1)
    again = (before >= 0) & (initial[before] == initial)
    begun = groups.sum((opens & ~again).astype(np.int64))
    _, flow = np.unique(np.stack([groups.number, begun]), axis=1, return_inverse=True)
    _, flow = np.unique(np.where(key < 0, -1, flow.ravel()), return_inverse=True)
    return flow.ravel() - bool((key < 0).any())
