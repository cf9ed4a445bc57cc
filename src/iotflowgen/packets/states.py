"""Protocol states of connections that only bytes show, for generators to continue from.

Shapes: P packets of a capture; S kinds of states.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from iotflowgen.packets.datagrams import open_datagrams, open_leases, open_questions
from iotflowgen.packets.payload import handshakes, messages, says_its_length
from iotflowgen.packets.record import as_captured, encoded
from iotflowgen.packets.tcp import agreed_options, closed_sides, find_references, outstanding
from iotflowgen.packets.transactions import open_transactions
from iotflowgen.packets.uniques import reorder
from iotflowgen.recording import Packets, Recording
from iotflowgen.traffic import STATES, Trace
from iotflowgen.wire import Frames, payload_size

__all__ = ["learn", "with_states"]


def with_states(captures: Iterable[tuple[Trace, Frames]]) -> list[Trace]:
    """Traces with their `states` (P, S) and `fixed` (P), by the frames of `capture.read_frames`."""
    found = list(captures)
    return _stated([trace for trace, _ in found], as_captured(found).packets)


def learn(
    captures: Iterable[tuple[Trace, Frames]], *, anonymous: np.random.Generator | None = None
) -> tuple[list[Trace], Recording | None]:
    """What `with_states` and `record` make of captures, whose frames are parsed once for both."""
    found = list(captures)
    recording = as_captured(found)
    if anonymous is not None:
        reorder(recording, anonymous)
    # codecs take fields out of frames: states come first
    traces = _stated([trace for trace, _ in found], recording.packets)
    return traces, encoded(recording, anonymous=anonymous)


def _stated(traces: Sequence[Trace], packets: Packets) -> list[Trace]:
    tcp, _, references = find_references(packets)
    tls, in_handshake = handshakes(packets)
    http, in_parts = messages(packets)
    known = {
        "dns": open_questions(packets) + open_transactions(packets) + open_leases(packets),
        "tcp": closed_sides(packets),
        "tls": tls,
        "http": http,
        "outstanding": outstanding(packets, tcp, references),
        "options": agreed_options(packets),
        "fragments": open_datagrams(packets),
    }
    # of TCP, lengths tell it: nothing is put into what has no payload
    layers = packets.layers
    empty = layers.is_udp & (payload_size(layers) == 0)
    states = np.stack([known[name] for name in STATES], axis=1)
    fixed = in_handshake | in_parts | says_its_length(packets) | empty
    ends = np.cumsum([len(trace) for trace in traces])[:-1]
    columns = zip(traces, np.split(states, ends), np.split(fixed, ends), strict=True)
    return [replace(trace, states=own, fixed=is_fixed) for trace, own, is_fixed in columns]
