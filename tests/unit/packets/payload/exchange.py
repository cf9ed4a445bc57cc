"""Exchanges over TCP, told as what is said in turn, recorded and rendered again."""

from collections.abc import Sequence

import numpy as np

from iotflowgen.packets.payload import Dates, HttpLengths, Random, Retransmissions, TlsRecords
from iotflowgen.packets.record import record
from iotflowgen.packets.rows import Rows
from iotflowgen.packets.tcp.numbers import SequenceNumbers
from iotflowgen.recording import Recording
from iotflowgen.traffic import Trace, protocol_mask
from iotflowgen.wire import Frames, dst_port, find_layers, payload_size, src_port
from tests import drill
from tests.unit.packets.shown import as_captured

CODECS = (SequenceNumbers, Random, TlsRecords, HttpLengths, Dates, Retransmissions)
TCP, TLS, HTTP = (protocol_mask(["ip", "tcp", *more]) for more in ((), ("https",), ("http",)))
SENT_NS = 1_700_000_000 * 10**9

Said = tuple[bool, bytes]


def frames_of(said: Sequence[Said], ports=(9999, 40_000)) -> list[drill.Frame]:
    """Segments, a second apart: whether the device sends them, and what; no handshake."""
    at, lines = [1, 1], []
    streams = [b"".join(text for way, text in said if way == sender) for sender in (0, 1)]
    for way, text in said:
        end = at[way] + len(text)
        sign = ">" if way else "<"
        lines.append(f"+1 {sign} P. {at[way]}:{end}({len(text)}) ack {at[not way]} win 229")
        at[way] = end
    return drill.frames("\n".join(lines), streams=tuple(streams), ports=ports, start_ns=SENT_NS)


def trace_of(told: Sequence[drill.Frame], protocols=TCP) -> tuple[Trace, Frames]:
    frames = Frames.of([each.frame for each in told])
    layers = find_layers(frames)
    trace = Trace(
        name="capture",
        time_ns=np.array([each.time_ns for each in told]),
        length=frames.size.astype(np.int32),
        outgoing=np.array([each.outgoing for each in told]),
        src_port=src_port(frames, layers).astype(np.int32),
        dst_port=dst_port(frames, layers).astype(np.int32),
        protocols=np.full(len(told), protocols, dtype=np.uint16),
        tcp_payload=payload_size(layers).astype(np.int32),
    )
    return trace, frames


def recorded(*captures: Sequence[Said], protocols=TCP, ports=(9999, 40_000)) -> Recording:
    """One connection a capture."""
    told = [trace_of(frames_of(said, ports), protocols) for said in captures]
    return record(told, CODECS)


def rendered(recording, source, more=0, time_ns=None, block=None, seed=0, session=0) -> list[bytes]:
    """The payloads of packets of one connection that repeat captured ones, some bytes longer."""
    source = np.asarray(source)
    frames, layers = recording.frames.take(source), recording.layers.take(source)
    number = np.arange(len(source))
    rows = Rows(
        number=number,
        session=np.full(len(source), session),
        flow=np.full(len(source), session << 32),
        time_ns=recording.time_ns[source] if time_ns is None else np.asarray(time_ns),
        length=(recording.length[source] + np.asarray(more)).astype(np.int32),
        outgoing=recording.outgoing[source],
        src_port=src_port(frames, layers).astype(np.int32),
        dst_port=dst_port(frames, layers).astype(np.int32),
        protocols=recording.protocols[source],
        source=source,
    )
    renderer = as_captured(recording, CODECS, seed)
    step = block or len(source)
    found = [renderer.render(rows.take(slice(i, i + step))) for i in range(0, len(source), step)]
    return [frame[54:] for part in found for frame in part.tolist()]
