"""Nothing that tells whose captures they were comes out, and tshark is asked what that is."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from iotflowgen.capture import read_captures, read_frames
from iotflowgen.generators import Sessions, spaced
from iotflowgen.packets import Pseudonyms, Renderer, Templates, record, write_sessions
from tests.unit.packets.owners import identifiers, random_texts

SAMPLES = Path(__file__).parents[3] / "samples"
_KEPT_TEXTS = {
    *("currentfw=881", "duration=300", "mfgid=294928"),  # of a model, not of one scale
    *("version=0106", "version=0124", "duration=180000"),
    "Q0VUAAAKAAMAAA4QQ0VTVAADAAIAABwg",  # a time zone, in Base64
}
"""What looks random and does not tell one device from the next; docs/privacy.md says why."""


def generate(paths: Sequence[Path], out: Path, sessions: int, *, keep: bool = False) -> bytes:
    """Sessions of a device, learnt from captures, as the bytes of a capture."""
    traces = read_captures(paths)
    recording = record(read_frames(paths, traces))
    assert recording is not None
    rng = np.random.default_rng(3)
    persona = Pseudonyms(recording.identities, rng, keep=keep)
    templates = Templates(recording)
    renderer = Renderer(templates, templates.disguise(persona), rng)
    # windows are not cut here, so that captures may be short
    generator = Sessions(Sessions.Config(window=5)).fit(traces)
    write_sessions(spaced(generator, sessions, rng), out, renderer)
    return out.read_bytes()


def left_in(data: bytes, found: dict[str, set[bytes]]) -> dict[str, set[bytes]]:
    left = {kind: {each for each in wanted if each in data} for kind, wanted in found.items()}
    return {kind: those for kind, those in left.items() if those}


@pytest.mark.parametrize("sample", ["plug", "camera"])
def test_no_identifier_comes_out_of_the_samples(sample: str, tmp_path: Path) -> None:
    paths = sorted((SAMPLES / sample).iterdir())[:6]
    found = identifiers(paths)
    assert found["MAC address"]
    assert found["IP address"]
    assert found["name"]
    assert found["UUID"]
    out = tmp_path / "honeydata.pcap"
    assert left_in(generate(paths, out, 12), found) == {}
    assert random_texts(paths) & random_texts([out]) <= _KEPT_TEXTS
    # the same look finds all kinds where they are kept
    kept = left_in(generate(paths, tmp_path / "kept.pcap", 12, keep=True), found)
    assert {*kept} >= {"MAC address", "IP address", "name", "UUID"}
    assert len(kept["MAC address"]) >= 3


@pytest.mark.captures
@pytest.mark.parametrize(
    "device",
    ["Aria", "D-LinkCam", "EdimaxPlug2101W", "HueBridge", "MAXGateway", "WeMoSwitch", "Withings"],
)
def test_no_identifier_comes_out_of_aalto_devices(device: str, aalto: Path, tmp_path: Path) -> None:
    paths = sorted((aalto / device).glob("*.pcap"))[:4]
    found, out = identifiers(paths), tmp_path / "honeydata.pcap"
    assert left_in(generate(paths, out, 6), found) == {}
    assert random_texts(paths) & random_texts([out]) <= _KEPT_TEXTS
