"""Time to live, or hop limit, of what peers send, as a codec (RFC 791, 8200).

Routes differ between captures, and a session combines several. All packets of a host in a session
have one time to live, except packets that differed from its others when captured, as the SYNs of
some systems do. The device's own packets keep the captured one.

Shapes: P captured packets; E packets of a block.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.hosts.addresses import ip_address
from iotflowgen.packets.memory import Memory
from iotflowgen.packets.noise import Noise, mixed
from iotflowgen.recording import Groups, Packets, Recording
from iotflowgen.wire.arrays import Flags, Integers
from iotflowgen.wire.layers import ttl

__all__ = ["TimesToLive"]


class TimesToLive:
    """One of each host in a session, and how far single packets are off it."""

    name: ClassVar[str] = "times_to_live"

    def __init__(self, recording: Recording) -> None:
        """Take the references of all packets (P)."""
        self._off = recording.of(self.name)["off"]

    @staticmethod
    def encode(packets: Packets) -> dict[str, NDArray[Any]]:
        """`off` (P): from the usual one of its sender in the capture, which stays in frames."""
        return {"off": _take_out(packets).astype(np.int16)}

    def decode(self, packets: Packets, memory: Memory, noise: Noise) -> None:  # noqa: ARG002
        """Write the times to live of new packets, by who sends them by now."""
        peers = packets.news.take(_is_of_peer(packets.news))
        left, key = ttl(peers.frames, peers.layers), _way(peers)
        ways = Groups(key)
        firsts = np.flatnonzero(ways.is_first)
        left[firsts] = memory.recall("way.ttl", key[firsts], left[firsts])
        memory.keep("way.ttl", key[firsts], left[firsts])
        left = left[ways.latest(ways.is_first)] + self._off[peers.source]
        peers.frames.put(_ttl_at(peers), 1, np.clip(left, 1, 255))


def _ttl_at(packets: Packets) -> Integers:
    """Where it stands in packets (P) of IP."""
    at: Integers = packets.layers.network + np.where(packets.layers.is_ip4, 8, 7)
    return at


def _is_of_peer(packets: Packets) -> Flags:
    """Whether packets (P) of IP come from somebody, and are for the device alone."""
    is_ip = packets.layers.is_ip4 | packets.layers.is_ip6
    is_one: Flags = is_ip & ~packets.outgoing & (packets.frames.number(0, 1) & 1 == 0)
    return is_one


def _way(packets: Packets) -> Integers:
    """Whose packets (P) come the same way: those of a host in a session."""
    kind = 2 * packets.layers.protocol + packets.layers.is_ip6
    return mixed(packets.session, kind, ip_address(packets, is_src=True))


def _take_out(packets: Packets) -> Integers:
    """Leave in all packets (P) of a way the most frequent time to live; how far each is off it."""
    off = np.zeros(len(packets), dtype=np.int64)
    which = np.flatnonzero(_is_of_peer(packets))
    peers = packets.take(which)
    at, left = _ttl_at(peers), ttl(peers.frames, peers.layers)
    way = Groups(_way(peers)).number
    pairs, count = np.unique((way << 8) + left, return_counts=True)
    pairs = pairs[np.argsort(count, kind="stable")]
    usual = np.zeros(int(way.max(initial=-1)) + 1, dtype=np.int64)
    # of what is assigned twice, the last stays
    usual[pairs >> 8] = pairs & 0xFF
    peers.frames.put(at, 1, usual[way])
    off[which] = left - usual[way]
    return off
