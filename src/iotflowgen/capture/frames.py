"""The bytes of the packets: what `packets.learn` takes headers from.

Traces hold what the generators need of a packet; this reads the same files a second time, with
Scapy's reader, in the same order.
"""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from scapy.utils import RawPcapReader

from iotflowgen.capture.read import find_captures
from iotflowgen.traffic import Trace

__all__ = ["read_frames"]

_ETHERNET = 1


def read_frames(
    paths: Sequence[Path], traces: Sequence[Trace]
) -> Iterator[tuple[Trace, list[bytes]]]:
    """The Ethernet frames of each trace that `read_captures` made of these paths, packet by packet.

    A trace whose capture has another link type, or has changed meanwhile, is left out. Frames that
    were cut off when they were captured are as short here.

    Raises:
        UnreadableCapture: As `read_captures`.
    """
    of_trace = {trace.sha256: trace for trace in traces}
    for path in find_captures(paths):
        with path.open("rb") as file:
            trace = of_trace.get(hashlib.file_digest(file, "sha256").hexdigest())
        frames = _frames(path, len(trace)) if trace else []
        if trace and len(frames) == len(trace):
            yield trace, frames


def _frames(path: Path, packets: int) -> list[bytes]:
    """The first `packets` frames in order of time; empty where one is not Ethernet."""
    with RawPcapReader(str(path)) as reader:
        # no more than tshark read, which stops at the first packet that is damaged
        found = list(islice(reader, packets))
        links = {getattr(about, "linktype", None) or reader.linktype for _, about in found}
        times = [_time(about, nano=getattr(reader, "nano", False)) for _, about in found]
    if links != {_ETHERNET}:
        return []
    return [found[i][0] for i in sorted(range(len(found)), key=times.__getitem__)]


def _time(about: Any, *, nano: bool) -> int:  # noqa: ANN401 - two named tuples of Scapy
    """Nanoseconds since the epoch."""
    if hasattr(about, "tshigh"):
        ticks = (about.tshigh << 32) + about.tslow
        return int(ticks * 10**9 // about.tsresol)
    return int(about.sec * 10**9 + about.usec * (1 if nano else 1000))
