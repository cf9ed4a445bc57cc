"""What a model file says of the captured packets is not believed before it fits."""

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from iotflowgen import load
from iotflowgen.capture import read_captures, read_frames
from iotflowgen.errors import ModelError
from iotflowgen.generators import Replay
from iotflowgen.packets import Pseudonyms, Renderer, record
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
    return Renderer(recording, Pseudonyms(recording.identities, rng), rng)


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
