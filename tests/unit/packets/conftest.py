from pathlib import Path
from typing import NamedTuple

import pytest

from iotflowgen.capture import read_captures, read_frames
from iotflowgen.packets import Headers, learn_headers
from iotflowgen.traffic import Trace

SAMPLES = Path(__file__).parents[3] / "samples"


class Learnt(NamedTuple):
    traces: list[Trace]
    headers: Headers


@pytest.fixture(scope="session", params=["plug", "camera"])
def learnt(request: pytest.FixtureRequest) -> Learnt:
    """A sample device: its traces, and what its packets' headers hold."""
    paths = sorted((SAMPLES / request.param).iterdir())[:8]
    traces = read_captures(paths)
    headers = learn_headers(read_frames(paths, traces))
    assert headers is not None
    return Learnt(traces, headers)
