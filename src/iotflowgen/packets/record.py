"""Captures to a `Recording`: codecs take out of frames what they can say anew.

Shapes: P packets of all captures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.codec import Codec
from iotflowgen.recording import Recording, find_flows
from iotflowgen.traffic import Trace
from iotflowgen.wire import Frames, copy_ranges, find_layers

__all__ = ["record"]


def record(captures: Iterable[tuple[Trace, Frames]], codecs: Sequence[type[Codec]]) -> Recording:
    """Keep the frames of traces, as `capture.read_frames` gives them, and what refers to what.

    Args:
        captures: All traces that were given to a generator's `fit`, in that order.
        codecs: Of linked fields, in the order in which they write.
    """
    found = list(captures)
    traces = [trace for trace, _ in found]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(trace, name) for trace in traces])
        for name in ("time_ns", "outgoing", "protocols", "length")
    }
    captured = Frames.concatenate([frames for _, frames in found])
    frames = _whole(captured, columns["length"])
    layers = find_layers(frames)
    capture = np.repeat(np.arange(len(traces)), [len(trace) for trace in traces])
    recording = Recording(
        frames=frames,
        capture=capture,
        flow=find_flows(frames, layers, capture, columns["outgoing"]),
        references={},
        **columns,
    )
    references: dict[str, NDArray[Any]] = {}
    if (captured.size < frames.size).any():
        references["captured"] = captured.size.astype(np.int32)
    for codec in codecs:
        told = codec.encode(recording.packets)
        references |= {f"{codec.name}.{name}": column for name, column in told.items()}
    return replace(recording, references=references)


def _whole(frames: Frames, length: NDArray[np.int32]) -> Frames:
    """Frames as long as they were on the wire, zeros where they were cut off; or of no bytes."""
    size = np.where(frames.size > 0, np.maximum(frames.size, length), 0)
    start = np.cumsum(size) - size
    whole = Frames(np.zeros(int(size.sum()), dtype=np.uint8), start, size)
    copy_ranges(frames.data, frames.start, whole.data, start, frames.size)
    return whole
