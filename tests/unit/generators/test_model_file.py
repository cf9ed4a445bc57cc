"""What a model file says of the captured packets is not believed before it fits."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from iotflowgen import load
from iotflowgen.capture import read_captures, read_frames
from iotflowgen.errors import ModelError
from iotflowgen.generators import Replay
from iotflowgen.packets import Pseudonyms, Renderer, Templates, record
from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "plug.model"
    captures = sorted((REPOSITORY / "samples" / "plug").iterdir())[:3]
    found = [*read_frames(captures, read_captures(captures))]
    Replay(Replay.Config(window=5)).fit([trace for trace, _ in found]).save(path, record(found))
    return path


def opened(path, rng):
    recording = load(path).recording
    templates, persona = Templates(recording), Pseudonyms(recording.identities, rng)
    return Renderer(templates, templates.disguise(persona), rng)


def damaged(path, tmp_path, change):
    with safe_open(path, framework="np") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, tmp_path / "damaged.model", metadata=metadata)
    return tmp_path / "damaged.model"


def test_what_was_recorded_is_read_back(model):
    recording = load(model).recording
    captures = sorted((REPOSITORY / "samples" / "plug").iterdir())[:3]
    again = record(read_frames(captures, read_captures(captures)))
    assert recording.identities == again.identities
    tensors, others = recording.tensors(), again.tensors()
    assert tensors.keys() == others.keys()
    assert all((tensors[name] == others[name]).all() for name in tensors)


@pytest.mark.parametrize("missing", ["recording.data", "recording.references.tcp.back"])
def test_packets_that_lack_something_are_refused(model, missing, tmp_path):
    path = damaged(model, tmp_path, lambda tensors: tensors.pop(missing))
    with pytest.raises(ModelError, match="fit it again"):
        opened(path, np.random.default_rng(0))


def test_packets_of_other_captures_are_refused(model, tmp_path):
    def cut(tensors):
        for name in ("time_ns", "outgoing", "protocols", "capture", "flow", "length", "size"):
            tensors[f"recording.{name}"] = tensors[f"recording.{name}"][:-1]

    with pytest.raises(ModelError, match="fit it again"):
        load(damaged(model, tmp_path, cut))


@pytest.mark.parametrize(
    "change",
    [
        {"device_mac": "02:00:00:00:00"},
        {"device_mac": ""},
        {"device_ip": "192.168.1.256"},
        {"addresses": ["192.168.1.7", "fe80::1%eth0"]},
        {"macs": ["02-00-00-00-00-01"]},
        {"words": ["gerät-€"]},
    ],
)
def test_identities_that_are_none_are_refused(model, change, tmp_path):
    with safe_open(model, framework="np") as file:
        ((key, text),) = file.metadata().items()
    said = json.loads(text)
    said["identities"] |= change
    save_file(load_file(model), tmp_path / "made.model", metadata={key: json.dumps(said)})
    with pytest.raises(ModelError, match="fit it again"):
        load(tmp_path / "made.model")


@pytest.mark.parametrize(
    ("begins", "what"),
    [(b"PAR1", "a Parquet table, not a model"), (b'{"schema', "JSON, not a model"), (b"", "not a")],
)
def test_another_file_is_called_what_it_is(begins, what, tmp_path):
    path = tmp_path / "other"
    path.write_bytes(begins)
    with pytest.raises(ModelError, match=f"is {what}.*iotflowgen fit"):
        load(path)


def test_a_model_that_was_cut_short_is_called_damaged(model, tmp_path):
    path = tmp_path / "cut.model"
    path.write_bytes(model.read_bytes()[:1000])
    with pytest.raises(ModelError, match="is a damaged model"):
        load(path)
