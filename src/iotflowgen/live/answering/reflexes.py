"""How a device answers who asks it, learnt from its captures: headers and delays.

Shapes: P captured packets.
"""

from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from iotflowgen.recording import Packets, Recording
from iotflowgen.wire import ACK, RST, SYN, dst_port, src_port, tcp_flags, tcp_window
from iotflowgen.wire.arrays import Flags, Integers
from iotflowgen.wire.layers import ARP, ICMP, ICMP6, ip_id, ttl

__all__ = ["OpenPort", "Reflexes", "learn_reflexes"]

_EPHEMERAL: Final = 32_768
"""The first port that Linux gives to who asks for any; others begin at 49,152 (RFC 6056)."""
_SOON_NS: Final = 10**9
"""An answer comes before."""
_MOST_DELAYS: Final = 64
_USUAL_DELAYS: Final = (300_000, 700_000, 1_500_000)
"""Where a device was never seen to answer, nanoseconds."""


class OpenPort(BaseModel):
    """What a device says first to who connects."""

    model_config = ConfigDict(frozen=True)

    window: int
    """As it is said, without scale."""
    options: str
    """Of TCP, as they stand in SYN, ACK: hexadecimal."""


class Reflexes(BaseModel):
    """How a device answers."""

    model_config = ConfigDict(frozen=True)

    ttl: int = 64
    """Time to live of what it sends to one host."""
    keeps_whole: bool = True
    """It asks routers not to fragment (IPv4's DF)."""
    counts_ids: bool = False
    """Its IP IDs go on from one answer to the next; otherwise they are 0."""
    arp_size: int = 60
    """Bytes of a frame with ARP."""
    tcp_ports: dict[int, OpenPort] = {}
    """Ports on which it was seen to accept connections."""
    udp_ports: tuple[int, ...] = ()
    """Ports from which it was seen to send, which are open therefore."""
    delays_ns: dict[str, tuple[int, ...]] = {}
    """How long it takes to answer `arp`, `icmp`, `icmp6` and `tcp`, as often as that was seen."""


def learn_reflexes(recording: Recording) -> Reflexes:
    """Learn how a device answers from its captured packets."""
    packets = recording.packets
    frames, layers, out = packets.frames, packets.layers, packets.outgoing
    flags = tcp_flags(frames, layers)
    is_one = frames.number(0, 1) & 1 == 0
    own = out & is_one & layers.is_ip4 & (layers.is_tcp | (layers.protocol == ICMP))
    accepts = out & layers.is_ip4 & (flags & (SYN | ACK | RST) == SYN | ACK)
    answers = accepts | (out & layers.is_ip4 & (flags & RST != 0))
    sends = out & layers.is_udp & (src_port(frames, layers) < _EPHEMERAL)
    found = {
        "ttl": _usual(ttl(frames, layers)[own], 64),
        "keeps_whole": bool(_usual(frames.number(layers.network + 6, 1)[own] >> 6 & 1, 1)),
        "counts_ids": bool(ip_id(frames, layers)[answers].any()),
        "arp_size": _usual(frames.size[out & (layers.ethertype == ARP)], 60),
        "tcp_ports": _open_ports(packets, np.flatnonzero(accepts)),
        "udp_ports": tuple(np.unique(src_port(frames, layers)[sends]).tolist()),
        "delays_ns": _delays(packets, flags),
    }
    return Reflexes.model_validate(found)


def _usual(values: Integers, otherwise: int) -> int:
    """The most frequent one."""
    if not len(values):
        return otherwise
    seen, count = np.unique(values, return_counts=True)
    return int(seen[np.argmax(count)])


def _open_ports(packets: Packets, accepts: Integers) -> dict[int, OpenPort]:
    frames, layers = packets.frames, packets.layers
    port, window = src_port(frames, layers), tcp_window(frames, layers)
    found = {}
    for i in accepts.tolist():
        options = frames[i][int(layers.transport[i]) + 20 : int(layers.payload[i])]
        found[int(port[i])] = OpenPort(window=int(window[i]), options=options.hex())
    return found


def _delays(packets: Packets, flags: Integers) -> dict[str, tuple[int, ...]]:
    """Between what asks and what answers, by kind, nanoseconds in rising order."""
    frames, layers, out = packets.frames, packets.layers, packets.outgoing
    kind = frames.number(layers.transport, 1)
    operation = frames.number(layers.network + 6, 2)
    is_arp, is_icmp = layers.ethertype == ARP, layers.protocol == ICMP
    is_icmp6 = layers.protocol == ICMP6
    peer = np.where(out, dst_port(frames, layers), src_port(frames, layers))
    nobody = np.zeros(len(packets), np.int64)
    pairs = {
        "arp": (is_arp & (operation == 1), is_arp & (operation == 2), nobody),
        "icmp": (is_icmp & (kind == 8), is_icmp & (kind == 0), nobody),
        "icmp6": (
            is_icmp6 & ((kind == 128) | (kind == 135)),
            is_icmp6 & ((kind == 129) | (kind == 136)),
            nobody,
        ),
        "tcp": (flags == SYN, (flags & SYN | flags & RST) != 0, peer),
    }
    found = {
        name: _between(packets, asks & ~out, answers & out, whom)
        for name, (asks, answers, whom) in pairs.items()
    }
    seen = sorted(delay for each in found.values() for delay in each) or [*_USUAL_DELAYS]
    return {name: tuple((each or seen)[:_MOST_DELAYS]) for name, each in found.items()}


def _between(packets: Packets, asks: Flags, answers: Flags, whom: Integers) -> list[int]:
    """Nanoseconds from the last question of the same capture and peer to each answer, sorted."""
    asked: dict[tuple[int, int], int] = {}
    found = []
    for i in np.flatnonzero(asks | answers).tolist():
        key = int(packets.session[i]), int(whom[i])
        if asks[i]:
            asked[key] = int(packets.time_ns[i])
        elif key in asked:
            found.append(int(packets.time_ns[i]) - asked.pop(key))
    return sorted(delay for delay in found if 0 < delay < _SOON_NS)
