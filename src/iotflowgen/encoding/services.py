"""Ports of services, known by their asymmetry: whoever opens a connection comes from any port.

A service is what the first packet of a flow is sent to. Its port counts if Wireshark knows it, if
several ports talk to it, if several captures show it, or if nothing shows that it might be another:
there is one capture alone, or it is no dynamic port and somebody asks to connect to it by TCP.

Shapes: P packets of a capture; F flows of all captures, between two ports each.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import Final, NamedTuple

import numpy as np

from iotflowgen.traffic import Trace, protocol_mask
from iotflowgen.wire.ports import TCP_SERVICES, UDP_SERVICES

__all__ = ["find_services"]

_TCP, _UDP = protocol_mask(["tcp"]), protocol_mask(["udp"])
_WELL_KNOWN: Final = 1024
_DYNAMIC: Final = 32768
"""Ports from here on are opened for a connection each: those of Linux, above all others."""


class _End(NamedTuple):
    transport: int
    on_device: bool
    port: int


class _Flow(NamedTuple):
    capture: int
    client: _End
    server: _End
    begins: bool
    """Whether its first packet opens it, as far as is known."""


def find_services(traces: Sequence[Trace]) -> set[int]:
    """Ports at which the device, or its peers, are asked."""
    asked: defaultdict[_End, set[tuple[int, int]]] = defaultdict(set)
    """In which captures, by which ports."""
    asks: defaultdict[_End, set[tuple[int, int]]] = defaultdict(set)
    clients: set[tuple[int, _End]] = set()
    """Ends that ask a service which is known by name."""
    # pieces of a long capture are one: connections last from one to the next
    whole = accumulate((int(not each.silence_ns) for each in traces[:-1]), initial=0)
    for capture, client, server, begins in chain.from_iterable(map(_flows, whole, traces)):
        asked[server].add((capture, client.port))
        asks[client].add((capture, server.port))
        if not begins:  # either may be the server
            asked[client].add((capture, server.port))
            asks[server].add((capture, client.port))
        elif _is_named(server):
            clients.add((capture, client))
    found = set()
    for end, by in asked.items():
        told = by if _is_named(end) else {each for each in by if (each[0], end) not in clients}
        several = max(Counter(capture for capture, _ in told).values(), default=0) > 1
        often = len(told) + (several or _is_named(end)) > len(asks[end])
        if told and often and _is_lasting(end, told, len(traces)):
            found.add(end.port)
    return found


def _flows(number: int, trace: Trace) -> Iterator[_Flow]:
    """Flows of one capture, by their first packets."""
    has = np.flatnonzero((trace.protocols & (_TCP | _UDP) > 0) & (trace.dst_port > 0))
    device = np.where(trace.outgoing, trace.src_port, trace.dst_port)[has]
    peer = np.where(trace.outgoing, trace.dst_port, trace.src_port)[has]
    is_tcp = trace.protocols[has] & _TCP > 0
    _, first = np.unique(np.stack([is_tcp, device, peer]), axis=1, return_index=True)
    for row in first.tolist():
        transport = _TCP if is_tcp[row] else _UDP
        ends = (
            _End(transport, on_device=True, port=int(device[row])),
            _End(transport, on_device=False, port=int(peer[row])),
        )
        client, server = ends if trace.outgoing[has[row]] else ends[::-1]
        if client.port == server.port and not _is_named(server):
            continue  # nothing tells one from the other
        begins = not is_tcp[row] or trace.tcp_payload[has[row]] == 0
        yield _Flow(number, client, server, bool(begins))


def _is_named(end: _End) -> bool:
    services = TCP_SERVICES if end.transport == _TCP else UDP_SERVICES
    return end.port < _WELL_KNOWN or bool(services[end.port])


def _is_lasting(end: _End, by: set[tuple[int, int]], captures: int) -> bool:
    """Whether the next capture would show a service at the same port."""
    if _is_named(end) or captures == 1 or len({capture for capture, _ in by}) > 1:
        return True
    return end.port < _DYNAMIC and (len(by) > 1 or end.transport == _TCP)
