"""Captures to a `Recording`: codecs take out of the frames what they can write again.

Shapes: P packets of all captures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotflowgen.packets.anonymise import anonymise
from iotflowgen.packets.codec import Codec
from iotflowgen.packets.codecs import all_codecs
from iotflowgen.packets.identity import learn_identities
from iotflowgen.packets.uniques import reorder
from iotflowgen.recording import Identities, Recording, find_flows
from iotflowgen.traffic import Trace
from iotflowgen.wire import Frames, copy_ranges, find_layers

__all__ = ["as_captured", "encoded", "record"]


def record(
    captures: Iterable[tuple[Trace, Frames]],
    codecs: Sequence[type[Codec]] | None = None,
    *,
    anonymous: np.random.Generator | None = None,
) -> Recording | None:
    """Keep the frames of traces, as `capture.read_frames` gives them, and what refers to what.

    Args:
        captures: All traces that were given to a generator's `fit`, in that order.
        codecs: Of linked fields, in the order in which they write; by default all.
        anonymous: Draws what is kept instead of identifiers, and of what a single capture says; by
            default these are kept as captured.

    Returns:
        None where the device sent no frame: there is nothing to keep.
    """
    recording = as_captured(captures)
    if anonymous is not None:
        reorder(recording, anonymous)
    return encoded(recording, codecs, anonymous=anonymous)


def encoded(
    recording: Recording,
    codecs: Sequence[type[Codec]] | None = None,
    *,
    anonymous: np.random.Generator | None = None,
) -> Recording | None:
    """A recording of which codecs have taken out what refers to other packets, as `record` has it.

    Its frames are written to.
    """
    if not recording.frames.size[recording.outgoing].any():
        return None
    references = dict(recording.references)
    for codec in all_codecs() if codecs is None else codecs:
        told = codec.encode(recording.packets)
        references |= {f"{codec.name}.{name}": column for name, column in told.items()}
    identities, places = learn_identities(recording.packets)
    recording = replace(recording, references=references | places.columns(), identities=identities)
    return recording if anonymous is None else anonymise(recording, anonymous)


def as_captured(captures: Iterable[tuple[Trace, Frames]]) -> Recording:
    """The packets of captures, of which no codec has taken anything out."""
    found = list(captures)
    traces = [trace for trace, _ in found]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(trace, name) for trace in traces])
        for name in ("time_ns", "outgoing", "protocols", "length")
    }
    seen = Frames.concatenate([frames for _, frames in found])
    frames = _whole(seen, columns["length"])
    capture = np.repeat(np.arange(len(traces)), [len(trace) for trace in traces])
    references: dict[str, NDArray[Any]] = {}
    if (seen.size < frames.size).any():
        references["captured"] = seen.size.astype(np.int32)
    if any(trace.silence_ns for trace in traces):
        references["silence_ns"] = np.array([t.silence_ns for t in traces], dtype=np.int64)
    return Recording(
        frames=frames,
        capture=capture,
        flow=find_flows(frames, find_layers(frames), capture, columns["outgoing"]),
        references=references,
        identities=Identities(),
        **columns,
    )


def _whole(frames: Frames, length: NDArray[np.int32]) -> Frames:
    """Frames as long as they were on the wire, zeros where they were cut off; or of no bytes."""
    size = np.where(frames.size > 0, np.maximum(frames.size, length), 0)
    start = np.cumsum(size) - size
    whole = Frames(np.zeros(int(size.sum()), dtype=np.uint8), start, size)
    copy_ranges(frames.data, frames.start, whole.data, start, frames.size)
    return whole
