"""What another distribution adds: a toy of each kind, which lies in `tests/outside`."""

import importlib
import os
import subprocess
import sys

import pytest

import iotflowgen as iot
from iotflowgen import plugins
from iotflowgen.errors import ModelError, PluginError
from iotflowgen.plugins import CODECS, Plugins
from iotflowgen.wire import find_layers
from iotflowgen.wire.pcap import read_records
from tests.conftest import REPOSITORY
from tests.end_to_end.invoke import invoke

OUTSIDE = REPOSITORY / "tests" / "outside"
PLUG = REPOSITORY / "samples" / "plug"


@pytest.fixture
def outside(monkeypatch):
    monkeypatch.syspath_prepend(OUTSIDE)
    return importlib.import_module("toys")


def help_of(command):
    path = os.pathsep.join([str(OUTSIDE), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", "from iotflowgen.cli import main; main()", command, "--help"],
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("command", "name"), [("fit", "toy-generator"), ("evaluate", "toy-adversary")]
)
def test_it_is_a_choice(command, name):
    assert name in help_of(command)


@pytest.mark.usefixtures("outside")
def test_all_kinds_take_part_in_a_benchmark_and_its_report(tmp_path):
    (tmp_path / "captures").mkdir()
    (tmp_path / "captures/plug").symlink_to(PLUG)
    out, page = tmp_path / "out", tmp_path / "page.html"
    chosen = ("--generators", "toy-generator,replay", "--adversaries", "toy-adversary")
    more = ("--quick", "--processes", 1, "--out", out)
    done = invoke("benchmark", tmp_path / "captures", *chosen, *more)
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stderr
    assert "toy-generator" in done.stdout
    assert "toy-adversary" in done.stdout
    assert invoke("report", out, "--out", page).returncode == 0
    for name in ("toy-generator", "toy-adversary", "toy_metric, bytes"):
        assert name in page.read_text()


def test_packets_are_written_with_its_codec_wherever_the_model_has_it(
    outside, tmp_path, monkeypatch
):
    captures = sorted(PLUG.iterdir())[:5]
    models = {name: tmp_path / name for name in ("sessions", "toy-generator")}
    for name, model in models.items():
        iot.fit(captures, generator=name).save(model)
        capture = tmp_path / "toy.pcap"
        iot.load(model).generate(sessions=2).to_pcap(capture)
        frames = read_records(capture).frames
        is_ip4 = find_layers(frames).is_ip4
        assert is_ip4.sum() > 50
        assert set(frames.number(15, 1)[is_ip4].tolist()) == {outside.TYPE_OF_SERVICE}
    monkeypatch.undo()
    with pytest.raises(ModelError, match="a model of toy-generator, which"):
        iot.load(models["toy-generator"])
    with pytest.raises(ModelError, match="the codecs toy-codec; install"):
        iot.load(models["sessions"]).generate(sessions=2).to_pcap(tmp_path / "no.pcap")


def test_what_cannot_be_loaded_is_named(tmp_path, monkeypatch):
    metadata = tmp_path / "broken-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[iotflowgen.codecs]\nbroken = nonesuch:Codec\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "broken" in CODECS
    with pytest.raises(PluginError, match=r"broken of broken.*No module named 'nonesuch'"):
        CODECS["broken"]


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(plugins).values() if isinstance(kind, Plugins)]
)
def test_a_name_stands_for_what_has_that_name(kind):
    for name, found in kind.items():
        assert getattr(found, "name", found.__name__) == name
