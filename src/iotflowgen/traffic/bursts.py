"""Bursts: packets of a flow that come close together, and what service each flow is of.

Told from features alone, so that captures and generated traffic are looked at alike. A burst ends
where its flow is silent for a second, as in AppScanner (Taylor, Spolaor, Conti and Martinovic,
EuroS&P 2016): a connection that is kept alive for a week is a burst a beat, not one start.

Shapes: P packets in order of time.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iotflowgen.traffic.protocols import PROTOCOLS, protocol_mask
from iotflowgen.traffic.session import Session
from iotflowgen.traffic.trace import Trace

__all__ = ["Bursts", "find_bursts", "flow_of", "service_name"]

_SILENCE_NS: Final = 10**9
_TCP, _UDP = protocol_mask(["tcp"]), protocol_mask(["udp"])
_KIND: Final = 2**16  # above a port, or a protocol configuration
_TRANSPORTS: Final = ("", "tcp", "udp")


class Bursts(NamedTuple):
    """Of each packet (P)."""

    service: NDArray[np.int64]
    """What its flow is for: transport and port of the service, or the protocols of a packet that
    has no ports, as a number (`service_name`)."""
    begins: NDArray[np.bool_]
    """Whether a burst begins with it."""


def find_bursts(packets: Trace | Session) -> Bursts:
    """Bursts of a capture or a session.

    The service is the lower of a flow's two ports: whoever asks does so from a high one.
    """
    flow = flow_of(packets)
    order = np.argsort(flow, kind="stable")
    goes_on = np.diff(flow[order]) == 0
    close = np.diff(packets.time_ns[order]) < _SILENCE_NS
    begins = np.ones(len(order), dtype=bool)
    begins[order[1:]] = ~(goes_on & close)
    return Bursts(flow // (2 * _KIND), begins)


def flow_of(packets: Trace | Session) -> NDArray[np.int64]:
    """Which flow each packet is of (P), by numbers: the same ports, or the same protocols."""
    protocols = packets.protocols.astype(np.int64)
    transport = np.select([protocols & _TCP > 0, protocols & _UDP > 0], [1, 2], 0)
    transport[(packets.src_port == 0) & (packets.dst_port == 0)] = 0
    low = np.minimum(packets.src_port, packets.dst_port).astype(np.int64)
    high = np.maximum(packets.src_port, packets.dst_port).astype(np.int64)
    service = transport * _KIND + np.where(transport > 0, low, protocols)
    # which end has the lower port is part of what a flow is
    device_asks = (packets.outgoing == (packets.src_port > packets.dst_port)) & (low < high)
    flow: NDArray[np.int64] = (service * _KIND + high) * 2 + (device_asks & (transport > 0))
    return flow


def service_name(service: int) -> str:
    """A service in words: `tcp 443`, `arp`."""
    transport, rest = divmod(service, _KIND)
    if transport:
        return f"{_TRANSPORTS[transport]} {rest}"
    present = [name for bit, name in enumerate(PROTOCOLS) if rest >> bit & 1]
    return " ".join(present) or "other"
