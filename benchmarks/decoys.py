"""Captures with the fields of their headers, and sessions that are written and read as they are.

What measures header fields shares this: how captures are dealt, and how packets are written. Which
writer that is, `written` alone says.

Shapes: P packets, F header fields.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

import iotflowgen as iot
from iotflowgen.capture import DEFAULT_CACHE, header_fields
from iotflowgen.evaluation import Trial, trials
from iotflowgen.generators import Sessions, first_packets, shifted_to, spaced
from iotflowgen.library.honeydata import OfSessions
from iotflowgen.packets import DEFAULT_START_NS, record, with_states
from iotflowgen.recording import Recording
from iotflowgen.traffic import Session, Trace, Windows
from iotflowgen.wire import Frames

__all__ = [
    "SEED",
    "SIZE",
    "FramesOf",
    "captured_sessions",
    "drawn",
    "field_names",
    "grounds",
    "read_device",
    "recorded",
    "written",
]

SEED = 0
SIZE, SPLITS = 20, 2
SESSIONS = 64
PACKETS = 40_000
"""Of all sessions at most; the last ones are left out where sessions are long."""

FramesOf = Mapping[str, Frames]
"""By the name of their capture."""


def read_device(
    paths: Sequence[Path], device: str | None = None, *, cached: bool = True
) -> tuple[list[Trace], FramesOf]:
    """Captures of one device with the fields of their headers (P, F), and their frames.

    Args:
        paths: Captures, or folders of them.
        device: Its MAC or IP address; by default the most common one.
        cached: Whether what was dissected is kept, and taken from where it was kept.
    """
    cache = DEFAULT_CACHE if cached else None
    found = iot.read_captures(paths, device=device, cache=cache)
    frames = {trace.name: of_trace for trace, of_trace in found.with_frames()}
    traces = with_states(found.with_frames())
    return [replace(t, headers=header_fields(frames[t.name], t)[1]) for t in traces], frames


def field_names(trace: Trace, frames: FramesOf) -> tuple[str, ...]:
    """The names (F) of the fields of a trace's headers."""
    return header_fields(frames[trace.name].take(slice(1)), trace[:1])[0]


def grounds(name: str, traces: Sequence[Trace], splits: int = SPLITS) -> tuple[Trial[Windows], ...]:
    """A device's captures in G and H: its name is the seed, so the splits are the benchmark's."""
    rng = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    return trials("held-out", traces, rng, window=SIZE, splits=splits)


def drawn(train: Sequence[Trace], rng: np.random.Generator) -> Iterator[Session]:
    """Sessions of the default generator, learnt from captures."""
    sessions = spaced(Sessions().fit(train), SESSIONS, rng)
    return shifted_to(first_packets(sessions, PACKETS), DEFAULT_START_NS)


def recorded(traces: Sequence[Trace], frames: FramesOf) -> Recording:
    """What is kept of captures."""
    recording = record([(trace, frames[trace.name]) for trace in traces])
    if recording is None:
        raise SystemExit("nothing that the device sent")
    return recording


def captured_sessions(recording: Recording, traces: Sequence[Trace]) -> list[Session]:
    """The captures themselves, as sessions each packet of which repeats itself."""
    sessions, first = [], 0
    for trace in traces:
        place = np.arange(first, first := first + len(trace))
        columns = ("time_ns", "length", "outgoing", "src_port", "dst_port", "protocols")
        same = {name: getattr(trace, name) for name in columns}
        flow = recording.flow[place]
        sessions.append(Session(name=trace.name, source=place, flow=flow, **same))
    return sessions


def written(
    sessions: Iterable[Session], path: Path, recording: Recording | None, seed: Sequence[int]
) -> tuple[list[Trace], FramesOf, dict[str, int]]:
    """Sessions as they are read back from their file, and what was compromised.

    They are written as `generate --keep-identifiers` writes them.

    Args:
        sessions: One after another in time.
        path: Of the file, which is there for a while only.
        recording: Of the captures that were learnt from; without, all but the features of packets
            is random, as `--payload fuzz` has it.
        seed: Decides what is drawn for packets.
    """
    ends = [0]

    def counted() -> Iterator[Session]:
        for session in sessions:
            ends.append(ends[-1] + len(session))
            yield session

    honeydata = OfSessions(lambda _: counted(), recording, seed=seed)
    if recording is None:
        report = honeydata.to_pcap(path, payload="fuzz")
    else:
        report = honeydata.to_pcap(path, keep_identifiers=True)
    found = iot.read_captures(path, device=report.device_mac, cache=None)
    ((back, packets),) = found.with_frames()
    packets = packets.packed()
    path.unlink()
    traces: list[Trace] = []
    read: dict[str, Frames] = {}
    for start, end in pairwise(ends):
        trace = replace(back[start:end], name=str(len(traces)))
        read[trace.name] = packets.take(slice(start, end))
        traces.append(replace(trace, headers=header_fields(read[trace.name], trace)[1]))
    return traces, read, dict(report.compromises)
