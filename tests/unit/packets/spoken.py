"""A capture of one TCP connection, from what its two ends say."""

from collections.abc import Sequence
from pathlib import Path

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.utils import wrpcap

from iotflowgen.capture import read_captures, read_frames
from iotflowgen.packets import Headers, learn_headers
from iotflowgen.traffic import Trace

__all__ = ["AGAIN", "OPENING", "PROBE", "learnt_from", "learnt_from_packets", "segment"]

_MACS = "02:00:00:00:00:03", "02:00:00:00:00:02"
_ADDRESSES = "192.0.2.3", "10.0.0.2"
"""Of the peer, and of the device."""

OPENING = ((True, "S", b""), (False, "SA", b""), (True, "A", b""))
PROBE, AGAIN = "probe", "again"
"""Instead of flags: asks whether the other end is alive, or says what was said last."""


def learnt_from(
    path: Path, said: Sequence[tuple[bool, str, bytes]], port: int = 9999
) -> tuple[Trace, Headers]:
    """Write a capture and learn from it.

    Args:
        path: Of the capture.
        said: Whether the device sends a segment, its flags, and its payload; a millisecond apart.
        port: Of the peer.
    """
    ports, next_, packets = (port, 40_000), [1000, 5000], []
    for place, (outgoing, flags, payload) in enumerate(said):
        if flags == AGAIN:
            # an end's last segment with payload
            said_last = (p for p in reversed(packets) if p.sport == ports[outgoing] and Raw in p)
            packets.append(next(p for p in said_last if p[Raw].load).copy())
            packets[-1].time = place / 1000
            continue
        sequence = next_[outgoing] - (flags == PROBE)
        acknowledged = 0 if flags == "S" else next_[not outgoing]
        flag = "A" if flags == PROBE else flags
        packets.append(segment(outgoing, flag, sequence, acknowledged, payload, ports=ports))
        packets[-1].time = place / 1000
        next_[outgoing] += len(payload) + ("S" in flags) + ("F" in flags)
    return learnt_from_packets(path, packets)


def segment(
    outgoing: bool,
    flags: str,
    sequence: int,
    acknowledged: int,
    payload: bytes = b"",
    *,
    ports: tuple[int, int] = (9999, 40_000),
    block: tuple[int, int] | None = None,
) -> Packet:
    """A segment between peer and device, perhaps with a block of selective acknowledgment."""
    return (
        Ether(src=_MACS[outgoing], dst=_MACS[not outgoing])
        / IP(src=_ADDRESSES[outgoing], dst=_ADDRESSES[not outgoing])
        / TCP(
            sport=ports[outgoing],
            dport=ports[not outgoing],
            flags=flags,
            seq=sequence,
            ack=acknowledged,
            options=[("SAck", block)] if block else [],
        )
        / Raw(payload)
    )


def learnt_from_packets(path: Path, packets: Sequence[Packet]) -> tuple[Trace, Headers]:
    """Write a capture of these packets and learn from it."""
    wrpcap(str(path), packets)
    (trace,) = traces = read_captures([path], _MACS[True], cache=None)
    headers = learn_headers(read_frames([path], traces))
    assert headers is not None
    return trace, headers
