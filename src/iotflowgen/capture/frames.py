"""The bytes of the packets: what `packets.learn` takes headers from.

Traces hold what the generators need of a packet; this reads the same files a second time, in the
same order.
"""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iotflowgen.capture.ethernet import Ethernet, read_ethernet
from iotflowgen.capture.read import CaptureWarning, find_captures
from iotflowgen.traffic import Trace
from iotflowgen.wire.frames import Frames

__all__ = ["find_paths", "read_frames"]


def find_paths(paths: Sequence[Path], traces: Sequence[Trace]) -> list[Path | None]:
    """The file of each trace that `read_captures` made of these paths; None where it has changed.

    Raises:
        UnreadableCapture: As `read_captures`.
    """
    path_of: dict[str, Path] = {}
    for path in find_captures(paths):
        with path.open("rb") as file:
            path_of.setdefault(hashlib.file_digest(file, "sha256").hexdigest(), path)
    return [path_of.get(trace.sha256) for trace in traces]


def read_frames(
    paths: Sequence[Path], traces: Sequence[Trace], most: int | None = None
) -> Iterator[tuple[Trace, Frames]]:
    """The Ethernet frames of each trace that `read_captures` made of these paths, packet by packet.

    Of each file, `most` packets are read, if as many were then.

    Traces come in their order. Frames that were cut off when they were captured are as short here;
    those of a trace whose link type is not read, or whose capture has changed, are of no bytes.

    Warns:
        CaptureWarning: Frames were cut off.

    Raises:
        UnreadableCapture: As `read_captures`.
    """
    cut = 0
    # several traces in a row may be of one file
    read = lru_cache(maxsize=1)(partial(read_ethernet, most=most))
    for trace, of_trace in zip(traces, find_paths(paths, traces), strict=True):
        frames = None if of_trace is None else _frames(read(of_trace), trace.in_file)
        if frames is None:
            yield trace, Frames.of([b""] * len(trace))
        else:
            cut += int((frames.size < trace.length).sum())
            yield trace, frames
    if cut:
        message = (
            f"{cut} of {sum(map(len, traces))} packets were cut off when they were captured, so "
            "their payload is not known; capture whole packets (tcpdump -s 0)"
        )
        warnings.warn(message, CaptureWarning, stacklevel=2)


def _frames(found: Ethernet, in_file: NDArray[np.int64] | None) -> Frames | None:
    """The frames at these places in a file; None where one of them is no packet of a network."""
    if in_file is None:
        return None
    place = np.searchsorted(found.in_file, in_file)
    # tshark may read on where a file is damaged
    if (place == len(found.in_file)).any() or (found.in_file[place] != in_file).any():
        return None
    return found.frames.take(place)
