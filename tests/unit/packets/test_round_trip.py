"""Captures that are written as sessions which repeat them, and sessions in blocks of any size."""

import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from decoys import captured_sessions

from iotflowgen.capture import read_captures, read_frames
from iotflowgen.generators import Sessions, first_packets, spaced
from iotflowgen.packets import Rows, record, write_sessions
from iotflowgen.recording import Recording
from iotflowgen.traffic import Trace
from iotflowgen.wire import Frames
from iotflowgen.wire.pcap import FORMATS, records_bytes
from tests.conftest import REPOSITORY
from tests.unit.packets.shown import as_captured

KEPT = (
    *("flags", "window_size_value", "len", "hdr_len", "option_kind", "option_len"),
    *("options.mss_val", "options.wscale.shift", "options.sack.count"),
)
SAME = (*(f"tcp.{name}" for name in KEPT), "tls.record.length", "tls.record.content_type")
NUMBERS = "tcp.seq", "tcp.ack"


class Learnt(NamedTuple):
    traces: list[Trace]
    frames: list[Frames]
    recording: Recording


@pytest.fixture(scope="module", params=["plug", "camera"])
def learnt(request) -> Learnt:
    paths = sorted((REPOSITORY / "samples" / request.param).iterdir())[:6]
    traces = read_captures(paths)
    frames = [found for _, found in read_frames(paths, traces)]
    recording = record(zip(traces, frames, strict=True))
    assert recording is not None
    return Learnt(traces, frames, recording)


def told(path: Path, trace: Trace, frames: Frames, fields: tuple[str, ...]) -> list[list[str]]:
    """What tshark says of each packet; numbers are relative to the first of a connection."""
    capture = FORMATS[".pcap"]
    with path.open("wb") as file:
        file.write(capture.header)
        file.write(records_bytes(capture, trace.time_ns, frames))
    wanted = [word for field in fields for word in ("-e", field)]
    command = ["tshark", "-r", str(path), "-T", "fields", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_a_capture_written_as_itself_is_the_same_but_for_what_is_drawn(learnt, tmp_path):
    sessions = captured_sessions(learnt.recording, learnt.traces)
    rows = Rows.of(sessions, 0, range(len(sessions)))
    made = as_captured(learnt.recording).render(rows)
    first = segments = same = 0
    for trace, frames in zip(learnt.traces, learnt.frames, strict=True):
        again = made.take(slice(first, first := first + len(trace)))
        assert again.size.tolist() == frames.size.tolist()
        captured, written = (
            told(tmp_path / "x.pcap", trace, each, (*SAME, *NUMBERS)) for each in (frames, again)
        )
        assert len(captured) == len(written) == len(trace)
        for one, other in zip(captured, written, strict=True):
            assert other[: len(SAME)] == one[: len(SAME)]
            is_segment = bool(one[0])
            segments += is_segment
            same += is_segment and one[len(SAME) :] == other[len(SAME) :]
    assert segments > 500
    assert same >= 0.999 * segments


def test_blocks_of_any_size_give_the_same_file(learnt, tmp_path):
    generator = Sessions(Sessions.Config(window=5)).fit(learnt.traces)
    drawn = spaced(generator, 3, np.random.default_rng(5))
    sessions = [*first_packets(drawn, 1000)]
    packets = sum(map(len, sessions))
    assert packets > 100
    files = []
    for block in (1, 7, 4096, packets):
        path = tmp_path / f"{block}.pcap"
        write_sessions(sessions, path, as_captured(learnt.recording), block=block)
        files.append(path.read_bytes())
    assert len(set(files)) == 1
