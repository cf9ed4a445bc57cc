"""Nothing that tells whose captures they were comes out, and tshark is asked what that is."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from iotflowgen.capture import read_captures, read_frames
from iotflowgen.generators import Sessions, apart
from iotflowgen.packets import Persona, TemplateBuilder, learn_headers, write_sessions
from iotflowgen.packets.identifiers import words_in
from tests.unit.packets.conftest import SAMPLES
from tests.unit.packets.owners import identifiers, random_texts

_KEPT_TEXTS = {
    *("currentfw=881", "duration=300", "mfgid=294928"),  # of a model, not of one scale
    *("version=0106", "version=0124", "duration=180000"),
}
"""What looks random and does not tell one device from the next; docs/packets.md says why."""


def generate(paths: Sequence[Path], out: Path, sessions: int, *, keep: bool = False) -> bytes:
    """Sessions of a device, learnt from captures, as the bytes of a capture."""
    traces = read_captures(paths)
    headers = learn_headers(read_frames(paths, traces))
    assert headers is not None
    rng = np.random.default_rng(3)
    builder = TemplateBuilder(headers, Persona(headers, rng, keep=keep), rng)
    # windows are not cut here, so that captures may be short
    generator = Sessions(Sessions.Config(window=5)).fit(traces)
    write_sessions(apart(generator, sessions, rng), out, builder)
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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("USN: uuid:Socket-1_0-221519K1100F55::upnp:rootdevice", {"221519K1100F55"}),
        ('"uniqueid":"00:17:88:01:10:4d:a5:b2-0b"', {"00:17:88:01:10:4d:a5:b2"}),
        ("H:KEQ0817541,0cc386,0113", {"KEQ0817541", "0cc386"}),
        (
            "GET /register?serialNumber=20F85ECA9152&ssid=Home12 HTTP/1.1",
            {"20F85ECA9152", "Home12"},
        ),
        ("Authorization: Basic YWRtaW46MTIzNA==\r\n", {"YWRtaW46MTIzNA=="}),
        (
            'Authorization: CBAuth Type="SSO", Nonce="q/XPbfjbPaDjbdMIePtiCw=="\r\n',
            {"q/XPbfjbPaDjbdMIePtiCw=="},
        ),
        ("Set-Cookie: id=d2bb7585f1; expires=Fri; path=/home; domain=.fit.com", {"d2bb7585f1"}),
        ('{"sessionid":"6067-02e10030"}', {"6067-02e10030", "02e10030"}),
        # what all devices of a kind say is no identifier
        ("http://www.w3.org/2001/XMLSchema-instance", set()),
        ('SOAPACTION: "http://purenetworks.com/HNAP1/GetDevice2Settings"', set()),
        ('"swversion": "66015095"', set()),
        ("<Username>Admin</Username>", set()),
        ("background-color:#555555", set()),
    ],
)
def test_words_that_identify_are_found(text: str, words: set[str]) -> None:
    assert {word.decode() for word in words_in(text.encode())} == words
