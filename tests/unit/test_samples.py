"""The sample captures are what the demonstration and these tests count on."""

import pytest

from iotflowgen.capture import describe, read_captures
from tests.conftest import REPOSITORY

SAMPLES = REPOSITORY / "samples"
ADDRESS = {"plug": "192.168.31.138", "camera": "192.168.77.188"}


@pytest.mark.parametrize("device", ["plug", "camera"])
def test_a_device_has_16_captures_of_60_to_400_packets(device):
    traces = read_captures([SAMPLES / device])
    assert len(traces) == 16
    assert all(60 <= len(trace) <= 400 for trace in traces)
    assert len({len(trace) for trace in traces}) > 10
    found = describe([SAMPLES / device]).device
    assert found is not None
    assert found.ip == ADDRESS[device]


def test_they_are_small():
    assert sum(p.stat().st_size for p in SAMPLES.rglob("*") if p.is_file()) < 3_000_000
