"""Packets without connections, their captures, and packets of sessions that repeat them."""

import struct
from typing import NamedTuple

import numpy as np

from iotflowgen.packets.record import record
from iotflowgen.packets.rows import Rows
from iotflowgen.traffic import Trace, protocol_mask
from iotflowgen.wire import Frames
from tests.unit.packets.shown import as_captured

SECOND = 10**9
MACS = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
ADDRESSES = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])


class Said(NamedTuple):
    """A packet; `protocol` is the name of what it carries."""

    outgoing: bool
    frame: bytes
    protocol: str
    ports: tuple[int, int] = (0, 0)


def _over_ip(outgoing, protocol, body):
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0)
    ends = [each[way] for each in (MACS, ADDRESSES) for way in (not outgoing, outgoing)]
    return ends[0] + ends[1] + b"\x08\0" + header + ends[3] + ends[2] + body


def udp(outgoing, device, peer, payload, protocol):
    ports = (device, peer) if outgoing else (peer, device)
    body = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
    return Said(outgoing, _over_ip(outgoing, 17, body), protocol, ports)


def dns(number, name, *, answers=False, device=40_000, kind=1, protocol="dns"):
    """A question of the device, or its answer."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    header = struct.pack("!HHHHHH", number, 0x8000 * answers, 1, 0, 0, 0)
    payload = header + labels + b"\0" + struct.pack("!HH", kind, 1)
    return udp(not answers, device, 53, payload, protocol)


def bootp(number, *, outgoing=True):
    payload = struct.pack("!BBBBI", 2 - outgoing, 1, 6, 0, number) + bytes(232)
    return udp(outgoing, 68, 67, payload, "bootp")


def echo(identifier, number, *, replies=False, outgoing=True):
    body = struct.pack("!BBHHH", 0 if replies else 8, 0, 0, identifier, number) + b"abcd"
    return Said(outgoing, _over_ip(outgoing, 1, body), "icmp")


def ntp(*stamps, outgoing=True, device=123):
    """Reference, origin, receive and transmit, 2^-32 s."""
    payload = bytes([0x23 if outgoing else 0x24]) + bytes(15) + struct.pack("!QQQQ", *stamps)
    return udp(outgoing, device, 123, payload, "ntp")


def _several(codec):
    return list(codec) if isinstance(codec, tuple) else [codec]


def trace_of(packets, name="0", time_ns=None):
    """A capture of packets, a second apart if nothing else is said."""
    ports = np.array([each.ports for each in packets], dtype=np.int32)
    names = [["ip", each.protocol] + ["udp"] * (each.ports != (0, 0)) for each in packets]
    return Trace(
        name=name,
        time_ns=np.arange(len(packets)) * SECOND if time_ns is None else np.array(time_ns),
        length=np.array([len(each.frame) for each in packets], dtype=np.int32),
        outgoing=np.array([each.outgoing for each in packets]),
        src_port=ports[:, 0],
        dst_port=ports[:, 1],
        protocols=np.array([protocol_mask(each) for each in names], dtype=np.uint16),
        tcp_payload=np.zeros(len(packets), dtype=np.int32),
    )


def recorded(codec, *captures, time_ns=None):
    """Captures, each a list of packets, as a recording by a codec or several, and their traces."""
    traces = [trace_of(each, str(i), time_ns) for i, each in enumerate(captures)]
    frames = [Frames.of([packet.frame for packet in each]) for each in captures]
    return record(zip(traces, frames, strict=True), _several(codec)), traces


def rendered(codec, recording, traces, sources, *, time_ns=None, block=None, seed=0):
    """Payloads of one session whose packets repeat those of `sources`."""
    source = np.array(sources)
    ports = [np.concatenate([getattr(t, n) for t in traces]) for n in ("src_port", "dst_port")]
    rows = Rows(
        number=np.arange(len(source)),
        session=np.zeros_like(source),
        flow=np.where(recording.flow[source] < 0, -1, 0),
        time_ns=np.arange(len(source)) * SECOND if time_ns is None else np.array(time_ns),
        length=recording.length[source],
        outgoing=recording.outgoing[source],
        src_port=ports[0][source],
        dst_port=ports[1][source],
        protocols=recording.protocols[source],
        source=source,
    )
    renderer = as_captured(recording, _several(codec), seed)
    size = block or len(rows)
    parts = [renderer.render(rows.take(slice(i, i + size))) for i in range(0, len(rows), size)]
    at = recording.layers.payload[source]
    frames = [frame for part in parts for frame in part.tolist()]
    return [frame[first:] for frame, first in zip(frames, at.tolist(), strict=True)]
