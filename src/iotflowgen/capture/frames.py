"""The bytes of the packets: what `packets.learn` takes headers from.

Traces hold what the generators need of a packet; this reads the same files a second time, in the
same order.
"""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from operator import lt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iotflowgen.capture.read import CaptureWarning, find_captures
from iotflowgen.traffic import Trace
from iotflowgen.wire.pcap import ETHERNET, read_records

__all__ = ["read_frames"]


def read_frames(
    paths: Sequence[Path], traces: Sequence[Trace]
) -> Iterator[tuple[Trace, list[bytes]]]:
    """The Ethernet frames of each trace that `read_captures` made of these paths, packet by packet.

    A trace whose capture has another link type, or has changed meanwhile, is left out. Frames that
    were cut off when they were captured are as short here.

    Warns:
        CaptureWarning: Frames were cut off.

    Raises:
        UnreadableCapture: As `read_captures`.
    """
    of_trace = {trace.sha256: trace for trace in traces}
    cut = 0
    for path in find_captures(paths):
        with path.open("rb") as file:
            trace = of_trace.get(hashlib.file_digest(file, "sha256").hexdigest())
        if trace is None or trace.in_file is None:
            continue
        if frames := _frames(path, trace.in_file):
            cut += sum(map(lt, map(len, frames), trace.length.tolist()))
            yield trace, frames
    if cut:
        message = (
            f"{cut} of {sum(map(len, traces))} packets were cut off when they were captured, so "
            "their payload is not known; capture whole packets (tcpdump -s 0)"
        )
        warnings.warn(message, CaptureWarning, stacklevel=2)


def _frames(path: Path, in_file: NDArray[np.int64]) -> list[bytes]:
    """The frames at these places in a file; empty where one is not Ethernet."""
    records = read_records(path)
    count = int(in_file.max(initial=-1)) + 1
    # tshark knows more kinds of packets, which are not Ethernet either
    if count > len(records.link) or (records.link[:count] != ETHERNET).any():
        return []
    return records.frames.take(in_file).tolist()
