"""Captures told as packetdrill scripts, recorded, and rendered again as sessions."""

from itertools import chain

import numpy as np

from iotflowgen.packets.record import record
from iotflowgen.packets.rows import Rows
from iotflowgen.packets.tcp.numbers import SequenceNumbers
from iotflowgen.packets.tcp.timestamps import Timestamps
from iotflowgen.traffic import Trace
from iotflowgen.wire import Frames, find_layers, find_options, tcp_sequence
from tests.unit.packets.shown import as_captured

__all__ = ["recorded", "repeated", "sequences", "stamps"]

CODECS = (SequenceNumbers, Timestamps)


def recorded(*captures):
    """Lists of told frames as a recording."""
    return record([_capture(i, told) for i, told in enumerate(captures)], CODECS)


def _capture(number, told):
    told = sorted(told, key=lambda each: each.time_ns)
    frames = Frames.of([each.frame for each in told])
    none = np.zeros(len(told), dtype=np.int32)
    trace = Trace(
        name=str(number),
        time_ns=np.array([each.time_ns for each in told]),
        length=frames.size.astype(np.int32),
        outgoing=np.array([each.outgoing for each in told]),
        src_port=none,
        dst_port=none,
        protocols=none.astype(np.uint16),
        tcp_payload=none,
    )
    return trace, frames


def repeated(recording, *sessions, seed=0, block=None):
    """Sessions that each repeat a capture, or a list of captured packets; their rows and frames."""
    sources = [
        np.flatnonzero(recording.capture == each) if np.isscalar(each) else np.array(each)
        for each in sessions
    ]
    session = np.repeat(np.arange(len(sources)), [len(each) for each in sources])
    source = np.concatenate(sources)
    # times and flows are told from where a capture begins, so that a session may go over
    begins = np.searchsorted(recording.capture, recording.capture[source])
    none = np.zeros(len(source), dtype=np.int32)
    rows = Rows(
        number=np.arange(len(source)),
        session=session,
        flow=1000 * session + recording.flow[source] - recording.flow[begins],
        time_ns=recording.time_ns[source] - recording.time_ns[begins] + 10**18,
        length=recording.length[source],
        outgoing=recording.outgoing[source],
        src_port=none,
        dst_port=none,
        protocols=recording.protocols[source],
        source=source,
    )
    renderer = as_captured(recording, CODECS, seed)
    size = block or len(rows)
    blocks = (rows.take(slice(at, at + size)) for at in range(0, len(rows), size))
    frames = Frames.of(list(chain.from_iterable(renderer.render(each).tolist() for each in blocks)))
    return rows, frames


def stamps(frames):
    """Timestamps and their echoes (E, 2); 0 without the option."""
    at = find_options(frames, find_layers(frames)).timestamps
    both = np.stack([frames.number(at, 4), frames.number(at + 4, 4)], axis=1)
    return np.where(at[:, None] > 0, both, 0)


def sequences(frames):
    """Sequence numbers (E)."""
    return tcp_sequence(frames, find_layers(frames))
